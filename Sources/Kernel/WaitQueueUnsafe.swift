internal import Platform

/// An entry of a wait queue: a sleeping task, or whatever else wants to hear of the event (an epoll instance).
@safe open class Waiter {
  fileprivate final var queue: WaitQueue?
  fileprivate final var next: Waiter?
  /// The entry before, which the queue holds by way of `next`.
  fileprivate final var previous: Unmanaged<Waiter>?
  /// The task to wake, whose own entry this is; nil for entries that override `notify`.
  private final var task: Unmanaged<Task>?

  public init() {}

  /// Makes this the entry by which `task`, which holds it, sleeps in queues.
  final func belong(to task: Task) {
    // SAFETY: a task that sleeps is held by its process, or by itself when that has let go of it (`Thread.end`), and is in
    // no queue when it does not sleep.
    unsafe self.task = Unmanaged.passUnretained(task)
  }

  /// Hears of the event. The entry stays in its queue.
  open func notify() {
    // SAFETY: see `belong`.
    if let task = unsafe task { unsafe task._withUnsafeGuaranteedRef { $0.scheduler.wake($0, .woken) } }
  }

  /// Leaves the queue, if it is in one.
  public func remove() { queue?.remove(self) }
}

/// Tasks that wait for one kind of event, in the order in which they came.
///
/// The kernel is not preempted, so nothing can happen between the test of a condition and the sleep:
/// `while !ready { try queue.sleep() }` loses no wake-up.
@safe public final class WaitQueue {
  private var first: Waiter?
  /// The last entry, which `first` holds by way of the others.
  private var last: Unmanaged<Waiter>?

  public init() {}

  public var isEmpty: Bool { first == nil }

  /// Appends an entry, which must be in no queue.
  @_optimize(speed)
  public func add(_ waiter: Waiter) {
    waiter.queue = self
    // SAFETY: an entry is held by the one before it, or by the queue: `last` and `previous` name such entries only.
    if let last = unsafe last {
      unsafe waiter.previous = last
      unsafe last._withUnsafeGuaranteedRef { $0.next = waiter }
    } else {
      first = waiter
    }
    unsafe last = Unmanaged.passUnretained(waiter)
  }

  @_optimize(speed)
  fileprivate func remove(_ waiter: Waiter) {
    // SAFETY: as in `add`; whoever calls holds `waiter`.
    let previous = unsafe waiter.previous
    let next = waiter.next
    waiter.next = nil
    unsafe waiter.previous = nil
    if let next { unsafe next.previous = previous } else { unsafe last = previous }
    if let previous = unsafe previous {
      unsafe previous._withUnsafeGuaranteedRef { $0.next = next }
    } else {
      first = next
    }
    waiter.queue = nil
  }

  /// Wakes everything that waits.
  @_optimize(speed)
  public func wakeAll() {
    var waiter = first
    while let entry = waiter {
      waiter = entry.next
      entry.notify()
    }
  }

  /// Wakes the first `count` entries.
  public func wake(_ count: Int = 1) {
    var waiter = first
    var left = count
    while let entry = waiter, left > 0 {
      waiter = entry.next
      entry.notify()
      left -= 1
    }
  }

  /// Puts the current task to sleep until the queue is woken.
  ///
  /// - Parameters:
  ///   - deadline: A monotonic time in nanoseconds at which the sleep ends, or nil.
  ///   - interruptible: Whether a signal ends the sleep.
  public func sleep(until deadline: UInt64? = nil, interruptible: Bool = true) -> WakeReason {
    sleep(until: deadline, interruptible ? .interruptible : .uninterruptible)
  }

  /// As above, with all ways to say what may end the sleep.
  public func sleep(until deadline: UInt64? = nil, _ mode: SleepMode) -> WakeReason {
    Task.withCurrent { task in
      add(task.waiter)
      let reason = task.scheduler.block(task, until: deadline, mode)
      remove(task.waiter)
      return reason
    }
  }

  /// Puts the current task to sleep until the queue is woken, whatever signals come; at boot, where no task runs yet,
  /// lets the CPU idle until the next interrupt. The caller looks at what it waits for again.
  public func wait() {
    if Task.isRunning {
      _ = sleep(interruptible: false)
    } else {
      CPU.idle()
    }
  }

  /// As `wait`, but the end of the task ends the sleep. What a task still does once it is to die, such as writing back
  /// what it has open, is not cut short.
  ///
  /// - Returns: False when the task should give up what it waits for.
  public func waitUnlessKilled() -> Bool {
    guard Task.isRunning, !Task.current.isKilled else {
      wait()
      return true
    }
    return sleep(until: nil, .killable) != .interrupted
  }
}
