import Support

/// Reads whatever the bytes are as a cpio archive, and writes an archive of members that the bytes describe.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let input = [UInt8](UnsafeBufferPointer(start: start, count: count))
  fuzzReader(input)
  fuzzWriter(input)
  return 0
}

private func fuzzReader(_ input: [UInt8]) {
  var reader = CPIOReader()
  var end = 0
  do throws(CPIOError) {
    while let entry = try reader.next(in: input.span.bytes) {
      precondition(entry.name.lowerBound >= end + 110 && !entry.name.isEmpty)
      precondition(entry.data.lowerBound > entry.name.upperBound && entry.data.upperBound <= input.count)
      precondition(!input[entry.name].contains(0))
      precondition(!input[entry.name].split(separator: 0x2f).contains([0x2e, 0x2e]))
      end = entry.data.upperBound
    }
  } catch {
    precondition(error.offset <= input.count && error.message.count > 10)
  }
}

private func fuzzWriter(_ input: [UInt8]) {
  var writer = CPIOWriter()
  var archive: [UInt8] = []
  var expected: [(name: [UInt8], data: [UInt8])] = []
  for line in input.split(separator: 10).prefix(20) {
    let parts = line.split(separator: 0, maxSplits: 1, omittingEmptySubsequences: false)
    // Each byte of the name stands for many, to come near the page size.
    let name = parts[0].flatMap { [UInt8](repeating: $0, count: Int($0)) }.filter { $0 != 0x2e }
    let data = parts.count > 1 ? [UInt8](parts[1]) : []
    guard
      let header = try? writer.header(
        name, CPIOMetadata(inode: 1, mode: 0o100644), dataSize: data.count, alignment: 4096)
    else {
      precondition(name.isEmpty || name.count > 4095)
      continue
    }
    archive += header
    if !data.isEmpty, name.count < 3900 { precondition(archive.count % 4096 == 0) }
    archive += data
    expected.append((name, data))
  }
  archive += writer.trailer()
  precondition(writer.offset == archive.count)

  var reader = CPIOReader()
  var index = 0
  do throws(CPIOError) {
    while let entry = try reader.next(in: archive.span.bytes) {
      if Array(archive[entry.name]) == [0x2e] { continue }
      precondition(Array(archive[entry.name]) == expected[index].name)
      precondition(Array(archive[entry.data]) == expected[index].data)
      index += 1
    }
  } catch {
    preconditionFailure("what was written cannot be read")
  }
  precondition(index == expected.count)
}
