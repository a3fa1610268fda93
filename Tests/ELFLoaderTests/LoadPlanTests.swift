import LinuxABI
import Testing

@testable import ELFLoader

private let load = ELFProgramHeader.PT_LOAD

private func segment(
  _ offset: UInt64, _ address: UInt64, _ fileSize: UInt64, _ memorySize: UInt64? = nil, flags: UInt32 = 6,
  alignment: UInt64 = 0x1000
) -> ELFProgramHeader {
  ELFProgramHeader(
    type: load, flags: flags, offset: offset, virtualAddress: address, fileSize: fileSize,
    memorySize: memorySize ?? fileSize, alignment: alignment)
}

private func message(_ error: ELFError?) -> String {
  error.map { String(decoding: $0.message(file: Array("X".utf8)), as: UTF8.self) } ?? "none"
}

@Suite struct RealPrograms {
  @Test func plansLs() throws {
    let bytes = try file("/bin/ls")
    let plan = try plan(bytes)
    #expect(plan.isPositionIndependent)
    #expect(plan.segments.count == 4)
    #expect(
      plan.segments.map(\.protection) == [
        .PROT_READ, [.PROT_READ, .PROT_EXEC], .PROT_READ, [.PROT_READ, .PROT_WRITE],
      ])
    #expect(plan.programHeaderAddress == 64)
    #expect(!plan.hasExecutableStack)
    let range = try #require(plan.interpreter)
    let path = try LoadPlan.interpreterPath(in: Array(bytes[Int(range.lowerBound)..<Int(range.upperBound)]))
    #expect(String(decoding: path, as: UTF8.self) == "/lib64/ld-linux-x86-64.so.2")
    for segment in plan.segments {
      #expect(segment.fileMapping.lowerBound % 4096 == 0 && segment.fileMapping.upperBound % 4096 == 0)
      #expect(segment.fileMappingOffset % 4096 == 0)
      #expect(segment.fileMapping.upperBound == segment.anonymousMapping.lowerBound)
    }
  }

  @Test func plansTheDynamicLoader() throws {
    let plan = try plan(file("/lib64/ld-linux-x86-64.so.2"))
    #expect(plan.isPositionIndependent && plan.interpreter == nil)
  }

  @Test(arguments: [
    (["-static", "-no-pie"], false, false), (["-static-pie"], true, false), (["-pie"], true, true),
    (["-no-pie"], false, true),
  ])
  func plansWhatGccMakes(flags: [String], isPositionIndependent: Bool, hasInterpreter: Bool) throws {
    let plan = try plan(compile(flags))
    #expect(plan.isPositionIndependent == isPositionIndependent)
    #expect((plan.interpreter != nil) == hasInterpreter)
    #expect(plan.span.contains(plan.entry))
    #expect(plan.programHeaderAddress.map(plan.span.contains) == true)
    let last = try #require(plan.segments.last)
    #expect(last.memorySize > last.fileSize && !last.anonymousMapping.isEmpty && !last.zeroTail.isEmpty)
    #expect(plan.end == last.virtualAddress + last.memorySize)
    if !isPositionIndependent { #expect(plan.span.lowerBound == 0x400000) }
  }

  @Test func plansWhatMuslGccMakes() throws {
    let plan = try plan(compile(["-static", "-no-pie", "-specs=/usr/lib/x86_64-linux-musl/musl-gcc.specs"]))
    #expect(!plan.isPositionIndependent && plan.interpreter == nil)
  }

  @Test func findsTheProperties() throws {
    let bytes = try compile(["-fcf-protection=full", "-Wl,-z,ibt", "-nostdlib", "-Wl,-e,main"])
    let range = try #require(try plan(bytes).properties)
    // A note: the sizes of its name and its data, its type (NT_GNU_PROPERTY_TYPE_0), and the name.
    #expect(
      bytes[Int(range.lowerBound)..<Int(range.upperBound)].dropFirst(8).starts(with: [5, 0, 0, 0, 0x47, 0x4e, 0x55]))
  }

  @Test func readsTheStackFlags() throws {
    #expect(try plan(compile(["-z", "execstack"])).hasExecutableStack)
    #expect(try plan(compile(["-static", "-Wl,-z,stack-size=1048576"])).stackSize == 1_048_576)
  }

  @Test func honoursLargeAlignment() throws {
    let plan = try plan(compile(["-pie", "-Wl,-z,max-page-size=0x200000"]))
    #expect(plan.alignment == 0x20_0000)
    #expect(try plan.bias(near: 0x5555_5555_5000) % 0x20_0000 == 0)
  }

  @Test(arguments: [["-static", "-no-pie"], ["-pie"]])
  func rejectsEveryCutOfTheHeaders(flags: [String]) throws {
    let bytes = try compile(flags)
    let plan = try plan(bytes)
    let end = 64 + plan.programHeaderCount * 56
    #expect(fault(in: []) == .empty)
    for count in 1..<64 { #expect(fault(in: Array(bytes[..<count])) == .truncatedHeader) }
    for count in 64..<end { #expect(fault(in: Array(bytes[..<count])) == .truncatedProgramHeaders) }
    for count in stride(from: end, to: Int(plan.segments.map { $0.fileOffset + $0.fileSize }.max()!), by: 97) {
      switch fault(in: Array(bytes[..<count])) {
      case .segmentOutsideFile, .interpreterOutsideFile: break
      case let other: Issue.record("cut at \(count): \(message(other))")
      }
    }
  }

  @Test func rejectsAnObjectFileAndAText() throws {
    #expect(
      message(fault(in: try compile(["-c"]))) == "X: ELF file is a relocatable object (ET_REL), not an executable")
    #expect(fault(in: try compile(["-m32", "-nostdlib", "-static", "-Wl,-e,main"])) == .thirtyTwoBit(machine: 3))
    #expect(message(fault(in: Array("#!/bin/sh\n".utf8))) == "X: not an ELF executable")
    #expect(fault(in: [0x7f]) == .truncatedHeader)
    #expect(fault(in: [0x7f, 0x46]) == .notELF)
  }
}

