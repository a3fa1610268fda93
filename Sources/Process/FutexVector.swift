internal import Kernel
public import LinuxABI
internal import Mmap

/// A thread that waits for several futexes at once. See futex_waitv(2).
final class FutexVector {
  fileprivate let thread: Thread
  fileprivate var keys: [FutexKey]
  /// Which of them was woken.
  fileprivate var woken: Int?

  fileprivate init(_ thread: Thread, _ keys: [FutexKey]) {
    self.thread = thread
    self.keys = keys
  }
}

extension FutexTable {
  /// Puts `thread` to sleep if all words still hold what is expected.
  ///
  /// - Parameter deadline: Monotonic nanoseconds, or nil.
  /// - Returns: Which futex was woken.
  /// - Throws: `EAGAIN` for another value, `EFAULT`, `EINVAL`, `ETIMEDOUT`, `ERESTARTSYS` when a signal came.
  public func wait(_ thread: Thread, _ words: [FutexWaitv], until deadline: UInt64?) throws(Errno) -> Int {
    var keys: [FutexKey] = []
    for word in words {
      keys.append(try FutexKey(thread.process.memory, UInt(word.uaddr), isPrivate: word.isPrivate))
    }
    try thread.scheduler.undisturbed { () throws(Errno) in
      for word in words {
        guard try UserMemory.load(UInt32.self, at: UInt(word.uaddr)) == UInt32(truncatingIfNeeded: word.val) else {
          throw .EAGAIN
        }
      }
    }
    // A word that was mapped anew meanwhile has another key.
    for (index, word) in words.enumerated() {
      keys[index] = try FutexKey(thread.process.memory, UInt(word.uaddr), isPrivate: word.isPrivate)
    }
    let vector = FutexVector(thread, keys)
    vectors.append(vector)
    others += 1
    let reason = thread.scheduler.sleep(until: deadline)
    others -= 1
    if let woken = vector.woken { return woken }
    vectors.removeAll { $0 === vector }
    switch reason {
    case .woken: throw .EAGAIN
    case .timedOut: throw .ETIMEDOUT
    case .interrupted: throw .ERESTARTSYS
    }
  }

  /// Wakes up to `count` of those that wait for `key` among others.
  ///
  /// - Throws: `EINVAL` when one waits there to be moved to a lock.
  @inline(never)
  func wakeOthers(_ key: FutexKey, _ count: Int) throws(Errno) -> Int {
    if locks.isCondition(key) { throw .EINVAL }
    var woken = 0
    while woken < count, let index = vectors.firstIndex(where: { $0.keys.contains(key) }) {
      let vector = vectors.remove(at: index)
      vector.woken = vector.keys.firstIndex(of: key)
      vector.thread.scheduler.wake(vector.thread, .woken)
      woken += 1
    }
    return woken
  }

  /// Makes up to `count` of those that wait for `key` among others wait for `target` in its place.
  ///
  /// - Throws: `EINVAL` when one waits there to be moved to a lock.
  @inline(never)
  func moveOthers(_ key: FutexKey, _ count: Int, to target: FutexKey) throws(Errno) -> Int {
    if locks.isCondition(key) { throw .EINVAL }
    var moved = 0
    for vector in vectors {
      for index in vector.keys.indices where moved < count && vector.keys[index] == key {
        vector.keys[index] = target
        moved += 1
      }
    }
    return moved
  }
}
