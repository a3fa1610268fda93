public import LinuxABI
internal import Platform

/// Chooses what runs: fairly by virtual time, after all tasks with a real-time priority. One CPU; the program is preempted
/// by the timer and by wake-ups, the kernel never.
@safe public final class Scheduler {
  public let timers: TimerQueue
  /// Length of a time slice in nanoseconds while another task waits.
  public static let sliceNanoseconds: UInt64 = 3_000_000
  /// How far a task that slept may lag behind those that ran: it runs before them for as long.
  private static var sleeperCredit: UInt64 { 3_000_000 }
  /// How far a woken task must lag behind the running one to run in its place.
  private static var wakeUpGranularity: UInt64 { 1_000_000 }

  private var ready = ReadyQueue()
  private var running: Task?
  /// A task that ended: its stack may go once another runs.
  private var ended: Task?
  /// Called with an ended task's place on another stack; the personality frees its kernel stack there.
  public var reap: ((Task) -> Void)?
  /// Until when `running` has been charged for its time.
  private var chargedUntil: UInt64 = 0
  private var sliceEnd = UInt64.max
  /// No ready task has had less virtual time; only grows.
  private var leastVirtualTime: UInt64 = 0
  /// The running task is to make room when it next leaves the kernel.
  private var wantsSwitch = false
  /// Between `takeNext` and the switch: where the old stack pointer goes, and the new one.
  private var outgoing: UnsafeMutablePointer<UInt64>?
  private var incoming: UInt64 = 0

  /// Called every so often while a task runs, from the timer interrupt: the personality looks where the program is.
  public var sample: (() -> Void)?
  private var sampler: TimerEntry?
  /// The CPU went idle, and a sample found that: nothing ticks until something runs again.
  private var samplingRests = true
  private static var samplePeriod: UInt64 { 10_000_000 }

  private let polling: IdlePolling

  public init(timers: TimerQueue) {
    self.timers = timers
    polling = IdlePolling(timers)
  }

  /// Looks for replies of a device before the CPU goes idle, where that pays.
  public func add(polled device: any PolledDevice) { polling.devices.append(device) }

  private func startSampling(_ now: UInt64, after delay: UInt64 = samplePeriod) {
    guard sample != nil else { return }
    samplingRests = false
    let entry =
      sampler
      ?? TimerEntry { [self] in
        guard idleSince == nil else {
          samplingRests = true
          return
        }
        sample?()
        startSampling(timers.now())
      }
    sampler = entry
    timers.add(entry, at: now &+ delay)
  }

  /// How often the CPU went over to another task.
  public private(set) var switchCount: UInt64 = 0

  /// Tasks that run or could.
  public var runnableCount: Int { ready.count + (idleSince == nil ? 1 : 0) }

  private var idleTotal: UInt64 = 0
  private var idleSince: UInt64?
  /// Nanoseconds in which nothing ran. The current task is not charged for them, though the CPU idles on its stack.
  public var idleTime: UInt64 {
    guard let idleSince else { return idleTotal }
    return idleTotal &+ (timers.now() &- idleSince)
  }

  /// Whether `task` is the one that runs, or on whose stack the CPU idles.
  public func isCurrent(_ task: Task) -> Bool { running === task }

  /// Nanoseconds that the running task has not been charged for yet.
  var timeSinceCharge: UInt64 { idleSince == nil ? timers.now() &- chargedUntil : 0 }

  /// Makes `task` the one that runs, before there is any other: boot's last step, together with `enter`.
  public func adopt(_ task: Task) {
    chargedUntil = timers.now()
    // A program that says one line has ended by then.
    startSampling(chargedUntil, after: 3 * Self.samplePeriod)
    take(over: task)
  }

  @inline(__always)
  private func take(over task: consuming Task) {
    task.state = .running
    // SAFETY: `running` holds the task for as long as the pointer stands.
    unsafe CPU.thread = Unmanaged.passUnretained(task).toOpaque()
    CPU.setKernelStack(top: task.stackTop)
    task.willRun()
    running = task
  }

  // MARK: Shares

  /// Brings the running task's share up to date.
  private func charge(_ now: UInt64) {
    guard let task = running else { return }
    task.share.charge(now &- chargedUntil)
    chargedUntil = now
    var least = task.share.virtualTime
    if let first = ready.first, first.share.realTimePriority == 0,
      Int64(bitPattern: first.share.virtualTime &- least) < 0
    {
      least = first.share.virtualTime
    }
    if task.share.realTimePriority == 0, Int64(bitPattern: least &- leastVirtualTime) > 0 { leastVirtualTime = least }
  }

