internal import Kernel
public import LinuxABI

/// The timers of a process: those of setitimer(2) and of timer_create(2).
public final class ProcessTimers {
  fileprivate var intervalTimers: [ClockTimer?] = [nil, nil, nil]
  fileprivate var created: [PosixTimer] = []
  private var nextID: Int32 = 0

  public init() {}

  /// Stops and forgets everything, as exit and execve(2) do with timers of timer_create(2).
  func removeAll(keepingIntervalTimers: Bool) {
    for timer in created { timer.timer.cancel() }
    created.removeAll()
    if keepingIntervalTimers { return }
    for index in 0..<3 {
      intervalTimers[index]?.cancel()
      intervalTimers[index] = nil
    }
  }

  fileprivate func makeID() -> Int32 {
    var id = nextID
    while created.contains(where: { $0.id == id }) { id = id == .max ? 0 : id + 1 }
    nextID = id == .max ? 0 : id + 1
    return id
  }

  func timer(_ id: Int32) throws(Errno) -> PosixTimer {
    guard let timer = created.first(where: { $0.id == id }) else { throw .EINVAL }
    return timer
  }

  /// SIGALRM has been taken.
  func alarmTaken() {
    if let timer = intervalTimers[Int(IntervalTimerKind.ITIMER_REAL.rawValue)], timer.rests { timer.goOn() }
  }

  /// A timer's signal has been taken: counts what expired meanwhile and starts the next period.
  func delivered(_ info: SigInfo) -> SigInfo {
    guard let timer = created.first(where: { $0.id == info.si_timerid }) else { return info }
    return timer.delivered(info)
  }
}

/// A timer by any clock. CPU clocks stand still while nobody runs, so their timers look again when at the earliest
/// they could have expired.
final class ClockTimer {
  private let system: System
  private let clock: TimerClock
  private let fire: (ClockTimer) -> Void
  var schedule = TimerSchedule()
  private var entry: TimerEntry?

  /// How often a timer of a CPU clock looks: Linux does it once a tick.
  private static var tick: UInt64 { 4_000_000 }

  /// - Parameter fire: Called once the deadline has passed; advances the schedule and arms the timer again.
  init(_ system: System, _ clock: TimerClock, _ fire: @escaping (ClockTimer) -> Void) {
    self.system = system
    self.clock = clock
    self.fire = fire
  }

  /// The clock's time; nil when its process is gone.
  var now: UInt64? {
    switch clock {
    case .realtime: system.clock.realtime
    case .monotonic: system.clock.now
    case .processTime(let pid): system.process(pid)?.cpuTime
    case .processUserTime(let pid): system.process(pid)?.times.user
    case .threadTime(let tid): system.thread(tid)?.cpuTime
    }
  }

  var remaining: UInt64 { now.map { schedule.remaining(at: $0) } ?? 0 }

  /// The deadline has passed, and the next period begins when the signal has been taken.
  var rests = false

  /// Begins the next period, whose end lies in the future.
  func goOn() {
    rests = false
    if let now { _ = schedule.advance(to: now) }
    arm()
  }

  func set(_ schedule: TimerSchedule) {
    cancel()
    self.schedule = schedule
    arm()
  }

  /// Starts waiting for the deadline.
  func arm() {
    guard schedule.isArmed, let now else { return }
    wait(schedule.remaining(at: now))
  }

  private var isOfCPU: Bool {
    switch clock {
    case .realtime, .monotonic: false
    case .processTime, .processUserTime, .threadTime: true
    }
  }

  private func wait(_ nanoseconds: UInt64) {
    let entry = TimerEntry { [self] in check() }
    self.entry = entry
    let pause = isOfCPU ? max(nanoseconds, Self.tick) : nanoseconds
    system.scheduler.timers.add(entry, at: TimerSchedule.sum(system.clock.now, pause))
  }

  private func check() {
    entry = nil
    guard schedule.isArmed, let now else { return }
    if now >= schedule.deadline {
      fire(self)
    } else {
      wait(schedule.deadline - now)
    }
  }

