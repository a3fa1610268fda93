// Names are spelled as in Linux, so that grep and the man pages work.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

internal import Kernel
internal import LinuxABI
internal import Platform
internal import Process
internal import Support

/// Signals, and the timers that send them.
let signalSyscalls: [Syscall] = [
  Syscall(13, "rt_sigaction", .none, rt_sigaction),
  Syscall(14, "rt_sigprocmask", .none, rt_sigprocmask),
  Syscall(15, "rt_sigreturn", rt_sigreturn),
  Syscall(34, "pause", pause),
  Syscall(36, "getitimer", .none, getitimer),
  Syscall(37, "alarm", alarm),
  Syscall(38, "setitimer", .none, setitimer),
  Syscall(62, "kill", .none, kill),
  Syscall(127, "rt_sigpending", .none, rt_sigpending),
  Syscall(128, "rt_sigtimedwait", rt_sigtimedwait),
  Syscall(129, "rt_sigqueueinfo", .none, rt_sigqueueinfo),
  Syscall(130, "rt_sigsuspend", rt_sigsuspend),
  Syscall(131, "sigaltstack", .none, sigaltstack),
  Syscall(200, "tkill", .none, tkill),
  Syscall(219, "restart_syscall", restart_syscall),
  Syscall(234, "tgkill", .none, tgkill),
  Syscall(297, "rt_tgsigqueueinfo", .none, rt_tgsigqueueinfo),
]

// MARK: Actions and masks

private func checkSetSize(_ size: UInt) throws(Errno) {
  guard size == UInt(SignalSet.size) else { throw .EINVAL }
}

/// Gets and sets the action for a signal. See sigaction(2).
func rt_sigaction(
  _ thread: Thread, _ number: SignalNumber, _ new: In<SigactionKernel>, _ old: Out<SigactionKernel>, _ size: UInt
) throws(Errno) -> Int {
  try checkSetSize(size)
  let action = try new.loadIfPresent()
  let signal = try number.signal()
  let before = thread.process.signals[signal]
  if let action { try thread.process.setAction(action, for: signal) }
  try old.storeIfPresent(before)
  return 0
}

/// Gets and changes the signal mask. See sigprocmask(2).
func rt_sigprocmask(
  _ thread: Thread, _ how: Named<SignalMaskHow>, _ new: In<SignalSet>, _ old: Out<SignalSet>, _ size: UInt
) throws(Errno) -> Int {
  try checkSetSize(size)
  let before = thread.signals.mask
  if let set = try new.loadIfPresent() {
    guard let how = SignalMaskHow(rawValue: how.rawValue) else { throw .EINVAL }
    switch how {
    case .SIG_BLOCK: thread.setSignalMask(before.union(set))
    case .SIG_UNBLOCK: thread.setSignalMask(before.subtracting(set))
    case .SIG_SETMASK: thread.setSignalMask(set)
    }
  }
  try old.storeIfPresent(before)
  return 0
}

/// Returns from a handler. See sigreturn(2).
func rt_sigreturn(_ thread: Thread) throws(Errno) -> Int { thread.returnFromSignal() }

/// The blocked signals that wait. See sigpending(2).
func rt_sigpending(_ thread: Thread, _ set: Out<SignalSet>, _ size: UInt) throws(Errno) -> Int {
  guard size <= UInt(SignalSet.size) else { throw .EINVAL }
  let pending = thread.pendingSignals
  if size == UInt(SignalSet.size) {
    try set.store(pending)
  } else {
    // Linux writes as many bytes as were asked for.
    for index in 0..<size {
      try UserMemory.store(
        UInt8(truncatingIfNeeded: pending.rawValue >> UInt64(8 * index)), at: set.pointer.address &+ index)
    }
  }
  return 0
}

/// Gets and sets the alternative stack. See sigaltstack(2).
func sigaltstack(_ thread: Thread, _ new: In<StackT>, _ old: Out<StackT>) throws(Errno) -> Int {
  let stack = try new.loadIfPresent()
  let stackPointer = thread.registers.frame.rsp
  let before = thread.signals.describeAlternativeStack(stackPointer: stackPointer)
  if let stack {
    try thread.signals.setAlternativeStack(
      stack, stackPointer: stackPointer, minimum: SignalStackSize.MINSIGSTKSZ)
  }
  try old.storeIfPresent(before)
  return 0
}

// MARK: Waiting

