public import LinuxABI
internal import Platform

/// An entry of a page table, at any level. Intel SDM volume 3, 4.5.
@frozen
public struct PageTableEntry: Equatable, BitwiseCopyable, Sendable {
  public var rawValue: UInt64

  @inline(__always)
  public init(rawValue: UInt64) { self.rawValue = rawValue }
  @inline(__always)
  public init(_ physical: UInt, _ flags: Flags) { rawValue = UInt64(physical) | flags.rawValue }

  public static var empty: PageTableEntry { PageTableEntry(rawValue: 0) }

  @frozen
  public struct Flags: OptionSet, BitwiseCopyable, Sendable {
    public let rawValue: UInt64
    @inline(__always)
    public init(rawValue: UInt64) { self.rawValue = rawValue }
    public static var present: Flags { Flags(rawValue: 1) }
    public static var writable: Flags { Flags(rawValue: 2) }
    public static var user: Flags { Flags(rawValue: 4) }
    public static var writeThrough: Flags { Flags(rawValue: 8) }
    public static var uncached: Flags { Flags(rawValue: 16) }
    public static var accessed: Flags { Flags(rawValue: 32) }
    public static var dirty: Flags { Flags(rawValue: 64) }
    /// On a level above the last: maps 2 MiB or 1 GiB.
    public static var large: Flags { Flags(rawValue: 128) }
    public static var global: Flags { Flags(rawValue: 256) }
    /// Not present, but the frame is kept: a page under PROT_NONE. A bit that the CPU ignores.
    public static var setAside: Flags { Flags(rawValue: 1 << 9) }
    /// On level 1, with `writable` off: the last-level table below belongs to several page tables. A bit that the CPU ignores.
    public static var sharedTable: Flags { Flags(rawValue: 1 << 10) }
    /// On the last level: a page of a shared mapping, which stays writable when its table is copied. A bit that the CPU
    /// ignores.
    public static var sharedMapping: Flags { Flags(rawValue: 1 << 11) }
    public static var noExecute: Flags { Flags(rawValue: 1 << 63) }
  }

  @inline(__always)
  public var flags: Flags { Flags(rawValue: rawValue & 0xfff0_0000_0000_0fff) }
  @inline(__always)
  public var physical: UInt { UInt(rawValue & 0x000f_ffff_ffff_f000) }
  @inline(__always)
  public var frame: PageFrame { PageFrame(physical: physical) }
  @inline(__always)
  public var isPresent: Bool { rawValue & 1 != 0 }
  /// Whether a last-level entry names a frame, present or set aside.
  @inline(__always)
  public var isMapped: Bool { rawValue != 0 }
  @inline(__always)
  public func has(_ flag: Flags) -> Bool { rawValue & flag.rawValue != 0 }
}

/// A four-level page table by its root frame. Both sides of a process share one; the kernel's slot is a copied entry.
public struct PageTable: BitwiseCopyable, Sendable {
  /// Physical address of the top-level table.
  public let root: UInt

  public init(root: UInt) { self.root = root }

  /// Makes a table that maps the kernel only.
  ///
  /// - Throws: `ENOMEM`.
  public init(sharingKernelOf other: PageTable, _ frames: FrameAllocator) throws(Errno) {
    root = try frames.allocate(.user, zeroed: true).physical
    let slot = UInt(AddressLayout.kernelSlot * 8)
    PhysicalMemory.store(PhysicalMemory.load(UInt64.self, at: other.root + slot), at: root + slot)
  }

  @inline(__always)
  static func index(_ address: UInt, level: UInt) -> UInt { address >> (pageShift + 9 * level) & 511 }

  /// Where the entry for `address` at `level` lies (0 is the last, 3 the top), or nil where a table on the way is
  /// missing or a large page ends it.
  @inline(__always)
  public func entryLocation(_ address: UInt, level: UInt = 0) -> UInt? {
    var table = root
    var at: UInt = 3
    while at > level {
      let entry = PhysicalMemory.load(PageTableEntry.self, at: table &+ Self.index(address, level: at) &* 8)
      guard entry.isPresent, !entry.has(.large) else { return nil }
      table = entry.physical
      at &-= 1
    }
    return table &+ Self.index(address, level: level) &* 8
  }

