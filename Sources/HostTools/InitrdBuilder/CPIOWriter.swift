internal import HostSystem

/// Where the bytes of an archive go.
protocol ByteSink: AnyObject {
  func write(_ bytes: ArraySlice<UInt8>) throws
}

/// Writes a tree as a `newc` archive (cpio(5), "New ASCII Format").
///
/// The names are relative and sorted, inode numbers count from 1 and the device is 0:0, so equal trees give equal
/// bytes. Of hard links the last one carries the data, as GNU cpio has it. The data of every other non-empty regular
/// file begins at a multiple of 4096 bytes, so that the guest can map it where it lies: NUL bytes behind the name,
/// counted in `namesize`, fill the gap. Readers take a name up to its first NUL.
struct CPIOWriter {
  static let headerSize = 110
  static let pageSize: UInt64 = 4096
  /// The longest stored name, padding included; Linux skips an entry with a longer one.
  static let longestName = 4096

  /// No file is newer than SOURCE_DATE_EPOCH (reproducible-builds.org), if that is set.
  private static let latestTime = environmentValue("SOURCE_DATE_EPOCH").flatMap { Int64($0) } ?? .max

  private struct Entry {
    let name: [UInt8]
    let node: ArchiveNode
    let parent: ArchiveNode
    let parentName: [UInt8]
  }

  private let sink: any ByteSink
  private var offset: UInt64 = 0

  /// Writes `tree` and the archive's trailer.
  static func write(_ tree: ArchiveTree, to sink: any ByteSink) throws {
    var writer = CPIOWriter(sink: sink)
    try writer.write(tree)
  }

  private init(sink: any ByteSink) {
    self.sink = sink
  }

  private mutating func write(_ tree: ArchiveTree) throws {
    var entries: [Entry] = []
    Self.list(tree.root, [UInt8(ascii: ".")], parent: tree.root, [UInt8(ascii: ".")], into: &entries)

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
    try writeHeader(Array("TRAILER!!!".utf8), Fields(linkCount: 1))
    // GNU cpio and Linux's tools fill the last block of 512 bytes.
    try writeZeros(Int(offset.aligned(to: 512) - offset))
  }

  /// Lists a directory before its files, which follow in the order of their names.
  private static func list(
    _ node: ArchiveNode, _ name: [UInt8], parent: ArchiveNode, _ parentName: [UInt8], into entries: inout [Entry]
  ) {
    // A file of the trailer's name would end the archive.
    let safe = name.elementsEqual("TRAILER!!!".utf8) ? Array("./TRAILER!!!".utf8) : name
    entries.append(Entry(name: safe, node: node, parent: parent, parentName: parentName))
    for child in node.sortedNames {
      let isRoot = name.elementsEqual(".".utf8) && parent === node
      let path = isRoot ? child : name + [UInt8(ascii: "/")] + child
      list(node.children[child]!, path, parent: node, name, into: &entries)
    }
  }

