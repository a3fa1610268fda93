// RamFS: tmpfs. Files that live in page frames and go with the machine, for /tmp, /dev/shm and wherever mount(2) says.
//
// The tree itself is VFSCore's `MemoryFileSystem`; here are tmpfs's options.
internal import Kernel
public import LinuxABI
internal import Support
public import VFSCore

/// A tmpfs. See tmpfs(5).
public final class RamFileSystem: MemoryFileSystem {
  /// Makes an empty file system.
  ///
  /// - Parameter options: As mount(2) takes them: `size=64m,mode=1777,nr_inodes=10k,uid=0,gid=0`, `size=50%`.
  /// - Throws: `EINVAL` for an option that tmpfs does not have.
  public static func make(
    _ environment: FileSystemEnvironment, options: [UInt8] = []
  ) throws(Errno) -> RamFileSystem {
    let parsed = try RamFSOptions(options, totalPages: environment.frames.totalFrames)
    return RamFileSystem(environment, parsed)
  }

  /// Makes an empty file system without options: a root that everybody may write to.
  public init(_ environment: FileSystemEnvironment) {
    super.init(environment, typeName: "tmpfs", rootMode: RamFSOptions.defaultMode)
  }

  private init(_ environment: FileSystemEnvironment, _ options: RamFSOptions) {
    super.init(
      environment, typeName: "tmpfs", rootMode: options.mode, uid: options.uid, gid: options.gid,
      pageLimit: options.pageLimit, inodeLimit: options.inodeLimit)
    optionText = options.text
  }

  /// The type for mount(2) and /proc/filesystems.
  public static func type(_ environment: FileSystemEnvironment) -> FileSystemType {
    FileSystemType(name: [UInt8]("tmpfs")) { (_, _, options) throws(Errno) in
      try make(environment, options: options)
    }
  }
}
