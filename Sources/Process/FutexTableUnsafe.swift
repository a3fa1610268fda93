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
  /// Threads that wait in another way than in the buckets: for several futexes, or to be moved to a lock. None, as a rule.
  var others = 0
  var vectors: [FutexVector] = []
  let locks = LockTable()

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
    if thread.scheduling.priority > 0, insert(thread) { return }
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

  /// Puts a thread of a real-time policy before the first of its list with a lower priority; false when there is none.
  @inline(never)
  private func insert(_ thread: Thread) -> Bool {
    // SAFETY: as in `append`.
    let bucket = unsafe bucket(thread.futexWait.key)
    var next = unsafe bucket.pointee.first
    while let at = unsafe next,
      unsafe at._withUnsafeGuaranteedRef({ $0.scheduling.priority >= thread.scheduling.priority })
    {
      unsafe next = at._withUnsafeGuaranteedRef { unsafe $0.futexWait.next }
    }
    guard let after = unsafe next else { return false }
    let new = unsafe Unmanaged.passUnretained(thread)
    unsafe after._withUnsafeGuaranteedRef {
      unsafe thread.futexWait.previous = $0.futexWait.previous
      unsafe $0.futexWait.previous = new
    }
    unsafe thread.futexWait.next = after
    if let previous = unsafe thread.futexWait.previous {
      unsafe previous._withUnsafeGuaranteedRef { unsafe $0.futexWait.next = new }
    } else {
      unsafe bucket.pointee.first = new
    }
    return true
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

  /// Whether a thread waits for `key` and for nothing else.
  func isWaited(for key: FutexKey) -> Bool {
    // SAFETY: as in `append`.
    var next = unsafe bucket(key).pointee.first
    while let at = unsafe next {
      if unsafe at._withUnsafeGuaranteedRef({ $0.futexWait.key == key }) { return true }
      unsafe next = at._withUnsafeGuaranteedRef { unsafe $0.futexWait.next }
    }
    return false
  }

  /// Wakes up to `count` threads whose bitset shares a bit. See FUTEX_WAKE_BITSET.
  ///
  /// - Returns: How many were woken.
  /// - Throws: `EINVAL` when one waits there to be moved to a lock.
  public func wake(
    _ key: FutexKey, _ count: Int, bitset: UInt32 = FutexWord.FUTEX_BITSET_MATCH_ANY
  ) throws(Errno) -> Int {
    let taken = take(key, count, bitset) { $0.scheduler.wake($0, .woken) }
    return taken < count && others > 0 ? taken + (try wakeOthers(key, count - taken)) : taken
  }

  /// Wakes up to `count` threads, and makes up to `moved` more wait for another futex. See FUTEX_REQUEUE.
  ///
  /// - Returns: How many were woken and moved.
  /// - Throws: `EINVAL` when one waits there to be moved to a lock.
  public func requeue(_ key: FutexKey, wake count: Int, to target: FutexKey, move limit: Int) throws(Errno) -> Int {
    let woken = try wake(key, count)
    if key == target { return woken }
    // Those that moved within one list come up again, and do not wait for `key` any more.
    let moved = take(key, limit, FutexWord.FUTEX_BITSET_MATCH_ANY) { thread in
      thread.futexWait.key = target
      append(thread)
    }
    return woken + moved + (moved < limit && others > 0 ? try moveOthers(key, limit - moved, to: target) : 0)
  }
}

extension Thread {
  /// Takes a lock with priority inheritance. See `LockTable.lock`.
  public func lockFutex(_ address: UInt, isPrivate: Bool, waits: Bool, until deadline: UInt64?) throws(Errno) {
    try process.system.futexes.locks.lock(self, address, isPrivate: isPrivate, waits: waits, until: deadline)
  }
  /// Gives one back. See `LockTable.unlock`.
  public func unlockFutex(_ address: UInt, isPrivate: Bool) throws(Errno) {
    try process.system.futexes.locks.unlock(self, address, isPrivate: isPrivate)
  }
  /// Sleeps until it is moved to a lock and has that. See `LockTable.waitForRequeue`.
  public func waitForRequeue(
    _ address: UInt, to target: UInt, isPrivate: Bool, expected: UInt32, until deadline: UInt64?
  ) throws(Errno) {
    let futexes = process.system.futexes
    futexes.others += 1
    defer { futexes.others -= 1 }
    try futexes.locks.waitForRequeue(
      self, address, to: target, isPrivate: isPrivate, expected: expected, until: deadline)
  }
  /// Moves others to a lock. See `LockTable.requeue`.
  public func requeueToLock(
    _ address: UInt, to target: UInt, isPrivate: Bool, expected: UInt32, move limit: Int
  ) throws(Errno) -> Int {
    try process.system.futexes.locks.requeue(
      self, address, to: target, isPrivate: isPrivate, expected: expected, move: limit)
  }

  /// Tells those who wait that this thread ends: its robust futexes, then the word of set_tid_address(2).
  ///
  /// Called while the thread's memory is still the one in force. See get_robust_list(2).
  func releaseFutexes() {
    releaseRobustList()
    process.system.futexes.locks.ownerEnded(self)
    // Whoever came to wait for a lock while this slept finds nobody any more who would pass it on.
    defer { process.system.futexes.locks.ownerEnded(self) }
    guard clearChildTID != 0 else { return }
    let address = clearChildTID
    clearChildTID = 0
    guard (try? UserMemory.store(UInt32(0), at: address)) != nil,
      let key = try? FutexKey(process.memory, address, isPrivate: false)
    else { return }
    _ = try? process.system.futexes.wake(key, 1)
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
        guard releaseRobust(entry, list.futex_offset, isPending: false) else { return }
      }
      guard let next else { return }
      entry = next
      left -= 1
    }
    if list.list_op_pending & ~1 != 0 {
      _ = releaseRobust(list.list_op_pending, list.futex_offset, isPending: true)
    }
  }

  /// Marks a futex that this thread holds as its dead owner's, and wakes one waiter; those of a lock with priority
  /// inheritance, bit 0 of `entry`, are told by `LockTable.ownerEnded`.
  ///
  /// - Parameter isPending: The thread was about to take or to give back: it may have freed the futex and woken nobody yet.
  private func releaseRobust(_ entry: UInt64, _ offset: Int64, isPending: Bool) -> Bool {
    let address = UInt((entry & ~1) &+ UInt64(bitPattern: offset))
    guard address & 3 == 0, let word = try? UserMemory.load(UInt32.self, at: address) else { return false }
    var wakes = word & FutexWord.FUTEX_WAITERS != 0
    if word & FutexWord.FUTEX_TID_MASK == UInt32(bitPattern: tid) {
      let new = word & FutexWord.FUTEX_WAITERS | FutexWord.FUTEX_OWNER_DIED
      guard (try? UserMemory.store(new, at: address)) != nil else { return false }
    } else {
      wakes = isPending && word == 0
    }
    if wakes, entry & 1 == 0, let key = try? FutexKey(process.memory, address, isPrivate: false) {
      _ = try? process.system.futexes.wake(key, 1)
    }
    return true
  }
}
