internal import Platform

/// The PC's interval timer as a free-running counter. Intel 8254 data sheet.
///
/// Channel 0 is used in mode 0, whose counter goes on after it has reached zero: the firmware leaves it in a periodic
/// mode, which would wake an idle host eighteen times a second.
struct IntervalTimer {
  static var ticksPerSecond: UInt64 { 1_193_182 }
  /// The counter wraps after this many ticks.
  static var period: UInt64 { 1 << 16 }

  /// Starts the counter.
  static func start() {
    Ports.write8(0x43, 0x30)
    Ports.write8(0x40, 0)
    Ports.write8(0x40, 0)
  }

  /// The counter, which counts downwards, with the time stamp of when it was latched.
  static func sample() -> CounterSample {
    CounterSample.best {
      Ports.write8(0x43, 0)
    } value: {
      let low = Ports.read8(0x40)
      return UInt64(low) | UInt64(Ports.read8(0x40)) << 8
    }
  }
}

/// A counter's value and the time stamp at which it was so.
struct CounterSample: Equatable {
  var timeStamp: UInt64
  var value: UInt64
  /// How far off the time stamp may be.
  var uncertainty: UInt64

  /// Reads a counter several times, and keeps the reading that took least: whatever interrupts this CPU, a host's
  /// scheduler or the translation of code that runs for the first time, widens a bracket. Goes on while that gets
  /// better by half.
  ///
  /// - Parameters:
  ///   - latch: Makes the device hold its value: the moment that the time stamps bracket.
  ///   - value: Gives what was held.
  static func best(latch: () -> Void, value: () -> UInt64) -> CounterSample {
    var best = CounterSample(timeStamp: 0, value: 0, uncertainty: .max)
    // A fixed number of rounds would be unrolled, and each round be new code.
    var patience = 2
    while patience > 0 {
      patience -= 1
      let before = CPU.timeStampCounter
      latch()
      let width = CPU.timeStampCounter &- before
      let value = value()
      if width < best.uncertainty {
        if width < best.uncertainty / 2 { patience = 2 }
        best = CounterSample(timeStamp: before &+ width / 2, value: value, uncertainty: width)
      }
    }
    return best
  }
}
