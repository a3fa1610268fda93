internal import Kernel

/// A mutual exclusion that is held over copies from and to the program's memory, which may sleep.
public final class SleepLock {
  private var isHeld = false
  private let waiters = WaitQueue()

  public init() {}

  /// Takes the lock; only another holder's sleep can make this one sleep.
  @inline(__always)
  public func lock() {
    while isHeld { _ = waiters.sleep(interruptible: false) }
    isHeld = true
  }
  @inline(__always)
  public func unlock() {
    isHeld = false
    if !waiters.isEmpty { waiters.wake() }
  }
  /// Whether somebody is within.
  public var isTaken: Bool { isHeld }
}
