// Names are spelled as in Linux, so that grep and the man pages work.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

/// The flags of clone(2), clone3(2) and unshare(2). The lowest byte of clone(2) is the exit signal.
public struct CloneFlags: NamedFlags {
  public let rawValue: UInt64

  public init(rawValue: UInt64) {
    self.rawValue = rawValue
  }

  /// Only in clone3(2) and unshare(2): the bit belongs to the exit signal in clone(2).
  public static var CLONE_NEWTIME: Self { Self(rawValue: 0x80) }
  public static var CLONE_VM: Self { Self(rawValue: 0x100) }
  public static var CLONE_FS: Self { Self(rawValue: 0x200) }
  public static var CLONE_FILES: Self { Self(rawValue: 0x400) }
  public static var CLONE_SIGHAND: Self { Self(rawValue: 0x800) }
  public static var CLONE_PIDFD: Self { Self(rawValue: 0x1000) }
  public static var CLONE_PTRACE: Self { Self(rawValue: 0x2000) }
  public static var CLONE_VFORK: Self { Self(rawValue: 0x4000) }
  public static var CLONE_PARENT: Self { Self(rawValue: 0x8000) }
  public static var CLONE_THREAD: Self { Self(rawValue: 0x10000) }
  public static var CLONE_NEWNS: Self { Self(rawValue: 0x20000) }
  public static var CLONE_SYSVSEM: Self { Self(rawValue: 0x40000) }
  public static var CLONE_SETTLS: Self { Self(rawValue: 0x80000) }
  public static var CLONE_PARENT_SETTID: Self { Self(rawValue: 0x100000) }
  public static var CLONE_CHILD_CLEARTID: Self { Self(rawValue: 0x200000) }
  public static var CLONE_DETACHED: Self { Self(rawValue: 0x400000) }
  public static var CLONE_UNTRACED: Self { Self(rawValue: 0x800000) }
  public static var CLONE_CHILD_SETTID: Self { Self(rawValue: 0x1000000) }
  public static var CLONE_NEWCGROUP: Self { Self(rawValue: 0x2000000) }
  public static var CLONE_NEWUTS: Self { Self(rawValue: 0x4000000) }
  public static var CLONE_NEWIPC: Self { Self(rawValue: 0x8000000) }
  public static var CLONE_NEWUSER: Self { Self(rawValue: 0x1000_0000) }
  public static var CLONE_NEWPID: Self { Self(rawValue: 0x2000_0000) }
  public static var CLONE_NEWNET: Self { Self(rawValue: 0x4000_0000) }
  public static var CLONE_IO: Self { Self(rawValue: 0x8000_0000) }
  /// Only in clone3(2).
  public static var CLONE_CLEAR_SIGHAND: Self { Self(rawValue: 0x1_0000_0000) }
  /// Only in clone3(2).
  public static var CLONE_INTO_CGROUP: Self { Self(rawValue: 0x2_0000_0000) }

  public static var bitNames: NameList {
    NameList(
      words: """
        @8 CLONE_VM CLONE_FS CLONE_FILES CLONE_SIGHAND CLONE_PIDFD CLONE_PTRACE CLONE_VFORK CLONE_PARENT
        CLONE_THREAD CLONE_NEWNS CLONE_SYSVSEM CLONE_SETTLS CLONE_PARENT_SETTID CLONE_CHILD_CLEARTID
        CLONE_DETACHED CLONE_UNTRACED CLONE_CHILD_SETTID CLONE_NEWCGROUP CLONE_NEWUTS CLONE_NEWIPC
        CLONE_NEWUSER CLONE_NEWPID CLONE_NEWNET CLONE_IO CLONE_CLEAR_SIGHAND CLONE_INTO_CGROUP
        """)
  }

  /// The bits of the exit signal in clone(2).
  public static var CSIGNAL: Self { Self(rawValue: 0xff) }

  /// The exit signal in the lowest byte of clone(2)'s flags; 0 is none.
  public var exitSignal: Int32 { Int32(truncatingIfNeeded: rawValue & 0xff) }

