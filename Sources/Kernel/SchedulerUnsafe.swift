internal import Platform

/// Chooses what runs. One CPU, one queue, first come first served; the program is preempted by the timer, the kernel never.
public final class Scheduler {
  public let timers: TimerQueue
  /// Length of a time slice in nanoseconds while another task waits.
  public static let sliceNanoseconds: UInt64 = 4_000_000

  private var first: Task?
  private var last: Task?
  private var running: Task?
  /// A task that ended: its stack may go once another runs.
  private var ended: Task?
  /// Called with an ended task's place on another stack; the personality frees its kernel stack there.
  public var reap: ((Task) -> Void)?

  public init(timers: TimerQueue) { self.timers = timers }

  /// How often the CPU went over to another task.
  public private(set) var switchCount: UInt64 = 0

  public var hasReady: Bool { first != nil }

  private var idleTotal: UInt64 = 0
  private var idleSince: UInt64?
  /// Nanoseconds in which nothing ran. The current task is not charged for them, though the CPU idles on its stack.
  public var idleTime: UInt64 {
    guard let idleSince else { return idleTotal }
    return idleTotal &+ (timers.now() &- idleSince)
  }

  /// Whether `task` is the one that runs, or on whose stack the CPU idles.
  public func isCurrent(_ task: Task) -> Bool { running === task }

  /// Makes `task` the one that runs, before there is any other: boot's last step, together with `enter`.
  public func adopt(_ task: Task) {
    running = task
    task.state = .running
    // SAFETY: `running` holds the task for as long as the pointer stands.
    unsafe CPU.thread = Unmanaged.passUnretained(task).toOpaque()
    CPU.setKernelStack(top: task.stackTop)
    task.willRun()
  }

  private func append(_ task: Task) {
    if let last { last.next = task } else { first = task }
    last = task
  }

  /// Starts a new task: its `start` runs when its turn comes.
  public func add(_ task: Task) {
    // SAFETY: the task lives until it has ended: the queue holds it, then `running` does.
    task.savedStackPointer = unsafe CPU.prepareStack(
      top: task.stackTop,
      entry: { argument in
        let task = unsafe Unmanaged<Task>.fromOpaque(argument.unsafelyUnwrapped).takeUnretainedValue()
        task.scheduler.finishSwitch()
        task.start()
      },
      argument: Unmanaged.passUnretained(task).toOpaque())
    task.state = .ready
    append(task)
  }

  /// Ends the sleep of `task`, if it sleeps.
  public func wake(_ task: Task, _ reason: WakeReason) {
    guard task.state == .blocked else { return }
    task.wakeReason = reason
    task.state = .ready
    append(task)
    if running !== task { CPU.exitWork = true }
  }

  /// Ends an interruptible sleep because a signal came.
  public func interrupt(_ task: Task) {
    task.hasInterrupt = true
    if task === running { CPU.exitWork = true }
    if task.state == .blocked, task.isInterruptible { wake(task, .interrupted) }
  }

  /// Puts the current task to sleep until `wake`. See `WaitQueue.sleep`.
  func block(until deadline: UInt64?, interruptible: Bool) -> WakeReason {
    guard let task = running else { fatalError("nothing runs") }
    if interruptible, task.hasInterrupt { return .interrupted }
    if let deadline, timers.now() >= deadline { return .timedOut }
    task.state = .blocked
    task.isInterruptible = interruptible
    var timer: TimerEntry?
    if let deadline {
      timer = TimerEntry { [self] in wake(task, .timedOut) }
      timers.add(timer!, at: deadline)
    }
    switchAway()
    if let timer { timers.cancel(timer) }
    return task.wakeReason
  }

  /// Sleeps until the deadline or a signal.
  public func sleep(until deadline: UInt64?, interruptible: Bool = true) -> WakeReason {
    block(until: deadline, interruptible: interruptible)
  }

  /// Lets others run first.
  public func yield() {
    guard let task = running, first != nil else { return }
    task.state = .ready
    append(task)
    switchAway()
  }

  /// Ends the current task.
  public func exit() -> Never {
    guard let task = running else { fatalError("nothing runs") }
    task.state = .dead
    ended = task
    switchAway()
    fatalError("a dead task ran")
  }

  private func switchAway() {
    guard let old = running else { fatalError("nothing runs") }
    if first == nil {
      // The task that just went to sleep keeps its stack while the CPU idles: no switch when it is the next to run.
      idleSince = timers.now()
      repeat {
        timers.arm(sliceEnd: nil)
        CPU.idle()
      } while first == nil
      idleTotal &+= timers.now() &- (idleSince ?? 0)
      idleSince = nil
    }
    guard let new = first else { fatalError("nothing to run") }
    first = new.next
    if first == nil { last = nil }
    new.next = nil
    new.state = .running
    timers.arm(sliceEnd: first == nil ? nil : timers.now() + Self.sliceNanoseconds)
    if new === old { return }
    switchCount &+= 1
    old.didStop()
    running = new
    // SAFETY: `running` holds the task for as long as the pointer stands.
    unsafe CPU.thread = Unmanaged.passUnretained(new).toOpaque()
    CPU.setKernelStack(top: new.stackTop)
    new.willRun()
    // SAFETY: both tasks' stacks are mapped and whole; the old one goes on here when it is switched back to.
    unsafe CPU.switchStack(save: &old.savedStackPointer, load: new.savedStackPointer)
    finishSwitch()
  }

  /// The other half of a switch, on the new task's stack.
  private func finishSwitch() {
    if let task = ended {
      ended = nil
      reap?(task)
    }
  }
}
