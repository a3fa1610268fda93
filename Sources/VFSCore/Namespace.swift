internal import Kernel
public import LinuxABI

/// The tree of mounts.
public final class Namespace {
  public let environment: FileSystemEnvironment
  /// All mounts, each behind the one that it is on: the first is the root.
  public internal(set) var mounts: [Mount] = []
  /// What /proc/sys/fs/mount-max says. Fewer than Linux's 100,000: the tree is walked in one step.
  public static var mostMounts: Int { 4096 }
  /// File systems that mount(2) can make by name.
  public private(set) var fileSystemTypes: [FileSystemType] = []
  private var lastMountID: UInt64 = 20
  private var lastGroup: UInt32 = 0
  /// What has no path: pipes, and other things that are files only by their descriptor.
  public let anonymous: Mount

  /// What files without a name are in: memfd_create(2).
  public private(set) lazy var memoryFiles = MemoryFileSystem(environment, typeName: "tmpfs")

  /// Makes a tree whose root is `root`.
  public init(
    _ environment: FileSystemEnvironment, root: FileSystem, source: [UInt8], flags: StatfsFlags = .ST_RELATIME
  ) {
    self.environment = environment
    let nowhere = AnonymousFileSystem(environment)
    anonymous = Mount(id: 1, nowhere, root: nowhere.root, source: [], flags: .ST_NOATIME, isAnonymous: true)
    let top = Mount(id: lastMountID, root, root: root.root, source: source, flags: flags)
    top.isTop = true
    mounts.append(top)
  }

  /// The root of the tree, through whatever is mounted over it.
  public var root: Path {
    var path = Path(mounts[0], mounts[0].root)
    path.followMounts()
    return path
  }

  /// Mounts a file system at `path`, over what is there.
  @discardableResult
  public func mount(
    _ fileSystem: FileSystem, at path: Path, source: [UInt8], flags: StatfsFlags = .ST_RELATIME
  ) -> Mount {
    let mount = makeMount(fileSystem, root: fileSystem.root, source: source, flags: flags)
    enter([mount], at: path)
    return mount
  }

  /// Makes a mount that is not in the tree yet.
  func makeMount(_ fileSystem: FileSystem, root: Dentry, source: [UInt8], flags: StatfsFlags) -> Mount {
    lastMountID += 1
    return Mount(id: lastMountID, fileSystem, root: root, source: source, flags: flags)
  }

  func makeGroup() -> UInt32 {
    lastGroup += 1
    return lastGroup
  }

  /// Makes a file system type known to mount(2) and /proc/filesystems.
  public func register(_ type: FileSystemType) { fileSystemTypes.append(type) }

  public func fileSystemType(_ name: [UInt8]) -> FileSystemType? {
    for type in fileSystemTypes where type.name == name { return type }
    return nil
  }

  /// Writes back what every file system holds. See sync(2).
  public func synchronize() throws(Errno) {
    for mount in mounts { try mount.fileSystem.synchronize() }
  }

  /// A path for what has none, such as a pipe. `name` is what /proc/self/fd shows in the brackets of `anon_inode:[…]`.
  public func anonymousPath(_ inode: Inode, name: [UInt8] = []) -> Path {
    Path(anonymous, Dentry(root: inode, name: name))
  }

  /// A path for a new inode of no file system, with this mode: pipes, sockets, event files.
  public func makeAnonymousPath(mode: FileMode, name: [UInt8] = [], credentials: Credentials = .root) -> Path {
    let fileSystem = anonymous.fileSystem
    let inode = Inode(
      fileSystem, number: fileSystem.makeInodeNumber(), mode: mode, uid: credentials.userID, gid: credentials.groupID)
    return anonymousPath(inode, name: name)
  }
}

/// A kind of file system that mount(2) and the kernel's fstab can make.
public struct FileSystemType {
  /// Such as `tmpfs`.
  public let name: [UInt8]
  /// Needs a device: /proc/filesystems shows the others with `nodev`.
  public let needsDevice: Bool
  /// Makes a file system from a source and the data of mount(2), for whoever's paths may stand in them.
  public let make: (_ context: FileSystemContext, _ source: [UInt8], _ options: [UInt8]) throws(Errno) -> FileSystem

  public init(
    name: [UInt8], needsDevice: Bool = false,
    make:
      @escaping (
        _ context: FileSystemContext, _ source: [UInt8], _ options: [UInt8]
      ) throws(Errno) -> FileSystem
  ) {
    self.name = name
    self.needsDevice = needsDevice
    self.make = make
  }
}

/// Where inodes without a path belong.
final class AnonymousFileSystem: FileSystem {
  init(_ environment: FileSystemEnvironment) {
    super.init(
      environment, typeName: "anon_inodefs", magic: FilesystemMagic.ANON_INODE_FS_MAGIC, childPolicy: .complete)
    setRoot(Inode(self, number: makeInodeNumber(), mode: FileMode(.S_IFDIR, FileMode(rawValue: 0o555))))
  }
}
