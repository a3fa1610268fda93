import Platform
import Testing

@testable import Drivers

/// The device's side of a split queue, which lies when told to.
private final class MockDevice {
  let queue: Virtqueue
  let memory: UInt
  private var seen: UInt16 = 0
  private(set) var used: UInt16 = 0

  init(size: Int, indirectLimit: Int = 0, usesEventIndex: Bool = false) {
    memory = FakeMachine.reserve(bytes: Virtqueue.byteCount(size: size, indirectLimit: indirectLimit))
    queue = Virtqueue(size: size, at: memory, indirectLimit: indirectLimit, usesEventIndex: usesEventIndex)
  }

  struct Request: Equatable {
    var head: UInt16
    var segments: [VirtqueueSegment]
  }

  private func descriptor(_ table: UInt, _ index: UInt16) -> (segment: VirtqueueSegment, flags: UInt16, next: UInt16) {
    let at = table + UInt(index) * 16
    let flags = PhysicalMemory.load(UInt16.self, at: at + 12)
    return (
      VirtqueueSegment(
        physical: UInt(PhysicalMemory.load(UInt64.self, at: at)), count: PhysicalMemory.load(at: at + 8),
        isDeviceWritable: flags & 2 != 0), flags, PhysicalMemory.load(at: at + 14)
    )
  }

  /// Takes every request that the driver has shown.
  func take() -> [Request] {
    var requests: [Request] = []
    let shown = PhysicalMemory.load(UInt16.self, at: queue.availableRing + 2)
    while seen != shown {
      let head = PhysicalMemory.load(
        UInt16.self, at: queue.availableRing + 4 + UInt(seen % UInt16(queue.size)) * 2)
      seen &+= 1
      var segments: [VirtqueueSegment] = []
      var table = queue.descriptorTable
      var index = head
      while true {
        let (segment, flags, next) = descriptor(table, index)
        if flags & 4 != 0 {
          #expect(flags & 3 == 0)
          table = segment.physical
          index = 0
          continue
        }
        segments.append(segment)
        if flags & 1 == 0 { break }
        index = next
      }
      requests.append(Request(head: head, segments: segments))
    }
    return requests
  }

  func finish(_ identifier: UInt32, written: UInt32, indexStep: UInt16 = 1) {
    let element = queue.usedRing + 4 + UInt(used % UInt16(queue.size)) * 8
    PhysicalMemory.store(identifier, at: element)
    PhysicalMemory.store(written, at: element + 4)
    used &+= indexStep
    PhysicalMemory.store(used, at: queue.usedRing + 2)
  }
}

private func reading(_ physical: UInt, _ count: UInt32) -> VirtqueueSegment {
  VirtqueueSegment(physical: physical, count: count, isDeviceWritable: false)
}
private func writing(_ physical: UInt, _ count: UInt32) -> VirtqueueSegment {
  VirtqueueSegment(physical: physical, count: count, isDeviceWritable: true)
}

@Suite struct VirtqueueTests {
  @Test func carriesChainsAcrossManyWraps() throws {
    let device = MockDevice(size: 8)
    for round in 0..<20_000 {
      let segments = [reading(UInt(round), 16), reading(7, 5), writing(9, 100)]
      try device.queue.add(segments.span, token: UInt(round))
      _ = device.queue.publish()
      let requests = device.take()
      #expect(requests.map(\.segments) == [segments])
      device.finish(UInt32(requests[0].head), written: 42)
      #expect(try device.queue.next() == Virtqueue.Completion(token: UInt(round), written: 42))
      #expect(try device.queue.next() == nil)
    }
    #expect(device.queue.freeCount == 8 && device.queue.inFlight == 0)
  }

  @Test func takesCompletionsInAnyOrder() throws {
    var random = SystemRandomNumberGenerator()
    let device = MockDevice(size: 16, indirectLimit: 4)
    var waiting: [MockDevice.Request] = []
    var tokens: Set<UInt> = []
    var next: UInt = 0
    for _ in 0..<20_000 {
      if Bool.random(using: &random) {
        let count = Int.random(in: 1...6, using: &random)
        let segments = (0..<count).map { _ in writing(next, 8) }
        do throws(VirtqueueFault) {
          try device.queue.add(segments.span, token: next)
          tokens.insert(next)
          next += 1
        } catch {
          #expect(error == .full)
          let needed = count > 1 && count <= 4 ? 1 : count
          #expect(device.queue.freeCount < needed)
        }
        _ = device.queue.publish()
        waiting += device.take()
      } else if !waiting.isEmpty {
        let request = waiting.remove(at: Int.random(in: 0..<waiting.count, using: &random))
        device.finish(UInt32(request.head), written: UInt32(8 * request.segments.count))
        let completion = try #require(try device.queue.next())
        #expect(completion.token == request.segments[0].physical)
        #expect(tokens.remove(completion.token) != nil)
      }
      #expect(device.queue.inFlight == tokens.count)
    }
  }

