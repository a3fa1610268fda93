import FileSystemTesting
import Kernel
import LinuxABI
import Platform
import ProcessTesting
import Testing

@testable import Process

/// Delivery to a program whose stack is the fake machine's.
@Suite struct DeliveryTests {
  private static let handler: UInt64 = 0x40_1000
  private static let restorer: UInt64 = 0x40_2000

  private let test: TestProcess
  private let stack = UserBuffer(count: 65536)
  private var thread: Thread { test.thread }
  private var process: UserProcess { test.process }

  init() throws {
    test = try TestProcess()
    var frame = RegisterFrame()
    frame.rip = 0x40_0100
    frame.rsp = UInt64(stack.address) + 32768
    frame.rax = 0x1111
    frame.r12 = 0x2222
    frame.rflags = 0x202 | 0x400
    frame.cs = 0x33
    frame.ss = 0x2b
    frame.vector = 0xef
    thread.registers.frame = frame
  }

  private func handle(_ signal: Signal, _ flags: SignalActionFlags = []) throws {
    var action = SigactionKernel()
    action.sa_handler = Self.handler
    action.sa_restorer = Self.restorer
    action.sa_flags = flags.union(.SA_RESTORER)
    try process.setAction(action, for: signal)
  }

  /// Enters the kernel's way out, as after a system call that returned `result`.
  private func call(_ number: UInt64, result: Errno) {
    thread.registers.frame.vector = 256
    thread.registers.frame.error = number
    thread.registers.frame.rax = UInt64(bitPattern: -Int64(result.rawValue))
  }

  @Test func aHandlerIsEnteredAndLeft() throws {
    try handle(.SIGUSR1)
    let before = thread.registers.frame
    process.send(.kill(.SIGUSR1, pid: 42, uid: 7))
    #expect(thread.hasInterrupt)
    thread.deliverSignals()

    let inside = thread.registers.frame
    #expect(inside.rip == Self.handler)
    #expect(inside.rdi == 10)
    #expect(inside.rax == 0)
    #expect(inside.rsp % 16 == 8)
    #expect(inside.rsp <= before.rsp - 128)
    #expect(inside.rflags & 0x400 == 0)
    #expect(thread.signals.mask == SignalSet(.SIGUSR1))
    let frame = try UserMemory.load(RTSignalFrame.self, at: UInt(inside.rsp))
    #expect(frame.pretcode == Self.restorer)
    #expect(frame.uc.uc_mcontext.rip == before.rip)
    #expect(frame.uc.uc_mcontext.rsp == before.rsp)
    #expect(frame.uc.uc_mcontext.eflags == before.rflags)
    #expect(frame.uc.uc_mcontext.fpstate % 64 == 0)
    #expect(frame.uc.uc_mcontext.fpstate >= inside.rsp + 440)
    #expect(frame.uc.uc_sigmask == .empty)
    #expect(frame.info.si_pid == 42)
    #expect(frame.info.si_uid == 7)
    #expect(inside.rdx == inside.rsp + 8)
    #expect(inside.rsi == inside.rsp + 8 + 304)

    // The handler's ret has taken the return address off.
    thread.registers.frame.rsp += 8
    thread.registers.frame.r12 = 0
    #expect(thread.returnFromSignal() == 0x1111)
    let after = thread.registers.frame
    #expect(after.rip == before.rip)
    #expect(after.rsp == before.rsp)
    #expect(after.r12 == 0x2222)
    #expect(after.rflags == before.rflags)
    #expect(thread.signals.mask == .empty)
    #expect(process.pendingExit == nil)
  }

  @Test func severalHandlersNestWithTheLowestBelow() throws {
    try handle(.SIGUSR1)
    try handle(.SIGUSR2)
    process.send(.kill(.SIGUSR2, pid: 1, uid: 0))
    process.send(.kill(.SIGUSR1, pid: 1, uid: 0))
    thread.deliverSignals()
    #expect(thread.registers.frame.rdi == 12)
    thread.registers.frame.rsp += 8
    _ = thread.returnFromSignal()
    #expect(thread.registers.frame.rip == Self.handler)
    #expect(thread.registers.frame.rdi == 10)
    #expect(thread.signals.mask == SignalSet(.SIGUSR1))
  }

