internal import Kernel
public import LinuxABI

/// A tree in memory, with the limits of tmpfs: what RamFS, CpioFS and DevFS are made of.
open class MemoryFileSystem: FileSystem {
  /// The pages that its files may use.
  public final let quota: PageQuota
  /// The inodes that there may be.
  public final var inodeLimit: Int
  public final internal(set) var inodeCount = 0

  /// Makes a file system whose root has this mode and owner. The limits are those of tmpfs: half of the memory.
  public init(
    _ environment: FileSystemEnvironment, typeName: StaticString, magic: Int64 = FilesystemMagic.TMPFS_MAGIC,
    rootMode: FileMode = FileMode(rawValue: 0o755), uid: UInt32 = 0, gid: UInt32 = 0, pageLimit: Int? = nil,
    inodeLimit: Int? = nil
  ) {
    quota = PageQuota(limit: pageLimit ?? environment.frames.totalFrames / 2)
    self.inodeLimit = inodeLimit ?? max(environment.frames.totalFrames / 2, 1024)
    super.init(environment, typeName: typeName, magic: magic, childPolicy: .complete)
    setRoot(makeRoot(NewNode(mode: FileMode(.S_IFDIR, rootMode), uid: uid, gid: gid)))
  }

  /// Makes the root directory, of the kind that this file system has.
  open func makeRoot(_ node: NewNode) -> MemoryInode { MemoryInode(self, node) }

  override open func statfs() throws(Errno) -> Statfs {
    var result = try super.statfs()
    // Without a limit tmpfs says nothing.
    if quota.limit != .max {
      let free = UInt64(max(quota.limit - quota.used, 0))
      result.f_blocks = UInt64(quota.limit)
      result.f_bfree = free
      result.f_bavail = free
    }
    if inodeLimit != .max {
      result.f_files = UInt64(inodeLimit)
      result.f_ffree = UInt64(max(inodeLimit - inodeCount, 0))
    }
    return result
  }

  /// Enters a node, without any permission check: for kernel code that builds a tree.
  ///
  /// - Throws: `ENOSPC`.
  @discardableResult
  public final func add(_ name: [UInt8], _ node: NewNode, to directory: Dentry) throws(Errno) -> Dentry {
    let inode = try directory.inode.create(name, node)
    let child = Dentry(name, inode, parent: directory)
    directory.add(child)
    return child
  }

  /// Enters an inode of a subclass's own.
  @discardableResult
  public final func add(_ name: [UInt8], _ inode: Inode, to directory: Dentry) throws(Errno) -> Dentry {
    let child = Dentry(name, inode, parent: directory)
    directory.add(child)
    (directory.inode as? MemoryInode)?.didEnter(inode)
    return child
  }
}

/// An inode of a `MemoryFileSystem`. Sizes, link counts and times are those of tmpfs.
open class MemoryInode: Inode {
  /// What tmpfs adds to a directory's size for each entry.
  private static var entrySize: Int64 { 20 }
  private final let target: [UInt8]

  private final let memory: MemoryFileSystem
  private final var attributes: [ExtendedAttribute] = []

  /// Makes an inode that no directory has yet.
  public init(_ fileSystem: MemoryFileSystem, _ node: NewNode) {
    target = node.target
    memory = fileSystem
    fileSystem.inodeCount += 1
    super.init(fileSystem, number: fileSystem.makeInodeNumber(), mode: node.mode, uid: node.uid, gid: node.gid)
    device = node.device
    attributes = node.attributes
    switch type {
    case .S_IFDIR:
      linkCount = 2
      ownSize = 2 * Self.entrySize
    case .S_IFLNK: ownSize = Int64(target.count)
    case .S_IFREG:
      pageCache = node.contents ?? PageCache(frames: fileSystem.environment.frames, quota: fileSystem.quota)
    default: break
    }
  }

  deinit { memory.inodeCount -= 1 }

