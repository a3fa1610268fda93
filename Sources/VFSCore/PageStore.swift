public import Kernel
public import LinuxABI
internal import Platform

/// Where the pages of a cache really are, when that is not memory: files of a server, or of a disk.
public protocol PageStore: AnyObject {
  /// Starts to read the transfer's pages. `PageTransfer.finish` tells the end, from an interrupt or before this returns.
  func startRead(_ transfer: PageTransfer)
  /// Starts to write the transfer's bytes. Ends likewise.
  func startWrite(_ transfer: PageTransfer)
  /// Sleeps until the queue is woken, or may have been: the caller looks again.
  ///
  /// - Returns: False when the task is to die, and gives up what it waits for.
  func wait(on queue: WaitQueue) -> Bool
  /// Whether changes can be written; else they stay in memory.
  var acceptsWrites: Bool { get }
  /// Whether a transfer would start without waiting for another one's end.
  var startsAtOnce: Bool { get }
  /// Where the pages that are not in the store yet are counted.
  var dirtyPages: DirtyPages { get }
}

/// Pages of one file in a row that are on their way to or from a store.
public final class PageTransfer {
  public let cache: PageCache
  /// The first page's number.
  public let first: UInt64
  /// The frames, each with a reference of the transfer's.
  public let pages: [PageFrame]
  /// Bytes of the pages that count: the file may end in the last one.
  public let byteCount: Int
  /// Bytes that have been transferred: the store's to use.
  public var done = 0
  public fileprivate(set) var isFinished = false
  public fileprivate(set) var error: Errno?
  fileprivate let isWrite: Bool

  init(_ cache: PageCache, first: UInt64, _ pages: [PageFrame], byteCount: Int, isWrite: Bool) {
    self.cache = cache
    self.first = first
    self.pages = pages
    self.byteCount = byteCount
    self.isWrite = isWrite
  }

  /// Where in the file the next byte is.
  public var position: UInt64 { first << 12 &+ UInt64(done) }
  /// Whether the file, as far as it is known, has no more bytes.
  public var isAtEnd: Bool { Int64(bitPattern: position) >= cache.size }

  /// Ends the transfer: with `done` bytes, behind which the file had no more when it was read, or with an error.
  public func finish(_ error: Errno? = nil) {
    guard !isFinished else { return }
    isFinished = true
    self.error = error
    if isWrite { cache.endWrite(self) } else { cache.endFill(self) }
  }
}

/// What a page cache with a store keeps besides the pages.
final class StoredPages {
  let store: any PageStore
  /// Where those wait who want a page that is on its way.
  let waitQueue = WaitQueue()
  /// Bytes that the store has: what has no frame comes from there.
  var size: Int64
  var dirtyCount = 0
  /// The dirty pages lie in this range.
  var dirtyFirst = UInt64.max
  var dirtyEnd: UInt64 = 0
  /// When the first of the dirty pages was changed.
  var dirtySince: UInt64 = 0
  /// They are old: all of them are to be written.
  var isExpired = false
  /// Transfers to the store that have not ended.
  var writes: [PageTransfer] = []
  /// What the last transfer that failed has met; told once.
  var writeError: Errno?
  /// The page behind the last one that was read in order, and how many pages to read at once there.
  var nextIndex: UInt64 = 0
  var window = 0

  init(_ store: any PageStore, size: Int64) {
    self.store = store
    self.size = size
  }

  /// The file ends at `size`: the store has no more than that.
  func cut(to size: Int64) { if size < self.size { self.size = size } }
}

extension PageCache {
  /// Pages of one transfer at the most.
  private static var transferLimit: Int { 128 }
  /// Pages of a file that is read as a whole.
  private static var smallFile: Int { 64 }
  /// Transfers of one file to the store that are under way at a time.
  private static var writesLimit: Int { 4 }
  /// Dirty pages of one file from which on they are written in the background.
  private static var backgroundCount: Int { 256 }
  /// Transfers that are read ahead of a reader.
  private static var readAheadDepth: Int { 2 }

  /// Pages that wait to be written to the store.
  public var dirtyCount: Int { stored?.dirtyCount ?? 0 }

  /// Bytes that the store has of the file.
  public var storedSize: Int64 { stored?.size ?? 0 }

  /// Whether pages are on their way to the store.
  public var isBeingWritten: Bool { !(stored?.writes.isEmpty ?? true) }

  /// Whether the page is in the store, or on its way from there: `fill` brings it.
  @inline(__always)
  public func isMissing(_ index: UInt64) -> Bool {
    guard let stored else { return false }
    let entry = entry(index)
    if entry == 0 { return index < Self.pages(min(stored.size, size)) }
    return !Self.isFrame(entry)
  }