  /// Writes the flags of clone(2) as strace(1) does, the exit signal last: `CLONE_VM|CLONE_VFORK|SIGCHLD`.
  public func writeNames(_ put: (UInt8) -> Void) {
    let flags = rawValue & ~0xff
    if flags != 0 || exitSignal == 0 {
      writeFlags(flags, fieldMask: 0, fieldNames: Self.fieldNames, bitNames: Self.bitNames, zeroName: "0", put)
    }
    if exitSignal != 0 {
      if flags != 0 { put(UInt8(ascii: "|")) }
      Signal.writeName(of: exitSignal, put)
    }
  }
}

/// The options of wait4(2) and waitid(2).
public struct WaitOptions: NamedFlags {
  public let rawValue: UInt32

  public init(rawValue: UInt32) {
    self.rawValue = rawValue
  }

  public static var WNOHANG: Self { Self(rawValue: 1) }
  public static var WUNTRACED: Self { Self(rawValue: 2) }
  /// The same bit as `WUNTRACED`.
  public static var WSTOPPED: Self { Self(rawValue: 2) }
  public static var WEXITED: Self { Self(rawValue: 4) }
  public static var WCONTINUED: Self { Self(rawValue: 8) }
  /// Leaves the child to be waited for again.
  public static var WNOWAIT: Self { Self(rawValue: 0x1000000) }
  public static var __WNOTHREAD: Self { Self(rawValue: 0x2000_0000) }
  public static var __WALL: Self { Self(rawValue: 0x4000_0000) }
  public static var __WCLONE: Self { Self(rawValue: 0x8000_0000) }

  public static var bitNames: NameList {
    NameList(words: "WNOHANG WUNTRACED WEXITED WCONTINUED @24 WNOWAIT @29 __WNOTHREAD __WALL __WCLONE")
  }
}

/// What waitid(2) waits for.
public enum WaitIDType: UInt32, NamedValue {
  case P_ALL = 0
  case P_PID = 1
  case P_PGID = 2
  case P_PIDFD = 3

  public static func name(of rawValue: UInt32) -> StaticString? {
    NameList(words: "P_ALL P_PID P_PGID P_PIDFD")[Int(truncatingIfNeeded: rawValue)]
  }
}

/// The status that wait4(2) returns.
public struct WaitStatus: Equatable, Sendable, BitwiseCopyable {
  public let rawValue: Int32

  /// Ended by exit(2): only the lowest eight bits of the code reach the parent.
  public static func exited(_ code: Int32) -> Self { Self(rawValue: (code & 0xff) << 8) }
  /// Killed by a signal.
  public static func signaled(_ signal: Signal, coreDumped: Bool) -> Self {
    Self(rawValue: signal.rawValue | (coreDumped ? 0x80 : 0))
  }
  /// Stopped by a signal.
  public static func stopped(_ signal: Signal) -> Self { Self(rawValue: signal.rawValue << 8 | 0x7f) }
  /// Continued by `SIGCONT`.
  public static var continued: Self { Self(rawValue: 0xffff) }

  private init(rawValue: Int32) {
    self.rawValue = rawValue
  }
}

/// The options of prctl(2).
public enum PrctlOption: UInt32, NamedValue {
  case PR_SET_PDEATHSIG = 1
  case PR_GET_PDEATHSIG = 2
  case PR_GET_DUMPABLE = 3
  case PR_SET_DUMPABLE = 4
  case PR_GET_UNALIGN = 5
  case PR_SET_UNALIGN = 6
  case PR_GET_KEEPCAPS = 7
  case PR_SET_KEEPCAPS = 8
  case PR_GET_FPEMU = 9
  case PR_SET_FPEMU = 10
  case PR_GET_FPEXC = 11
  case PR_SET_FPEXC = 12
  case PR_GET_TIMING = 13
  case PR_SET_TIMING = 14
  case PR_SET_NAME = 15
  case PR_GET_NAME = 16
  case PR_GET_ENDIAN = 19
  case PR_SET_ENDIAN = 20
  case PR_GET_SECCOMP = 21
  case PR_SET_SECCOMP = 22
  case PR_CAPBSET_READ = 23
  case PR_CAPBSET_DROP = 24
  case PR_GET_TSC = 25
  case PR_SET_TSC = 26
  case PR_GET_SECUREBITS = 27
  case PR_SET_SECUREBITS = 28
  case PR_SET_TIMERSLACK = 29
  case PR_GET_TIMERSLACK = 30
  case PR_TASK_PERF_EVENTS_DISABLE = 31
  case PR_TASK_PERF_EVENTS_ENABLE = 32
  case PR_MCE_KILL = 33
  case PR_MCE_KILL_GET = 34
  case PR_SET_MM = 35
  case PR_SET_CHILD_SUBREAPER = 36
  case PR_GET_CHILD_SUBREAPER = 37
  case PR_SET_NO_NEW_PRIVS = 38
  case PR_GET_NO_NEW_PRIVS = 39
  case PR_GET_TID_ADDRESS = 40
  case PR_SET_THP_DISABLE = 41
  case PR_GET_THP_DISABLE = 42
  case PR_MPX_ENABLE_MANAGEMENT = 43
  case PR_MPX_DISABLE_MANAGEMENT = 44
  case PR_SET_FP_MODE = 45
  case PR_GET_FP_MODE = 46
  case PR_CAP_AMBIENT = 47
  case PR_GET_SPECULATION_CTRL = 52
  case PR_SET_SPECULATION_CTRL = 53
  case PR_SET_IO_FLUSHER = 57
  case PR_GET_IO_FLUSHER = 58
  case PR_SET_SYSCALL_USER_DISPATCH = 59
  case PR_SCHED_CORE = 62
  case PR_SET_MDWE = 65
  case PR_GET_MDWE = 66
  case PR_SET_VMA = 1_398_164_801
  case PR_SET_PTRACER = 1_499_557_217