  func cancel() {
    rests = false
    if let entry { system.scheduler.timers.cancel(entry) }
    entry = nil
    schedule = TimerSchedule()
  }
}

// MARK: setitimer(2)

extension UserProcess {
  private func makeIntervalTimer(_ kind: IntervalTimerKind) -> ClockTimer {
    let signal: Signal
    let clock: TimerClock
    switch kind {
    case .ITIMER_REAL:
      signal = .SIGALRM
      clock = .monotonic
    case .ITIMER_VIRTUAL:
      signal = .SIGVTALRM
      clock = .processUserTime(pid)
    case .ITIMER_PROF:
      signal = .SIGPROF
      clock = .processTime(pid)
    }
    return ClockTimer(system, clock) { [self] timer in
      send(SigInfo(signal: signal, code: SignalCode.SI_KERNEL))
      // A short period would leave the program no time: the next one begins when the signal is taken, as in Linux.
      if kind == .ITIMER_REAL, timer.schedule.interval > 0 {
        timer.rests = true
      } else {
        timer.goOn()
      }
    }
  }

  /// The time to the next expiration and the period, in nanoseconds. See getitimer(2).
  public func intervalTimer(_ kind: IntervalTimerKind) -> (remaining: UInt64, interval: UInt64) {
    guard let timer = timers.intervalTimers[Int(kind.rawValue)] else { return (0, 0) }
    return (timer.remaining, timer.schedule.interval)
  }

  /// Arms a timer `value` nanoseconds from now, or stops it for 0. See setitimer(2).
  public func setIntervalTimer(_ kind: IntervalTimerKind, value: UInt64, interval: UInt64) {
    let index = Int(kind.rawValue)
    if value == 0 {
      timers.intervalTimers[index]?.cancel()
      timers.intervalTimers[index] = nil
      return
    }
    let timer = timers.intervalTimers[index] ?? makeIntervalTimer(kind)
    timers.intervalTimers[index] = timer
    timer.set(TimerSchedule(deadline: TimerSchedule.sum(timer.now ?? 0, value), interval: interval))
  }
}

// MARK: timer_create(2)

/// A timer of timer_create(2). While its signal is pending, the timer rests: what it missed is the overrun count.
final class PosixTimer {
  let id: Int32
  let clock: TimerClock
  let event: SigEvent
  let timer: ClockTimer
  /// Expirations beyond the first when the last signal was taken.
  private(set) var overrun: Int32 = 0

  init(id: Int32, clock: TimerClock, event: SigEvent, timer: ClockTimer) {
    self.id = id
    self.clock = clock
    self.event = event
    self.timer = timer
  }

  fileprivate func delivered(_ info: SigInfo) -> SigInfo {
    var info = info
    let now = timer.now ?? 0
    // The expiration that sent the signal is still the deadline.
    let passed = timer.schedule.advance(to: now)
    overrun = passed > 1 ? Int32(clamping: passed - 1) : 0
    info.si_overrun = overrun
    timer.arm()
    return info
  }
}

extension UserProcess {
  /// The most timers a process may have; Linux counts them against RLIMIT_SIGPENDING.
  private static var maximumTimers: Int { 4096 }

