public import Kernel
public import LinuxABI
internal import Platform

/// The pages that a file system may use in all, over all its caches.
public final class PageQuota {
  public internal(set) var used = 0
  public var limit: Int

  public init(limit: Int) { self.limit = limit }

  @inline(__always)
  func take() throws(Errno) {
    if used >= limit { throw .ENOSPC }
    used &+= 1
  }
}

/// The bytes of a file in page frames. read, write and mmap all use it, so they agree at every moment.
///
/// The first eight pages stand in the object; others in a radix tree of frames with 1024 entries each, which grows with
/// the highest page in use, so that a sparse file costs nothing and growth is constant work per page.
///
/// A cache can have a base: bytes that lie in physical memory already, a file of the initrd. Nothing is copied until
/// somebody writes to a page, or maps one that is not a frame by itself.
///
/// Or it has a store, where the file really is: pages come from there when they are wanted, and go there when they were
/// changed. See `PageStore`. Only then can anything here block.
public final class PageCache {
  public let frames: FrameAllocator
  let stored: StoredPages?
  private let quota: PageQuota?
  /// Bytes of the file. Memory that is no file's has `Int64.max`.
  public internal(set) var size: Int64
  /// Pages that are no holes, and of a cache with a store those that are in memory.
  public internal(set) var pageCount = 0

  /// Entries are frame numbers that the cache holds a reference to, 0 for a hole or what the base or the store has, or
  /// `hole`. With the highest bit set, a frame is being filled by the store.
  private var direct = InlineArray<8, UInt32>(repeating: 0)
  private var root: UInt32 = 0
  private var height: UInt64 = 0
  /// The leaf of the tree that was used last.
  private var leafNumber = UInt64.max
  private var leaf: UInt = 0
  /// A hole where the base has bytes.
  static var hole: UInt32 { .max }
  static var filling: UInt32 { 1 << 31 }
  /// Whether the entry is a frame with content.
  @inline(__always)
  static func isFrame(_ entry: UInt32) -> Bool { Int32(bitPattern: entry) > 0 }
  private static var leafShift: UInt64 { 10 }
  /// Frames that are asked for at a time when they run out.
  private static var reclaimBatch: Int { 64 }

  private let base: UInt
  private var baseLength: Int64
  /// No entry stands in the way of the base.
  private var isBaseWhole = true

  private(set) var observers = MappingObservers()

  /// Makes an empty cache that holds no more pages than `quota` leaves.
  public init(frames: FrameAllocator, quota: PageQuota?) {
    self.frames = frames
    self.quota = quota
    size = 0
    base = 0
    baseLength = 0
    stored = nil
  }

  /// Makes the cache of a file of `size` bytes that is in a store.
  public init(frames: FrameAllocator, store: any PageStore, size: Int64) {
    self.frames = frames
    quota = nil
    self.size = size
    base = 0
    baseLength = 0
    stored = StoredPages(store, size: size)
  }

  /// Makes memory without a file behind it, and so without an end: what shared anonymous mappings map.
  public init(frames: FrameAllocator) {
    self.frames = frames
    quota = nil
    size = .max
    base = 0
    baseLength = 0
    stored = nil
  }

  /// Makes a cache whose content is `length` bytes of physical memory, which stay there as long as the machine runs and
  /// belong to no allocator.
  public init(frames: FrameAllocator, quota: PageQuota?, base: UInt, length: Int) {
    self.frames = frames
    self.quota = quota
    size = Int64(length)
    self.base = base
    baseLength = Int64(length)
    stored = nil
    pageCount = Int(Self.pages(size))
  }

  deinit { removeEntries(from: 0) }

  /// Pages that `size` bytes need.
  @inline(__always)
  static func pages(_ size: Int64) -> UInt64 { (UInt64(bitPattern: size) &+ 4095) >> 12 }
  @inline(__always)
  private var basePages: UInt64 { Self.pages(baseLength) }

  // MARK: Pages

  /// Whether the whole page lies behind the end of the file.
  @inline(__always)
  public func isBeyondEnd(_ index: UInt64) -> Bool { index >= Self.pages(size) }