  @Test func refusesBadChains() {
    let device = MockDevice(size: 4)
    func fault(_ segments: [VirtqueueSegment]) -> VirtqueueFault? {
      do throws(VirtqueueFault) { try device.queue.add(segments.span, token: 0) } catch { return error }
      return nil
    }
    #expect(fault([]) == .badChain)
    #expect(fault([writing(0, 1), reading(0, 1)]) == .badChain)
    #expect(fault(Array(repeating: reading(0, 1), count: 5)) == .badChain)
    #expect(fault(Array(repeating: reading(0, 1), count: 3)) == nil)
    #expect(fault(Array(repeating: reading(0, 1), count: 2)) == .full)
    #expect(fault([reading(0, 1)]) == nil)
    #expect(fault([reading(0, 1)]) == .full)
  }

  @Test(arguments: [false, true]) func survivesLies(indirect: Bool) throws {
    func lie(_ expected: VirtqueueFault, _ tell: (MockDevice, MockDevice.Request) -> Void) throws {
      let device = MockDevice(size: 8, indirectLimit: indirect ? 4 : 0)
      try device.queue.add([reading(0, 4), writing(0, 64)].span, token: 1)
      _ = device.queue.publish()
      let request = try #require(device.take().first)
      tell(device, request)
      for _ in 0..<2 {
        do throws(VirtqueueFault) {
          while try device.queue.next() != nil {}
          Issue.record("the lie was believed")
        } catch {
          #expect(error == expected)
        }
      }
      #expect(device.queue.fault == expected)
      do throws(VirtqueueFault) {
        try device.queue.add([reading(0, 1)].span, token: 2)
        Issue.record("a broken queue took a request")
      } catch {
        #expect(error == expected)
      }
    }
    try lie(.badIdentifier) { device, _ in device.finish(8, written: 0) }
    try lie(.badIdentifier) { device, _ in device.finish(.max, written: 0) }
    try lie(.badIdentifier) { device, request in device.finish(UInt32(request.head ^ 5), written: 0) }
    try lie(.badLength) { device, request in device.finish(UInt32(request.head), written: 65) }
    try lie(.badLength) { device, request in device.finish(UInt32(request.head), written: .max) }
    try lie(.badIndex) { device, request in device.finish(UInt32(request.head), written: 0, indexStep: 2) }
    try lie(.badIndex) { device, request in device.finish(UInt32(request.head), written: 0, indexStep: 0xffff) }
    // The same request twice.
    try lie(.badIndex) { device, request in
      device.finish(UInt32(request.head), written: 0)
      device.finish(UInt32(request.head), written: 0)
    }
  }

  @Test func doesNotBelieveDescriptorsThatTheDeviceChanged() throws {
    let device = MockDevice(size: 4)
    try device.queue.add([reading(0, 4), writing(0, 8)].span, token: 1)
    _ = device.queue.publish()
    let request = device.take()[0]
    // Links that run in circles, and lengths beyond measure.
    for i in 0..<4 as Range<UInt> {
      PhysicalMemory.store(UInt32.max, at: device.queue.descriptorTable + i * 16 + 8)
      PhysicalMemory.store(UInt32(0xffff_0003), at: device.queue.descriptorTable + i * 16 + 12)
    }
    device.finish(UInt32(request.head), written: 8)
    #expect(try device.queue.next() == Virtqueue.Completion(token: 1, written: 8))
    #expect(device.queue.freeCount == 4)
    for token in 0..<4 as Range<UInt> { try device.queue.add([reading(token, 1)].span, token: token) }
    _ = device.queue.publish()
    #expect(device.take().map { $0.segments[0].physical } == [0, 1, 2, 3])
  }

  @Test func notifiesAsTheFlagSays() throws {
    let device = MockDevice(size: 4)
    #expect(!device.queue.publish())
    try device.queue.add([reading(0, 1)].span, token: 0)
    #expect(device.queue.publish())
    PhysicalMemory.store(UInt16(1), at: device.queue.usedRing)
    try device.queue.add([reading(0, 1)].span, token: 0)
    #expect(!device.queue.publish())
    device.queue.disableInterrupts()
    #expect(PhysicalMemory.load(UInt16.self, at: device.queue.availableRing) == 1)
    #expect(!device.queue.enableInterrupts())
    #expect(PhysicalMemory.load(UInt16.self, at: device.queue.availableRing) == 0)
    device.finish(0, written: 0)
    #expect(device.queue.enableInterrupts())
  }

  @Test func notifiesAsTheEventIndexSays() throws {
    let device = MockDevice(size: 4, usesEventIndex: true)
    let availableEvent = device.queue.usedRing + 4 + 4 * 8
    let usedEvent = device.queue.availableRing + 4 + 4 * 2
    // The device wants to hear of request number 2, which is the third.
    PhysicalMemory.store(UInt16(2), at: availableEvent)
    for expected in [false, false, true, false] {
      try device.queue.add([reading(0, 1)].span, token: 0)
      #expect(device.queue.publish() == expected)
    }
    for request in device.take() { device.finish(UInt32(request.head), written: 0) }
    while try device.queue.next() != nil {}
    #expect(!device.queue.enableInterrupts())
    #expect(PhysicalMemory.load(UInt16.self, at: usedEvent) == 4)
    // Two at once, the first of which is wanted.
    PhysicalMemory.store(UInt16(4), at: availableEvent)
    try device.queue.add([reading(0, 1)].span, token: 0)
    try device.queue.add([reading(0, 1)].span, token: 0)
    #expect(device.queue.publish())
  }
}
