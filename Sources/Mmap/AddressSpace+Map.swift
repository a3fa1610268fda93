public import Kernel
public import LinuxABI
internal import Platform
internal import Support
public import VFSCore

extension AddressSpace {
  // MARK: mmap, munmap

  /// Maps memory. See mmap(2).
  ///
  /// - Parameters:
  ///   - address: A page-aligned wish, or the place with MAP_FIXED.
  ///   - file: The file and its offset in bytes, or nil for anonymous memory.
  ///   - name: What /proc/self/maps shows for an area without a file.
  ///   - segment: Shared memory that is no file's, to be mapped from its beginning.
  /// - Returns: The address.
  /// - Throws: `EINVAL`, `ENOMEM`, `EEXIST`, `EPERM`, `EACCES`, `ENODEV`, `EOVERFLOW`.
  public func map(
    _ address: UInt, length: UInt, _ protection: MemoryProtection, _ flags: MappingFlags,
    file: (file: OpenFile, offset: UInt64)? = nil, alignment: UInt = 4096, name: StaticString? = nil,
    segment: (cache: PageCache, counter: any MappingCounter, mayWrite: Bool)? = nil
  ) throws(Errno) -> UInt {
    guard length > 0 else { throw .EINVAL }
    guard let length = pageCeiling(length), length <= AddressLayoutPlan.userEnd else { throw .ENOMEM }
    let isShared: Bool
    switch flags.type {
    case .MAP_PRIVATE: isShared = false
    case .MAP_SHARED, .MAP_SHARED_VALIDATE: isShared = true
    default: throw .EINVAL
    }
    let isFixed = flags.contains(.MAP_FIXED) || flags.contains(.MAP_FIXED_NOREPLACE)
    var backing = MemoryArea.Backing.anonymous
    var mayWrite = true
    if let (file, offset) = file {
      guard offset & UInt64(pageSize - 1) == 0 else { throw .EINVAL }
      guard offset.addingReportingOverflow(UInt64(length)).overflow == false else { throw .EOVERFLOW }
      guard file.isReadable else { throw .EACCES }
      if protection.contains(.PROT_EXEC), file.path.mount.flags.contains(.ST_NOEXEC) { throw .EPERM }
      if isShared, !file.isWritable {
        if protection.contains(.PROT_WRITE) { throw .EACCES }
        mayWrite = false
      }
      if let cache = try file.mappingCache() {
        backing = .pages(cache, file: file.mappedFile, offset: offset)
      } else if isShared {
        // /dev/zero: shared memory without a file.
        backing = .pages(PageCache(frames: frames), file: nil, offset: 0)
      }
    } else if let segment {
      backing = .pages(segment.cache, file: nil, offset: 0)
      mayWrite = segment.mayWrite
    } else if isShared {
      backing = .pages(PageCache(frames: frames), file: nil, offset: 0)
    }
    let start: UInt
    if isFixed {
      guard address & UInt(pageSize - 1) == 0 else { throw .EINVAL }
      guard address <= AddressLayoutPlan.userEnd, length <= AddressLayoutPlan.userEnd - address else { throw .ENOMEM }
      guard address >= Self.minimumAddress else { throw .EPERM }
      if flags.contains(.MAP_FIXED_NOREPLACE), !isFree(address, address + length) { throw .EEXIST }
      start = address
    } else {
      let wish = pageFloor(address)
      if wish >= Self.minimumAddress, wish <= AddressLayoutPlan.userEnd - length, wish & (alignment - 1) == 0,
        isFree(wish, wish + length)
      {
        start = wish
      } else if flags.contains(.MAP_32BIT) {
        guard let found = findFree(length, alignment: alignment, below: 1 << 31) else { throw .ENOMEM }
        start = found
      } else {
        guard let found = findFree(length, alignment: alignment) else { throw .ENOMEM }
        start = found
      }
    }
    guard (totalPages << pageShift).addingReportingOverflow(length).partialValue <= addressSpaceLimit else {
      throw .ENOMEM
    }
    if areas.count >= Self.maximumAreas { throw .ENOMEM }
    // vm.overcommit_memory 0: what can never be had is refused.
    if protection.contains(.PROT_WRITE), !flags.contains(.MAP_NORESERVE), file == nil || !isShared,
      length >> pageShift > UInt(frames.totalFrames)
    {
      throw .ENOMEM
    }
    if isFixed { try removeAreas(start, start + length) }
    let area = MemoryArea(
      start: start, end: start + length, protection: protection.intersection([.PROT_READ, .PROT_WRITE, .PROT_EXEC]),
      backing: backing, isShared: isShared, growsDown: flags.contains(.MAP_GROWSDOWN), name: name, mayWrite: mayWrite,
      counter: segment?.counter)
    area.isLocked = flags.contains(.MAP_LOCKED) || locksFuture
    insert(area)
    if flags.contains(.MAP_POPULATE) || area.isLocked {
      populate(start, start + length, write: protection.contains(.PROT_WRITE))
    } else {
      mapCachedPages(of: area)
    }
    return start
  }

