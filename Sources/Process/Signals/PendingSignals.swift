public import LinuxABI

/// Signals that were sent and not yet delivered: Linux's `struct sigpending`.
///
/// A standard signal is pending once or not at all; real-time signals queue, each with its information. See signal(7).
public struct PendingSignals {
  /// The signals of which at least one is pending.
  public private(set) var set = SignalSet.empty
  /// In the order of sending. A signal of `set` without an entry was sent when no more could be queued.
  private var queue: [SigInfo] = []

  public init() {}

  /// How many entries the queue holds: what RLIMIT_SIGPENDING counts.
  public var queuedCount: Int { queue.count }

  /// Adds a signal, unless it is a standard one that is pending already.
  ///
  /// - Parameter keepsInformation: False when the queue is full: the signal is then only noted.
  public mutating func add(_ info: SigInfo, keepsInformation: Bool = true) {
    guard let signal = Signal(rawValue: info.si_signo) else { return }
    if !signal.isRealTime, set.contains(signal) { return }
    set.insert(signal)
    if keepsInformation { queue.append(info) }
  }

  /// The signal of `allowed` that is delivered next: those of faults first, then the lowest number.
  public static func next(in pending: SignalSet, allowed: SignalSet) -> Signal? {
    let ready = pending.intersection(allowed)
    return ready.intersection(.synchronous).first ?? ready.first
  }

  /// Takes the next signal of `allowed` out.
  public mutating func take(allowed: SignalSet) -> SigInfo? {
    set.intersection(allowed).isEmpty ? nil : takeNext(of: allowed)
  }

  /// As `take(allowed:)`, where one of `allowed` is pending.
  mutating func takeNext(of allowed: SignalSet) -> SigInfo {
    guard let signal = Self.next(in: set, allowed: allowed) else { fatalError("no signal") }
    return take(signal)
  }

  /// Takes the oldest signal that a fault of this thread raised, so that its handler sees the registers of the fault.
  public mutating func takeFault(allowed: SignalSet) -> SigInfo? {
    let wanted = set.intersection(allowed).intersection(.synchronous)
    if wanted.isEmpty { return nil }
    for info in queue where info.si_code > SignalCode.SI_USER {
      if let signal = Signal(rawValue: info.si_signo), wanted.contains(signal) { return take(signal) }
    }
    return nil
  }

  private mutating func take(_ signal: Signal) -> SigInfo {
    guard let first = queue.firstIndex(where: { $0.si_signo == signal.rawValue }) else {
      set.remove(signal)
      return .kill(signal, pid: 0, uid: 0)
    }
    let info = queue.remove(at: first)
    if !queue.contains(where: { $0.si_signo == signal.rawValue }) { set.remove(signal) }
    return info
  }

  /// Drops all signals of `signals`.
  public mutating func remove(_ signals: SignalSet) {
    guard !set.intersection(signals).isEmpty else { return }
    set = set.subtracting(signals)
    queue.removeAll { info in
      guard let signal = Signal(rawValue: info.si_signo) else { return true }
      return signals.contains(signal)
    }
  }

  /// Drops the entry of a timer that was deleted.
  mutating func removeTimer(_ id: Int32) {
    guard let index = queue.firstIndex(where: { $0.si_code == SignalCode.SI_TIMER && $0.si_timerid == id }),
      let signal = Signal(rawValue: queue[index].si_signo)
    else { return }
    queue.remove(at: index)
    if !queue.contains(where: { $0.si_signo == signal.rawValue }) { set.remove(signal) }
  }
}
