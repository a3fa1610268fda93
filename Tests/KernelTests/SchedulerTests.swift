import Platform
import Testing

@testable import Kernel

/// The decisions of the scheduler; the switches themselves are the guest's.
@Suite struct SchedulerTests {
  private let scheduler = Scheduler(timers: TimerQueue(clock: Clock(tscBase: 0, ticksPerSecond: 1_000_000_000)))

  private func task(virtualTime: UInt64 = 0, realTime: Int32 = 0) -> Task {
    let task = Task(scheduler: scheduler, stackTop: 0)
    task.share.virtualTime = virtualTime
    task.share.realTimePriority = realTime
    return task
  }

  @Test func theLeastVirtualTimeRunsFirstAndEqualOnesInTheirOrder() {
    var queue = ReadyQueue()
    let tasks = [30, 10, 20, 10, 0, 20].map { task(virtualTime: $0) }
    for task in tasks { queue.push(task) }
    var order: [Int] = []
    while let next = queue.pop() { order.append(tasks.firstIndex { $0 === next }!) }
    #expect(order == [4, 1, 3, 2, 5, 0])
  }

  @Test func realTimePrioritiesGoBeforeAllOthers() {
    var queue = ReadyQueue()
    let tasks = [task(), task(virtualTime: 5, realTime: 1), task(realTime: 50), task(virtualTime: 9, realTime: 50)]
    for task in tasks { queue.push(task) }
    var order: [Int] = []
    while let next = queue.pop() { order.append(tasks.firstIndex { $0 === next }!) }
    #expect(order == [2, 3, 1, 0])
  }

  @Test func aHeapOfManyStaysInOrder() {
    var queue = ReadyQueue()
    for _ in 0..<500 { queue.push(task(virtualTime: UInt64.random(in: 0..<1000))) }
    var last: UInt64 = 0
    for _ in 0..<500 {
      let next = queue.pop()!
      #expect(next.share.virtualTime >= last)
      last = next.share.virtualTime
      if Bool.random() { queue.push(task(virtualTime: last + UInt64.random(in: 0..<100))) }
    }
  }

  @Test func niceDividesTheTime() {
    var usual = ScheduleShare()
    var nice = ScheduleShare()
    nice.setNice(5, isIdlePolicy: false)
    usual.charge(3_000_000)
    nice.charge(1_000_000)
    // Weights 1024 and 335: the nice one gets a third.
    #expect(usual.virtualTime == 3_000_000)
    #expect((3_000_000...3_100_000).contains(nice.virtualTime))
    #expect(nice.runTime == 1_000_000)
    nice.setNice(100, isIdlePolicy: false)
    nice.setNice(-100, isIdlePolicy: false)
    // A time beyond 64 bits of the product is no trap.
    nice.charge(.max)
  }

  @Test func virtualTimeMayWrap() {
    var early = ScheduleShare()
    var late = ScheduleShare()
    early.virtualTime = .max - 5
    late.virtualTime = 5
    #expect(early.precedes(late) && !late.precedes(early))
  }
}
