internal import HostSystem
internal import Support

/// Where the bytes of an archive go.
protocol ByteSink: AnyObject {
  func write(_ bytes: ArraySlice<UInt8>) throws
}

/// Writes a tree as a `newc` archive (cpio(5), "New ASCII Format") with the kernel's own `CPIOWriter`.
///
/// The names are relative and sorted, inode numbers count from 1 and the device is 0:0, so equal trees give equal
/// bytes. Of hard links the last one carries the data, as GNU cpio has it. The data of every other non-empty regular
/// file begins at a multiple of 4096 bytes, so that the guest can map it where it lies.
struct ArchiveWriter {
  private static let pageSize = 4096

  /// No file is newer than SOURCE_DATE_EPOCH (reproducible-builds.org), if that is set.
  private static let latestTime = environmentValue("SOURCE_DATE_EPOCH").flatMap { Int64($0) } ?? .max

  private struct Entry {
    let name: [UInt8]
    let node: ArchiveNode
  }

  private let sink: any ByteSink
  private var writer = CPIOWriter()

  /// Writes `tree` and the archive's trailer.
  static func write(_ tree: ArchiveTree, to sink: any ByteSink) throws {
    var writer = ArchiveWriter(sink: sink)
    try writer.write(tree)
  }

  private init(sink: any ByteSink) {
    self.sink = sink
  }

  private mutating func write(_ tree: ArchiveTree) throws {
    var entries: [Entry] = []
    Self.list(tree.root, Self.rootName, into: &entries)

    var linkCounts: [FileStatus.Identity: UInt32] = [:]
    for entry in entries {
      if case .regular(_, _, let links?) = entry.node.content { linkCounts[links, default: 0] += 1 }
    }
    var inodes: [FileStatus.Identity: UInt32] = [:]
    var written: [FileStatus.Identity: UInt32] = [:]
    var nextInode: UInt32 = 1
    for entry in entries {
      var inode = nextInode
      var linkCount: UInt32 = 1
      var source: (path: Path, size: UInt64)?
      switch entry.node.content {
      case .directory:
        linkCount = UInt32(clamping: 2 + entry.node.children.values.count(where: \.isDirectory))
      case .regular(let path, let size, let links):
        source = (path, size)
        if let links, let count = linkCounts[links], count > 1 {
          linkCount = count
          if let known = inodes[links] { inode = known } else { inodes[links] = inode }
          written[links, default: 0] += 1
          if written[links] != count { source = nil }
        }
      case .symbolicLink, .device, .nameOnly: break
      }
      if inode == nextInode { nextInode += 1 }
      try write(entry, inode: inode, linkCount: linkCount, source: source)
    }
    try sink.write(writer.trailer()[...])
  }

  private static let rootName = [UInt8(ascii: ".")]

  /// Lists a directory before its files, which follow in the order of their names.
  private static func list(_ node: ArchiveNode, _ name: [UInt8], into entries: inout [Entry]) {
    // A file of the trailer's name would end the archive.
    let safe = name.elementsEqual("TRAILER!!!".utf8) ? Array("./TRAILER!!!".utf8) : name
    let isRoot = entries.isEmpty
    entries.append(Entry(name: safe, node: node))
    for child in node.sortedNames {
      list(node.children[child]!, isRoot ? child : name + [UInt8(ascii: "/")] + child, into: &entries)
    }
  }

  private mutating func write(
    _ entry: Entry, inode: UInt32, linkCount: UInt32, source: (path: Path, size: UInt64)?
  ) throws {
    let node = entry.node
    var metadata = CPIOMetadata(
      inode: inode, mode: node.mode, uid: node.user, gid: node.group, linkCount: linkCount,
      modificationTime: UInt32(clamping: min(node.modificationTime, Self.latestTime)))
    switch node.content {
    case .symbolicLink(let target):
      try writeHeader(entry.name, metadata, dataSize: target.count)
      try sink.write(target[...])
    case .device(let major, let minor):
      metadata.specialMajor = major
      metadata.specialMinor = minor
      try writeHeader(entry.name, metadata)
    case .directory, .nameOnly:
      try writeHeader(entry.name, metadata)
    case .regular:
      guard let source, source.size > 0 else { return try writeHeader(entry.name, metadata) }
      guard let size = UInt32(exactly: source.size) else {
        throw ToolError("\(source.path): an archive holds files below 4 GiB (\(source.size) bytes)")
      }
      try writeHeader(entry.name, metadata, dataSize: Int(size), alignment: Self.pageSize)
      try copy(source.path, size: source.size)
    }
  }

  private mutating func writeHeader(
    _ name: [UInt8], _ metadata: CPIOMetadata, dataSize: Int = 0, alignment: Int = 4
  ) throws {
    let header: [UInt8]
    do throws(CPIOError) {
      header = try writer.header(name, metadata, dataSize: dataSize, alignment: alignment)
    } catch {
      guard error.reason == .nameTooLong else {
        throw ToolError("\(Path(name)): \(String(decoding: error.text.bytes, as: UTF8.self))")
      }
      throw ToolError("\(Path(name)): the name is too long for an archive (\(name.count) bytes)")
    }
    try sink.write(header[...])
  }

  private func copy(_ path: Path, size: UInt64) throws {
    let file = try openFile(path)
    var left = size
    var buffer = [UInt8](repeating: 0, count: Int(min(max(size, 1), 1 << 20)))
    while left > 0 {
      let got = try file.read(into: &buffer, named: path)
      guard got > 0 else { throw ToolError("\(path) became shorter while it was read") }
      guard UInt64(got) <= left else { throw ToolError("\(path) became longer while it was read") }
      try sink.write(buffer[..<got])
      left -= UInt64(got)
    }
    guard try file.read(into: &buffer, named: path) == 0 else {
      throw ToolError("\(path) became longer while it was read")
    }
  }
}
