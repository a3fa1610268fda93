// Names are spelled as in Linux, so that grep and the man pages work.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

/// The protection of a mapping. See mmap(2) and mprotect(2).
public struct MemoryProtection: NamedFlags {
  public let rawValue: UInt32

  public init(rawValue: UInt32) {
    self.rawValue = rawValue
  }

  public static var PROT_NONE: Self { Self(rawValue: 0) }
  public static var PROT_READ: Self { Self(rawValue: 1) }
  public static var PROT_WRITE: Self { Self(rawValue: 2) }
  public static var PROT_EXEC: Self { Self(rawValue: 4) }
  public static var PROT_SEM: Self { Self(rawValue: 8) }
  public static var PROT_GROWSDOWN: Self { Self(rawValue: 0x1000000) }
  public static var PROT_GROWSUP: Self { Self(rawValue: 0x2000000) }

  public static var bitNames: NameList {
    NameList(words: "PROT_READ PROT_WRITE PROT_EXEC PROT_SEM @24 PROT_GROWSDOWN PROT_GROWSUP")
  }
  public static var zeroName: StaticString { "PROT_NONE" }
}

/// The flags of mmap(2). The lowest four bits are a number, the type.
public struct MappingFlags: NamedFlags {
  public let rawValue: UInt32

  public init(rawValue: UInt32) {
    self.rawValue = rawValue
  }

  public static var MAP_SHARED: Self { Self(rawValue: 1) }
  public static var MAP_PRIVATE: Self { Self(rawValue: 2) }
  public static var MAP_SHARED_VALIDATE: Self { Self(rawValue: 3) }
  public static var MAP_FIXED: Self { Self(rawValue: 0x10) }
  public static var MAP_ANONYMOUS: Self { Self(rawValue: 0x20) }
  public static var MAP_32BIT: Self { Self(rawValue: 0x40) }
  public static var MAP_GROWSDOWN: Self { Self(rawValue: 0x100) }
  public static var MAP_DENYWRITE: Self { Self(rawValue: 0x800) }
  public static var MAP_EXECUTABLE: Self { Self(rawValue: 0x1000) }
  public static var MAP_LOCKED: Self { Self(rawValue: 0x2000) }
  public static var MAP_NORESERVE: Self { Self(rawValue: 0x4000) }
  public static var MAP_POPULATE: Self { Self(rawValue: 0x8000) }
  public static var MAP_NONBLOCK: Self { Self(rawValue: 0x10000) }
  public static var MAP_STACK: Self { Self(rawValue: 0x20000) }
  public static var MAP_HUGETLB: Self { Self(rawValue: 0x40000) }
  public static var MAP_SYNC: Self { Self(rawValue: 0x80000) }
  public static var MAP_FIXED_NOREPLACE: Self { Self(rawValue: 0x100000) }
  public static var MAP_UNINITIALIZED: Self { Self(rawValue: 0x4000000) }

  public static var bitNames: NameList {
    NameList(
      words: """
        @4 MAP_FIXED MAP_ANONYMOUS MAP_32BIT - MAP_GROWSDOWN @11 MAP_DENYWRITE MAP_EXECUTABLE MAP_LOCKED
        MAP_NORESERVE MAP_POPULATE MAP_NONBLOCK MAP_STACK MAP_HUGETLB MAP_SYNC MAP_FIXED_NOREPLACE @26
        MAP_UNINITIALIZED
        """)
  }
  public static var fieldMask: UInt32 { 0xf }
  public static var fieldNames: NameList { NameList(words: "- MAP_SHARED MAP_PRIVATE MAP_SHARED_VALIDATE") }

  /// The bits of the type.
  public static var MAP_TYPE: Self { Self(rawValue: 0xf) }
  /// The position of the six bits that hold the base-two logarithm of the huge page size.
  public static var MAP_HUGE_SHIFT: UInt32 { 26 }

  /// `MAP_SHARED`, `MAP_PRIVATE`, `MAP_SHARED_VALIDATE`, or an invalid number.
  public var type: Self { intersection(.MAP_TYPE) }
}

/// The flags of mremap(2).
public struct RemapFlags: NamedFlags {
  public let rawValue: UInt32

  public init(rawValue: UInt32) {
    self.rawValue = rawValue
  }

  public static var MREMAP_MAYMOVE: Self { Self(rawValue: 1) }
  public static var MREMAP_FIXED: Self { Self(rawValue: 2) }
  public static var MREMAP_DONTUNMAP: Self { Self(rawValue: 4) }

  public static var bitNames: NameList {
    NameList(words: "MREMAP_MAYMOVE MREMAP_FIXED MREMAP_DONTUNMAP")
  }
}

/// The advice of madvise(2).
public enum MemoryAdvice: UInt32, NamedValue {
  case MADV_NORMAL = 0
  case MADV_RANDOM = 1
  case MADV_SEQUENTIAL = 2
  case MADV_WILLNEED = 3
  case MADV_DONTNEED = 4
  case MADV_FREE = 8
  case MADV_REMOVE = 9
  case MADV_DONTFORK = 10
  case MADV_DOFORK = 11
  case MADV_MERGEABLE = 12
  case MADV_UNMERGEABLE = 13
  case MADV_HUGEPAGE = 14
  case MADV_NOHUGEPAGE = 15
  case MADV_DONTDUMP = 16
  case MADV_DODUMP = 17
  case MADV_WIPEONFORK = 18
  case MADV_KEEPONFORK = 19
  case MADV_COLD = 20
  case MADV_PAGEOUT = 21
  case MADV_POPULATE_READ = 22
  case MADV_POPULATE_WRITE = 23
  case MADV_DONTNEED_LOCKED = 24
  case MADV_COLLAPSE = 25
  case MADV_HWPOISON = 100
  case MADV_SOFT_OFFLINE = 101

