// Names are spelled as in Linux, so that grep and the man pages work.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

internal import Kernel
public import LinuxABI
internal import Mmap
internal import Process
public import Support

/// Clocks, sleeping, timers and the time that was used.
let timeSyscalls: [Syscall] = [
  Syscall(35, "nanosleep", .none, nanosleep),
  Syscall(96, "gettimeofday", .none, gettimeofday),
  Syscall(98, "getrusage", .none, getrusage),
  Syscall(100, "times", times),
  Syscall(159, "adjtimex", adjtimex),
  Syscall(164, "settimeofday", .none, settimeofday),
  Syscall(201, "time", time),
  Syscall(222, "timer_create", .none, timer_create),
  Syscall(223, "timer_settime", .none, timer_settime),
  Syscall(224, "timer_gettime", .none, timer_gettime),
  Syscall(225, "timer_getoverrun", timer_getoverrun),
  Syscall(226, "timer_delete", .none, timer_delete),
  Syscall(227, "clock_settime", .none, clock_settime),
  Syscall(228, "clock_gettime", .none, clock_gettime),
  Syscall(229, "clock_getres", .none, clock_getres),
  Syscall(230, "clock_nanosleep", .none, clock_nanosleep),
  Syscall(305, "clock_adjtime", clock_adjtime),
]

// MARK: Clocks

/// The time of a clock. See clock_gettime(2).
func clock_gettime(_ thread: Thread, _ clock: Named<ClockID>, _ result: Out<Timespec>) throws(Errno) -> Int {
  let now = try thread.read(try TimerClock(clock.rawValue))
  try result.store(Timespec(nanoseconds: Int64(clamping: now)))
  return 0
}

/// The resolution of a clock: that of Linux with 250 ticks a second for the coarse ones. See clock_getres(2).
func clock_getres(_ thread: Thread, _ clock: Named<ClockID>, _ result: Out<Timespec>) throws(Errno) -> Int {
  _ = try thread.read(try TimerClock(clock.rawValue))
  let known = ClockID(rawValue: clock.rawValue)
  let isCoarse = known == .CLOCK_REALTIME_COARSE || known == .CLOCK_MONOTONIC_COARSE
  try result.storeIfPresent(Timespec(nanoseconds: isCoarse ? 4_000_000 : 1))
  return 0
}

/// A wall-clock time that the clock can be set to, in nanoseconds.
private func settable(_ thread: Thread, _ time: Timespec) throws(Errno) -> UInt64 {
  guard let nanoseconds = time.saturatedNanoseconds else { throw .EINVAL }
  guard thread.process.identity.has(Identity.Capability.CAP_SYS_TIME) else { throw .EPERM }
  // The monotonic clock would be ahead of it.
  guard UInt64(nanoseconds) >= thread.process.system.clock.now else { throw .EINVAL }
  return UInt64(nanoseconds)
}

/// Sets the wall clock. See clock_settime(2).
func clock_settime(_ thread: Thread, _ clock: Named<ClockID>, _ time: In<Timespec>) throws(Errno) -> Int {
  guard ClockID(rawValue: clock.rawValue) == .CLOCK_REALTIME else { throw .EINVAL }
  let nanoseconds = try settable(thread, try time.load())
  thread.process.system.clock.setRealtime(nanoseconds)
  return 0
}

/// The wall clock in microseconds. See gettimeofday(2).
func gettimeofday(_ thread: Thread, _ result: Out<Timeval>, _ zone: UserMutablePointer<Timezone>) throws(Errno) -> Int {
  let now = Timespec(nanoseconds: Int64(clamping: thread.process.system.clock.realtime))
  try result.storeIfPresent(Timeval(now))
  if !zone.isNull { try zone.store(Timezone()) }
  return 0
}

/// Sets the wall clock. The time zone is taken and has no effect, as in Linux once it is running. See settimeofday(2).
func settimeofday(_ thread: Thread, _ time: In<Timeval>, _ zone: UserPointer<Timezone>) throws(Errno) -> Int {
  if let value = try time.loadIfPresent() {
    guard value.isValidDuration else { throw .EINVAL }
    let nanoseconds = try settable(thread, Timespec(tv_sec: value.tv_sec, tv_nsec: value.tv_usec * 1000))
    thread.process.system.clock.setRealtime(nanoseconds)
  }
  if !zone.isNull { _ = try zone.load() }
  return 0
}

/// The wall clock in seconds. See time(2).
func time(_ thread: Thread, _ result: UserMutablePointer<Int64>) throws(Errno) -> Int {
  let seconds = Int64(clamping: thread.process.system.clock.realtime / 1_000_000_000)
  if !result.isNull { try result.store(seconds) }
  return Int(seconds)
}