  // MARK: Reading

  /// Brings a page from the store, or waits for the one who is about to. Afterwards the caller looks again: the page may
  /// have gone since.
  ///
  /// - Parameters:
  ///   - wanted: Pages from this one on that the caller is going to use.
  ///   - around: Whether pages in front of it are likely to be wanted too: faults of mappings.
  /// - Throws: What the store says; `ENOMEM`.
  public func fill(_ index: UInt64, wanted: Int, around: Bool = false) throws(Errno) {
    guard let stored else { return }
    if entry(index) != 0 {
      try waitUntilFilled(index)
      return
    }
    var first = index
    var count = min(max(wanted, 1), Self.transferLimit)
    let isSequential = index == stored.nextIndex && !around
    if around {
      while first & 15 != 0, entry(first - 1) == 0 { first -= 1 }
      count = Int(index - first) + 16 - Int(index & 15)
    } else if isSequential {
      // A small file comes at once, at the price of one request.
      let all = Self.pages(min(stored.size, size))
      stored.window = min(max(stored.window * 2, 16), Self.transferLimit)
      if index == 0, all <= UInt64(Self.smallFile) { stored.window = Int(all) }
      count = max(count, stored.window)
    } else {
      stored.window = count
    }
    let transfer = try startFill(first, count)
    if !around { stored.nextIndex = first + UInt64(transfer.pages.count) }
    if isSequential { for _ in 0..<Self.readAheadDepth { readAhead() } }
    // Who is killed leaves the transfer to those who wait for it too.
    while !transfer.isFinished { if !stored.store.wait(on: stored.waitQueue) { throw .EINTR } }
    if let error = transfer.error { throw error }
  }

  /// Waits until the page is not being filled.
  ///
  /// - Throws: `EINTR` when the task was killed.
  func waitUntilFilled(_ index: UInt64) throws(Errno) {
    guard let stored else { return }
    while entry(index) & Self.filling != 0, entry(index) != Self.hole {
      if !stored.store.wait(on: stored.waitQueue) { throw .EINTR }
    }
  }

  /// Starts to read up to `count` pages that have no entry, from `first` on, which has none.
  private func startFill(_ first: UInt64, _ count: Int) throws(Errno) -> PageTransfer {
    guard let stored else { throw .EIO }
    // Nobody here relies on frames that others may lose.
    _ = frames.hasRoom(forBytes: count * pageSize)
    let end = min(first + UInt64(count), Self.pages(min(stored.size, size)))
    var pages: [PageFrame] = []
    pages.reserveCapacity(count)
    var index = first
    while index == first || index < end && entry(index) == 0 {
      do throws(Errno) {
        let frame = try frames.allocate(.user)
        do throws(Errno) { try setEntry(index, frame.number | Self.filling) } catch {
          frames.release(frame)
          throw error
        }
        frames.retain(frame)
        pages.append(frame)
      } catch {
        if pages.isEmpty { throw error }
        break
      }
      pageCount &+= 1
      index += 1
    }
    let transfer = PageTransfer(self, first: first, pages, byteCount: pages.count * pageSize, isWrite: false)
    stored.store.startRead(transfer)
    return transfer
  }

  /// Starts to read what comes after the pages that were read in order last, and notes where to go on.
  private func readAhead() {
    guard let stored else { return }
    let index = stored.nextIndex
    guard index < Self.pages(min(stored.size, size)), entry(index) == 0,
      frames.freeFrames > frames.reserve + frames.totalFrames / 16
    else { return }
    stored.window = min(stored.window * 2, Self.transferLimit)
    guard let transfer = try? startFill(index, stored.window) else { return }
    frames.setMarks(transfer.pages[0], .readahead)
    stored.nextIndex = index + UInt64(transfer.pages.count)
  }

  /// Notes that a page was read, and reads ahead where that is due.
  @inline(__always)
  func noteRead(_ index: UInt64, _ frame: PageFrame) {
    let marks = frames.marks(frame)
    if marks.contains(.referenced), !marks.contains(.readahead) { return }
    frames.setMarks(frame, marks.union(.referenced).subtracting(.readahead))
    if marks.contains(.readahead) { readAhead() }
  }

  /// Enters what a transfer has read.
  func endFill(_ transfer: PageTransfer) {
    guard let stored else { return }
    for i in 0..<transfer.pages.count {
      let frame = transfer.pages[i]
      let index = transfer.first + UInt64(i)
      // Unless the file was cut meanwhile.
      if entry(index) == frame.number | Self.filling {
        if transfer.error != nil {
          try? setEntry(index, 0)
          pageCount -= 1
          frames.release(frame)
        } else {
          let start = i * pageSize
          let ofFile = max(min(size - Int64(index) << 12, Int64(pageSize)), 0)
          let valid = min(max(transfer.done - start, 0), Int(ofFile))
          if valid < pageSize { PhysicalMemory.zero(frame.physical + UInt(valid), count: pageSize - valid) }
          try? setEntry(index, frame.number)
        }
      }
      frames.release(frame)
    }
    stored.waitQueue.wakeAll()
  }

