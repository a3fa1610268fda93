public import Kernel
public import LinuxABI
internal import Platform
internal import Support
public import VFSCore

/// What the program tried.
public enum MemoryAccess {
  case read
  case write
  case execute
}

/// How a page fault ended.
public enum FaultOutcome {
  /// The access can be repeated.
  case resolved
  /// No area holds the address: SIGSEGV, SEGV_MAPERR.
  case noArea
  /// The area does not allow the access: SIGSEGV, SEGV_ACCERR.
  case accessError
  /// The page lies beyond the end of the mapped file: SIGBUS, BUS_ADRERR.
  case beyondEnd
  /// No frame is left, and the program that wanted one ends for it.
  case outOfMemory
}

extension AddressSpace {
  /// Pages of a file that one read fault maps, when they are in the cache.
  static var faultAroundPages: UInt { 64 }
  /// Pages of the largest area of a file whose cached pages are mapped at once by mmap(2).
  static var eagerPages: UInt { 256 }
  /// The most pages of anonymous memory that one write fault brings besides its own, when the faults come in order.
  static var anonymousAroundPages: UInt { 16 }

  /// Serves a page fault at `address`. Blocks while a page of a file comes from its store.
  public func handleFault(_ address: UInt, _ access: MemoryAccess) -> FaultOutcome {
    while true {
      guard let outcome = tryFault(address, access) else { continue }
      // Pages of files that the program has mapped can be had again.
      guard case .outOfMemory = outcome else { return outcome }
      if let reclaimer = frames.reclaimer, reclaimer(64, true) > 0 { continue }
      guard let lastResort = frames.lastResort, lastResort() else { return outcome }
    }
  }

  /// Serves a page fault, or brings the page that it wants and returns nil: the areas may be others by then.
  private func tryFault(_ address: UInt, _ access: MemoryAccess) -> FaultOutcome? {
    guard let area = area(at: address) ?? growDown(to: address) else { return .noArea }
    switch access {
    case .read: if area.protection.isDisjoint(with: [.PROT_READ, .PROT_WRITE, .PROT_EXEC]) { return .accessError }
    case .write: if !area.protection.contains(.PROT_WRITE) { return .accessError }
    case .execute: if !area.protection.contains(.PROT_EXEC) { return .accessError }
    }
    countFault()
    let page = pageFloor(address)
    do throws(Errno) {
      if let found = table.lookup(page), found.entry.isPresent {
        return try upgrade(area, page, found.entry, found.level, access)
      }
      switch area.backing {
      case .anonymous: return try faultAnonymous(area, page, access)
      case .pages(let cache, _, _):
        let index = area.fileOffset(page) >> UInt64(pageShift)
        if cache.isMissing(index) {
          try cache.fill(index, wanted: 1, around: true)
          return nil
        }
        return try faultPages(area, page, cache, access)
      case .kernel(let pages):
        let frame = pages[Int((page - area.start) >> pageShift)]
        try table.map(page, PageTableEntry(frame.physical, flags(area, writable: false)), frames)
        return .resolved
      }
    } catch {
      // A full file system is the program's own affair, unless it is full because memory is.
      return error == .ENOMEM || error == .ENOSPC && frames.freeFrames <= frames.reserve ? .outOfMemory : .beyondEnd
    }
  }

  /// Brings in every page of a range, as far as memory goes.
  func populate(_ start: UInt, _ end: UInt, write: Bool) {
    var page = start
    while page < end {
      let mapped = table.lookup(page)
      if mapped == nil || (write && mapped?.entry.has(.writable) == false) {
        if case .resolved = handleFault(page, write ? .write : .read) {} else { return }
      }
      page += UInt(pageSize)
    }
  }

  private func flags(_ area: MemoryArea, writable: Bool) -> PageTableEntry.Flags {
    var flags: PageTableEntry.Flags = [.present, .user, .accessed]
    if writable { flags.insert([.writable, .dirty]) }
    if !area.protection.contains(.PROT_EXEC) { flags.insert(.noExecute) }
    if area.isShared { flags.insert(.sharedMapping) }
    return flags
  }

