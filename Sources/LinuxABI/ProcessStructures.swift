// Names are spelled as in Linux, so that grep and the man pages work.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

/// The arguments of clone3(2): `struct clone_args`, 88 bytes.
@frozen
public struct CloneArgs: ABIStruct, Sendable {
  public var flags: CloneFlags = []
  public var pidfd: UInt64 = 0
  public var child_tid: UInt64 = 0
  public var parent_tid: UInt64 = 0
  public var exit_signal: UInt64 = 0
  /// The lowest address of the stack, unlike clone(2)'s.
  public var stack: UInt64 = 0
  public var stack_size: UInt64 = 0
  public var tls: UInt64 = 0
  public var set_tid: UInt64 = 0
  public var set_tid_size: UInt64 = 0
  public var cgroup: UInt64 = 0

  /// All bytes zero.
  public init() {}

  /// The sizes that versions 0, 1 and 2 have; a smaller one than the first is `EINVAL`.
  public static var CLONE_ARGS_SIZE_VER0: Int { 64 }
  public static var CLONE_ARGS_SIZE_VER1: Int { 80 }
  public static var CLONE_ARGS_SIZE_VER2: Int { 88 }
}

/// The head of a thread's robust futexes: `struct robust_list_head`, 24 bytes. See get_robust_list(2).
@frozen
public struct RobustListHead: ABIStruct, Sendable {
  /// The first entry; the address of the head itself ends the list. Bit 0 says that the futex inherits priority.
  public var next: UInt64 = 0
  /// From an entry to its futex.
  public var futex_offset: Int64 = 0
  public var list_op_pending: UInt64 = 0

  /// All bytes zero.
  public init() {}
}

/// One futex of several that are waited for: `struct futex_waitv`, 24 bytes. See futex_waitv(2).
@frozen
public struct FutexWaitv: ABIStruct, Sendable {
  public var val: UInt64 = 0
  public var uaddr: UInt64 = 0
  public var flags: UInt32 = 0
  public var __reserved: UInt32 = 0

  /// All bytes zero.
  public init() {}

  public static var FUTEX_32: UInt32 { 2 }
  public static var FUTEX_WAITV_MAX: UInt32 { 128 }
  public var isPrivate: Bool { flags & FutexFlags.FUTEX_PRIVATE_FLAG.rawValue != 0 }
}

/// The area of restartable sequences: `struct rseq` of `linux/rseq.h`, 32 bytes, aligned to 32. See rseq(2).
@frozen
public struct RSeq: ABIStruct, Sendable {
  public var cpu_id_start: UInt32 = 0
  public var cpu_id: UInt32 = 0
  public var rseq_cs: UInt64 = 0
  public var flags: UInt32 = 0
  public var node_id: UInt32 = 0
  public var mm_cid: UInt32 = 0
  private var padding0: UInt32 = 0

  /// All bytes zero.
  public init() {}

  /// The values of `cpu_id` before registration and after it failed.
  public static var RSEQ_CPU_ID_UNINITIALIZED: UInt32 { UInt32(bitPattern: -1) }
  public static var RSEQ_CPU_ID_REGISTRATION_FAILED: UInt32 { UInt32(bitPattern: -2) }
  /// The flag of the system call that unregisters.
  public static var RSEQ_FLAG_UNREGISTER: UInt32 { 1 }
}

/// A restartable sequence: `struct rseq_cs`, 32 bytes.
@frozen
public struct RSeqCriticalSection: ABIStruct, Sendable {
  public var version: UInt32 = 0
  public var flags: UInt32 = 0
  public var start_ip: UInt64 = 0
  public var post_commit_offset: UInt64 = 0
  public var abort_ip: UInt64 = 0

  /// All bytes zero.
  public init() {}
}
