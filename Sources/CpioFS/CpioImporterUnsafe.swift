internal import Kernel
internal import LinuxABI
internal import Support
internal import VFSCore

/// Builds the tree of a `CpioFileSystem` from the members of an archive, in their order.
struct CpioImporter {
  private let fileSystem: CpioFileSystem
  private let physical: UInt
  private(set) var outOfSpace = false

  /// Members with several links that were seen, by archive, device and inode number. Few, as a rule.
  private struct LinkedFile {
    let archive: Int
    let metadata: CPIOMetadata
    var dentry: Dentry
  }
  private var linked: [LinkedFile] = []
  /// Directories with the times that the archive gives them: entering their members changes them.
  private var directoryTimes: [(inode: Inode, time: Int64)] = []
  /// The directory of the last member: members of one directory follow one another.
  private var lastDirectory: (path: [UInt8], dentry: Dentry)

  init(_ fileSystem: CpioFileSystem, _ physical: UInt) {
    self.fileSystem = fileSystem
    self.physical = physical
    lastDirectory = ([], fileSystem.root)
  }

  mutating func add(_ entry: CPIOEntry, in archive: RawSpan) {
    do throws(Errno) { try enter(entry, in: archive) } catch {
      // Names and types that cannot be entered (a path through a file) are left out, as Linux does.
      if error == .ENOSPC || error == .ENOMEM { outOfSpace = true }
    }
  }

  private mutating func enter(_ entry: CPIOEntry, in archive: RawSpan) throws(Errno) {
    let bytes = Self.bytes(archive, entry.name)
    // The last component, without the slashes, `.` and `./` that may stand around.
    var end = bytes.count
    while end > 0, bytes[end - 1] == UInt8(ascii: "/") { end -= 1 }
    var start = end
    while start > 0, bytes[start - 1] != UInt8(ascii: "/") { start -= 1 }
    let name = Array(bytes[start..<end])
    let mode = FileMode(rawValue: entry.metadata.mode)
    if name.isEmpty || name == [UInt8(ascii: ".")] {
      if mode.type == .S_IFDIR {
        setAttributes(fileSystem.root.inode, entry.metadata)
        noteDirectory(fileSystem.root.inode)
      }
      return
    }
    if name.count > PathLimits.NAME_MAX { throw .ENAMETOOLONG }
    let parent = try directory(Array(bytes[..<start]))
    guard let type = mode.type else { throw .EINVAL }

    var contents: PageCache?
    if type == .S_IFREG, !entry.data.isEmpty {
      contents = PageCache(
        frames: fileSystem.environment.frames, quota: fileSystem.quota, base: physical + UInt(entry.data.lowerBound),
        length: entry.data.count)
    }
    let isLinked = type != .S_IFDIR && entry.metadata.linkCount > 1
    if let present = parent.child(name) {
      if type == .S_IFDIR, present.inode.isDirectory {
        setAttributes(present.inode, entry.metadata)
        noteDirectory(present.inode)
        return
      }
      if present.inode.isDirectory {
        guard present.hasNoChildren else { throw .ENOTEMPTY }
        try parent.inode.rmdir(name, present.inode)
      } else {
        try parent.inode.unlink(name, present.inode)
      }
      parent.remove(present)
      linked.removeAll { $0.dentry === present }
    }
    if isLinked {
      for index in linked.indices {
        let other = linked[index]
        guard other.archive == entry.archive, other.metadata.inode == entry.metadata.inode,
          other.metadata.deviceMajor == entry.metadata.deviceMajor,
          other.metadata.deviceMinor == entry.metadata.deviceMinor
        else { continue }
        // The data comes with any one of the names, the last as GNU cpio writes it.
        let inode = other.dentry.inode
        if let contents { inode.pageCache = contents }
        try parent.inode.link(name, to: inode)
        parent.add(Dentry(name, inode, parent: parent))
        setAttributes(inode, entry.metadata)
        return
      }
    }
    var node = NewNode(mode: mode, uid: entry.metadata.uid, gid: entry.metadata.gid)
    node.device = DeviceNumber(major: entry.metadata.specialMajor, minor: entry.metadata.specialMinor)
    if type == .S_IFLNK { node.target = Self.bytes(archive, entry.data) }
    node.contents = contents
    let dentry = try fileSystem.add(name, node, to: parent)
    setAttributes(dentry.inode, entry.metadata)
    if type == .S_IFDIR { noteDirectory(dentry.inode) }
    if isLinked { linked.append(LinkedFile(archive: entry.archive, metadata: entry.metadata, dentry: dentry)) }
  }

  private func setAttributes(_ inode: Inode, _ metadata: CPIOMetadata) {
    inode.mode = FileMode(rawValue: metadata.mode & 0o177777)
    inode.uid = metadata.uid
    inode.gid = metadata.gid
    inode.modificationTime = Int64(metadata.modificationTime) * 1_000_000_000
  }

  /// Gives the directories their own times, once every member has been entered.
  func finish() {
    for directory in directoryTimes { directory.inode.modificationTime = directory.time }
  }

  private mutating func noteDirectory(_ inode: Inode) { directoryTimes.append((inode, inode.modificationTime)) }

  /// The directory of this path, which ends with a slash or is empty. What is missing is made.
  private mutating func directory(_ path: [UInt8]) throws(Errno) -> Dentry {
    if path == lastDirectory.path { return lastDirectory.dentry }
    var dentry = fileSystem.root
    for part in path.split(separator: UInt8(ascii: "/")) {
      let name = Array(part)
      if name == [UInt8(ascii: ".")] { continue }
      if let child = dentry.child(name) {
        guard child.inode.isDirectory else { throw .ENOTDIR }
        dentry = child
      } else {
        let time = dentry.inode.modificationTime
        let node = NewNode(mode: FileMode(.S_IFDIR, FileMode(rawValue: 0o755)), uid: 0, gid: 0)
        let parent = dentry
        dentry = try fileSystem.add(name, node, to: parent)
        parent.inode.modificationTime = time
      }
    }
    lastDirectory = (path, dentry)
    return dentry
  }

  private static func bytes(_ archive: RawSpan, _ range: Range<Int>) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(range.count)
    for index in range {
      // SAFETY: any byte is a UInt8, and the span checks the offset itself.
      bytes.append(unsafe archive.unsafeLoad(fromByteOffset: index, as: UInt8.self))
    }
    return bytes
  }
}