  @Test func callsAreRestartedOrInterrupted() throws {
    try handle(.SIGUSR1, .SA_RESTART)
    call(0, result: .ERESTARTSYS)
    process.send(.kill(.SIGUSR1, pid: 1, uid: 0))
    thread.deliverSignals()
    var saved = try UserMemory.load(RTSignalFrame.self, at: UInt(thread.registers.frame.rsp)).uc.uc_mcontext
    #expect(saved.rip == 0x40_0100 - 2)
    #expect(saved.rax == 0)

    try handle(.SIGUSR2)
    call(0, result: .ERESTARTSYS)
    process.send(.kill(.SIGUSR2, pid: 1, uid: 0))
    thread.deliverSignals()
    saved = try UserMemory.load(RTSignalFrame.self, at: UInt(thread.registers.frame.rsp)).uc.uc_mcontext
    #expect(saved.rip == Self.handler)
    #expect(Int64(bitPattern: saved.rax) == -4)
  }

  @Test func aCallGoesOnWithoutAHandler() {
    call(35, result: .ERESTART_RESTARTBLOCK)
    thread.deliverSignals()
    #expect(thread.registers.frame.rax == 219)
    #expect(thread.registers.frame.rip == 0x40_0100 - 2)
  }

  @Test func theAlternativeStackIsUsedAndDisarmed() throws {
    try handle(.SIGUSR1, .SA_ONSTACK)
    let other = UserBuffer(count: 16384)
    var alternative = StackT()
    alternative.ss_sp = UInt64(other.address)
    alternative.ss_size = 16384
    alternative.ss_flags = .SS_AUTODISARM
    try thread.signals.setAlternativeStack(alternative, stackPointer: 0, minimum: 2048)
    process.send(.kill(.SIGUSR1, pid: 1, uid: 0))
    thread.deliverSignals()
    let at = thread.registers.frame.rsp
    #expect(at > UInt64(other.address) && at < UInt64(other.address) + 16384)
    #expect(thread.signals.alternativeStack.ss_flags == .SS_DISABLE)
    thread.registers.frame.rsp += 8
    _ = thread.returnFromSignal()
    #expect(thread.signals.alternativeStack.ss_flags == .SS_AUTODISARM)
    #expect(thread.signals.alternativeStack.ss_sp == UInt64(other.address))
  }

  @Test func anAlternativeStackThatIsTooSmallKills() throws {
    try handle(.SIGSEGV, .SA_ONSTACK)
    var alternative = StackT()
    alternative.ss_sp = UInt64(stack.address)
    alternative.ss_size = 700
    try thread.signals.setAlternativeStack(alternative, stackPointer: 0, minimum: 0)
    thread.force(.fault(.SIGSEGV, code: SignalCode.SEGV_MAPERR, address: 0))
    thread.deliverSignals()
    #expect(process.pendingExit == .killed(.SIGSEGV))
  }

  @Test func withoutAStackTheProgramDies() throws {
    try handle(.SIGUSR1)
    thread.registers.frame.rsp = 0x1000
    process.send(.kill(.SIGUSR1, pid: 1, uid: 0))
    thread.deliverSignals()
    #expect(process.pendingExit == .killed(.SIGSEGV))
    #expect(test.log.contains("killed by SIGSEGV"))
  }

  @Test func badFramesKill() throws {
    for rip: UInt64 in [0x8000_0000_0000, 0xffff_0000_0000_0000] {
      let test = try TestProcess()
      var content = UContext()
      content.uc_mcontext.rip = rip
      content.uc_mcontext.cs = 0x33
      content.uc_mcontext.ss = 0x2b
      try UserMemory.store(content, at: stack.address)
      test.thread.registers.frame.rsp = UInt64(stack.address)
      _ = test.thread.returnFromSignal()
      test.thread.deliverSignals()
      #expect(test.process.pendingExit == .killed(.SIGSEGV))
    }
  }

  @Test func forgedFlagsAndSegmentsAreFiltered() throws {
    var content = UContext()
    content.uc_mcontext.rip = 0x40_0000
    content.uc_mcontext.cs = 0x33
    content.uc_mcontext.ss = 0
    content.uc_mcontext.eflags = .max
    content.uc_sigmask = .all
    try UserMemory.store(content, at: stack.address)
    thread.registers.frame.rsp = UInt64(stack.address)
    _ = thread.returnFromSignal()
    #expect(thread.registers.frame.rflags == 0x202 | 0x50dd5)
    #expect(thread.registers.frame.ss == 0x2b)
    #expect(thread.signals.mask == SignalSet.all.subtracting(.unblockable))
  }

