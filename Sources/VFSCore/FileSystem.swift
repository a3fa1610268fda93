internal import Kernel
public import LinuxABI

/// A file system: a tree of inodes under a root. Mounted by a `Mount`, perhaps by several.
open class FileSystem {
  /// How the children of a directory are found.
  public enum ChildPolicy: Sendable {
    /// The dentries are the directory: a name without a dentry does not exist.
    case complete
    /// `Inode.lookup` is asked once, and the dentry is kept.
    case cached
    /// `Inode.lookup` is asked each time; names come and go by themselves.
    case transient
  }

  public final let environment: FileSystemEnvironment
  /// As /proc/mounts shows it, such as `tmpfs`.
  public final let typeName: StaticString
  /// The `st_dev` of its files.
  public final let device: DeviceNumber
  /// The `f_type` of statfs(2).
  public final let magic: Int64
  public final let childPolicy: ChildPolicy
  /// Whether a directory to mount on can be made in it without anybody outside of the guest hearing of it.
  open var takesMountPoints: Bool { childPolicy == .complete }
  /// Nothing is to be written to it, through whichever mount.
  public final var isReadOnly = false
  /// What else mount(2) said of it: MS_SYNCHRONOUS, MS_DIRSYNC, MS_MANDLOCK, MS_LAZYTIME.
  public final internal(set) var flags: MountFlags = []
  /// Nothing can be written to it, whatever is asked for.
  open var isAlwaysReadOnly: Bool { false }
  /// Inodes that have lost their last name, or never had one, and are still used.
  final var namelessCount = 0
  /// Mounts of it that there are, also those that are in no tree any more and still used.
  final var mountCount = 0
  /// Mount options of this file system's own, as /proc/mounts shows them after the generic ones: `size=4096k`.
  public final var optionText: [UInt8] = []
  private final var rootDentry: Dentry?
  private final var lastInodeNumber: UInt64 = 0

  public init(
    _ environment: FileSystemEnvironment, typeName: StaticString, magic: Int64, childPolicy: ChildPolicy
  ) {
    self.environment = environment
    self.typeName = typeName
    self.magic = magic
    self.childPolicy = childPolicy
    device = environment.makeDeviceNumber()
  }

  /// The top directory. The subclass's initialiser sets it.
  public final var root: Dentry {
    guard let rootDentry else { fatalError("a file system without a root") }
    return rootDentry
  }
  /// Makes `inode` the top directory.
  public final func setRoot(_ inode: Inode) {
    rootDentry = Dentry(root: inode)
  }

  /// Nobody can reach it any more: its last mount is gone. What can be mounted again keeps itself.
  open func didLoseLastMount() {}

  /// Lets go of all names, so that nothing keeps anything: dentries hold their parents, and inodes their file system.
  public final func releaseNames() {
    if let rootDentry, environment.notifier.isActive { environment.notifier.noteUnmount(of: rootDentry) }
    rootDentry?.releaseTree()
    rootDentry = nil
  }

  /// Takes new options. See mount(2), MS_REMOUNT.
  ///
  /// - Parameter isBusy: It cannot be changed, whatever the options are.
  /// - Throws: `EINVAL` when they cannot be changed so, `EBUSY`; nothing has changed then.
  open func reconfigure(_ options: [UInt8], isBusy: Bool) throws(Errno) {
    if isBusy { throw .EBUSY }
  }

  /// A number that no inode of this file system had before.
  public final func makeInodeNumber() -> UInt64 {
    lastInodeNumber += 1
    return lastInodeNumber
  }

  /// The figures of statfs(2), without the mount's flags.
  open func statfs() throws(Errno) -> Statfs {
    var result = Statfs()
    result.f_type = magic
    result.f_bsize = Int64(pageSize)
    result.f_frsize = Int64(pageSize)
    result.f_namelen = Int64(PathLimits.NAME_MAX)
    result.f_fsid = device.encoded
    return result
  }

  /// Pages that it keeps copies in of what is elsewhere.
  open var cachedPages: Int { 0 }

  /// Gives back frames that can be had again. See `FrameAllocator.reclaimer`.
  open func reclaim(_ count: Int, takesMapped: Bool) -> Int { 0 }

  /// Starts to write back what is not yet where it should be, without waiting for the end.
  open func startWriteBack() {}

  /// Starts to write back what was changed before `time`, as far as nothing has to be waited for: this is an interrupt.
  ///
  /// - Returns: Whether some of it is left.
  open func startWriteBack(of time: UInt64) -> Bool { false }

  /// Writes back what is not yet where it should be. See sync(2).
  open func synchronize() throws(Errno) {}
}