  /// The frame of a page. The cache holds it: the caller retains what it maps.
  ///
  /// For writing, a page that is a hole or the initrd's becomes the file's own. For reading, nil stands for zeroes.
  ///
  /// - Returns: nil for a hole, and for writing when the page lies behind the end of the file.
  /// - Throws: `ENOMEM`, `ENOSPC`, and what the store says. Blocks if `isMissing(index)`.
  public func frame(at index: UInt64, forWriting: Bool) throws(Errno) -> PageFrame? {
    while isMissing(index) { try fill(index, wanted: 1) }
    if isBeyondEnd(index) { return nil }
    let entry = entry(index)
    if Self.isFrame(entry) {
      if forWriting { noteWrite(index, PageFrame(number: entry)) }
      return PageFrame(number: entry)
    }
    if forWriting || stored != nil {
      // What a store does not have yet is mapped as a page too: zeroes would not notice when they are replaced.
      let own = try makeOwn(index)
      if forWriting { noteWrite(index, own) }
      return own
    }
    if entry == Self.hole || index >= basePages { return nil }
    if let frame = baseFrame(index) { return frame }
    return try copyBasePage(index)
  }

  /// The frame of a page if there is one without any work, as `frame(at:forWriting:)` for reading would return it.
  public func cachedFrame(at index: UInt64) -> PageFrame? {
    let entry = entry(index)
    if entry == 0 { return index < basePages ? baseFrame(index) : nil }
    return Self.isFrame(entry) ? PageFrame(number: entry) : nil
  }

  /// Whether the page has content in memory. See mincore(2).
  public func isCached(_ index: UInt64) -> Bool {
    let entry = entry(index)
    return entry == 0 ? index < basePages : Self.isFrame(entry)
  }

  /// The base's own frame of a page, where it can be mapped: aligned, and zero behind the end of the content.
  private func baseFrame(_ index: UInt64) -> PageFrame? {
    guard base & UInt(pageSize - 1) == 0 else { return nil }
    let start = Int64(index) << 12
    let address = base &+ UInt(index) << pageShift
    if baseLength - start < Int64(pageSize) {
      var at = UInt(baseLength - start)
      while at < UInt(pageSize), at & 7 != 0 {
        if PhysicalMemory.load(UInt8.self, at: address + at) != 0 { return nil }
        at += 1
      }
      while at < UInt(pageSize) {
        if PhysicalMemory.load(UInt64.self, at: address + at) != 0 { return nil }
        at += 8
      }
    }
    return PageFrame(physical: address)
  }

  /// Copies a page of the base into a frame, with zeroes behind the end of the content.
  private func fill(_ frame: PageFrame, fromBase index: UInt64) {
    let start = Int64(index) << 12
    let count = Int(min(Int64(pageSize), baseLength - start))
    PhysicalMemory.copy(to: frame.physical, from: base &+ UInt(index) << pageShift, count: count)
    if count < pageSize { PhysicalMemory.zero(frame.physical &+ UInt(count), count: pageSize - count) }
  }

  private func copyBasePage(_ index: UInt64) throws(Errno) -> PageFrame {
    let frame = try frames.allocate(.user)
    fill(frame, fromBase: index)
    do throws(Errno) { try setEntry(index, frame.number) } catch {
      frames.release(frame)
      throw error
    }
    isBaseWhole = false
    // The page was there before, so the limit does not refuse it.
    quota?.used += 1
    return frame
  }

  /// Gives a page that is a hole or the base's a frame of its own.
  private func makeOwn(_ index: UInt64) throws(Errno) -> PageFrame {
    if entry(index) == 0, index < basePages {
      let frame = try copyBasePage(index)
      notifyReplaced(index)
      return frame
    }
    try quota?.take()
    do throws(Errno) {
      let frame = try frames.allocate(.user, zeroed: true)
      try insert(index, frame)
      return frame
    } catch {
      quota?.used -= 1
      throw error
    }
  }

  /// Puts a frame, whose reference passes to the cache, in the place of a hole or of the base's page; releases it when
  /// that fails.
  private func insert(_ index: UInt64, _ frame: PageFrame) throws(Errno) {
    let isCovered = index < basePages && entry(index) == 0
    do throws(Errno) { try setEntry(index, frame.number) } catch {
      frames.release(frame)
      throw error
    }
    if index < basePages { isBaseWhole = false }
    if !isCovered { pageCount &+= 1 }
    if !observers.isEmpty { notifyReplaced(index) }
  }

  // MARK: The table

  @inline(__always)
  func entry(_ index: UInt64) -> UInt32 {
    if index < 8 { return direct[Int(truncatingIfNeeded: index)] }
    if index >> Self.leafShift == leafNumber {
      return PhysicalMemory.load(at: leaf &+ UInt(index & 1023) &* 4)
    }
    return treeEntry(index)
  }

