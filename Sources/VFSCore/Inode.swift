internal import Kernel
public import LinuxABI

/// What a directory is asked to make.
public struct NewNode {
  /// Type and permissions, the umask taken off.
  public var mode: FileMode
  public var uid: UInt32
  public var gid: UInt32
  /// For a device node, which device it is.
  public var device = DeviceNumber(major: 0, minor: 0)
  /// For a symbolic link, where it leads.
  public var target: [UInt8] = []
  /// For a regular file in memory, what is in it from the beginning.
  public var contents: PageCache?
  /// Access control lists that it begins with.
  var attributes: [ExtendedAttribute] = []

  public init(mode: FileMode, uid: UInt32, gid: UInt32) {
    self.mode = mode
    self.uid = uid
    self.gid = gid
  }
}

/// A file, directory, link or node, whatever names it has. See inode(7).
///
/// The attributes are stored here, so that stat(2) calls nothing virtual. A subclass overrides the operations that its
/// file system has; those it leaves alone fail as Linux's do for want of a method. Callers (`FileSystemContext`) have
/// checked permissions, types, and that a name is or is not there.
open class Inode {
  public final let fileSystem: FileSystem
  /// Only an overlay changes it, where Linux does too.
  public final var number: UInt64
  /// Type and permissions.
  public final var mode: FileMode
  public final var uid: UInt32
  public final var gid: UInt32
  public final var linkCount: UInt32 {
    didSet { if (linkCount == 0) != (oldValue == 0) { fileSystem.namelessCount += linkCount == 0 ? 1 : -1 } }
  }
  /// Times in nanoseconds since 1970.
  public final var accessTime: Int64
  public final var modificationTime: Int64
  public final var changeTime: Int64
  public final var birthTime: Int64
  /// For a device node, which device it is.
  public final var device = DeviceNumber(major: 0, minor: 0)
  /// The bytes of a regular file, once somebody asked for them. See `contents`.
  public final var pageCache: PageCache?
  /// The size of what has no page cache.
  public final var ownSize: Int64 = 0
  /// Blocks of 512 bytes, of a file that is in a store.
  public final var storedBlocks: Int64 = 0
  /// The stored attributes may be old: `refresh` is asked before they are told.
  public final var isStale = false
  /// The pipe behind a FIFO while somebody has it open.
  final var pipe: Pipe?
  /// Open descriptions that write; negative while the file is executed and may not be written.
  final var writerCount: Int32 = 0
  /// Open descriptions, but for those of O_PATH.
  final var openCount: Int32 = 0
  /// Locks of fcntl(2) and flock(2), once there are any.
  final var locks: FileLocks?
  /// Who keeps them for other machines too.
  open var lockKeeper: (any LockKeeper)? { nil }
  /// Watches of inotify(7).
  final var marks: [InotifyMark] = []
  /// Made by O_TMPFILE, so linkat(2) may give it a name although it has none.
  final var isLinkable = false

  public init(_ fileSystem: FileSystem, number: UInt64, mode: FileMode, uid: UInt32 = 0, gid: UInt32 = 0) {
    self.fileSystem = fileSystem
    self.number = number
    self.mode = mode
    self.uid = uid
    self.gid = gid
    linkCount = 1
    let now = fileSystem.environment.now
    accessTime = now
    modificationTime = now
    changeTime = now
    birthTime = now
  }

  deinit {
    if linkCount == 0 { fileSystem.namelessCount -= 1 }
  }

  // MARK: Attributes

  @inline(__always)
  public final var type: FileType { mode.type ?? .S_IFREG }
  @inline(__always)
  public final var isDirectory: Bool { mode.rawValue & 0o170000 == 0o040000 }
  @inline(__always)
  public final var isSymbolicLink: Bool { mode.rawValue & 0o170000 == 0o120000 }
  @inline(__always)
  public final var isRegularFile: Bool { mode.rawValue & 0o170000 == 0o100000 }

  /// Bytes, as `st_size` has them.
  @inline(__always)
  public final var size: Int64 {
    if let pageCache { return pageCache.size }
    return ownSize
  }

  /// What stat(2) returns.
  public final func stat() -> Stat {
    if isStale { refresh() }
    var result = Stat()
    result.st_dev = fileSystem.device.encoded
    result.st_ino = number
    result.st_nlink = UInt64(isStale ? shownLinkCount : linkCount)
    result.st_mode = mode
    result.st_uid = uid
    result.st_gid = gid
    result.st_rdev = device.encoded
    if let pageCache {
      result.st_size = pageCache.size
      result.st_blocks = pageCache.stored == nil ? Int64(pageCache.pageCount) &* 8 : storedBlocks
    } else {
      result.st_size = ownSize
      result.st_blocks = storedBlocks
    }
    result.st_blksize = Int64(pageSize)
    result.st_atim = Timespec(nanoseconds: accessTime)
    result.st_mtim = Timespec(nanoseconds: modificationTime)
    result.st_ctim = Timespec(nanoseconds: changeTime)
    return result
  }

