// Polling: waiting for several files at once. `PollSet` serves poll(2) and select(2), `EpollInstance` epoll(7).
//
// A file says what it is ready for (`OpenFile.readiness`) and wakes its `waitQueue` when that may have changed; both
// kinds of waiting put an entry of their own into those queues. Neighbours: VFSCore for files, Kernel for wait queues;
// Syscalls above.
internal import Kernel
public import LinuxABI
public import VFSCore

/// Files to wait for, with the events that each is asked about.
public struct PollSet {
  /// One file of the set.
  public struct Entry {
    /// Nil for a number that is no open file: it is never waited for.
    public let file: OpenFile?
    public let events: PollEvents
    /// What of `events` was there.
    public fileprivate(set) var result: PollEvents
  }

  public private(set) var entries: [Entry] = []

  public init(reserving count: Int) { entries.reserveCapacity(count) }

  /// Adds a file; nil without `result` is skipped, with one it counts as ready from the start.
  public mutating func append(_ file: OpenFile?, _ events: PollEvents, result: PollEvents = []) {
    entries.append(Entry(file: file, events: events, result: result))
  }

  /// Looks at every file.
  ///
  /// - Returns: How many entries have a result.
  public mutating func check() -> Int {
    var count = 0
    for index in entries.indices {
      if let file = entries[index].file {
        entries[index].result = file.readiness.intersection(entries[index].events)
      }
      if !entries[index].result.isEmpty { count += 1 }
    }
    return count
  }

  /// Waits until a file is ready, the time is over or a signal comes.
  ///
  /// - Parameter deadline: Monotonic nanoseconds; nil to wait for ever.
  /// - Returns: How many entries have a result; 0 when the time is over.
  /// - Throws: `EINTR` for a signal.
  public mutating func wait(until deadline: UInt64?) throws(Errno) -> Int {
    let ready = check()
    if ready > 0 { return ready }
    let task = Task.current
    let scheduler = task.scheduler
    if let deadline, deadline <= scheduler.timers.now() { return 0 }
    let waiters = entries.compactMap { entry in entry.file?.waitQueue.map { TaskWaiter(task, in: $0) } }
    defer { for waiter in waiters { waiter.remove() } }
    // Nothing sleeps between the look at the files and the sleep, so no wake-up is lost.
    while true {
      let reason = scheduler.sleep(until: deadline)
      let ready = check()
      if ready > 0 { return ready }
      switch reason {
      case .woken: continue
      case .timedOut: return 0
      case .interrupted: throw .EINTR
      }
    }
  }
}

/// An entry in a file's queue that wakes a task which waits in several.
private final class TaskWaiter: Waiter {
  private let task: Task

  init(_ task: Task, in queue: WaitQueue) {
    self.task = task
    super.init()
    queue.add(self)
  }

  override func notify() { task.scheduler.wake(task, .woken) }
}
