public import Kernel
public import LinuxABI

/// What the threads of a process share of signals: the actions, the signals for whichever thread takes them, and
/// whether the process is stopped.
public final class ProcessSignals {
  private var actions: SignalActions
  /// What processes of CLONE_SIGHAND have in common: which object it is matters, not what it holds.
  public var sharedActions: ObjectIdentifier { ObjectIdentifier(actions) }
  public internal(set) var pending = PendingSignals()
  /// The signal that stopped the process; nil while it runs.
  public internal(set) var stoppedBy: Signal?
  /// Woken when a stopped process goes on.
  let continued = WaitQueue()
  /// Woken by every signal that is sent to the process or one of its threads: what signalfd(2) and wait(2) hear.
  public let arrived = WaitQueue()

  public init() { actions = SignalActions() }

  /// What clone(2) makes of those of the parent: the same actions with CLONE_SIGHAND, else a copy. Pending signals stay
  /// the parent's.
  init(cloneOf other: ProcessSignals, sharesActions: Bool) {
    actions = sharesActions ? other.actions : SignalActions(copying: other.actions)
  }

  /// The action for a signal. See sigaction(2).
  public subscript(signal: Signal) -> SigactionKernel {
    get { actions[signal] }
    set { actions[signal] = newValue }
  }

  /// Whether a signal with the action it has now does nothing at all.
  func ignores(_ signal: Signal) -> Bool {
    switch self[signal].sa_handler {
    case SignalHandler.SIG_IGN: true
    case SignalHandler.SIG_DFL: signal.defaultAction == .ignore || signal.defaultAction == .continue
    default: false
    }
  }

  /// Puts handlers back to the default, as execve(2) and CLONE_CLEAR_SIGHAND do; ignored signals stay ignored.
  public func resetForExecute() {
    let old = actions
    actions = SignalActions()
    for number in 1...Signal.count {
      guard let signal = Signal(rawValue: number), old[signal].sa_handler == SignalHandler.SIG_IGN else { continue }
      actions[signal].sa_handler = SignalHandler.SIG_IGN
    }
  }
}

/// The actions for all signals, which processes made with CLONE_SIGHAND have in common.
final class SignalActions {
  /// The default for everything; a process that changes nothing keeps it.
  private final class Table {
    var actions = InlineArray<64, SigactionKernel>(repeating: SigactionKernel())
    init() {}
    init(copying other: Table) {
      for index in 0..<64 { actions[index] = other.actions[index] }
    }
  }
  /// Copied when it is changed, as long as a fork has it too.
  private var table: Table?

  init() {}
  init(copying other: SignalActions) { table = other.table }

  subscript(signal: Signal) -> SigactionKernel {
    get { table?.actions[Int(signal.rawValue) - 1] ?? SigactionKernel() }
    set {
      if table == nil {
        table = Table()
      } else if !isKnownUniquelyReferenced(&table) {
        table = table.map { Table(copying: $0) }
      }
      table?.actions[Int(signal.rawValue) - 1] = newValue
    }
  }
}
