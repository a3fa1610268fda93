internal import Kernel
internal import LinuxABI
internal import Platform

// The table of a page cache's frames: eight entries in the object, and a radix tree of frames with 1024 entries each.
extension PageCache {
  @inline(__always)
  func entry(_ index: UInt64) -> UInt32 {
    if index < 8 { return direct[Int(truncatingIfNeeded: index)] }
    if index >> Self.leafShift == leafNumber {
      return PhysicalMemory.load(at: leaf &+ UInt(index & 1023) &* 4)
    }
    return treeEntry(index)
  }

  fileprivate func treeEntry(_ index: UInt64) -> UInt32 {
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
  fileprivate func makeLeaf(_ index: UInt64) throws(Errno) {
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
    if at >> Self.leafShift == leafNumber, entry(at) != 0 { return at }
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
  func removeEntries(from first: UInt64) {
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
      stored.store.dirtyPages.remove(1)
    }
    frames.release(frame)
    quota?.used -= 1
    pageCount -= 1
  }

  /// The part of `removeEntries` in one table, whose first page is `start`. At most six levels deep.
  fileprivate func removeTree(
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
}
