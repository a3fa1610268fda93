public import Kernel
public import LinuxABI
public import Support
public import VFSCore

/// A timer that is read and polled as a file. See timerfd_create(2).
public final class TimerFD: OpenFile {
  private let timer: FileTimer
  private let number: ClockID

  /// Makes a timer that is not armed.
  ///
  /// - Throws: `EINVAL` for a clock that timers of this kind cannot go by.
  public init(_ system: System, _ context: FileSystemContext, clock: ClockID, isNonBlocking: Bool) throws(Errno) {
    switch clock {
    case .CLOCK_REALTIME, .CLOCK_REALTIME_ALARM: timer = FileTimer(system, isRealtime: true)
    case .CLOCK_MONOTONIC, .CLOCK_BOOTTIME, .CLOCK_BOOTTIME_ALARM: timer = FileTimer(system, isRealtime: false)
    default: throw .EINVAL
    }
    number = clock
    let path = context.namespace.makeAnonymousPath(
      mode: FileMode(rawValue: 0o600), name: [UInt8]("[timerfd]"), credentials: context.credentials)
    super.init(path, isNonBlocking ? [.O_RDWR, .O_NONBLOCK] : .O_RDWR)
  }

  // The queue of timers holds what fires, not the file.
  deinit { timer.stop() }

  /// Whether it goes by a clock that could wake the machine, for which a program needs a right.
  public var isAlarm: Bool { number == .CLOCK_REALTIME_ALARM || number == .CLOCK_BOOTTIME_ALARM }

  /// The time to the next expiration and the period, in nanoseconds. See timerfd_gettime(2).
  public var state: (remaining: UInt64, interval: UInt64) {
    timer.forward()
    return timer.remaining
  }

  /// Arms the timer, or stops it for a value of 0.
  ///
  /// - Returns: What `state` was before.
  /// - Throws: `ECANCELED` when the clock was set since a timer that wants to know of it was last read; it is armed all
  ///   the same.
  public func set(
    value: UInt64, interval: UInt64, _ flags: TimerFDSetFlags
  ) throws(Errno) -> (remaining: UInt64, interval: UInt64) {
    let before = timer.remainingOfOld
    try timer.set(value: value, interval: interval, flags)
    return before
  }

  override public func read(into writer: inout UserWriter, at position: Int64?) throws(Errno) -> Int {
    if position != nil { throw .ESPIPE }
    guard writer.remaining >= 8 else { throw .EINVAL }
    while timer.ticks == 0 {
      if isNonBlocking { throw .EAGAIN }
      if timer.queue.sleep() == .interrupted { throw .ERESTARTSYS }
    }
    let taken = try timer.take()
    var bytes: [UInt8] = []
    for shift in stride(from: UInt64(0), to: 64, by: 8) { bytes.append(UInt8(truncatingIfNeeded: taken >> shift)) }
    guard try writer.write(bytes.rawBytes) == 8 else { throw .EFAULT }
    return 8
  }

  override public var readiness: PollEvents { timer.ticks > 0 ? .POLLIN : [] }
  override public var waitQueue: WaitQueue? { timer.queue }

  override public func writeInformation(_ text: inout TextBuffer) {
    text.append("clockid: ")
    text.append(decimal: Int(number.rawValue))
    text.append("\nticks: ")
    text.append(decimal: UInt(timer.ticks))
    text.append("\nsettime flags: 0")
    text.append(octal: UInt(timer.flags.rawValue))
    let state = timer.remaining
    for (name, time) in [("\nit_value: (" as StaticString, state.remaining), ("\nit_interval: (", state.interval)] {
      text.append(name)
      text.append(decimal: UInt(time / 1_000_000_000))
      text.append(", ")
      text.append(decimal: UInt(time % 1_000_000_000))
      text.append(")")
    }
    text.append("\n")
  }
}

/// What expires. A periodic one rests after the first expiration; what it missed is counted when it is asked.
private final class FileTimer {
  private let system: System
  private let isRealtime: Bool
  let queue = WaitQueue()
  private var schedule = TimerSchedule()
  private var entry: TimerEntry?
  private var clockWaiter: ClockSetWaiter?
  /// Expirations since the last read.
  private(set) var ticks: UInt64 = 0
  /// Whether the timer has fired and rests.
  private var hasExpired = false
  private(set) var flags: TimerFDSetFlags = []
  /// Whether setting the clock ends reads with `ECANCELED`, and whether it was set.
  private var isCancelable = false
  private var clockWasSet = false