  /// Notes a new entry of this directory.
  final func didEnter(_ inode: Inode) {
    ownSize += Self.entrySize
    if inode.isDirectory { linkCount += 1 }
    didModify()
  }
  private final func didRemove(_ inode: Inode) {
    ownSize -= Self.entrySize
    if inode.isDirectory { linkCount -= 1 }
    didModify()
  }

  /// Makes an inode of the kind that this file system has.
  ///
  /// - Throws: `ENOSPC` when there are too many.
  open func makeInode(_ node: NewNode) throws(Errno) -> MemoryInode {
    let fileSystem = memory
    if fileSystem.inodeCount >= fileSystem.inodeLimit { throw .ENOSPC }
    // The kernel's own memory must not run out because a program makes files.
    let frames = fileSystem.environment.frames
    if !frames.hasRoom() { throw .ENOSPC }
    return MemoryInode(fileSystem, node)
  }

  override open func create(_ name: [UInt8], _ node: NewNode) throws(Errno) -> Inode {
    let inode = try makeInode(node)
    didEnter(inode)
    return inode
  }

  override open func createUnnamed(_ node: NewNode) throws(Errno) -> Inode {
    let inode = try makeInode(node)
    inode.linkCount = 0
    return inode
  }

  override open func link(_ name: [UInt8], to inode: Inode) throws(Errno) {
    if inode.linkCount == .max { throw .EMLINK }
    inode.linkCount += 1
    inode.didChange()
    didEnter(inode)
  }

  override open func unlink(_ name: [UInt8], _ inode: Inode) throws(Errno) {
    inode.linkCount -= 1
    didRemove(inode)
    inode.changeTime = changeTime
  }

  override open func rmdir(_ name: [UInt8], _ inode: Inode) throws(Errno) {
    inode.linkCount = 0
    didRemove(inode)
    inode.changeTime = changeTime
  }

  override open func rename(
    _ name: [UInt8], _ inode: Inode, to directory: Inode, _ newName: [UInt8], replacing replaced: Inode?,
    exchange: Bool
  ) throws(Errno) {
    guard let directory = directory as? MemoryInode else { throw .EXDEV }
    if exchange, let other = replaced {
      if directory !== self, inode.isDirectory != other.isDirectory {
        linkCount = other.isDirectory ? linkCount + 1 : linkCount - 1
        directory.linkCount = inode.isDirectory ? directory.linkCount + 1 : directory.linkCount - 1
      }
      didModify()
      directory.didModify()
      other.didChange()
    } else {
      if let replaced {
        if replaced.isDirectory {
          try directory.rmdir(newName, replaced)
        } else {
          try directory.unlink(newName, replaced)
        }
      }
      didRemove(inode)
      directory.didEnter(inode)
    }
    inode.didChange()
  }

  override open func accessControlList(isDefault: Bool) -> AccessControlList? {
    attributes.isEmpty ? nil : attributes.list(isDefault: isDefault)
  }
  override open func setAttributes(_ change: AttributeChange) throws(Errno) {
    apply(change)
    if change.permissions != nil, !attributes.isEmpty, var list = attributes.list(isDefault: false) {
      list.agree(with: &mode, by: .mode)
      attributes.setList(list, isDefault: false)
    }
  }

  // As tmpfs: `security.` and `trusted.` attributes are kept.
  override open func attribute(_ name: [UInt8]) throws(Errno) -> [UInt8] {
    try attributes.value(name, of: self)
  }
  override open func setAttribute(
    _ name: [UInt8], _ value: [UInt8]?, _ flags: ExtendedAttributeFlags
  ) throws(Errno) {
    let frames = memory.environment.frames
    if let value, !frames.hasRoom(forBytes: value.count) { throw .ENOSPC }
    try attributes.set(name, value, flags, of: self)
  }
  override open func attributeNames() throws(Errno) -> [[UInt8]] { attributes.map { $0.name } }

  override open func readLink() throws(Errno) -> [UInt8] {
    guard isSymbolicLink else { throw .EINVAL }
    return target
  }
}