  /// A fault on a page that is there: the first write to it, or a stale translation.
  private func upgrade(
    _ area: MemoryArea, _ page: UInt, _ entry: PageTableEntry, _ level: UInt, _ access: MemoryAccess
  ) throws(Errno) -> FaultOutcome {
    guard access == .write, !entry.has(.writable) else {
      // Another fault or a late flush: the entry allows it already.
      CPU.invalidate(page)
      return .resolved
    }
    if level == 1 {
      if makeLargeWritable(page, entry) { return .resolved }
      try splitLargePage(crossing: page == page & ~UInt(largePageSize - 1) ? page + UInt(pageSize) : page)
      guard let small = table.lookup(page) else { return .resolved }
      return try upgrade(area, page, small.entry, 0, access)
    }
    let location = try table.makeEntryLocation(page, frames)
    if PhysicalMemory.load(PageTableEntry.self, at: location).has(.writable) {
      // Only the table was shared.
      CPU.invalidate(page)
      return .resolved
    }
    let frame = entry.frame
    if area.isShared {
      if case .pages(let cache, _, _) = area.backing {
        guard let own = try cache.frame(at: area.fileOffset(page) >> UInt64(pageShift), forWriting: true) else {
          return .beyondEnd
        }
        area.didModifyFile()
        if own != frame {
          frames.retain(own)
          if frame != zeroPage { frames.release(frame) } else { countResident(1) }
        }
        try table.map(page, PageTableEntry(own.physical, flags(area, writable: true)), frames)
        CPU.invalidate(page)
        cache.balanceDirtyPages()
        return .resolved
      }
    } else if frame != zeroPage, !frames.isShared(frame) {
      try table.map(page, PageTableEntry(frame.physical, flags(area, writable: true)), frames)
    } else {
      let own = try frames.allocate(.user)
      if frame == zeroPage { own.zero() } else { own.copy(from: frame) }
      try table.map(page, PageTableEntry(own.physical, flags(area, writable: true)), frames)
      if frame == zeroPage { countResident(1) } else { frames.release(frame) }
    }
    CPU.invalidate(page)
    return .resolved
  }

  /// Lets a large page be written that no other process has any part of; false if one has.
  private func makeLargeWritable(_ page: UInt, _ entry: PageTableEntry) -> Bool {
    if frames.isRunShared(entry.frame) { return false }
    guard let location = table.entryLocation(page, level: 1) else { return false }
    PhysicalMemory.store(PageTableEntry(entry.physical, entry.flags.union([.writable, .dirty])), at: location)
    CPU.invalidate(page)
    return true
  }

  private func faultAnonymous(_ area: MemoryArea, _ page: UInt, _ access: MemoryAccess) throws(Errno) -> FaultOutcome {
    if access != .write {
      try table.map(page, PageTableEntry(zeroPage.physical, flags(area, writable: false)), frames)
      return .resolved
    }
    let large = UInt(largePageSize)
    let largeStart = page & ~(large - 1)
    if !area.growsDown, largeStart >= area.start, area.end - largeStart >= large, area.end > largeStart,
      frames.freeFrames > frames.totalFrames / 4, try mapLarge(area, largeStart)
    {
      return .resolved
    }
    let entryFlags = flags(area, writable: true)
    var location = try table.makeEntryLocation(page, frames)
    let first = try frames.allocate(.user, zeroed: true)
    PhysicalMemory.store(PageTableEntry(first.physical, entryFlags), at: location)
    var mapped = 1
    // The pages before are there too: the program goes upwards, so bring as many as it had before of what comes next.
    var before: UInt = 0
    while before < min(Self.anonymousAroundPages, (page - largeStart) >> pageShift),
      PhysicalMemory.load(PageTableEntry.self, at: location - (before + 1) * 8).has(.writable)
    {
      before += 1
    }
    if before > 0, frames.freeFrames > frames.totalFrames / 8 {
      let end = min(area.end, largeStart + large, page + (before + 1) * UInt(pageSize))
      var next = page + UInt(pageSize)
      while next < end {
        location += 8
        guard !PhysicalMemory.load(PageTableEntry.self, at: location).isMapped else { break }
        guard let frame = try? frames.allocate(.user, zeroed: true) else { break }
        PhysicalMemory.store(PageTableEntry(frame.physical, entryFlags), at: location)
        mapped += 1
        next += UInt(pageSize)
      }
      table.noteEntries(at: location, count: 1, frames)
    }
    countResident(mapped)
    return .resolved
  }

  /// Maps a zeroed large page where nothing is mapped yet; false where that is not possible.
  private func mapLarge(_ area: MemoryArea, _ start: UInt) throws(Errno) -> Bool {
    let location = try table.makeEntryLocation(start, level: 1, frames)
    let entry = PhysicalMemory.load(PageTableEntry.self, at: location)
    if entry.isMapped { return false }
    guard let run = try? frames.allocateRun(.user) else { return false }
    PhysicalMemory.zero(run.physical, count: largePageSize)
    PhysicalMemory.store(PageTableEntry(run.physical, flags(area, writable: true).union(.large)), at: location)
    countResident(512)
    return true
  }