@Suite struct ELFHeaders {
  private func with(_ change: (inout ELFImage) -> Void) -> ELFError? {
    var image = ELFImage()
    change(&image)
    return fault(in: image.bytes)
  }

  @Test func acceptsTheSmallest() throws {
    let plan = try plan(ELFImage().bytes)
    #expect(plan.segments.count == 1 && plan.alignment == 4096 && plan.stackSize == 0)
    #expect(plan.programHeaderAddress == 64)
  }

  @Test func namesTheFault() {
    #expect(message(with { $0.machine = 183 }) == "X: ELF executable is for another machine (EM_AARCH64)")
    #expect(message(with { $0.machine = 243 }) == "X: ELF executable is for another machine (EM_RISCV)")
    #expect(message(with { $0.machine = 12345 }) == "X: ELF executable is for another machine (machine 12345)")
    #expect(
      message(
        with {
          $0.byteOrder = 2
          $0.machine = 21
        }) == "X: ELF executable is big-endian (EM_PPC64)")
    #expect(
      message(
        with {
          $0.elfClass = 1
          $0.machine = 40
        }) == "X: ELF executable is a 32-bit program (EM_ARM)")
    #expect(message(with { $0.elfClass = 0 }) == "X: ELF executable is of an unknown class (0)")
    #expect(message(with { $0.byteOrder = 3 }) == "X: ELF executable is of an unknown byte order (3)")
    #expect(message(with { $0.version = 0 }) == "X: ELF executable is of an unknown version (0)")
    #expect(message(with { $0.type = 4 }) == "X: ELF file is a core dump (ET_CORE), not an executable")
    #expect(message(with { $0.type = 0xfe00 }) == "X: ELF file is no executable: e_type (65024)")
    #expect(message(with { $0.headerSize = 55 }) == "X: ELF executable has program headers of a wrong size (55)")
    #expect(message(with { $0.headerSize = 0 }) == "X: ELF executable has program headers of a wrong size (0)")
    #expect(message(with { $0.count = 0 }) == "X: ELF executable has no program headers")
    #expect(message(with { $0.count = 0xffff }) == "X: ELF executable has too many program headers (65535)")
    #expect(message(with { $0.count = 1171 }) == "X: ELF executable has too many program headers (1171)")
    #expect(with { $0.count = 1170 } == .truncatedProgramHeaders)
    #expect(with { $0.tableOffset = 0x4000 - 55 } == nil)  // the image grows by it
    #expect(with { $0.tableOffset = .max - 10 } == .truncatedProgramHeaders)
    #expect(with { $0.tableOffset = 1 << 40 } == .truncatedProgramHeaders)
    #expect(with { $0.entry = 0x7f80_0000_0000 } == .entryOutOfReach(0x7f80_0000_0000))
    #expect(with { $0.entry = .max } == .entryOutOfReach(.max))
  }

  @Test func findsATableFarFromTheHeader() throws {
    var image = ELFImage()
    image.tableOffset = 0x12345
    let plan = try plan(image.bytes)
    #expect(plan.segments.count == 1)
    #expect(plan.programHeaderAddress == nil)
  }

  @Test func readsTheLargestTable() throws {
    var image = ELFImage()
    image.programHeaders = (0..<1170).map { segment(0, UInt64($0) * 4096, 0, 4096) }
    image.size = 0x20000
    #expect(try plan(image.bytes).segments.count == 1170)
  }

  @Test func mapsToLinuxErrors() {
    #expect(ELFError.wrongMachine(183).errno(for: .program) == .ENOEXEC)
    #expect(ELFError.wrongMachine(183).errno(for: .interpreter) == .ELIBBAD)
    #expect(ELFError.notELF.errno(for: .interpreter) == .ELIBBAD)
    #expect(ELFError.empty.errno(for: .program) == .ENOEXEC)
    #expect(ELFError.empty.errno(for: .interpreter) == .EIO)
    #expect(ELFError.segmentWraps(0).errno(for: .program) == .EINVAL)
    #expect(ELFError.tooLarge.errno(for: .program) == .ENOMEM)
  }
}

