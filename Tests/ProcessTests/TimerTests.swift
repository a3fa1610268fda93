import Kernel
import LinuxABI
import ProcessTesting
import Testing

@testable import Process

@Suite struct TimerScheduleTests {
  @Test func periodsPass() {
    var schedule = TimerSchedule(deadline: 100, interval: 10)
    #expect(schedule.advance(to: 99) == 0)
    #expect(schedule.deadline == 100)
    #expect(schedule.advance(to: 100) == 1)
    #expect(schedule.deadline == 110)
    #expect(schedule.advance(to: 145) == 4)
    #expect(schedule.deadline == 150)
  }

  @Test func singleExpirationDisarms() {
    var schedule = TimerSchedule(deadline: 100, interval: 0)
    #expect(schedule.remaining(at: 40) == 60)
    #expect(schedule.remaining(at: 100) == 1)
    #expect(schedule.advance(to: 1000) == 1)
    #expect(!schedule.isArmed)
    #expect(schedule.remaining(at: 1000) == 0)
  }

  @Test func extremesDoNotOverflow() {
    var schedule = TimerSchedule(deadline: 1, interval: .max)
    #expect(schedule.advance(to: .max) == 1)
    #expect(schedule.deadline == .max)
    var dense = TimerSchedule(deadline: 1, interval: 1)
    #expect(dense.advance(to: .max) == .max)
    #expect(dense.deadline == .max)
    #expect(TimerSchedule.sum(.max, 1) == .max)
  }
}

@Suite struct TimerClockTests {
  @Test func numbers() throws {
    #expect(try TimerClock(0) == .realtime)
    #expect(try TimerClock(4) == .monotonic)
    #expect(try TimerClock(2) == .processTime(0))
    #expect(try TimerClock(3) == .threadTime(0))
    // clock_getcpuclockid(3) of process 5, and the clock of thread 9.
    #expect(try TimerClock(~5 << 3 | 2) == .processTime(5))
    #expect(try TimerClock(~9 << 3 | 6) == .threadTime(9))
    for number: Int32 in [10, 12, 1234, ~3 << 3 | 3] {
      #expect(throws: Errno.EINVAL) { try TimerClock(number) }
    }
  }

  @Test func overrunsAreCounted() throws {
    let test = try TestProcess()
    test.thread.setSignalMask(.all)
    var event = SigEvent()
    event.sigev_notify = SignalEventNotify.SIGEV_SIGNAL.rawValue
    event.sigev_signo = Signal.SIGUSR1.rawValue
    event.sigev_value = 99
    let id = try test.thread.createTimer(.monotonic, event)
    try test.process.setTimer(id, value: 1_000_000, interval: 1_000_000, isAbsolute: false)
    let start = test.system.clock.now
    while test.system.clock.now - start < 20_000_000 {}
    test.system.scheduler.timers.expire()
    let info = try #require(test.thread.takeSignal(allowed: .all))
    #expect(info.si_code == SignalCode.SI_TIMER)
    #expect(info.si_value == 99)
    #expect(info.si_overrun >= 18)
    #expect(try test.process.timerOverrun(id) == info.si_overrun)
    #expect(try test.process.timerState(id).interval == 1_000_000)
    try test.process.deleteTimer(id)
    #expect(throws: Errno.EINVAL) { try test.process.timerState(id) }
    #expect(test.system.scheduler.timers.nextDeadline == nil)
  }

  @Test func intervalTimers() throws {
    let test = try TestProcess()
    test.thread.setSignalMask(.all)
    test.process.setIntervalTimer(.ITIMER_REAL, value: 1, interval: 5_000_000_000)
    while test.process.signals.pending.set.isEmpty { test.system.scheduler.timers.expire() }
    #expect(test.thread.takeSignal(allowed: .all)?.si_signo == Signal.SIGALRM.rawValue)
    let state = test.process.intervalTimer(.ITIMER_REAL)
    #expect(state.interval == 5_000_000_000)
    #expect(state.remaining > 1_000_000_000 && state.remaining <= 5_000_000_000)
    test.process.setIntervalTimer(.ITIMER_REAL, value: 0, interval: 0)
    #expect(test.process.intervalTimer(.ITIMER_REAL).remaining == 0)
    #expect(test.system.scheduler.timers.nextDeadline == nil)
  }
}
