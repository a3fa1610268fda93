public import Kernel
internal import Platform

/// Finds out how fast the time stamp counter and the local APIC's timer run.
///
/// Where the machine says (CPUID, the hypervisor's leaf, kvmclock), that holds. Else both are measured against a counter
/// whose rate is known: under QEMU the local APIC's, which counts nanoseconds of the guest's time there, elsewhere the
/// interval timer. The measurement starts in `init` and ends in `finish`: what boot does in between makes it better and
/// costs nothing. `refine` later compares over a base line of seconds.
public final class TimeStampCalibration {
  public enum Source: Sendable {
    /// CPUID leaf 0x15. Intel SDM volume 3, 19.7.3.
    case cpuid
    /// Leaf 0x40000010, which VMware defined and others follow.
    case hypervisorLeaf
    /// The multiplier of KVM's clock.
    case kvmClock
    /// Measured against the local APIC's timer, whose rate the hypervisor's kind tells.
    case apicTimer
    /// Measured against the interval timer.
    case intervalTimer
    /// Nothing to measure against: a guess.
    case assumed
  }

  /// What `finish` found.
  public struct Result: Equatable, Sendable {
    public var timeStampTicksPerSecond: UInt64
    /// What the local APIC's timer counts before division.
    public var busTicksPerSecond: UInt64
    public var source: Source
  }

  /// QEMU's and KVM's local APIC counts nanoseconds.
  private static var virtualBusTicksPerSecond: UInt64 { 1_000_000_000 }
  /// Rates outside of this are no TSC's.
  private static var plausible: ClosedRange<UInt64> { 50_000_000...20_000_000_000 }

  private let localAPIC: LocalAPIC
  private let known: Result?
  private let virtualBus: Bool
  private var apicStart = CounterSample(timeStamp: 0, value: 0, uncertainty: .max)
  private var intervalStart = CounterSample(timeStamp: 0, value: 0, uncertainty: .max)
  private var current: UInt64 = 0
  private var source = Source.assumed

  /// Starts the counters.
  ///
  /// - Parameter kvmClock: The hypervisor's clock, if the machine has it.
  public init(localAPIC: LocalAPIC, kvmClock: KVMClock?) {
    self.localAPIC = localAPIC
    let hypervisor = HypervisorKind.current
    virtualBus = hypervisor == .kvm || hypervisor == .tcg
    known = Self.stated(hypervisor, kvmClock)
    // Also when nothing is to be measured: the firmware's periodic mode must end.
    IntervalTimer.start()
    guard known == nil else { return }
    intervalStart = IntervalTimer.sample()
    localAPIC.startCounting()
    apicStart = Self.sample(localAPIC)
  }

  @inline(never)
  private static func sample(_ localAPIC: LocalAPIC) -> CounterSample {
    var value: UInt64 = 0
    return CounterSample.best {
      value = UInt64(localAPIC.currentCount)
    } value: {
      value
    }
  }

  /// What the machine says without a measurement.
  private static func stated(_ hypervisor: HypervisorKind, _ kvmClock: KVMClock?) -> Result? {
    let virtual = hypervisor == .kvm || hypervisor == .tcg ? virtualBusTicksPerSecond : 0
    if let leaf = HypervisorKind.timingLeaf, plausible.contains(leaf.timeStampTicksPerSecond) {
      return Result(
        timeStampTicksPerSecond: leaf.timeStampTicksPerSecond,
        busTicksPerSecond: leaf.busTicksPerSecond != 0 ? leaf.busTicksPerSecond : virtual, source: .hypervisorLeaf)
    }
    if let rate = kvmClock?.timeStampTicksPerSecond, plausible.contains(rate) {
      return Result(timeStampTicksPerSecond: rate, busTicksPerSecond: virtualBusTicksPerSecond, source: .kvmClock)
    }
    if CPU.cpuid(0).eax >= 0x15 {
      let leaf = CPU.cpuid(0x15)
      if let rate = timeStampRate(denominator: leaf.eax, numerator: leaf.ebx, crystal: leaf.ecx),
        plausible.contains(rate)
      {
        return Result(
          timeStampTicksPerSecond: rate, busTicksPerSecond: virtual != 0 ? virtual : UInt64(leaf.ecx), source: .cpuid)
      }
    }
    return nil
  }

  /// Ends the measurement, when it has lasted half a millisecond at least. To be called as late in boot as can be, and
  /// before any timer is armed.
  public func finish() -> Result {
    let result = known ?? measure()
    current = result.timeStampTicksPerSecond
    source = result.source
    return result
  }

