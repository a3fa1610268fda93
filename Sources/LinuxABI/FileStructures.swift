// Names are spelled as in Linux, so that grep and the man pages work.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

/// A device's number, as stat(2) and mknod(2) encode it.
public struct DeviceNumber: Equatable, Sendable, BitwiseCopyable {
  public let major: UInt32
  public let minor: UInt32

  public init(major: UInt32, minor: UInt32) {
    self.major = major
    self.minor = minor
  }

  /// Takes apart the number that mknod(2) is given.
  public init(encoded: UInt64) {
    major = UInt32(truncatingIfNeeded: encoded >> 8) & 0xfff
    minor = UInt32(truncatingIfNeeded: encoded & 0xff) | UInt32(truncatingIfNeeded: encoded >> 12) & 0xf_ff00
  }

  /// Twelve bits of the major number and twenty of the minor one, in the order of makedev(3).
  public var encoded: UInt64 {
    UInt64(minor & 0xff) | UInt64(major & 0xfff) << 8 | UInt64(minor & 0xf_ff00) << 12
  }
}

/// What stat(2) returns: `struct stat`, 144 bytes.
@frozen
public struct Stat: ABIStruct, Sendable {
  public var st_dev: UInt64 = 0
  public var st_ino: UInt64 = 0
  public var st_nlink: UInt64 = 0
  public var st_mode: FileMode = []
  public var st_uid: UInt32 = 0
  public var st_gid: UInt32 = 0
  private var padding0: UInt32 = 0
  public var st_rdev: UInt64 = 0
  public var st_size: Int64 = 0
  public var st_blksize: Int64 = 0
  /// In units of 512 bytes.
  public var st_blocks: Int64 = 0
  public var st_atim: Timespec = Timespec()
  public var st_mtim: Timespec = Timespec()
  public var st_ctim: Timespec = Timespec()
  private var padding1: InlineArray<3, UInt64> = InlineArray(repeating: 0)

  /// All bytes zero.
  public init() {}
}

/// A time in `Statx`: `struct statx_timestamp`, 16 bytes.
@frozen
public struct StatxTimestamp: ABIStruct, Sendable {
  public var tv_sec: Int64 = 0
  public var tv_nsec: UInt32 = 0
  private var padding0: UInt32 = 0

  /// All bytes zero.
  public init() {}

  public init(_ time: Timespec) {
    tv_sec = time.tv_sec
    tv_nsec = UInt32(truncatingIfNeeded: time.tv_nsec)
  }
}

/// What statx(2) returns: `struct statx`, 256 bytes.
@frozen
public struct Statx: ABIStruct, Sendable {
  public var stx_mask: StatxMask = []
  public var stx_blksize: UInt32 = 0
  public var stx_attributes: StatxAttributes = []
  public var stx_nlink: UInt32 = 0
  public var stx_uid: UInt32 = 0
  public var stx_gid: UInt32 = 0
  public var stx_mode: UInt16 = 0
  private var padding0: UInt16 = 0
  public var stx_ino: UInt64 = 0
  public var stx_size: UInt64 = 0
  public var stx_blocks: UInt64 = 0
  public var stx_attributes_mask: StatxAttributes = []
  public var stx_atime: StatxTimestamp = StatxTimestamp()
  public var stx_btime: StatxTimestamp = StatxTimestamp()
  public var stx_ctime: StatxTimestamp = StatxTimestamp()
  public var stx_mtime: StatxTimestamp = StatxTimestamp()
  public var stx_rdev_major: UInt32 = 0
  public var stx_rdev_minor: UInt32 = 0
  public var stx_dev_major: UInt32 = 0
  public var stx_dev_minor: UInt32 = 0
  public var stx_mnt_id: UInt64 = 0
  public var stx_dio_mem_align: UInt32 = 0
  public var stx_dio_offset_align: UInt32 = 0
  private var padding1: InlineArray<12, UInt64> = InlineArray(repeating: 0)

  /// All bytes zero.
  public init() {}
}

