internal import Support

/// One mount that the command line asks for: `device:path:fs[:flags[:options[:ukopts]]]`.
///
/// The form and the last field are those of Unikraft's vfscore.
public struct FileSystemTableEntry: Equatable, Sendable {
  /// The source: `initrd0`, a 9p tag, a block device. May be empty.
  public var device: [UInt8]

  /// The mount point, an absolute path.
  public var path: [UInt8]

  /// The file system's name, such as `9pfs` or `ramfs`.
  public var fileSystem: [UInt8]

  /// The flags of mount(2), MS_RDONLY and the like.
  public var flags: UInt64

  /// Options for the file system itself.
  public var options: [UInt8]

  /// Whether to make the mount point if there is none (`mkmp`).
  public var makesMountPoint: Bool

  /// When to mount.
  public var condition: Condition

  public enum Condition: Equatable, Sendable {
    case always
    /// Only when the machine has an initrd (`ifinitrd0`).
    case ifInitrd
    /// Only when the machine has no initrd (`ifnoinitrd0`).
    case ifNoInitrd
  }

  /// Whether the source is the initrd, as the root has it by default.
  public var isInitrd: Bool { fileSystem.elementsEqual(("extract" as StaticString).bytes) }
  /// Whether the source is the tag of a 9p share.
  public var isShare: Bool {
    fileSystem.elementsEqual(("9p" as StaticString).bytes) || fileSystem.elementsEqual(("9pfs" as StaticString).bytes)
  }

  /// What a source calls the initrd.
  public static var initrdName: StaticString { "initrd0" }
  /// Whether it is a file system in memory over another one, which it names as Linux's overlayfs or is itself named by.
  public var isOverlay: Bool { fileSystem.elementsEqual(("overlay" as StaticString).bytes) }
  /// Whether it is the root that the machine starts with, from the initrd or a share.
  public var isRoot: Bool {
    guard path == [UInt8(ascii: "/")] else { return false }
    // An overlay whose options name its layers, or that is one of a directory, is mounted over the root that there is.
    if isOverlay {
      return device.first != UInt8(ascii: "/") && !options.starts(with: ("lowerdir" as StaticString).bytes)
    }
    return isInitrd || isShare
  }

  /// Reads one entry of `vfs.fstab`.
  public init(parsing value: [UInt8]) throws(ParameterFault) {
    let fields = value.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
    guard fields.count >= 3 else { throw ParameterFault("must be device:path:fs[:flags[:options]]") }
    guard fields.count <= 6 else { throw ParameterFault("has more fields than device:path:fs:flags:options:ukopts") }
    guard fields[1].first == UInt8(ascii: "/") else { throw ParameterFault("the path does not begin with /") }
    guard !fields[2].isEmpty else { throw ParameterFault("the file system is missing") }
    device = [UInt8](fields[0])
    path = [UInt8](fields[1])
    fileSystem = [UInt8](fields[2])
    flags = fields.count > 3 ? try Self.flags(fields[3]) : 0
    options = fields.count > 4 ? [UInt8](fields[4]) : []
    makesMountPoint = false
    condition = .always
    if fields.count > 5 {
      for word in fields[5].split(separator: UInt8(ascii: ",")) {
        if word.elementsEqual(("mkmp" as StaticString).bytes) {
          makesMountPoint = true
        } else if word.elementsEqual(("ifinitrd0" as StaticString).bytes) {
          condition = .ifInitrd
        } else if word.elementsEqual(("ifnoinitrd0" as StaticString).bytes) {
          condition = .ifNoInitrd
        } else {
          throw ParameterFault("the last field takes mkmp, ifinitrd0 and ifnoinitrd0")
        }
      }
    }
  }

  /// Reads mount flags: a number, or words of mount(8) with commas between them.
  private static func flags(_ text: ArraySlice<UInt8>) throws(ParameterFault) -> UInt64 {
    if text.isEmpty { return 0 }
    if case .value(let number) = ParameterInteger.parseUnsigned(text) { return number }
    var flags: UInt64 = 0
    for word in text.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false) {
      guard let flag = names.first(where: { $0.name.bytes.elementsEqual(word) })?.value else {
        throw ParameterFault("the flags are neither a number nor words like ro,nosuid,nodev,noexec,noatime")
      }
      flags |= flag
    }
    return flags
  }

  /// The MS_ values of mount(2).
  private static var names: [(name: StaticString, value: UInt64)] {
    [
      ("rw", 0), ("ro", 1), ("nosuid", 2), ("nodev", 4), ("noexec", 8), ("sync", 16), ("dirsync", 128),
      ("noatime", 1024), ("nodiratime", 2048), ("relatime", 1 << 21),
    ]
  }
}