  @Test func faultsThatAreBlockedOrIgnoredKill() throws {
    for block in [true, false] {
      let test = try TestProcess()
      if block {
        test.thread.setSignalMask(.all)
      } else {
        test.process.signals[.SIGFPE].sa_handler = SignalHandler.SIG_IGN
      }
      test.thread.raiseFault(vector: 0, error: 0, address: 0x1234)
      test.thread.deliverSignals()
      #expect(test.process.pendingExit == .killed(.SIGFPE))
      #expect(test.log.contains("killed by SIGFPE (Floating point exception): integer division"))
    }
  }

  @Test func pageFaultsThatNothingServesAreReported() throws {
    thread.registers.frame.vector = 14
    thread.registers.frame.error = 6
    thread.handleTrap(thread.registers, faultAddress: 0x10)
    thread.deliverSignals()
    #expect(process.pendingExit == .killed(.SIGSEGV))
    #expect(test.log.contains("write to 0x10, where nothing is mapped"))
    #expect(test.log.contains("rip 0000000000400100"))
    #expect(test.log.contains("code: cannot be read"))
  }

  @Test func endsWithoutADefectAreNotReported() throws {
    for signal in [Signal.SIGINT, .SIGTERM, .SIGPIPE, .SIGKILL, .SIGQUIT] {
      let test = try TestProcess()
      test.process.send(.kill(signal, pid: 1, uid: 0))
      test.thread.deliverSignals()
      #expect(test.process.pendingExit == .killed(signal))
      #expect(test.log.text.isEmpty)
    }
  }

  @Test func ignoredSignalsAreNotKept() throws {
    process.send(.kill(.SIGCHLD, pid: 1, uid: 0))
    #expect(process.signals.pending.set.isEmpty)
    #expect(!thread.hasInterrupt)
    thread.setSignalMask(SignalSet(.SIGCHLD))
    process.send(.kill(.SIGCHLD, pid: 1, uid: 0))
    #expect(thread.pendingSignals == SignalSet(.SIGCHLD))
    try process.setAction(SigactionKernel(), for: .SIGCHLD)
    #expect(process.signals.pending.set.isEmpty)
  }

  @Test func aThreadThatDoesNotBlockIsChosen() throws {
    try handle(.SIGUSR1)
    let second = TestProcess.addThread(process)
    thread.setSignalMask(SignalSet(.SIGUSR1))
    process.send(.kill(.SIGUSR1, pid: 1, uid: 0))
    #expect(!thread.hasInterrupt)
    #expect(second.hasInterrupt)
  }

  @Test func stoppingAndContinuingCancelOneAnother() {
    thread.setSignalMask(.all)
    process.send(.kill(.SIGTSTP, pid: 1, uid: 0))
    process.send(.kill(.SIGCONT, pid: 1, uid: 0))
    #expect(thread.pendingSignals == SignalSet(.SIGCONT))
    process.send(.kill(.SIGTTIN, pid: 1, uid: 0))
    #expect(thread.pendingSignals == SignalSet(.SIGTTIN))
  }

  @Test func theQueueIsLimited() {
    thread.setSignalMask(.all)
    process.limits[ResourceLimits.pendingSignals] = Rlimit(rlim_cur: 2, rlim_max: 2)
    let signal = Signal.SIGRTMIN
    #expect(process.send(.queue(signal, pid: 1, uid: 0, value: 1)))
    #expect(process.send(.queue(signal, pid: 1, uid: 0, value: 2)))
    #expect(!process.send(.queue(signal, pid: 1, uid: 0, value: 3)))
    #expect(process.send(.kill(.SIGTERM, pid: 1, uid: 0)))
  }

  @Test func executionKeepsWhatIsIgnored() throws {
    try handle(.SIGUSR1)
    process.signals[.SIGUSR2].sa_handler = SignalHandler.SIG_IGN
    process.signals.resetForExecute()
    #expect(process.signals[.SIGUSR1].sa_handler == SignalHandler.SIG_DFL)
    #expect(process.signals[.SIGUSR1].sa_restorer == 0)
    #expect(process.signals[.SIGUSR2].sa_handler == SignalHandler.SIG_IGN)
  }
}
