public import Kernel
public import LinuxABI
public import VFSCore

/// A range of the program's addresses with one protection and one backing: Linux's `vm_area_struct`.
public final class MemoryArea {
  /// What the pages come from.
  public enum Backing {
    /// Zeroes, private to the process.
    case anonymous
    /// Pages of a cache: a file's, or shared memory's without a file. `offset` is the file offset of the first byte.
    case pages(PageCache, file: OpenFile?, offset: UInt64)
    /// Frames of the kernel's: the vDSO and its data.
    case kernel([PageFrame])
  }

  public internal(set) var start: UInt
  public internal(set) var end: UInt
  public internal(set) var protection: MemoryProtection
  public internal(set) var backing: Backing
  /// Writes are seen by every mapping, and by the file.
  public let isShared: Bool
  /// A fault just below extends the area down. MAP_GROWSDOWN, and the stack.
  public let growsDown: Bool
  /// What /proc/self/maps shows for an area without a file.
  public let name: StaticString?
  /// Advice that matters later: MADV_DONTFORK, MADV_WIPEONFORK.
  public internal(set) var isForkExcluded = false
  public internal(set) var isWipedOnFork = false
  public internal(set) var isLocked = false
  /// The highest protection mprotect(2) may give: a shared mapping of a file that was not opened for writing stays read-only.
  let mayWrite: Bool
  /// What hears of this area's beginning and end.
  public let counter: (any MappingCounter)?

  init(
    start: UInt, end: UInt, protection: MemoryProtection, backing: Backing, isShared: Bool = false,
    growsDown: Bool = false, name: StaticString? = nil, mayWrite: Bool = true, counter: (any MappingCounter)? = nil
  ) {
    self.start = start
    self.end = end
    self.protection = protection
    self.backing = backing
    self.isShared = isShared
    self.growsDown = growsDown
    self.name = name
    self.mayWrite = mayWrite
    self.counter = counter
    counter?.areaOpened()
  }

  deinit { counter?.areaClosed() }

  public var length: UInt { end - start }

  /// The file offset of an address in the area.
  func fileOffset(_ address: UInt) -> UInt64 {
    if case .pages(_, _, let offset) = backing { return offset + UInt64(address - start) }
    return 0
  }

  /// Notes that the program writes to a page of the file that it could not write to before.
  func didModifyFile() {
    if case .pages(_, let file?, _) = backing { file.inode.didModify() }
  }

  /// The backing as seen from a later start.
  func backing(from address: UInt) -> Backing {
    switch backing {
    case .anonymous: .anonymous
    case .pages(let cache, let file, let offset): .pages(cache, file: file, offset: offset + UInt64(address - start))
    case .kernel(let frames): .kernel([PageFrame](frames[Int((address - start) >> pageShift)...]))
    }
  }

  /// An area like this one over another range whose first byte is backed as `address` is here.
  func copy(_ start: UInt, _ end: UInt, from address: UInt) -> MemoryArea {
    let area = MemoryArea(
      start: start, end: end, protection: protection, backing: backing(from: address), isShared: isShared,
      growsDown: growsDown, name: name, mayWrite: mayWrite, counter: counter)
    area.isForkExcluded = isForkExcluded
    area.isWipedOnFork = isWipedOnFork
    area.isLocked = isLocked
    return area
  }

  /// Whether `next`, which starts where this area ends, could be one with it.
  func continues(into next: MemoryArea) -> Bool {
    guard end == next.start, protection == next.protection, isShared == next.isShared, growsDown == next.growsDown,
      mayWrite == next.mayWrite, isForkExcluded == next.isForkExcluded, isWipedOnFork == next.isWipedOnFork,
      isLocked == next.isLocked, (name == nil) == (next.name == nil), counter == nil, next.counter == nil
    else { return false }
    switch (backing, next.backing) {
    case (.anonymous, .anonymous): return true
    case (.pages(let cache, let file, let offset), .pages(let nextCache, let nextFile, let nextOffset)):
      return file === nextFile && cache === nextCache && nextOffset == offset + UInt64(length)
    default: return false
    }
  }
}
