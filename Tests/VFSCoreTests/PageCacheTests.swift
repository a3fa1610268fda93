import FileSystemTesting
import Kernel
import LinuxABI
import Platform
import Testing

@testable import VFSCore

final class RecordingObserver: MappingObserver {
  var dropped: [Range<UInt64>] = []
  var replaced: [Range<UInt64>] = []

  func cache(_ cache: PageCache, droppedPages pages: Range<UInt64>, keepsCopies: Bool) {
    if keepsCopies { replaced.append(pages) } else { dropped.append(pages) }
  }
  func cache(_ cache: PageCache, cleanedPages pages: Range<UInt64>) {}
  func cache(_ cache: PageCache, reclaims frame: PageFrame, of page: UInt64) {}
}

extension PageCache {
  @discardableResult
  func write(_ bytes: [UInt8], at offset: Int64) throws(Errno) -> Int {
    let buffer = UserBuffer(bytes)
    var reader = UserReader(buffer.address, count: bytes.count)
    return try write(from: &reader, at: offset)
  }
  func read(_ count: Int, at offset: Int64) throws(Errno) -> [UInt8] {
    let buffer = UserBuffer(count: count)
    var writer = UserWriter(buffer.address, count: count)
    let done = try read(into: &writer, at: offset)
    return Array(buffer.bytes[..<done])
  }
}

func byte(of frame: PageFrame, _ offset: Int) -> UInt8 { PhysicalMemory.load(at: frame.physical + UInt(offset)) }

@Suite struct PageCacheContent {
  let machine = TestMachine()

  func makeCache(limit: Int = 1000) -> PageCache { PageCache(frames: machine.frames, quota: PageQuota(limit: limit)) }

