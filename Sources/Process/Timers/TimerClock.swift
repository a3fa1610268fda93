public import Kernel
public import LinuxABI

/// A clock that programs read and set timers by.
public enum TimerClock: Equatable, Sendable {
  /// Wall-clock time.
  case realtime
  /// Time since boot.
  case monotonic
  /// CPU time of the process with this number, or of the caller's for 0.
  case processTime(Int32)
  /// The part of that in the program itself.
  case processUserTime(Int32)
  /// CPU time of the thread with this number, or of the caller for 0.
  case threadTime(Int32)

  /// The clock of a number of clock_gettime(2).
  ///
  /// - Throws: `EINVAL`.
  public init(_ number: Int32) throws(Errno) {
    if number < 0 {
      // Linux's CPU clocks of others: the number is ~(pid << 3) with the kind below; 3 would be a descriptor's clock.
      let kind = number & 3
      guard kind != 3 else { throw .EINVAL }
      let id = ~(number >> 3)
      self = number & 4 != 0 ? .threadTime(id) : .processTime(id)
      return
    }
    guard let clock = ClockID(rawValue: number) else { throw .EINVAL }
    switch clock {
    // TAI's offset is 0 until somebody sets it.
    case .CLOCK_REALTIME, .CLOCK_REALTIME_COARSE, .CLOCK_REALTIME_ALARM, .CLOCK_TAI: self = .realtime
    case .CLOCK_MONOTONIC, .CLOCK_MONOTONIC_RAW, .CLOCK_MONOTONIC_COARSE, .CLOCK_BOOTTIME, .CLOCK_BOOTTIME_ALARM:
      self = .monotonic
    case .CLOCK_PROCESS_CPUTIME_ID: self = .processTime(0)
    case .CLOCK_THREAD_CPUTIME_ID: self = .threadTime(0)
    }
  }
}

extension Clock {
  /// The monotonic time at which the wall clock, as it goes now, will show a time; 0 for one before boot.
  public func monotonic(ofRealtime nanoseconds: UInt64) -> UInt64 {
    nanoseconds > scale.realtimeOffset ? nanoseconds - scale.realtimeOffset : 0
  }
}

extension Thread {
  /// The time of a clock in nanoseconds.
  ///
  /// - Throws: `EINVAL` for a process or thread that is not there.
  public func read(_ clock: TimerClock) throws(Errno) -> UInt64 {
    switch clock {
    case .realtime: return process.system.clock.realtime
    case .monotonic: return process.system.clock.now
    case .processTime(let pid):
      guard let target = pid == 0 ? process : process.system.process(pid) else { throw .EINVAL }
      return target.cpuTime
    case .processUserTime(let pid):
      guard let target = process.system.process(pid) else { throw .EINVAL }
      return target.times.user
    case .threadTime(let tid):
      guard tid != 0 else { return cpuTime }
      guard let target = process.system.thread(tid), target.process === process else { throw .EINVAL }
      return target.cpuTime
    }
  }

  /// The same clock with the caller's number in place of 0.
  func fixed(_ clock: TimerClock) -> TimerClock {
    switch clock {
    case .processTime(0): .processTime(process.pid)
    case .threadTime(0): .threadTime(tid)
    default: clock
    }
  }
}

extension UserProcess {
  /// CPU time of all threads, ended ones too, in nanoseconds.
  public var cpuTime: UInt64 {
    var sum = usage.endedThreadTime
    for thread in threads { sum &+= thread.cpuTime }
    return sum
  }
}

/// What getrusage(2) reports beyond what the threads and the memory count themselves.
public struct ResourceUsage: Sendable {
  /// Nanoseconds of the threads that have ended.
  public internal(set) var endedThreadTime: UInt64 = 0
  /// What is left of the memory's counters once the process has ended.
  public internal(set) var peakResidentPages = 0
  public internal(set) var minorFaults = 0
  /// Sums over the children that were waited for, and over theirs.
  public internal(set) var childrenTimes = CPUTimes()
  public internal(set) var childrenPeakPages = 0
  public internal(set) var childrenFaults = 0

  public init() {}
}
