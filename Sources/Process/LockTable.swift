internal import Kernel
internal import LinuxABI
internal import Mmap
internal import VFSCore

/// A thread that waits for a lock whose word holds its owner's number.
private final class LockWaiter {
  let thread: Thread
  let key: FutexKey
  let address: UInt
  /// The lock is this thread's now: whoever had it says so in the word.
  var hasLock = false
  /// The owner has ended with the lock.
  var isHeir = false

  init(_ thread: Thread, _ key: FutexKey, _ address: UInt) {
    self.thread = thread
    self.key = key
    self.address = address
  }
}

/// All threads that wait for locks with priority inheritance: FUTEX_LOCK_PI and its like. See futex(2).
///
/// A lock goes from its owner to the waiter of the highest priority, and among equals to the one that came first. The
/// owner's own priority stays as it is.
final class LockTable {
  private var waiters: [LockWaiter] = []

  init() {}

  private func isWaited(for key: FutexKey) -> Bool { waiters.contains { $0.key == key } }

  /// Takes the waiter out that is next.
  private func next(_ key: FutexKey) -> LockWaiter? {
    var best: Int?
    for index in waiters.indices where waiters[index].key == key {
      if let best, waiters[best].thread.scheduling.priority >= waiters[index].thread.scheduling.priority { continue }
      best = index
    }
    return best.map { waiters.remove(at: $0) }
  }

  /// Changes a word that the program may change too. The page is made writable first: between the last read and the
  /// write nothing else may run.
  ///
  /// - Parameter body: Makes the new value of the old one, or nil for none.
  /// - Returns: The old value.
  /// - Throws: `EFAULT`, and what `body` throws.
  private func change(_ address: UInt, _ body: (UInt32) throws(Errno) -> UInt32?) throws(Errno) -> UInt32 {
    while true {
      let old = try UserMemory.load(UInt32.self, at: address)
      try UserMemory.store(old, at: address)
      guard try UserMemory.load(UInt32.self, at: address) == old else { continue }
      if let new = try body(old) { try UserMemory.store(new, at: address) }
      return old
    }
  }

  /// Takes a lock, and sleeps as long as another thread has it. See FUTEX_LOCK_PI and FUTEX_TRYLOCK_PI.
  ///
  /// - Parameter deadline: Monotonic nanoseconds, or nil.
  /// - Throws: `EDEADLK` for the caller's own lock, `EAGAIN` when it must not wait, `ESRCH` for an owner that is no
  ///   thread, `ETIMEDOUT`, `ERESTARTNOINTR`, `EFAULT`, `EINVAL`.
  func lock(
    _ thread: Thread, _ address: UInt, isPrivate: Bool, waits: Bool, until deadline: UInt64?
  ) throws(Errno) {
    let tid = UInt32(bitPattern: thread.tid)
    while true {
      // An address that is not mapped has no key; one that is mapped anew has another.
      _ = try FutexKey(thread.process.memory, address, isPrivate: isPrivate)
      var isTaken = false
      let old = try change(address) { old throws(Errno) in
        let owner = old & FutexWord.FUTEX_TID_MASK
        if owner == tid { throw .EDEADLK }
        if owner == 0 {
          isTaken = true
          let key = try FutexKey(thread.process.memory, address, isPrivate: isPrivate)
          return tid | old & FutexWord.FUTEX_OWNER_DIED | (isWaited(for: key) ? FutexWord.FUTEX_WAITERS : 0)
        }
        guard waits else { throw .EAGAIN }
        guard thread.process.system.thread(Int32(bitPattern: owner)) != nil else { throw .ESRCH }
        return old | FutexWord.FUTEX_WAITERS
      }
      if isTaken { return }
      let key = try FutexKey(thread.process.memory, address, isPrivate: isPrivate)
      // The owner may have changed while the page came.
      guard try UserMemory.load(UInt32.self, at: address) == old | FutexWord.FUTEX_WAITERS else { continue }
      let waiter = LockWaiter(thread, key, address)
      waiters.append(waiter)
      let reason = thread.scheduler.sleep(until: deadline)
      waiters.removeAll { $0 === waiter }
      if waiter.hasLock { return }
      if waiter.isHeir { continue }
      switch reason {
      case .woken: continue
      case .timedOut: throw .ETIMEDOUT
      case .interrupted: throw .ERESTARTNOINTR
      }
    }
  }

  /// Gives a lock to the next that waits, or frees it. See FUTEX_UNLOCK_PI.
  ///
  /// - Throws: `EPERM` for a lock that is not the caller's, `EFAULT`, `EINVAL`.
  func unlock(_ thread: Thread, _ address: UInt, isPrivate: Bool) throws(Errno) {
    let tid = UInt32(bitPattern: thread.tid)
    var heir: LockWaiter?
    _ = try change(address) { old throws(Errno) in
      guard old & FutexWord.FUTEX_TID_MASK == tid else { throw .EPERM }
      let key = try FutexKey(thread.process.memory, address, isPrivate: isPrivate)
      heir = next(key)
      guard let heir else { return 0 }
      return UInt32(bitPattern: heir.thread.tid) | (isWaited(for: key) ? FutexWord.FUTEX_WAITERS : 0)
    }
    guard let heir else { return }
    heir.hasLock = true
    heir.thread.scheduler.wake(heir.thread, .woken)
  }

  /// Passes on the locks of a thread that ends: the word of each says that its owner died.
  func ownerEnded(_ thread: Thread) {
    guard !waiters.isEmpty else { return }
    let tid = UInt32(bitPattern: thread.tid)
    var keys: [FutexKey] = []
    for waiter in waiters where !keys.contains(waiter.key) {
      // The list of robust locks may have been gone through: then the word has no owner already.
      guard let bytes = try? waiter.thread.process.memory.read(waiter.address, count: 4) else { continue }
      let word = UInt32(bytes[0]) | UInt32(bytes[1]) << 8 | UInt32(bytes[2]) << 16 | UInt32(bytes[3]) << 24
      let owner = word & FutexWord.FUTEX_TID_MASK
      guard owner == tid || owner == 0 else { continue }
      keys.append(waiter.key)
      if owner == tid {
        let new = word & ~FutexWord.FUTEX_TID_MASK | FutexWord.FUTEX_OWNER_DIED
        let newBytes = [new, new >> 8, new >> 16, new >> 24].map { UInt8(truncatingIfNeeded: $0) }
        guard (try? waiter.thread.process.memory.write(newBytes, at: waiter.address)) != nil else { continue }
      }
    }
    for key in keys {
      guard let heir = next(key) else { continue }
      heir.isHeir = true
      heir.thread.scheduler.wake(heir.thread, .woken)
    }
  }
}
