// Names are spelled as in Linux, so that grep and the man pages work.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

internal import Kernel
internal import LinuxABI
internal import Process
internal import Support

/// What threads need to start, to end and to wait for one another.
let threadSyscalls: [Syscall] = [
  Syscall(60, "exit", .none, exit),
  Syscall(202, "futex", futex),
  Syscall(218, "set_tid_address", set_tid_address),
  Syscall(231, "exit_group", .none, exit_group),
  Syscall(273, "set_robust_list", .none, set_robust_list),
  Syscall(274, "get_robust_list", .none, get_robust_list),
  Syscall(324, "membarrier", membarrier),
  Syscall(334, "rseq", .none, rseq),
  Syscall(449, "futex_waitv", futex_waitv),
]

/// Ends this thread. See _exit(2).
func exit(_ thread: Thread, _ status: Int32) throws(Errno) -> Int {
  thread.exit(UInt8(truncatingIfNeeded: status))
  return 0
}

/// Ends all threads of the process. See exit_group(2).
func exit_group(_ thread: Thread, _ status: Int32) throws(Errno) -> Int {
  thread.exitGroup(UInt8(truncatingIfNeeded: status))
  return 0
}

/// Notes where the thread's number is cleared at its end; returns the number. See set_tid_address(2).
func set_tid_address(_ thread: Thread, _ address: Address) throws(Errno) -> Int {
  thread.clearChildTID = address.value
  return Int(thread.tid)
}

/// Notes the head of the list of futexes that the thread holds. See set_robust_list(2).
func set_robust_list(_ thread: Thread, _ head: Address, _ size: UInt) throws(Errno) -> Int {
  guard size == UInt(MemoryLayout<RobustListHead>.size) else { throw .EINVAL }
  thread.robustList = head.value
  return 0
}

/// The head of a thread's list of futexes. See get_robust_list(2).
func get_robust_list(
  _ thread: Thread, _ tid: Int32, _ head: UserMutablePointer<UInt64>, _ size: UserMutablePointer<UInt64>
) throws(Errno) -> Int {
  guard let target = tid == 0 ? thread : thread.process.system.thread(tid) else { throw .ESRCH }
  guard mayTrace(thread, target.process) else { throw .EPERM }
  try size.store(UInt64(MemoryLayout<RobustListHead>.size))
  try head.store(UInt64(target.robustList))
  return 0
}

/// Orders memory between threads; one CPU orders it by itself. See membarrier(2).
func membarrier(_ thread: Thread, _ command: Int32, _ flags: UInt32, _ cpu: Int32) throws(Errno) -> Int {
  // QUERY: GLOBAL, the expedited ones and their registrations. Those for restartable sequences have nothing to restart:
  // no other thread runs, and each looks when it goes on.
  let supported: Int32 = 0x1ff
  switch command {
  case 0:
    guard flags == 0 else { throw .EINVAL }
    return Int(supported)
  case 1, 2, 4, 8, 16, 32, 64, 256:
    guard flags == 0 else { throw .EINVAL }
    return 0
  case 128:
    // MEMBARRIER_CMD_FLAG_CPU
    guard flags & ~1 == 0 else { throw .EINVAL }
    return 0
  default: throw .EINVAL
  }
}

// MARK: futex(2)

