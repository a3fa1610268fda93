internal import Kernel
public import LinuxABI
public import VFSCore

extension UserProcess {
  /// Sends a signal to the process: whichever thread does not block it takes it. See kill(2) and signal(7).
  ///
  /// - Returns: False when a real-time signal could not be queued: RLIMIT_SIGPENDING.
  @discardableResult
  public func send(_ info: SigInfo) -> Bool {
    guard let signal = Signal(rawValue: info.si_signo), let leader = threads.first else { return true }
    guard accepts(signal, leader) else {
      signals.arrived.wakeAll()
      return true
    }
    guard let keeps = canQueue(info, signal) else { return false }
    signals.pending.add(info, keepsInformation: keeps)
    threadToInterrupt(signal)?.notice(signal)
    signals.arrived.wakeAll()
    return true
  }

  /// Signals that are queued for the process and its threads.
  var queuedSignalCount: Int {
    var count = signals.pending.queuedCount
    for thread in threads { count += thread.signals.pending.queuedCount }
    return count
  }

  /// Whether a signal has any effect; SIGCONT and the stopping ones take part of theirs here already, whatever the
  /// action and the masks say.
  fileprivate func accepts(_ signal: Signal, _ target: Thread) -> Bool {
    if pendingExit != nil || exitStatus != nil { return false }
    if signal.defaultAction == .stop {
      discard(SignalSet(.SIGCONT))
    } else if signal == .SIGCONT {
      discard(.stopping)
      resume(by: signal)
    } else if signal == .SIGKILL {
      resume(by: signal)
    }
    if signal.isUnblockable || target.signals.lastingMask.contains(signal) { return true }
    return !signals.ignores(signal)
  }

  /// Whether the information of a signal can be queued; nil when that makes the call fail.
  fileprivate func canQueue(_ info: SigInfo, _ signal: Signal) -> Bool? {
    // Linux: what the kernel or kill(2) sends of the standard signals needs no room.
    if !signal.isRealTime, info.si_code >= 0 { return true }
    let limit = limits[ResourceLimits.pendingSignals]?.rlim_cur ?? ResourceLimits.infinity
    if UInt64(queuedSignalCount) < limit { return true }
    return signal.isRealTime && info.si_code != SignalCode.SI_USER ? nil : false
  }

  private func discard(_ set: SignalSet) {
    signals.pending.remove(set)
    for thread in threads { thread.signals.pending.remove(set) }
  }

  /// Lets a stopped process go on; the parent hears of SIGCONT.
  private func resume(by signal: Signal) {
    guard signals.stoppedBy != nil else { return }
    signals.stoppedBy = nil
    signals.continued.wakeAll()
    stopReport = nil
    guard signal == .SIGCONT else { return }
    reportsContinuation = true
    tellParent(code: SignalCode.CLD_CONTINUED, status: signal.rawValue)
  }

  /// The thread that is made to look at a signal of the process: one that is not on its way to another already.
  private func threadToInterrupt(_ signal: Signal) -> Thread? {
    var fallback: Thread?
    for thread in threads where !thread.signals.mask.contains(signal) {
      if !thread.hasInterrupt || signal.isUnblockable { return thread }
      if fallback == nil { fallback = thread }
    }
    return fallback
  }

  /// Whether no process of the group has a parent in the session but outside the group: nobody would continue it, so
  /// the terminal's stopping signals do not stop it. See credentials(7).
  var groupIsOrphaned: Bool { system.isOrphaned(group) }

  /// Stops every thread when it next leaves the kernel.
  func stop(by signal: Signal) {
    signals.stoppedBy = signal
    stopReport = signal
    reportsContinuation = false
    for thread in threads { thread.requestExitWork() }
    tellParent(code: SignalCode.CLD_STOPPED, status: signal.rawValue)
  }

  /// Changes the action for a signal; signals that the new action ignores are no longer pending. See sigaction(2).
  ///
  /// - Throws: `EINVAL` for SIGKILL and SIGSTOP.
  public func setAction(_ action: SigactionKernel, for signal: Signal) throws(Errno) {
    if signal.isUnblockable { throw .EINVAL }
    var action = action
    action.sa_flags = action.sa_flags.intersection(.known)
    action.sa_mask = action.sa_mask.subtracting(.unblockable)
    signals[signal] = action
    if signals.ignores(signal) { discard(SignalSet(signal)) }
  }
}

extension SignalSet {
  /// The signals whose default is to stop.
  static var stopping: Self { Self(.SIGSTOP).union(Self(.SIGTSTP)).union(Self(.SIGTTIN)).union(Self(.SIGTTOU)) }
}

extension Thread {
  /// Sends a signal to this thread alone. See tgkill(2).
  ///
  /// - Returns: False when a real-time signal could not be queued: RLIMIT_SIGPENDING.
  @discardableResult
  public func send(_ info: SigInfo) -> Bool {
    guard let signal = Signal(rawValue: info.si_signo) else { return true }
    guard process.accepts(signal, self) else {
      process.signals.arrived.wakeAll()
      return true
    }
    guard let keeps = process.canQueue(info, signal) else { return false }
    signals.pending.add(info, keepsInformation: keeps)
    notice(signal)
    process.signals.arrived.wakeAll()
    return true
  }

