import ELFLoader
import LinuxABI

/// Plans whatever the bytes are as an ELF file, reads them as a script's first line, and lays out a stack with them.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let input = [UInt8](UnsafeBufferPointer(start: start, count: count))
  fuzzPlan(input)
  fuzzNumbers(input)
  fuzzScript(input)
  fuzzStack(input)
  return 0
}

private func fuzzPlan(_ input: [UInt8]) {
  do throws(ELFError) {
    let header = try ELFFileHeader(parsing: input.span.bytes, fileSize: UInt64(input.count))
    let table = header.programHeaderTable
    let tableBytes = Array(input[Int(table.lowerBound)..<Int(table.upperBound)])
    let plan = try LoadPlan(header, programHeaders: tableBytes.span.bytes)
    check(plan, fileSize: UInt64(input.count))
    if let range = plan.interpreter {
      let path = try LoadPlan.interpreterPath(in: Array(input[Int(range.lowerBound)..<Int(range.upperBound)]))
      precondition(!path.isEmpty && path.count < 4096)
    }
  } catch {
    precondition(error.message(file: []).count > 10)
    _ = error.errno(for: .program)
  }
}

/// Plans program headers whose fields lie near the values where the arithmetic could go wrong. A mutation of bytes alone
/// seldom meets two such fields at once.
private func fuzzNumbers(_ input: [UInt8]) {
  let interesting: [UInt64] = [
    0, 1, 0x1000, 0x1_0000, 0x40_0000, 0x7f80_0000_0000, 0x7fff_ffff_ffff, 0x8000_0000_0000, 1 << 63, .max,
  ]
  var bytes = input[...]
  func next() -> UInt8 { bytes.popFirst() ?? 0 }
  func number() -> UInt64 {
    let base = interesting[Int(next()) % interesting.count]
    let offset = UInt64(bitPattern: Int64(Int8(bitPattern: next())))
    return base &+ (next() & 1 == 0 ? offset : offset &* 0x1000)
  }
  let types = [ELFProgramHeader.PT_LOAD, 1, 1, 1, ELFProgramHeader.PT_INTERP, ELFProgramHeader.PT_GNU_PROPERTY]
  let fileSize = number()
  let table = min(number(), fileSize)
  let header = ELFFileHeader(
    isPositionIndependent: next() & 1 == 0, entry: number(), fileSize: fileSize, programHeaderTable: table..<fileSize)
  var programHeaders: [ELFProgramHeader] = []
  while !bytes.isEmpty, programHeaders.count < 8 {
    programHeaders.append(
      ELFProgramHeader(
        type: types[Int(next()) % types.count], flags: UInt32(next()), offset: number(), virtualAddress: number(),
        fileSize: number(), memorySize: number(), alignment: number()))
  }
  guard let plan = try? LoadPlan(header, programHeaders) else { return }
  check(plan, fileSize: fileSize)
}

private func check(_ plan: LoadPlan, fileSize: UInt64) {
  let space = LoadPlan.AddressSpace()
  var end: UInt64 = plan.isPositionIndependent ? 0 : space.lowest & ~4095
  for segment in plan.segments {
    precondition(segment.virtualAddress >= end)
    end = segment.virtualAddress + segment.memorySize
    precondition(end <= space.end && segment.pages.upperBound <= space.end)
    for range in [segment.fileMapping, segment.anonymousMapping, segment.pages] {
      precondition(range.lowerBound % 4096 == 0 && range.upperBound % 4096 == 0)
    }
    precondition(segment.fileMapping.lowerBound == segment.pages.lowerBound)
    precondition(segment.fileMapping.upperBound == segment.anonymousMapping.lowerBound)
    precondition(segment.zeroTail.upperBound == segment.fileMapping.upperBound)
    precondition(segment.fileMappingOffset % 4096 == 0)
    precondition(segment.fileSize == 0 || segment.fileOffset + segment.fileSize <= fileSize)
  }
  precondition(plan.end == end && plan.span.contains(plan.segments[0].pages.lowerBound))
  if let range = plan.properties { precondition(range.upperBound <= fileSize) }
  if let range = plan.interpreter { precondition(range.upperBound <= fileSize && range.count <= 4096) }
  if let address = plan.programHeaderAddress { precondition(plan.span.contains(address)) }
  for near: UInt64 in [0, 0x5555_5555_5000, space.end, .max] {
    if let bias = try? plan.bias(near: near, within: space) {
      precondition(bias % plan.alignment == 0 && bias % 4096 == 0)
      precondition(bias + plan.span.upperBound <= space.end && bias + plan.span.lowerBound >= space.lowest)
    }
  }
}

private func fuzzScript(_ input: [UInt8]) {
  guard let line = try? ScriptLine(parsing: input[...]) else { return }
  precondition(!line.interpreter.isEmpty && line.interpreter.count + (line.argument?.count ?? 0) < 254)
  precondition(!line.interpreter.contains { $0 == 0x20 || $0 == 9 || $0 == 10 })
}

private func fuzzStack(_ input: [UInt8]) {
  let strings = input.split(separator: 10, omittingEmptySubsequences: false).map { [UInt8]($0) }
  let half = strings.count / 2
  let contents = InitialStack.Contents(
    arguments: Array(strings[..<half]), environment: Array(strings[half...]), executablePath: strings[0],
    platform: Array("x86_64".utf8),
    auxiliaryVector: [AuxiliaryEntry(AuxiliaryVector.AT_EXECFN, .executablePath)],
    randomBytes: [UInt8](repeating: 7, count: 16), gap: UInt64(input.first ?? 0) << (input.last ?? 0 & 63))
  let top: UInt64 = 0x7f7f_ffff_f000
  guard let stack = try? InitialStack(contents, top: top, limit: 1 << 16) else { return }
  precondition(stack.stackPointer % 16 == 0 && stack.stackPointer + UInt64(stack.bytes.count) == top)
  precondition(stack.bytes.count <= 1 << 16)
}