  /// Replaces the large page that `bound` lies within, if there is one, by small ones.
  ///
  /// - Throws: `ENOMEM`.
  func splitLargePage(crossing bound: UInt) throws(Errno) {
    guard bound & UInt(largePageSize - 1) != 0, let location = table.entryLocation(bound, level: 1) else { return }
    let entry = PhysicalMemory.load(PageTableEntry.self, at: location)
    guard entry.isMapped, entry.has(.large) else { return }
    let leaf = try frames.allocate(.kernel)
    frames.splitRun(entry.frame)
    let base = entry.physical
    var flags = entry.flags
    flags.remove(.large)
    for i in 0..<UInt(512) { PhysicalMemory.store(PageTableEntry(base + i * 4096, flags), at: leaf.physical + i * 8) }
    table.noteEntries(at: leaf.physical, count: 512, frames)
    PhysicalMemory.store(PageTableEntry(leaf.physical, [.present, .writable, .user]), at: location)
    CPU.invalidateAll()
  }

  private func faultPages(
    _ area: MemoryArea, _ page: UInt, _ cache: PageCache, _ access: MemoryAccess
  ) throws(Errno) -> FaultOutcome {
    let index = area.fileOffset(page) >> UInt64(pageShift)
    if cache.isBeyondEnd(index) { return .beyondEnd }
    if access == .write {
      if area.isShared {
        guard let frame = try cache.frame(at: index, forWriting: true) else { return .beyondEnd }
        area.didModifyFile()
        frames.retain(frame)
        try table.map(page, PageTableEntry(frame.physical, flags(area, writable: true)), frames)
        countResident(1)
        cache.balanceDirtyPages()
        return .resolved
      } else {
        let own = try frames.allocate(.user)
        if let frame = try cache.frame(at: index, forWriting: false) { own.copy(from: frame) } else { own.zero() }
        try table.map(page, PageTableEntry(own.physical, flags(area, writable: true)), frames)
      }
      countResident(1)
      return .resolved
    }
    // The page that was asked for may need work, or have no frame: a hole.
    let frame = try cache.frame(at: index, forWriting: false) ?? zeroPage
    let location = try table.makeEntryLocation(page, frames)
    frames.retain(frame)
    PhysicalMemory.store(PageTableEntry(frame.physical, flags(area, writable: false)), at: location)
    if frame != zeroPage { countResident(1) }
    // Everything near that the cache has goes in with it: one fault instead of many.
    let span = Self.faultAroundPages * UInt(pageSize)
    mapCached(area, cache, page & ~(span - 1), (page & ~(span - 1)) + span)
    return .resolved
  }

  /// Maps for reading what the cache has of the pages of `area` in `start..<end`, where nothing is mapped yet.
  private func mapCached(_ area: MemoryArea, _ cache: PageCache, _ start: UInt, _ end: UInt) {
    let end = min(area.end, end)
    let entryFlags = flags(area, writable: false)
    var page = max(area.start, start)
    var index = area.fileOffset(page) >> UInt64(pageShift)
    var location: UInt = 0
    var mapped = 0
    while page < end, !cache.isBeyondEnd(index) {
      // A table of the last level holds 512 entries: one page.
      if location & UInt(pageSize - 1) == 0 {
        guard let found = try? table.makeEntryLocation(page, frames) else { break }
        location = found
        let left = (UInt(pageSize) - location & UInt(pageSize - 1)) / 8
        table.noteEntries(at: location, count: min(left, (end - page) >> UInt(pageShift)), frames)
      }
      if !PhysicalMemory.load(PageTableEntry.self, at: location).isMapped, let frame = cache.cachedFrame(at: index) {
        frames.retain(frame)
        PhysicalMemory.store(PageTableEntry(frame.physical, entryFlags), at: location)
        mapped &+= 1
      }
      page &+= UInt(pageSize)
      location &+= 8
      index &+= 1
    }
    countResident(mapped)
  }

  /// Maps what is in memory already of a small new area of a file, so that it needs no faults: one costs as much as
  /// mapping many pages, and under emulation more than mapping all of these.
  func mapCachedPages(of area: MemoryArea) {
    guard case .pages(let cache, _?, _) = area.backing, area.length <= Self.eagerPages * UInt(pageSize),
      !area.protection.isDisjoint(with: [.PROT_READ, .PROT_WRITE, .PROT_EXEC])
    else { return }
    mapCached(area, cache, area.start, area.end)
  }
}

extension AddressSpace: MappingObserver {
  private enum MappingChange {
    case drop, refresh, clean
    case reclaim(PageFrame)
  }