/// Waits for and wakes threads at an address. See futex(2).
func futex(
  _ thread: Thread, _ address: Address, _ operation: FutexArgument, _ value: UInt32, _ fourth: Address,
  _ second: Address, _ third: UInt32
) throws(Errno) -> Int {
  let flags = FutexFlags(rawValue: operation.rawValue)
  guard let operation = FutexOperation(argument: operation.rawValue) else { throw .ENOSYS }
  let isPrivate = flags.contains(.FUTEX_PRIVATE_FLAG)
  if flags.contains(.FUTEX_CLOCK_REALTIME), operation != .FUTEX_WAIT, operation != .FUTEX_WAIT_BITSET,
    operation != .FUTEX_LOCK_PI2, operation != .FUTEX_WAIT_REQUEUE_PI
  {
    throw .ENOSYS
  }
  let table = thread.process.system.futexes
  @inline(__always)
  func key(_ address: UInt) throws(Errno) -> FutexKey {
    try FutexKey(thread.process.memory, address, isPrivate: isPrivate)
  }
  // A count is a signed number; what is not positive still wakes one, as in Linux.
  func count(_ value: UInt32) -> Int { max(Int(Int32(bitPattern: value)), 1) }

  switch operation {
  case .FUTEX_WAIT, .FUTEX_WAIT_BITSET:
    let isAbsolute = operation == .FUTEX_WAIT_BITSET
    let deadline = try deadline(
      thread, fourth.value, isAbsolute: isAbsolute, isRealtime: flags.contains(.FUTEX_CLOCK_REALTIME))
    let bitset = isAbsolute ? third : FutexWord.FUTEX_BITSET_MATCH_ANY
    return try wait(thread, address.value, isPrivate, value, bitset, deadline)
  case .FUTEX_WAKE:
    return try table.wake(try key(address.value), count(value))
  case .FUTEX_WAKE_BITSET:
    guard third != 0 else { throw .EINVAL }
    return try table.wake(try key(address.value), count(value), bitset: third)
  case .FUTEX_REQUEUE, .FUTEX_CMP_REQUEUE:
    let limit = Int32(truncatingIfNeeded: fourth.value)
    guard Int32(bitPattern: value) >= 0, limit >= 0 else { throw .EINVAL }
    if operation == .FUTEX_CMP_REQUEUE {
      guard address.value & 3 == 0 else { throw .EINVAL }
      guard try UserMemory.load(UInt32.self, at: address.value) == third else { throw .EAGAIN }
    }
    // FUTEX_REQUEUE counts both too, as Linux does whatever the man page says.
    return try table.requeue(
      try key(address.value), wake: Int(value), to: try key(second.value), move: Int(limit))
  case .FUTEX_WAKE_OP:
    let first = try key(address.value)
    let other = try key(second.value)
    let work = WakeOperation(third)
    var old: UInt32 = 0
    try UserMemory.update(at: second.value) { word throws(Errno) in
      old = word
      return try work.apply(to: word)
    }
    var woken = try table.wake(first, count(value))
    if try work.holds(old) {
      woken += try table.wake(other, count(UInt32(truncatingIfNeeded: fourth.value)))
    }
    return woken
  case .FUTEX_LOCK_PI, .FUTEX_LOCK_PI2:
    // The older one's time is the wall clock's without saying so.
    let deadline = try deadline(
      thread, fourth.value, isAbsolute: true,
      isRealtime: operation == .FUTEX_LOCK_PI || flags.contains(.FUTEX_CLOCK_REALTIME))
    try thread.lockFutex(address.value, isPrivate: isPrivate, waits: true, until: deadline)
    return 0
  case .FUTEX_TRYLOCK_PI:
    try thread.lockFutex(address.value, isPrivate: isPrivate, waits: false, until: nil)
    return 0
  case .FUTEX_UNLOCK_PI:
    try thread.unlockFutex(address.value, isPrivate: isPrivate)
    return 0
  case .FUTEX_WAIT_REQUEUE_PI:
    let deadline = try deadline(
      thread, fourth.value, isAbsolute: true, isRealtime: flags.contains(.FUTEX_CLOCK_REALTIME))
    guard address.value != second.value else { throw .EINVAL }
    try thread.waitForRequeue(
      address.value, to: second.value, isPrivate: isPrivate, expected: value, until: deadline)
    return 0
  case .FUTEX_CMP_REQUEUE_PI:
    let limit = Int32(truncatingIfNeeded: fourth.value)
    guard value == 1, limit >= 0, address.value != second.value else { throw .EINVAL }
    return try thread.requeueToLock(
      address.value, to: second.value, isPrivate: isPrivate, expected: third, move: Int(limit))
  case .FUTEX_FD: throw .ENOSYS
  }
}

/// When a wait ends, in monotonic nanoseconds; nil for a time at 0.
private func deadline(
  _ thread: Thread, _ address: UInt, isAbsolute: Bool, isRealtime: Bool
) throws(Errno) -> UInt64? {
  if address == 0 { return nil }
  guard let time = try UserMemory.load(Timespec.self, at: address).saturatedNanoseconds else { throw .EINVAL }
  let clock = thread.process.system.clock
  if !isAbsolute { return TimerSchedule.sum(clock.now, UInt64(time)) }
  return isRealtime ? clock.monotonic(ofRealtime: UInt64(time)) : UInt64(time)
}