@Suite struct Segments {
  private let kernel: UInt64 = 0x7f80_0000_0000

  private func plan(
    _ headers: [ELFProgramHeader], fixed: Bool = false, fileSize: UInt64 = 0x10000
  ) throws(ELFError) -> LoadPlan {
    try LoadPlan(
      ELFFileHeader(
        isPositionIndependent: !fixed, entry: 0x1000, fileSize: fileSize, programHeaderTable: 64..<64 + 56), headers)
  }

  private func fault(_ headers: [ELFProgramHeader], fixed: Bool = false) -> ELFError? {
    do throws(ELFError) {
      _ = try plan(headers, fixed: fixed)
      return nil
    } catch {
      return error
    }
  }

  @Test func computesTheMappings() throws {
    let plan = try plan([segment(0x1234, 0x40_2234, 0x1000, 0x3456)], fixed: true)
    let data = plan.segments[0]
    #expect(data.fileMapping == 0x40_2000..<0x40_4000)
    #expect(data.fileMappingOffset == 0x1000)
    #expect(data.zeroTail == 0x40_3234..<0x40_4000)
    #expect(data.anonymousMapping == 0x40_4000..<0x40_6000)
    #expect(data.pages == 0x40_2000..<0x40_6000)
    #expect(plan.end == 0x40_568a)
    #expect(plan.span == 0x40_2000..<0x40_6000)
  }

  @Test func computesWholePages() throws {
    let full = try plan([segment(0x1000, 0x1000, 0x1000)]).segments[0]
    #expect(full.fileMapping == 0x1000..<0x2000 && full.zeroTail.isEmpty && full.anonymousMapping.isEmpty)
    let aligned = try plan([segment(0x1000, 0x1000, 0x1000, 0x1001)]).segments[0]
    #expect(aligned.zeroTail.isEmpty && aligned.anonymousMapping == 0x2000..<0x3000)
    // Offset and address need not match when no byte comes from the file, which may then be anywhere.
    let empty = try plan([segment(0x99999, 0x1800, 0, 0x100)]).segments[0]
    #expect(empty.fileMapping.isEmpty && empty.zeroTail.isEmpty && empty.anonymousMapping == 0x1000..<0x2000)
  }

  @Test func letsSegmentsShareAPage() throws {
    let plan = try plan([segment(0, 0, 0x1100, flags: 5), segment(0x1100, 0x1100, 0x100)])
    #expect(plan.segments[0].pages == 0..<0x2000)
    #expect(plan.segments[1].pages == 0x1000..<0x2000)
  }