  private func measure() -> Result {
    if virtualBus {
      let wanted = Self.virtualBusTicksPerSecond / LocalAPIC.divisor / 2000
      // An APIC whose timer stands still must not hold up the boot.
      for _ in 0..<100_000 {
        let end = Self.sample(localAPIC)
        let ticks = apicStart.value &- end.value
        guard ticks >= wanted, ticks <= apicStart.value else { continue }
        let rate = Self.scaled(
          end.timeStamp &- apicStart.timeStamp, Self.virtualBusTicksPerSecond / LocalAPIC.divisor, over: ticks)
        guard Self.plausible.contains(rate) else { break }
        return Result(
          timeStampTicksPerSecond: rate, busTicksPerSecond: Self.virtualBusTicksPerSecond, source: .apicTimer)
      }
    }
    let wanted = IntervalTimer.ticksPerSecond / 1000
    for _ in 0..<100_000 {
      let end = IntervalTimer.sample()
      let ticks = (intervalStart.value &- end.value) & (IntervalTimer.period - 1)
      guard ticks >= wanted else {
        if end.value == 0xffff, intervalStart.value == 0xffff { break }  // no such device
        continue
      }
      let apicEnd = Self.sample(localAPIC)
      let rate = Self.scaled(end.timeStamp &- intervalStart.timeStamp, IntervalTimer.ticksPerSecond, over: ticks)
      guard Self.plausible.contains(rate) else { break }
      let bus = Self.scaled(
        (apicStart.value &- apicEnd.value) &* LocalAPIC.divisor, rate,
        over: max(apicEnd.timeStamp &- apicStart.timeStamp, 1))
      return Result(timeStampTicksPerSecond: rate, busTicksPerSecond: bus, source: .intervalTimer)
    }
    return Result(
      timeStampTicksPerSecond: 1_000_000_000, busTicksPerSecond: Self.virtualBusTicksPerSecond, source: .assumed)
  }

  /// Whether `refine` can make a difference: not where the machine stated the rate.
  public var canRefine: Bool { known == nil && intervalStart.value != 0xffff }

  /// Has `refine` called when it can better what is known: after a second and after half a minute, and after a tenth of
  /// a second too when the interval timer was all there was at boot.
  public func scheduleRefinement(_ clock: Clock, _ timers: TimerQueue) {
    guard canRefine else { return }
    let start = clock.now
    var delays: [UInt64] = [30_000_000_000, 1_000_000_000]
    if source != .apicTimer { delays.append(100_000_000) }
    for delay in delays {
      timers.add(TimerEntry { [self] in refine(clock) }, at: start + delay)
    }
  }

  /// Compares the time stamp counter with the interval timer over all the time since boot, and corrects `clock` and the
  /// local APIC's deadlines. Takes some microseconds. The interval timer wraps every 55 ms; each call makes the estimate
  /// good enough to tell how often it has by the next.
  public func refine(_ clock: Clock) {
    guard canRefine, current != 0 else { return }
    let now = IntervalTimer.sample()
    guard
      let rate = Self.refined(
        start: intervalStart, now: now, estimate: current, counterRate: IntervalTimer.ticksPerSecond,
        counterPeriod: IntervalTimer.period)
    else { return }
    current = rate
    clock.recalibrate(ticksPerSecond: rate)
    localAPIC.recalibrate(timeStampTicksPerSecond: rate)
  }

  /// The rate of the time stamp counter by two samples of a counter that counts down and wraps; nil when the samples
  /// contradict the estimate by more than a hundredth, as they do after the machine was stopped for a while.
  static func refined(
    start: CounterSample, now: CounterSample, estimate: UInt64, counterRate: UInt64, counterPeriod: UInt64
  ) -> UInt64? {
    let elapsed = now.timeStamp &- start.timeStamp
    let expected = scaled(elapsed, counterRate, over: estimate)
    let part = (start.value &- now.value) & (counterPeriod - 1)
    // The whole count that is congruent to `part` and nearest to what is expected.
    let base = expected &+ counterPeriod / 2 &- part
    let ticks = base >> 63 != 0 ? part : base / counterPeriod &* counterPeriod &+ part
    guard ticks > 0 else { return nil }
    let rate = scaled(elapsed, counterRate, over: ticks)
    let difference = rate > estimate ? rate - estimate : estimate - rate
    return difference <= estimate / 100 ? rate : nil
  }

  /// `value * factor / divisor` without overflow in between; the greatest number where the result does not fit.
  static func scaled(_ value: UInt64, _ factor: UInt64, over divisor: UInt64) -> UInt64 {
    let product = value.multipliedFullWidth(by: factor)
    guard product.high < divisor else { return .max }
    return divisor.dividingFullWidth(product).quotient
  }

  /// CPUID leaf 0x15: the TSC runs at the crystal's rate times numerator over denominator. Nil when it does not say.
  static func timeStampRate(denominator: UInt32, numerator: UInt32, crystal: UInt32) -> UInt64? {
    guard denominator != 0, numerator != 0, crystal != 0 else { return nil }
    return scaled(UInt64(crystal), UInt64(numerator), over: UInt64(denominator))
  }
}
