// Names are spelled as in Linux, so that grep and the man pages work.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

/// The flags of open(2), also those that pipe2(2), accept4(2) and fcntl(2) `F_SETFL` take.
public struct OpenFlags: NamedFlags {
  public let rawValue: UInt32

  public init(rawValue: UInt32) {
    self.rawValue = rawValue
  }

  public static var O_RDONLY: Self { Self(rawValue: 0) }
  public static var O_WRONLY: Self { Self(rawValue: 0o1) }
  public static var O_RDWR: Self { Self(rawValue: 0o2) }
  public static var O_CREAT: Self { Self(rawValue: 0o100) }
  public static var O_EXCL: Self { Self(rawValue: 0o200) }
  public static var O_NOCTTY: Self { Self(rawValue: 0o400) }
  public static var O_TRUNC: Self { Self(rawValue: 0o1000) }
  public static var O_APPEND: Self { Self(rawValue: 0o2000) }
  public static var O_NONBLOCK: Self { Self(rawValue: 0o4000) }
  public static var O_DSYNC: Self { Self(rawValue: 0o10000) }
  /// The kernel's name for `O_ASYNC`.
  public static var FASYNC: Self { Self(rawValue: 0o20000) }
  public static var O_DIRECT: Self { Self(rawValue: 0o40000) }
  /// Always implied on x86_64. A kernel reports it in `F_GETFL`.
  public static var O_LARGEFILE: Self { Self(rawValue: 0o100000) }
  public static var O_DIRECTORY: Self { Self(rawValue: 0o200000) }
  public static var O_NOFOLLOW: Self { Self(rawValue: 0o400000) }
  public static var O_NOATIME: Self { Self(rawValue: 0o1000000) }
  public static var O_CLOEXEC: Self { Self(rawValue: 0o2000000) }
  /// The part of `O_SYNC` that is not `O_DSYNC`.
  public static var __O_SYNC: Self { Self(rawValue: 0o4000000) }
  public static var O_SYNC: Self { Self(rawValue: 0o4010000) }
  public static var O_PATH: Self { Self(rawValue: 0o10000000) }
  /// The part of `O_TMPFILE` that is not `O_DIRECTORY`.
  public static var __O_TMPFILE: Self { Self(rawValue: 0o20000000) }
  public static var O_TMPFILE: Self { Self(rawValue: 0o20200000) }

  public static var bitNames: NameList {
    NameList(
      words: """
        @6 O_CREAT O_EXCL O_NOCTTY O_TRUNC O_APPEND O_NONBLOCK O_DSYNC O_ASYNC O_DIRECT O_LARGEFILE
        O_DIRECTORY O_NOFOLLOW O_NOATIME O_CLOEXEC O_SYNC O_PATH O_TMPFILE
        """)
  }
  public static var fieldMask: UInt32 { 0o3 }
  public static var fieldNames: NameList { NameList(words: "O_RDONLY O_WRONLY O_RDWR") }

  /// The same bit as `O_NONBLOCK`.
  public static var O_NDELAY: Self { .O_NONBLOCK }
  /// The same bit as `FASYNC`.
  public static var O_ASYNC: Self { .FASYNC }

  /// The bits that hold the access mode, which is a number: 0, 1, 2, or 3 for a descriptor only good for ioctl(2).
  public static var O_ACCMODE: Self { Self(rawValue: 3) }
  /// The flags that fcntl(2) `F_SETFL` can change.
  public static var changeable: Self { [.O_APPEND, .O_NONBLOCK, .FASYNC, .O_DIRECT, .O_NOATIME] }
  /// Every flag that open(2) knows; openat2(2) rejects others, open(2) ignores them.
  public static var known: Self { Self(rawValue: 0o37777703) }
  /// The flags that matter together with `O_PATH`; open(2) drops the others.
  public static var allowedWithPath: Self { [.O_DIRECTORY, .O_NOFOLLOW, .O_PATH, .O_CLOEXEC] }

  /// `O_RDONLY`, `O_WRONLY`, `O_RDWR`, or 3.
  public var accessMode: Self { intersection(.O_ACCMODE) }
  /// Whether the access mode lets read(2) work.
  public var isReadable: Bool { accessMode == .O_RDONLY || accessMode == .O_RDWR }
  /// Whether the access mode lets write(2) work.
  public var isWritable: Bool { accessMode == .O_WRONLY || accessMode == .O_RDWR }

  public func writeNames(_ put: (UInt8) -> Void) {
    var shown = self
    if shown.isSuperset(of: .O_SYNC) { shown.remove(.O_DSYNC) }
    if shown.isSuperset(of: .O_TMPFILE) { shown.remove(.O_DIRECTORY) }
    writeFlags(
      UInt64(shown.rawValue), fieldMask: UInt64(Self.fieldMask), fieldNames: Self.fieldNames, bitNames: Self.bitNames,
      zeroName: Self.zeroName, put)
  }
}

/// The flags of openat2(2) that restrict path resolution.
public struct ResolveFlags: NamedFlags {
  public let rawValue: UInt64

  public init(rawValue: UInt64) {
    self.rawValue = rawValue
  }

  public static var RESOLVE_NO_XDEV: Self { Self(rawValue: 1) }
  public static var RESOLVE_NO_MAGICLINKS: Self { Self(rawValue: 2) }
  public static var RESOLVE_NO_SYMLINKS: Self { Self(rawValue: 4) }
  public static var RESOLVE_BENEATH: Self { Self(rawValue: 8) }
  public static var RESOLVE_IN_ROOT: Self { Self(rawValue: 0x10) }
  public static var RESOLVE_CACHED: Self { Self(rawValue: 0x20) }

  public static var bitNames: NameList {
    NameList(
      words: """
        RESOLVE_NO_XDEV RESOLVE_NO_MAGICLINKS RESOLVE_NO_SYMLINKS RESOLVE_BENEATH RESOLVE_IN_ROOT
        RESOLVE_CACHED
        """)
  }
}