  // MARK: Writing

  /// Notes that a page was changed.
  func noteWrite(_ index: UInt64, _ frame: PageFrame) {
    guard let stored else { return }
    let marks = frames.marks(frame)
    if marks.contains(.dirty) { return }
    frames.setMarks(frame, marks.union([.dirty, .referenced]))
    if stored.dirtyCount == 0 { stored.dirtySince = stored.store.dirtyPages.now }
    stored.dirtyCount += 1
    stored.store.dirtyPages.add()
    stored.dirtyFirst = min(stored.dirtyFirst, index)
    stored.dirtyEnd = max(stored.dirtyEnd, index + 1)
  }
  /// Notes that a page was changed, if it is there: the file may have been cut while the change slept.
  func noteWrite(_ index: UInt64) {
    let entry = entry(index)
    if Self.isFrame(entry) { noteWrite(index, PageFrame(number: entry)) }
  }

  /// Keeps the number of dirty pages low, before more are made: starts to write, and waits when there are too many.
  ///
  /// - Throws: `EINTR` when the task was killed.
  func prepareWrite() throws(Errno) {
    guard let stored else { return }
    let dirty = stored.store.dirtyPages
    if stored.dirtyCount >= Self.backgroundCount {
      startWriteBack()
    } else if dirty.count > dirty.backgroundLimit {
      dirty.startWriteBack()
    }
    while dirty.count > dirty.limit {
      dirty.startWriteBack()
      // They may be such as cannot be written.
      if dirty.writesInFlight == 0 { return }
      if !stored.store.wait(on: dirty.waitQueue) { throw .EINTR }
    }
  }

  /// Holds up who changes pages by a mapping, as `prepareWrite` does with write(2). It may sleep: the caller relies on no
  /// page of the cache afterwards.
  @inline(__always)
  public func balanceDirtyPages() { if stored != nil { try? prepareWrite() } }

  /// Writes every page to the store that is dirty now, and waits for the end.
  ///
  /// - Throws: What the store said, now or since the last call; `EINTR` when the task was killed.
  public func writeBack() throws(Errno) {
    guard let stored else { return }
    // Somebody who goes on writing must not hold this up for ever.
    let end = stored.dirtyEnd
    var left = (stored.dirtyCount + Self.backgroundCount) * 2
    while stored.dirtyCount > 0, stored.dirtyFirst < end, left > 0 {
      if stored.writes.count < Self.writesLimit, startRun() {
        left -= 1
        continue
      }
      if stored.writes.isEmpty { break }
      if !stored.store.wait(on: stored.waitQueue) { throw .EINTR }
    }
    try waitForWrites()
    if let error = stored.writeError {
      stored.writeError = nil
      throw error
    }
  }

  /// Waits until what is on its way to the store now is there.
  ///
  /// - Throws: `EINTR` when the task was killed.
  public func waitForWrites() throws(Errno) {
    guard let stored else { return }
    for transfer in stored.writes {
      while !transfer.isFinished { if !stored.store.wait(on: stored.waitQueue) { throw .EINTR } }
    }
  }

  /// Starts to write the dirty pages, as many as may be under way at once.
  public func startWriteBack() {
    guard let stored else { return }
    while stored.writes.count < Self.writesLimit, startRun() {}
  }

  /// Starts to write the dirty pages if they are from before `time`, as far as nothing has to be waited for: this is an
  /// interrupt.
  ///
  /// - Returns: Whether some are left that are.
  public func startWriteBack(of time: UInt64) -> Bool {
    guard let stored, stored.dirtyCount > 0, stored.dirtySince <= time, stored.store.acceptsWrites else { return false }
    stored.isExpired = true
    while stored.writes.count < Self.writesLimit, stored.store.startsAtOnce, startRun() {}
    return stored.dirtyCount > 0
  }

