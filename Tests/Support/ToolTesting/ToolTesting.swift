//===----------------------------------------------------------------------===//
// ToolTesting: what the tests of the host tools share: a directory that goes away, and a shell.
//===----------------------------------------------------------------------===//
public import HostSystem

/// What a command did.
public struct CommandResult: Sendable {
  public let end: ProcessEnd
  /// Its standard output.
  public let output: [UInt8]
  /// Its standard error.
  public let errors: String

  /// The standard output as text.
  public var text: String { String(decoding: output, as: UTF8.self) }
}

/// A directory under /tmp that is removed with its content when its owner goes.
public final class TemporaryDirectory: Sendable {
  public let path: Path

  public init() throws {
    path = try makeTemporaryDirectory(prefix: "elfloader-test")
  }

  deinit {
    _ = try? run(["/bin/rm", "-rf", path.description])
  }

  /// Runs a shell script in the directory, with standard input from /dev/null unless it says otherwise.
  ///
  /// A script that takes minutes is killed with what it started: a tool that hangs must not hang the tests.
  @discardableResult
  public func shell(_ script: String) throws -> CommandResult {
    try run([
      "/usr/bin/timeout", "-k", "5", "180", "/bin/sh", "-c",
      "cd \(shellQuoted(path.description)) || exit 99\n\(script)",
    ])
  }

  /// The path of `name` in the directory, as text.
  public subscript(name: String) -> String { path.appending(Array(name.utf8)).description }
}

/// Runs a program to its end and collects what it writes.
public func run(_ arguments: [String]) throws -> CommandResult {
  let output = try Descriptor.memoryFile(named: "stdout")
  let errors = try Descriptor.memoryFile(named: "stderr")
  let input = try openFile("/dev/null")
  let process = try ChildProcess(
    arguments,
    descriptors: [(child: 0, own: input), (child: 1, own: output), (child: 2, own: errors)])
  let end = process.wait()
  return CommandResult(
    end: end, output: try content(of: output), errors: String(decoding: try content(of: errors), as: UTF8.self))
}

/// The whole content of an open file.
public func content(of file: Descriptor) throws -> [UInt8] {
  let status = try FileStatus(of: file, named: "a file")
  return try file.read(count: Int(status.size), at: 0, named: "a file")
}

/// The whole content of the file `path`.
public func content(ofFile path: String) throws -> [UInt8] {
  try content(of: try openFile(Path(path)))
}

/// The path of a tool's executable, which the package builds beside the tests.
public func toolPath(_ name: String) throws -> String {
  try resolvedPath("/proc/self/exe").directory.appending(Array(name.utf8)).description
}
