internal import Kernel
public import LinuxABI
internal import Platform
internal import VFSCore

extension AddressSpace {
  /// Changes protection. See mprotect(2).
  ///
  /// - Throws: `EINVAL`, `ENOMEM` for a hole in the range, `EACCES`.
  public func protect(_ address: UInt, length: UInt, _ protection: MemoryProtection) throws(Errno) {
    guard address & UInt(pageSize - 1) == 0 else { throw .EINVAL }
    if length == 0 { return }
    guard let length = pageCeiling(length), address <= UserAddress.limit, length <= UserAddress.limit - address else {
      throw .ENOMEM
    }
    var start = address
    let end = address + length
    let known: MemoryProtection = [.PROT_READ, .PROT_WRITE, .PROT_EXEC, .PROT_SEM, .PROT_GROWSDOWN, .PROT_GROWSUP]
    guard known.isSuperset(of: protection) else { throw .EINVAL }
    if protection.contains(.PROT_GROWSDOWN) {
      guard !protection.contains(.PROT_GROWSUP), let area = area(at: start), area.growsDown else { throw .EINVAL }
      start = area.start
    }
    let wanted = protection.intersection([.PROT_READ, .PROT_WRITE, .PROT_EXEC])
    var at = start
    // Linux changes area by area and stops at the first that cannot be.
    while at < end {
      guard let area = area(at: at) else { throw .ENOMEM }
      if wanted.contains(.PROT_WRITE), !area.mayWrite { throw .EACCES }
      if wanted.contains(.PROT_EXEC), case .pages(_, let file?, _) = area.backing,
        file.path.mount.flags.contains(.ST_NOEXEC)
      {
        throw .EACCES
      }
      let stop = min(area.end, end)
      if area.protection != wanted {
        try isolate(at, stop)
        try makeOwnTables(at, stop)
        guard let isolated = self.area(at: at) else { throw .ENOMEM }
        isolated.protection = wanted
        applyProtection(isolated)
        at = stop
      } else {
        at = stop
      }
    }
    merge(start, end)
  }

  /// Brings the page table in line with the area's protection. What gains the right to write gets it at the next fault,
  /// where copy-on-write is decided.
  func applyProtection(_ area: MemoryArea) {
    var flush = TLBFlush()
    let protection = area.protection
    table.update(area.start, area.end, frames) { address, entry, level in
      var flags = entry.flags
      if protection.isEmpty {
        flags.remove(.present)
        flags.insert(.setAside)
      } else {
        flags.insert(.present)
        flags.remove(.setAside)
      }
      if !protection.contains(.PROT_WRITE) { flags.remove(.writable) }
      if protection.contains(.PROT_EXEC) { flags.remove(.noExecute) } else { flags.insert(.noExecute) }
      if flags != entry.flags { flush.add(address) }
      return PageTableEntry(entry.physical, flags)
    }
    flush.finish()
  }
}
