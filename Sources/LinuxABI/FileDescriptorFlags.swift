// Names are spelled as in Linux, so that grep and the man pages work.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

/// The descriptor number that stands for the working directory in openat(2) and its like.
public let AT_FDCWD: Int32 = -100

/// The commands of fcntl(2).
public enum FcntlCommand: UInt32, NamedValue {
  case F_DUPFD = 0
  case F_GETFD = 1
  case F_SETFD = 2
  case F_GETFL = 3
  case F_SETFL = 4
  case F_GETLK = 5
  case F_SETLK = 6
  case F_SETLKW = 7
  case F_SETOWN = 8
  case F_GETOWN = 9
  case F_SETSIG = 10
  case F_GETSIG = 11
  case F_SETOWN_EX = 15
  case F_GETOWN_EX = 16
  case F_GETOWNER_UIDS = 17
  case F_OFD_GETLK = 36
  case F_OFD_SETLK = 37
  case F_OFD_SETLKW = 38
  case F_SETLEASE = 1024
  case F_GETLEASE = 1025
  case F_NOTIFY = 1026
  case F_CANCELLK = 1029
  case F_DUPFD_CLOEXEC = 1030
  case F_SETPIPE_SZ = 1031
  case F_GETPIPE_SZ = 1032
  case F_ADD_SEALS = 1033
  case F_GET_SEALS = 1034
  case F_GET_RW_HINT = 1035
  case F_SET_RW_HINT = 1036
  case F_GET_FILE_RW_HINT = 1037
  case F_SET_FILE_RW_HINT = 1038

  public static func name(of rawValue: UInt32) -> StaticString? {
    NameList(
      words: """
        F_DUPFD F_GETFD F_SETFD F_GETFL F_SETFL F_GETLK F_SETLK F_SETLKW F_SETOWN F_GETOWN F_SETSIG F_GETSIG
        @15 F_SETOWN_EX F_GETOWN_EX F_GETOWNER_UIDS @36 F_OFD_GETLK F_OFD_SETLK F_OFD_SETLKW @1024
        F_SETLEASE F_GETLEASE F_NOTIFY @1029 F_CANCELLK F_DUPFD_CLOEXEC F_SETPIPE_SZ F_GETPIPE_SZ
        F_ADD_SEALS F_GET_SEALS F_GET_RW_HINT F_SET_RW_HINT F_GET_FILE_RW_HINT F_SET_FILE_RW_HINT
        """)[Int(truncatingIfNeeded: rawValue)]
  }
}

/// The flags of a descriptor itself: fcntl(2) `F_SETFD`.
public struct FileDescriptorFlags: NamedFlags {
  public let rawValue: UInt32

  public init(rawValue: UInt32) {
    self.rawValue = rawValue
  }

  public static var FD_CLOEXEC: Self { Self(rawValue: 1) }

  public static var bitNames: NameList {
    NameList(words: "FD_CLOEXEC")
  }
}

/// The seals of fcntl(2) `F_ADD_SEALS`.
public struct FileSeals: NamedFlags {
  public let rawValue: UInt32

  public init(rawValue: UInt32) {
    self.rawValue = rawValue
  }

  public static var F_SEAL_SEAL: Self { Self(rawValue: 1) }
  public static var F_SEAL_SHRINK: Self { Self(rawValue: 2) }
  public static var F_SEAL_GROW: Self { Self(rawValue: 4) }
  public static var F_SEAL_WRITE: Self { Self(rawValue: 8) }
  public static var F_SEAL_FUTURE_WRITE: Self { Self(rawValue: 0x10) }

  public static var bitNames: NameList {
    NameList(words: "F_SEAL_SEAL F_SEAL_SHRINK F_SEAL_GROW F_SEAL_WRITE F_SEAL_FUTURE_WRITE")
  }
}

/// The `l_type` of a record lock, and of a lease. See fcntl(2).
public enum RecordLockType: Int16, NamedValue {
  case F_RDLCK = 0
  case F_WRLCK = 1
  case F_UNLCK = 2

  public static func name(of rawValue: Int16) -> StaticString? {
    NameList(words: "F_RDLCK F_WRLCK F_UNLCK")[Int(truncatingIfNeeded: rawValue)]
  }
}

/// The `type` of `FOwnerEx`. See fcntl(2) `F_SETOWN_EX`.
public enum OwnerType: Int32, NamedValue {
  case F_OWNER_TID = 0
  case F_OWNER_PID = 1
  case F_OWNER_PGRP = 2

  public static func name(of rawValue: Int32) -> StaticString? {
    NameList(words: "F_OWNER_TID F_OWNER_PID F_OWNER_PGRP")[Int(truncatingIfNeeded: rawValue)]
  }
}

/// The operation of flock(2).
public struct FlockOperation: NamedFlags {
  public let rawValue: UInt32

  public init(rawValue: UInt32) {
    self.rawValue = rawValue
  }

  public static var LOCK_SH: Self { Self(rawValue: 1) }
  public static var LOCK_EX: Self { Self(rawValue: 2) }
  public static var LOCK_NB: Self { Self(rawValue: 4) }
  public static var LOCK_UN: Self { Self(rawValue: 8) }

  public static var bitNames: NameList {
    NameList(words: "LOCK_SH LOCK_EX LOCK_NB LOCK_UN")
  }
}

/// The flags of close_range(2).
public struct CloseRangeFlags: NamedFlags {
  public let rawValue: UInt32

  public init(rawValue: UInt32) {
    self.rawValue = rawValue
  }

