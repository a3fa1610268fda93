internal import Platform

/// What the scheduler runs: a kernel stack and a place in its queues. The program's threads are a subclass.
open class Task {
  /// Pages of a kernel stack, below which an unmapped guard page lies.
  public static let stackPages = 4

  public enum State { case ready, running, blocked, dead }

  /// The scheduler this task belongs to.
  public let scheduler: Scheduler
  /// One past the highest address of the kernel stack.
  public let stackTop: UInt
  public internal(set) var state = State.ready
  var savedStackPointer: UInt64 = 0
  /// The next task in the run queue.
  var next: Task?
  /// How a sleep ended; set by whoever ends it.
  var wakeReason = WakeReason.woken
  /// The task sleeps in a way that a signal may end.
  public internal(set) var isInterruptible = false
  /// A signal waits for this task: interruptible sleeps end at once. The Linux personality sets it.
  public var hasInterrupt = false
  let waiter = Waiter()

  /// Makes a task on a kernel stack of its own.
  public init(scheduler: Scheduler, stackTop: UInt) {
    self.scheduler = scheduler
    self.stackTop = stackTop
    waiter.task = nil
  }

  /// The first thing that runs on the task's own stack. It must not return.
  open func start() -> Never { fatalError("a task without a start") }

  /// Called when the CPU goes over to this task and away from it: the place for address space and FPU state.
  open func willRun() {}
  open func didStop() {}

  /// The task that runs now.
  @inline(__always)
  public static var current: Task {
    // SAFETY: the scheduler sets the pointer to a task that it holds before any code can ask.
    unsafe Unmanaged<Task>.fromOpaque(CPU.thread.unsafelyUnwrapped)._withUnsafeGuaranteedRef { $0 }
  }
}

/// How a sleep ended.
public enum WakeReason {
  /// Somebody woke the queue.
  case woken
  /// The deadline passed.
  case timedOut
  /// A signal is pending.
  case interrupted
}