  /// What statx(2) returns, every field that there is.
  public final func statx(mountID: UInt64, isMountRoot: Bool) -> Statx {
    let plain = stat()
    var result = Statx()
    result.stx_mask = [.STATX_ALL, .STATX_MNT_ID]
    result.stx_blksize = UInt32(truncatingIfNeeded: plain.st_blksize)
    result.stx_attributes_mask = [.STATX_ATTR_MOUNT_ROOT]
    if isMountRoot { result.stx_attributes = .STATX_ATTR_MOUNT_ROOT }
    result.stx_nlink = UInt32(truncatingIfNeeded: plain.st_nlink)
    result.stx_uid = uid
    result.stx_gid = gid
    result.stx_mode = UInt16(truncatingIfNeeded: mode.rawValue)
    result.stx_ino = number
    result.stx_size = UInt64(bitPattern: plain.st_size)
    result.stx_blocks = UInt64(bitPattern: plain.st_blocks)
    result.stx_atime = StatxTimestamp(plain.st_atim)
    result.stx_btime = StatxTimestamp(Timespec(nanoseconds: birthTime))
    result.stx_ctime = StatxTimestamp(plain.st_ctim)
    result.stx_mtime = StatxTimestamp(plain.st_mtim)
    result.stx_rdev_major = device.major
    result.stx_rdev_minor = device.minor
    result.stx_dev_major = fileSystem.device.major
    result.stx_dev_minor = fileSystem.device.minor
    result.stx_mnt_id = mountID
    return result
  }

  /// Whether the mode bits let these credentials do all of `access`.
  public final func allows(_ access: AccessMode, _ credentials: Credentials) -> Bool {
    if credentials.isPrivileged {
      // Even root executes only what somebody may execute.
      return !access.contains(.X_OK) || isDirectory || mode.rawValue & 0o111 != 0
    }
    let bits: UInt32
    if credentials.userID == uid {
      bits = mode.rawValue >> 6
    } else if mode.rawValue & 0o070 != 0, let list = accessControlList(isDefault: false) {
      return list.allows(access.rawValue, credentials, group: gid)
    } else if credentials.isMember(of: gid) {
      bits = mode.rawValue >> 3
    } else {
      bits = mode.rawValue
    }
    return access.rawValue & ~bits == 0
  }

  /// Notes a change of attributes.
  public final func didChange() { changeTime = fileSystem.environment.now }
  /// Notes a change of content.
  @inline(__always)
  public final func didModify() {
    let now = fileSystem.environment.now
    modificationTime = now
    changeTime = now
  }
  /// Notes an access, as `relatime` does: only when the time would otherwise be older than the last change or a day.
  @inline(__always)
  public final func didAccess(on mount: Mount) {
    if accessTime > modificationTime, accessTime > changeTime, !mount.alwaysChecksAge { return }
    noteAccess(mount)
  }
  private final func noteAccess(_ mount: Mount) {
    if mount.flags.contains(.ST_NOATIME) || mount.flags.contains(.ST_RDONLY) { return }
    if isDirectory, mount.flags.contains(.ST_NODIRATIME) { return }
    accessTime = fileSystem.environment.now
  }

  /// Keeps writers away while the file is executed.
  ///
  /// - Throws: `ETXTBSY` when somebody has it open for writing.
  public final func denyWriting() throws(Errno) {
    if writerCount > 0 { throw .ETXTBSY }
    writerCount -= 1
  }
  /// Undoes one `denyWriting`.
  public final func allowWriting() { writerCount += 1 }

  /// Brings stored attributes up to date, as far as that is possible. Blocks.
  open func refresh() {}

  /// The links that stat(2) tells of where the attributes are stale.
  open var shownLinkCount: UInt32 { linkCount }

  // MARK: Operations on a directory

  /// The inode of this name, or nil. Only asked where the file system's dentries are not complete.
  open func lookup(_ name: [UInt8]) throws(Errno) -> Inode? { nil }

  /// Makes a node of any type and enters it.
  open func create(_ name: [UInt8], _ node: NewNode) throws(Errno) -> Inode {
    throw node.mode.type == .S_IFREG ? .EACCES : .EPERM
  }

  /// Enters an inode of the kernel's own in a directory whose entries are elsewhere, and stay as they are there.
  open func addLocal(_ name: [UInt8], _ inode: Inode) {}

  /// Makes a regular file without a name. See O_TMPFILE of open(2).
  open func createUnnamed(_ node: NewNode) throws(Errno) -> Inode { throw .EOPNOTSUPP }

  /// Enters another name of `inode`.
  open func link(_ name: [UInt8], to inode: Inode) throws(Errno) { throw .EPERM }

