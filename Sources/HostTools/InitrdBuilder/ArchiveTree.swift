internal import HostSystem

/// One file of the guest's root.
final class ArchiveNode {
  enum Content {
    case directory
    case symbolicLink([UInt8])
    /// A regular file whose content is the host's file; `links` is set when that file has several names.
    case regular(Path, size: UInt64, links: FileStatus.Identity?)
    case device(major: UInt32, minor: UInt32)
    /// A fifo or a socket.
    case nameOnly
  }

  let mode: UInt32
  let user: UInt32
  let group: UInt32
  let modificationTime: Int64
  let content: Content
  /// The files of a directory.
  fileprivate(set) var children: [[UInt8]: ArchiveNode] = [:]

  init(mode: UInt32, user: UInt32 = 0, group: UInt32 = 0, modificationTime: Int64 = 0, content: Content) {
    self.mode = mode
    self.user = user
    self.group = group
    self.modificationTime = modificationTime
    self.content = content
  }

  /// Describes the host's file `path`.
  convenience init(_ status: FileStatus, at path: Path) throws {
    let content: Content =
      switch status.kind {
      case .directory: .directory
      case .symbolicLink: .symbolicLink(try linkTarget(path))
      case .regular:
        .regular(path, size: status.size, links: status.linkCount > 1 ? status.identity : nil)
      case .characterDevice, .blockDevice: .device(major: status.specialMajor, minor: status.specialMinor)
      case .fifo, .socket: .nameOnly
      }
    self.init(
      mode: status.mode, user: status.user, group: status.group, modificationTime: status.modificationTime,
      content: content)
  }

  var isDirectory: Bool {
    if case .directory = content { true } else { false }
  }

  /// The names of a directory in the order of the archive.
  var sortedNames: [[UInt8]] {
    children.keys.sorted { $0.lexicographicallyPrecedes($1) }
  }
}

/// The files that the guest's root will hold.
///
/// A path is added the way the guest will walk it: where the host has a symbolic link on the way, the archive gets
/// that link, and the walk goes on at its target.
final class ArchiveTree {
  private(set) var root: ArchiveNode
  /// A file that is left out: the archive itself.
  var excluded: FileStatus.Identity?

  init() {
    let status = try? FileStatus(of: "/")
    root = ArchiveNode(mode: 0o040755, modificationTime: status?.modificationTime ?? 0, content: .directory)
  }

  /// Makes the host's directory `path` the root, with everything below it.
  func addRoot(_ path: Path) throws {
    let status = try FileStatus(of: path)
    guard status.kind == .directory else { throw ToolError("\(path) is not a directory") }
    root = try ArchiveNode(status, at: path)
    try addChildren(of: path, to: root)
  }

  /// Adds the host's file `source` as `target`, a directory with everything below it.
  ///
  /// With equal paths, links on the way and at the end are reproduced. Else `target` gets what `source` leads to.
  ///
  /// - Parameter visit: is called with the host path and the guest path of every regular file added.
  func add(_ source: Path, at target: Path, visit: (Path, Path) throws -> Void = { _, _ in }) throws {
    if source == target {
      let node = try walk(target.components, missing: .fails)
      switch node.content {
      case .regular: try visit(source, target)
      case .directory: try addChildren(of: source, to: node, visit: visit)
      default: break
      }
      return
    }
    let components = target.components
    guard let name = components.last else {
      let status = try FileStatus(of: source)
      guard status.kind == .directory else { throw ToolError("\(source) cannot become the root: not a directory") }
      try addChildren(of: source, to: root, visit: visit)
      return
    }
    let parent = try walk(Array(components.dropLast()), missing: .becomesDirectory)
    guard parent.isDirectory else { throw ToolError("\(target.directory) is not a directory in the guest") }
    let status = try FileStatus(of: source)
    try insert(try ArchiveNode(status, at: source), source, into: parent, as: name, visit: visit, target: target)
  }

  /// Adds the host's symbolic link `name` of the root, if the archive has the directory it leads to and not `name`.
  func addTopLevelLink(_ name: [UInt8]) throws {
    let place = Path(absolute: [name])
    guard root.children[name] == nil, let status = try? FileStatus(ofLink: place), status.kind == .symbolicLink else {
      return
    }
    var target: ArchiveNode? = root
    for component in Path(try linkTarget(place)).components { target = target?.children[component] }
    if target?.isDirectory == true { root.children[name] = try ArchiveNode(status, at: place) }
  }

  /// Adds `node` to a directory; a file of that name is replaced, a directory is merged with another.
  private func insert(
    _ node: ArchiveNode, _ source: Path, into parent: ArchiveNode, as name: [UInt8],
    visit: (Path, Path) throws -> Void, target: Path
  ) throws {
    var node = node
    if let present = parent.children[name], present.isDirectory {
      guard node.isDirectory else { throw ToolError("\(source) would replace the directory \(target)") }
      node = present
    } else {
      parent.children[name] = node
    }
    switch node.content {
    case .directory: try addChildren(of: source, to: node, at: target, visit: visit)
    case .regular: try visit(source, target)
    default: break
    }
  }

  private func addChildren(
    of directory: Path, to node: ArchiveNode, at target: Path? = nil,
    visit: (Path, Path) throws -> Void = { _, _ in }
  ) throws {
    for name in try directoryNames(directory) {
      let path = directory.appending(name)
      let status = try FileStatus(ofLink: path)
      if status.identity == excluded { continue }
      try insert(
        try ArchiveNode(status, at: path), path, into: node, as: name, visit: visit,
        target: (target ?? directory).appending(name))
    }
  }

  /// What `walk` does where neither the archive nor the host has a file.
  private enum Missing {
    case fails
    case becomesDirectory
  }

  /// Walks `components` from the root, following links, and adds what the archive lacks as the host has it.
  private func walk(_ components: [[UInt8]], missing: Missing) throws -> ArchiveNode {
    var stack: [(name: [UInt8], node: ArchiveNode)] = []
    var pending = Array(components.reversed())
    var links = 0
    while let name = pending.popLast() {
      if name.elementsEqual("..".utf8) {
        _ = stack.popLast()
        continue
      }
      let directory = stack.last?.node ?? root
      let place = Path(absolute: stack.map(\.name) + [name])
      guard directory.isDirectory else { throw ToolError("\(place.directory) is not a directory in the guest") }
      let node: ArchiveNode
      if let present = directory.children[name] {
        node = present
      } else {
        do {
          node = try ArchiveNode(try FileStatus(ofLink: place), at: place)
        } catch  where missing == .becomesDirectory {
          node = ArchiveNode(mode: 0o040755, modificationTime: root.modificationTime, content: .directory)
        }
        directory.children[name] = node
      }
      guard case .symbolicLink(let target) = node.content else {
        stack.append((name, node))
        continue
      }
      links += 1
      guard links <= 40 else { throw ToolError("\(place): too many levels of symbolic links") }
      if target.first == UInt8(ascii: "/") { stack.removeAll() }
      pending += Path(target).components.reversed()
    }
    return stack.last?.node ?? root
  }
}
