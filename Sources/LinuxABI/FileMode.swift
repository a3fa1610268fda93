// Names are spelled as in Linux, so that grep and the man pages work.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

/// The kind of an inode: the top four bits of its mode. See inode(7).
public enum FileType: UInt32, Sendable, BitwiseCopyable {
  case S_IFIFO = 0o010000
  case S_IFCHR = 0o020000
  case S_IFDIR = 0o040000
  case S_IFBLK = 0o060000
  case S_IFREG = 0o100000
  case S_IFLNK = 0o120000
  case S_IFSOCK = 0o140000

  /// The `d_type` of getdents64(2), `DT_REG` and the like.
  public var directoryEntryType: UInt8 { UInt8(truncatingIfNeeded: rawValue >> 12) }
}

/// The mode of an inode: its type and its permission bits. See inode(7).
public struct FileMode: OptionSet, Sendable, BitwiseCopyable {
  public let rawValue: UInt32

  public init(rawValue: UInt32) {
    self.rawValue = rawValue
  }

  /// A mode of this type with these permission bits; other bits of `permissions` are dropped.
  public init(_ type: FileType, _ permissions: FileMode) {
    rawValue = type.rawValue | (permissions.rawValue & 0o7777)
  }

  /// Set user id on execution.
  public static var S_ISUID: Self { Self(rawValue: 0o4000) }
  /// Set group id on execution.
  public static var S_ISGID: Self { Self(rawValue: 0o2000) }
  /// The sticky bit: only its owner deletes a file of such a directory.
  public static var S_ISVTX: Self { Self(rawValue: 0o1000) }
  public static var S_IRWXU: Self { Self(rawValue: 0o700) }
  public static var S_IRUSR: Self { Self(rawValue: 0o400) }
  public static var S_IWUSR: Self { Self(rawValue: 0o200) }
  public static var S_IXUSR: Self { Self(rawValue: 0o100) }
  public static var S_IRWXG: Self { Self(rawValue: 0o070) }
  public static var S_IRGRP: Self { Self(rawValue: 0o040) }
  public static var S_IWGRP: Self { Self(rawValue: 0o020) }
  public static var S_IXGRP: Self { Self(rawValue: 0o010) }
  public static var S_IRWXO: Self { Self(rawValue: 0o007) }
  public static var S_IROTH: Self { Self(rawValue: 0o004) }
  public static var S_IWOTH: Self { Self(rawValue: 0o002) }
  public static var S_IXOTH: Self { Self(rawValue: 0o001) }
  /// The bits of the type, which is a number and not a set of flags.
  public static var S_IFMT: Self { Self(rawValue: 0o170000) }
  /// The bits that chmod(2) sets.
  public static var permissionMask: Self { Self(rawValue: 0o7777) }

  /// The type, or nil if its four bits say none.
  public var type: FileType? { FileType(rawValue: rawValue & 0o170000) }
  /// The permission bits with set-id and sticky.
  public var permissions: FileMode { intersection(.permissionMask) }

  /// Writes the mode as strace(1) does: `0644` without a type, else `S_IFREG|0644`.
  public func writeNames(_ put: (UInt8) -> Void) {
    let types = NameList(words: "@1 S_IFIFO S_IFCHR @4 S_IFDIR @6 S_IFBLK @8 S_IFREG @10 S_IFLNK @12 S_IFSOCK")
    var rest = rawValue
    if let name = types[Int(rest >> 12) & 15] {
      write(name, put)
      put(UInt8(ascii: "|"))
      rest &= ~0o170000
    }
    writeOctal(UInt64(rest), minimumDigits: 2, put)
  }
}

/// What access(2) asks about, and what a permission check wants.
public struct AccessMode: NamedFlags {
  public let rawValue: UInt32

  public init(rawValue: UInt32) {
    self.rawValue = rawValue
  }

  public static var R_OK: Self { Self(rawValue: 4) }
  public static var W_OK: Self { Self(rawValue: 2) }
  public static var X_OK: Self { Self(rawValue: 1) }
  public static var F_OK: Self { Self(rawValue: 0) }

  public static var bitNames: NameList {
    NameList(words: "X_OK W_OK R_OK")
  }
  public static var zeroName: StaticString { "F_OK" }

  /// Writes the names in strace's order, `R_OK` first.
  public func writeNames(_ put: (UInt8) -> Void) {
    // The order of the printer is that of the bits, so the three are turned round.
    let reversed = rawValue & ~7 | (rawValue & 1) << 2 | (rawValue & 2) | (rawValue & 4) >> 2
    writeFlags(
      UInt64(reversed), fieldMask: 0, fieldNames: Self.fieldNames, bitNames: NameList(words: "R_OK W_OK X_OK"),
      zeroName: Self.zeroName, put)
  }
}

/// The `d_type` of getdents64(2).
public enum DirectoryEntryType {
  public static var DT_UNKNOWN: UInt8 { 0 }
  public static var DT_FIFO: UInt8 { 1 }
  public static var DT_CHR: UInt8 { 2 }
  public static var DT_DIR: UInt8 { 4 }
  public static var DT_BLK: UInt8 { 6 }
  public static var DT_REG: UInt8 { 8 }
  public static var DT_LNK: UInt8 { 10 }
  public static var DT_SOCK: UInt8 { 12 }
  public static var DT_WHT: UInt8 { 14 }
}