/// What statfs(2) returns: `struct statfs`, 120 bytes.
@frozen
public struct Statfs: ABIStruct, Sendable {
  /// One of `FilesystemMagic`.
  public var f_type: Int64 = 0
  public var f_bsize: Int64 = 0
  public var f_blocks: UInt64 = 0
  public var f_bfree: UInt64 = 0
  public var f_bavail: UInt64 = 0
  public var f_files: UInt64 = 0
  public var f_ffree: UInt64 = 0
  public var f_fsid: UInt64 = 0
  public var f_namelen: Int64 = 0
  public var f_frsize: Int64 = 0
  public var f_flags: StatfsFlags = []
  private var padding0: InlineArray<4, UInt64> = InlineArray(repeating: 0)

  /// All bytes zero.
  public init() {}
}

/// The fixed part of an entry of getdents64(2): `struct linux_dirent64`. The name, its NUL and zeros up to a multiple
/// of 8 follow at `nameOffset`, so a record is copied as this many bytes and not as the whole of this structure.
@frozen
public struct Dirent64: ABIStruct, Sendable {
  public var d_ino: UInt64
  /// The position after this entry, for lseek(2).
  public var d_off: Int64
  /// The length of the record.
  public var d_reclen: UInt16
  /// One of `DirectoryEntryType`.
  public var d_type: UInt8
  private var padding0: UInt8 = 0
  private var padding1: UInt32 = 0

  public init(d_ino: UInt64, d_off: Int64, d_reclen: UInt16, d_type: UInt8) {
    self.d_ino = d_ino
    self.d_off = d_off
    self.d_reclen = d_reclen
    self.d_type = d_type
  }

  /// Where the name begins.
  public static var nameOffset: Int { 19 }

  /// The length of a record whose name has `nameLength` bytes without its NUL.
  public static func recordLength(nameLength: Int) -> Int { (nameOffset + nameLength + 1 + 7) & ~7 }
}

/// A buffer of readv(2): `struct iovec`, 16 bytes.
@frozen
public struct IOVec: ABIStruct, Sendable {
  public var iov_base: UInt64 = 0
  public var iov_len: UInt64 = 0

  /// All bytes zero.
  public init() {}

  public init(iov_base: UInt64, iov_len: UInt64) {
    self.iov_base = iov_base
    self.iov_len = iov_len
  }
}

/// A record lock of fcntl(2): `struct flock`, 32 bytes.
@frozen
public struct Flock: ABIStruct, Sendable {
  /// One of `RecordLockType`.
  public var l_type: Int16 = 0
  public var l_whence: Int16 = 0
  private var padding0: UInt32 = 0
  public var l_start: Int64 = 0
  /// 0 is up to the end of the file, whatever it grows to.
  public var l_len: Int64 = 0
  public var l_pid: Int32 = 0
  private var padding1: UInt32 = 0

  /// All bytes zero.
  public init() {}
}

/// Who gets `SIGIO`: `struct f_owner_ex` of fcntl(2), 8 bytes.
@frozen
public struct FOwnerEx: ABIStruct, Sendable {
  public var type: Int32 = 0
  public var pid: Int32 = 0

  /// All bytes zero.
  public init() {}
}

/// The request of openat2(2): `struct open_how`, 24 bytes.
@frozen
public struct OpenHow: ABIStruct, Sendable {
  /// `OpenFlags`; any other bit is an error.
  public var flags: UInt64 = 0
  public var mode: UInt64 = 0
  public var resolve: ResolveFlags = []

  /// All bytes zero.
  public init() {}
}

/// The fixed part of what read(2) gets from inotify(7): `struct inotify_event`, 16 bytes; `len` bytes of a name follow.
@frozen
public struct InotifyEvent: ABIStruct, Sendable {
  public var wd: Int32 = 0
  public var mask: InotifyEvents = []
  public var cookie: UInt32 = 0
  public var len: UInt32 = 0

  /// All bytes zero.
  public init() {}
}
