import LinuxABI
import Testing

@testable import Process

private func realTime(_ number: Int32) -> Signal { Signal(rawValue: number)! }

@Suite struct PendingSignalsTests {
  @Test func standardSignalIsPendingOnce() {
    var pending = PendingSignals()
    pending.add(.kill(.SIGUSR1, pid: 1, uid: 0))
    pending.add(.kill(.SIGUSR1, pid: 2, uid: 0))
    #expect(pending.queuedCount == 1)
    #expect(pending.take(allowed: .all)?.si_pid == 1)
    #expect(pending.set.isEmpty)
    #expect(pending.take(allowed: .all) == nil)
  }

  @Test func realTimeSignalsQueueInOrder() {
    var pending = PendingSignals()
    for value in 1...3 { pending.add(.queue(realTime(40), pid: 1, uid: 0, value: UInt64(value))) }
    #expect((1...3).map { _ in pending.take(allowed: .all)?.si_value } == [1, 2, 3])
    #expect(pending.set.isEmpty)
  }

  @Test func faultsComeFirstThenTheLowest() {
    var pending = PendingSignals()
    for signal in [Signal.SIGTERM, .SIGHUP, .SIGSEGV, realTime(34)] { pending.add(.kill(signal, pid: 1, uid: 0)) }
    var order: [Int32] = []
    while let info = pending.take(allowed: .all) { order.append(info.si_signo) }
    #expect(order == [11, 1, 15, 34])
  }

  @Test func blockedSignalsStay() {
    var pending = PendingSignals()
    pending.add(.kill(.SIGHUP, pid: 1, uid: 0))
    #expect(pending.take(allowed: SignalSet(.SIGTERM)) == nil)
    #expect(pending.set == SignalSet(.SIGHUP))
  }

  @Test func aFaultIsTakenBeforeWhatWasSent() {
    var pending = PendingSignals()
    pending.add(.kill(.SIGILL, pid: 1, uid: 0))
    pending.add(.fault(.SIGSEGV, code: SignalCode.SEGV_MAPERR, address: 8))
    #expect(pending.takeFault(allowed: .all)?.si_signo == 11)
    #expect(pending.takeFault(allowed: .all) == nil)
    #expect(pending.set == SignalSet(.SIGILL))
  }

  @Test func aSignalWithoutRoomLosesItsInformation() {
    var pending = PendingSignals()
    pending.add(.queue(.SIGUSR1, pid: 7, uid: 0, value: 1), keepsInformation: false)
    let info = pending.take(allowed: .all)
    #expect(info?.si_signo == 10)
    #expect(info?.si_code == SignalCode.SI_USER)
    #expect(info?.si_pid == 0)
    #expect(pending.set.isEmpty)
  }

  @Test func removing() {
    var pending = PendingSignals()
    for value in 1...2 { pending.add(.queue(realTime(40), pid: 1, uid: 0, value: UInt64(value))) }
    pending.add(.kill(.SIGCONT, pid: 1, uid: 0))
    pending.remove(SignalSet(realTime(40)))
    #expect(pending.set == SignalSet(.SIGCONT))
    #expect(pending.queuedCount == 1)
  }
}

@Suite struct RestartDecisionTests {
  private func decide(_ error: Errno, _ handler: SignalActionFlags?) -> RestartDecision {
    RestartDecision(result: -Int64(error.rawValue), handler: handler)
  }

  @Test func withoutAHandler() {
    #expect(decide(.ERESTARTSYS, nil) == .again)
    #expect(decide(.ERESTARTNOINTR, nil) == .again)
    #expect(decide(.ERESTARTNOHAND, nil) == .again)
    #expect(decide(.ERESTART_RESTARTBLOCK, nil) == .restartCall)
  }

  @Test func withAHandler() {
    #expect(decide(.ERESTARTSYS, []) == .interrupted)
    #expect(decide(.ERESTARTSYS, .SA_RESTART) == .again)
    #expect(decide(.ERESTARTNOINTR, []) == .again)
    #expect(decide(.ERESTARTNOHAND, .SA_RESTART) == .interrupted)
    #expect(decide(.ERESTART_RESTARTBLOCK, .SA_RESTART) == .interrupted)
  }

  @Test func otherResultsStand() {
    #expect(decide(.EINTR, .SA_RESTART) == .none)
    for result: Int64 in [0, 7, -1, -4096, .min, .max] {
      #expect(RestartDecision(result: result, handler: .SA_RESTART) == .none)
    }
  }
}

@Suite struct AlternativeStackTests {
  private func stack(_ start: UInt64, _ size: UInt64, _ flags: SignalStackFlags = []) -> StackT {
    var stack = StackT()
    stack.ss_sp = start
    stack.ss_size = size
    stack.ss_flags = flags
    return stack
  }
  private func set(_ signals: ThreadSignals, _ stack: StackT, at stackPointer: UInt64 = 0) throws(Errno) {
    try signals.setAlternativeStack(stack, stackPointer: stackPointer, minimum: 2048)
  }

  @Test func boundsAndErrors() throws {
    let signals = ThreadSignals()
    #expect(signals.describeAlternativeStack(stackPointer: 0).ss_flags == .SS_DISABLE)
    #expect(throws: Errno.ENOMEM) { try set(signals, stack(0x1000, 2047)) }
    #expect(throws: Errno.EINVAL) { try set(signals, stack(0x1000, 4096, SignalStackFlags(rawValue: 0x40))) }
    try set(signals, stack(0x1000, 0x1000))
    #expect(signals.describeAlternativeStack(stackPointer: 0x1000).ss_flags == [])
    #expect(signals.describeAlternativeStack(stackPointer: 0x1001).ss_flags == .SS_ONSTACK)
    #expect(signals.describeAlternativeStack(stackPointer: 0x2000).ss_flags == .SS_ONSTACK)
    #expect(signals.describeAlternativeStack(stackPointer: 0x2001).ss_flags == [])
    #expect(throws: Errno.EPERM) { try set(signals, stack(0x5000, 0x1000), at: 0x1800) }
    try set(signals, stack(1, 1, .SS_DISABLE))
    #expect(signals.describeAlternativeStack(stackPointer: 0x1800).ss_flags == .SS_DISABLE)
  }

  @Test func autodisarmIsNeverInUse() throws {
    let signals = ThreadSignals()
    try set(signals, stack(0x1000, 0x1000, .SS_AUTODISARM))
    #expect(signals.describeAlternativeStack(stackPointer: 0x1800).ss_flags == .SS_AUTODISARM)
    try set(signals, stack(0x5000, 0x1000), at: 0x1800)
  }
}
