internal import Kernel
internal import LinuxABI
internal import Platform

extension Thread {
  /// Acts on the signals that wait for this thread, before it goes back to the program: runs default actions, and makes
  /// the program enter its handlers, the last one taken first.
  func deliverSignals() {
    while process.pendingExit == nil {
      if process.signals.stoppedBy != nil {
        stayStopped()
        continue
      }
      let allowed = SignalSet.all.subtracting(signals.mask)
      // Nearly always there is none, or none further: the way out of a system call and of a handler ends here too.
      if signals.pending.set.union(process.signals.pending.set).intersection(allowed).isEmpty { break }
      guard let info = signals.pending.takeFault(allowed: allowed) ?? takeSignal(allowed: allowed),
        let signal = Signal(rawValue: info.si_signo)
      else { break }
      let action = process.signals[signal]
      switch action.sa_handler {
      case SignalHandler.SIG_IGN: continue
      case SignalHandler.SIG_DFL: takeDefaultAction(signal, info)
      default: enterHandler(signal, info, action)
      }
    }
    if process.pendingExit != nil { return }
    finishCall(handler: nil)
    restoreTemporaryMask()
  }

  /// Sleeps while the process is stopped.
  private func stayStopped() {
    while process.signals.stoppedBy != nil, process.pendingExit == nil {
      hasInterrupt = false
      _ = process.signals.continued.sleep()
    }
    hasInterrupt = false
  }

  private func takeDefaultAction(_ signal: Signal, _ info: SigInfo) {
    switch signal.defaultAction {
    case .ignore, .continue: break
    case .stop:
      if signal != .SIGSTOP, process.groupIsOrphaned { break }
      process.stop(by: signal)
    case .core:
      // Whoever sends a child such a signal knows of it; a fault, or the end of the machine, is news.
      if signal != .SIGQUIT, process.pid == 1 || info.si_code > 0 { reportDeath(signal, info) }
      process.exitAll(.killed(signal))
    case .terminate:
      process.exitAll(.killed(signal))
    }
  }

  private func enterHandler(_ signal: Signal, _ info: SigInfo, _ action: SigactionKernel) {
    if action.sa_flags.contains(.SA_RESETHAND) { process.signals[signal].sa_handler = SignalHandler.SIG_DFL }
    finishCall(handler: action.sa_flags)
    restartSequence()
    guard pushSignalFrame(signal, info, action) else {
      // There is no stack to say it on. A handler for SIGSEGV that cannot be entered is as good as none.
      if signal == .SIGSEGV { process.signals[.SIGSEGV] = SigactionKernel() }
      force(.kill(.SIGSEGV, code: SignalCode.SI_KERNEL, pid: 0, uid: 0))
      return
    }
    signals.savedMask = nil
    var mask = signals.mask.union(action.sa_mask)
    if !action.sa_flags.contains(.SA_NODEFER) { mask.insert(signal) }
    setSignalMask(mask)
  }

  /// Gives the system call that was cut short its result, or makes it start again; once for a call, however many
  /// handlers are entered.
  private func finishCall(handler: SignalActionFlags?) {
    guard registers.frame.vector == RegisterFrame.systemCall else { return }
    switch RestartDecision(result: Int64(bitPattern: registers.frame.rax), handler: handler) {
    case .none: break
    case .interrupted: registers.frame.rax = UInt64(bitPattern: -Int64(Errno.EINTR.rawValue))
    case .again:
      registers.frame.rax = registers.frame.error
      registers.frame.rip &-= RegisterFrame.systemCallLength
    case .restartCall:
      registers.frame.rax = RegisterFrame.restartCallNumber
      registers.frame.rip &-= RegisterFrame.systemCallLength
    }
    registers.frame.vector = 0
  }
}

extension RegisterFrame {
  /// The vector of a frame that the syscall instruction made.
  static var systemCall: UInt64 { 256 }
  /// Bytes of the syscall instruction.
  static var systemCallLength: UInt64 { 2 }
  /// restart_syscall(2)
  static var restartCallNumber: UInt64 { 219 }
}
