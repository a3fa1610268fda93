internal import Kernel
public import LinuxABI
internal import Support

/// A process's view of the tree: its root, working directory, umask and identity. The system calls that take paths are
/// methods; `at` is the file of a directory descriptor, or nil for the working directory.
///
/// Processes made with CLONE_FS share one.
public final class FileSystemContext {
  public let namespace: Namespace
  public var root: Path { didSet { Self.hold(root, insteadOf: oldValue) } }
  public var workingDirectory: Path { didSet { Self.hold(workingDirectory, insteadOf: oldValue) } }
  /// Permission bits that new files do not get.
  public var umask = FileMode(rawValue: 0o022)
  /// What permission checks look at. The personality keeps it in step with the process's ids.
  public var credentials = Credentials.root

  public init(_ namespace: Namespace) {
    self.namespace = namespace
    root = namespace.root
    workingDirectory = namespace.root
    Self.hold(root)
    Self.hold(workingDirectory)
  }

  deinit {
    root.mount.holderCount -= 1
    workingDirectory.mount.holderCount -= 1
  }

  private static func hold(_ path: Path, insteadOf old: Path? = nil) {
    path.mount.holderCount += 1
    old?.mount.holderCount -= 1
  }

  /// A copy, as fork(2) makes it.
  public init(copying other: FileSystemContext) {
    namespace = other.namespace
    root = other.root
    workingDirectory = other.workingDirectory
    umask = other.umask
    credentials = other.credentials
    Self.hold(root)
    Self.hold(workingDirectory)
  }

  /// The place that a path names, which must exist.
  ///
  /// - Parameter follow: Whether a symbolic link at the end is followed.
  /// - Throws: What path_resolution(7) lists.
  public func resolve(
    _ path: [UInt8], at base: OpenFile? = nil, follow: Bool = true, _ resolve: ResolveFlags = []
  ) throws(Errno) -> Path {
    var walk = PathWalk(self, path, at: base, resolve)
    try walk.run(followLast: follow)
    return walk.finish()
  }

  /// The place that the arguments of an `…at` system call name: AT_SYMLINK_NOFOLLOW and AT_EMPTY_PATH are looked at.
  public func resolve(_ path: [UInt8], at base: OpenFile?, _ flags: AtFlags) throws(Errno) -> Path {
    if path.isEmpty, flags.contains(.AT_EMPTY_PATH) { return base?.path ?? workingDirectory }
    return try resolve(path, at: base, follow: !flags.contains(.AT_SYMLINK_NOFOLLOW))
  }

  // MARK: The working directory and the root

  /// Changes the working directory. See chdir(2).
  public func changeDirectory(_ path: [UInt8]) throws(Errno) {
    try changeDirectory(to: try resolve(path))
  }
  /// See fchdir(2).
  public func changeDirectory(to path: Path) throws(Errno) {
    guard path.inode.isDirectory else { throw .ENOTDIR }
    guard path.inode.allows(.X_OK, credentials) else { throw .EACCES }
    workingDirectory = path
  }

  /// See chroot(2).
  public func changeRoot(_ path: [UInt8]) throws(Errno) {
    let place = try resolve(path)
    guard place.inode.isDirectory else { throw .ENOTDIR }
    guard place.inode.allows(.X_OK, credentials) else { throw .EACCES }
    guard credentials.isPrivileged else { throw .EPERM }
    root = place
  }

  /// The absolute path of the working directory. See getcwd(2).
  ///
  /// - Throws: `ENOENT` when the directory was removed, `ENAMETOOLONG` when the path is longer than a call takes.
  public func currentDirectory() throws(Errno) -> [UInt8] {
    if workingDirectory.isRemoved { throw .ENOENT }
    let text = workingDirectory.text(root: root, marksUnreachable: true)
    guard text.count < PathLimits.PATH_MAX else { throw .ENAMETOOLONG }
    return text
  }

  /// The absolute path of a place as /proc shows it: from the top of the tree of mounts where it lies outside the root,
  /// and with ` (deleted)` behind when the name is gone.
  public func text(of path: Path) -> [UInt8] { path.text(root: root) }
}

extension Path {
  /// Whether the name, or that of a directory above it, is gone.
  var isRemoved: Bool {
    var dentry: Dentry? = dentry
    while let at = dentry {
      if at.isDetached { return true }
      dentry = at.parent
    }
    return false
  }

  /// See `FileSystemContext.text(of:)`; without a root, from the top of the tree of mounts.
  ///
  /// - Parameter marksUnreachable: Whether `(unreachable)` is in front when it lies outside.
  public func text(root: Path?, marksUnreachable: Bool = false) -> [UInt8] {
    var parts: [Dentry] = []
    var at = self
    var isReachable = true
    var isDeleted = false
    while true {
      if let root, at.isSame(as: root) { break }
      if at.dentry === at.mount.root {
        guard let parent = at.mount.parent else {
          isReachable = root == nil || at.isSame(as: root!)
          break
        }
        at = parent
        continue
      }
      if at.dentry.isDetached, parts.isEmpty { isDeleted = true }
      parts.append(at.dentry)
      guard let parent = at.dentry.parent else {
        isReachable = false
        break
      }
      at.dentry = parent
    }
    var text: [UInt8] = []
    if !isReachable, marksUnreachable {
      let prefix: StaticString = "(unreachable)"
      text.append(contentsOf: prefix.bytes)
    }
    for part in parts.reversed() {
      text.append(UInt8(ascii: "/"))
      text.append(contentsOf: part.name)
    }
    if parts.isEmpty { text.append(UInt8(ascii: "/")) }
    if isDeleted {
      let suffix: StaticString = " (deleted)"
      text.append(contentsOf: suffix.bytes)
    }
    return text
  }
}