  /// Starts to write the first dirty pages that follow each other; false when there are none that can be written.
  private func startRun() -> Bool {
    guard let stored, stored.dirtyCount > 0, stored.store.acceptsWrites else { return false }
    var run: [PageFrame] = []
    var first: UInt64 = 0
    var index = stored.dirtyFirst
    // Written again while the last content is on its way: its turn comes after that.
    var postponed: UInt64?
    while run.count < Self.transferLimit, let found = nextEntry(from: index), found < stored.dirtyEnd {
      let value = entry(found)
      let frame = PageFrame(number: value)
      let marks = Self.isFrame(value) ? frames.marks(frame) : []
      if marks.contains(.dirty), !marks.contains(.writing) {
        if run.isEmpty { first = found } else if found != index { break }
        frames.setMarks(frame, marks.subtracting(.dirty).union(.writing))
        frames.retain(frame)
        run.append(frame)
      } else if !run.isEmpty {
        break
      } else if marks.contains(.dirty), postponed == nil {
        postponed = found
      }
      index = found + 1
    }
    stored.dirtyCount -= run.count
    stored.dirtyFirst = postponed ?? index
    if stored.dirtyCount == 0 {
      stored.dirtyFirst = .max
      stored.dirtyEnd = 0
      stored.isExpired = false
    }
    if run.isEmpty { return false }
    startWrite(first, run)
    return true
  }

  private func startWrite(_ first: UInt64, _ pages: [PageFrame]) {
    guard let stored else { return }
    observers.tell { $0.cache(self, cleanedPages: first..<first + UInt64(pages.count)) }
    let left = size - Int64(first) << 12
    let count = Int(max(min(Int64(pages.count * pageSize), left), 0))
    let transfer = PageTransfer(self, first: first, pages, byteCount: count, isWrite: true)
    stored.writes.append(transfer)
    stored.store.dirtyPages.writesInFlight += 1
    if count == 0 { transfer.finish() } else { stored.store.startWrite(transfer) }
  }

  func endWrite(_ transfer: PageTransfer) {
    guard let stored else { return }
    for frame in transfer.pages {
      frames.setMarks(frame, frames.marks(frame).subtracting(.writing))
      frames.release(frame)
    }
    stored.writes.removeAll { $0 === transfer }
    let dirty = stored.store.dirtyPages
    dirty.writesInFlight -= 1
    dirty.remove(transfer.pages.count)
    if let error = transfer.error { stored.writeError = error }
    let end = Int64(bitPattern: transfer.position)
    if end > stored.size { stored.size = min(end, size) }
    stored.waitQueue.wakeAll()
    dirty.waitQueue.wakeAll()
    // The next one, where that changes no mappings, as this may be an interrupt. One is sure to find what it takes.
    if transfer.error == nil, transfer.byteCount > 0, stored.isExpired || stored.dirtyCount >= Self.backgroundCount,
      !isMapped
    {
      _ = startRun()
    }
  }

  // MARK: Giving memory back

  /// Gives back frames of pages that are no newer than the store's. A page that was used since the last call stays.
  ///
  /// - Parameters:
  ///   - index: Where to begin.
  ///   - takesMapped: Whether pages go that the program has mapped. Then nobody may hold a frame without a reference.
  /// - Returns: How many came free, and where to go on; nil at the end of the file.
  public func reclaim(
    from index: UInt64, _ wanted: Int, takesMapped: Bool
  ) -> (count: Int, next: UInt64?) {
    guard stored != nil else { return (0, nil) }
    var count = 0
    var index = index
    while count < wanted {
      guard let found = nextEntry(from: index) else { return (count, nil) }
      index = found + 1
      let value = entry(found)
      guard Self.isFrame(value) else { continue }
      let frame = PageFrame(number: value)
      let marks = frames.marks(frame)
      if !marks.isDisjoint(with: [.dirty, .writing]) { continue }
      if marks.contains(.referenced) {
        frames.setMarks(frame, marks.subtracting(.referenced))
        continue
      }
      if frames.isShared(frame) {
        guard takesMapped else { continue }
        observers.tell { $0.cache(self, reclaims: frame, of: found) }
        if frames.isShared(frame) { continue }
      }
      try? setEntry(found, 0)
      pageCount -= 1
      frames.release(frame)
      count += 1
    }
    return (count, index)
  }

  /// Forgets every page that is no newer than the store's: the file was changed there, and has `size` bytes now.
  public func invalidate(size newSize: Int64) {
    guard let stored else { return }
    let old = Self.pages(size)
    if old > 0 { notifyDropped(0..<old, keepsCopies: true) }
    var index: UInt64 = 0
    while let found = nextEntry(from: index) {
      index = found + 1
      let value = entry(found)
      guard Self.isFrame(value) else { continue }
      let frame = PageFrame(number: value)
      if !frames.marks(frame).isDisjoint(with: [.dirty, .writing]) { continue }
      observers.tell { $0.cache(self, reclaims: frame, of: found) }
      try? setEntry(found, 0)
      pageCount -= 1
      frames.release(frame)
    }
    if newSize < size, stored.dirtyCount == 0 { truncate(to: newSize) }
    if newSize > size { size = newSize }
    stored.size = newSize
  }
}