  private func treeEntry(_ index: UInt64) -> UInt32 {
    guard height > 0, index >> (Self.leafShift &* height) == 0 else { return 0 }
    var table = root
    var level = height &- 1
    while level > 0 {
      let slot = UInt(index >> (Self.leafShift &* level) & 1023)
      table = PhysicalMemory.load(at: PageFrame(number: table).physical &+ slot &* 4)
      if table == 0 { return 0 }
      level &-= 1
    }
    leafNumber = index >> Self.leafShift
    leaf = PageFrame(number: table).physical
    return PhysicalMemory.load(at: leaf &+ UInt(index & 1023) &* 4)
  }

  func setEntry(_ index: UInt64, _ value: UInt32) throws(Errno) {
    if index < 8 {
      direct[Int(truncatingIfNeeded: index)] = value
      return
    }
    if index >> Self.leafShift != leafNumber { try makeLeaf(index) }
    PhysicalMemory.store(value, at: leaf &+ UInt(index & 1023) &* 4)
  }

  /// Makes the tree reach to a page, and its leaf the one used last.
  private func makeLeaf(_ index: UInt64) throws(Errno) {
    if height == 0 {
      root = try frames.allocate(.user, zeroed: true).number
      height = 1
    }
    while index >> (Self.leafShift &* height) != 0 {
      let top = try frames.allocate(.user, zeroed: true)
      PhysicalMemory.store(root, at: top.physical)
      root = top.number
      height += 1
    }
    var table = root
    var level = height &- 1
    while level > 0 {
      let location = PageFrame(number: table).physical &+ UInt(index >> (Self.leafShift &* level) & 1023) &* 4
      var child = PhysicalMemory.load(UInt32.self, at: location)
      if child == 0 {
        child = try frames.allocate(.user, zeroed: true).number
        PhysicalMemory.store(child, at: location)
      }
      table = child
      level &-= 1
    }
    leafNumber = index >> Self.leafShift
    leaf = PageFrame(number: table).physical
  }

  /// The first page from `index` on that has an entry, or nil.
  func nextEntry(from index: UInt64) -> UInt64? {
    var at = index
    while at < 8 {
      if direct[Int(at)] != 0 { return at }
      at += 1
    }
    guard height > 0 else { return nil }
    while at >> (Self.leafShift * height) == 0 {
      // Down to the leaf, or to the first table that is missing, whose whole span is skipped.
      var table = root
      var level = height - 1
      var isMissing = false
      while level > 0 {
        let slot = UInt(at >> (Self.leafShift * level) & 1023)
        table = PhysicalMemory.load(at: PageFrame(number: table).physical + slot * 4)
        if table == 0 {
          at = (at >> (Self.leafShift * level) + 1) << (Self.leafShift * level)
          isMissing = true
          break
        }
        level -= 1
      }
      if isMissing { continue }
      let physical = PageFrame(number: table).physical
      repeat {
        if PhysicalMemory.load(UInt32.self, at: physical + UInt(at & 1023) * 4) != 0 { return at }
        at += 1
      } while at & 1023 != 0
    }
    return nil
  }

  /// Clears the entries from page `first` on and frees what they and the tree hold.
  private func removeEntries(from first: UInt64) {
    let oldBasePages = basePages
    var removedInBase = 0
    if first < oldBasePages { baseLength = Int64(first) << 12 }
    for index in first..<max(first, 8) {
      let value = direct[Int(index)]
      direct[Int(index)] = 0
      if value != 0, index < oldBasePages { removedInBase += 1 }
      discard(value)
    }
    if height > 0 {
      leafNumber = .max
      // The tree's first eight entries are never used.
      let treeFirst = first <= 8 ? 0 : first
      removeTree(PageFrame(number: root), level: height - 1, start: 0, from: treeFirst, oldBasePages, &removedInBase)
      if treeFirst == 0 {
        frames.release(PageFrame(number: root))
        root = 0
        height = 0
      }
    }
    if first < oldBasePages { pageCount -= Int(oldBasePages - first) - removedInBase }
  }

