public import LinuxABI
internal import Platform

/// The physical frames: a buddy allocator over the boot memory map, with a 16-byte record per frame.
///
/// A record is only meaningful for the first frame of a free or allocated block, and for every frame of an allocation
/// of single frames; so memory that was never handed out costs nothing at boot, however much there is.
///
/// Reference: Knuth, The Art of Computer Programming, volume 1, 2.5 (buddy system).
public final class FrameAllocator {
  /// Blocks go up to 2^10 frames, 4 MiB.
  public static let highestOrder = 10

  /// Who asks: the program's memory must leave the kernel's reserve alone.
  public enum Purpose { case user, kernel }

  enum State: UInt8 { case reserved, free, allocated, slab }

  /// The record of a frame. `next` and `previous` link free blocks, or slabs with room; frame 0 means none. Of a page table
  /// they are the bounds of the entries in use.
  struct Record: BitwiseCopyable {
    var next: UInt32 = 0
    var previous: UInt32 = 0
    /// References to an allocated frame, or objects in use in a slab.
    var count: UInt32 = 0
    var state: State = .reserved
    /// The order of a block, or the size class of a slab.
    var order: UInt8 = 0
    /// A slab's first free object, counted from 1; the marks of an allocated frame.
    var free: UInt16 = 0
  }

  private let records: UInt
  private let frameLimit: UInt32
  private var heads = InlineArray<11, UInt32>(repeating: 0)
  private var nonEmpty: UInt32 = 0
  /// Single frames given back lately, linked through their records: most frames come and go one at a time.
  private var recent: UInt32 = 0
  private var recentCount = 0
  private static let recentLimit = 512

  /// Frames handed to the allocator at boot, and those free now.
  public private(set) var totalFrames = 0
  public private(set) var freeFrames = 0
  /// Frames that only the kernel may take.
  public private(set) var reserve = 0

  /// Gives frames back that hold nothing but copies of what is elsewhere, about as many as it is asked for, and returns
  /// how many. It does not sleep, and takes frames that the program has mapped only when it is told so: then the caller
  /// relies on no frame that it has not retained.
  public var reclaimer: ((_ count: Int, _ takesMapped: Bool) -> Int)?
  /// Ends a program, as nothing else gives frames back. It may sleep; true when the caller may try again.
  public var lastResort: (() -> Bool)?
  /// Whether the kernel has used up half of its reserve: a program has to end before the next call, as the kernel's own
  /// objects cannot be refused one by one.
  public var isExhausted: Bool { freeFrames < reserve / 2 }

  /// Makes an allocator without frames whose records lie at physical address `records`, for frames below `frameLimit`.
  public init(records: UInt, frameLimit: UInt32) {
    self.records = records
    self.frameLimit = frameLimit
  }

  /// Bytes of records for `frames` frames.
  public static func recordBytes(frames: UInt) -> UInt { frames * UInt(MemoryLayout<Record>.stride) }

  /// Hands over free memory, in frames `first..<end`.
  public func add(_ first: UInt32, _ end: UInt32) {
    var frame = first
    while frame < end {
      var order = min(Self.highestOrder, frame == 0 ? Self.highestOrder : frame.trailingZeroBitCount)
      while frame + (1 << UInt32(order)) > end { order -= 1 }
      // The buddy of this block may lie in memory that was never handed over: its record must say so.
      let buddy = frame ^ (1 << UInt32(order))
      if buddy > frame, buddy < frameLimit { setRecord(buddy, Record()) }
      freeBlock(frame, order)
      frame += 1 << UInt32(order)
    }
    totalFrames += Int(end - first)
    reserve = min(max(totalFrames / 64, 24), 2048)
  }

  @inline(__always)
  func record(_ frame: UInt32) -> Record {
    PhysicalMemory.load(Record.self, at: records &+ UInt(frame) &* 16)
  }
  @inline(__always)
  func setRecord(_ frame: UInt32, _ record: Record) {
    PhysicalMemory.store(record, at: records &+ UInt(frame) &* 16)
  }

  /// Takes one frame; its contents are undefined unless `zeroed`. It has one reference.
  ///
  /// - Throws: `ENOMEM`.
  public func allocate(_ purpose: Purpose, zeroed: Bool = false) throws(Errno) -> PageFrame {
    if freeFrames <= reserve { try takeFromReserve(1, purpose) }
    let number: UInt32
    if recent != 0 {
      number = recent
      recent = record(number).next
      recentCount -= 1
      freeFrames -= 1
    } else {
      number = try takeBlock(order: 0)
    }
    setRecord(number, Record(count: 1, state: .allocated))
    let frame = PageFrame(number: number)
    if zeroed { frame.zero() }
    return frame
  }