  public static func name(of rawValue: UInt32) -> StaticString? {
    NameList(
      words: """
        - PR_SET_PDEATHSIG PR_GET_PDEATHSIG PR_GET_DUMPABLE PR_SET_DUMPABLE PR_GET_UNALIGN PR_SET_UNALIGN
        PR_GET_KEEPCAPS PR_SET_KEEPCAPS PR_GET_FPEMU PR_SET_FPEMU PR_GET_FPEXC PR_SET_FPEXC PR_GET_TIMING
        PR_SET_TIMING PR_SET_NAME PR_GET_NAME @19 PR_GET_ENDIAN PR_SET_ENDIAN PR_GET_SECCOMP PR_SET_SECCOMP
        PR_CAPBSET_READ PR_CAPBSET_DROP PR_GET_TSC PR_SET_TSC PR_GET_SECUREBITS PR_SET_SECUREBITS
        PR_SET_TIMERSLACK PR_GET_TIMERSLACK PR_TASK_PERF_EVENTS_DISABLE PR_TASK_PERF_EVENTS_ENABLE
        PR_MCE_KILL PR_MCE_KILL_GET PR_SET_MM PR_SET_CHILD_SUBREAPER PR_GET_CHILD_SUBREAPER
        PR_SET_NO_NEW_PRIVS PR_GET_NO_NEW_PRIVS PR_GET_TID_ADDRESS PR_SET_THP_DISABLE PR_GET_THP_DISABLE
        PR_MPX_ENABLE_MANAGEMENT PR_MPX_DISABLE_MANAGEMENT PR_SET_FP_MODE PR_GET_FP_MODE PR_CAP_AMBIENT @52
        PR_GET_SPECULATION_CTRL PR_SET_SPECULATION_CTRL @57 PR_SET_IO_FLUSHER PR_GET_IO_FLUSHER
        PR_SET_SYSCALL_USER_DISPATCH @62 PR_SCHED_CORE @65 PR_SET_MDWE PR_GET_MDWE @1398164801 PR_SET_VMA
        @1499557217 PR_SET_PTRACER
        """)[Int(truncatingIfNeeded: rawValue)]
  }
}

/// The codes of arch_prctl(2).
public enum ArchPrctlCode: UInt32, NamedValue {
  case ARCH_SET_GS = 0x1001
  case ARCH_SET_FS = 0x1002
  case ARCH_GET_FS = 0x1003
  case ARCH_GET_GS = 0x1004
  case ARCH_GET_CPUID = 0x1011
  case ARCH_SET_CPUID = 0x1012
  case ARCH_GET_XCOMP_SUPP = 0x1021
  case ARCH_GET_XCOMP_PERM = 0x1022
  case ARCH_REQ_XCOMP_PERM = 0x1023
  case ARCH_GET_XCOMP_GUEST_PERM = 0x1024
  case ARCH_REQ_XCOMP_GUEST_PERM = 0x1025
  case ARCH_MAP_VDSO_X32 = 0x2001
  case ARCH_MAP_VDSO_32 = 0x2002
  case ARCH_MAP_VDSO_64 = 0x2003
  /// Of an interface that Linux never took; glibc 2.36 asks, and must get `EINVAL`.
  case ARCH_CET_STATUS = 0x3001

