// Names are spelled as in Linux, so that grep and the man pages work.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

/// The clocks of clock_gettime(2) with fixed numbers; negative ones name a process, a thread or a descriptor.
public enum ClockID: Int32, NamedValue {
  case CLOCK_REALTIME = 0
  case CLOCK_MONOTONIC = 1
  case CLOCK_PROCESS_CPUTIME_ID = 2
  case CLOCK_THREAD_CPUTIME_ID = 3
  case CLOCK_MONOTONIC_RAW = 4
  case CLOCK_REALTIME_COARSE = 5
  case CLOCK_MONOTONIC_COARSE = 6
  case CLOCK_BOOTTIME = 7
  case CLOCK_REALTIME_ALARM = 8
  case CLOCK_BOOTTIME_ALARM = 9
  case CLOCK_TAI = 11

  public static func name(of rawValue: Int32) -> StaticString? {
    NameList(
      words: """
        CLOCK_REALTIME CLOCK_MONOTONIC CLOCK_PROCESS_CPUTIME_ID CLOCK_THREAD_CPUTIME_ID CLOCK_MONOTONIC_RAW
        CLOCK_REALTIME_COARSE CLOCK_MONOTONIC_COARSE CLOCK_BOOTTIME CLOCK_REALTIME_ALARM
        CLOCK_BOOTTIME_ALARM - CLOCK_TAI
        """)[Int(truncatingIfNeeded: rawValue)]
  }
}

/// The flags of timer_settime(2) and clock_nanosleep(2).
public struct TimerFlags: NamedFlags {
  public let rawValue: UInt32

  public init(rawValue: UInt32) {
    self.rawValue = rawValue
  }

  public static var TIMER_ABSTIME: Self { Self(rawValue: 1) }

  public static var bitNames: NameList {
    NameList(words: "TIMER_ABSTIME")
  }
}

/// The flags of timerfd_create(2).
public struct TimerFDFlags: NamedFlags {
  public let rawValue: UInt32

  public init(rawValue: UInt32) {
    self.rawValue = rawValue
  }

  public static var TFD_NONBLOCK: Self { Self(rawValue: 0o4000) }
  public static var TFD_CLOEXEC: Self { Self(rawValue: 0o2000000) }

  public static var bitNames: NameList {
    NameList(words: "@11 TFD_NONBLOCK @19 TFD_CLOEXEC")
  }
}

/// The flags of timerfd_settime(2).
public struct TimerFDSetFlags: NamedFlags {
  public let rawValue: UInt32

  public init(rawValue: UInt32) {
    self.rawValue = rawValue
  }

  public static var TFD_TIMER_ABSTIME: Self { Self(rawValue: 1) }
  public static var TFD_TIMER_CANCEL_ON_SET: Self { Self(rawValue: 2) }

  public static var bitNames: NameList {
    NameList(words: "TFD_TIMER_ABSTIME TFD_TIMER_CANCEL_ON_SET")
  }
}

/// The timers of setitimer(2).
public enum IntervalTimerKind: UInt32, NamedValue {
  case ITIMER_REAL = 0
  case ITIMER_VIRTUAL = 1
  case ITIMER_PROF = 2

  public static func name(of rawValue: UInt32) -> StaticString? {
    NameList(words: "ITIMER_REAL ITIMER_VIRTUAL ITIMER_PROF")[Int(truncatingIfNeeded: rawValue)]
  }
}

/// Units of time.
public enum TimeUnit {
  public static var nanosecondsPerSecond: Int64 { 1_000_000_000 }
  public static var microsecondsPerSecond: Int64 { 1_000_000 }
  /// `USER_HZ`: the ticks of times(2) and of `/proc`, `AT_CLKTCK`.
  public static var ticksPerSecond: Int64 { 100 }
}
