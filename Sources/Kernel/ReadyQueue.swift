/// The tasks that could run, the one to run next first: a binary heap by `ScheduleShare.precedes`.
struct ReadyQueue {
  private var heap: [Task] = []
  private var arrivals: UInt64 = 0

  @inline(__always)
  var isEmpty: Bool { heap.isEmpty }
  @inline(__always)
  var count: Int { heap.count }
  @inline(__always)
  var first: Task? { heap.isEmpty ? nil : heap[0] }

  mutating func push(_ task: Task) {
    arrivals &+= 1
    task.share.arrival = arrivals
    heap.append(task)
    var child = heap.count &- 1
    while child > 0 {
      let parent = (child &- 1) >> 1
      if !task.share.precedes(heap[parent].share) { break }
      heap.swapAt(child, parent)
      child = parent
    }
  }

  mutating func pop() -> Task? {
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
    heap.removeAll(keepingCapacity: true)
    for task in tasks { push(task) }
  }
}
