internal import Kernel
public import LinuxABI
public import Mmap
internal import VFSCore

/// What names a futex: an address in one memory, or a place in a file or in shared memory.
public struct FutexKey: Equatable {
  private let object: ObjectIdentifier
  private let offset: UInt64

  /// The key of the futex at `address`, which need not be mapped when it is private.
  ///
  /// - Throws: `EINVAL` for an address that is no multiple of 4, `EFAULT`.
  public init(_ memory: AddressSpace, _ address: UInt, isPrivate: Bool) throws(Errno) {
    guard address & 3 == 0 else { throw .EINVAL }
    guard UserAddress.isValid(address, 4) else { throw .EFAULT }
    if !isPrivate {
      guard let area = memory.area(at: address) else { throw .EFAULT }
      if area.isShared, case .pages(let cache, _, let start) = area.backing {
        object = ObjectIdentifier(cache)
        offset = start &+ UInt64(address - area.start)
        return
      }
    }
    object = ObjectIdentifier(memory)
    offset = UInt64(address)
  }

  fileprivate func bucket(of count: Int) -> Int {
    // Words of a futex are multiples of 4; the multiplier spreads neighbours.
    let mixed = (offset >> 2 ^ UInt64(UInt(bitPattern: object) >> 4)) &* 0x9e37_79b9_7f4a_7c15
    return Int(truncatingIfNeeded: mixed >> 32) & (count - 1)
  }
}

/// A thread that waits for a futex.
private final class FutexWaiter {
  let thread: Thread
  var key: FutexKey
  let bitset: UInt32
  var next: FutexWaiter?
  /// Still in the table: nobody has woken it.
  var isQueued = true

  init(_ thread: Thread, _ key: FutexKey, _ bitset: UInt32) {
    self.thread = thread
    self.key = key
    self.bitset = bitset
  }
}

/// All threads that wait for futexes. See futex(2).
///
/// The kernel is not preempted, so reading the word and going to sleep are one step; nothing here takes a lock.
public final class FutexTable {
  private struct Bucket {
    var first: FutexWaiter?
    var last: FutexWaiter?
  }
  private var buckets = [Bucket](repeating: Bucket(), count: 256)

  public init() {}

  private func append(_ waiter: FutexWaiter) {
    let index = waiter.key.bucket(of: buckets.count)
    waiter.next = nil
    if let last = buckets[index].last { last.next = waiter } else { buckets[index].first = waiter }
    buckets[index].last = waiter
  }

  /// Takes waiters of a key out, in the order in which they came, as long as `take` says so.
  private func take(_ key: FutexKey, where wanted: (FutexWaiter) -> Bool) -> FutexWaiter? {
    let index = key.bucket(of: buckets.count)
    var previous: FutexWaiter?
    var waiter = buckets[index].first
    while let entry = waiter {
      if entry.key == key, wanted(entry) {
        if let previous { previous.next = entry.next } else { buckets[index].first = entry.next }
        if buckets[index].last === entry { buckets[index].last = previous }
        entry.next = nil
        return entry
      }
      previous = entry
      waiter = entry.next
    }
    return nil
  }

  /// Puts `thread` to sleep if the word at `address` still holds `expected`. See FUTEX_WAIT_BITSET.
  ///
  /// - Parameter deadline: Monotonic nanoseconds, or nil.
  /// - Throws: `EAGAIN` for another value, `EFAULT`, `EINVAL`, `ETIMEDOUT`, `EINTR` when a signal came.
  public func wait(
    _ thread: Thread, _ address: UInt, isPrivate: Bool, expected: UInt32, bitset: UInt32, until deadline: UInt64?
  ) throws(Errno) {
    guard bitset != 0 else { throw .EINVAL }
    // The copy may put the thread to sleep and the memory may change meanwhile, so the key comes after it.
    let value = try UserMemory.load(UInt32.self, at: try Self.aligned(address))
    let key = try FutexKey(thread.process.memory, address, isPrivate: isPrivate)
    guard value == expected else { throw .EAGAIN }
    let waiter = FutexWaiter(thread, key, bitset)
    append(waiter)
    let reason = thread.scheduler.sleep(until: deadline)
    if !waiter.isQueued { return }
    _ = take(waiter.key) { $0 === waiter }
    switch reason {
    case .woken: throw .EAGAIN
    case .timedOut: throw .ETIMEDOUT
    case .interrupted: throw .EINTR
    }
  }

