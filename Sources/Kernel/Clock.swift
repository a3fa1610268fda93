internal import Platform

/// Nanoseconds since boot from the time stamp counter, and the wall clock over it.
public final class Clock {
  /// ns = base + ((tsc - tscBase) * multiplier) >> shift; the vDSO reads the same numbers.
  public struct Scale: BitwiseCopyable, Sendable {
    public var tscBase: UInt64 = 0
    public var nanosecondBase: UInt64 = 0
    public var multiplier: UInt64 = 1 << 32
    /// Nanoseconds to add for CLOCK_REALTIME.
    public var realtimeOffset: UInt64 = 0
    public init() {}
  }
  public static let shift: UInt64 = 32

  public private(set) var scale: Scale
  /// Called after each change of `scale`: the vDSO's page follows it.
  public var scaleChanged: ((Scale) -> Void)?
  /// Woken each time the wall clock is set: what waits for a wall-clock time looks again.
  public let wasSet = WaitQueue()

  /// A clock that starts at zero at `tscBase`, counting `ticksPerSecond`.
  public init(tscBase: UInt64, ticksPerSecond: UInt64) {
    scale = Scale()
    scale.tscBase = tscBase
    scale.multiplier = Self.multiplier(ticksPerSecond)
  }

  /// The rate of the time stamp counter as it is known now.
  public var ticksPerSecond: UInt64 {
    let (quotient, _) = scale.multiplier.dividingFullWidth((1_000_000_000 >> 32, 1_000_000_000 << 32))
    return quotient
  }

  private static func multiplier(_ ticksPerSecond: UInt64) -> UInt64 {
    let (quotient, _) = max(ticksPerSecond, 1).dividingFullWidth((1_000_000_000 >> 32, 1_000_000_000 << 32))
    return quotient
  }

  /// Monotonic nanoseconds since boot. See CLOCK_MONOTONIC in clock_gettime(2).
  @inline(__always)
  public var now: UInt64 { nanoseconds(at: CPU.timeStampCounter) }

  @inline(__always)
  public func nanoseconds(at tsc: UInt64) -> UInt64 {
    let product = (tsc &- scale.tscBase).multipliedFullWidth(by: scale.multiplier)
    return scale.nanosecondBase &+ (product.high << 32 | product.low >> 32)
  }

  /// Nanoseconds since 1970. See CLOCK_REALTIME in clock_gettime(2).
  public var realtime: UInt64 { now &+ scale.realtimeOffset }

  /// Sets the wall clock, in nanoseconds since 1970.
  public func setRealtime(_ nanoseconds: UInt64) {
    scale.realtimeOffset = nanoseconds &- now
    scaleChanged?(scale)
    wasSet.wakeAll()
  }

  /// Goes on from the present time at a better-known rate.
  public func recalibrate(ticksPerSecond: UInt64) {
    let tsc = CPU.timeStampCounter
    scale.nanosecondBase = nanoseconds(at: tsc)
    scale.tscBase = tsc
    scale.multiplier = Self.multiplier(ticksPerSecond)
    scaleChanged?(scale)
  }
}
