import FileSystemTesting
import Kernel
import LinuxABI
import ProcessTesting
import Testing
import VFSCore

@testable import Process

@Suite struct TimerFDTests {
  private let test: TestProcess
  private let hour: UInt64 = 3_600_000_000_000

  init() throws { test = try TestProcess() }

  private func make(_ clock: ClockID) throws -> TimerFD {
    try TimerFD(test.system, test.process.fileSystem, clock: clock, isNonBlocking: true)
  }

  private func read(_ file: TimerFD) throws(Errno) {
    var writer = UserWriter(0, count: 8)
    _ = try file.read(into: &writer, at: nil)
  }

  @Test func settingTheClockCancels() throws {
    let file = try make(.CLOCK_REALTIME)
    let now = test.system.clock.realtime
    _ = try file.set(value: now + hour, interval: 0, [.TFD_TIMER_ABSTIME, .TFD_TIMER_CANCEL_ON_SET])
    #expect(file.readiness.isEmpty)
    test.system.clock.setRealtime(now + 1)
    #expect(file.readiness == .POLLIN)
    #expect(throws: Errno.ECANCELED) { try read(file) }
    #expect(throws: Errno.EAGAIN) { try read(file) }
    // The next setting tells of a change since the last read, and arms it all the same.
    test.system.clock.setRealtime(now + 2)
    #expect(throws: Errno.ECANCELED) {
      try file.set(value: now + hour, interval: 0, [.TFD_TIMER_ABSTIME, .TFD_TIMER_CANCEL_ON_SET])
    }
    #expect(file.state.remaining > 0)
  }

  @Test func anAbsoluteTimeFollowsTheClock() throws {
    let file = try make(.CLOCK_REALTIME)
    let relative = try make(.CLOCK_REALTIME)
    let now = test.system.clock.realtime
    _ = try file.set(value: now + hour, interval: 0, .TFD_TIMER_ABSTIME)
    _ = try relative.set(value: hour, interval: 0, [])
    test.system.clock.setRealtime(now + 2 * hour)
    test.system.scheduler.timers.expire()
    #expect(file.readiness == .POLLIN)
    #expect(relative.readiness.isEmpty)
  }

  @Test func closingStopsIt() throws {
    do {
      let file = try make(.CLOCK_MONOTONIC)
      _ = try file.set(value: hour, interval: 0, [])
      #expect(test.system.scheduler.timers.nextDeadline != nil)
    }
    #expect(test.system.scheduler.timers.nextDeadline == nil)
  }
}
