/// How many tasks ran or could, averaged over one, five and fifteen minutes as Linux does: a sample every five seconds,
/// with fixed-point arithmetic of 11 bits. See `loadavg` of proc(5) and Linux 6.1, kernel/sched/loadavg.c.
public final class LoadAverage {
  private static var one: UInt64 { 1 << 11 }
  private static var interval: UInt64 { 5_000_000_000 }
  /// What remains of the old value at each sample.
  private static var decays: InlineArray<3, UInt64> { [1884, 2014, 2037] }

  private var values: InlineArray<3, UInt64> = [0, 0, 0]

  /// Starts to sample.
  ///
  /// - Parameter runnable: How many tasks run or could now.
  public init(_ timers: TimerQueue, runnable: @escaping () -> Int) {
    let timer = Relay()
    let entry = TimerEntry { timer.fire() }
    timer.fire = { [self] in
      sample(UInt64(max(runnable(), 0)))
      timers.add(entry, at: timers.now() &+ Self.interval)
    }
    timers.add(entry, at: timers.now() &+ Self.interval)
  }

  /// Stands between the entry, which is made with what it does, and the closure, which needs the entry.
  private final class Relay {
    var fire: () -> Void = {}
  }

  func sample(_ runnable: UInt64) {
    let active = runnable &* Self.one
    for index in 0..<3 {
      let decay = Self.decays[index]
      var sum = values[index] &* decay &+ active &* (Self.one &- decay)
      if active >= values[index] { sum &+= Self.one &- 1 }
      values[index] = sum / Self.one
    }
  }

  /// Hundredths of the average over one (0), five (1) or fifteen (2) minutes.
  public func hundredths(_ index: Int) -> UInt64 { (values[index] &+ Self.one / 200) &* 100 / Self.one }
}