  private mutating func write(
    _ entry: Entry, inode: UInt32, linkCount: UInt32, source: (path: Path, size: UInt64)?
  ) throws {
    guard entry.name.count < Self.longestName else {
      throw ToolError("\(Path(entry.name)): the name is too long for an archive (\(entry.name.count) bytes)")
    }
    var fields = Fields(entry.node)
    fields.inode = inode
    fields.linkCount = linkCount
    switch entry.node.content {
    case .symbolicLink(let target):
      fields.size = UInt32(target.count)
      try writeHeader(entry.name, fields)
      try emit(target[...])
      try writeZeros(Int(offset.aligned(to: 4) - offset))
    case .device(let major, let minor):
      fields.deviceMajor = major
      fields.deviceMinor = minor
      try writeHeader(entry.name, fields)
    case .directory, .nameOnly:
      try writeHeader(entry.name, fields)
    case .regular:
      guard let source, source.size > 0 else { return try writeHeader(entry.name, fields) }
      guard let size = UInt32(exactly: source.size) else {
        throw ToolError("\(source.path): an archive holds files below 4 GiB (\(source.size) bytes)")
      }
      fields.size = size
      var nameSize = alignedNameSize(at: offset)
      if nameSize < entry.name.count + 1 {
        // The gap to the page is shorter than the name. A second entry of the parent directory, which changes
        // nothing, moves the header on; its own padding is chosen so that the name then just fits.
        let wanted = offset + UInt64(Self.headerSize + entry.parentName.count + 1)
        var padding = 0
        while alignedNameSize(at: (wanted + UInt64(padding)).aligned(to: 4)) < entry.name.count + 1 { padding += 4 }
        var directory = Fields(entry.parent)
        directory.linkCount = 2
        try writeHeader(entry.parentName, directory, nameSize: entry.parentName.count + 1 + padding)
        nameSize = alignedNameSize(at: offset)
      }
      try writeHeader(entry.name, fields, nameSize: nameSize)
      try copy(source.path, size: source.size)
      try writeZeros(Int(offset.aligned(to: 4) - offset))
    }
  }

  /// The one `namesize` of 1 to 4096 with which data behind a header at `offset` is page aligned.
  private func alignedNameSize(at offset: UInt64) -> Int {
    let start = offset + UInt64(Self.headerSize)
    let gap = start.aligned(to: Self.pageSize) - start
    return gap == 0 ? Int(Self.pageSize) : Int(gap)
  }

  private struct Fields {
    var inode: UInt32 = 0
    var mode: UInt32 = 0
    var user: UInt32 = 0
    var group: UInt32 = 0
    var linkCount: UInt32 = 1
    var modificationTime: UInt32 = 0
    var size: UInt32 = 0
    var deviceMajor: UInt32 = 0
    var deviceMinor: UInt32 = 0

    init(linkCount: UInt32) {
      self.linkCount = linkCount
    }

    init(_ node: ArchiveNode) {
      mode = node.mode
      user = node.user
      group = node.group
      modificationTime = UInt32(clamping: min(node.modificationTime, CPIOWriter.latestTime))
    }
  }

  private mutating func writeHeader(_ name: [UInt8], _ fields: Fields, nameSize: Int? = nil) throws {
    let nameSize = nameSize ?? name.count + 1
    var header = Array("070701".utf8)
    header.reserveCapacity(Self.headerSize + nameSize + 3)
    for value in [
      fields.inode, fields.mode, fields.user, fields.group, fields.linkCount, fields.modificationTime, fields.size,
      0, 0, fields.deviceMajor, fields.deviceMinor, UInt32(nameSize), 0,
    ] {
      for shift in stride(from: UInt32(28), through: 0, by: -4) {
        let digit = UInt8(value >> shift & 0xf)
        header.append(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10)
      }
    }
    header += name
    header += [UInt8](repeating: 0, count: nameSize - name.count)
    try emit(header[...])
    try writeZeros(Int(offset.aligned(to: 4) - offset))
  }

  private mutating func copy(_ path: Path, size: UInt64) throws {
    let file = try openFile(path)
    var left = size
    var buffer = [UInt8](repeating: 0, count: Int(min(max(size, 1), 1 << 20)))
    while left > 0 {
      let got = try file.read(into: &buffer, named: path)
      guard got > 0 else { throw ToolError("\(path) became shorter while it was read") }
      guard UInt64(got) <= left else { throw ToolError("\(path) became longer while it was read") }
      try emit(buffer[..<got])
      left -= UInt64(got)
    }
    guard try file.read(into: &buffer, named: path) == 0 else {
      throw ToolError("\(path) became longer while it was read")
    }
  }

  private mutating func writeZeros(_ count: Int) throws {
    if count > 0 { try emit([UInt8](repeating: 0, count: count)[...]) }
  }

  private mutating func emit(_ bytes: ArraySlice<UInt8>) throws {
    try sink.write(bytes)
    offset += UInt64(bytes.count)
  }
}
