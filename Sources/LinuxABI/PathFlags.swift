// Names are spelled as in Linux, so that grep and the man pages work.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

/// The flags of the system calls whose names end in `at`.
public struct AtFlags: NamedFlags {
  public let rawValue: UInt32

  public init(rawValue: UInt32) {
    self.rawValue = rawValue
  }

  public static var AT_SYMLINK_NOFOLLOW: Self { Self(rawValue: 0x100) }
  /// Makes unlinkat(2) an rmdir(2). The same bit as `AT_EACCESS`.
  public static var AT_REMOVEDIR: Self { Self(rawValue: 0x200) }
  public static var AT_SYMLINK_FOLLOW: Self { Self(rawValue: 0x400) }
  public static var AT_NO_AUTOMOUNT: Self { Self(rawValue: 0x800) }
  public static var AT_EMPTY_PATH: Self { Self(rawValue: 0x1000) }
  public static var AT_STATX_FORCE_SYNC: Self { Self(rawValue: 0x2000) }
  public static var AT_STATX_DONT_SYNC: Self { Self(rawValue: 0x4000) }
  public static var AT_RECURSIVE: Self { Self(rawValue: 0x8000) }

  public static var bitNames: NameList {
    NameList(
      words: """
        @8 AT_SYMLINK_NOFOLLOW AT_REMOVEDIR AT_SYMLINK_FOLLOW AT_NO_AUTOMOUNT AT_EMPTY_PATH
        AT_STATX_FORCE_SYNC AT_STATX_DONT_SYNC AT_RECURSIVE
        """)
  }

  /// The bits that tell statx(2) how fresh its answer must be.
  public static var AT_STATX_SYNC_TYPE: Self { [.AT_STATX_FORCE_SYNC, .AT_STATX_DONT_SYNC] }
}

/// The flags of faccessat2(2), one bit of which means something else elsewhere.
public struct FaccessatFlags: NamedFlags {
  public let rawValue: UInt32

  public init(rawValue: UInt32) {
    self.rawValue = rawValue
  }

  public static var AT_SYMLINK_NOFOLLOW: Self { Self(rawValue: 0x100) }
  /// Checks with the effective ids instead of the real ones.
  public static var AT_EACCESS: Self { Self(rawValue: 0x200) }
  public static var AT_EMPTY_PATH: Self { Self(rawValue: 0x1000) }

  public static var bitNames: NameList {
    NameList(words: "@8 AT_SYMLINK_NOFOLLOW AT_EACCESS @12 AT_EMPTY_PATH")
  }
}

/// The flags of renameat2(2).
public struct RenameFlags: NamedFlags {
  public let rawValue: UInt32

  public init(rawValue: UInt32) {
    self.rawValue = rawValue
  }

  public static var RENAME_NOREPLACE: Self { Self(rawValue: 1) }
  public static var RENAME_EXCHANGE: Self { Self(rawValue: 2) }
  public static var RENAME_WHITEOUT: Self { Self(rawValue: 4) }

  public static var bitNames: NameList {
    NameList(words: "RENAME_NOREPLACE RENAME_EXCHANGE RENAME_WHITEOUT")
  }
}

/// The fields that statx(2) is asked for and that it returned.
public struct StatxMask: NamedFlags {
  public let rawValue: UInt32

  public init(rawValue: UInt32) {
    self.rawValue = rawValue
  }

  public static var STATX_TYPE: Self { Self(rawValue: 1) }
  public static var STATX_MODE: Self { Self(rawValue: 2) }
  public static var STATX_NLINK: Self { Self(rawValue: 4) }
  public static var STATX_UID: Self { Self(rawValue: 8) }
  public static var STATX_GID: Self { Self(rawValue: 0x10) }
  public static var STATX_ATIME: Self { Self(rawValue: 0x20) }
  public static var STATX_MTIME: Self { Self(rawValue: 0x40) }
  public static var STATX_CTIME: Self { Self(rawValue: 0x80) }
  public static var STATX_INO: Self { Self(rawValue: 0x100) }
  public static var STATX_SIZE: Self { Self(rawValue: 0x200) }
  public static var STATX_BLOCKS: Self { Self(rawValue: 0x400) }
  public static var STATX_BTIME: Self { Self(rawValue: 0x800) }
  public static var STATX_MNT_ID: Self { Self(rawValue: 0x1000) }
  public static var STATX_DIOALIGN: Self { Self(rawValue: 0x2000) }
  public static var STATX__RESERVED: Self { Self(rawValue: 0x8000_0000) }