  /// Sets what share of the CPU a task gets.
  ///
  /// - Parameters:
  ///   - nice: -20 to 19.
  ///   - realTimePriority: 1 to 99 for SCHED_FIFO and SCHED_RR, else 0.
  public func setShare(
    of task: Task, nice: Int32, isIdlePolicy: Bool, realTimePriority: Int32, isRoundRobin: Bool
  ) {
    task.share.setNice(nice, isIdlePolicy: isIdlePolicy)
    task.share.isRoundRobin = isRoundRobin
    guard task.share.realTimePriority != realTimePriority else { return }
    task.share.realTimePriority = realTimePriority
    task.share.virtualTime = leastVirtualTime
    if task.state == .ready { ready.rebuild() }
    if let running, let first = ready.first, first.share.displaces(running.share) { requestSwitch() }
  }

  private func enqueue(_ task: Task, _ now: UInt64) {
    task.state = .ready
    ready.push(task)
    if sliceEnd == .max {
      sliceEnd = now &+ Self.sliceNanoseconds
      timers.arm(sliceEnd: sliceEnd, at: now)
    }
  }

  /// Starts a new task: its `start` runs when its turn comes, after those that run already.
  public func add(_ task: Task) {
    // SAFETY: the task lives until it has ended: the queue holds it, then `running` does.
    task.savedStackPointer = unsafe CPU.prepareStack(
      top: task.stackTop - task.reservedStackBytes,
      entry: { argument in
        // SAFETY: as above; no reference is held that the task's end would not give back.
        unsafe Unmanaged<Task>.fromOpaque(argument.unsafelyUnwrapped)._withUnsafeGuaranteedRef { task in
          task.scheduler.finishSwitch()
          task.start()
        }
      },
      argument: Unmanaged.passUnretained(task).toOpaque())
    let now = timers.now()
    charge(now)
    // By less than `wakeUpGranularity`: two tasks that take turns keep the difference, and neither is to displace the
    // other each time it wakes it.
    task.share.virtualTime = leastVirtualTime &+ Self.wakeUpGranularity / 2
    enqueue(task, now)
  }

  // MARK: Waking

  /// Ends the sleep of `task`, if it sleeps.
  @_optimize(speed)
  public func wake(_ task: Task, _ reason: WakeReason) {
    guard task.state == .blocked else { return }
    task.wakeReason = reason
    let now = timers.now()
    if idleSince == nil { charge(now) }
    // Who slept long goes before those that ran, but not for long.
    let earliest = leastVirtualTime &- Self.sleeperCredit
    if Int64(bitPattern: task.share.virtualTime &- earliest) < 0 { task.share.virtualTime = earliest }
    enqueue(task, now)
    guard let running, running !== task, running.state == .running else { return }
    if task.share.displaces(running.share, lag: Self.wakeUpGranularity) { requestSwitch() }
  }

  private func requestSwitch() {
    wantsSwitch = true
    CPU.exitWork = true
  }

  /// Ends an interruptible sleep because a signal came.
  public func interrupt(_ task: Task) {
    task.hasInterrupt = true
    if task === running { CPU.exitWork = true }
    if task.state == .blocked, task.sleepMode == .interruptible { wake(task, .interrupted) }
  }

  /// Ends a sleep that only the end of the task may end, besides interruptible ones.
  public func kill(_ task: Task) {
    task.isKilled = true
    interrupt(task)
    if task.state == .blocked, task.sleepMode == .killable { wake(task, .interrupted) }
  }

  /// Serves the timer interrupt: timers that are due, and the end of a slice.
  public func timerInterrupt() {
    timers.expire()
    if ready.isEmpty {
      sliceEnd = .max
      return
    }
    let now = timers.now()
    if now >= sliceEnd, idleSince == nil, let running {
      charge(now)
      sliceEnd = now &+ Self.sliceNanoseconds
      if let first = ready.first, first.share.displaces(running.share, atSliceEnd: true) { requestSwitch() }
    }
    timers.arm(sliceEnd: sliceEnd, at: now)
  }

  // MARK: Sleeping and switching

