internal import VFSCore

/// The inodes that there are, by the number that the server has for them. The table holds none of them: an inode takes
/// itself out when it goes.
@safe final class NinePInodeTable {
  // SAFETY: an inode is in the table from the end of its initialiser until the start of its `deinit`.
  private var slots: [Unmanaged<NinePInode>?] = unsafe .init(repeating: nil, count: 64)
  private(set) var count = 0

  // SAFETY: the count alone.
  var capacity: Int { unsafe slots.count }

  /// The inode in a slot, for those who look at all.
  subscript(slot: Int) -> NinePInode? {
    // SAFETY: as above.
    guard slot < capacity, let reference = unsafe slots[slot] else { return nil }
    return unsafe reference.takeUnretainedValue()
  }

  private func home(_ number: UInt64) -> Int {
    Int(truncatingIfNeeded: (number &* 0x9e37_79b9_7f4a_7c15) >> 20) & (capacity - 1)
  }

  func find(_ number: UInt64) -> NinePInode? {
    var slot = home(number)
    while let inode = self[slot] {
      if inode.number == number { return inode }
      slot = (slot + 1) & (capacity - 1)
    }
    return nil
  }

  /// Enters an inode whose number is not there.
  func insert(_ inode: NinePInode) {
    if (count + 1) * 2 > capacity {
      // SAFETY: as above.
      let old = unsafe slots
      // SAFETY: no reference is in the new ones yet.
      unsafe slots = .init(repeating: nil, count: old.count * 2)
      for slot in 0..<capacity / 2 {
        // SAFETY: as above.
        if let reference = unsafe old[slot] { unsafe place(reference) }
      }
    }
    // SAFETY: it leaves the table before it goes.
    unsafe place(Unmanaged.passUnretained(inode))
    count += 1
    inode.isListed = true
  }

  private func place(_ reference: Unmanaged<NinePInode>) {
    // SAFETY: as above.
    var slot = home(unsafe reference._withUnsafeGuaranteedRef { $0.number })
    while unsafe slots[slot] != nil { slot = (slot + 1) & (capacity - 1) }
    unsafe slots[slot] = reference
  }

  /// Takes an inode out, if it is in.
  func remove(_ inode: NinePInode) {
    guard inode.isListed else { return }
    inode.isListed = false
    let mask = capacity - 1
    var hole = home(inode.number)
    // SAFETY: identities are compared; nothing is read through the reference.
    let wanted = unsafe Unmanaged.passUnretained(inode).toOpaque()
    while let reference = unsafe slots[hole], unsafe reference.toOpaque() != wanted { hole = (hole + 1) & mask }
    guard unsafe slots[hole] != nil else { return }
    count -= 1
    var slot = hole
    while true {
      slot = (slot + 1) & mask
      guard let reference = unsafe slots[slot] else { break }
      let home = home(unsafe reference._withUnsafeGuaranteedRef { $0.number })
      // It may move to the hole unless its home lies cyclically behind the hole.
      if (slot - home) & mask >= (slot - hole) & mask {
        unsafe slots[hole] = reference
        hole = slot
      }
    }
    unsafe slots[hole] = nil
  }
}
