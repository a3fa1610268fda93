/// The tasks that could run, the one to run next first: it has a place of its own, since often there is no other, and
/// the rest are a binary heap by `ScheduleShare.precedes`.
struct ReadyQueue {
  private(set) var first: Task?
  private var heap: [Task] = []
  private var arrivals: UInt64 = 0

  @inline(__always)
  var isEmpty: Bool { first == nil }
  @inline(__always)
  var count: Int { isEmpty ? 0 : heap.count &+ 1 }

  @inline(__always)
  mutating func push(_ task: Task) {
    arrivals &+= 1
    task.share.arrival = arrivals
    guard let other = first else {
      first = task
      return
    }
    if task.share.precedes(other.share) {
      first = task
      pushFurther(other)
    } else {
      pushFurther(task)
    }
  }

  @inline(never)
  private mutating func pushFurther(_ task: Task) {
    heap.append(task)
    var child = heap.count &- 1
    while child > 0 {
      let parent = (child &- 1) >> 1
      if !task.share.precedes(heap[parent].share) { break }
      heap.swapAt(child, parent)
      child = parent
    }
  }

  @inline(__always)
  mutating func pop() -> Task? {
    let result = first
    first = heap.isEmpty ? nil : popFurther()
    return result
  }

  @inline(never)
  private mutating func popFurther() -> Task? {
    guard let last = heap.popLast() else { return nil }
    if heap.isEmpty { return last }
    let result = heap[0]
    heap[0] = last
    settle()
    return result
  }

  /// Moves the first element down to where it belongs.
  private mutating func settle() {
    var parent = 0
    while true {
      var child = parent &* 2 &+ 1
      if child >= heap.count { return }
      if child &+ 1 < heap.count, heap[child &+ 1].share.precedes(heap[child].share) { child &+= 1 }
      if !heap[child].share.precedes(heap[parent].share) { return }
      heap.swapAt(child, parent)
      parent = child
    }
  }

  /// Orders everything afresh: a share in the queue has changed.
  mutating func rebuild() {
    let tasks = heap
    let other = first
    heap.removeAll(keepingCapacity: true)
    first = nil
    if let other { push(other) }
    for task in tasks { push(task) }
  }
}
