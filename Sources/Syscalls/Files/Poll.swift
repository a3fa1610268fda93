internal import Kernel
internal import LinuxABI
internal import Polling
internal import Process
internal import VFSCore

/// poll(2), select(2) and their family.
let pollSyscalls: [Syscall] = [
  Syscall(7, "poll", poll),
  Syscall(23, "select", select),
  Syscall(270, "pselect6", pselect6),
  Syscall(271, "ppoll", ppoll),
]

extension Thread {
  /// The monotonic time after so many nanoseconds, `Int64.max` of them being for ever.
  func deadline(after nanoseconds: Int64) -> UInt64? {
    if nanoseconds == .max { return nil }
    let (sum, overflow) = process.system.clock.now.addingReportingOverflow(UInt64(nanoseconds))
    return overflow ? nil : sum
  }

  /// What is left until a deadline.
  func timeLeft(until deadline: UInt64) -> Timespec {
    let now = process.system.clock.now
    return Timespec(nanoseconds: deadline > now ? Int64(clamping: deadline - now) : 0)
  }

  /// Runs `body` under a signal mask of the program's, if it gave one. See pselect(2).
  ///
  /// - Parameter interruption: What `body` throws for a signal: the mask then stays until its handler has been entered.
  /// - Throws: `EINVAL` for a wrong size, `EFAULT`.
  func withSignalMask(
    _ address: UInt, size: UInt, interruption: Errno, _ body: () throws(Errno) -> Int
  ) throws(Errno) -> Int {
    if address == 0 { return try body() }
    guard size == 8 else { throw .EINVAL }
    setTemporaryMask(try UserMemory.load(SignalSet.self, at: address))
    do throws(Errno) {
      let result = try body()
      restoreTemporaryMask()
      return result
    } catch {
      if error != interruption { restoreTemporaryMask() }
      throw error
    }
  }
}

// MARK: poll

/// Waits for files. See poll(2).
func poll(
  _ thread: Thread, _ files: PollArray, _ count: UInt32, _ milliseconds: Int32
) throws(Errno) -> Int {
  let deadline = milliseconds < 0 ? nil : thread.deadline(after: Int64(milliseconds) * 1_000_000)
  return try pollRestartable(thread, files, count, deadline)
}

/// poll(2) up to a deadline, and again after a signal without a handler.
private func pollRestartable(
  _ thread: Thread, _ files: PollArray, _ count: UInt32, _ deadline: UInt64?
) throws(Errno) -> Int {
  do throws(Errno) { return try poll(thread, files, count, until: deadline) } catch {
    guard error == .EINTR else { throw error }
    thread.signals.restart = { thread throws(Errno) in try pollRestartable(thread, files, count, deadline) }
    throw .ERESTART_RESTARTBLOCK
  }
}

/// Waits for files, with a time in nanoseconds and a signal mask. See ppoll(2).
func ppoll(
  _ thread: Thread, _ files: PollArray, _ count: UInt32, _ timeout: UserMutablePointer<Timespec>,
  _ mask: Address, _ maskSize: UInt
) throws(Errno) -> Int {
  var deadline: UInt64?
  if !timeout.isNull {
    guard let nanoseconds = try timeout.load().saturatedNanoseconds else { throw .EINVAL }
    deadline = thread.deadline(after: nanoseconds)
  }
  return try thread.withSignalMask(mask.value, size: maskSize, interruption: .ERESTARTNOHAND) { () throws(Errno) in
    defer { if let deadline { try? timeout.store(thread.timeLeft(until: deadline)) } }
    do throws(Errno) { return try poll(thread, files, count, until: deadline) } catch {
      throw error == .EINTR ? .ERESTARTNOHAND : error
    }
  }
}

private func poll(
  _ thread: Thread, _ array: PollArray, _ count: UInt32, until deadline: UInt64?
) throws(Errno) -> Int {
  let files = thread.process.files
  guard Int(count) <= files.limit else { throw .EINVAL }
  var set = PollSet(reserving: Int(count))
  for index in 0..<Int(count) {
    let entry = try array.entries.advanced(by: index).load()
    if entry.fd < 0 {
      set.append(nil, [])
    } else if let file = try? files.file(at: entry.fd) {
      // Errors and hang-ups need not be asked for.
      set.append(file, entry.events.union([.POLLERR, .POLLHUP]))
    } else {
      set.append(nil, [], result: .POLLNVAL)
    }
  }
  let ready = try set.wait(until: deadline)
  for index in set.entries.indices {
    // revents, the last two bytes of an entry.
    try UserMemory.store(set.entries[index].result.rawValue, at: array.entries.advanced(by: index).address &+ 6)
  }
  return ready
}

// MARK: select

/// The three sets of select(2) as words of bits.
private struct DescriptorSets {
  var readable: [UInt64]?
  var writable: [UInt64]?
  var exceptional: [UInt64]?

  static var readEvents: PollEvents { [.POLLIN, .POLLRDNORM, .POLLRDBAND, .POLLHUP, .POLLERR] }
  static var writeEvents: PollEvents { [.POLLOUT, .POLLWRNORM, .POLLWRBAND, .POLLERR] }
  static var exceptionEvents: PollEvents { .POLLPRI }