/// Waits with another mask until a handler has run. See sigsuspend(2).
func rt_sigsuspend(_ thread: Thread, _ set: In<SignalSet>, _ size: UInt) throws(Errno) -> Int {
  try checkSetSize(size)
  return try thread.suspend(try set.load())
}

/// Waits until a handler has run. See pause(2).
func pause(_ thread: Thread) throws(Errno) -> Int {
  while !thread.hasInterrupt { _ = thread.scheduler.sleep(until: nil) }
  throw .ERESTARTNOHAND
}

/// Takes a pending signal, or waits for one. See sigtimedwait(2).
func rt_sigtimedwait(
  _ thread: Thread, _ set: In<SignalSet>, _ result: Out<SigInfo>, _ timeout: In<Timespec>, _ size: UInt
) throws(Errno) -> Int {
  try checkSetSize(size)
  let wanted = try set.load()
  var deadline: UInt64?
  if let time = try timeout.loadIfPresent() {
    guard let nanoseconds = time.saturatedNanoseconds else { throw .EINVAL }
    deadline = TimerSchedule.sum(thread.process.system.clock.now, UInt64(nanoseconds))
  }
  let info = try thread.waitForSignal(wanted, until: deadline)
  try result.storeIfPresent(info)
  return Int(info.si_signo)
}

/// Goes on with a call that a signal had stopped. See restart_syscall(2).
func restart_syscall(_ thread: Thread) throws(Errno) -> Int {
  guard let restart = thread.signals.restart else { throw .EINTR }
  thread.signals.restart = nil
  return try restart(thread)
}

// MARK: Sending

/// Sends a signal to processes. See kill(2).
func kill(_ thread: Thread, _ pid: Int32, _ number: SignalNumber) throws(Errno) -> Int {
  let sender = thread.process
  let system = sender.system
  if pid > 0 {
    guard let target = system.process(pid) ?? system.thread(pid)?.process else { throw .ESRCH }
    try sender.signal(target, number)
    return 0
  }
  // -INT_MIN is no group.
  if pid == .min { throw .ESRCH }
  let group = pid == 0 ? sender.group : -pid
  var found = false
  var sent = false
  var failure = Errno.ESRCH
  for target in system.processes {
    if pid == -1 ? target === sender || target.pid == 1 : target.group != group { continue }
    found = true
    do throws(Errno) {
      try sender.signal(target, number)
      sent = true
    } catch {
      failure = error
    }
  }
  guard found else { throw .ESRCH }
  if !sent { throw failure }
  return 0
}

extension UserProcess {
  /// Checks the right to send and sends, or only checks for 0.
  ///
  /// - Throws: `EINVAL`, `EPERM`.
  fileprivate func signal(_ target: UserProcess, _ number: SignalNumber) throws(Errno) {
    let signal = try check(target, number)
    if let signal { target.send(.kill(signal, pid: pid, uid: identity.user.real)) }
  }

  /// The signal of a number, nil for 0.
  ///
  /// - Throws: `EINVAL`, `EPERM`.
  func check(_ target: UserProcess, _ number: SignalNumber) throws(Errno) -> Signal? {
    let signal = number.rawValue == 0 ? nil : try number.signal()
    let mine = identity.user
    let other = target.identity.user
    if target === self || identity.has(Identity.Capability.CAP_KILL) { return signal }
    for id in [mine.real, mine.effective] where id == other.real || id == other.saved { return signal }
    if signal == .SIGCONT, session == target.session { return signal }
    throw .EPERM
  }
}

/// The thread that tkill(2) and tgkill(2) name; a group of 0 is any.
private func target(_ thread: Thread, group: Int32, _ tid: Int32) throws(Errno) -> Thread {
  guard let target = thread.process.system.thread(tid), group == 0 || target.process.pid == group else { throw .ESRCH }
  return target
}

private func send(_ thread: Thread, group: Int32, _ tid: Int32, _ number: SignalNumber) throws(Errno) -> Int {
  let target = try target(thread, group: group, tid)
  let sender = thread.process
  guard let signal = try sender.check(target.process, number) else { return 0 }
  let sent = target.send(
    .kill(signal, code: SignalCode.SI_TKILL, pid: sender.pid, uid: sender.identity.user.real))
  if !sent { throw .EAGAIN }
  return 0
}