  /// Makes a timer. See timer_create(2).
  ///
  /// - Parameter event: How it notifies, or nil for SIGALRM with the timer's number.
  /// - Throws: `EINVAL`, `EAGAIN`.
  public func createTimer(_ clock: TimerClock, _ event: SigEvent?) throws(Errno) -> Int32 {
    guard timers.created.count < Self.maximumTimers else { throw .EAGAIN }
    let id = timers.makeID()
    var event = event ?? SigEvent.alarm(id)
    guard let how = SignalEventNotify(rawValue: event.sigev_notify) else { throw .EINVAL }
    if how != .SIGEV_NONE {
      guard Signal(rawValue: event.sigev_signo) != nil else { throw .EINVAL }
    }
    var target: Thread?
    if how == .SIGEV_THREAD_ID {
      guard let thread = threads.first(where: { $0.tid == event.sigev_notify_thread_id }) else { throw .EINVAL }
      target = thread
    }
    if how == .SIGEV_THREAD { event.sigev_notify = SignalEventNotify.SIGEV_SIGNAL.rawValue }
    let info = Signal(rawValue: event.sigev_signo).map {
      SigInfo.timer($0, id: id, overrun: 0, value: event.sigev_value)
    }
    let timer = ClockTimer(system, clock) { [self] timer in
      guard how != .SIGEV_NONE, let info, let signal = Signal(rawValue: info.si_signo) else { return }
      let receiver = target.map { $0.signals.lastingMask } ?? threads.first?.signals.lastingMask ?? .empty
      if signals.ignores(signal), !receiver.contains(signal) {
        if let now = timer.now { _ = timer.schedule.advance(to: now) }
        timer.arm()
      } else {
        // A periodic timer rests until the signal is taken.
        if timer.schedule.interval == 0 { timer.schedule = TimerSchedule() }
        if let target { target.send(info) } else { send(info) }
      }
    }
    timers.created.append(PosixTimer(id: id, clock: clock, event: event, timer: timer))
    return id
  }

  /// - Throws: `EINVAL`.
  public func deleteTimer(_ id: Int32) throws(Errno) {
    let timer = try timers.timer(id)
    timer.timer.cancel()
    timers.created.removeAll { $0 === timer }
    signals.pending.removeTimer(id)
    for thread in threads { thread.signals.pending.removeTimer(id) }
  }

  /// The time to the next expiration and the period, in nanoseconds. See timer_gettime(2).
  ///
  /// - Throws: `EINVAL`.
  public func timerState(_ id: Int32) throws(Errno) -> (remaining: UInt64, interval: UInt64) {
    let timer = try timers.timer(id)
    // One that rests because its signal is pending, or that notifies nobody, goes on counting all the same.
    var schedule = timer.timer.schedule
    let now = timer.timer.now ?? 0
    if schedule.interval > 0 { _ = schedule.advance(to: now) }
    if timer.event.sigev_notify == SignalEventNotify.SIGEV_NONE.rawValue, schedule.deadline <= now {
      return (0, schedule.interval)
    }
    return (schedule.remaining(at: now), schedule.interval)
  }

  /// Arms a timer, or stops it for a value of 0. See timer_settime(2).
  ///
  /// - Parameter isAbsolute: Whether `value` is a time of the timer's clock rather than a distance from now.
  /// - Throws: `EINVAL`.
  public func setTimer(_ id: Int32, value: UInt64, interval: UInt64, isAbsolute: Bool) throws(Errno) {
    let timer = try timers.timer(id)
    timer.timer.cancel()
    if value == 0 { return }
    let deadline = isAbsolute ? value : TimerSchedule.sum(timer.timer.now ?? 0, value)
    timer.timer.set(TimerSchedule(deadline: deadline, interval: interval))
  }

  /// Expirations that the last signal of a timer stood for, beyond the first. See timer_getoverrun(2).
  ///
  /// - Throws: `EINVAL`.
  public func timerOverrun(_ id: Int32) throws(Errno) -> Int32 { try timers.timer(id).overrun }
}

extension SigEvent {
  /// What timer_create(2) takes null for.
  fileprivate static func alarm(_ id: Int32) -> SigEvent {
    var event = SigEvent()
    event.sigev_notify = SignalEventNotify.SIGEV_SIGNAL.rawValue
    event.sigev_signo = Signal.SIGALRM.rawValue
    event.sigev_value = UInt64(UInt32(bitPattern: id))
    return event
  }
}

extension Thread {
  /// Makes a timer for this thread's process. See timer_create(2).
  ///
  /// - Throws: `EINVAL`, `EAGAIN`.
  public func createTimer(_ clock: TimerClock, _ event: SigEvent?) throws(Errno) -> Int32 {
    _ = try read(clock)
    return try process.createTimer(fixed(clock), event)
  }
}