  @Test func writesAndReadsAcrossPages() throws {
    let cache = makeCache()
    let bytes = (0..<20000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
    #expect(try cache.write(bytes, at: 100) == 20000)
    #expect(cache.size == 20100)
    #expect(cache.pageCount == 5)
    #expect(try cache.read(30000, at: 0) == [UInt8](repeating: 0, count: 100) + bytes)
    #expect(try cache.read(10, at: 20095) == Array(bytes[19995...]))
    #expect(try cache.read(10, at: 20100) == [])
    try cache.write([1, 2, 3], at: 4095)
    #expect(try cache.read(5, at: 4094) == [bytes[3994], 1, 2, 3, bytes[3998]])
  }

  /// A model of plain bytes decides what every operation must leave behind.
  @Test(arguments: [1, 2, 3, 4, 5, 6]) func randomOperations(seed: UInt64) throws {
    var random = seed
    func next(_ below: Int) -> Int {
      random = random &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int(random >> 33) % below
    }
    let base: [UInt8]? = seed > 2 ? (0..<30000).map { UInt8(truncatingIfNeeded: $0 &* 13 &+ 1) } : nil
    let free = machine.frames.freeFrames
    do {
      let quota = PageQuota(limit: 1000)
      let cache: PageCache
      if let base {
        let start = FakeMachine.reserve(bytes: 1 << 16) + (seed == 3 ? 0 : UInt(seed) * 4)
        for (index, value) in base.enumerated() { PhysicalMemory.store(value, at: start + UInt(index)) }
        // What follows in the initrd must never be seen.
        for index in base.count..<40000 { PhysicalMemory.store(UInt8(0xee), at: start + UInt(index)) }
        cache = PageCache(frames: machine.frames, quota: quota, base: start, length: base.count)
      } else {
        cache = PageCache(frames: machine.frames, quota: quota)
      }
      var model = base ?? []
      for _ in 0..<400 {
        switch next(7) {
        case 0, 1:
          let offset = next(60000)
          let count = next(10) == 0 ? 4096 * next(4) : next(9000)
          let start = next(2) == 0 ? offset & ~4095 : offset
          if count == 0 { continue }
          let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &+ offset) }
          #expect(try cache.write(bytes, at: Int64(start)) == count)
          while model.count < start + count { model.append(0) }
          model.replaceSubrange(start..<start + count, with: bytes)
        case 2:
          let size = next(70000)
          cache.truncate(to: Int64(size))
          if size < model.count { model.removeLast(model.count - size) }
          while model.count < size { model.append(0) }
        case 3:
          let start = next(60000)
          let end = start + next(20000)
          try cache.punchHole(Int64(start), Int64(end))
          for index in start..<max(start, min(end, model.count)) { model[index] = 0 }
        case 4:
          let index = UInt64(next(20))
          let frame = try cache.frame(at: index, forWriting: next(2) == 0)
          guard Int(index) * 4096 < model.count else {
            #expect(frame == nil)
            continue
          }
          for offset in stride(from: 0, to: 4096, by: 511) {
            let at = Int(index) * 4096 + offset
            let expected = at < model.count ? model[at] : 0
            #expect(frame.map { byte(of: $0, offset) } ?? 0 == expected)
          }
        case 5:
          let start = next(60000)
          let end = start + next(20000)
          try cache.allocate(Int64(start), Int64(end))
        default:
          let offset = next(70000)
          let count = next(30000) + 1
          #expect(try cache.read(count, at: Int64(offset)) == Array(model.dropFirst(offset).prefix(count)))
        }
        #expect(cache.size == Int64(model.count))
        // Pages that are not there read as zeroes, and the count is right.
        let cached = (0..<40).filter { cache.isCached(UInt64($0)) }
        #expect(cached.count == cache.pageCount)
      }
      #expect(try cache.read(80000, at: 0) == model)
      cache.truncate(to: 0)
      #expect(cache.pageCount == (0..<40).filter { cache.isCached(UInt64($0)) }.count)
    }
    #expect(machine.frames.freeFrames == free)
  }

  @Test func sparseFilesCostNothing() throws {
    let cache = makeCache()
    let free = machine.frames.freeFrames
    cache.truncate(to: .max)
    #expect(machine.frames.freeFrames == free)
    #expect(cache.nextData(from: 0) == nil)
    #expect(cache.nextHole(from: 12345) == 12345)
    let far: Int64 = 1 << 50
    try cache.write([1], at: far)
    try cache.write([2], at: 5_000_000)
    #expect(free - machine.frames.freeFrames < 20)
    #expect(cache.pageCount == 2)
    #expect(cache.nextData(from: 0) == 4_997_120)
    #expect(cache.nextData(from: 5_000_100) == 5_000_100)
    #expect(cache.nextData(from: 5_004_096) == far)
    #expect(cache.nextHole(from: far) == far + 4096)
    #expect(try cache.read(3, at: far - 1) == [0, 1, 0])
    cache.truncate(to: far)
    #expect(cache.nextData(from: 5_004_096) == nil)
    #expect(try cache.read(1, at: 5_000_000) == [2])
    try cache.write([3], at: .max - 1)
    #expect(cache.size == .max)
    #expect(try cache.read(9, at: .max - 1) == [3])
    cache.truncate(to: 0)
    #expect(machine.frames.freeFrames == free)
  }

  @Test func limitsAreErrors() throws {
    let quota = PageQuota(limit: 3)
    let cache = PageCache(frames: machine.frames, quota: quota)
    #expect(try cache.write([UInt8](repeating: 1, count: 20000), at: 0) == 3 * 4096)
    #expect(throws: Errno.ENOSPC) { try cache.write([1], at: 3 * 4096) }
    #expect(throws: Errno.ENOSPC) { try cache.allocate(0, 1 << 40) }
    cache.truncate(to: 20000)
    #expect(throws: Errno.ENOSPC) { try cache.frame(at: 3, forWriting: true) }
    cache.truncate(to: 4096)
    #expect(quota.used == 1)
    #expect(try cache.write([1], at: 3 * 4096) == 1)
  }

  @Test func memoryThatRunsOutIsAnError() throws {
    let small = TestMachine(megabytes: 4)
    let cache = PageCache(frames: small.frames, quota: nil)
    let written = try cache.write([UInt8](repeating: 1, count: 8 << 20), at: 0)
    #expect(written < 4 << 20)
    #expect(throws: Errno.ENOMEM) { try cache.write([UInt8](repeating: 1, count: 4096), at: 8 << 20) }
    #expect(small.frames.freeFrames == small.frames.reserve)
    cache.truncate(to: 0)
    #expect(try cache.write([1], at: 0) == 1)
  }

  @Test func faultsEndACopyWhereTheyHappen() throws {
    let cache = makeCache()
    let buffer = UserBuffer([UInt8](repeating: 5, count: 3 * 4096))
    FakeMachine.addFault(buffer.address + 6000..<buffer.address + 6001)
    var reader = UserReader(buffer.address, count: 3 * 4096)
    #expect(try cache.write(from: &reader, at: 0) == 6000)
    #expect(cache.size == 6000)
    #expect(try cache.read(10000, at: 0) == [UInt8](repeating: 5, count: 6000))
    let frame = try #require(try cache.frame(at: 1, forWriting: false))
    #expect(byte(of: frame, 6000 - 4096) == 0)
    var writer = UserWriter(buffer.address + 4096, count: 4096)
    #expect(try cache.read(into: &writer, at: 0) == 6000 - 4096)
    var nothing = UserWriter(buffer.address + 6000, count: 10)
    #expect(throws: Errno.EFAULT) { try cache.read(into: &nothing, at: 0) }
    var nobody = UserReader(buffer.address + 6000, count: 10)
    #expect(throws: Errno.EFAULT) { try cache.write(from: &nobody, at: 8192) }
    #expect(cache.size == 6000)
  }
}

@Suite struct PageCacheMappings {
  let machine = TestMachine()