/// Sends a signal to a thread. See tkill(2).
func tkill(_ thread: Thread, _ tid: Int32, _ number: SignalNumber) throws(Errno) -> Int {
  guard tid > 0 else { throw .EINVAL }
  return try send(thread, group: 0, tid, number)
}

/// Sends a signal to a thread of a process. See tgkill(2).
func tgkill(_ thread: Thread, _ pid: Int32, _ tid: Int32, _ number: SignalNumber) throws(Errno) -> Int {
  guard pid > 0, tid > 0 else { throw .EINVAL }
  return try send(thread, group: pid, tid, number)
}

/// What a program sends with a signal; what only the kernel and kill(2) may say, it may say to itself alone.
private func information(_ source: In<SigInfo>, _ number: SignalNumber, toSelf: Bool) throws(Errno) -> SigInfo {
  var info = try source.load()
  info.si_signo = number.rawValue
  if info.si_code >= 0 || info.si_code == SignalCode.SI_TKILL, !toSelf { throw .EPERM }
  return info
}

/// Sends a signal with information to a process. See rt_sigqueueinfo(2).
func rt_sigqueueinfo(_ thread: Thread, _ pid: Int32, _ number: SignalNumber, _ source: In<SigInfo>) throws(Errno) -> Int
{
  let info = try information(source, number, toSelf: pid == thread.process.pid)
  let system = thread.process.system
  guard let target = system.process(pid) ?? system.thread(pid)?.process else { throw .ESRCH }
  guard try thread.process.check(target, number) != nil else { return 0 }
  if !target.send(info) { throw .EAGAIN }
  return 0
}

/// Sends a signal with information to a thread. See rt_tgsigqueueinfo(2).
func rt_tgsigqueueinfo(
  _ thread: Thread, _ pid: Int32, _ tid: Int32, _ number: SignalNumber, _ source: In<SigInfo>
) throws(Errno) -> Int {
  guard pid > 0, tid > 0 else { throw .EINVAL }
  let info = try information(source, number, toSelf: tid == thread.tid)
  let target = try target(thread, group: pid, tid)
  guard try thread.process.check(target.process, number) != nil else { return 0 }
  if !target.send(info) { throw .EAGAIN }
  return 0
}

// MARK: Interval timers

private func timerValue(_ state: (remaining: UInt64, interval: UInt64)) -> Itimerval {
  // A timer that is about to expire does not look like one that is off.
  let remaining = state.remaining == 0 ? 0 : max(state.remaining, 1000)
  return Itimerval(
    it_interval: Timeval(Timespec(nanoseconds: Int64(clamping: state.interval))),
    it_value: Timeval(Timespec(nanoseconds: Int64(clamping: remaining))))
}

/// The state of an interval timer. See getitimer(2).
func getitimer(_ thread: Thread, _ kind: Named<IntervalTimerKind>, _ result: Out<Itimerval>) throws(Errno) -> Int {
  guard let kind = IntervalTimerKind(rawValue: kind.rawValue) else { throw .EINVAL }
  try result.store(timerValue(thread.process.intervalTimer(kind)))
  return 0
}

/// Sets an interval timer. See setitimer(2).
func setitimer(
  _ thread: Thread, _ kind: Named<IntervalTimerKind>, _ new: In<Itimerval>, _ old: Out<Itimerval>
) throws(Errno) -> Int {
  // Linux takes a null pointer for a timer of zero.
  let value = try new.loadIfPresent() ?? Itimerval()
  guard let kind = IntervalTimerKind(rawValue: kind.rawValue), let first = value.it_value.saturatedNanoseconds,
    let interval = value.it_interval.saturatedNanoseconds
  else { throw .EINVAL }
  let before = thread.process.intervalTimer(kind)
  thread.process.setIntervalTimer(kind, value: UInt64(first), interval: UInt64(interval))
  try old.storeIfPresent(timerValue(before))
  return 0
}

/// Sends SIGALRM after so many seconds. See alarm(2).
func alarm(_ thread: Thread, _ seconds: UInt32) throws(Errno) -> Int {
  let before = thread.process.intervalTimer(.ITIMER_REAL).remaining
  thread.process.setIntervalTimer(.ITIMER_REAL, value: UInt64(seconds) * 1_000_000_000, interval: 0)
  if before == 0 { return 0 }
  // Rounded, but never to 0, which would mean that there was none.
  return max(Int((before + 500_000_000) / 1_000_000_000), 1)
}
