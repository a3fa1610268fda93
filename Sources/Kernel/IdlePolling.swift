/// A device that may answer sooner than the CPU falls asleep and wakes.
public protocol PolledDevice: AnyObject {
  /// Whether it has something that it has not finished.
  var isBusy: Bool { get }
  /// Asks it for no interrupts, as somebody looks by himself.
  func beginPolling()
  /// Serves what it has finished.
  func poll()
  /// Serves what it has finished, and asks for interrupts again.
  func endPolling()
}

/// Whether the CPU looks for replies for some microseconds before it sleeps, when there is nothing else to do. It does
/// where that was the quicker way lately: the other way is tried now and then. Linux's guests have the governor haltpoll
/// for this. See docs/decisions/0004.
final class IdlePolling {
  /// How long to look: as late as Linux's timers may be without being asked for more.
  private static var window: UInt64 { 50_000 }
  /// What counts of a wait at the most: longer ones say nothing about how it was waited.
  private static var limit: UInt64 { 200_000 }
  /// One of so many waits goes the way that is not the better one.
  private static var trialMask: UInt32 { 15 }

  var devices: [any PolledDevice] = []
  private let timers: TimerQueue
  private var count: UInt32 = 0
  /// Nanoseconds of a wait on the average.
  private var whenPolling: UInt64 = 0
  private var whenSleeping = window
  private var isPolling = false
  private var isMeasuring = false

  init(_ timers: TimerQueue) { self.timers = timers }

  /// The CPU has nothing to do from here on. Looks until something `isReady`, if that is the better way.
  func begin(_ start: UInt64, _ isReady: () -> Bool) {
    isMeasuring = false
    for device in devices where device.isBusy { isMeasuring = true }
    if !isMeasuring { return }
    count &+= 1
    isPolling = (whenPolling &+ whenPolling / 8 < whenSleeping) != (count & Self.trialMask == 0)
    if !isPolling { return }
    for device in devices { device.beginPolling() }
    repeat {
      for device in devices { device.poll() }
    } while !isReady() && timers.now() &- start < Self.window
    for device in devices { device.endPolling() }
  }

  /// There is something to do again, after so many nanoseconds.
  func end(_ duration: UInt64) {
    guard isMeasuring else { return }
    let part = min(duration, Self.limit) / 8
    if isPolling {
      whenPolling = whenPolling &- whenPolling / 8 &+ part
    } else {
      whenSleeping = whenSleeping &- whenSleeping / 8 &+ part
    }
  }
}
