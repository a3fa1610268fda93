/// A timer's next expiration and period, in nanoseconds of its clock.
public struct TimerSchedule: Equatable, Sendable {
  /// When it expires next; 0 when it is not armed.
  public var deadline: UInt64 = 0
  /// The period; 0 for a single expiration.
  public var interval: UInt64 = 0

  public init() {}

  public init(deadline: UInt64, interval: UInt64) {
    self.deadline = deadline
    self.interval = interval
  }

  public var isArmed: Bool { deadline != 0 }

  /// The time to the next expiration, at least 1 while the timer is armed: 0 means that it is not.
  public func remaining(at now: UInt64) -> UInt64 {
    if deadline == 0 { return 0 }
    return deadline > now ? deadline - now : 1
  }

  /// Moves the deadline past `now` by whole periods.
  ///
  /// - Returns: How many expirations have passed: 0 if none, 1 for a timer in time.
  public mutating func advance(to now: UInt64) -> UInt64 {
    guard isArmed, deadline <= now else { return 0 }
    guard interval > 0 else {
      deadline = 0
      return 1
    }
    let passed = (now - deadline) / interval + 1
    let (distance, overflow) = interval.multipliedReportingOverflow(by: passed)
    let (next, carry) = deadline.addingReportingOverflow(distance)
    deadline = overflow || carry ? .max : next
    return passed
  }

  /// The sum of two times, at most the largest there is.
  public static func sum(_ a: UInt64, _ b: UInt64) -> UInt64 {
    let (sum, overflow) = a.addingReportingOverflow(b)
    return overflow ? .max : sum
  }
}
