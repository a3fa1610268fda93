internal import Kernel
public import LinuxABI
internal import Support
public import VFSCore

/// The mount options of overlayfs.
struct OverlayOptions {
  /// From the topmost to the bottom.
  var lowers: [Path] = []
  var upper: Path?
  var work: Path?
  /// As /proc/mounts shows them.
  var text: [UInt8] = []

  /// Those behind the layers' ask for what is done anyway, or change nothing of what can be seen.
  private static var table: StaticString {
    """
    lowerdir=* lowerdir+=* upperdir=* workdir=* volatile xino=off|auto|on redirect_dir=off|nofollow uuid=* index=off \
    metacopy=off nfs_export=off
    """
  }
  private enum Key: Int {
    case lowers, lower, upper, work
  }

  /// - Throws: `EINVAL` for an option that there is not, or that is not supported, and for a layer that is no directory;
  ///   what the look-ups throw.
  init(_ given: [UInt8], _ environment: FileSystemEnvironment, _ context: FileSystemContext) throws(Errno) {
    func directory(_ path: ArraySlice<UInt8>) throws(Errno) -> Path {
      let place = try context.resolve(Self.unescaped(path))
      guard place.inode.isDirectory else { throw .EINVAL }
      return place
    }
    var options = MountOptions(given, Self.table, environment)
    while try options.next() {
      let name: StaticString
      switch Key(rawValue: options.place) {
      case .lowers:
        name = "lowerdir="
        lowers = []
        for path in Self.split(options.value, at: UInt8(ascii: ":")) {
          if path.isEmpty { throw .EINVAL }
          lowers.append(try directory(path))
        }
      case .lower:
        name = "lowerdir+="
        lowers.append(try directory(options.value))
      case .upper:
        name = "upperdir="
        upper = try directory(options.value)
      case .work:
        name = "workdir="
        work = try directory(options.value)
      case nil: continue
      }
      if !text.isEmpty { text.append(UInt8(ascii: ",")) }
      text += name.bytes + options.value
    }
  }

  /// Whether the options name layers: else the source does.
  static func nameLayers(_ given: [UInt8], _ environment: FileSystemEnvironment) -> Bool {
    MountOptions(given, table, environment).beginAsTable()
  }

  /// The parts between separators that no backslash stands in front of; the backslashes stay.
  private static func split(_ text: ArraySlice<UInt8>, at separator: UInt8) -> [ArraySlice<UInt8>] {
    var parts: [ArraySlice<UInt8>] = []
    var start = text.startIndex
    var isEscaped = false
    for at in text.indices {
      if text[at] == separator, !isEscaped {
        parts.append(text[start..<at])
        start = at + 1
      }
      isEscaped = text[at] == UInt8(ascii: "\\") && !isEscaped
    }
    parts.append(text[start...])
    return parts
  }

  private static func unescaped(_ text: ArraySlice<UInt8>) -> [UInt8] {
    var result: [UInt8] = []
    var isEscaped = false
    for byte in text {
      if byte == UInt8(ascii: "\\"), !isEscaped {
        isEscaped = true
        continue
      }
      isEscaped = false
      result.append(byte)
    }
    return result
  }
}

extension OverlayFileSystem {
  /// The type for mount(2), fstab and /proc/filesystems.
  ///
  /// Beside Linux's form, where `lowerdir=`, `upperdir=` and `workdir=` name the layers, the source can be what lies
  /// below, an absolute path or what `source` knows; the upper layer is then new, and the options are its.
  ///
  /// - Parameters:
  ///   - source: The file system of a name that is no path, such as a share's tag; nil for others.
  ///   - makeUpper: Makes an empty file system in memory from mount options.
  public static func type(
    _ environment: FileSystemEnvironment, source: @escaping ([UInt8]) throws(Errno) -> FileSystem?,
    makeUpper: @escaping (_ options: [UInt8]) throws(Errno) -> MemoryFileSystem
  ) -> FileSystemType {
    FileSystemType(name: [UInt8](("overlay" as StaticString).bytes)) { (context, name, options) throws(Errno) in
      if OverlayOptions.nameLayers(options, environment) {
        return try make(environment, context, try OverlayOptions(options, environment, context))
      }
      let lower: Dentry
      if name.first == UInt8(ascii: "/") {
        let place = try context.resolve(name)
        guard place.inode.isDirectory else { throw .ENOTDIR }
        lower = place.dentry
      } else {
        guard let fileSystem = try source(name) else { throw .EINVAL }
        lower = fileSystem.root
      }
      return make(environment, over: lower, upper: try makeUpper(options))
    }
  }

  /// Lays an empty tree in memory over `lower`. Its top has the attributes of `lower`'s.
  public static func make(
    _ environment: FileSystemEnvironment, over lower: Dentry, upper: MemoryFileSystem
  ) -> OverlayFileSystem {
    let below = lower.inode
    if below.isStale { below.refresh() }
    let top = upper.root.inode
    top.mode = below.mode
    top.uid = below.uid
    top.gid = below.gid
    top.accessTime = below.accessTime
    top.modificationTime = below.modificationTime
    return OverlayFileSystem(
      environment, upper: OverlayLayer(upper.root, isUpper: true), lowers: [OverlayLayer(lower, isUpper: false)],
      optionText: upper.optionText)
  }

  /// Makes an overlay of directories. See mount(8), "Mount options for overlay".
  ///
  /// - Throws: `EINVAL` for layers that do not go together, `ELOOP` when one lies in another, `EBUSY` when another
  ///   overlay has the upper one; what the look-ups throw.
  private static func make(
    _ environment: FileSystemEnvironment, _ context: FileSystemContext, _ options: OverlayOptions
  ) throws(Errno) -> OverlayFileSystem {
    if options.lowers.isEmpty || options.lowers.count > 500 { throw .EINVAL }
    var upper: OverlayLayer?
    if let place = options.upper {
      // The upper layer changes without sleeping, so it must be in memory.
      guard let work = options.work, place.inode.fileSystem is MemoryFileSystem, !place.mount.isReadOnly,
        work.inode.fileSystem === place.inode.fileSystem, !place.dentry.isAncestor(of: work.dentry),
        !work.dentry.isAncestor(of: place.dentry)
      else { throw .EINVAL }
      for mount in context.namespace.mounts {
        if let other = mount.fileSystem as? OverlayFileSystem, other.upper?.root === place.dentry { throw .EBUSY }
      }
      upper = OverlayLayer(place.dentry, isUpper: true)
      try makeWorkDirectory(work.dentry)
    } else if options.lowers.count < 2 {
      throw .EINVAL
    }
    var lowers: [OverlayLayer] = []
    for place in options.lowers {
      // It may lie in no other layer; the upper one may lie in it.
      var layers = upper?.root.isAncestor(of: place.dentry) == true ? 1 : 0
      for other in options.lowers where other.dentry.isAncestor(of: place.dentry) { layers += 1 }
      if layers > 1 { throw .ELOOP }
      lowers.append(OverlayLayer(place.dentry, isUpper: false))
    }
    return OverlayFileSystem(environment, upper: upper, lowers: lowers, optionText: options.text)
  }

  /// Makes what Linux makes in the work directory. Nothing is put there: copies have no name until they are complete.
  private static func makeWorkDirectory(_ directory: Dentry) throws(Errno) {
    let name = [UInt8](("work" as StaticString).bytes)
    if directory.child(name) != nil { return }
    let inode = try directory.inode.create(name, NewNode(mode: FileMode(.S_IFDIR, []), uid: 0, gid: 0))
    directory.add(Dentry(name, inode, parent: directory))
  }
}
