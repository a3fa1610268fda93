internal import Platform

/// An entry of a wait queue: a sleeping task, or whatever else wants to hear of the event (an epoll instance).
open class Waiter {
  var queue: WaitQueue?
  var next: Waiter?
  var previous: Waiter?
  /// The task to wake; nil for entries that override `notify`.
  var task: Task?

  public init() {}

  /// Hears of the event. The entry stays in its queue.
  open func notify() {
    if let task { task.scheduler.wake(task, .woken) }
  }

  /// Leaves the queue, if it is in one.
  public func remove() { queue?.remove(self) }
}

/// Tasks that wait for one kind of event, in the order in which they came.
///
/// The kernel is not preempted, so nothing can happen between the test of a condition and the sleep:
/// `while !ready { try queue.sleep() }` loses no wake-up.
public final class WaitQueue {
  private var first: Waiter?
  private var last: Waiter?

  public init() {}

  public var isEmpty: Bool { first == nil }

  /// Appends an entry, which must be in no queue.
  public func add(_ waiter: Waiter) {
    waiter.queue = self
    waiter.previous = last
    if let last { last.next = waiter } else { first = waiter }
    last = waiter
  }

  func remove(_ waiter: Waiter) {
    if let next = waiter.next { next.previous = waiter.previous } else { last = waiter.previous }
    if let previous = waiter.previous { previous.next = waiter.next } else { first = waiter.next }
    waiter.next = nil
    waiter.previous = nil
    waiter.queue = nil
  }

  /// Wakes everything that waits.
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
    let task = Task.current
    let waiter = task.waiter
    waiter.task = task
    add(waiter)
    let reason = task.scheduler.block(until: deadline, mode)
    waiter.remove()
    waiter.task = nil
    return reason
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
