internal import Kernel
internal import LinuxABI
internal import Mmap
internal import VFSCore

/// A thread that waits for a lock whose word holds its owner's number, or for a futex from which it is to go over to one.
private final class LockWaiter {
  let thread: Thread
  /// The lock's.
  let key: FutexKey
  let address: UInt
  /// Who has the lock, and runs with this thread's priority; nil while the thread does not wait for it.
  var owner: Thread?
  /// The futex from which the thread is to go over to the lock: FUTEX_WAIT_REQUEUE_PI.
  var condition: FutexKey?
  /// The lock is this thread's now: whoever gave it says so in the word.
  var hasLock = false

  init(_ thread: Thread, _ key: FutexKey, _ address: UInt) {
    self.thread = thread
    self.key = key
    self.address = address
  }
}

/// All threads that wait for locks with priority inheritance: FUTEX_LOCK_PI and its like. See futex(2).
///
/// A lock goes from its owner to the waiter of the highest priority, and among equals to the one that came first. The
/// owner has the highest real-time priority of those that wait for it, and so has, in turn, the owner of the lock that it
/// waits for itself.
final class LockTable {
  private var waiters: [LockWaiter] = []
  /// Those of FUTEX_WAIT_REQUEUE_PI that nobody has moved yet.
  private var conditions: [LockWaiter] = []

  init() {}

  /// Whether somebody waits at `key` to be moved to a lock.
  func isCondition(_ key: FutexKey) -> Bool { conditions.contains { $0.condition == key } }

  // MARK: Priorities

  /// Passes priorities on: to `thread`, to the owner of what it waits for, and so on.
  private func inherit(_ thread: Thread) {
    var next: Thread? = thread
    while let owner = next {
      var best: Int32 = 0
      for waiter in waiters where waiter.owner === owner { best = max(best, waiter.thread.realTimePriority) }
      if owner.inheritedPriority == best { return }
      owner.inheritedPriority = best
      owner.applyShare()
      next = self.owner(awaitedBy: owner)
    }
  }

  /// Hears that the priority of `thread` was set.
  func priorityChanged(_ thread: Thread) {
    if let owner = owner(awaitedBy: thread) { inherit(owner) }
  }

  private func owner(awaitedBy thread: Thread) -> Thread? { waiters.first { $0.thread === thread }?.owner }

  // MARK: Owners

  /// Who has the lock `key` with this word; nil when it is free.
  ///
  /// - Throws: `EDEADLK` when that one is `thread`, or waits for it and `thread` is to wait; `ESRCH` for an owner that is
  ///   no thread, `EINVAL` for a word that names another than who was waited for so far.
  private func owner(
    _ word: UInt32, _ key: FutexKey, for thread: Thread, waits: Bool = true
  ) throws(Errno) -> Thread? {
    let tid = Int32(bitPattern: word & FutexWord.FUTEX_TID_MASK)
    if tid == thread.tid { throw .EDEADLK }
    var owner = waiters.first { $0.key == key }?.owner
    if let owner {
      // One that ends has taken its number out, and passes the lock on before long.
      guard tid == owner.tid || tid == 0 && word & FutexWord.FUTEX_OWNER_DIED != 0 else { throw .EINVAL }
    } else {
      if tid == 0 { return nil }
      owner = thread.process.system.thread(tid)
      if owner == nil { throw .ESRCH }
    }
    var next = waits ? owner : nil
    while let at = next {
      if at === thread { throw .EDEADLK }
      next = self.owner(awaitedBy: at)
    }
    return owner
  }

  /// Where in a list the one is that comes first: the highest priority, then the longest wait.
  private func first(_ list: [LockWaiter], _ isMeant: (LockWaiter) -> Bool) -> Int? {
    var best: Int?
    for index in list.indices where isMeant(list[index]) {
      if let best, list[best].thread.realTimePriority >= list[index].thread.realTimePriority { continue }
      best = index
    }
    return best
  }

  /// Takes out the waiter that is next to have the lock, and makes it what the others wait for.
  ///
  /// - Parameter died: FUTEX_OWNER_DIED, or 0.
  /// - Returns: The waiter and the lock's word; the caller writes that and calls `pass`.
  private func heir(_ key: FutexKey, died: UInt32 = 0) -> (waiter: LockWaiter, word: UInt32)? {
    guard let index = first(waiters, { $0.key == key }) else { return nil }
    let heir = waiters.remove(at: index)
    heir.owner = nil
    heir.hasLock = true
    var word = UInt32(bitPattern: heir.thread.tid) | died
    for waiter in waiters where waiter.key == key {
      waiter.owner = heir.thread
      word |= FutexWord.FUTEX_WAITERS
    }
    return (heir, word)
  }

  private func pass(to heir: LockWaiter) {
    heir.hasLock = true
    inherit(heir.thread)
    heir.thread.scheduler.wake(heir.thread, .woken)
  }

  // MARK: Locking

  /// Sleeps until the waiter has its lock, or something else ends the sleep.
  ///
  /// - Returns: What did; nil when the lock is there.
  private func sleep(_ waiter: LockWaiter, until deadline: UInt64?) -> WakeReason? {
    let reason = waiter.thread.scheduler.sleep(until: deadline)
    if waiter.hasLock { return nil }
    waiters.removeAll { $0 === waiter }
    conditions.removeAll { $0 === waiter }
    if let owner = waiter.owner { inherit(owner) }
    return reason
  }