  @Test func namesTheFault() {
    #expect(fault([]) == .noSegments)
    #expect(fault([segment(0, 0x1000, 0)]) == .noSegments)
    #expect(fault([segment(0, 0, 2, 1)]) == .segmentSizes(0))
    #expect(fault([segment(0, 0, 1, 0)]) == .segmentSizes(0))
    #expect(fault([segment(0, .max - 0xfff, 0, 0x1000)]) == .segmentWraps(0))
    #expect(fault([segment(0, 0x1000, 0, .max)]) == .segmentWraps(0))
    #expect(fault([segment(0, kernel - 0x1000, 0, 0x1001)]) == .segmentInKernelSpace(0))
    #expect(fault([segment(0, kernel, 0x1000)]) == .segmentInKernelSpace(0))
    #expect(fault([segment(0, kernel - 0x1000, 0x1000)], fixed: true) == nil)
    #expect(fault([segment(0, 0xf000, 0x1000)], fixed: true) == .segmentTooLow(0))
    #expect(fault([segment(0, 0x1_0000, 0x1000)], fixed: true) == nil)
    #expect(fault([segment(0xf001, 1, 0x1000)]) == .segmentOutsideFile(0))
    #expect(fault([segment(.max - 10, 0, 0x1000)]) == .segmentOutsideFile(0))
    #expect(fault([segment(1, 0, 0x1000)]) == .segmentMisaligned(0))
    #expect(fault([segment(0, 0x2000, 0x1000), segment(0, 0x1000, 0x1000)]) == .segmentOutOfOrder(1))
    #expect(fault([segment(0, 0x1000, 0x1000), segment(0xfff, 0x1fff, 0x1000)]) == .segmentsOverlap(1))
    #expect(fault([segment(0, 0x1000, 0x1000), segment(0, 0x1000, 0x1000)]) == .segmentsOverlap(1))
    #expect(fault([segment(0, 0x1000, 0x800, 0x2000), segment(0, 0x2000, 0x1000)]) == .segmentsOverlap(1))
    #expect(
      message(fault([segment(1, 0, 0x1000)]))
        == "X: ELF executable's segment has an address that does not match its file offset (program header 0)")
  }

  @Test func readsTheInterpreter() throws {
    func interpreter(_ offset: UInt64, _ size: UInt64) -> [ELFProgramHeader] {
      [ELFProgramHeader(type: ELFProgramHeader.PT_INTERP, offset: offset, fileSize: size), segment(0, 0, 0x1000)]
    }
    #expect(try plan(interpreter(0x200, 28)).interpreter == 0x200..<0x200 + 28)
    #expect(fault(interpreter(0x200, 0)) == .interpreterEmpty)
    #expect(fault(interpreter(0x200, 1)) == .interpreterEmpty)
    #expect(fault(interpreter(0x200, 4097)) == .interpreterTooLong)
    #expect(fault(interpreter(0xffff, 2)) == .interpreterOutsideFile)
    #expect(fault(interpreter(.max, 2)) == .interpreterOutsideFile)
    #expect(try LoadPlan.interpreterPath(in: Array("/ld.so\0".utf8)) == Array("/ld.so".utf8))
    #expect(try LoadPlan.interpreterPath(in: Array("/ld.so\0\0junk\0".utf8)) == Array("/ld.so".utf8))
    #expect(throws: ELFError.interpreterUnterminated) { try LoadPlan.interpreterPath(in: Array("/ld.so".utf8)) }
    #expect(throws: ELFError.interpreterEmpty) { try LoadPlan.interpreterPath(in: [0, 0]) }
    #expect(throws: ELFError.interpreterEmpty) { try LoadPlan.interpreterPath(in: []) }
  }

  @Test func placesPositionIndependentFiles() throws {
    let small = try plan([segment(0, 0, 0x1000)])
    #expect(try small.bias(near: 0x5555_5555_4000) == 0x5555_5555_4000)
    #expect(try small.bias(near: 0x5555_5555_4fff) == 0x5555_5555_4000)
    #expect(try small.bias(near: 0) == 0x1_0000)
    #expect(throws: ELFError.tooLarge) { try small.bias(near: kernel) }
    #expect(try small.bias(near: kernel - 0x1000) == kernel - 0x1000)
    let high = try plan([segment(0, 0x4000_0000, 0x1000)])
    #expect(try high.bias(near: 0x5555_5555_4000) == 0x5555_1555_4000)
    #expect(try high.bias(near: 0) == 0)
    let aligned = try plan([segment(0, 0, 0x1000, alignment: 1 << 30), segment(0x1000, 0x1000, 1, alignment: 3)])
    #expect(aligned.alignment == 1 << 30)
    #expect(try aligned.bias(near: 0x5555_5555_4000) == 0x5555_4000_0000)
    #expect(try aligned.bias(near: 0) == 1 << 30)
    let absurd = try plan([segment(0, 0, 0x1000, alignment: 1 << 63)])
    #expect(throws: ELFError.tooLarge) { try absurd.bias(near: 0x5555_5555_4000) }
  }

  @Test func readsTheStackHeader() throws {
    let stack = ELFProgramHeader(type: ELFProgramHeader.PT_GNU_STACK, flags: 7, memorySize: 0x8000)
    #expect(try plan([segment(0, 0, 0x1000), stack]).hasExecutableStack)
    #expect(try plan([segment(0, 0, 0x1000), stack]).stackSize == 0x8000)
    #expect(try plan([segment(0, 0, 0x1000)]).hasExecutableStack == false)
  }
}