  public static func name(of rawValue: UInt32) -> StaticString? {
    NameList(
      words: """
        @4097 ARCH_SET_GS ARCH_SET_FS ARCH_GET_FS ARCH_GET_GS @4113 ARCH_GET_CPUID ARCH_SET_CPUID @4129
        ARCH_GET_XCOMP_SUPP ARCH_GET_XCOMP_PERM ARCH_REQ_XCOMP_PERM ARCH_GET_XCOMP_GUEST_PERM
        ARCH_REQ_XCOMP_GUEST_PERM @8193 ARCH_MAP_VDSO_X32 ARCH_MAP_VDSO_32 ARCH_MAP_VDSO_64 @12289
        ARCH_CET_STATUS
        """)[Int(truncatingIfNeeded: rawValue)]
  }
}

/// The execution domain of personality(2): the lowest byte is a number, the rest are flags.
public struct PersonaFlags: NamedFlags {
  public let rawValue: UInt32

  public init(rawValue: UInt32) {
    self.rawValue = rawValue
  }

  public static var PER_LINUX: Self { Self(rawValue: 0) }
  public static var ADDR_NO_RANDOMIZE: Self { Self(rawValue: 0x40000) }
  public static var FDPIC_FUNCPTRS: Self { Self(rawValue: 0x80000) }
  public static var MMAP_PAGE_ZERO: Self { Self(rawValue: 0x100000) }
  public static var ADDR_COMPAT_LAYOUT: Self { Self(rawValue: 0x200000) }
  public static var READ_IMPLIES_EXEC: Self { Self(rawValue: 0x400000) }
  public static var ADDR_LIMIT_32BIT: Self { Self(rawValue: 0x800000) }
  public static var SHORT_INODE: Self { Self(rawValue: 0x1000000) }
  public static var WHOLE_SECONDS: Self { Self(rawValue: 0x2000000) }
  public static var STICKY_TIMEOUTS: Self { Self(rawValue: 0x4000000) }
  public static var ADDR_LIMIT_3GB: Self { Self(rawValue: 0x8000000) }

  public static var bitNames: NameList {
    NameList(
      words: """
        @18 ADDR_NO_RANDOMIZE FDPIC_FUNCPTRS MMAP_PAGE_ZERO ADDR_COMPAT_LAYOUT READ_IMPLIES_EXEC
        ADDR_LIMIT_32BIT SHORT_INODE WHOLE_SECONDS STICKY_TIMEOUTS ADDR_LIMIT_3GB
        """)
  }
  public static var fieldMask: UInt32 { 0xff }
  public static var fieldNames: NameList { NameList(words: "PER_LINUX") }
}

/// The limits of getrlimit(2).
public enum ResourceLimitKind: UInt32, NamedValue {
  case RLIMIT_CPU = 0
  case RLIMIT_FSIZE = 1
  case RLIMIT_DATA = 2
  case RLIMIT_STACK = 3
  case RLIMIT_CORE = 4
  case RLIMIT_RSS = 5
  case RLIMIT_NPROC = 6
  case RLIMIT_NOFILE = 7
  case RLIMIT_MEMLOCK = 8
  case RLIMIT_AS = 9
  case RLIMIT_LOCKS = 10
  case RLIMIT_SIGPENDING = 11
  case RLIMIT_MSGQUEUE = 12
  case RLIMIT_NICE = 13
  case RLIMIT_RTPRIO = 14
  case RLIMIT_RTTIME = 15

  public static func name(of rawValue: UInt32) -> StaticString? {
    NameList(
      words: """
        RLIMIT_CPU RLIMIT_FSIZE RLIMIT_DATA RLIMIT_STACK RLIMIT_CORE RLIMIT_RSS RLIMIT_NPROC RLIMIT_NOFILE
        RLIMIT_MEMLOCK RLIMIT_AS RLIMIT_LOCKS RLIMIT_SIGPENDING RLIMIT_MSGQUEUE RLIMIT_NICE RLIMIT_RTPRIO
        RLIMIT_RTTIME
        """)[Int(truncatingIfNeeded: rawValue)]
  }

