// Names are spelled as in Linux, so that grep and the man pages work.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

internal import Kernel
internal import LinuxABI
internal import Process
internal import VFSCore

/// Files that stand for timers and signals: timerfd_create(2), signalfd(2).
let eventFileSyscalls: [Syscall] = [
  Syscall(282, "signalfd", .descriptor, signalfd),
  Syscall(283, "timerfd_create", .descriptor, timerfd_create),
  Syscall(286, "timerfd_settime", .none, timerfd_settime),
  Syscall(287, "timerfd_gettime", .none, timerfd_gettime),
  Syscall(289, "signalfd4", .descriptor, signalfd4),
]

// MARK: Timers

/// Makes a timer. See timerfd_create(2).
func timerfd_create(_ thread: Thread, _ clock: Named<ClockID>, _ flags: Flags<TimerFDFlags>) throws(Errno) -> Int {
  guard flags.value.isSubset(of: [.TFD_NONBLOCK, .TFD_CLOEXEC]), let id = ClockID(rawValue: clock.rawValue) else {
    throw .EINVAL
  }
  let process = thread.process
  let file = try TimerFD(
    process.system, process.fileSystem, clock: id, isNonBlocking: flags.value.contains(.TFD_NONBLOCK))
  if file.isAlarm, !process.identity.has(Identity.Capability.CAP_WAKE_ALARM) { throw .EPERM }
  return Int(try process.files.insert(file, closeOnExec: flags.value.contains(.TFD_CLOEXEC)))
}

private func timer(_ thread: Thread, _ descriptor: Descriptor) throws(Errno) -> TimerFD {
  guard let timer = try thread.process.files.file(at: descriptor.value) as? TimerFD else { throw .EINVAL }
  return timer
}

/// Arms or stops a timer. See timerfd_settime(2).
func timerfd_settime(
  _ thread: Thread, _ descriptor: Descriptor, _ flags: Flags<TimerFDSetFlags>, _ new: In<Itimerspec>,
  _ old: Out<Itimerspec>
) throws(Errno) -> Int {
  let value = try new.load()
  guard flags.value.isSubset(of: [.TFD_TIMER_ABSTIME, .TFD_TIMER_CANCEL_ON_SET]),
    let first = value.it_value.saturatedNanoseconds, let interval = value.it_interval.saturatedNanoseconds
  else { throw .EINVAL }
  let timer = try timer(thread, descriptor)
  if timer.isAlarm, !thread.process.identity.has(Identity.Capability.CAP_WAKE_ALARM) { throw .EPERM }
  let before = try timer.set(value: UInt64(first), interval: UInt64(interval), flags.value)
  try old.storeIfPresent(timerValue(before))
  return 0
}

/// The state of a timer. See timerfd_gettime(2).
func timerfd_gettime(_ thread: Thread, _ descriptor: Descriptor, _ result: Out<Itimerspec>) throws(Errno) -> Int {
  try result.store(timerValue(try timer(thread, descriptor).state))
  return 0
}

// MARK: Signals

/// Makes a file of signals, or changes which ones a file takes. See signalfd(2).
func signalfd(_ thread: Thread, _ descriptor: Int32, _ set: In<SignalSet>, _ size: UInt) throws(Errno) -> Int {
  try makeSignalFile(thread, descriptor, set, size, [])
}

/// As signalfd(2), with flags.
func signalfd4(
  _ thread: Thread, _ descriptor: Int32, _ set: In<SignalSet>, _ size: UInt, _ flags: Flags<SignalFDFlags>
) throws(Errno) -> Int {
  try makeSignalFile(thread, descriptor, set, size, flags.value)
}

private func makeSignalFile(
  _ thread: Thread, _ descriptor: Int32, _ set: In<SignalSet>, _ size: UInt, _ flags: SignalFDFlags
) throws(Errno) -> Int {
  guard size == UInt(MemoryLayout<SignalSet>.size) else { throw .EINVAL }
  let signals = try set.load()
  guard flags.isSubset(of: [.SFD_NONBLOCK, .SFD_CLOEXEC]) else { throw .EINVAL }
  let process = thread.process
  if descriptor == -1 {
    let file = SignalFD(process.fileSystem, signals, isNonBlocking: flags.contains(.SFD_NONBLOCK))
    return Int(try process.files.insert(file, closeOnExec: flags.contains(.SFD_CLOEXEC)))
  }
  guard let file = try process.files.file(at: descriptor) as? SignalFD else { throw .EINVAL }
  file.change(signals)
  return Int(descriptor)
}