  @Test func alignedBaseIsMappedInPlace() throws {
    let start = FakeMachine.reserve(bytes: 1 << 16)
    for index in 0..<3 * 4096 {
      PhysicalMemory.store(UInt8(truncatingIfNeeded: index / 4096 + 1), at: start + UInt(index))
    }
    let cache = PageCache(frames: machine.frames, quota: nil, base: start, length: 2 * 4096 + 100)
    let observer = RecordingObserver()
    cache.addObserver(observer)
    let free = machine.frames.freeFrames
    #expect(try cache.frame(at: 0, forWriting: false) == PageFrame(physical: start))
    #expect(cache.cachedFrame(at: 1) == PageFrame(physical: start + 4096))
    #expect(machine.frames.freeFrames == free)
    // The last page has others' bytes behind the end.
    #expect(cache.cachedFrame(at: 2) == nil)
    let last = try #require(try cache.frame(at: 2, forWriting: false))
    #expect(last.physical != start + 8192)
    #expect(byte(of: last, 99) == 3 && byte(of: last, 100) == 0)
    #expect(observer.replaced == [])

    // A write gives the page a frame of its own, and mappings hear of it.
    try cache.write([9], at: 5000)
    #expect(observer.replaced == [1..<2])
    let own = try #require(cache.cachedFrame(at: 1))
    #expect(own.physical != start + 4096)
    #expect(byte(of: own, 5000 - 4096) == 9 && byte(of: own, 0) == 2)
    #expect(PhysicalMemory.load(UInt8.self, at: start + 5000) == 2)
    try cache.write([UInt8](repeating: 7, count: 4096), at: 0)
    #expect(observer.replaced == [1..<2, 0..<1])
    #expect(cache.pageCount == 3)
    #expect(observer.dropped == [])
    cache.removeObserver(observer)
    cache.truncate(to: 0)
    #expect(observer.dropped == [])
  }

  @Test func lastPageOfABaseIsMappedWhenItsRestIsZero() throws {
    let start = FakeMachine.reserve(bytes: 1 << 16)
    PhysicalMemory.store(UInt8(1), at: start + 98)
    let cache = PageCache(frames: machine.frames, quota: nil, base: start, length: 99)
    #expect(cache.cachedFrame(at: 0) == PageFrame(physical: start))
    // Cut shorter, the rest is no longer zero: the page is copied at the next fault.
    let observer = RecordingObserver()
    cache.addObserver(observer)
    cache.truncate(to: 98)
    cache.truncate(to: 200)
    #expect(observer.replaced == [0..<1])
    #expect(cache.cachedFrame(at: 0) == nil)
    let frame = try #require(try cache.frame(at: 0, forWriting: false))
    #expect(byte(of: frame, 98) == 0)
    #expect(try cache.read(200, at: 0) == [UInt8](repeating: 0, count: 200))
  }

  @Test func truncationTellsObservers() throws {
    let cache = PageCache(frames: machine.frames, quota: nil)
    let observer = RecordingObserver()
    try cache.write([UInt8](repeating: 1, count: 20000), at: 0)
    cache.addObserver(observer)
    cache.addObserver(observer)
    cache.truncate(to: 5000)
    #expect(observer.dropped == [2..<5])
    cache.removeObserver(observer)
    try cache.punchHole(0, 4096)
    #expect(observer.dropped == [2..<5])
    #expect(observer.replaced == [0..<1])
    // A mapping of a hole sees what is written to it.
    try cache.write([1], at: 0)
    #expect(observer.replaced == [0..<1, 0..<1])
  }

  @Test func mappedFramesAreTheFilesFrames() throws {
    let cache = PageCache(frames: machine.frames, quota: nil)
    cache.truncate(to: 10000)
    #expect(try cache.frame(at: 1, forWriting: false) == nil)
    let frame = try #require(try cache.frame(at: 1, forWriting: true))
    PhysicalMemory.store(UInt8(42), at: frame.physical + 3)
    #expect(try cache.read(1, at: 4099) == [42])
    #expect(try cache.frame(at: 3, forWriting: true) == nil)
    #expect(cache.isBeyondEnd(3) && !cache.isBeyondEnd(2))
    let memory = PageCache(frames: machine.frames)
    #expect(!memory.isBeyondEnd(1 << 40))
    #expect(try memory.frame(at: 1 << 40, forWriting: true) != nil)
  }

  @Test func framesThatMappingsHoldOutliveTheFile() throws {
    var cache: PageCache? = PageCache(frames: machine.frames, quota: nil)
    try cache?.write([7], at: 0)
    let frame = try #require(try cache?.frame(at: 0, forWriting: false))
    machine.frames.retain(frame)
    let free = machine.frames.freeFrames
    cache = nil
    #expect(machine.frames.freeFrames == free)
    machine.frames.release(frame)
    #expect(machine.frames.freeFrames == free + 1)
  }
}