  private static func aligned(_ address: UInt) throws(Errno) -> UInt {
    guard address & 3 == 0 else { throw .EINVAL }
    return address
  }

  /// Wakes up to `count` threads whose bitset shares a bit. See FUTEX_WAKE_BITSET.
  ///
  /// - Returns: How many were woken.
  public func wake(_ key: FutexKey, _ count: Int, bitset: UInt32 = FutexWord.FUTEX_BITSET_MATCH_ANY) -> Int {
    var woken = 0
    while woken < count, let waiter = take(key, where: { $0.bitset & bitset != 0 }) {
      waiter.isQueued = false
      waiter.thread.scheduler.wake(waiter.thread, .woken)
      woken += 1
    }
    return woken
  }

  /// Wakes up to `count` threads, and makes up to `moved` more wait for another futex. See FUTEX_REQUEUE.
  ///
  /// - Returns: How many were woken, and how many moved.
  public func requeue(_ key: FutexKey, wake count: Int, to target: FutexKey, move limit: Int) -> (
    woken: Int, moved: Int
  ) {
    let woken = wake(key, count)
    if key == target { return (woken, 0) }
    var moved = 0
    while moved < limit, let waiter = take(key, where: { _ in true }) {
      waiter.key = target
      append(waiter)
      moved += 1
    }
    return (woken, moved)
  }
}

extension Thread {
  /// Takes a lock with priority inheritance. See `LockTable.lock`.
  public func lockFutex(_ address: UInt, isPrivate: Bool, waits: Bool, until deadline: UInt64?) throws(Errno) {
    try process.system.locks.lock(self, address, isPrivate: isPrivate, waits: waits, until: deadline)
  }
  /// Gives one back. See `LockTable.unlock`.
  public func unlockFutex(_ address: UInt, isPrivate: Bool) throws(Errno) {
    try process.system.locks.unlock(self, address, isPrivate: isPrivate)
  }

  /// Tells those who wait that this thread ends: its robust futexes, then the word of set_tid_address(2).
  ///
  /// Called while the thread's memory is still the one in force. See get_robust_list(2).
  func releaseFutexes() {
    releaseRobustList()
    process.system.locks.ownerEnded(self)
    guard clearChildTID != 0 else { return }
    let address = clearChildTID
    clearChildTID = 0
    guard (try? UserMemory.store(UInt32(0), at: address)) != nil,
      let key = try? FutexKey(process.memory, address, isPrivate: false)
    else { return }
    _ = process.system.futexes.wake(key, 1)
  }

  private func releaseRobustList() {
    let head = robustList
    robustList = 0
    guard head != 0, let list = try? UserMemory.load(RobustListHead.self, at: head) else { return }
    var entry = list.next
    var left = FutexWord.ROBUST_LIST_LIMIT
    while UInt(entry & ~1) != head, left > 0 {
      // The entry may be freed by whoever is woken: look beyond it first.
      let next = try? UserMemory.load(UInt64.self, at: UInt(entry & ~1))
      if entry & ~1 != list.list_op_pending & ~1 {
        guard releaseRobust(entry, list.futex_offset) else { return }
      }
      guard let next else { return }
      entry = next
      left -= 1
    }
    if list.list_op_pending & ~1 != 0 { _ = releaseRobust(list.list_op_pending, list.futex_offset) }
  }

  /// Marks a futex that this thread holds as its dead owner's, and wakes one waiter.
  private func releaseRobust(_ entry: UInt64, _ offset: Int64) -> Bool {
    let address = UInt((entry & ~1) &+ UInt64(bitPattern: offset))
    guard address & 3 == 0, let word = try? UserMemory.load(UInt32.self, at: address) else { return false }
    guard word & FutexWord.FUTEX_TID_MASK == UInt32(bitPattern: tid) else { return true }
    let new = word & FutexWord.FUTEX_WAITERS | FutexWord.FUTEX_OWNER_DIED
    guard (try? UserMemory.store(new, at: address)) != nil else { return false }
    if word & FutexWord.FUTEX_WAITERS != 0, let key = try? FutexKey(process.memory, address, isPrivate: false) {
      _ = process.system.futexes.wake(key, 1)
    }
    return true
  }
}
