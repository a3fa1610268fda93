internal import Kernel
public import LinuxABI
internal import Platform
internal import VFSCore

extension AddressSpace {
  /// Resizes and moves. See mremap(2).
  ///
  /// - Throws: `EINVAL`, `EFAULT`, `ENOMEM`.
  public func remap(
    _ old: UInt, oldLength: UInt, newLength: UInt, _ flags: RemapFlags, newAddress: UInt
  ) throws(Errno) -> UInt {
    let all: RemapFlags = [.MREMAP_MAYMOVE, .MREMAP_FIXED, .MREMAP_DONTUNMAP]
    guard all.isSuperset(of: flags), old & UInt(pageSize - 1) == 0 else { throw .EINVAL }
    if flags.contains(.MREMAP_FIXED) || flags.contains(.MREMAP_DONTUNMAP) {
      guard flags.contains(.MREMAP_MAYMOVE) else { throw .EINVAL }
    }
    guard let oldLength = pageCeiling(oldLength), let newLength = pageCeiling(newLength), newLength > 0,
      newLength <= AddressLayoutPlan.userEnd
    else { throw .EINVAL }
    if flags.contains(.MREMAP_DONTUNMAP), oldLength != newLength { throw .EINVAL }
    guard oldLength <= UserAddress.limit, old <= UserAddress.limit - oldLength else { throw .EINVAL }
    if flags.contains(.MREMAP_FIXED) {
      guard newAddress & UInt(pageSize - 1) == 0, newAddress <= AddressLayoutPlan.userEnd - newLength,
        newAddress >= old + oldLength || old >= newAddress + newLength
      else { throw .EINVAL }
    }
    guard let area = area(at: old) else { throw .EFAULT }
    if case .pages = area.backing, area.fileOffset(old).addingReportingOverflow(UInt64(newLength)).overflow {
      throw .EINVAL
    }
    // An old length of zero duplicates a shared mapping.
    if oldLength == 0 {
      guard area.isShared else { throw .EINVAL }
      let start = try target(newLength, flags, newAddress)
      insert(area.copy(start, start + newLength, from: old))
      return start
    }
    if !flags.contains(.MREMAP_FIXED), !flags.contains(.MREMAP_DONTUNMAP) {
      if newLength <= oldLength {
        if newLength < oldLength { try removeAreas(old + newLength, old + oldLength) }
        return old
      }
    }
    guard old + oldLength <= area.end else { throw .EFAULT }
    let growth = newLength > oldLength ? newLength - oldLength : 0
    if (totalPages << pageShift) + growth > addressSpaceLimit { throw .ENOMEM }
    if !flags.contains(.MREMAP_FIXED), !flags.contains(.MREMAP_DONTUNMAP) {
      if old + oldLength == area.end, newLength <= AddressLayoutPlan.userEnd - old, isFree(area.end, old + newLength) {
        insert(area.copy(area.end, old + newLength, from: area.end))
        if area.isLocked { populate(old + oldLength, old + newLength, write: area.protection.contains(.PROT_WRITE)) }
        return old
      }
      guard flags.contains(.MREMAP_MAYMOVE) else { throw .ENOMEM }
    }
    let start = try target(newLength, flags, newAddress)
    let kept = min(oldLength, newLength)
    try isolate(old, old + oldLength)
    guard let source = self.area(at: old) else { throw .EFAULT }
    insert(source.copy(start, start + newLength, from: old))
    try movePages(old, old + kept, to: start)
    if !flags.contains(.MREMAP_DONTUNMAP) { try removeAreas(old, old + oldLength) }
    return start
  }

  /// Where a moved mapping goes, cleared of what was there.
  func target(_ length: UInt, _ flags: RemapFlags, _ address: UInt) throws(Errno) -> UInt {
    if flags.contains(.MREMAP_FIXED) {
      guard address >= Self.minimumAddress else { throw .EPERM }
      try removeAreas(address, address + length)
      return address
    }
    guard let start = findFree(length) else { throw .ENOMEM }
    return start
  }

  func movePages(_ start: UInt, _ end: UInt, to destination: UInt) throws(Errno) {
    try makeOwnTables(start, end)
    var flush = TLBFlush()
    var failure: Errno?
    table.update(start, end, frames) { address, entry, level in
      guard failure == nil else { return entry }
      do throws(Errno) {
        let target = destination + (address - start)
        if level == 0 {
          try table.map(target, entry, frames)
        } else {
          // A large page moves as small ones: the target need not be aligned alike.
          var flags = entry.flags
          flags.remove(.large)
          // After these nothing can fail.
          _ = try table.makeEntryLocation(target, frames)
          _ = try table.makeEntryLocation(target + 511 * 4096, frames)
          frames.splitRun(entry.frame)
          for i in 0..<UInt(512) {
            try table.map(target + i * 4096, PageTableEntry(entry.physical + i * 4096, flags), frames)
          }
        }
        flush.add(address)
        return .empty
      } catch {
        failure = error
        return entry
      }
    }
    flush.finish()
    if let failure { throw failure }
  }
}
