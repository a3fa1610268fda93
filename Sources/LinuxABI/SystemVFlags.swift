// Names are spelled as in Linux, so that grep and the man pages work.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

/// The flags of semget(2) and msgget(2), of operations on semaphores and of those on messages. The lowest nine bits are
/// permissions.
public struct IPCFlags: NamedFlags {
  public let rawValue: UInt32

  public init(rawValue: UInt32) {
    self.rawValue = rawValue
  }

  public static var IPC_CREAT: Self { Self(rawValue: 0o1000) }
  public static var IPC_EXCL: Self { Self(rawValue: 0o2000) }
  public static var IPC_NOWAIT: Self { Self(rawValue: 0o4000) }
  public static var MSG_NOERROR: Self { Self(rawValue: 0o10000) }
  public static var MSG_EXCEPT: Self { Self(rawValue: 0o20000) }
  public static var MSG_COPY: Self { Self(rawValue: 0o40000) }

  public static var bitNames: NameList {
    NameList(words: "@9 IPC_CREAT IPC_EXCL IPC_NOWAIT MSG_NOERROR MSG_EXCEPT MSG_COPY")
  }
}

/// The flags of shmget(2) beside those of `IPCFlags`.
public struct SharedMemoryFlags: NamedFlags {
  public let rawValue: UInt32

  public init(rawValue: UInt32) {
    self.rawValue = rawValue
  }

  public static var SHM_HUGETLB: Self { Self(rawValue: 0o4000) }
  public static var SHM_NORESERVE: Self { Self(rawValue: 0o10000) }

  public static var bitNames: NameList {
    NameList(words: "@9 IPC_CREAT IPC_EXCL SHM_HUGETLB SHM_NORESERVE")
  }
}

/// The flags of shmat(2).
public struct AttachFlags: NamedFlags {
  public let rawValue: UInt32

  public init(rawValue: UInt32) {
    self.rawValue = rawValue
  }

  public static var SHM_RDONLY: Self { Self(rawValue: 0o10000) }
  public static var SHM_RND: Self { Self(rawValue: 0o20000) }
  public static var SHM_REMAP: Self { Self(rawValue: 0o40000) }
  public static var SHM_EXEC: Self { Self(rawValue: 0o100000) }

  public static var bitNames: NameList { NameList(words: "@12 SHM_RDONLY SHM_RND SHM_REMAP SHM_EXEC") }
}

/// Commands of shmctl(2), semctl(2) and msgctl(2) that all three know.
public enum IPCCommand {
  public static var IPC_RMID: Int32 { 0 }
  public static var IPC_SET: Int32 { 1 }
  public static var IPC_STAT: Int32 { 2 }
  public static var IPC_INFO: Int32 { 3 }
}

/// Commands of shmctl(2) alone.
public enum SharedMemoryCommand {
  public static var SHM_LOCK: Int32 { 11 }
  public static var SHM_UNLOCK: Int32 { 12 }
  public static var SHM_STAT: Int32 { 13 }
  public static var SHM_INFO: Int32 { 14 }
  public static var SHM_STAT_ANY: Int32 { 15 }
}

/// Commands of semctl(2) alone.
public enum SemaphoreCommand {
  public static var GETPID: Int32 { 11 }
  public static var GETVAL: Int32 { 12 }
  public static var GETALL: Int32 { 13 }
  public static var GETNCNT: Int32 { 14 }
  public static var GETZCNT: Int32 { 15 }
  public static var SETVAL: Int32 { 16 }
  public static var SETALL: Int32 { 17 }
  public static var SEM_STAT: Int32 { 18 }
  public static var SEM_INFO: Int32 { 19 }
  public static var SEM_STAT_ANY: Int32 { 20 }
}

/// Commands of msgctl(2) alone.
public enum MessageQueueCommand {
  public static var MSG_STAT: Int32 { 11 }
  public static var MSG_INFO: Int32 { 12 }
  public static var MSG_STAT_ANY: Int32 { 13 }
}

/// What kcmp(2) compares.
public enum KcmpType {
  public static var KCMP_FILE: Int32 { 0 }
  public static var KCMP_VM: Int32 { 1 }
  public static var KCMP_FILES: Int32 { 2 }
  public static var KCMP_FS: Int32 { 3 }
  public static var KCMP_SIGHAND: Int32 { 4 }
  public static var KCMP_IO: Int32 { 5 }
  public static var KCMP_SYSVSEM: Int32 { 6 }
  public static var KCMP_EPOLL_TFD: Int32 { 7 }
}
