internal import LinuxABI

/// What becomes of a system call that a signal cut short. See signal(7), "Interruption of system calls".
enum RestartDecision: Equatable {
  /// The result stands.
  case none
  /// The program sees `EINTR`.
  case interrupted
  /// The call is made again with the same arguments.
  case again
  /// restart_syscall(2) goes on in its place, for calls with a relative timeout.
  case restartCall

  /// - Parameters:
  ///   - result: What the call returned.
  ///   - handler: The flags of the action whose handler runs next, or nil if none does.
  init(result: Int64, handler: SignalActionFlags?) {
    guard result < 0, result >= -4095, let error = Errno(rawValue: Int32(truncatingIfNeeded: -result)) else {
      self = .none
      return
    }
    switch error {
    case .ERESTARTNOINTR: self = .again
    case .ERESTARTSYS: self = handler.map { $0.contains(.SA_RESTART) } ?? true ? .again : .interrupted
    case .ERESTARTNOHAND: self = handler == nil ? .again : .interrupted
    case .ERESTART_RESTARTBLOCK: self = handler == nil ? .restartCall : .interrupted
    default: self = .none
    }
  }
}
