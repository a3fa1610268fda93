import Platform
import Testing

@testable import Kernel

@Suite struct HeapTests {
  private let frames: FrameAllocator

  init() {
    let size = 8 << 20
    let start = FakeMachine.reserve(bytes: size + (1 << 22))
    let first = UInt32(start >> 12)
    let end = first + UInt32(size >> 12)
    frames = FrameAllocator(records: start + UInt(size) &- UInt(first) * 16, frameLimit: end)
    frames.add(first, end)
  }

  private func makeHeap() -> KernelHeap {
    var heap = KernelHeap()
    heap.attach(frames)
    return heap
  }

  @Test func objectsDoNotOverlapHoweverTheyComeAndGo() throws {
    var heap = makeHeap()
    var random = SystemRandomNumberGenerator()
    var objects: [(pointer: UnsafeMutableRawPointer, count: Int, fill: UInt8)] = []
    for step in 0..<20_000 {
      if objects.isEmpty || objects.count < 400 && Bool.random(using: &random) {
        let count = Int.random(in: 1...([16, 64, 300, 3000].randomElement()!), using: &random)
        let alignment = [8, 16, 16, 16, 64].randomElement()!
        let taken = heap.allocate(count, alignment: alignment)
        let pointer = try #require(taken)
        #expect(Int(bitPattern: pointer) % alignment == 0)
        let fill = UInt8(truncatingIfNeeded: step)
        pointer.initializeMemory(as: UInt8.self, repeating: fill, count: count)
        objects.append((pointer, count, fill))
      } else {
        let object = objects.remove(at: Int.random(in: objects.indices, using: &random))
        let bytes = UnsafeRawBufferPointer(start: object.pointer, count: object.count)
        #expect(bytes.allSatisfy { $0 == object.fill })
        heap.free(object.pointer)
      }
    }
  }

  @Test func anObjectGivenBackIsTheNextOneTaken() throws {
    var heap = makeHeap()
    let taken = heap.allocate(40)
    let first = try #require(taken)
    _ = heap.allocate(40)
    heap.free(first)
    let second = heap.allocate(48)
    #expect(second == first)
    let third = heap.allocate(40)
    #expect(third != first)
  }

  @Test func framesComeBackWhenManyObjectsGo() throws {
    var heap = makeHeap()
    let before = frames.freeFrames
    let objects = (0..<10_000).compactMap { _ in heap.allocate(100) }
    #expect(objects.count == 10_000)
    let held = before - frames.freeFrames
    for object in objects { heap.free(object) }
    // A few objects stay ready for the next allocations, and with them their slabs.
    #expect(before - frames.freeFrames < held / 4)
  }
}
