// Names are spelled as in Linux, so that grep and the man pages work.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

/// What uname(2) returns: `struct new_utsname`, 390 bytes.
@frozen
public struct Utsname: ABIStruct, Sendable {
  /// A text of at most 64 bytes, filled up with NUL bytes.
  public typealias Field = InlineArray<65, UInt8>

  public var sysname = Field(repeating: 0)
  public var nodename = Field(repeating: 0)
  public var release = Field(repeating: 0)
  public var version = Field(repeating: 0)
  public var machine = Field(repeating: 0)
  public var domainname = Field(repeating: 0)

  public init() {}

  /// A field of these bytes; what is beyond the 64th is dropped.
  public static func field(_ bytes: Span<UInt8>) -> Field {
    var field = Field(repeating: 0)
    for index in 0..<min(bytes.count, 64) { field[index] = bytes[index] }
    return field
  }

  /// A field of a literal; what is beyond the 64th byte is dropped.
  public static func field(_ text: StaticString) -> Field {
    var field = Field(repeating: 0)
    var count = 0
    write(text) { byte in
      if count < 64 { field[count] = byte }
      count += 1
    }
    return field
  }
}

/// What sysinfo(2) returns: `struct sysinfo`, 112 bytes.
@frozen
public struct Sysinfo: ABIStruct, Sendable {
  /// In seconds.
  public var uptime: Int64 = 0
  /// The load averages of 1, 5 and 15 minutes, times 65536.
  public var loads: InlineArray<3, UInt64> = InlineArray(repeating: 0)
  public var totalram: UInt64 = 0
  public var freeram: UInt64 = 0
  public var sharedram: UInt64 = 0
  public var bufferram: UInt64 = 0
  public var totalswap: UInt64 = 0
  public var freeswap: UInt64 = 0
  public var procs: UInt16 = 0
  private var padding0: UInt16 = 0
  private var padding1: UInt32 = 0
  public var totalhigh: UInt64 = 0
  public var freehigh: UInt64 = 0
  /// The bytes in a unit of the sizes above.
  public var mem_unit: UInt32 = 0
  private var padding2: UInt32 = 0

  /// All bytes zero.
  public init() {}
}

/// What getrusage(2) returns: `struct rusage`, 144 bytes.
@frozen
public struct Rusage: ABIStruct, Sendable {
  public var ru_utime: Timeval = Timeval()
  public var ru_stime: Timeval = Timeval()
  /// In units of 1024 bytes.
  public var ru_maxrss: Int64 = 0
  public var ru_ixrss: Int64 = 0
  public var ru_idrss: Int64 = 0
  public var ru_isrss: Int64 = 0
  public var ru_minflt: Int64 = 0
  public var ru_majflt: Int64 = 0
  public var ru_nswap: Int64 = 0
  public var ru_inblock: Int64 = 0
  public var ru_oublock: Int64 = 0
  public var ru_msgsnd: Int64 = 0
  public var ru_msgrcv: Int64 = 0
  public var ru_nsignals: Int64 = 0
  public var ru_nvcsw: Int64 = 0
  public var ru_nivcsw: Int64 = 0

  /// All bytes zero.
  public init() {}
}

/// A limit of getrlimit(2): `struct rlimit64`, 16 bytes.
@frozen
public struct Rlimit: ABIStruct, Sendable {
  public var rlim_cur: UInt64 = 0
  public var rlim_max: UInt64 = 0

  /// All bytes zero.
  public init() {}

  public init(rlim_cur: UInt64, rlim_max: UInt64) {
    self.rlim_cur = rlim_cur
    self.rlim_max = rlim_max
  }
}

/// The parameters of sched_setparam(2): `struct sched_param`, 4 bytes.
@frozen
public struct SchedParam: ABIStruct, Sendable {
  public var sched_priority: Int32 = 0

  /// All bytes zero.
  public init() {}
}

/// The parameters of sched_setattr(2): `struct sched_attr`, 56 bytes.
@frozen
public struct SchedAttr: ABIStruct, Sendable {
  public var size: UInt32 = 0
  public var sched_policy: UInt32 = 0
  public var sched_flags: UInt64 = 0
  public var sched_nice: Int32 = 0
  public var sched_priority: UInt32 = 0
  public var sched_runtime: UInt64 = 0
  public var sched_deadline: UInt64 = 0
  public var sched_period: UInt64 = 0
  public var sched_util_min: UInt32 = 0
  public var sched_util_max: UInt32 = 0

  /// All bytes zero.
  public init() {}
}

/// The header of capget(2): `struct __user_cap_header_struct`, 8 bytes.
@frozen
public struct UserCapHeader: ABIStruct, Sendable {
  /// One of `CapabilityVersion`.
  public var version: UInt32 = 0
  public var pid: Int32 = 0

  /// All bytes zero.
  public init() {}
}

/// The sets of capget(2), two of them from version 2 on: `struct __user_cap_data_struct`, 12 bytes.
@frozen
public struct UserCapData: ABIStruct, Sendable {
  public var effective: UInt32 = 0
  public var permitted: UInt32 = 0
  public var inheritable: UInt32 = 0

  /// All bytes zero.
  public init() {}
}
