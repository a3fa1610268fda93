public import Kernel
public import LinuxABI
internal import Platform

/// This CPU's interrupt controller and its one-shot timer. Intel SDM volume 3, chapter 11.
///
/// Registers are reached by MSR (x2APIC) where the CPU has that, else in memory. The timer is the TSC deadline where
/// CPUID has that, else the counter.
public final class LocalAPIC: ClockEventDevice {
  /// Register numbers: times 16 the offset in memory, plus 0x800 the MSR.
  private enum Register: UInt32 {
    case identifier = 0x02
    case taskPriority = 0x08
    case endOfInterrupt = 0x0b
    case spurious = 0x0f
    case timer = 0x32
    case line0 = 0x35
    case line1 = 0x36
    case initialCount = 0x38
    case currentCount = 0x39
    case divide = 0x3e
  }

  private static var baseMSR: UInt32 { 0x1b }
  private static var deadlineMSR: UInt32 { 0x6e0 }
  private static var masked: UInt32 { 1 << 16 }
  /// The counter runs at the bus frequency divided by this: long sleeps fit into 32 bits, and QEMU's 1 GHz still gives
  /// 16 ns.
  public static var divisor: UInt64 { 16 }

  public let isX2APIC: Bool
  public let usesDeadline: Bool
  /// What messages and routes name as their destination.
  public let identifier: UInt32
  private let base: UInt
  /// Timer ticks per nanosecond, times 2^32: of the TSC for the deadline, else of the counter.
  private var multiplier: UInt64 = 0

  /// Enables the APIC with its lines masked: what the legacy controllers may still say never arrives.
  ///
  /// - Throws: `ENOMEM` when the registers cannot be mapped.
  public init(mapper: DeviceMapper) throws(Errno) {
    var msr = CPU.readMSR(Self.baseMSR)
    var x2 = msr & 0x400 != 0
    if !x2, CPU.has(.x2apic) || msr & 0x800 == 0 {
      // x2APIC may only be entered from the enabled state.
      msr |= 0x800
      CPU.writeMSR(Self.baseMSR, msr)
      if CPU.has(.x2apic) {
        x2 = true
        CPU.writeMSR(Self.baseMSR, msr | 0x400)
      }
    }
    isX2APIC = x2
    usesDeadline = CPU.has(.tscDeadline)
    base = x2 ? 0 : try mapper.map(physical: UInt(msr & 0x000f_ffff_ffff_f000), count: pageSize)
    identifier = x2 ? UInt32(truncatingIfNeeded: CPU.readMSR(0x802)) : DeviceMemory.read32(base + 0x20) >> 24
    set(.line0, Self.masked)
    set(.line1, 0x400)  // NMI
    set(.taskPriority, 0)
    set(.spurious, 0x100 | UInt32(InterruptTable.spuriousVector))
    set(.divide, 0b0011)  // by 16
    set(.timer, Self.masked | UInt32(InterruptTable.timerVector))
  }

  @inline(__always)
  private func read(_ register: Register) -> UInt32 {
    isX2APIC
      ? UInt32(truncatingIfNeeded: CPU.readMSR(0x800 + register.rawValue))
      : DeviceMemory.read32(base &+ UInt(register.rawValue) &* 16)
  }
  @inline(__always)
  private func write(_ register: Register, _ value: UInt32) {
    if isX2APIC {
      CPU.writeMSR(0x800 + register.rawValue, UInt64(value))
    } else {
      DeviceMemory.write32(base &+ UInt(register.rawValue) &* 16, value)
    }
  }

  /// As `write`, in one place: code that runs once costs by its length.
  @inline(never)
  private func set(_ register: Register, _ value: UInt32) { write(register, value) }

  /// Tells the APIC that the interrupt in service is done.
  @inline(__always)
  public func endOfInterrupt() { write(.endOfInterrupt, 0) }

  /// Lets the counter run down from its maximum without an interrupt, for calibration.
  func startCounting() { set(.initialCount, .max) }
  var currentCount: UInt32 { read(.currentCount) }

  /// Makes `arm` work, with the interrupt at `InterruptTable.timerVector`.
  ///
  /// - Parameters:
  ///   - busTicksPerSecond: What the counter counts before division.
  ///   - timeStampTicksPerSecond: The TSC's frequency.
  public func startTimer(busTicksPerSecond: UInt64, timeStampTicksPerSecond: UInt64) {
    let vector = UInt32(InterruptTable.timerVector)
    if usesDeadline {
      setTimerFrequency(timeStampTicksPerSecond)
      set(.timer, 1 << 18 | vector)
      // The mode must have arrived before the first deadline does: SDM volume 3, 11.5.4.1.
      CPU.memoryBarrier()
    } else {
      set(.initialCount, 0)
      setTimerFrequency(busTicksPerSecond / Self.divisor)
      set(.timer, vector)
    }
  }

  /// Follows a better-known TSC frequency.
  public func recalibrate(timeStampTicksPerSecond: UInt64) {
    if usesDeadline { setTimerFrequency(timeStampTicksPerSecond) }
  }

  private func setTimerFrequency(_ ticksPerSecond: UInt64) {
    multiplier = TimeStampCalibration.scaled(ticksPerSecond, 1 << 32, over: 1_000_000_000)
  }

  /// See `ClockEventDevice`. A time beyond the counter's range interrupts early, which the timer queue expects.
  public func arm(after nanoseconds: UInt64) {
    let product = nanoseconds.multipliedFullWidth(by: multiplier)
    let ticks = product.high >> 32 != 0 ? UInt64.max : product.high << 32 | product.low >> 32
    if usesDeadline {
      let (deadline, overflow) = CPU.timeStampCounter.addingReportingOverflow(ticks)
      CPU.writeMSR(Self.deadlineMSR, overflow ? .max : deadline)
    } else {
      // Zero would stop the timer.
      write(.initialCount, UInt32(clamping: max(ticks, 1)))
    }
  }
}
