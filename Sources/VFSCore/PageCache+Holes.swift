internal import Kernel
public import LinuxABI
internal import Platform

// The size of a page cache's content, and the holes in it.
extension PageCache {
  /// Cuts or extends the content. What comes into sight by extension is zero.
  public func truncate(to newSize: Int64) {
    let old = size
    size = newSize
    stored?.cut(to: newSize)
    if newSize < old {
      let first = Self.pages(newSize)
      let end = Self.pages(old)
      if first < end { notifyDropped(first..<end, keepsCopies: false) }
      removeEntries(from: first)
      zeroTail(of: newSize)
    } else if newSize > old {
      zeroTail(of: old)
    }
  }

  /// Zeroes the rest of the page in which the content of `size` bytes ends.
  func zeroTail(of size: Int64) {
    let inPage = UInt(bitPattern: Int(size)) & 4095
    if inPage == 0 { return }
    let index = UInt64(bitPattern: size) >> 12
    let entry = entry(index)
    if Self.isFrame(entry) {
      PhysicalMemory.zero(PageFrame(number: entry).physical + inPage, count: pageSize - Int(inPage))
    } else if entry == 0, size < baseLength {
      baseLength = size
      notifyReplaced(index)
    }
  }

  /// Makes `start..<end` read as zeroes and frees its pages, also those that the file has beyond its end.
  ///
  /// - Throws: `ENOMEM`, `ENOSPC`.
  public func punchHole(_ start: Int64, _ end: Int64) throws(Errno) {
    let end = min(end, .max - 4095)
    if start >= end { return }
    let first = Self.pages(start)
    let last = UInt64(bitPattern: end) >> 12
    if first > last {
      try zero(start, end)
      return
    }
    try zero(start, Int64(first) << 12)
    if first < last {
      notifyDropped(first..<last, keepsCopies: true)
      var index = first
      while index < last {
        if index < basePages {
          let value = entry(index)
          if value == 0 { pageCount -= 1 }
          if value != Self.hole { try setEntry(index, Self.hole) }
          isBaseWhole = false
          discard(value)
          index += 1
        } else {
          guard let next = nextEntry(from: index), next < last else { break }
          let value = entry(next)
          try setEntry(next, 0)
          discard(value)
          index = next + 1
        }
      }
    }
    try zero(Int64(last) << 12, end)
  }

  /// Zeroes bytes within one page.
  fileprivate func zero(_ start: Int64, _ end: Int64) throws(Errno) {
    if start >= end { return }
    let index = UInt64(bitPattern: start) >> 12
    guard isCached(index) else { return }
    let value = entry(index)
    let frame = Self.isFrame(value) ? PageFrame(number: value) : try makeOwn(index)
    PhysicalMemory.zero(frame.physical + UInt(bitPattern: Int(start)) & 4095, count: Int(end - start))
  }

  /// Gives every page of `start..<end` a frame, beyond the end of the file too.
  ///
  /// - Throws: `ENOSPC`, `ENOMEM`; pages made until then stay.
  public func allocate(_ start: Int64, _ end: Int64) throws(Errno) {
    var index = UInt64(bitPattern: start) >> 12
    let last = Self.pages(end)
    // Not even an empty machine could hold it: say so before memory is spent on the attempt.
    if last - index > UInt64(frames.totalFrames) { throw .ENOSPC }
    if let quota, last - index > UInt64(max(quota.limit - quota.used, 0)) + UInt64(pageCount) { throw .ENOSPC }
    while index < last {
      if !isCached(index) { _ = try makeOwn(index) }
      index += 1
    }
  }

  /// The first byte from `offset` on that is in no hole, or nil.
  public func nextData(from offset: Int64) -> Int64? {
    // What the store has is not known to have holes.
    if stored != nil { return offset < size ? offset : nil }
    var index = UInt64(bitPattern: offset) >> 12
    while !isCached(index) {
      if index < basePages {
        index += 1
      } else {
        guard let next = nextEntry(from: index) else { return nil }
        index = next
      }
    }
    let found = max(offset, Int64(index) << 12)
    return found < size ? found : nil
  }

  /// The first byte from `offset` on that is in a hole; the end of the file counts as one.
  public func nextHole(from offset: Int64) -> Int64 {
    if stored != nil { return size }
    var index = UInt64(bitPattern: offset) >> 12
    let end = Self.pages(size)
    while index < end, isCached(index) { index += 1 }
    return index < end ? max(offset, Int64(index) << 12) : size
  }
}
