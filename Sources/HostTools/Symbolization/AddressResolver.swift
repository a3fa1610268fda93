internal import HostSystem

/// Finds the source of an address; the innermost of inlined functions comes first.
protocol AddressResolver: AnyObject {
  func frames(at address: UInt64) throws -> [SourceFrame]
}

/// Chooses the symbolizer: the one beside `swift`, else one in `PATH`, else `addr2line`.
func makeResolver(for image: String) throws -> any AddressResolver {
  if let swift = findProgram("swift"), let resolved = try? resolvedPath(swift) {
    let neighbour = resolved.directory.appending("llvm-symbolizer".utf8)
    if let tool = findProgram(neighbour) { return try LLVMSymbolizer(tool, image) }
  }
  if let tool = findProgram("llvm-symbolizer") { return try LLVMSymbolizer(tool, image) }
  if let tool = findProgram("addr2line") { return try BinutilsSymbolizer(tool, image) }
  throw ToolError("neither llvm-symbolizer nor addr2line was found; install Swift, LLVM or binutils")
}

/// A program that answers one line with several.
final class LineServer {
  private let process: ChildProcess
  private let input: Descriptor
  private let output: Descriptor
  private let name: Path
  private var received: [UInt8] = []
  private var buffer = [UInt8](repeating: 0, count: 1 << 14)

  init(_ program: Path, _ arguments: [String]) throws {
    ignoreBrokenPipes()
    name = program
    let questions = try DescriptorPair.pipe()
    let answers = try DescriptorPair.pipe()
    process = try ChildProcess(
      [program.description] + arguments,
      descriptors: [(child: 0, own: questions.first), (child: 1, own: answers.second)], deathSignal: Signal.terminate)
    questions.first.close()
    answers.second.close()
    input = questions.second
    output = answers.first
  }

  deinit {
    input.close()
    output.close()
    _ = process.wait()
  }

  func send(_ line: String) throws {
    try writeAll((line + "\n").utf8, to: input, named: name.description)
  }

  /// The next line of the answer, without its end.
  func receive() throws -> String {
    while true {
      if let end = received.firstIndex(of: UInt8(ascii: "\n")) {
        defer { received.removeFirst(end + 1) }
        return String(decoding: received[..<end], as: UTF8.self)
      }
      let count = try output.read(into: &buffer, named: name)
      guard count > 0 else { throw ToolError("\(name) ended early") }
      received += buffer[..<count]
    }
  }
}

/// llvm-symbolizer: pairs of lines, then an empty one.
final class LLVMSymbolizer: AddressResolver {
  private let server: LineServer

  init(_ program: Path, _ image: String) throws {
    server = try LineServer(
      program, ["--obj=\(image)", "--output-style=LLVM", "--functions=linkage", "--inlines", "--no-demangle"])
  }

  func frames(at address: UInt64) throws -> [SourceFrame] {
    try server.send("0x\(String(address, radix: 16))")
    var frames: [SourceFrame] = []
    while true {
      let function = try server.receive()
      if function.isEmpty { break }
      let place = try server.receive()
      if function != "??" { frames.append(SourceFrame(symbol: function, place: shortened(place))) }
    }
    return frames
  }
}

/// addr2line: pairs of lines, whose end only the answer to the next question shows.
final class BinutilsSymbolizer: AddressResolver {
  private let server: LineServer
  /// An address that is in no image; with `-a` the answer begins with it.
  private static let mark = "0xffffffffffffffff"

  init(_ program: Path, _ image: String) throws {
    server = try LineServer(program, ["-a", "-f", "-i", "-e", image])
  }

  func frames(at address: UInt64) throws -> [SourceFrame] {
    try server.send("0x\(String(address, radix: 16))")
    try server.send(Self.mark)
    var frames: [SourceFrame] = []
    _ = try server.receive()
    while true {
      let function = try server.receive()
      if function == Self.mark { break }
      let place = try server.receive()
      if function != "??" { frames.append(SourceFrame(symbol: function, place: shortened(place))) }
    }
    _ = try (server.receive(), server.receive())
    return frames
  }
}

/// A place without the working directory in front.
private func shortened(_ place: String) -> String {
  guard let directory = try? currentDirectory().description + "/", place.hasPrefix(directory) else { return place }
  return String(place.dropFirst(directory.count))
}
