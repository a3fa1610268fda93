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
  let quota: PageQuota?
  /// Bytes of the file. Memory that is no file's has `Int64.max`.
  public internal(set) var size: Int64
  /// Pages that are no holes, and of a cache with a store those that are in memory.
  public internal(set) var pageCount = 0

  /// Entries are frame numbers that the cache holds a reference to, 0 for a hole or what the base or the store has, or
  /// `hole`. With the highest bit set, a frame is being filled by the store.
  var direct = InlineArray<8, UInt32>(repeating: 0)
  var root: UInt32 = 0
  var height: UInt64 = 0
  /// The leaf of the tree that was used last.
  var leafNumber = UInt64.max
  var leaf: UInt = 0
  /// A hole where the base has bytes.
  static var hole: UInt32 { .max }
  static var filling: UInt32 { 1 << 31 }
  /// Whether the entry is a frame with content.
  @inline(__always)
  static func isFrame(_ entry: UInt32) -> Bool { Int32(bitPattern: entry) > 0 }
  static var leafShift: UInt64 { 10 }

  let base: UInt
  var baseLength: Int64
  /// No entry stands in the way of the base.
  var isBaseWhole = true

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
  var basePages: UInt64 { Self.pages(baseLength) }

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
  func makeOwn(_ index: UInt64) throws(Errno) -> PageFrame {
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
      _ = frames.hasRoom()
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
          // It has noted the write.
          position &+= Int64(done)
          if position > size { size = position }
          if done < count { break }
          continue
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

  /// Writes a whole page where there is none, and notes that: the frame is filled before it is entered, so it need not be
  /// zeroed.
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
      if entry(index) != 0 {
        try waitUntilFilled(index)
        let present = entry(index)
        if Self.isFrame(present) {
          // Somebody else made the page while the copy slept.
          PhysicalMemory.copy(to: PageFrame(number: present).physical, from: frame.physical, count: done)
          if stored != nil { noteWrite(index, PageFrame(number: present)) }
          frames.release(frame)
          quota?.used -= 1
          return done
        }
      }
      hasFrame = false
      try insert(index, frame)
      if stored != nil { noteWrite(index, frame) }
      return done
    } catch {
      if hasFrame { frames.release(frame) }
      quota?.used -= 1
      throw error
    }
  }

  // MARK: Observers

  /// Tells `observer` of changes from here on. Each call wants its own `removeObserver`.
  public func addObserver(_ observer: any MappingObserver) { observers.add(observer) }
  public func removeObserver(_ observer: any MappingObserver) { observers.remove(observer) }

  /// Whether anything is mapped.
  public var isMapped: Bool { !observers.isEmpty }

  func notifyReplaced(_ index: UInt64) { notifyDropped(index..<index + 1, keepsCopies: true) }
  func notifyDropped(_ pages: Range<UInt64>, keepsCopies: Bool) {
    observers.tell { $0.cache(self, droppedPages: pages, keepsCopies: keepsCopies) }
  }

  /// Whether this page's content is in `frame`.
  public func has(_ frame: PageFrame, at index: UInt64) -> Bool { entry(index) == frame.number }
}