  public static var CLOSE_RANGE_UNSHARE: Self { Self(rawValue: 2) }
  public static var CLOSE_RANGE_CLOEXEC: Self { Self(rawValue: 4) }

  public static var bitNames: NameList {
    NameList(words: "- CLOSE_RANGE_UNSHARE CLOSE_RANGE_CLOEXEC")
  }
}

/// The flags of dup3(2).
public struct DuplicateFlags: NamedFlags {
  public let rawValue: UInt32

  public init(rawValue: UInt32) {
    self.rawValue = rawValue
  }

  public static var O_CLOEXEC: Self { Self(rawValue: 0o2000000) }

  public static var bitNames: NameList {
    NameList(words: "@19 O_CLOEXEC")
  }
}

/// What the offset of lseek(2) counts from.
public enum SeekWhence: UInt32, NamedValue {
  case SEEK_SET = 0
  case SEEK_CUR = 1
  case SEEK_END = 2
  case SEEK_DATA = 3
  case SEEK_HOLE = 4

  public static func name(of rawValue: UInt32) -> StaticString? {
    NameList(words: "SEEK_SET SEEK_CUR SEEK_END SEEK_DATA SEEK_HOLE")[Int(truncatingIfNeeded: rawValue)]
  }
}

/// The flags of preadv2(2) and pwritev2(2).
public struct ReadWriteFlags: NamedFlags {
  public let rawValue: UInt32

  public init(rawValue: UInt32) {
    self.rawValue = rawValue
  }

  public static var RWF_HIPRI: Self { Self(rawValue: 1) }
  public static var RWF_DSYNC: Self { Self(rawValue: 2) }
  public static var RWF_SYNC: Self { Self(rawValue: 4) }
  public static var RWF_NOWAIT: Self { Self(rawValue: 8) }
  public static var RWF_APPEND: Self { Self(rawValue: 0x10) }

  public static var bitNames: NameList {
    NameList(words: "RWF_HIPRI RWF_DSYNC RWF_SYNC RWF_NOWAIT RWF_APPEND")
  }
}

/// The flags of splice(2), tee(2) and vmsplice(2).
public struct SpliceFlags: NamedFlags {
  public let rawValue: UInt32

  public init(rawValue: UInt32) {
    self.rawValue = rawValue
  }

  public static var SPLICE_F_MOVE: Self { Self(rawValue: 1) }
  public static var SPLICE_F_NONBLOCK: Self { Self(rawValue: 2) }
  public static var SPLICE_F_MORE: Self { Self(rawValue: 4) }
  public static var SPLICE_F_GIFT: Self { Self(rawValue: 8) }

  /// What splice(2) takes.
  public static var all: Self { Self(rawValue: 15) }

  public static var bitNames: NameList {
    NameList(words: "SPLICE_F_MOVE SPLICE_F_NONBLOCK SPLICE_F_MORE SPLICE_F_GIFT")
  }
}

/// The mode of fallocate(2).
public struct FallocateMode: NamedFlags {
  public let rawValue: UInt32

  public init(rawValue: UInt32) {
    self.rawValue = rawValue
  }

  public static var FALLOC_FL_KEEP_SIZE: Self { Self(rawValue: 1) }
  public static var FALLOC_FL_PUNCH_HOLE: Self { Self(rawValue: 2) }
  public static var FALLOC_FL_COLLAPSE_RANGE: Self { Self(rawValue: 8) }
  public static var FALLOC_FL_ZERO_RANGE: Self { Self(rawValue: 0x10) }
  public static var FALLOC_FL_INSERT_RANGE: Self { Self(rawValue: 0x20) }
  public static var FALLOC_FL_UNSHARE_RANGE: Self { Self(rawValue: 0x40) }

  public static var bitNames: NameList {
    NameList(
      words: """
        FALLOC_FL_KEEP_SIZE FALLOC_FL_PUNCH_HOLE - FALLOC_FL_COLLAPSE_RANGE FALLOC_FL_ZERO_RANGE
        FALLOC_FL_INSERT_RANGE FALLOC_FL_UNSHARE_RANGE
        """)
  }
}

/// The advice of posix_fadvise(2).
public enum FileAdvice: UInt32, NamedValue {
  case POSIX_FADV_NORMAL = 0
  case POSIX_FADV_RANDOM = 1
  case POSIX_FADV_SEQUENTIAL = 2
  case POSIX_FADV_WILLNEED = 3
  case POSIX_FADV_DONTNEED = 4
  case POSIX_FADV_NOREUSE = 5

  public static func name(of rawValue: UInt32) -> StaticString? {
    NameList(
      words: """
        POSIX_FADV_NORMAL POSIX_FADV_RANDOM POSIX_FADV_SEQUENTIAL POSIX_FADV_WILLNEED POSIX_FADV_DONTNEED
        POSIX_FADV_NOREUSE
        """)[Int(truncatingIfNeeded: rawValue)]
  }
}

/// The flags of sync_file_range(2).
public struct SyncFileRangeFlags: NamedFlags {
  public let rawValue: UInt32

  public init(rawValue: UInt32) {
    self.rawValue = rawValue
  }

  public static var SYNC_FILE_RANGE_WAIT_BEFORE: Self { Self(rawValue: 1) }
  public static var SYNC_FILE_RANGE_WRITE: Self { Self(rawValue: 2) }
  public static var SYNC_FILE_RANGE_WAIT_AFTER: Self { Self(rawValue: 4) }

  public static var bitNames: NameList {
    NameList(words: "SYNC_FILE_RANGE_WAIT_BEFORE SYNC_FILE_RANGE_WRITE SYNC_FILE_RANGE_WAIT_AFTER")
  }
}