  /// Removes the name of `inode`, which is no directory.
  open func unlink(_ name: [UInt8], _ inode: Inode) throws(Errno) { throw .EPERM }

  /// Removes an empty directory. Where dentries are complete, the caller has seen that it is empty.
  open func rmdir(_ name: [UInt8], _ inode: Inode) throws(Errno) { throw .EPERM }

  /// Moves `inode` to another name, perhaps in another directory, in the place of `replaced`; or changes places with it.
  open func rename(
    _ name: [UInt8], _ inode: Inode, to directory: Inode, _ newName: [UInt8], replacing replaced: Inode?,
    exchange: Bool
  ) throws(Errno) { throw .EPERM }

  /// Calls `emit` with the entries after `position`, until it returns false: the name, the inode number, the type as in
  /// `DirectoryEntryType` and the position after the entry. `.` and `..` are the caller's, at positions 0 and 1; others
  /// begin at 2. Only asked where dentries are not complete.
  open func readDirectory(
    from position: Int64,
    _ emit: (_ name: [UInt8], _ number: UInt64, _ type: UInt8, _ next: Int64) -> Bool
  ) throws(Errno) {}

  // MARK: Operations on a symbolic link

  /// Where it leads.
  open func readLink() throws(Errno) -> [UInt8] { throw .EINVAL }

  /// The process whose directory in /proc this is: such a directory's descriptor names it, as a pidfd does.
  open var processID: Int32? { nil }

  /// For the links of /proc that lead to a file by themselves and not by their text: where to. Else nil.
  open func magicLink() throws(Errno) -> Path? { nil }

  // MARK: Operations on a file

  /// Makes an open file description. Permissions have been checked.
  open func open(_ path: Path, _ flags: OpenFlags) throws(Errno) -> OpenFile {
    switch type {
    case .S_IFREG: return RegularFile(path, flags, try contents())
    case .S_IFDIR: return DirectoryFile(path, flags)
    case .S_IFIFO: return try FIFOFile.open(path, flags)
    case .S_IFCHR, .S_IFBLK:
      guard let driver = fileSystem.environment.devices.driver(type, device) else { throw .ENXIO }
      return try driver.open(path, flags)
    case .S_IFSOCK: throw .ENXIO
    case .S_IFLNK: throw .ELOOP
    }
  }

  /// The page cache of a regular file.
  open func contents() throws(Errno) -> PageCache {
    guard let pageCache else { throw .EINVAL }
    return pageCache
  }

  /// Cuts or extends a regular file.
  open func truncate(to size: Int64) throws(Errno) {
    try contents().truncate(to: size)
    didModify()
  }

  /// Changes mode, owner or times; the stored attributes follow.
  open func setAttributes(_ change: AttributeChange) throws(Errno) { apply(change) }

  /// Stores the attributes of a change.
  public final func apply(_ change: AttributeChange) {
    if let permissions = change.permissions {
      mode = FileMode(rawValue: mode.rawValue & 0o170000 | permissions.rawValue & 0o7777)
    }
    if let uid = change.uid { self.uid = uid }
    if let gid = change.gid { self.gid = gid }
    if let time = change.accessTime { accessTime = time }
    if let time = change.modificationTime { modificationTime = time }
    didChange()
    if let time = change.changeTime { changeTime = time }
  }

  // MARK: Extended attributes

  /// The value of an attribute. See getxattr(2). `FileSystemContext` has checked permissions.
  ///
  /// - Throws: `ENODATA` when there is none of the name, `EOPNOTSUPP` for a name whose kind the file system lacks.
  open func attribute(_ name: [UInt8]) throws(Errno) -> [UInt8] { throw .EOPNOTSUPP }
  /// Sets an attribute, or removes it for nil. See setxattr(2).
  ///
  /// - Throws: `EEXIST` and `ENODATA` as the flags say, `ENOSPC`, `EOPNOTSUPP`.
  open func setAttribute(_ name: [UInt8], _ value: [UInt8]?, _ flags: ExtendedAttributeFlags) throws(Errno) {
    throw .EOPNOTSUPP
  }
  /// What says more than the mode of who may access the file or, as the default, what is made in the directory.
  open func accessControlList(isDefault: Bool) -> AccessControlList? { nil }
  /// The names of the attributes that there are.
  open func attributeNames() throws(Errno) -> [[UInt8]] { [] }

  /// Writes content, and unless `dataOnly` attributes, to where they last. See fsync(2).
  open func synchronize(dataOnly: Bool) throws(Errno) {}
}

/// What chmod(2), chown(2) and utimensat(2) change; nil leaves an attribute alone.
public struct AttributeChange {
  public var permissions: FileMode?
  public var uid: UInt32?
  public var gid: UInt32?
  /// Nanoseconds since 1970.
  public var accessTime: Int64?
  public var modificationTime: Int64?
  /// When the change is made; nil for when it is applied.
  public var changeTime: Int64?

  public init() {}
}