  /// Puts the current task, which is `task`, to sleep until `wake`. See `WaitQueue.sleep`.
  @_optimize(speed)
  func block(_ task: Task, until deadline: UInt64?, _ mode: SleepMode) -> WakeReason {
    if mode == .interruptible ? task.hasInterrupt : mode == .killable && task.isKilled { return .interrupted }
    let now = timers.now()
    if let deadline, now >= deadline { return .timedOut }
    task.sleepMode = mode
    var timer: TimerEntry?
    if let deadline {
      timer = TimerEntry { [self] in wake(task, .timedOut) }
      timers.add(timer!, at: deadline)
    }
    charge(now)
    task.state = .blocked
    switchAway(now)
    if let timer { timers.cancel(timer) }
    return task.wakeReason
  }

  /// Sleeps until the deadline or a signal.
  public func sleep(until deadline: UInt64?, interruptible: Bool = true) -> WakeReason {
    Task.withCurrent { block($0, until: deadline, interruptible ? .interruptible : .uninterruptible) }
  }

  /// Repeats `body` until it has run to its end without a sleep: what it saw of the program's memory was so at one time.
  public func undisturbed(_ body: () throws(Errno) -> Void) throws(Errno) {
    var count: UInt64
    repeat {
      count = switchCount
      try body()
    } while count != switchCount
  }

  /// Lets another task run first, whatever its share. See sched_yield(2).
  public func yield() {
    guard let first = ready.first, let task = running else { return }
    let now = timers.now()
    charge(now)
    if first.share.realTimePriority < task.share.realTimePriority { return }
    goOn(requeues: true, now)
  }

  /// Goes over to a task that should run rather than the current one, if that was found out meanwhile. For the way out of
  /// the kernel.
  public func preempt() {
    guard wantsSwitch else { return }
    wantsSwitch = false
    guard !ready.isEmpty else { return }
    let now = timers.now()
    charge(now)
    goOn(requeues: true, now)
  }

  /// Ends the current task, and does not return. What the caller holds a reference to is never given back.
  public func exit() { switchAway(markEnd()) }

  @inline(never)
  private func markEnd() -> UInt64 {
    let now = timers.now()
    charge(now)
    ended = running
    ended?.state = .dead
    return now
  }

  private func switchAway(_ start: UInt64) {
    var now = start
    if ready.isEmpty {
      // The task that just went to sleep keeps its stack while the CPU idles: no switch when it is the next to run.
      idleSince = now
      sliceEnd = .max
      polling.begin(start) { !ready.isEmpty }
      while ready.isEmpty {
        timers.arm(sliceEnd: .max, at: timers.now())
        CPU.idle()
      }
      now = timers.now()
      polling.end(now &- start)
      idleTotal &+= now &- start
      idleSince = nil
      if samplingRests { startSampling(now) }
    }
    goOn(requeues: false, now)
  }

  /// Goes over to the first of the ready tasks. No frame from here up to the switch holds a reference to a task: the frames
  /// of one that ends are never left.
  private func goOn(requeues: Bool, _ now: UInt64) {
    guard takeNext(requeues, now) else { return }
    // SAFETY: both tasks' stacks are mapped and whole; the old one goes on here when it is switched back to.
    unsafe CPU.switchStack(save: outgoing.unsafelyUnwrapped, load: incoming)
    finishSwitch()
  }

  /// Makes the first of the ready tasks the running one; false when it is so already.
  @inline(never)
  @_optimize(speed)
  private func takeNext(_ requeues: Bool, _ now: UInt64) -> Bool {
    guard let current = running, let next = ready.pop() else { fatalError("nothing to run") }
    if requeues {
      current.state = .ready
      ready.push(current)
    }
    wantsSwitch = false
    chargedUntil = now
    sliceEnd = ready.isEmpty ? .max : now &+ Self.sliceNanoseconds
    timers.arm(sliceEnd: sliceEnd, at: now)
    if next === current {
      next.state = .running
      return false
    }
    switchCount &+= 1
    current.didStop()
    // SAFETY: the old task is held by the queue of ready tasks, by what will wake it, or by `ended`; its stack pointer has
    // an address of its own in the object.
    unsafe withUnsafeMutablePointer(to: &current.savedStackPointer) { unsafe outgoing = $0 }
    incoming = next.savedStackPointer
    take(over: next)
    return true
  }

  /// The other half of a switch, on the new task's stack.
  private func finishSwitch() {
    if let task = ended {
      ended = nil
      reap?(task)
    }
  }
}