/// The state of the clock's discipline: it has none, so nothing can be set. See adjtimex(2).
func adjtimex(_ thread: Thread, _ buffer: UserMutablePointer<Timex>) throws(Errno) -> Int {
  var state = try buffer.load()
  // ADJ_OFFSET_SS_READ asks what adjtime(3) has left to do: nothing.
  if state.modes != 0, state.modes != 0xa001 {
    guard thread.process.identity.has(Identity.Capability.CAP_SYS_TIME) else { throw .EPERM }
    // ADJ_OFFSET_SINGLESHOT, in microseconds: Linux spreads the change over time, here it is made at once.
    guard state.modes == 0x8001, state.offset.magnitude <= 1 << 40 else { throw .EINVAL }
    let clock = thread.process.system.clock
    clock.setRealtime(UInt64(clamping: Int64(clamping: clock.realtime) + state.offset * 1000))
  }
  state = Timex()
  // What Linux shows before anything has synchronised it.
  state.maxerror = 16_000_000
  state.esterror = 16_000_000
  // STA_UNSYNC
  state.status = 0x40
  state.constant = 2
  state.precision = 1
  state.tolerance = 32_768_000
  state.time = Timeval(Timespec(nanoseconds: Int64(clamping: thread.process.system.clock.realtime)))
  state.tick = 10_000
  try buffer.store(state)
  // TIME_ERROR
  return 5
}

/// As adjtimex(2) for a clock by its number.
func clock_adjtime(_ thread: Thread, _ clock: Named<ClockID>, _ buffer: UserMutablePointer<Timex>) throws(Errno) -> Int
{
  _ = try TimerClock(clock.rawValue)
  guard ClockID(rawValue: clock.rawValue) == .CLOCK_REALTIME else { throw .EOPNOTSUPP }
  return try adjtimex(thread, buffer)
}

// MARK: Sleeping

/// Sleeps to a monotonic time, and arranges what is left when a signal comes.
private func sleep(_ thread: Thread, until deadline: UInt64, _ rest: UserMutablePointer<Timespec>) throws(Errno) -> Int
{
  guard thread.scheduler.sleep(until: deadline) == .interrupted else { return 0 }
  let now = thread.process.system.clock.now
  guard deadline > now else { return 0 }
  if !rest.isNull { try rest.store(Timespec(nanoseconds: Int64(clamping: deadline - now))) }
  thread.signals.restart = { thread throws(Errno) in try sleep(thread, until: deadline, rest) }
  throw .ERESTART_RESTARTBLOCK
}

/// Sleeps. See nanosleep(2).
func nanosleep(_ thread: Thread, _ duration: In<Timespec>, _ rest: UserMutablePointer<Timespec>) throws(Errno) -> Int {
  guard let nanoseconds = try duration.load().saturatedNanoseconds else { throw .EINVAL }
  let deadline = TimerSchedule.sum(thread.process.system.clock.now, UInt64(nanoseconds))
  return try sleep(thread, until: deadline, rest)
}

/// Sleeps by a clock. See clock_nanosleep(2).
func clock_nanosleep(
  _ thread: Thread, _ number: Named<ClockID>, _ flags: Flags<TimerFlags>, _ time: In<Timespec>,
  _ rest: UserMutablePointer<Timespec>
) throws(Errno) -> Int {
  let clock = try TimerClock(number.rawValue)
  switch ClockID(rawValue: number.rawValue) {
  case .CLOCK_MONOTONIC_RAW, .CLOCK_REALTIME_COARSE, .CLOCK_MONOTONIC_COARSE, .CLOCK_THREAD_CPUTIME_ID:
    throw .EOPNOTSUPP
  default: break
  }
  guard let amount = try time.load().saturatedNanoseconds else { throw .EINVAL }
  let now = try thread.read(clock)
  let isAbsolute = flags.value.contains(.TIMER_ABSTIME)
  let wanted = isAbsolute ? UInt64(amount) : TimerSchedule.sum(now, UInt64(amount))
  switch clock {
  case .monotonic, .realtime:
    if !isAbsolute {
      return try sleep(thread, until: TimerSchedule.sum(thread.process.system.clock.now, UInt64(amount)), rest)
    }
    let deadline = clock == .realtime ? thread.process.system.clock.monotonic(ofRealtime: wanted) : wanted
    guard thread.scheduler.sleep(until: deadline) == .interrupted else { return 0 }
    throw .ERESTARTNOHAND
  case .threadTime: throw .EINVAL
  case .processTime, .processUserTime:
    while true {
      let used = try thread.read(clock)
      if used >= wanted { return 0 }
      // The clock moves at most as fast as real time on one CPU; Linux looks once a tick.
      let pause = max(wanted - used, 4_000_000)
      if thread.scheduler.sleep(until: TimerSchedule.sum(thread.process.system.clock.now, pause)) == .interrupted {
        if !isAbsolute, !rest.isNull { try rest.store(Timespec(nanoseconds: Int64(clamping: wanted - used))) }
        throw isAbsolute ? .ERESTARTNOHAND : .EINTR
      }
    }
  }
}

