internal import Kernel
public import LinuxABI
internal import Support

/// The file behind memfd_create(2): a regular file of a file system that is mounted nowhere, with seals.
final class SealableInode: MemoryInode {
  /// What must not happen any more. See fcntl(2), F_ADD_SEALS.
  var seals: FileSeals

  init(_ fileSystem: MemoryFileSystem, _ node: NewNode, allowsSealing: Bool) {
    seals = allowsSealing ? [] : .F_SEAL_SEAL
    super.init(fileSystem, node)
    linkCount = 0
  }

  override func open(_ path: Path, _ flags: OpenFlags) throws(Errno) -> OpenFile {
    SealableFile(path, flags, try contents(), self)
  }

  override func truncate(to size: Int64) throws(Errno) {
    if size < self.size, seals.contains(.F_SEAL_SHRINK) { throw .EPERM }
    if size > self.size, seals.contains(.F_SEAL_GROW) { throw .EPERM }
    try super.truncate(to: size)
  }
}

/// An open file of memfd_create(2).
final class SealableFile: RegularFile {
  private let sealable: SealableInode

  init(_ path: Path, _ flags: OpenFlags, _ cache: PageCache, _ inode: SealableInode) {
    sealable = inode
    super.init(path, flags, cache)
  }

  override func write(from reader: inout UserReader, at position: Int64?) throws(Errno) -> Int {
    let seals = sealable.seals
    if !seals.isDisjoint(with: [.F_SEAL_WRITE, .F_SEAL_FUTURE_WRITE]) { throw .EPERM }
    if seals.contains(.F_SEAL_GROW) {
      // What lies within the size is written.
      let start = flags.contains(.O_APPEND) ? cache.size : position ?? offset
      let room = max(cache.size &- max(start, 0), 0)
      if Int64(reader.remaining) > room {
        if room == 0, reader.remaining > 0 { throw .EPERM }
        reader.limit(to: Int(room))
      }
    }
    return try super.write(from: &reader, at: position)
  }

  override func allocate(_ mode: FallocateMode, offset: Int64, count: Int64) throws(Errno) {
    let seals = sealable.seals
    if !mode.isDisjoint(with: [.FALLOC_FL_PUNCH_HOLE, .FALLOC_FL_ZERO_RANGE]),
      !seals.isDisjoint(with: [.F_SEAL_WRITE, .F_SEAL_FUTURE_WRITE])
    {
      throw .EPERM
    }
    if seals.contains(.F_SEAL_GROW), !mode.contains(.FALLOC_FL_PUNCH_HOLE), count > cache.size &- offset {
      throw .EPERM
    }
    try super.allocate(mode, offset: offset, count: count)
  }

  override var seals: FileSeals? { sealable.seals }

  override func addSeals(_ new: FileSeals) throws(Errno) {
    guard isWritable else { throw .EPERM }
    let known: FileSeals = [.F_SEAL_SEAL, .F_SEAL_SHRINK, .F_SEAL_GROW, .F_SEAL_WRITE, .F_SEAL_FUTURE_WRITE]
    guard new.isSubset(of: known) else { throw .EINVAL }
    if sealable.seals.contains(.F_SEAL_SEAL) { throw .EPERM }
    // A mapping could go on writing; whether it does is not known here, so any mapping counts.
    if new.contains(.F_SEAL_WRITE), !sealable.seals.contains(.F_SEAL_WRITE), cache.isMapped { throw .EBUSY }
    sealable.seals.formUnion(new)
  }

  override func describe(root: Path?) -> [UInt8] {
    var text = TextBuffer()
    text.append("/memfd:")
    text.append(bytes: path.dentry.name)
    text.append(" (deleted)")
    return text.bytes
  }
}

extension FileSystemContext {
  /// Makes a regular file in memory that no directory knows, open for reading and writing. See memfd_create(2).
  ///
  /// - Throws: `ENOSPC`.
  public func makeMemoryFile(name: [UInt8], allowsSealing: Bool) throws(Errno) -> OpenFile {
    let fileSystem = namespace.memoryFiles
    let frames = namespace.environment.frames
    if !frames.hasRoom() { throw .ENOSPC }
    let node = NewNode(
      mode: FileMode(.S_IFREG, FileMode(rawValue: 0o777)), uid: credentials.userID, gid: credentials.groupID)
    let inode = SealableInode(fileSystem, node, allowsSealing: allowsSealing)
    return try inode.open(namespace.anonymousPath(inode, name: name), [.O_RDWR, .O_LARGEFILE])
  }
}