  /// Sends a signal that a fault of this thread raised. One that is blocked or ignored kills, for the instruction cannot
  /// go on.
  func force(_ info: SigInfo) {
    guard let signal = Signal(rawValue: info.si_signo) else { return }
    let isIgnored = process.signals[signal].sa_handler == SignalHandler.SIG_IGN
    if isIgnored || signals.mask.contains(signal) {
      process.signals[signal] = SigactionKernel()
      signals.mask.remove(signal)
    }
    signals.pending.add(info)
    scheduler.interrupt(self)
  }

  /// A signal was added that this thread could take.
  fileprivate func notice(_ signal: Signal) {
    if !signals.mask.contains(signal) || signal.isUnblockable { scheduler.interrupt(self) }
  }

  /// The signals that wait for this thread or its process and are not blocked.
  public var deliverableSignals: SignalSet {
    signals.pending.set.union(process.signals.pending.set).subtracting(signals.mask)
  }

  /// The signals that wait, blocked or not. See sigpending(2).
  public var pendingSignals: SignalSet {
    signals.pending.set.union(process.signals.pending.set).intersection(signals.mask)
  }

  /// Makes the thread leave the kernel through `deliverSignals` exactly if there is something to deliver.
  func noticePending() {
    if !deliverableSignals.isEmpty {
      scheduler.interrupt(self)
    } else if process.pendingExit == nil, process.signals.stoppedBy == nil {
      hasInterrupt = false
    }
  }

  /// Changes the mask. SIGKILL and SIGSTOP stay out of it. See sigprocmask(2).
  public func setSignalMask(_ mask: SignalSet) {
    let blocked = mask.subtracting(signals.mask).intersection(process.signals.pending.set)
    signals.mask = mask.subtracting(.unblockable)
    noticePending()
    if blocked.isEmpty { return }
    // Signals of the process that this thread was to take: another one may.
    for thread in process.threads where thread !== self { thread.noticePending() }
  }

  /// Sets a mask until a signal has been delivered, and waits for one. See sigsuspend(2).
  ///
  /// - Throws: `ERESTARTNOHAND`, always.
  public func suspend(_ mask: SignalSet) throws(Errno) -> Int {
    setTemporaryMask(mask)
    while !hasInterrupt { _ = scheduler.sleep(until: nil) }
    throw .ERESTARTNOHAND
  }

  /// Sets a mask that holds until the call returns, or until the handler has been entered that ends it: the mask of
  /// sigsuspend(2), ppoll(2), pselect(2) and epoll_pwait(2).
  public func setTemporaryMask(_ mask: SignalSet) {
    signals.savedMask = signals.mask
    setSignalMask(mask)
  }

  /// Ends what `setTemporaryMask` began, for a call that was not interrupted.
  public func restoreTemporaryMask() {
    guard let mask = signals.savedMask else { return }
    signals.savedMask = nil
    setSignalMask(mask)
  }

  /// Takes a pending signal of a set, or waits for one. See sigwaitinfo(2).
  ///
  /// - Parameter deadline: Monotonic nanoseconds, or nil to wait for ever.
  /// - Throws: `EAGAIN` when the time is over, `EINTR` when another signal is to be delivered.
  public func waitForSignal(_ set: SignalSet, until deadline: UInt64?) throws(Errno) -> SigInfo {
    let wanted = set.subtracting(.unblockable)
    if let info = takeSignal(allowed: wanted) { return info }
    if let deadline, process.system.clock.now >= deadline { throw .EAGAIN }
    // Open the mask meanwhile, so that a sender chooses this thread; but do not let it be ignored.
    let mask = signals.mask
    signals.maskBeforeWait = mask
    signals.mask = mask.subtracting(wanted)
    noticePending()
    let reason = scheduler.sleep(until: deadline)
    signals.mask = mask
    signals.maskBeforeWait = nil
    let info = takeSignal(allowed: wanted)
    noticePending()
    if let info { return info }
    throw reason == .timedOut ? .EAGAIN : .EINTR
  }

  /// Takes the next signal of `allowed`: the thread's own before the process's.
  func takeSignal(allowed: SignalSet) -> SigInfo? {
    // Looked at first, since an information is large and an optional one is copied about.
    let isOwn = !signals.pending.set.intersection(allowed).isEmpty
    guard isOwn || !process.signals.pending.set.intersection(allowed).isEmpty else { return nil }
    let info = isOwn ? signals.pending.takeNext(of: allowed) : process.signals.pending.takeNext(of: allowed)
    if info.si_signo == Signal.SIGALRM.rawValue { process.timers.alarmTaken() }
    guard info.si_code == SignalCode.SI_TIMER else { return info }
    return process.timers.delivered(info)
  }
}

extension System {
  /// Sends a signal of F_SETSIG to whom a description belongs. See `send_sigio` of Linux's fs/fcntl.c.
  public func signalOwner(_ owner: FileOwner, _ information: SigInfo) {
    func mayReach(_ process: UserProcess) -> Bool {
      let user = process.identity.user
      return owner.effectiveUser == 0 || owner.effectiveUser == user.saved || owner.effectiveUser == user.real
        || owner.realUser == user.saved || owner.realUser == user.real
    }
    switch owner.type {
    case .F_OWNER_TID:
      if let target = thread(owner.id), mayReach(target.process) { _ = target.send(information) }
    case .F_OWNER_PID:
      if let target = process(owner.id), mayReach(target) { _ = target.send(information) }
    case .F_OWNER_PGRP:
      for process in processes where process.group == owner.id && mayReach(process) { _ = process.send(information) }
    }
  }
}
