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
    let parsed = try RamFSOptions(options, environment)
    return RamFileSystem(environment, parsed)
  }

  /// Makes an empty file system without options: a root that everybody may write to.
  public init(_ environment: FileSystemEnvironment) {
    super.init(environment, typeName: "tmpfs", rootMode: Self.defaultMode)
  }

  private static var defaultMode: FileMode { FileMode(rawValue: 0o1777) }

  private init(_ environment: FileSystemEnvironment, _ options: RamFSOptions) {
    super.init(
      environment, typeName: "tmpfs", rootMode: options.mode ?? Self.defaultMode, uid: options.uid ?? 0,
      gid: options.gid ?? 0, pageLimit: options.pageLimit, inodeLimit: options.inodeLimit)
    showOptions(options)
  }

  /// Writes `optionText`: limits that were given, and what the root had at first.
  private func showOptions(_ options: RamFSOptions) {
    var text = TextBuffer()
    func show(_ name: StaticString, _ value: Int, isOctal: Bool = false) {
      if text.count > 0 { text.append(",") }
      text.append(name)
      if isOctal { text.append(octal: UInt(value)) } else { text.append(decimal: value) }
    }
    // Linux shows no limit that is the one without an option.
    let half = environment.frames.totalFrames / 2
    if options.pageLimit != nil, quota.limit != half {
      show("size=", quota.limit == .max ? 0 : quota.limit << 2)
      text.append("k")
    }
    if options.inodeLimit != nil, inodeLimit != half { show("nr_inodes=", inodeLimit == .max ? 0 : inodeLimit) }
    if let mode = options.mode, mode != Self.defaultMode { show("mode=", Int(mode.rawValue), isOctal: true) }
    if let uid = options.uid, uid != 0 { show("uid=", Int(uid)) }
    if let gid = options.gid, gid != 0 { show("gid=", Int(gid)) }
    optionText = text.bytes
    shown = options
  }
  /// What was given, at first or by a remount.
  private var shown: RamFSOptions?

  /// Takes new limits; mode and owner are only looked at when the file system is made.
  override public func reconfigure(_ options: [UInt8], isBusy: Bool) throws(Errno) {
    let new = try RamFSOptions(options, environment)
    if isBusy { throw .EBUSY }
    // There must be a limit already, and what is used must fit.
    if let pages = new.pageLimit, pages != .max, quota.limit == .max || pages < quota.used { throw .EINVAL }
    if let inodes = new.inodeLimit, inodes != .max, inodeLimit == .max || inodes < inodeCount { throw .EINVAL }
    var shown = self.shown ?? new
    if let pages = new.pageLimit {
      quota.limit = pages
      shown.pageLimit = pages
    }
    if let inodes = new.inodeLimit {
      inodeLimit = inodes
      shown.inodeLimit = inodes
    }
    if self.shown == nil { (shown.mode, shown.uid, shown.gid) = (nil, nil, nil) }
    showOptions(shown)
  }

  override public func didLoseLastMount() { releaseNames() }

  /// The type for mount(2) and /proc/filesystems.
  public static func type(_ environment: FileSystemEnvironment) -> FileSystemType {
    FileSystemType(name: [UInt8]("tmpfs")) { (_, _, options) throws(Errno) in
      try make(environment, options: options)
    }
  }
}