  /// Takes `1 << order` frames in a row, aligned to their size, as one block with one reference.
  ///
  /// - Throws: `ENOMEM`.
  public func allocateBlock(order: Int, _ purpose: Purpose = .kernel) throws(Errno) -> PageFrame {
    if order > Self.highestOrder { throw .ENOMEM }
    if freeFrames <= reserve + (1 << order) { try takeFromReserve(1 << order, purpose) }
    let number: UInt32
    if let taken = try? takeBlock(order: order) {
      number = taken
    } else {
      drainRecent()
      number = try takeBlock(order: order)
    }
    setRecord(number, Record(count: 1, state: .allocated, order: UInt8(order)))
    return PageFrame(number: number)
  }

  /// Takes the frames of a large page. The run has one reference; see `retainRun`.
  ///
  /// - Throws: `ENOMEM`.
  public func allocateRun(_ purpose: Purpose) throws(Errno) -> PageFrame {
    let block = try allocateBlock(order: 9, purpose)
    for number in block.number..<block.number + 512 { setRecord(number, Record(count: 1, state: .allocated)) }
    setRecord(block.number, Record(next: 1, count: 1, state: .allocated))
    return block
  }

  /// Whether the kernel may take `bytes` for objects of the program's choice and still have its reserve. Asks whoever
  /// keeps frames that can be had again: also for what the kernel has taken of the reserve meanwhile.
  public func hasRoom(forBytes bytes: Int = 0) -> Bool {
    let wanted = reserve + bytes / pageSize
    if freeFrames <= wanted { _ = reclaimer?(wanted - freeFrames + Self.reclaimBatch, true) }
    return freeFrames > wanted
  }

  /// Lets the kernel have some of the reserve. For the program, asks whoever keeps frames that can be had again.
  ///
  /// - Throws: `ENOMEM` when there are still not `count` for the program.
  @inline(never)
  private func takeFromReserve(_ count: Int, _ purpose: Purpose) throws(Errno) {
    if purpose == .kernel {
      if isExhausted { CPU.exitWork = true }
      return
    }
    // More than what is missing, so that the search is not made for each frame.
    let wanted = reserve + count
    _ = reclaimer?(wanted - freeFrames + Self.reclaimBatch, false)
    if freeFrames <= wanted { throw .ENOMEM }
  }
  private static var reclaimBatch: Int { 64 }
  /// The part of a frame that is in use, in a unit of the holder's choice: what page tables note of their entries. Empty
  /// until `noteUse`.
  @inline(__always)
  func usedPart(_ frame: PageFrame) -> Range<UInt> {
    let r = record(frame.number)
    return UInt(r.next)..<UInt(r.previous)
  }
  /// Makes `part` belong to what `usedPart` returns of an allocated frame.
  @inline(__always)
  func noteUse(_ frame: PageFrame, _ part: Range<UInt>) {
    var r = record(frame.number)
    let isFirst = r.previous == 0
    guard isFirst || UInt(r.next) > part.lowerBound || UInt(r.previous) < part.upperBound else { return }
    r.next = isFirst ? UInt32(part.lowerBound) : min(r.next, UInt32(part.lowerBound))
    r.previous = max(r.previous, UInt32(part.upperBound))
    setRecord(frame.number, r)
  }

  @inline(__always)
  public func retain(_ frame: PageFrame) {
    var r = record(frame.number)
    // Frames outside the allocator (the initrd, the zero page, device memory) are never given back.
    guard r.state == .allocated else { return }
    r.count &+= 1
    setRecord(frame.number, r)
  }

  /// Drops a reference; the last one gives the frame or block back.
  public func release(_ frame: PageFrame) {
    guard frame.number < frameLimit else { return }
    var r = record(frame.number)
    guard r.state == .allocated else { return }
    if r.count > 1 {
      r.count -= 1
      setRecord(frame.number, r)
    } else if r.order == 0, recentCount < Self.recentLimit {
      setRecord(frame.number, Record(next: recent, state: .reserved))
      recent = frame.number
      recentCount += 1
      freeFrames += 1
    } else {
      freeBlock(frame.number, Int(r.order))
    }
  }

  /// Whether somebody else holds this frame too. Frames that the allocator does not own count as shared.
  @inline(__always)
  public func isShared(_ frame: PageFrame) -> Bool {
    guard frame.number < frameLimit else { return true }
    let r = record(frame.number)
    return r.state != .allocated || r.count > 1
  }

  // MARK: Runs that are mapped as large pages