  public static func name(of rawValue: UInt32) -> StaticString? {
    NameList(
      words: """
        MADV_NORMAL MADV_RANDOM MADV_SEQUENTIAL MADV_WILLNEED MADV_DONTNEED @8 MADV_FREE MADV_REMOVE
        MADV_DONTFORK MADV_DOFORK MADV_MERGEABLE MADV_UNMERGEABLE MADV_HUGEPAGE MADV_NOHUGEPAGE
        MADV_DONTDUMP MADV_DODUMP MADV_WIPEONFORK MADV_KEEPONFORK MADV_COLD MADV_PAGEOUT MADV_POPULATE_READ
        MADV_POPULATE_WRITE MADV_DONTNEED_LOCKED MADV_COLLAPSE @100 MADV_HWPOISON MADV_SOFT_OFFLINE
        """)[Int(truncatingIfNeeded: rawValue)]
  }
}

/// The flags of msync(2).
public struct SyncFlags: NamedFlags {
  public let rawValue: UInt32

  public init(rawValue: UInt32) {
    self.rawValue = rawValue
  }

  public static var MS_ASYNC: Self { Self(rawValue: 1) }
  public static var MS_INVALIDATE: Self { Self(rawValue: 2) }
  public static var MS_SYNC: Self { Self(rawValue: 4) }

  public static var bitNames: NameList {
    NameList(words: "MS_ASYNC MS_INVALIDATE MS_SYNC")
  }
}

/// The flags of mlockall(2).
public struct LockAllFlags: NamedFlags {
  public let rawValue: UInt32

  public init(rawValue: UInt32) {
    self.rawValue = rawValue
  }

  public static var MCL_CURRENT: Self { Self(rawValue: 1) }
  public static var MCL_FUTURE: Self { Self(rawValue: 2) }
  public static var MCL_ONFAULT: Self { Self(rawValue: 4) }

  public static var bitNames: NameList {
    NameList(words: "MCL_CURRENT MCL_FUTURE MCL_ONFAULT")
  }
}

/// The flags of mlock2(2).
public struct LockFlags: NamedFlags {
  public let rawValue: UInt32

  public init(rawValue: UInt32) {
    self.rawValue = rawValue
  }

  public static var MLOCK_ONFAULT: Self { Self(rawValue: 1) }

  public static var bitNames: NameList {
    NameList(words: "MLOCK_ONFAULT")
  }
}

/// The flags of memfd_create(2).
public struct MemFdFlags: NamedFlags {
  public let rawValue: UInt32

  public init(rawValue: UInt32) {
    self.rawValue = rawValue
  }

  public static var MFD_CLOEXEC: Self { Self(rawValue: 1) }
  public static var MFD_ALLOW_SEALING: Self { Self(rawValue: 2) }
  public static var MFD_HUGETLB: Self { Self(rawValue: 4) }
  public static var MFD_NOEXEC_SEAL: Self { Self(rawValue: 8) }
  public static var MFD_EXEC: Self { Self(rawValue: 0x10) }

  public static var bitNames: NameList {
    NameList(words: "MFD_CLOEXEC MFD_ALLOW_SEALING MFD_HUGETLB MFD_NOEXEC_SEAL MFD_EXEC")
  }
}

/// The flags of getrandom(2).
public struct GetRandomFlags: NamedFlags {
  public let rawValue: UInt32

  public init(rawValue: UInt32) {
    self.rawValue = rawValue
  }

  public static var GRND_NONBLOCK: Self { Self(rawValue: 1) }
  public static var GRND_RANDOM: Self { Self(rawValue: 2) }
  public static var GRND_INSECURE: Self { Self(rawValue: 4) }

  public static var bitNames: NameList {
    NameList(words: "GRND_NONBLOCK GRND_RANDOM GRND_INSECURE")
  }
}

/// The command of membarrier(2), and the set of commands that its query returns.
public struct MembarrierCommand: NamedFlags {
  public let rawValue: UInt32

  public init(rawValue: UInt32) {
    self.rawValue = rawValue
  }

  public static var MEMBARRIER_CMD_QUERY: Self { Self(rawValue: 0) }
  public static var MEMBARRIER_CMD_GLOBAL: Self { Self(rawValue: 1) }
  public static var MEMBARRIER_CMD_GLOBAL_EXPEDITED: Self { Self(rawValue: 2) }
  public static var MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED: Self { Self(rawValue: 4) }
  public static var MEMBARRIER_CMD_PRIVATE_EXPEDITED: Self { Self(rawValue: 8) }
  public static var MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED: Self { Self(rawValue: 0x10) }
  public static var MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE: Self { Self(rawValue: 0x20) }
  public static var MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE: Self { Self(rawValue: 0x40) }
  public static var MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ: Self { Self(rawValue: 0x80) }
  public static var MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ: Self { Self(rawValue: 0x100) }

  public static var bitNames: NameList {
    NameList(
      words: """
        MEMBARRIER_CMD_GLOBAL MEMBARRIER_CMD_GLOBAL_EXPEDITED MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED
        MEMBARRIER_CMD_PRIVATE_EXPEDITED MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED
        MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE
        MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ
        """)
  }
  public static var zeroName: StaticString { "MEMBARRIER_CMD_QUERY" }
}
