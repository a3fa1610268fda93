/// The numbers of a `newc` member's header. See cpio(5).
public struct CPIOMetadata: Equatable, Sendable {
  /// The inode number. Members of one archive with the same number, the same device and more than one link are the
  /// same file; GNU cpio stores the data with the last of them and a size of 0 with the others.
  public var inode: UInt32

  /// File type and permissions, as in `st_mode`.
  public var mode: UInt32
  public var uid: UInt32
  public var gid: UInt32
  public var linkCount: UInt32

  /// Seconds since 1970.
  public var modificationTime: UInt32

  /// The device that the file was on.
  public var deviceMajor: UInt32
  public var deviceMinor: UInt32

  /// For a device node, which device it is.
  public var specialMajor: UInt32
  public var specialMinor: UInt32

  public init(
    inode: UInt32, mode: UInt32, uid: UInt32 = 0, gid: UInt32 = 0, linkCount: UInt32 = 1, modificationTime: UInt32 = 0,
    deviceMajor: UInt32 = 0, deviceMinor: UInt32 = 0, specialMajor: UInt32 = 0, specialMinor: UInt32 = 0
  ) {
    self.inode = inode
    self.mode = mode
    self.uid = uid
    self.gid = gid
    self.linkCount = linkCount
    self.modificationTime = modificationTime
    self.deviceMajor = deviceMajor
    self.deviceMinor = deviceMinor
    self.specialMajor = specialMajor
    self.specialMinor = specialMinor
  }

  /// The type bits of `mode` (S_IFMT).
  public var fileType: UInt32 { mode & 0o170000 }
}

/// One member of a cpio archive. It holds offsets into the archive, no bytes.
public struct CPIOEntry: Equatable, Sendable {
  public let metadata: CPIOMetadata

  /// Where the name stands, without its NUL and what pads it. It may begin with `/` or `./`, and holds no `..`.
  public let name: Range<Int>

  /// Where the data stands: a file's content, or a symbolic link's target.
  public let data: Range<Int>

  /// Which of several archives, one after the other, the member is of: inode numbers begin anew in each.
  public let archive: Int
}

/// Constants of the `newc` format.
enum CPIOFormat {
  static let headerSize = 110
  /// Linux reads no longer name (PATH_MAX), its NUL and padding included.
  static let maximumNameSize = 4096
  static let trailerName: StaticString = "TRAILER!!!"

  static let regularFile: UInt32 = 0o100000
  static let symbolicLink: UInt32 = 0o120000

  static func isKnown(fileType: UInt32) -> Bool {
    switch fileType {
    case 0o010000, 0o020000, 0o040000, 0o060000, regularFile, symbolicLink, 0o140000: true
    default: false
    }
  }

  static func aligned(_ offset: Int) -> Int { (offset + 3) & ~3 }
}