  // The record of a run's first frame counts in `next` those who hold the run as a whole; together they have one reference
  // to each of its frames. So fork(2) shares a large page in one step.

  /// Takes another reference to a run.
  public func retainRun(_ first: PageFrame) {
    var r = record(first.number)
    r.next &+= 1
    setRecord(first.number, r)
  }

  /// Whether somebody else holds a run, or a frame of it, too.
  @_optimize(speed)
  public func isRunShared(_ first: PageFrame) -> Bool {
    if record(first.number).next != 1 { return true }
    var at = records &+ UInt(first.number) &* 16 &+ 8
    let end = at &+ 16 * 512
    while at != end {
      if PhysicalMemory.load(UInt32.self, at: at) != 1 { return true }
      at &+= 16
    }
    return false
  }

  /// Drops a reference to a run. Frames that nobody holds then go back, as one block where they can.
  public func releaseRun(_ first: PageFrame) {
    if !isRunShared(first) {
      freeBlock(first.number, 9)
      return
    }
    var r = record(first.number)
    r.next &-= 1
    setRecord(first.number, r)
    if r.next == 0 {
      for number in first.number..<first.number + 512 { release(PageFrame(number: number)) }
    }
  }

  /// Makes a reference to a run one to each of its frames.
  public func splitRun(_ first: PageFrame) {
    var r = record(first.number)
    r.next &-= 1
    setRecord(first.number, r)
    if r.next > 0 {
      for number in first.number..<first.number + 512 { retain(PageFrame(number: number)) }
    }
  }

  /// What a page cache has noted of a frame that it holds: nothing at first.
  @inline(__always)
  public func marks(_ frame: PageFrame) -> FrameMarks { FrameMarks(rawValue: record(frame.number).free) }
  @inline(__always)
  public func setMarks(_ frame: PageFrame, _ marks: FrameMarks) {
    var r = record(frame.number)
    r.free = marks.rawValue
    setRecord(frame.number, r)
  }

  /// Whether the frame is one that was allocated here, not the image's, the initrd's or a device's.
  public func owns(_ frame: PageFrame) -> Bool {
    frame.number < frameLimit && record(frame.number).state == .allocated
  }

  /// Marks frames that belong to nobody (the image, the initrd) so that retain and release leave them alone.
  public func markReserved(_ first: UInt32, _ end: UInt32) {
    var frame = first
    while frame < min(end, frameLimit) {
      setRecord(frame, Record())
      frame += 1
    }
  }

  private func takeBlock(order: Int) throws(Errno) -> UInt32 {
    let candidates = nonEmpty & ~((UInt32(1) << UInt32(order)) - 1)
    guard candidates != 0 else {
      if order > 0 || recent == 0 { throw .ENOMEM }
      drainRecent()
      return try takeBlock(order: order)
    }
    var have = candidates.trailingZeroBitCount
    let block = heads[have]
    unlink(block, have)
    while have > order {
      have -= 1
      pushFree(block + (1 << UInt32(have)), have)
    }
    freeFrames -= 1 << order
    return block
  }

  private func drainRecent() {
    while recent != 0 {
      let frame = recent
      recent = record(frame).next
      freeFrames -= 1
      freeBlock(frame, 0)
    }
    recentCount = 0
  }

  private func freeBlock(_ start: UInt32, _ startOrder: Int) {
    var block = start
    var order = startOrder
    freeFrames += 1 << startOrder
    while order < Self.highestOrder {
      let buddy = block ^ (1 << UInt32(order))
      guard buddy < frameLimit else { break }
      let r = record(buddy)
      guard r.state == .free, r.order == UInt8(order) else { break }
      unlink(buddy, order)
      // The absorbed half is no head any more.
      setRecord(max(block, buddy), Record())
      block = min(block, buddy)
      order += 1
    }
    pushFree(block, order)
  }

  private func pushFree(_ block: UInt32, _ order: Int) {
    let head = heads[order]
    setRecord(block, Record(next: head, state: .free, order: UInt8(order)))
    if head != 0 {
      var r = record(head)
      r.previous = block
      setRecord(head, r)
    }
    heads[order] = block
    nonEmpty |= 1 << UInt32(order)
  }

  private func unlink(_ block: UInt32, _ order: Int) {
    let r = record(block)
    if r.next != 0 {
      var next = record(r.next)
      next.previous = r.previous
      setRecord(r.next, next)
    }
    if r.previous != 0 {
      var previous = record(r.previous)
      previous.next = r.next
      setRecord(r.previous, previous)
    } else {
      heads[order] = r.next
      if r.next == 0 { nonEmpty &= ~(1 << UInt32(order)) }
    }
  }
}
