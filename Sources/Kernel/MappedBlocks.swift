internal import Platform

/// Large blocks of the kernel heap whose frames do not lie in a row: mapped one by one, each block into a slot of its own
/// of the kernel's address space. For when memory is in pieces, and for what is larger than the largest block of frames.
struct MappedBlocks {
  private static var slotBytes: UInt { 64 << 20 }
  /// A bit for each slot that is taken.
  private var taken = InlineArray<16, UInt64>(repeating: 0)

  /// Maps a block of `pages` pages; returns its address, or nil where there are not as many frames.
  mutating func allocate(_ pages: Int, _ table: PageTable, _ frames: FrameAllocator) -> UInt? {
    guard pages < frames.freeFrames, UInt(pages) << pageShift <= Self.slotBytes else { return nil }
    var word = 0
    while taken[word] == .max {
      word += 1
      if word == 16 { return nil }
    }
    let slot = word * 64 + (~taken[word]).trailingZeroBitCount
    taken[word] |= 1 << UInt64(slot & 63)
    let start = AddressLayout.heapBase + UInt(slot) * Self.slotBytes
    for i in 0..<pages {
      guard let frame = try? frames.allocate(.kernel) else {
        _ = free(start, table, frames)
        return nil
      }
      let entry = PageTableEntry(frame.physical, [.present, .writable, .accessed, .dirty, .global, .noExecute])
      do { try table.map(start + UInt(i) << pageShift, entry, frames) } catch {
        frames.release(frame)
        _ = free(start, table, frames)
        return nil
      }
    }
    return start
  }

  /// Gives the block at `start` back; returns how many pages it had.
  mutating func free(_ start: UInt, _ table: PageTable, _ frames: FrameAllocator) -> Int {
    var pages = 0
    table.update(start, start + Self.slotBytes, frames) { address, entry, _ in
      frames.release(entry.frame)
      CPU.invalidate(address)
      pages += 1
      return .empty
    }
    let slot = Int((start - AddressLayout.heapBase) / Self.slotBytes)
    taken[slot >> 6] &= ~(1 << UInt64(slot & 63))
    return pages
  }
}