  /// As `entryLocation`, making the tables on the way.
  ///
  /// - Throws: `ENOMEM`; `EEXIST` where a large page is in the way.
  @inline(never)
  public func makeEntryLocation(_ address: UInt, level: UInt = 0, _ frames: FrameAllocator) throws(Errno) -> UInt {
    var table = root
    var at: UInt = 3
    while at > level {
      let location = table &+ Self.index(address, level: at) &* 8
      let entry = PhysicalMemory.load(PageTableEntry.self, at: location)
      if entry.isPresent {
        if entry.has(.large) { throw .EEXIST }
        table = entry.has(.sharedTable) ? try makeOwnTable(location, entry, frames) : entry.physical
      } else {
        let isUser = address < AddressLayout.kernelBase
        let below = try frames.allocate(isUser ? .user : .kernel, zeroed: true).physical
        if isUser { Self.noteEntries(table, Self.index(address, level: at), frames) }
        table = below
        PhysicalMemory.store(
          PageTableEntry(table, isUser ? [.present, .writable, .user] : [.present, .writable]), at: location)
      }
      at &-= 1
    }
    let index = Self.index(address, level: level)
    if address < AddressLayout.kernelBase { Self.noteEntries(table, index, frames) }
    return table &+ index &* 8
  }

  /// Notes that entries of a table from `index` on may be in use: what goes through all entries looks at no others.
  @inline(__always)
  private static func noteEntries(_ table: UInt, _ index: UInt, count: UInt = 1, _ frames: FrameAllocator) {
    frames.noteUse(PageFrame(physical: table), index..<(index &+ count))
  }

  /// Notes that the entries of `count` pages from `location` on may be in use, which lie in one last-level table.
  public func noteEntries(at location: UInt, count: UInt, _ frames: FrameAllocator) {
    Self.noteEntries(location & ~UInt(pageSize - 1), (location & UInt(pageSize - 1)) / 8, count: count, frames)
  }

  /// The entry that maps `address`, if any, and its level. It is not writable where its table is shared.
  public func lookup(_ address: UInt) -> (entry: PageTableEntry, level: UInt)? {
    var table = root
    var at: UInt = 3
    var isShared = false
    while true {
      var entry = PhysicalMemory.load(PageTableEntry.self, at: table &+ Self.index(address, level: at) &* 8)
      guard entry.isPresent else { return nil }
      if at == 0 || entry.has(.large) {
        if isShared { entry.rawValue &= ~PageTableEntry.Flags.writable.rawValue }
        return (entry, at)
      }
      isShared = entry.has(.sharedTable)
      table = entry.physical
      at -= 1
    }
  }

  /// Maps one page, replacing what was there; no flush.
  ///
  /// - Throws: `ENOMEM`, `EEXIST`.
  public func map(_ address: UInt, _ entry: PageTableEntry, _ frames: FrameAllocator) throws(Errno) {
    PhysicalMemory.store(entry, at: try makeEntryLocation(address, frames))
  }

  /// Calls `body` with each last-level entry that names a frame, and each 2 MiB entry, in `start..<end`; what it returns
  /// replaces the entry. Missing tables are skipped as a whole. No flush.
  ///
  /// Tables that others share become this table's own; where no memory is left for that, their entries stay as they are
  /// (`makeOwnTables` finds that out before).
  public func update(
    _ start: UInt, _ end: UInt, _ frames: FrameAllocator,
    _ body: (_ address: UInt, _ entry: PageTableEntry, _ level: UInt) -> PageTableEntry
  ) {
    walk(start, end) { location, entry, address, stop in
      if entry.has(.large) {
        let replaced = body(address, entry, 1)
        if replaced != entry { PhysicalMemory.store(replaced, at: location) }
        return
      }
      var table = entry.physical
      if entry.has(.sharedTable) {
        guard Self.mapsSomething(table, address, stop), let own = try? makeOwnTable(location, entry, frames) else {
          return
        }
        table = own
      }
      Self.forEachEntry(table, address, stop) { at, address, leaf in
        let replaced = body(address, leaf, 0)
        if replaced != leaf { PhysicalMemory.store(replaced, at: at) }
      }
    }
  }

  /// Calls `body` as `update` does, changing nothing.
  public func forEach(
    _ start: UInt, _ end: UInt, _ body: (_ address: UInt, _ entry: PageTableEntry, _ level: UInt) -> Void
  ) {
    walk(start, end) { _, entry, address, stop in
      if entry.has(.large) { return body(address, entry, 1) }
      Self.forEachEntry(entry.physical, address, stop) { _, address, leaf in body(address, leaf, 0) }
    }
  }