  init(_ system: System, isRealtime: Bool) {
    self.system = system
    self.isRealtime = isRealtime
  }

  /// Set for absolute times of the wall clock. Relative ones do not change when the clock is set.
  private var followsClock = false

  private var now: UInt64 { followsClock ? system.clock.realtime : system.clock.now }

  var remaining: (remaining: UInt64, interval: UInt64) {
    let now = now
    return (schedule.deadline > now && !hasExpired ? schedule.deadline - now : 0, interval)
  }
  private var interval: UInt64 = 0

  /// As `remaining`, with the period that runs now: what timerfd_settime(2) returns counts nothing.
  var remainingOfOld: (remaining: UInt64, interval: UInt64) {
    if hasExpired, interval > 0 {
      var next = schedule
      _ = next.advance(to: now)
      return (next.remaining(at: now), interval)
    }
    return remaining
  }

  func set(value: UInt64, interval: UInt64, _ flags: TimerFDSetFlags) throws(Errno) {
    cancel()
    let isAbsolute = flags.contains(.TFD_TIMER_ABSTIME)
    followsClock = isRealtime && isAbsolute
    isCancelable = followsClock && flags.contains(.TFD_TIMER_CANCEL_ON_SET)
    if !isCancelable { clockWasSet = false }
    hasExpired = false
    ticks = 0
    self.interval = interval
    schedule = TimerSchedule(
      deadline: value == 0 ? 0 : isAbsolute ? value : TimerSchedule.sum(now, value), interval: interval)
    if followsClock, value != 0 || isCancelable {
      let waiter = ClockSetWaiter(self)
      clockWaiter = waiter
      system.clock.wasSet.add(waiter)
    }
    arm()
    if value != 0, takeClockChange() { throw .ECANCELED }
    self.flags = flags
  }

  private func takeClockChange() -> Bool {
    guard isCancelable, clockWasSet else { return false }
    clockWasSet = false
    return true
  }

  private func arm() {
    guard schedule.isArmed, !hasExpired else { return }
    let now = now
    let distance = schedule.deadline > now ? schedule.deadline - now : 0
    let entry = TimerEntry { [self] in fire() }
    self.entry = entry
    system.scheduler.timers.add(entry, at: TimerSchedule.sum(system.clock.now, distance))
  }

  private func fire() {
    entry = nil
    if schedule.deadline > now {
      // A wall clock that was set back.
      arm()
      return
    }
    hasExpired = true
    ticks &+= 1
    queue.wakeAll()
  }

  /// Counts the periods that passed while the timer rested, and makes it go on.
  func forward() {
    guard hasExpired, interval > 0 else { return }
    hasExpired = false
    ticks &+= schedule.advance(to: now) &- 1
    arm()
  }

  /// Takes the count of expirations, which is not 0.
  ///
  /// - Throws: `ECANCELED`.
  func take() throws(Errno) -> UInt64 {
    if takeClockChange() {
      ticks = 0
      hasExpired = false
      throw .ECANCELED
    }
    forward()
    hasExpired = false
    if interval == 0 { schedule = TimerSchedule() }
    defer { ticks = 0 }
    return ticks
  }

  fileprivate func noticeClockSet() {
    if isCancelable {
      clockWasSet = true
      ticks &+= 1
      queue.wakeAll()
    }
    if let entry {
      system.scheduler.timers.cancel(entry)
      self.entry = nil
      arm()
    }
  }

  private func cancel() {
    if let entry { system.scheduler.timers.cancel(entry) }
    entry = nil
    clockWaiter?.remove()
    clockWaiter = nil
  }

  /// Ends it: nothing refers to it any more.
  func stop() { cancel() }
}

/// Hears that the wall clock was set.
private final class ClockSetWaiter: Waiter {
  private let timer: FileTimer

  init(_ timer: FileTimer) {
    self.timer = timer
    super.init()
  }

  override func notify() { timer.noticeClockSet() }
}
