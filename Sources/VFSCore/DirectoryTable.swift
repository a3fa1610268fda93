/// The children of a directory: found by name through a hash index, listed in a stable order that survives removals.
///
/// Every entry has a cookie that grows with each insertion. Listing goes from the newest to the oldest, as tmpfs has it:
/// a program that makes files while it lists a directory comes to an end.
struct DirectoryTable {
  struct Entry {
    var dentry: Dentry?
    var cookie: Int64
    var hash: UInt32
  }

  /// In the order of their cookies; removed ones stay as gaps until the gaps prevail.
  private var entries: [Entry] = []
  /// Open addressing with linear probing: positions in `entries` counted from 1, 0 for a free slot. Empty while there
  /// are few entries.
  private var index: [UInt32] = []
  private(set) var count = 0
  private var nextCookie: Int64 = firstCookie

  /// Positions 0, 1 and 2 belong to the start, and to what follows `.` and `..`.
  static var firstCookie: Int64 { 3 }
  private static var indexThreshold: Int { 8 }

  @inline(__always)
  func find(_ hash: UInt32, _ text: [UInt8], _ start: Int, _ end: Int) -> Dentry? {
    if index.isEmpty {
      var at = entries.count
      while at > 0 {
        at &-= 1
        if entries[at].hash == hash, let dentry = entries[at].dentry, dentry.name.count == end &- start,
          NameBytes.equal(dentry.name, text, from: start)
        {
          return dentry
        }
      }
      return nil
    }
    let mask = index.count &- 1
    var slot = Int(truncatingIfNeeded: hash) & mask
    while true {
      let position = index[slot]
      if position == 0 { return nil }
      let at = Int(position) &- 1
      if entries[at].hash == hash, let dentry = entries[at].dentry, dentry.name.count == end &- start,
        NameBytes.equal(dentry.name, text, from: start)
      {
        return dentry
      }
      slot = (slot &+ 1) & mask
    }
  }

  mutating func insert(_ dentry: Dentry) {
    entries.append(Entry(dentry: dentry, cookie: nextCookie, hash: dentry.nameHash))
    nextCookie += 1
    count += 1
    if index.isEmpty {
      if entries.count > Self.indexThreshold { rebuild() }
    } else if (count + 1) * 2 > index.count || entries.count > Int(UInt32.max) - 2 {
      rebuild()
    } else {
      place(entries.count - 1)
    }
  }

  private mutating func place(_ at: Int) {
    let mask = index.count - 1
    var slot = Int(truncatingIfNeeded: entries[at].hash) & mask
    while index[slot] != 0 { slot = (slot + 1) & mask }
    index[slot] = UInt32(at + 1)
  }

  /// Closes the gaps and makes the index anew.
  private mutating func rebuild() {
    if count < entries.count { entries.removeAll { $0.dentry == nil } }
    if entries.count <= Self.indexThreshold {
      index = []
      return
    }
    var capacity = 32
    while capacity < entries.count * 3 { capacity *= 2 }
    index = [UInt32](repeating: 0, count: capacity)
    for at in entries.indices { place(at) }
  }

  mutating func remove(_ dentry: Dentry) {
    guard let at = position(of: dentry) else { return }
    if !index.isEmpty { unindex(at) }
    entries[at].dentry = nil
    count -= 1
    while let last = entries.last, last.dentry == nil { entries.removeLast() }
    if entries.count > 2 * count + 16 { rebuild() }
  }

  /// Takes out about half of the entries that nobody else holds: those whose hash has `parity`.
  mutating func removeUnused(parity: UInt32) {
    for at in entries.indices where entries[at].hash & 1 == parity {
      if entries[at].dentry != nil, isKnownUniquelyReferenced(&entries[at].dentry) {
        entries[at].dentry = nil
        count -= 1
      }
    }
    rebuild()
  }

  private func position(of dentry: Dentry) -> Int? {
    if index.isEmpty { return entries.firstIndex { $0.dentry === dentry } }
    let mask = index.count - 1
    var slot = Int(truncatingIfNeeded: dentry.nameHash) & mask
    while index[slot] != 0 {
      let at = Int(index[slot]) - 1
      if entries[at].dentry === dentry { return at }
      slot = (slot + 1) & mask
    }
    return nil
  }

  /// Takes an entry out of the index, moving back those that were pushed on past its slot.
  private mutating func unindex(_ at: Int) {
    let mask = index.count - 1
    var hole = Int(truncatingIfNeeded: entries[at].hash) & mask
    while index[hole] != UInt32(at + 1) { hole = (hole + 1) & mask }
    var slot = hole
    while true {
      slot = (slot + 1) & mask
      let position = index[slot]
      if position == 0 { break }
      let home = Int(truncatingIfNeeded: entries[Int(position) - 1].hash) & mask
      // It may move to the hole unless its home lies cyclically behind the hole.
      if (slot - home) & mask >= (slot - hole) & mask {
        index[hole] = position
        hole = slot
      }
    }
    index[hole] = 0
  }

  /// The newest entry that is older than `cookie`.
  func entry(before cookie: Int64) -> (dentry: Dentry, cookie: Int64)? {
    var low = 0
    var high = entries.count
    while low < high {
      let middle = (low + high) / 2
      if entries[middle].cookie < cookie { low = middle + 1 } else { high = middle }
    }
    while low > 0 {
      low -= 1
      if let dentry = entries[low].dentry { return (dentry, entries[low].cookie) }
    }
    return nil
  }
}