  func discard(_ value: UInt32) {
    guard value != 0, value != Self.hole else { return }
    let frame = PageFrame(number: value & ~Self.filling)
    if let stored, frames.marks(frame).contains(.dirty) {
      frames.setMarks(frame, [])
      stored.dirtyCount -= 1
      stored.store.dirtyPages.discard()
    }
    frames.release(frame)
    quota?.used -= 1
    pageCount -= 1
  }

  /// The part of `removeEntries` in one table, whose first page is `start`. At most six levels deep.
  private func removeTree(
    _ table: PageFrame, level: UInt64, start: UInt64, from first: UInt64, _ oldBasePages: UInt64,
    _ removedInBase: inout Int
  ) {
    let span = UInt64(1) << (Self.leafShift * level)
    var slot: UInt64 = first > start ? (first - start) >> (Self.leafShift * level) : 0
    while slot < 1024 {
      let location = table.physical + UInt(slot) * 4
      let value = PhysicalMemory.load(UInt32.self, at: location)
      let childStart = start + slot * span
      slot += 1
      if value == 0 { continue }
      if level == 0 {
        if childStart < oldBasePages { removedInBase += 1 }
        discard(value)
        PhysicalMemory.store(UInt32(0), at: location)
      } else {
        let child = PageFrame(number: value)
        removeTree(child, level: level - 1, start: childStart, from: first, oldBasePages, &removedInBase)
        if first <= childStart {
          frames.release(child)
          PhysicalMemory.store(UInt32(0), at: location)
        }
      }
    }
  }

  // MARK: Reading and writing

  /// Copies content from `offset` on to where `writer` says, up to the end of the file.
  ///
  /// - Returns: Bytes copied; fewer than there are after a fault.
  /// - Throws: `EFAULT` when nothing could be copied, and what the store says before anything was.
  public func read(into writer: inout UserWriter, at offset: Int64) throws(Errno) -> Int {
    var position = offset
    while writer.remaining > 0, position < size {
      let index = UInt64(bitPattern: position) >> 12
      let inPage = UInt(bitPattern: Int(position)) & 4095
      let left = Int(min(Int64(writer.remaining), size &- position))
      var count = min(left, Int(4096 &- inPage))
      let entry = entry(index)
      let done: Int
      if Self.isFrame(entry) {
        let frame = PageFrame(number: entry)
        // The copy may sleep, and the file be cut meanwhile.
        frames.retain(frame)
        if stored != nil { noteRead(index, frame) }
        do throws(Errno) { done = try writer.write(physical: frame.physical &+ inPage, count: count) } catch {
          frames.release(frame)
          throw error
        }
        frames.release(frame)
      } else if entry == 0, position < baseLength {
        let available = Int(baseLength &- position)
        count = isBaseWhole ? min(left, available) : min(count, available)
        done = try writer.write(physical: base &+ UInt(bitPattern: Int(position)), count: count)
      } else if stored != nil, isMissing(index) {
        do throws(Errno) { try fill(index, wanted: (left + Int(inPage) + 4095) >> 12) } catch {
          if position == offset { throw error }
          break
        }
        continue
      } else {
        done = try writer.writeZeroes(count)
      }
      position &+= Int64(done)
      if done < count { break }
    }
    return Int(position &- offset)
  }

  /// Copies what `reader` has to the content from `offset` on, extending the file as needed. The caller has seen that
  /// `offset` plus what remains is no more than `Int64.max`.
  ///
  /// - Returns: Bytes copied: fewer than there are after a fault, or when space or memory ran out.
  /// - Throws: `EFAULT`, `ENOSPC`, `ENOMEM` when nothing could be copied.
  public func write(from reader: inout UserReader, at offset: Int64) throws(Errno) -> Int {
    var position = offset
    if stored != nil { try prepareWrite() }
    if offset > size {
      try waitUntilFilled(UInt64(bitPattern: size) >> 12)
      zeroTail(of: size)
    }
    while reader.remaining > 0 {
      // Nothing is held here that could go.
      if frames.freeFrames <= frames.reserve { _ = frames.reclaimer?(Self.reclaimBatch, true) }
      let index = UInt64(bitPattern: position) >> 12
      let inPage = UInt(bitPattern: Int(position)) & 4095
      let count = min(reader.remaining, Int(4096 &- inPage))
      let done: Int
      do throws(Errno) {
        let entry = entry(index)
        if Self.isFrame(entry) {
          done = try fill(PageFrame(number: entry), inPage, count, from: &reader)
        } else if stored != nil, entry != 0 || count < pageSize, isMissing(index) {
          // The rest of the page is the store's, or what comes from there must not fall on top of the write.
          try fill(index, wanted: 1)
          continue
        } else if count == pageSize {
          done = try writeNewPage(index, from: &reader)
        } else {
          done = try fill(try makeOwn(index), inPage, count, from: &reader)
        }
        if stored != nil { noteWrite(index) }
      } catch {
        if position == offset { throw error }
        break
      }
      position &+= Int64(done)
      if position > size { size = position }
      if done < count { break }
    }
    return Int(position &- offset)
  }