  /// Calls `body` with each entry of level 1 that maps something in `start..<end`, and the part of the range below it.
  func walk<Failure: Error>(
    _ start: UInt, _ end: UInt,
    _ body: (_ location: UInt, _ entry: PageTableEntry, _ start: UInt, _ end: UInt) throws(Failure) -> Void
  ) throws(Failure) {
    var address = start
    while address < end {
      guard let directory = entryLocation(address, level: 1) else {
        // No directory: skip what the missing entry would have covered.
        let span: UInt = entryLocation(address, level: 2) == nil ? 1 << 39 : 1 << 30
        let (next, overflow) = (address & ~(span - 1)).addingReportingOverflow(span)
        if overflow { return }
        address = next
        continue
      }
      let entry = PhysicalMemory.load(PageTableEntry.self, at: directory)
      let spanEnd = (address & ~UInt(largePageSize - 1)) + UInt(largePageSize)
      // A large page may be set aside.
      if entry.isMapped { try body(directory, entry, address, min(spanEnd, end)) }
      address = spanEnd
    }
  }

  @inline(__always)
  private static func forEachEntry(
    _ table: UInt, _ start: UInt, _ end: UInt, _ body: (_ location: UInt, _ address: UInt, PageTableEntry) -> Void
  ) {
    var address = start
    var location = table + index(start, level: 0) * 8
    while address < end {
      let leaf = PhysicalMemory.load(PageTableEntry.self, at: location)
      if leaf.isMapped { body(location, address, leaf) }
      location += 8
      address += UInt(pageSize)
    }
  }

  private static func mapsSomething(_ table: UInt, _ start: UInt, _ end: UInt) -> Bool {
    var found = false
    forEachEntry(table, start, end) { _, _, _ in found = true }
    return found
  }

  /// Gives back last-level tables that lie wholly in `start..<end`, which maps nothing.
  public func releaseTables(_ start: UInt, _ end: UInt, _ frames: FrameAllocator) {
    let large = UInt(largePageSize)
    var address = (start + large - 1) & ~(large - 1)
    while address < end, end - address >= large {
      guard let directory = entryLocation(address, level: 1) else {
        let span: UInt = entryLocation(address, level: 2) == nil ? 1 << 39 : 1 << 30
        let (next, overflow) = (address & ~(span - 1)).addingReportingOverflow(span)
        if overflow { return }
        address = next
        continue
      }
      let entry = PhysicalMemory.load(PageTableEntry.self, at: directory)
      if entry.isPresent, !entry.has(.large) {
        PhysicalMemory.store(PageTableEntry.empty, at: directory)
        frames.release(entry.frame)
      }
      address += large
    }
  }

  /// Frames of the tables below the root that map the program's half, those shared with other page tables among them.
  public func tableCount(_ frames: FrameAllocator) -> Int {
    func count(below table: UInt, level: UInt) -> Int {
      var result = 0
      Self.forEachEntry(table, frames) { _, entry in
        if entry.has(.large) { return }
        result += level > 1 ? 1 + count(below: entry.physical, level: level - 1) : 1
      }
      return result
    }
    return count(below: root, level: 3)
  }

  /// Gives back everything in the program's half, frames and tables, and the root.
  public func destroy(_ frames: FrameAllocator) {
    Self.forEachEntry(root, frames) { location, _ in release(location, level: 2, frames) }
    frames.release(PageFrame(physical: root))
  }

  private func release(_ location: UInt, level: UInt, _ frames: FrameAllocator) {
    let entry = PhysicalMemory.load(PageTableEntry.self, at: location)
    guard entry.isMapped else { return }
    if entry.has(.large) {
      frames.releaseRun(entry.frame)
      return
    }
    if level > 0 || !entry.has(.sharedTable) || !frames.isShared(entry.frame) {
      Self.forEachEntry(entry.physical, frames) { location, below in
        if level > 0 { release(location, level: level - 1, frames) } else { frames.release(below.frame) }
      }
    }
    frames.release(entry.frame)
  }

  /// Calls `body` with every entry of a table of the program's that is not empty.
  @inline(__always)
  static func forEachEntry<Failure: Error>(
    _ table: UInt, _ frames: FrameAllocator, _ body: (_ location: UInt, PageTableEntry) throws(Failure) -> Void
  ) throws(Failure) {
    let used = frames.usedPart(PageFrame(physical: table))
    var location = table &+ used.lowerBound &* 8
    let end = table &+ used.upperBound &* 8
    while location < end {
      let entry = PhysicalMemory.load(PageTableEntry.self, at: location)
      if entry.isMapped { try body(location, entry) }
      location &+= 8
    }
  }
}