  /// Maps frames of the kernel's, read-only or executable: the vDSO.
  ///
  /// - Throws: `ENOMEM`.
  public func mapKernelFrames(
    _ pages: [PageFrame], at address: UInt, _ protection: MemoryProtection, name: StaticString
  ) throws(Errno) {
    let area = MemoryArea(
      start: address, end: address + UInt(pages.count * pageSize), protection: protection, backing: .kernel(pages),
      name: name, mayWrite: false)
    insert(area)
  }

  /// Finds room for `length` bytes as mmap(2) without a wish would.
  public func reserveRange(_ length: UInt, alignment: UInt = 4096) throws(Errno) -> UInt {
    guard let start = findFree(length, alignment: alignment) else { throw .ENOMEM }
    return start
  }

  /// Unmaps the segment that was mapped at `address`: all that is left there of its areas. See shmdt(2).
  ///
  /// - Returns: Whether there was one.
  /// - Throws: `ENOMEM`.
  public func unmapSegment(at address: UInt) throws(Errno) -> Bool {
    // Parts of it may have been unmapped: the first area that lies where the segment's beginning would be at `address`.
    func fits(_ area: MemoryArea) -> Bool {
      area.counter != nil && area.fileOffset(area.start) == UInt64(area.start - address)
    }
    var at = address
    var counter: (any MappingCounter)?
    while let area = firstArea(endingAbove: at) {
      at = area.end
      guard area.start >= address, fits(area), counter == nil || area.counter === counter else { continue }
      counter = area.counter
      try unmap(area.start, length: area.length)
    }
    return counter != nil
  }

  /// Unmaps. See munmap(2).
  ///
  /// - Throws: `EINVAL`, `ENOMEM`.
  public func unmap(_ address: UInt, length: UInt) throws(Errno) {
    let end = try checkedEnd(address, length, zero: .EINVAL)
    try removeAreas(address, end)
  }

  /// The end of a page-aligned user range.
  func checkedEnd(_ address: UInt, _ length: UInt, zero: Errno?) throws(Errno) -> UInt {
    guard address & UInt(pageSize - 1) == 0 else { throw .EINVAL }
    if length == 0, let zero { throw zero }
    guard let length = pageCeiling(length), address <= UserAddress.limit, length <= UserAddress.limit - address else {
      throw .EINVAL
    }
    return address + length
  }

  // MARK: brk

  /// Places the heap after the program.
  public func setHeap(start: UInt) {
    heapStart = start
    heapEnd = start
  }

  /// Moves the end of the heap; returns where it is afterwards. See brk(2), whose system call never fails.
  public func moveHeapEnd(_ wanted: UInt) -> UInt {
    guard wanted >= heapStart, wanted < AddressLayoutPlan.userEnd, wanted - heapStart <= dataLimit,
      let oldTop = pageCeiling(heapEnd), let newTop = pageCeiling(wanted)
    else { return heapEnd }
    do throws(Errno) {
      if newTop > oldTop {
        // A page stays free before what follows.
        guard isFree(oldTop, newTop + UInt(pageSize)),
          (totalPages << pageShift) + (newTop - oldTop) <= addressSpaceLimit
        else { return heapEnd }
        insert(
          MemoryArea(
            start: oldTop, end: newTop, protection: [.PROT_READ, .PROT_WRITE], backing: .anonymous, name: "[heap]"))
      } else if newTop < oldTop {
        try removeAreas(newTop, oldTop)
      }
    } catch {
      return heapEnd
    }
    heapEnd = wanted
    return wanted
  }

  // MARK: Stack

  /// Makes the initial stack area: one page now, growing down to `stackLimit`.
  ///
  /// - Throws: `ENOMEM`.
  public func makeStack(size: UInt, executable: Bool) throws(Errno) {
    let bytes = (size + 4095) & ~4095
    guard bytes <= max(stackLimit, 131_072) else { throw .ENOMEM }
    insert(
      MemoryArea(
        start: layout.stackTop - bytes, end: layout.stackTop,
        protection: executable ? [.PROT_READ, .PROT_WRITE, .PROT_EXEC] : [.PROT_READ, .PROT_WRITE], backing: .anonymous,
        growsDown: true, name: "[stack]"))
  }

  /// Extends the growing area above `address` down to it, if there is one and the limits allow.
  func growDown(to address: UInt) -> MemoryArea? {
    guard let position = areas.first(above: address) else { return nil }
    let area = areas[position]
    guard area.growsDown else { return nil }
    let start = pageFloor(address)
    guard area.end - start <= stackLimit, start >= Self.minimumAddress else { return nil }
    if let before = areas.position(before: position) {
      let below = areas[before]
      if !below.growsDown, !below.protection.isEmpty, start < below.end + Self.stackGuardGap { return nil }
      if start < below.end { return nil }
    }
    if (totalPages << pageShift) + (area.start - start) > addressSpaceLimit { return nil }
    totalPages += (area.start - start) >> pageShift
    if case .pages(let cache, let file, let offset) = area.backing {
      let growth = UInt64(area.start - start)
      guard offset >= growth else { return nil }
      area.backing = .pages(cache, file: file, offset: offset - growth)
    }
    area.start = start
    areas.rekey(position, start)
    return area
  }
}