  /// Does to the part of each area that maps the given pages of `cache` what has become of them.
  @inline(never)
  private func update(_ cache: PageCache, _ pages: Range<UInt64>, _ change: MappingChange) {
    forEachArea { area in
      guard case .pages(let mapped, _, let offset) = area.backing, mapped === cache else { return }
      let first = offset >> UInt64(pageShift)
      let lower = max(pages.lowerBound, first)
      let upper = min(pages.upperBound, first + UInt64(area.length >> pageShift))
      guard lower < upper else { return }
      let start = area.start + UInt(lower - first) << pageShift
      let end = area.start + UInt(upper - first) << pageShift
      switch change {
      case .drop: dropPages(start, end)
      case .refresh:
        for page in stride(from: start, to: end, by: pageSize) {
          // What no allocator owns is the initrd's; the program's own copies are other frames than the cache's.
          if let frame = table.lookup(page)?.entry.frame,
            frame == zeroPage || !frames.owns(frame) || cache.has(frame, at: first + UInt64(page - area.start) >> 12)
          {
            dropPages(page, page + UInt(pageSize))
          }
        }
      case .clean:
        guard area.isShared else { return }
        var flush = TLBFlush()
        table.update(start, end, frames) { address, entry, _ in
          guard entry.has(.writable) else { return entry }
          flush.add(address)
          return PageTableEntry(entry.physical, entry.flags.subtracting(.writable))
        }
        flush.finish()
      case .reclaim(let frame):
        if !area.isLocked, let found = table.lookup(start), found.entry.frame == frame { dropPages(start, end) }
      }
    }
  }

  public func cache(_ cache: PageCache, droppedPages pages: Range<UInt64>, keepsCopies: Bool) {
    update(cache, pages, keepsCopies ? .refresh : .drop)
  }
  public func cache(_ cache: PageCache, cleanedPages pages: Range<UInt64>) { update(cache, pages, .clean) }
  public func cache(_ cache: PageCache, reclaims frame: PageFrame, of page: UInt64) {
    update(cache, page..<page + 1, .reclaim(frame))
  }
}

// MARK: Access by the kernel, whichever address space is in force

extension AddressSpace {
  /// The frame behind an address after a fault of the given kind has been served.
  private func frame(at address: UInt, _ access: MemoryAccess) -> UInt? {
    if let found = table.lookup(address), found.entry.isPresent, access != .write || found.entry.has(.writable) {
      return found.level == 0
        ? found.entry.physical : found.entry.physical + pageFloor(address & UInt(largePageSize - 1))
    }
    guard case .resolved = handleFault(address, access), let found = table.lookup(address) else { return nil }
    return found.level == 0 ? found.entry.physical : found.entry.physical + pageFloor(address & UInt(largePageSize - 1))
  }

  /// Calls `body` with the physical address behind an address of the program's, whose frame stays for that long.
  ///
  /// - Throws: `EFAULT` where the program could not do the same, and what `body` throws.
  public func withFrame(
    at address: UInt, _ access: MemoryAccess, _ body: (UInt) throws(Errno) -> Int
  ) throws(Errno) -> Int {
    guard address < UserAddress.limit, let physical = frame(at: address, access) else { throw .EFAULT }
    let frame = PageFrame(number: UInt32(physical >> UInt(pageShift)))
    frames.retain(frame)
    defer { frames.release(frame) }
    return try body(physical + (address & UInt(pageSize - 1)))
  }

  /// Writes bytes into the program's memory.
  ///
  /// - Throws: `EFAULT`.
  public func write(_ bytes: [UInt8], at address: UInt) throws(Errno) {
    var done = 0
    while done < bytes.count {
      let at = address + UInt(done)
      guard let physical = frame(at: at, .write) else { throw .EFAULT }
      let offset = Int(at & UInt(pageSize - 1))
      let count = min(bytes.count - done, pageSize - offset)
      PhysicalMemory.store(bytes.rawBytes, from: done, count: count, at: physical + UInt(offset))
      done += count
    }
  }

  /// Reads bytes of the program's memory.
  ///
  /// - Throws: `EFAULT`.
  public func read(_ address: UInt, count: Int) throws(Errno) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(count)
    while bytes.count < count {
      let at = address + UInt(bytes.count)
      guard at < UserAddress.limit, let physical = frame(at: at, .read) else { throw .EFAULT }
      let offset = Int(at & UInt(pageSize - 1))
      for i in 0..<min(count - bytes.count, pageSize - offset) {
        bytes.append(PhysicalMemory.load(UInt8.self, at: physical + UInt(offset + i)))
      }
    }
    return bytes
  }

  /// Writes zeroes into the program's memory.
  ///
  /// - Throws: `EFAULT`.
  public func zero(_ address: UInt, count: UInt) throws(Errno) {
    var done: UInt = 0
    while done < count {
      let at = address + done
      guard let physical = frame(at: at, .write) else { throw .EFAULT }
      let offset = at & UInt(pageSize - 1)
      let piece = min(count - done, UInt(pageSize) - offset)
      PhysicalMemory.zero(physical + offset, count: Int(piece))
      done += piece
    }
  }
}
