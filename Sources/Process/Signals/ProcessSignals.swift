public import Kernel
public import LinuxABI

/// What the threads of a process share of signals: the actions, the signals for whichever thread takes them, and
/// whether the process is stopped.
public final class ProcessSignals {
  private var actions = InlineArray<64, SigactionKernel>(repeating: SigactionKernel())
  public internal(set) var pending = PendingSignals()
  /// The signal that stopped the process; nil while it runs.
  public internal(set) var stoppedBy: Signal?
  /// Woken when a stopped process goes on.
  let continued = WaitQueue()
  /// Woken by every signal that is sent to the process or one of its threads: what signalfd(2) and wait(2) hear.
  public let arrived = WaitQueue()

  public init() {}

  /// The action for a signal. See sigaction(2).
  public subscript(signal: Signal) -> SigactionKernel {
    get { actions[Int(signal.rawValue) - 1] }
    set { actions[Int(signal.rawValue) - 1] = newValue }
  }

  /// Whether a signal with the action it has now does nothing at all.
  func ignores(_ signal: Signal) -> Bool {
    switch self[signal].sa_handler {
    case SignalHandler.SIG_IGN: true
    case SignalHandler.SIG_DFL: signal.defaultAction == .ignore || signal.defaultAction == .continue
    default: false
    }
  }

  /// Takes over the actions of the parent: what fork(2) copies. Pending signals stay the parent's.
  public func copyActions(from other: ProcessSignals) { actions = other.actions }

  /// Puts handlers back to the default, as execve(2) does; ignored signals stay ignored.
  public func resetForExecute() {
    for index in 0..<64 {
      let isIgnored = actions[index].sa_handler == SignalHandler.SIG_IGN
      actions[index] = SigactionKernel()
      if isIgnored { actions[index].sa_handler = SignalHandler.SIG_IGN }
    }
  }
}