  static func load(_ address: UInt, bits: Int) throws(Errno) -> [UInt64]? {
    if address == 0 { return nil }
    var words: [UInt64] = []
    for index in 0..<((bits + 63) / 64) {
      words.append(try UserMemory.load(UInt64.self, at: address &+ UInt(index) &* 8))
    }
    // Bits from the count on do not matter.
    if bits % 64 != 0 { words[words.count - 1] &= (1 << UInt64(bits % 64)) - 1 }
    return words
  }

  static func store(_ words: [UInt64]?, at address: UInt) throws(Errno) {
    guard let words else { return }
    for index in words.indices { try UserMemory.store(words[index], at: address &+ UInt(index) &* 8) }
  }
}

/// Waits for files by sets of descriptors. See select(2).
func select(
  _ thread: Thread, _ count: Int32, _ readable: Address, _ writable: Address, _ exceptional: Address,
  _ timeout: UserMutablePointer<Timeval>
) throws(Errno) -> Int {
  var deadline: UInt64?
  if !timeout.isNull {
    let given = try timeout.load()
    guard given.tv_sec >= 0, given.tv_usec >= 0 else { throw .EINVAL }
    let (seconds, overflow) = given.tv_sec.addingReportingOverflow(given.tv_usec / 1_000_000)
    let time = Timespec(tv_sec: overflow ? .max : seconds, tv_nsec: given.tv_usec % 1_000_000 * 1000)
    deadline = thread.deadline(after: time.saturatedNanoseconds ?? .max)
  }
  defer { if let deadline { try? timeout.store(Timeval(thread.timeLeft(until: deadline))) } }
  return try select(thread, count, readable, writable, exceptional, until: deadline)
}

/// As select(2), with a time in nanoseconds and a signal mask. See pselect(2).
func pselect6(
  _ thread: Thread, _ count: Int32, _ readable: Address, _ writable: Address, _ exceptional: Address,
  _ timeout: UserMutablePointer<Timespec>, _ mask: UserPointer<SignalSetArgument>
) throws(Errno) -> Int {
  let mask = mask.isNull ? SignalSetArgument() : try mask.load()
  var deadline: UInt64?
  if !timeout.isNull {
    guard let nanoseconds = try timeout.load().saturatedNanoseconds else { throw .EINVAL }
    deadline = thread.deadline(after: nanoseconds)
  }
  return try thread.withSignalMask(UInt(mask.ss), size: UInt(mask.ss_len), interruption: .ERESTARTNOHAND) {
    () throws(Errno) in
    defer { if let deadline { try? timeout.store(thread.timeLeft(until: deadline)) } }
    return try select(thread, count, readable, writable, exceptional, until: deadline)
  }
}

private func select(
  _ thread: Thread, _ count: Int32, _ readable: Address, _ writable: Address, _ exceptional: Address,
  until deadline: UInt64?
) throws(Errno) -> Int {
  guard count >= 0 else { throw .EINVAL }
  let files = thread.process.files
  let bits = min(Int(count), files.capacity)
  var sets = DescriptorSets(
    readable: try DescriptorSets.load(readable.value, bits: bits),
    writable: try DescriptorSets.load(writable.value, bits: bits),
    exceptional: try DescriptorSets.load(exceptional.value, bits: bits))
  var set = PollSet(reserving: 8)
  var descriptors: [Int] = []
  for word in 0..<((bits + 63) / 64) {
    let read = sets.readable?[word] ?? 0
    let write = sets.writable?[word] ?? 0
    let exception = sets.exceptional?[word] ?? 0
    var all = read | write | exception
    while all != 0 {
      let bit = all & (0 &- all)
      let descriptor = word * 64 + all.trailingZeroBitCount
      all &= all &- 1
      var events: PollEvents = []
      if read & bit != 0 { events.formUnion(DescriptorSets.readEvents) }
      if write & bit != 0 { events.formUnion(DescriptorSets.writeEvents) }
      if exception & bit != 0 { events.formUnion(DescriptorSets.exceptionEvents) }
      // A number that is no open file makes the call fail.
      set.append(try files.file(at: Int32(descriptor)), events)
      descriptors.append(descriptor)
    }
  }
  do throws(Errno) { _ = try set.wait(until: deadline) } catch {
    throw error == .EINTR ? .ERESTARTNOHAND : error
  }
  var found = 0
  for index in descriptors.indices {
    let word = descriptors[index] / 64
    let bit = UInt64(1) << UInt64(descriptors[index] % 64)
    let result = set.entries[index].result
    found += keep(bit, in: &sets.readable, word, !result.isDisjoint(with: DescriptorSets.readEvents))
    found += keep(bit, in: &sets.writable, word, !result.isDisjoint(with: DescriptorSets.writeEvents))
    found += keep(bit, in: &sets.exceptional, word, !result.isDisjoint(with: DescriptorSets.exceptionEvents))
  }
  try DescriptorSets.store(sets.readable, at: readable.value)
  try DescriptorSets.store(sets.writable, at: writable.value)
  try DescriptorSets.store(sets.exceptional, at: exceptional.value)
  return found
}

/// Leaves a bit that is set as it is if the file is ready, else clears it.
///
/// - Returns: 1 if it stays set, else 0.
private func keep(_ bit: UInt64, in words: inout [UInt64]?, _ word: Int, _ isReady: Bool) -> Int {
  guard let old = words?[word], old & bit != 0 else { return 0 }
  if isReady { return 1 }
  words?[word] = old & ~bit
  return 0
}
