/// What lstat(2) says of a file.
public struct FileStatus: Sendable {
  /// The kinds of file, by the type bits of the mode (inode(7)).
  public enum Kind: UInt32, Sendable {
    case fifo = 0o010000
    case characterDevice = 0o020000
    case directory = 0o040000
    case blockDevice = 0o060000
    case regular = 0o100000
    case symbolicLink = 0o120000
    case socket = 0o140000
  }

  /// A file's identity on this machine.
  public struct Identity: Hashable, Sendable {
    public let device: UInt64
    public let inode: UInt64
  }

  public let identity: Identity
  /// The type bits and the permissions.
  public let mode: UInt32
  public let linkCount: UInt64
  public let user: UInt32
  public let group: UInt32
  /// The device that a device file stands for, as stat(2) encodes it.
  public let specialDevice: UInt64
  /// The size in bytes.
  public let size: UInt64
  /// The time of the last change of the content, in seconds since 1970.
  public let modificationTime: Int64

  public init(
    identity: Identity, mode: UInt32, linkCount: UInt64, user: UInt32, group: UInt32, specialDevice: UInt64,
    size: UInt64, modificationTime: Int64
  ) {
    self.identity = identity
    self.mode = mode
    self.linkCount = linkCount
    self.user = user
    self.group = group
    self.specialDevice = specialDevice
    self.size = size
    self.modificationTime = modificationTime
  }

  public var kind: Kind { Kind(rawValue: mode & 0o170000) ?? .regular }

  /// The major number of `specialDevice` (makedev(3), glibc's 64-bit encoding).
  public var specialMajor: UInt32 {
    UInt32(truncatingIfNeeded: specialDevice >> 8 & 0xfff | specialDevice >> 32 & 0xffff_f000)
  }

  /// The minor number of `specialDevice`.
  public var specialMinor: UInt32 {
    UInt32(truncatingIfNeeded: specialDevice & 0xff | specialDevice >> 12 & 0xffff_ff00)
  }
}
