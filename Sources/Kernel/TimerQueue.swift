/// A pending timer.
public final class TimerEntry {
  let fire: () -> Void
  public internal(set) var deadline: UInt64 = 0
  /// Place in the heap, or -1.
  var index = -1

  /// Makes a timer that calls `fire` from the timer interrupt, or at a preemption point, with the kernel's state whole.
  public init(_ fire: @escaping () -> Void) { self.fire = fire }

  public var isPending: Bool { index >= 0 }
}

/// The one-shot hardware timer.
public protocol ClockEventDevice: AnyObject {
  /// Interrupts after so many nanoseconds, once; replaces what was armed before.
  func arm(after nanoseconds: UInt64)
}

/// All timers of the machine in one binary heap by deadline. There is no periodic tick.
public final class TimerQueue {
  private let clock: Clock
  /// Set once interrupts work.
  public var device: (any ClockEventDevice)?
  private var heap: [TimerEntry] = []
  private var armed: UInt64 = .max

  public init(clock: Clock) { self.clock = clock }

  @inline(__always)
  public func now() -> UInt64 { clock.now }

  /// The earliest deadline.
  public var nextDeadline: UInt64? { heap.first?.deadline }

  /// Adds a timer, which must not be pending, for a monotonic time in nanoseconds.
  public func add(_ entry: TimerEntry, at deadline: UInt64) {
    entry.deadline = deadline
    entry.index = heap.count
    heap.append(entry)
    siftUp(entry.index)
    if entry.index == 0 { program(deadline, now()) }
  }

  /// Takes a timer out if it is pending.
  public func cancel(_ entry: TimerEntry) {
    guard entry.index >= 0 else { return }
    remove(at: entry.index)
  }

  /// Fires everything that is due. Called by the timer interrupt.
  public func expire() {
    armed = .max
    while let first = heap.first, first.deadline <= clock.now {
      remove(at: 0)
      first.fire()
    }
    if let next = heap.first { program(next.deadline, now()) }
  }

  /// Makes sure the hardware fires for the next timer, and at the end of a time slice, `UInt64.max` for none. `now` is
  /// what the caller has just read from the clock.
  public func arm(sliceEnd: UInt64, at now: UInt64) {
    let deadline = heap.isEmpty ? sliceEnd : min(heap[0].deadline, sliceEnd)
    if deadline != .max { program(deadline, now) }
  }

  @inline(__always)
  private func program(_ deadline: UInt64, _ now: UInt64) {
    if armed <= deadline, armed > now { return }
    programDevice(deadline, now)
  }

  @inline(never)
  private func programDevice(_ deadline: UInt64, _ now: UInt64) {
    armed = deadline
    device?.arm(after: deadline > now ? deadline - now : 1)
  }

  private func remove(at index: Int) {
    let entry = heap[index]
    entry.index = -1
    let moved = heap.removeLast()
    if moved === entry { return }
    heap[index] = moved
    moved.index = index
    siftDown(index)
    siftUp(moved.index)
  }

  private func siftUp(_ start: Int) {
    var child = start
    let entry = heap[child]
    while child > 0 {
      let parent = (child - 1) / 2
      if heap[parent].deadline <= entry.deadline { break }
      heap[child] = heap[parent]
      heap[child].index = child
      child = parent
    }
    heap[child] = entry
    entry.index = child
  }

  private func siftDown(_ start: Int) {
    var parent = start
    let entry = heap[parent]
    while true {
      var child = 2 * parent + 1
      if child >= heap.count { break }
      if child + 1 < heap.count, heap[child + 1].deadline < heap[child].deadline { child += 1 }
      if heap[child].deadline >= entry.deadline { break }
      heap[parent] = heap[child]
      heap[parent].index = parent
      parent = child
    }
    heap[parent] = entry
    entry.index = parent
  }
}
