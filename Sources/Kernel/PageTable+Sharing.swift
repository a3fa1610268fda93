public import LinuxABI
internal import Platform

// What fork(2) does to page tables. Parent and child share the last-level tables: the entry above one says so and denies
// writing, whatever the table itself allows, and the first change of either side copies the table. A table holds one
// reference to each frame that it names, however many page tables share it, so fork costs one step per 2 MiB, and a
// child that calls execve(2) at once never copies most of them.
extension PageTable {
  /// Makes `copy`, which maps nothing of the program's yet, map what this table maps; the first write to a page that no
  /// shared mapping has will be a fault on both sides. The caller flushes all translations.
  ///
  /// - Throws: `ENOMEM`; what `copy` maps then is right as far as it goes.
  public func share(with copy: PageTable, _ frames: FrameAllocator) throws(Errno) {
    try share(root, with: copy.root, level: 3, frames)
  }

  private func share(_ table: UInt, with copy: UInt, level: UInt, _ frames: FrameAllocator) throws(Errno) {
    frames.noteUse(PageFrame(physical: copy), frames.usedPart(PageFrame(physical: table)))
    try Self.forEachEntry(table, frames) { location, entry throws(Errno) in
      let target = copy + (location - table)
      var below = entry
      if level > 1 {
        let own = try frames.allocate(.user, zeroed: true).physical
        PhysicalMemory.store(PageTableEntry(own, [.present, .writable, .user]), at: target)
        try share(below.physical, with: own, level: level - 1, frames)
        return
      }
      below.rawValue &= ~PageTableEntry.Flags.writable.rawValue
      if below.has(.large) {
        frames.retainRun(below.frame)
      } else {
        below.rawValue |= PageTableEntry.Flags.sharedTable.rawValue
        frames.retain(below.frame)
      }
      PhysicalMemory.store(below, at: location)
      PhysicalMemory.store(below, at: target)
    }
  }

  /// Makes every last-level table that maps something in `start..<end` this page table's own, so that `update` can change
  /// all of it.
  ///
  /// - Throws: `ENOMEM`.
  public func makeOwnTables(_ start: UInt, _ end: UInt, _ frames: FrameAllocator) throws(Errno) {
    try walk(start, end) { location, entry, _, _ throws(Errno) in
      if entry.has(.sharedTable) { _ = try makeOwnTable(location, entry, frames) }
    }
  }

  /// Makes the last-level table that the entry at `location` names this page table's own; returns where it is then.
  ///
  /// - Throws: `ENOMEM`.
  func makeOwnTable(_ location: UInt, _ entry: PageTableEntry, _ frames: FrameAllocator) throws(Errno) -> UInt {
    var table = entry.physical
    if frames.isShared(entry.frame) {
      let frame = try frames.allocate(.kernel, zeroed: true)
      let copy = frame.physical
      frames.noteUse(frame, frames.usedPart(entry.frame))
      Self.forEachEntry(table, frames) { location, entry in
        var leaf = entry
        if leaf.has(.writable), !leaf.has(.sharedMapping) {
          leaf.rawValue &= ~PageTableEntry.Flags.writable.rawValue
          // Whoever has the other table alone some day finds out by a fault that the page is its own.
          PhysicalMemory.store(leaf, at: location)
        }
        frames.retain(leaf.frame)
        PhysicalMemory.store(leaf, at: copy + (location - table))
      }
      frames.release(entry.frame)
      table = copy
    }
    PhysicalMemory.store(PageTableEntry(table, [.present, .writable, .user]), at: location)
    return table
  }
}
