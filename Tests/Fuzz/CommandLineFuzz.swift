import Kernel

/// Parses whatever the bytes are as a kernel command line.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let input = [UInt8](UnsafeBufferPointer(start: start, count: count))
  let declarations =
    ParameterDeclaration.kernel + [
      ParameterDeclaration("n.umber", .integer(-100...0xffff), help: ""),
      ParameterDeclaration("t.ext", .text(nil), help: ""),
    ]
  let parsed = CommandLine.parse(input, declarations: declarations)
  if let number = parsed.integer(declarations[declarations.count - 2]) {
    precondition((-100...0xffff).contains(number))
  }
  for argument in parsed.programArguments { precondition(!argument.contains(0)) }
  for variable in parsed.environment { precondition(variable.contains(0x3d) && variable.first != 0x3d) }
  for entry in parsed.fileSystemTable { precondition(entry.path.first == 0x2f && !entry.fileSystem.isEmpty) }
  // Values are parsed on their own as well, where a mutation has a shorter way to them.
  for device in parsed.virtioMMIODevices + [try? VirtioMMIODevice(parsing: input)].compactMap({ $0 }) {
    precondition(device.size > 0 && device.base + device.size <= 1 << 52 && device.interrupt > 0)
  }
  if let entry = try? FileSystemTableEntry(parsing: input) { precondition(entry.path.first == 0x2f) }
  // What passed its check when it was read is never dropped later.
  precondition(parsed.fileSystemTable.count == parsed.list(.fileSystemTable).count)
  precondition(parsed.virtioMMIODevices.count == parsed.list(.virtioMMIODevice).count)
  for diagnostic in parsed.diagnostics { precondition(diagnostic.message.count > 10) }
  quotedArgumentsSurvive(input)
  return 0
}

/// Any arguments come out as they were put in, when each is quoted as a shell would and a separator is in front.
private func quotedArgumentsSurvive(_ input: [UInt8]) {
  let arguments = input.split(separator: 0, omittingEmptySubsequences: false).map { [UInt8]($0) }
  var line = Array("-- ".utf8)
  for argument in arguments {
    line.append(0x27)
    for byte in argument { line += byte == 0x27 ? Array(#"'\''"#.utf8) : [byte] }
    line += Array("' ".utf8)
  }
  let parsed = CommandLine.parse(line, declarations: ParameterDeclaration.kernel)
  precondition(parsed.programArguments == arguments && parsed.diagnostics.isEmpty)
}
