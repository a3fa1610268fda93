internal import Kernel
internal import LinuxABI
internal import Platform
internal import Support
internal import VFSCore

extension AddressSpace {
  func attach(_ area: MemoryArea) {
    if case .pages(let cache, _, _) = area.backing { cache.addObserver(self) }
  }
  func detach(_ area: MemoryArea) {
    if case .pages(let cache, _, _) = area.backing { cache.removeObserver(self) }
  }

  /// Adds an area over a free range, joining it with its neighbours where they are alike.
  func insert(_ area: MemoryArea) {
    totalPages += area.length >> pageShift
    var area = area
    if let before = areas.last(atMost: area.start), areas[before].continues(into: area) {
      let previous = areas[before]
      previous.end = area.end
      area = previous
    } else {
      attach(area)
      areas.insert(area.start, area)
    }
    if let after = areas.first(above: area.start), area.continues(into: areas[after]) {
      let next = areas.remove(at: after)
      if lastFound === next { lastFound = nil }
      detach(next)
      area.end = next.end
    }
  }

  /// Cuts the area that spans `address` so that one starts there.
  func split(_ area: MemoryArea, at address: UInt) throws(Errno) {
    guard area.start < address, address < area.end else { return }
    if areas.count >= Self.maximumAreas { throw .ENOMEM }
    try splitLargePage(crossing: address)
    let upper = area.copy(address, area.end, from: address)
    area.end = address
    attach(upper)
    areas.insert(address, upper)
  }

  /// Splits so that areas begin and end at the bounds of `start..<end`.
  func isolate(_ start: UInt, _ end: UInt) throws(Errno) {
    if let area = area(at: start) { try split(area, at: start) }
    if end > start, let area = area(at: end - 1) { try split(area, at: end) }
  }

  /// Joins areas around and in `start..<end` that have become alike.
  func merge(_ start: UInt, _ end: UInt) {
    guard var position = areas.last(atMost: start > 0 ? start - 1 : 0) ?? areas.first else { return }
    while let next = areas.position(after: position) {
      let area = areas[position]
      if area.start > end { return }
      if area.continues(into: areas[next]) {
        let gone = areas.remove(at: next)
        if lastFound === gone { lastFound = nil }
        detach(gone)
        area.end = gone.end
        guard let same = areas.last(atMost: area.start) else { return }
        position = same
      } else {
        position = next
      }
    }
  }

  /// Takes away all areas in `start..<end`.
  func removeAreas(_ start: UInt, _ end: UInt) throws(Errno) {
    try isolate(start, end)
    try makeOwnTables(start, end)
    var removed = false
    while let area = firstArea(endingAbove: start), area.start < end {
      guard let position = areas.last(atMost: area.start) else { break }
      areas.remove(at: position)
      totalPages -= area.length >> pageShift
      detach(area)
      removed = true
    }
    lastFound = nil
    guard removed else { return }
    dropPages(start, end)
    // Tables that no area needs any more.
    let floor = areas.last(atMost: start).map { areas[$0].end } ?? 0
    let ceiling = areas.first(above: start).map { areas[$0].start } ?? AddressLayoutPlan.userEnd
    longestHoleSkipped = max(longestHoleSkipped, ceiling - floor)
    if ceiling - floor >= UInt(largePageSize) {
      table.releaseTables(
        max(floor, start & ~UInt(largePageSize - 1)),
        min(ceiling, (end + UInt(largePageSize - 1)) & ~UInt(largePageSize - 1)), frames)
    }
  }

  /// Makes sure that all pages of a range can be changed.
  ///
  /// - Throws: `ENOMEM`.
  func makeOwnTables(_ start: UInt, _ end: UInt) throws(Errno) {
    if mayShareTables { try table.makeOwnTables(start, end, frames) }
  }

  /// Unmaps the pages of a range and gives their frames back.
  func dropPages(_ start: UInt, _ end: UInt) {
    var flush = TLBFlush()
    var dropped = 0
    let frames = frames
    let zero = zeroFrame
    table.update(start, end, frames) { address, entry, level in
      if level == 0 {
        if entry.frame != zero {
          frames.release(entry.frame)
          dropped += 1
        }
      } else {
        frames.releaseRun(entry.frame)
        dropped += 512
      }
      flush.add(address)
      return .empty
    }
    residentPages -= dropped
    flush.finish()
  }

  func countResident(_ pages: Int) {
    residentPages += pages
    if residentPages > peakResidentPages { peakResidentPages = residentPages }
  }
  func countFault() { minorFaults += 1 }
  var zeroPage: PageFrame { zeroFrame }
}

/// Collects the addresses whose translations went away, and flushes them one by one or all at once.
struct TLBFlush {
  private var addresses = InlineArray<16, UInt>(repeating: 0)
  private var count = 0

  @inline(__always)
  mutating func add(_ address: UInt) {
    if count < 16 { addresses[count] = address }
    count &+= 1
  }
  func finish() {
    if count > 16 {
      CPU.invalidateAll()
    } else {
      for i in 0..<count { CPU.invalidate(addresses[i]) }
    }
  }
}
