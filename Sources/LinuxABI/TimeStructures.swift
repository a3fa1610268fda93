// Names are spelled as in Linux, so that grep and the man pages work.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

/// A time or a duration in nanoseconds: `struct timespec`, 16 bytes. See timespec(3type).
@frozen
public struct Timespec: ABIStruct, Equatable, Sendable {
  public var tv_sec: Int64 = 0
  public var tv_nsec: Int64 = 0

  public init() {}

  public init(tv_sec: Int64, tv_nsec: Int64) {
    self.tv_sec = tv_sec
    self.tv_nsec = tv_nsec
  }

  /// The seconds and the rest, which is never negative, of a count of nanoseconds.
  public init(nanoseconds: Int64) {
    let (quotient, remainder) = nanoseconds.quotientAndRemainder(dividingBy: 1_000_000_000)
    tv_sec = remainder < 0 ? quotient - 1 : quotient
    tv_nsec = remainder < 0 ? remainder + 1_000_000_000 : remainder
  }

  /// Whether system calls take it as a duration: not negative, less than a second's worth of nanoseconds.
  public var isValidDuration: Bool { tv_sec >= 0 && tv_nsec >= 0 && tv_nsec < 1_000_000_000 }

  /// The count of nanoseconds, at most `Int64.max` (292 years), for a valid duration; nil for another.
  public var saturatedNanoseconds: Int64? {
    guard isValidDuration else { return nil }
    let (product, overflowed) = tv_sec.multipliedReportingOverflow(by: 1_000_000_000)
    let (sum, carried) = product.addingReportingOverflow(tv_nsec)
    return overflowed || carried ? .max : sum
  }
}

/// A time or a duration in microseconds: `struct timeval`, 16 bytes. See timeval(3type).
@frozen
public struct Timeval: ABIStruct, Equatable, Sendable {
  public var tv_sec: Int64 = 0
  public var tv_usec: Int64 = 0

  public init() {}

  public init(tv_sec: Int64, tv_usec: Int64) {
    self.tv_sec = tv_sec
    self.tv_usec = tv_usec
  }

  /// The same time, cut to microseconds.
  public init(_ time: Timespec) {
    tv_sec = time.tv_sec
    tv_usec = time.tv_nsec / 1000
  }

  /// Whether system calls take it as a duration: not negative, less than a second's worth of microseconds.
  public var isValidDuration: Bool { tv_sec >= 0 && tv_usec >= 0 && tv_usec < 1_000_000 }

  /// The count of nanoseconds, at most `Int64.max` (292 years), for a valid duration; nil for another.
  public var saturatedNanoseconds: Int64? {
    guard isValidDuration else { return nil }
    return Timespec(tv_sec: tv_sec, tv_nsec: tv_usec * 1000).saturatedNanoseconds
  }
}

/// A timer of timer_settime(2): `struct itimerspec`, 32 bytes.
@frozen
public struct Itimerspec: ABIStruct, Sendable {
  public var it_interval: Timespec = Timespec()
  public var it_value: Timespec = Timespec()

  /// All bytes zero.
  public init() {}

  public init(it_interval: Timespec, it_value: Timespec) {
    self.it_interval = it_interval
    self.it_value = it_value
  }
}

/// A timer of setitimer(2): `struct itimerval`, 32 bytes.
@frozen
public struct Itimerval: ABIStruct, Sendable {
  public var it_interval: Timeval = Timeval()
  public var it_value: Timeval = Timeval()

  /// All bytes zero.
  public init() {}

  public init(it_interval: Timeval, it_value: Timeval) {
    self.it_interval = it_interval
    self.it_value = it_value
  }
}

/// The time zone of gettimeofday(2): `struct timezone`, 8 bytes.
@frozen
public struct Timezone: ABIStruct, Sendable {
  public var tz_minuteswest: Int32 = 0
  public var tz_dsttime: Int32 = 0

  /// All bytes zero.
  public init() {}
}

/// What times(2) returns, in `TimeUnit.ticksPerSecond`: `struct tms`, 32 bytes.
@frozen
public struct Tms: ABIStruct, Sendable {
  public var tms_utime: Int64 = 0
  public var tms_stime: Int64 = 0
  public var tms_cutime: Int64 = 0
  public var tms_cstime: Int64 = 0

  /// All bytes zero.
  public init() {}
}

/// The times of utime(2): `struct utimbuf`, 16 bytes.
@frozen
public struct Utimbuf: ABIStruct, Sendable {
  public var actime: Int64 = 0
  public var modtime: Int64 = 0

  /// All bytes zero.
  public init() {}
}

/// The state of the clock in adjtimex(2): `struct timex`, 208 bytes.
@frozen
public struct Timex: ABIStruct, Sendable {
  public var modes: UInt32 = 0
  private var padding0: UInt32 = 0
  public var offset: Int64 = 0
  public var freq: Int64 = 0
  public var maxerror: Int64 = 0
  public var esterror: Int64 = 0
  public var status: Int32 = 0
  private var padding1: UInt32 = 0
  public var constant: Int64 = 0
  public var precision: Int64 = 0
  public var tolerance: Int64 = 0
  public var time: Timeval = Timeval()
  public var tick: Int64 = 0
  public var ppsfreq: Int64 = 0
  public var jitter: Int64 = 0
  public var shift: Int32 = 0
  private var padding2: UInt32 = 0
  public var stabil: Int64 = 0
  public var jitcnt: Int64 = 0
  public var calcnt: Int64 = 0
  public var errcnt: Int64 = 0
  public var stbcnt: Int64 = 0
  public var tai: Int32 = 0
  private var padding3: InlineArray<11, UInt32> = InlineArray(repeating: 0)

  /// All bytes zero.
  public init() {}
}
