public import LinuxABI

/// What a thread has of signals: its mask, the signals sent to it alone, its alternative stack.
public final class ThreadSignals {
  /// The signals that are not delivered now. Changed by `Thread.setSignalMask`, which looks for what that lets through.
  public internal(set) var mask = SignalSet.empty
  public internal(set) var pending = PendingSignals()
  /// sigaltstack(2), as the program set it.
  public internal(set) var alternativeStack = StackT()
  /// The mask to go back to once the signal that ended sigsuspend(2) or the like has been delivered.
  var savedMask: SignalSet?
  /// The mask proper while rt_sigtimedwait(2) has opened it for what it waits for.
  var maskBeforeWait: SignalSet?
  /// What restart_syscall(2) goes on with.
  public var restart: ((Thread) throws(Errno) -> Int)?

  /// The last fault, as `sigcontext` shows it: vector, error code, address.
  var faultVector: UInt64 = 0
  var faultError: UInt64 = 0
  var faultAddress: UInt64 = 0

  public init() {}

  /// The mask that counts for whether a signal would be ignored.
  var lastingMask: SignalSet { maskBeforeWait ?? mask }

  /// Drops the alternative stack, as execve(2) does; mask and pending signals stay.
  public func resetForExecute() {
    alternativeStack = StackT()
    savedMask = nil
    restart = nil
  }

  /// Takes over what clone(2) copies: the mask, and the alternative stack unless the new thread shares the memory.
  public func copy(from other: ThreadSignals, sharesMemory: Bool) {
    mask = other.mask
    alternativeStack = StackT()
    if !sharesMemory {
      alternativeStack = other.alternativeStack
    } else {
      alternativeStack.ss_flags = .SS_DISABLE
    }
  }

  // MARK: The alternative stack

  /// Whether a stack pointer lies on the alternative stack. An SS_AUTODISARM one is never in use: it is taken away
  /// while a handler runs.
  func isOnAlternativeStack(_ stackPointer: UInt64) -> Bool {
    !alternativeStack.ss_flags.contains(.SS_AUTODISARM) && alternativeStack.holds(stackPointer)
  }

  /// SS_DISABLE, SS_ONSTACK or nothing, as sigaltstack(2) reports it.
  func alternativeStackState(_ stackPointer: UInt64) -> SignalStackFlags {
    if alternativeStack.ss_size == 0 { return .SS_DISABLE }
    return isOnAlternativeStack(stackPointer) ? .SS_ONSTACK : []
  }

  /// Gets and sets the alternative stack. See sigaltstack(2).
  ///
  /// - Parameter minimum: The least size that is accepted.
  /// - Throws: `EPERM` while it is in use, `EINVAL`, `ENOMEM`.
  public func setAlternativeStack(_ new: StackT, stackPointer: UInt64, minimum: UInt64) throws(Errno) {
    if isOnAlternativeStack(stackPointer) { throw .EPERM }
    let mode = new.ss_flags.subtracting(.SS_AUTODISARM)
    guard mode.isEmpty || mode == .SS_DISABLE || mode == .SS_ONSTACK else { throw .EINVAL }
    var stack = new
    if mode == .SS_DISABLE {
      stack.ss_sp = 0
      stack.ss_size = 0
    } else if new.ss_size < minimum {
      let old = alternativeStack
      if old.ss_sp == new.ss_sp, old.ss_size == new.ss_size, old.ss_flags == new.ss_flags { return }
      throw .ENOMEM
    }
    alternativeStack = stack
  }

  /// What sigaltstack(2) returns as the old stack.
  public func describeAlternativeStack(stackPointer: UInt64) -> StackT {
    var stack = alternativeStack
    stack.ss_flags = alternativeStackState(stackPointer).union(
      alternativeStack.ss_flags.intersection(.SS_AUTODISARM))
    return stack
  }
}

extension StackT {
  /// Whether a stack pointer lies in it: the end counts, the start does not.
  func holds(_ stackPointer: UInt64) -> Bool {
    stackPointer > ss_sp && stackPointer - ss_sp <= ss_size
  }
}