  /// The number of limits.
  public static var RLIM_NLIMITS: Int { 16 }
  /// The value of a limit that is none.
  public static var RLIM_INFINITY: UInt64 { .max }
}

/// Whose usage getrusage(2) returns.
public enum ResourceUsageWho: Int32, NamedValue {
  case RUSAGE_CHILDREN = -1
  case RUSAGE_SELF = 0
  case RUSAGE_THREAD = 1

  public static func name(of rawValue: Int32) -> StaticString? {
    NameList(words: "@-1 RUSAGE_CHILDREN RUSAGE_SELF RUSAGE_THREAD")[Int(truncatingIfNeeded: rawValue)]
  }
}

/// What the `who` of getpriority(2) names.
public enum PriorityWhich: UInt32, NamedValue {
  case PRIO_PROCESS = 0
  case PRIO_PGRP = 1
  case PRIO_USER = 2

  public static func name(of rawValue: UInt32) -> StaticString? {
    NameList(words: "PRIO_PROCESS PRIO_PGRP PRIO_USER")[Int(truncatingIfNeeded: rawValue)]
  }
}

/// The policies of sched_setscheduler(2).
public enum SchedulingPolicy: UInt32, NamedValue {
  case SCHED_NORMAL = 0
  case SCHED_FIFO = 1
  case SCHED_RR = 2
  case SCHED_BATCH = 3
  case SCHED_IDLE = 5
  case SCHED_DEADLINE = 6

  public static func name(of rawValue: UInt32) -> StaticString? {
    NameList(words: "SCHED_NORMAL SCHED_FIFO SCHED_RR SCHED_BATCH - SCHED_IDLE SCHED_DEADLINE")[
      Int(truncatingIfNeeded: rawValue)]
  }

  /// A flag beside the policy: children start with `SCHED_NORMAL`.
  public static var SCHED_RESET_ON_FORK: UInt32 { 0x4000_0000 }
}

/// The flags of execveat(2).
public struct ExecveatFlags: NamedFlags {
  public let rawValue: UInt32

  public init(rawValue: UInt32) {
    self.rawValue = rawValue
  }

  public static var AT_SYMLINK_NOFOLLOW: Self { Self(rawValue: 0x100) }
  public static var AT_EMPTY_PATH: Self { Self(rawValue: 0x1000) }

  public static var bitNames: NameList {
    NameList(words: "@8 AT_SYMLINK_NOFOLLOW @12 AT_EMPTY_PATH")
  }
}

/// The magic numbers and the commands of reboot(2).
public enum Reboot {
  public static var LINUX_REBOOT_MAGIC1: UInt32 { 0xfee1_dead }
  public static var LINUX_REBOOT_MAGIC2: UInt32 { 0x2812_1969 }
  public static var LINUX_REBOOT_MAGIC2A: UInt32 { 0x5121996 }
  public static var LINUX_REBOOT_MAGIC2B: UInt32 { 0x1604_1998 }
  public static var LINUX_REBOOT_MAGIC2C: UInt32 { 0x2011_2000 }
  public static var LINUX_REBOOT_CMD_RESTART: UInt32 { 0x1234567 }
  public static var LINUX_REBOOT_CMD_HALT: UInt32 { 0xcdef_0123 }
  public static var LINUX_REBOOT_CMD_CAD_ON: UInt32 { 0x89ab_cdef }
  public static var LINUX_REBOOT_CMD_CAD_OFF: UInt32 { 0 }
  public static var LINUX_REBOOT_CMD_POWER_OFF: UInt32 { 0x4321_fedc }
  public static var LINUX_REBOOT_CMD_RESTART2: UInt32 { 0xa1b2_c3d4 }
}

/// The versions of `UserCapHeader`. See capget(2).
public enum CapabilityVersion {
  public static var _LINUX_CAPABILITY_VERSION_1: UInt32 { 0x1998_0330 }
  public static var _LINUX_CAPABILITY_VERSION_2: UInt32 { 0x2007_1026 }
  public static var _LINUX_CAPABILITY_VERSION_3: UInt32 { 0x2008_0522 }

  /// The number of the last capability, `CAP_CHECKPOINT_RESTORE`.
  public static var CAP_LAST_CAP: UInt32 { 40 }
}
