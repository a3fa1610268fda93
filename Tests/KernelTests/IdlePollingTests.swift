import Platform
import Testing

@testable import Kernel

/// A device whose reply is there after some looks.
private final class Answering: PolledDevice {
  var isBusy = true
  private(set) var begun = 0
  private(set) var ended = 0
  private(set) var looks = 0
  func beginPolling() { begun += 1 }
  func poll() { looks += 1 }
  func endPolling() { ended += 1 }
}

@Suite struct IdlePollingTests {
  private let timers = TimerQueue(clock: Clock(tscBase: 0, ticksPerSecond: 1_000_000_000))
  private let device = Answering()
  private let polling: IdlePolling

  init() {
    polling = IdlePolling(timers)
    polling.devices.append(device)
  }

  /// Waits `count` times; says how often the device was looked at.
  private func wait(_ count: Int, whenPolling: UInt64, whenSleeping: UInt64) -> Int {
    let before = device.begun
    for _ in 0..<count {
      let begun = device.begun
      polling.begin(timers.now()) { true }
      polling.end(device.begun > begun ? whenPolling : whenSleeping)
    }
    #expect(device.ended == device.begun)
    return device.begun - before
  }

  @Test func nobodyLooksForWhatWasNotAskedFor() {
    device.isBusy = false
    #expect(wait(100, whenPolling: 1, whenSleeping: 1) == 0)
  }

  @Test func theQuickerWayIsTakenAndTheOtherTried() {
    // Both have become known after so many.
    _ = wait(500, whenPolling: 20_000, whenSleeping: 40_000)
    #expect(wait(160, whenPolling: 20_000, whenSleeping: 40_000) == 150)
    // A host that has no CPU left for the device.
    _ = wait(500, whenPolling: 90_000, whenSleeping: 40_000)
    #expect(wait(160, whenPolling: 90_000, whenSleeping: 40_000) == 10)
    _ = wait(500, whenPolling: 20_000, whenSleeping: 40_000)
    #expect(wait(160, whenPolling: 20_000, whenSleeping: 40_000) == 150)
  }

  @Test func longWaitsAreNoReasonToLook() {
    _ = wait(500, whenPolling: 10_000_000, whenSleeping: 10_000_000)
    #expect(wait(160, whenPolling: 10_000_000, whenSleeping: 10_000_000) == 10)
  }

  @Test func aLookEndsInTime() {
    let start = timers.now()
    polling.begin(start) { false }
    #expect(timers.now() - start >= 50_000)
    #expect(device.looks > 1 && device.ended == 1)
  }
}