/// Waits for one of several futexes. See futex_waitv(2).
func futex_waitv(
  _ thread: Thread, _ words: Address, _ count: UInt32, _ flags: UInt32, _ time: Address, _ clock: Int32
) throws(Errno) -> Int {
  guard flags == 0, count > 0, count <= FutexWaitv.FUTEX_WAITV_MAX, words.value != 0 else { throw .EINVAL }
  var end: UInt64?
  if time.value != 0 {
    // CLOCK_REALTIME and CLOCK_MONOTONIC.
    guard clock == 0 || clock == 1 else { throw .EINVAL }
    end = try deadline(thread, time.value, isAbsolute: true, isRealtime: clock == 0)
  }
  var list: [FutexWaitv] = []
  for index in 0..<UInt(count) {
    let word = try UserMemory.load(FutexWaitv.self, at: words.value &+ index * UInt(MemoryLayout<FutexWaitv>.size))
    guard word.flags & ~FutexFlags.FUTEX_PRIVATE_FLAG.rawValue == FutexWaitv.FUTEX_32, word.__reserved == 0 else {
      throw .EINVAL
    }
    list.append(word)
  }
  return try thread.process.system.futexes.wait(thread, list, until: end)
}

/// Waits, and arranges that an interrupted wait goes on until the same deadline.
private func wait(
  _ thread: Thread, _ address: UInt, _ isPrivate: Bool, _ value: UInt32, _ bitset: UInt32, _ deadline: UInt64?
) throws(Errno) -> Int {
  do throws(Errno) {
    try thread.process.system.futexes.wait(
      thread, address, isPrivate: isPrivate, expected: value, bitset: bitset, until: deadline)
    return 0
  } catch {
    guard error == .EINTR else { throw error }
    guard deadline != nil else { throw .ERESTARTSYS }
    thread.signals.restart = { thread throws(Errno) in try wait(thread, address, isPrivate, value, bitset, deadline) }
    throw .ERESTART_RESTARTBLOCK
  }
}

/// What FUTEX_WAKE_OP packs into its last argument.
private struct WakeOperation {
  private let bits: UInt32
  init(_ bits: UInt32) { self.bits = bits }

  private static func extended(_ twelve: UInt32) -> UInt32 {
    twelve & 0x800 != 0 ? twelve & 0xfff | 0xffff_f000 : twelve & 0xfff
  }

  /// - Throws: `ENOSYS` for an unknown operation.
  func apply(to old: UInt32) throws(Errno) -> UInt32 {
    var operand = Self.extended(bits >> 12)
    let code = bits >> 28
    // Linux shifts by the low five bits, with a complaint about the others.
    if code & FutexWakeOperation.FUTEX_OP_OPARG_SHIFT != 0 { operand = 1 << (operand & 31) }
    guard let operation = FutexWakeOperation(rawValue: code & 7) else { throw .ENOSYS }
    return switch operation {
    case .FUTEX_OP_SET: operand
    case .FUTEX_OP_ADD: old &+ operand
    case .FUTEX_OP_OR: old | operand
    case .FUTEX_OP_ANDN: old & ~operand
    case .FUTEX_OP_XOR: old ^ operand
    }
  }

  /// Whether the old value compares as asked.
  ///
  /// - Throws: `ENOSYS` for an unknown comparison.
  func holds(_ old: UInt32) throws(Errno) -> Bool {
    let operand = Int32(bitPattern: Self.extended(bits))
    let value = Int32(bitPattern: old)
    guard let comparison = FutexWakeComparison(rawValue: bits >> 24 & 15) else { throw .ENOSYS }
    return switch comparison {
    case .FUTEX_OP_CMP_EQ: value == operand
    case .FUTEX_OP_CMP_NE: value != operand
    case .FUTEX_OP_CMP_LT: value < operand
    case .FUTEX_OP_CMP_LE: value <= operand
    case .FUTEX_OP_CMP_GT: value > operand
    case .FUTEX_OP_CMP_GE: value >= operand
    }
  }
}

/// Registers where restartable sequences are announced, or takes that back. See rseq(2).
func rseq(
  _ thread: Thread, _ area: Address, _ length: UInt32, _ flags: UInt32, _ signature: UInt32
) throws(Errno) -> Int {
  try thread.registerSequence(area.value, length: length, flags: flags, signature: signature)
  return 0
}