  /// Takes a lock, and sleeps as long as another thread has it. See FUTEX_LOCK_PI and FUTEX_TRYLOCK_PI.
  ///
  /// - Parameter deadline: Monotonic nanoseconds, or nil.
  /// - Throws: `EDEADLK` for the caller's own lock, or one whose owner waits for the caller; `EAGAIN` when it must not
  ///   wait, `ESRCH` for an owner that is no thread, `ETIMEDOUT`, `ERESTARTNOINTR`, `EFAULT`, `EINVAL`.
  func lock(
    _ thread: Thread, _ address: UInt, isPrivate: Bool, waits: Bool, until deadline: UInt64?
  ) throws(Errno) {
    while true {
      // An address that is not mapped has no key; one that is mapped anew has another.
      _ = try FutexKey(thread.process.memory, address, isPrivate: isPrivate)
      var waiter: LockWaiter?
      try UserMemory.update(at: address) { word throws(Errno) in
        let key = try FutexKey(thread.process.memory, address, isPrivate: isPrivate)
        guard let owner = try owner(word, key, for: thread, waits: waits) else {
          return UInt32(bitPattern: thread.tid) | word & FutexWord.FUTEX_OWNER_DIED
        }
        guard waits else { throw .EAGAIN }
        waiter = LockWaiter(thread, key, address)
        waiter?.owner = owner
        return word | FutexWord.FUTEX_WAITERS
      }
      guard let waiter, let owner = waiter.owner else { return }
      waiters.append(waiter)
      inherit(owner)
      switch sleep(waiter, until: deadline) {
      case nil: return
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
    var next: LockWaiter?
    try UserMemory.update(at: address) { word throws(Errno) in
      guard word & FutexWord.FUTEX_TID_MASK == UInt32(bitPattern: thread.tid) else { throw .EPERM }
      let key = try FutexKey(thread.process.memory, address, isPrivate: isPrivate)
      if let owner = waiters.first(where: { $0.key == key })?.owner, owner !== thread { throw .EINVAL }
      guard let heir = heir(key) else { return 0 }
      next = heir.waiter
      return heir.word
    }
    guard let next else { return }
    inherit(thread)
    pass(to: next)
  }

  /// Passes on the locks of a thread that ends: the word of each says that its owner died.
  func ownerEnded(_ thread: Thread) {
    while let waiter = waiters.first(where: { $0.owner === thread }),
      let heir = heir(waiter.key, died: FutexWord.FUTEX_OWNER_DIED)
    {
      let bytes = [heir.word, heir.word >> 8, heir.word >> 16, heir.word >> 24].map { UInt8(truncatingIfNeeded: $0) }
      // Where the word is gone, the lock is still the heir's.
      try? heir.waiter.thread.process.memory.write(bytes, at: heir.waiter.address)
      pass(to: heir.waiter)
    }
  }

  // MARK: Conditions

  /// Sleeps at a futex until a call of `requeue` has brought the thread to a lock, and it has that. See
  /// FUTEX_WAIT_REQUEUE_PI.
  ///
  /// - Throws: `EAGAIN` for another value, or when a signal came while it waited for the lock; `EINVAL`, `EFAULT`,
  ///   `ETIMEDOUT`, `ERESTARTNOINTR`.
  func waitForRequeue(
    _ thread: Thread, _ address: UInt, to target: UInt, isPrivate: Bool, expected: UInt32, until deadline: UInt64?
  ) throws(Errno) {
    guard address & 3 == 0 else { throw .EINVAL }
    let value = try UserMemory.load(UInt32.self, at: address)
    let key = try FutexKey(thread.process.memory, address, isPrivate: isPrivate)
    let waiter = LockWaiter(thread, try FutexKey(thread.process.memory, target, isPrivate: isPrivate), target)
    guard value == expected else { throw .EAGAIN }
    guard waiter.key != key else { throw .EINVAL }
    waiter.condition = key
    conditions.append(waiter)
    switch sleep(waiter, until: deadline) {
    case nil: return
    case .timedOut: throw .ETIMEDOUT
    case .interrupted where waiter.owner == nil: throw .ERESTARTNOINTR
    case .woken, .interrupted: throw .EAGAIN
    }
  }

  /// Gives the lock at `target` to the first that waits at `address`, or makes it wait for that, and up to `limit` more.
  /// See FUTEX_CMP_REQUEUE_PI.
  ///
  /// - Returns: How many do not wait at `address` any more.
  /// - Throws: `EAGAIN` for another value; `EINVAL` also when they wait for another lock, or for none; what `lock` throws.
  func requeue(
    _ thread: Thread, _ address: UInt, to target: UInt, isPrivate: Bool, expected: UInt32, move limit: Int
  ) throws(Errno) -> Int {
    guard address & 3 == 0, target & 3 == 0 else { throw .EINVAL }
    try thread.scheduler.undisturbed { () throws(Errno) in
      try UserMemory.update(at: target) { $0 }
      guard try UserMemory.load(UInt32.self, at: address) == expected else { throw .EAGAIN }
    }
    let key = try FutexKey(thread.process.memory, address, isPrivate: isPrivate)
    let lock = try FutexKey(thread.process.memory, target, isPrivate: isPrivate)
    guard key != lock, !thread.process.system.futexes.isWaited(for: key) else { throw .EINVAL }
    var count = 0
    while count <= limit, let index = first(conditions, { $0.condition == key }) {
      let waiter = conditions[index]
      guard waiter.key == lock else { throw .EINVAL }
      let word = try UserMemory.load(UInt32.self, at: target)
      if let owner = try owner(word, lock, for: waiter.thread) {
        try UserMemory.store(word | FutexWord.FUTEX_WAITERS, at: target)
        waiter.owner = owner
        waiters.append(conditions.remove(at: index))
        inherit(owner)
      } else {
        try UserMemory.store(UInt32(bitPattern: waiter.thread.tid) | word & FutexWord.FUTEX_OWNER_DIED, at: target)
        pass(to: conditions.remove(at: index))
      }
      count += 1
    }
    return count
  }
}