  @inline(__always)
  private func fill(
    _ frame: PageFrame, _ inPage: UInt, _ count: Int, from reader: inout UserReader
  ) throws(Errno) -> Int {
    // The copy may sleep, and the file be cut meanwhile.
    frames.retain(frame)
    do throws(Errno) {
      let done = try reader.read(physical: frame.physical &+ inPage, count: count)
      frames.release(frame)
      return done
    } catch {
      frames.release(frame)
      throw error
    }
  }

  /// Writes a whole page where there is none: the frame is filled before it is entered, so it need not be zeroed.
  private func writeNewPage(_ index: UInt64, from reader: inout UserReader) throws(Errno) -> Int {
    try quota?.take()
    var hasFrame = false
    var frame = PageFrame(number: 0)
    do throws(Errno) {
      frame = try frames.allocate(.user)
      hasFrame = true
      let done = try reader.read(physical: frame.physical, count: pageSize)
      if done == 0 {
        frames.release(frame)
        quota?.used -= 1
        return 0
      }
      if done < pageSize {
        // A fault in the middle: the page keeps what it had behind that.
        if entry(index) == 0, index < basePages {
          let old = try frames.allocate(.user)
          fill(old, fromBase: index)
          PhysicalMemory.copy(
            to: frame.physical + UInt(done), from: old.physical + UInt(done), count: pageSize - done)
          frames.release(old)
        } else {
          PhysicalMemory.zero(frame.physical + UInt(done), count: pageSize - done)
        }
      }
      try waitUntilFilled(index)
      let present = entry(index)
      if Self.isFrame(present) {
        // Somebody else made the page while the copy slept.
        PhysicalMemory.copy(to: PageFrame(number: present).physical, from: frame.physical, count: done)
        frames.release(frame)
        quota?.used -= 1
        return done
      }
      hasFrame = false
      try insert(index, frame)
      return done
    } catch {
      if hasFrame { frames.release(frame) }
      quota?.used -= 1
      throw error
    }
  }

  // MARK: Size, holes

  /// Cuts or extends the content. What comes into sight by extension is zero.
  public func truncate(to newSize: Int64) {
    let old = size
    size = newSize
    stored?.cut(to: newSize)
    if newSize < old {
      let first = Self.pages(newSize)
      let end = Self.pages(old)
      if first < end { notifyDropped(first..<end) }
      removeEntries(from: first)
      zeroTail(of: newSize)
    } else if newSize > old {
      zeroTail(of: old)
    }
  }

  /// Zeroes the rest of the page in which the content of `size` bytes ends.
  private func zeroTail(of size: Int64) {
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

  /// Makes `start..<end` read as zeroes and frees its pages.
  ///
  /// - Throws: `ENOMEM`, `ENOSPC`.
  public func punchHole(_ start: Int64, _ end: Int64) throws(Errno) {
    let end = min(end, size)
    if start >= end { return }
    let first = Self.pages(start)
    let last = UInt64(bitPattern: end) >> 12
    if first > last {
      try zero(start, end)
      return
    }
    try zero(start, Int64(first) << 12)
    if first < last {
      notifyDropped(first..<last)
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
  private func zero(_ start: Int64, _ end: Int64) throws(Errno) {
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

  // MARK: Observers

  /// Tells `observer` of changes from here on. Each call wants its own `removeObserver`.
  public func addObserver(_ observer: any MappingObserver) { observers.add(observer) }
  public func removeObserver(_ observer: any MappingObserver) { observers.remove(observer) }

  /// Whether anything is mapped.
  public var isMapped: Bool { !observers.isEmpty }

  private func notifyReplaced(_ index: UInt64) {
    observers.tell { $0.cache(self, replacedPages: index..<index + 1) }
  }
  private func notifyDropped(_ pages: Range<UInt64>) {
    observers.tell { $0.cache(self, droppedPages: pages) }
  }
}
