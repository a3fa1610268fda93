internal import Kernel
public import LinuxABI
public import Mmap
internal import VFSCore

/// What names a futex: an address in one memory, or a place in a file or in shared memory.
public struct FutexKey: Equatable {
  private let object: UInt
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
        object = UInt(bitPattern: ObjectIdentifier(cache))
        offset = start &+ UInt64(address - area.start)
        return
      }
    }
    object = UInt(bitPattern: ObjectIdentifier(memory))
    offset = UInt64(address)
  }

  /// The key of no futex.
  fileprivate init() {
    object = 0
    offset = 0
  }

  @inline(__always)
  fileprivate func bucket(of count: Int) -> Int {
    // Words of a futex are multiples of 4; the multiplier spreads neighbours.
    let mixed = (offset >> 2 ^ UInt64(object >> 4)) &* 0x9e37_79b9_7f4a_7c15
    return Int(truncatingIfNeeded: mixed >> 32) & (count - 1)
  }
}

/// A thread's place among those that wait for futexes: it waits for one at a time.
@safe struct FutexWait {
  fileprivate var key = FutexKey()
  fileprivate var bitset: UInt32 = 0
  /// In the table: nobody has woken it.
  fileprivate var isQueued = false
  fileprivate var next: Unmanaged<Thread>?
  fileprivate var previous: Unmanaged<Thread>?
}

/// All threads that wait for futexes. See futex(2).
///
/// The kernel is not preempted, so reading the word and going to sleep are one step; nothing here takes a lock. A thread
/// that sleeps is held by its process, and takes itself out of the table before it goes on: the lists hold no references.
@safe public final class FutexTable {
  @safe private struct Bucket {
    var first: Unmanaged<Thread>?
    var last: Unmanaged<Thread>?
  }
  private static var bucketCount: Int { 256 }
  private let buckets: UnsafeMutablePointer<Bucket>

  public init() {
    // SAFETY: as many as `bucket` counts.
    unsafe buckets = .allocate(capacity: Self.bucketCount)
    unsafe buckets.initialize(repeating: Bucket(), count: Self.bucketCount)
  }
  // SAFETY: allocated by init, and this is the last use.
  deinit { unsafe buckets.deallocate() }

  @inline(__always)
  private func bucket(_ key: FutexKey) -> UnsafeMutablePointer<Bucket> {
    // SAFETY: the index is below `bucketCount`.
    unsafe buckets + key.bucket(of: Self.bucketCount)
  }

  private func append(_ thread: Thread) {
    thread.futexWait.isQueued = true
    // SAFETY: the lists name threads that sleep; see above.
    unsafe thread.futexWait.next = nil
    let bucket = unsafe bucket(thread.futexWait.key)
    let last = unsafe bucket.pointee.last
    let new = unsafe Unmanaged.passUnretained(thread)
    unsafe thread.futexWait.previous = last
    if let last = unsafe last {
      unsafe last._withUnsafeGuaranteedRef { unsafe $0.futexWait.next = new }
    } else {
      unsafe bucket.pointee.first = new
    }
    unsafe bucket.pointee.last = new
  }

  private func remove(_ thread: Thread) {
    thread.futexWait.isQueued = false
    // SAFETY: as in `append`.
    let bucket = unsafe bucket(thread.futexWait.key)
    let next = unsafe thread.futexWait.next
    let previous = unsafe thread.futexWait.previous
    if let next = unsafe next {
      unsafe next._withUnsafeGuaranteedRef { unsafe $0.futexWait.previous = previous }
    } else {
      unsafe bucket.pointee.last = previous
    }
    if let previous = unsafe previous {
      unsafe previous._withUnsafeGuaranteedRef { unsafe $0.futexWait.next = next }
    } else {
      unsafe bucket.pointee.first = next
    }
  }

  /// Takes up to `count` threads that wait for `key` out, in the order in which they came, and hands them to `body`.
  @inline(__always)
  private func take(_ key: FutexKey, _ count: Int, _ bitset: UInt32, _ body: (Thread) -> Void) -> Int {
    var taken = 0
    // SAFETY: as in `append`.
    var next = unsafe bucket(key).pointee.first
    while taken < count, let at = unsafe next {
      unsafe at._withUnsafeGuaranteedRef { thread in
        unsafe next = thread.futexWait.next
        if thread.futexWait.bitset & bitset != 0, thread.futexWait.key == key {
          remove(thread)
          body(thread)
          taken &+= 1
        }
      }
    }
    return taken
  }

  /// Puts `thread` to sleep if the word at `address` still holds `expected`. See FUTEX_WAIT_BITSET.
  ///
  /// - Parameter deadline: Monotonic nanoseconds, or nil.
  /// - Throws: `EAGAIN` for another value, `EFAULT`, `EINVAL`, `ETIMEDOUT`, `EINTR` when a signal came.
  public func wait(
    _ thread: Thread, _ address: UInt, isPrivate: Bool, expected: UInt32, bitset: UInt32, until deadline: UInt64?
  ) throws(Errno) {
    guard bitset != 0, address & 3 == 0 else { throw .EINVAL }
    // The copy may put the thread to sleep and the memory may change meanwhile, so the key comes after it.
    let value = try UserMemory.load(UInt32.self, at: address)
    thread.futexWait.key = try FutexKey(thread.process.memory, address, isPrivate: isPrivate)
    guard value == expected else { throw .EAGAIN }
    thread.futexWait.bitset = bitset
    append(thread)
    let reason = thread.scheduler.sleep(until: deadline)
    if !thread.futexWait.isQueued { return }
    remove(thread)
    switch reason {
    case .woken: throw .EAGAIN
    case .timedOut: throw .ETIMEDOUT
    case .interrupted: throw .EINTR
    }
  }

  /// Wakes up to `count` threads whose bitset shares a bit. See FUTEX_WAKE_BITSET.
  ///
  /// - Returns: How many were woken.
  public func wake(_ key: FutexKey, _ count: Int, bitset: UInt32 = FutexWord.FUTEX_BITSET_MATCH_ANY) -> Int {
    take(key, count, bitset) { $0.scheduler.wake($0, .woken) }
  }

  /// Wakes up to `count` threads, and makes up to `moved` more wait for another futex. See FUTEX_REQUEUE.
  ///
  /// - Returns: How many were woken, and how many moved.
  public func requeue(_ key: FutexKey, wake count: Int, to target: FutexKey, move limit: Int) -> (
    woken: Int, moved: Int
  ) {
    let woken = wake(key, count)
    if key == target { return (woken, 0) }
    // Those that moved within one list come up again, and do not wait for `key` any more.
    let moved = take(key, limit, FutexWord.FUTEX_BITSET_MATCH_ANY) { thread in
      thread.futexWait.key = target
      append(thread)
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
