public import LinuxABI

/// A file system, or a subtree of one, at a place in the tree. See mount(2).
public final class Mount {
  /// As in /proc/self/mountinfo.
  public let id: UInt64
  public let fileSystem: FileSystem
  /// What of the file system is mounted.
  public let root: Dentry
  /// What /proc/mounts calls the device.
  public let source: [UInt8]
  /// Read-only, noexec and the like; `ST_RELATIME` unless another choice was made.
  public internal(set) var flags: StatfsFlags
  /// Where it is mounted; nil for the root of the namespace, and when unmounted.
  public internal(set) var parent: Path? {
    didSet { place = parent.map { (ObjectIdentifier($0.mount), ObjectIdentifier($0.dentry)) } }
  }
  /// The identities behind `parent`, so that a look-up compares them without taking references.
  private var place: (mount: ObjectIdentifier, dentry: ObjectIdentifier)?

  /// What else is mounted on the same dentry, in other mounts or below this one.
  var nextHere: Mount?
  /// The root of the namespace.
  final var isTop = false
  /// It is in the namespace's tree, or in one that will be.
  final var isAttached: Bool { parent != nil || isTop }
  /// Holds what has no path: pipes and the like.
  let isAnonymous: Bool
  /// Open descriptions that write to regular files through it: while there are any, it cannot become read-only.
  final var writerCount = 0
  /// Open descriptions, working directories, roots and bound sockets: while there are any, it is busy.
  public final var holderCount = 0
  /// How often a walk came through, and how often when umount2(2) last marked it with MNT_EXPIRE.
  var useCount: UInt32 = 0
  var expiryMark: UInt32?
  /// The peers that it tells of mounts below, and those that it hears of them from; 0 for none. See
  /// mount_namespaces(7), "Shared subtrees".
  public internal(set) var group: UInt32 = 0
  public internal(set) var master: UInt32 = 0
  public internal(set) var isUnbindable = false

  init(
    id: UInt64, _ fileSystem: FileSystem, root: Dentry, source: [UInt8], flags: StatfsFlags, isAnonymous: Bool = false
  ) {
    self.isAnonymous = isAnonymous
    self.id = id
    self.fileSystem = fileSystem
    self.root = root
    self.source = source
    self.flags = flags
    fileSystem.mountCount += 1
  }

  deinit {
    fileSystem.mountCount -= 1
    if fileSystem.mountCount == 0 { fileSystem.didLoseLastMount() }
  }

  /// Makes a mount that no tree has: what an overlay sees its layers through.
  public convenience init(layer root: Dentry, flags: StatfsFlags) {
    self.init(id: 0, root.inode.fileSystem, root: root, source: [], flags: flags)
  }

  @inline(__always)
  func isMounted(at path: Path) -> Bool {
    guard let place else { return false }
    return place.dentry == ObjectIdentifier(path.dentry) && place.mount == ObjectIdentifier(path.mount)
  }

  @inline(__always)
  public var isReadOnly: Bool { flags.contains(.ST_RDONLY) || fileSystem.isReadOnly }

  /// Neither relatime nor noatime: every access counts.
  @inline(__always)
  var alwaysChecksAge: Bool { !flags.contains(.ST_RELATIME) && !flags.contains(.ST_NOATIME) }
}

/// A place in the tree: a dentry as seen through a mount.
public struct Path {
  public var mount: Mount
  public var dentry: Dentry

  @inline(__always)
  public init(_ mount: Mount, _ dentry: Dentry) {
    self.mount = mount
    self.dentry = dentry
  }

  @inline(__always)
  public var inode: Inode { dentry.inode }

  /// Goes on to the root of what is mounted here, if anything is.
  @inline(__always)
  mutating func followMounts() {
    while let mount = mounted {
      mount.useCount &+= 1
      self = Path(mount, mount.root)
    }
  }

  /// What is mounted here: the latest, where there are several.
  var mounted: Mount? {
    var next = dentry.mountedHere
    while let mount = next {
      if mount.parent?.mount === self.mount { return mount }
      next = mount.nextHere
    }
    return nil
  }

  var isMountRoot: Bool { dentry === mount.root }

  public func isSame(as other: Path) -> Bool { dentry === other.dentry && mount === other.mount }
}

extension Dentry {
  /// Something is mounted here, in some mount of this file system.
  var isMountPoint: Bool { mountedHere != nil }

  /// Takes a mount out of those on this dentry.
  func removeMount(_ mount: Mount) {
    if mountedHere === mount {
      mountedHere = mount.nextHere
    } else {
      var previous = mountedHere
      while let at = previous, at.nextHere !== mount { previous = at.nextHere }
      previous?.nextHere = mount.nextHere
    }
    mount.nextHere = nil
  }
}