// MARK: Timers

func timerValue(_ state: (remaining: UInt64, interval: UInt64)) -> Itimerspec {
  Itimerspec(
    it_interval: Timespec(nanoseconds: Int64(clamping: state.interval)),
    it_value: Timespec(nanoseconds: Int64(clamping: state.remaining)))
}

/// Makes a timer. See timer_create(2).
func timer_create(_ thread: Thread, _ clock: Named<ClockID>, _ event: In<SigEvent>, _ result: Out<Int32>) throws(Errno)
  -> Int
{
  switch ClockID(rawValue: clock.rawValue) {
  case .CLOCK_MONOTONIC_RAW, .CLOCK_REALTIME_COARSE, .CLOCK_MONOTONIC_COARSE: throw .EOPNOTSUPP
  default: break
  }
  let id = try thread.createTimer(try TimerClock(clock.rawValue), try event.loadIfPresent())
  do throws(Errno) {
    try result.store(id)
  } catch {
    try thread.process.deleteTimer(id)
    throw error
  }
  return 0
}

/// Arms or stops a timer. See timer_settime(2).
func timer_settime(
  _ thread: Thread, _ id: Int32, _ flags: Flags<TimerFlags>, _ new: In<Itimerspec>, _ old: Out<Itimerspec>
) throws(Errno) -> Int {
  guard !new.isNull else { throw .EINVAL }
  let value = try new.load()
  guard let first = value.it_value.saturatedNanoseconds, let interval = value.it_interval.saturatedNanoseconds else {
    throw .EINVAL
  }
  let before = try thread.process.timerState(id)
  try thread.process.setTimer(
    id, value: UInt64(first), interval: UInt64(interval), isAbsolute: flags.value.contains(.TIMER_ABSTIME))
  try old.storeIfPresent(timerValue(before))
  return 0
}

/// The state of a timer. See timer_gettime(2).
func timer_gettime(_ thread: Thread, _ id: Int32, _ result: Out<Itimerspec>) throws(Errno) -> Int {
  try result.store(timerValue(try thread.process.timerState(id)))
  return 0
}

/// How often a timer expired beyond what its last signal stood for. See timer_getoverrun(2).
func timer_getoverrun(_ thread: Thread, _ id: Int32) throws(Errno) -> Int { Int(try thread.process.timerOverrun(id)) }

/// Deletes a timer. See timer_delete(2).
func timer_delete(_ thread: Thread, _ id: Int32) throws(Errno) -> Int {
  try thread.process.deleteTimer(id)
  return 0
}

// MARK: Used time

extension Tms: TracedStruct {
  public func describe(into line: inout TextBuffer) {
    line.append("{tms_utime=")
    line.append(decimal: Int(tms_utime))
    line.append(", tms_stime=")
    line.append(decimal: Int(tms_stime))
    line.append("}")
  }
}

/// CPU time of the process in ticks, and the ticks since boot. See times(2).
func times(_ thread: Thread, _ result: Out<Tms>) throws(Errno) -> Int {
  let tick = UInt64(TimeUnit.nanosecondsPerSecond / TimeUnit.ticksPerSecond)
  var value = Tms()
  let own = thread.process.times
  let children = thread.process.usage.childrenTimes
  value.tms_utime = Int64(own.user / tick)
  value.tms_stime = Int64(own.system / tick)
  value.tms_cutime = Int64(children.user / tick)
  value.tms_cstime = Int64(children.system / tick)
  try result.storeIfPresent(value)
  return Int(thread.process.system.clock.now / tick)
}

/// What a process, its children or a thread have used. See getrusage(2).
func getrusage(_ thread: Thread, _ who: Named<ResourceUsageWho>, _ result: UserMutablePointer<Rusage>) throws(Errno)
  -> Int
{
  guard let who = ResourceUsageWho(rawValue: who.rawValue) else { throw .EINVAL }
  var usage = Rusage()
  let memory = thread.process.memory
  if who == .RUSAGE_CHILDREN {
    let children = thread.process.usage
    usage = Rusage(
      times: children.childrenTimes, peakMemory: children.childrenPeakPages * (pageSize / 1024),
      faults: children.childrenFaults)
  } else {
    let times = who == .RUSAGE_SELF ? thread.process.times : thread.times
    usage = Rusage(
      times: times, peakMemory: memory.peakResidentPages * (pageSize / 1024), faults: memory.minorFaults)
  }
  try result.store(usage)
  return 0
}
