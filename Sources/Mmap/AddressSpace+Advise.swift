internal import Kernel
public import LinuxABI
internal import Platform
internal import VFSCore

extension AddressSpace {
  /// Calls `body` with each part of an area in the range; `ENOMEM` afterwards where the range has holes.
  func forEachPart(_ start: UInt, _ end: UInt, _ body: (MemoryArea, UInt, UInt) throws(Errno) -> Void)
    throws(Errno)
  {
    var at = start
    var hasHole = false
    while at < end {
      guard let area = firstArea(endingAbove: at), area.start < end else {
        hasHole = true
        break
      }
      if area.start > at { hasHole = true }
      let stop = min(area.end, end)
      try body(area, max(area.start, at), stop)
      at = stop
    }
    if hasHole { throw .ENOMEM }
  }

  /// Gives advice. See madvise(2).
  ///
  /// - Throws: `EINVAL`, `ENOMEM`, `EFAULT`.
  public func advise(_ address: UInt, length: UInt, _ rawAdvice: UInt32) throws(Errno) {
    guard let advice = MemoryAdvice(rawValue: rawAdvice) else { throw .EINVAL }
    let end = try checkedEnd(address, length, zero: nil)
    switch advice {
    case .MADV_NORMAL, .MADV_RANDOM, .MADV_SEQUENTIAL, .MADV_WILLNEED, .MADV_COLD, .MADV_PAGEOUT, .MADV_DONTDUMP,
      .MADV_DODUMP,
      .MADV_HUGEPAGE, .MADV_NOHUGEPAGE:
      try forEachPart(address, end) { _, _, _ in }
    case .MADV_DONTNEED, .MADV_DONTNEED_LOCKED, .MADV_FREE:
      try forEachPart(address, end) { area, start, stop throws(Errno) in
        if area.isLocked, advice != .MADV_DONTNEED_LOCKED { throw .EINVAL }
        if advice == .MADV_FREE, area.isShared { throw .EINVAL }
        if advice == .MADV_FREE, case .pages = area.backing { throw .EINVAL }
        try splitLargePage(crossing: start)
        try splitLargePage(crossing: stop)
        try makeOwnTables(start, stop)
        dropPages(start, stop)
      }
    case .MADV_DONTFORK, .MADV_DOFORK, .MADV_WIPEONFORK, .MADV_KEEPONFORK:
      try forEachPart(address, end) { area, start, stop throws(Errno) in
        if advice == .MADV_WIPEONFORK {
          guard case .anonymous = area.backing else { throw .EINVAL }
        }
        try isolate(start, stop)
        guard let part = self.area(at: start) else { return }
        switch advice {
        case .MADV_DONTFORK: part.isForkExcluded = true
        case .MADV_DOFORK: part.isForkExcluded = false
        case .MADV_WIPEONFORK: part.isWipedOnFork = true
        default: part.isWipedOnFork = false
        }
      }
      merge(address, end)
    case .MADV_POPULATE_READ, .MADV_POPULATE_WRITE:
      try forEachPart(address, end) { area, start, stop throws(Errno) in
        for page in stride(from: start, to: stop, by: pageSize) {
          let outcome = handleFault(page, advice == .MADV_POPULATE_WRITE ? .write : .read)
          switch outcome {
          case .resolved: break
          case .outOfMemory: throw .ENOMEM
          case .accessError: throw .EINVAL
          case .noArea, .beyondEnd: throw .EFAULT
          }
        }
      }
    case .MADV_REMOVE, .MADV_MERGEABLE, .MADV_UNMERGEABLE, .MADV_COLLAPSE, .MADV_HWPOISON, .MADV_SOFT_OFFLINE:
      throw .EINVAL
    }
  }

  /// Checks and serves msync(2): RamFS needs no writing back.
  ///
  /// - Throws: `EINVAL`, `ENOMEM`, and what the file throws.
  public func sync(_ address: UInt, length: UInt, _ flags: SyncFlags) throws(Errno) {
    let all: SyncFlags = [.MS_ASYNC, .MS_INVALIDATE, .MS_SYNC]
    guard all.isSuperset(of: flags), !flags.isSuperset(of: [.MS_ASYNC, .MS_SYNC]), address & UInt(pageSize - 1) == 0
    else { throw .EINVAL }
    guard let length = pageCeiling(length), address <= UserAddress.limit, length <= UserAddress.limit - address else {
      throw .ENOMEM
    }
    try forEachPart(address, address + length) { area, _, _ throws(Errno) in
      if flags.contains(.MS_SYNC), area.isShared, case .pages(_, let file?, _) = area.backing { try file.synchronize() }
    }
  }

  /// Locks or unlocks; nothing is ever paged out, so a lock brings the pages in and remembers itself. See mlock(2).
  ///
  /// - Throws: `EINVAL`, `ENOMEM`.
  public func setLocked(_ address: UInt, length: UInt, _ locked: Bool, onFault: Bool = false) throws(Errno) {
    let start = pageFloor(address)
    let (sum, overflow) = address.addingReportingOverflow(length)
    guard !overflow, let end = pageCeiling(sum) else { throw .EINVAL }
    if start == end { return }
    guard end <= UserAddress.limit else { throw .ENOMEM }
    try forEachPart(start, end) { area, from, to throws(Errno) in
      guard area.isLocked != locked else { return }
      try isolate(from, to)
      self.area(at: from)?.isLocked = locked
    }
    merge(start, end)
    guard locked, !onFault else { return }
    try forEachPart(start, end) { area, from, to throws(Errno) in
      populate(from, to, write: area.protection.contains(.PROT_WRITE) && !area.isShared)
    }
  }

  /// Locks or unlocks every area. See mlockall(2).
  public func setAllLocked(_ locked: Bool) {
    forEachArea { $0.isLocked = locked }
    if locked { forEachArea { populate($0.start, $0.end, write: $0.protection.contains(.PROT_WRITE) && !$0.isShared) } }
  }

  /// Which pages are in memory. See mincore(2).
  ///
  /// - Throws: `EINVAL`, `ENOMEM`.
  public func residency(_ address: UInt, length: UInt) throws(Errno) -> [UInt8] {
    guard address & UInt(pageSize - 1) == 0 else { throw .EINVAL }
    guard let length = pageCeiling(length), address <= UserAddress.limit, length <= UserAddress.limit - address else {
      throw .ENOMEM
    }
    var result = [UInt8](repeating: 0, count: Int(length >> pageShift))
    try forEachPart(address, address + length) { area, start, stop in
      for page in stride(from: start, to: stop, by: pageSize) {
        var isResident = false
        if case .pages(let cache, _, _) = area.backing {
          isResident = cache.isCached(area.fileOffset(page) >> UInt64(pageShift))
        }
        if !isResident, let found = table.lookup(page), found.entry.isPresent { isResident = true }
        result[Int((page - address) >> pageShift)] = isResident ? 1 : 0
      }
    }
    return result
  }

  /// Pages of an area that are mapped, and those of them that are the program's own.
  public func residency(of area: MemoryArea) -> (pages: Int, ownPages: Int) {
    var pages = 0
    var own = 0
    let frames = frames
    let zero = zeroPage
    table.forEach(area.start, area.end) { _, entry, level in
      if level == 1 {
        pages += 512
        own += 512
      } else if entry.frame != zero {
        pages += 1
        if entry.has(.writable) || !frames.isShared(entry.frame) { own += 1 }
      }
    }
    return (pages, own)
  }
}
