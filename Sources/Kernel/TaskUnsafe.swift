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
  /// How a sleep ended; set by whoever ends it.
  var wakeReason = WakeReason.woken
  /// What may end the sleep besides a wake-up.
  public internal(set) var sleepMode = SleepMode.uninterruptible
  /// A signal waits for this task: interruptible sleeps end at once. The Linux personality sets it.
  public var hasInterrupt = false
  /// The task is to end: killable sleeps end at once.
  public internal(set) var isKilled = false
  /// Its share of the CPU.
  var share = ScheduleShare()
  let waiter = Waiter()

  /// Makes a task on a kernel stack of its own.
  public init(scheduler: Scheduler, stackTop: UInt) {
    self.scheduler = scheduler
    self.stackTop = stackTop
    waiter.belong(to: self)
  }

  /// The first thing that runs on the task's own stack. It must not return.
  open func start() -> Never { fatalError("a task without a start") }

  /// Bytes at the top of the stack that are the task's own when it starts, a multiple of 16.
  open var reservedStackBytes: UInt { 0 }

  /// Called when the CPU goes over to this task and away from it: the place for address space and FPU state.
  open func willRun() {}
  open func didStop() {}

  /// Nanoseconds for which the task has run.
  public final var runTime: UInt64 { share.runTime &+ (scheduler.isCurrent(self) ? scheduler.timeSinceCharge : 0) }

  /// Whether a task runs: not at boot.
  public static var isRunning: Bool {
    // SAFETY: only whether the pointer is there is looked at.
    unsafe CPU.thread != nil
  }

  /// Calls `body` with the task that runs now, without taking a reference.
  @inline(__always)
  static func withCurrent<Result>(_ body: (Task) -> Result) -> Result {
    // SAFETY: as for `current`; who runs is held until it has ended.
    unsafe Unmanaged<Task>.fromOpaque(CPU.thread.unsafelyUnwrapped)._withUnsafeGuaranteedRef { body($0) }
  }

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
  /// A signal is pending, or the task is to end.
  case interrupted
}

/// What may end a sleep besides a wake-up and the deadline.
public enum SleepMode {
  case uninterruptible
  /// The end of the task: Linux's TASK_KILLABLE.
  case killable
  /// Any signal.
  case interruptible
}
