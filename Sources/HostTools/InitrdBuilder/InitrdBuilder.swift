//===----------------------------------------------------------------------===//
// InitrdBuilder: plans an initial RAM disk and writes it as a `newc` archive.
//
// `ArchiveTree` is the plan: what the guest's root will hold. It is filled from a directory, from single files, and
// by `ProgramCollector`, which adds programs with their interpreter and shared libraries (`ELFFile`,
// `LibrarySearch`, `LibraryCache`). `ArchiveWriter` writes the plan with page-aligned file data, `ArchiveOutput`
// puts the bytes into a file that appears only when it is complete.
//
// Neighbours: `HostSystem` below; the executable `MakeInitrd` above.
//===----------------------------------------------------------------------===//
internal import HostSystem

/// What `support/mkinitrd` was asked for.
public struct InitrdRequest: Sendable {
  /// The archive to write; a name that ends with `.gz` is compressed.
  public var output: String
  /// A directory that becomes the guest's root.
  public var directory: String?
  /// Programs as `NAME`, `PATH` or `PATH:PATH-IN-GUEST`.
  public var programs: [String]
  /// Further files and directories as `PATH` or `PATH:PATH-IN-GUEST`.
  public var files: [String]

  public init(output: String, directory: String? = nil, programs: [String] = [], files: [String] = []) {
    self.output = output
    self.directory = directory
    self.programs = programs
    self.files = files
  }
}

/// Builds the archive that `request` describes.
///
/// - Parameter warn: receives one line for each thing that is odd but no error.
/// - Throws: `ToolError` or `SystemError`; the output is then as it was before.
public func buildInitrd(_ request: InitrdRequest, warn: (String) -> Void) throws {
  let tree = ArchiveTree()
  // Looked at first: the archive must not be packed into itself.
  tree.excluded = (try? FileStatus(of: Path(request.output)))?.identity
  if let directory = request.directory {
    try tree.addRoot(Path(directory))
  }
  var collector = ProgramCollector(tree: tree)
  for program in request.programs {
    let (source, target) = try splitMapping(program)
    try collector.addProgram(source, at: target)
  }
  for file in request.files {
    let (source, target) = try splitMapping(file)
    try collector.addFile(source, at: target)
  }
  // A directory alone is packed as it is.
  if !request.programs.isEmpty { try collector.finish() }
  collector.warnings.forEach(warn)

  let output = try ArchiveOutput(Path(request.output))
  try ArchiveWriter.write(tree, to: output)
  try output.finish()
}

/// Splits `SRC:DST`. A file whose name holds the colon wins; `DST` becomes absolute, and one that ends with a slash
/// gets the source's name.
func splitMapping(_ argument: String) throws -> (source: Path, target: Path?) {
  let whole = Path(argument)
  guard (try? FileStatus(ofLink: whole)) == nil,
    let colon = whole.bytes.lastIndex(of: UInt8(ascii: ":")), colon > 0
  else { return (whole, nil) }
  let source = Path(Array(whole.bytes[..<colon]))
  var target = Array(whole.bytes[(colon + 1)...])
  guard !target.isEmpty else { throw ToolError("\(argument): no path in the guest after the colon") }
  if target.last == UInt8(ascii: "/") { target += source.lastComponent }
  return (source, Path(absolute: Path(target).components))
}