  public static var bitNames: NameList {
    NameList(
      words: """
        STATX_TYPE STATX_MODE STATX_NLINK STATX_UID STATX_GID STATX_ATIME STATX_MTIME STATX_CTIME STATX_INO
        STATX_SIZE STATX_BLOCKS STATX_BTIME STATX_MNT_ID STATX_DIOALIGN @31 STATX__RESERVED
        """)
  }

  /// What stat(2) returns.
  public static var STATX_BASIC_STATS: Self { Self(rawValue: 0x7ff) }
  /// What stat(2) returns, and the time of birth.
  public static var STATX_ALL: Self { Self(rawValue: 0xfff) }

  public func writeNames(_ put: (UInt8) -> Void) {
    if isSuperset(of: .STATX_BASIC_STATS) {
      let isAll = contains(.STATX_BTIME)
      write(isAll ? "STATX_ALL" : "STATX_BASIC_STATS", put)
      let rest = subtracting(isAll ? .STATX_ALL : .STATX_BASIC_STATS)
      if rest.isEmpty { return }
      put(UInt8(ascii: "|"))
      rest.writeNames(put)
    } else {
      writeFlags(
        UInt64(rawValue), fieldMask: 0, fieldNames: Self.fieldNames, bitNames: Self.bitNames, zeroName: Self.zeroName,
        put)
    }
  }
}

/// The attributes that statx(2) returns.
public struct StatxAttributes: NamedFlags {
  public let rawValue: UInt64

  public init(rawValue: UInt64) {
    self.rawValue = rawValue
  }

  public static var STATX_ATTR_COMPRESSED: Self { Self(rawValue: 4) }
  public static var STATX_ATTR_IMMUTABLE: Self { Self(rawValue: 0x10) }
  public static var STATX_ATTR_APPEND: Self { Self(rawValue: 0x20) }
  public static var STATX_ATTR_NODUMP: Self { Self(rawValue: 0x40) }
  public static var STATX_ATTR_ENCRYPTED: Self { Self(rawValue: 0x800) }
  public static var STATX_ATTR_AUTOMOUNT: Self { Self(rawValue: 0x1000) }
  public static var STATX_ATTR_MOUNT_ROOT: Self { Self(rawValue: 0x2000) }
  public static var STATX_ATTR_VERITY: Self { Self(rawValue: 0x100000) }
  public static var STATX_ATTR_DAX: Self { Self(rawValue: 0x200000) }

  public static var bitNames: NameList {
    NameList(
      words: """
        @2 STATX_ATTR_COMPRESSED - STATX_ATTR_IMMUTABLE STATX_ATTR_APPEND STATX_ATTR_NODUMP @11
        STATX_ATTR_ENCRYPTED STATX_ATTR_AUTOMOUNT STATX_ATTR_MOUNT_ROOT @20 STATX_ATTR_VERITY STATX_ATTR_DAX
        """)
  }
}

/// The flags of setxattr(2).
public struct ExtendedAttributeFlags: NamedFlags {
  public let rawValue: UInt32

  public init(rawValue: UInt32) {
    self.rawValue = rawValue
  }

  public static var XATTR_CREATE: Self { Self(rawValue: 1) }
  public static var XATTR_REPLACE: Self { Self(rawValue: 2) }

  public static var bitNames: NameList {
    NameList(words: "XATTR_CREATE XATTR_REPLACE")
  }
}

/// The values of `tv_nsec` that utimensat(2) takes as requests.
public enum UtimeNanoseconds {
  /// Sets the time to now.
  public static var UTIME_NOW: Int64 { 0x3fff_ffff }
  /// Leaves the time as it is.
  public static var UTIME_OMIT: Int64 { 0x3fff_fffe }
}

/// The limits on paths. See path_resolution(7).
public enum PathLimits {
  /// The most bytes in one component.
  public static var NAME_MAX: Int { 255 }
  /// The most bytes in a path, with its NUL.
  public static var PATH_MAX: Int { 4096 }
  /// The most symbolic links that one look-up follows.
  public static var SYMLINK_MAX: Int { 40 }
  public static var XATTR_NAME_MAX: Int { 255 }
  public static var XATTR_SIZE_MAX: Int { 65536 }
}
