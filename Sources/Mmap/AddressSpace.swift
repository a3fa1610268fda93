// Mmap: the program's memory. An `AddressSpace` is an ordered set of `MemoryArea`s over a page table; pages come when
// they are touched. Neighbours: Kernel (frames, page tables) below, VFSCore (page caches) beside, Process above.
public import Kernel
public import LinuxABI
internal import Platform
internal import Support
public import VFSCore

/// Where a program's parts go, chosen at exec.
public struct AddressLayoutPlan {
  /// Areas without a wish go below this address.
  public var mmapTop: UInt
  /// One past the stack's highest byte.
  public var stackTop: UInt
  /// Where a position-independent program goes.
  public var executableBase: UInt
  /// Pages between the program's end and the heap.
  public var heapGapPages: UInt

  /// The highest address that a mapping may end at; Linux leaves the last page free as well.
  public static var userEnd: UInt { UserAddress.limit - UInt(pageSize) }

  /// Linux's layout: top-down below a gap for the stack's growth.
  ///
  /// - Parameter random: Random bits to shift the parts by, or nil for `aslr=off`.
  public init(random: (() -> UInt64)?, stackLimit: UInt) {
    let page = UInt(pageSize)
    func shift(_ bits: UInt) -> UInt { random.map { UInt($0() & ((1 << UInt64(bits)) - 1)) * page } ?? 0 }
    stackTop = Self.userEnd - shift(22)
    let gap = min(max(stackLimit, 128 << 20), Self.userEnd / 6 * 5)
    mmapTop = pageFloor(stackTop - gap) - page - shift(28)
    // ELF_ET_DYN_BASE: two thirds of the address space.
    executableBase = 0x5555_5555_4000 + shift(28)
    heapGapPages = shift(13) / page
  }
}

/// The memory of a process.
public final class AddressSpace {
  public let frames: FrameAllocator
  public let table: PageTable
  public private(set) var layout: AddressLayoutPlan
  private let zeroFrame: PageFrame
  /// What the kernel keeps for an area, about.
  private static var bytesOfArea: Int { 192 }
  var areas = OrderedMap<MemoryArea>()
  public var areaCount: Int { areas.count }
  private var lastFound: MemoryArea?
  /// Where `findFree` looks first, and an upper bound of the holes between there and the top.
  private var searchCeiling = UInt.max
  private var longestHoleSkipped: UInt = 0

  /// Pages of the program's memory that have a frame of their own or of a cache.
  public internal(set) var residentPages = 0
  /// The most that was resident at a time.
  public private(set) var peakResidentPages = 0
  /// Sum of the lengths of all areas, in pages.
  public private(set) var totalPages: UInt = 0
  /// The heap's bounds; brk(2).
  public private(set) var heapStart: UInt = 0
  public private(set) var heapEnd: UInt = 0
  /// RLIMIT_STACK, RLIMIT_AS and RLIMIT_DATA, in bytes.
  public var stackLimit: UInt
  public var addressSpaceLimit: UInt = .max
  public var dataLimit: UInt = .max
  /// mlockall(MCL_FUTURE).
  public var locksFuture = false
  /// A fork has made last-level tables common to several address spaces.
  private var mayShareTables = false
  /// Faults served, without and with a wait for a device.
  public private(set) var minorFaults = 0

  /// vm.max_map_count
  public static let maximumAreas = 65530
  /// vm.mmap_min_addr
  public static let minimumAddress: UInt = 65536
  /// What Linux keeps free below a growing stack, in bytes.
  static let stackGuardGap: UInt = 256 * 4096

  /// Makes an empty address space that shares the kernel of `kernelTable`.
  ///
  /// - Parameter zeroFrame: The frame that reads of untouched memory see; never written.
  /// - Throws: `ENOMEM`.
  public init(
    _ frames: FrameAllocator, kernelTable: PageTable, zeroFrame: PageFrame, layout: AddressLayoutPlan, stackLimit: UInt
  ) throws(Errno) {
    self.frames = frames
    self.zeroFrame = zeroFrame
    self.layout = layout
    self.stackLimit = stackLimit
    table = try PageTable(sharingKernelOf: kernelTable, frames)
  }

  /// The kernel's own table as an address space, in which no area is ever made: for processes that have ended.
  public init(kernelTable: PageTable, _ frames: FrameAllocator, zeroFrame: PageFrame) {
    self.frames = frames
    self.zeroFrame = zeroFrame
    layout = AddressLayoutPlan(random: nil, stackLimit: 0)
    stackLimit = 0
    table = kernelTable
  }

  /// Makes a copy as fork(2) does: private pages are copied when one side writes to them. The caller's address space must
  /// be the one in force.
  ///
  /// - Throws: `ENOMEM`.
  public init(forkOf parent: AddressSpace) throws(Errno) {
    guard parent.frames.hasRoom(forBytes: parent.areas.count * Self.bytesOfArea) else { throw .ENOMEM }
    frames = parent.frames
    zeroFrame = parent.zeroFrame
    layout = parent.layout
    stackLimit = parent.stackLimit
    addressSpaceLimit = parent.addressSpaceLimit
    dataLimit = parent.dataLimit
    heapStart = parent.heapStart
    heapEnd = parent.heapEnd
    residentPages = parent.residentPages
    peakResidentPages = residentPages
    table = try PageTable(sharingKernelOf: parent.table, frames)
    mayShareTables = true
    parent.mayShareTables = true
    let result: Result<Void, Errno>
    do throws(Errno) {
      try parent.table.share(with: table, frames)
      result = .success(())
    } catch {
      result = .failure(error)
    }
    // Whatever came of it, the parent's pages are not writable any more.
    CPU.invalidateAll()
    try result.get()
    var position = parent.areas.first
    while let at = position {
      let area = parent.areas[at]
      if area.isForkExcluded || area.isWipedOnFork {
        try table.makeOwnTables(area.start, area.end, frames)
        dropPages(area.start, area.end)
      }
      if !area.isForkExcluded {
        let copy = area.copy(area.start, area.end, from: area.start)
        copy.isLocked = false
        totalPages += copy.length >> pageShift
        attach(copy)
        areas.append(copy.start, copy)
      }
      position = parent.areas.position(after: at)
    }
  }

  deinit {
    forEachArea { detach($0) }
    table.destroy(frames)
  }

  /// Makes this the address space in force.
  public func activate() {
    if CPU.pageTableRoot != table.root { CPU.pageTableRoot = table.root }
  }

  // MARK: Finding areas

  /// The area that holds `address`.
  public func area(at address: UInt) -> MemoryArea? {
    if let lastFound, address >= lastFound.start, address < lastFound.end { return lastFound }
    guard let position = areas.last(atMost: address) else { return nil }
    let area = areas[position]
    guard address < area.end else { return nil }
    lastFound = area
    return area
  }

  /// The first area that ends above `address`.
  public func firstArea(endingAbove address: UInt) -> MemoryArea? {
    if let position = areas.last(atMost: address), areas[position].end > address { return areas[position] }
    return areas.first(above: address).map { areas[$0] }
  }

  /// Calls `body` with every area in ascending order.
  public func forEachArea(_ body: (MemoryArea) -> Void) {
    var position = areas.first
    while let at = position {
      body(areas[at])
      position = areas.position(after: at)
    }
  }

  private func isFree(_ start: UInt, _ end: UInt) -> Bool {
    guard let area = firstArea(endingAbove: start) else { return true }
    return area.start >= end
  }

  /// A free range of `length` bytes whose start is a multiple of `alignment`: the highest below `mmapTop`, else the
  /// lowest above it.
  func findFree(_ length: UInt, alignment: UInt = 4096, below limit: UInt? = nil) -> UInt? {
    // No hole above where the last one was found is long enough: the search goes on there.
    let continues = limit == nil && length > longestHoleSkipped
    if limit == nil, !continues {
      searchCeiling = .max
      longestHoleSkipped = 0
    }
    let top = min(limit ?? layout.mmapTop, continues ? searchCeiling : .max)
    var ceiling = top
    var position = areas.last(atMost: top - 1)
    while true {
      // A growing area keeps its guard gap: the area above `ceiling` decides.
      let floor = position.map { areas[$0].end } ?? Self.minimumAddress
      if ceiling >= floor, ceiling - floor >= length {
        let start = (ceiling - length) & ~(alignment - 1)
        if start >= max(floor, Self.minimumAddress) {
          if limit == nil { searchCeiling = ceiling }
          return start
        }
      }
      if limit == nil, ceiling > floor { longestHoleSkipped = max(longestHoleSkipped, ceiling - floor) }
      guard let at = position else { break }
      let area = areas[at]
      let gap = area.growsDown ? Self.stackGuardGap : 0
      ceiling = min(ceiling, area.start > gap ? area.start - gap : 0)
      position = areas.position(before: at)
    }
    if limit != nil { return nil }
    if continues {
      longestHoleSkipped = .max
      return findFree(length, alignment: alignment)
    }
    var floor = top
    var next = areas.first(above: top - 1)
    if let below = areas.last(atMost: top - 1) { floor = max(floor, areas[below].end) }
    while true {
      let start = (floor + alignment - 1) & ~(alignment - 1)
      let stop =
        next.map { areas[$0].growsDown ? areas[$0].start - Self.stackGuardGap : areas[$0].start }
        ?? AddressLayoutPlan.userEnd
      if start < stop, stop - start >= length { return start }
      guard let at = next else { return nil }
      floor = areas[at].end
      next = areas.position(after: at)
    }
  }

  // MARK: Changing areas

  private func attach(_ area: MemoryArea) {
    if case .pages(let cache, _, _) = area.backing { cache.addObserver(self) }
  }
  private func detach(_ area: MemoryArea) {
    if case .pages(let cache, _, _) = area.backing { cache.removeObserver(self) }
  }

  /// Adds an area over a free range, joining it with its neighbours where they are alike.
  private func insert(_ area: MemoryArea) {
    totalPages += area.length >> pageShift
    var area = area
    if let before = areas.last(atMost: area.start), areas[before].continues(into: area) {
      let previous = areas[before]
      previous.end = area.end
      area = previous
    } else {
      attach(area)
      areas.insert(area.start, area)
    }
    if let after = areas.first(above: area.start), area.continues(into: areas[after]) {
      let next = areas.remove(at: after)
      if lastFound === next { lastFound = nil }
      detach(next)
      area.end = next.end
    }
  }

  /// Cuts the area that spans `address` so that one starts there.
  private func split(_ area: MemoryArea, at address: UInt) throws(Errno) {
    guard area.start < address, address < area.end else { return }
    if areas.count >= Self.maximumAreas { throw .ENOMEM }
    try splitLargePage(crossing: address)
    let upper = area.copy(address, area.end, from: address)
    area.end = address
    attach(upper)
    areas.insert(address, upper)
  }

  /// Splits so that areas begin and end at the bounds of `start..<end`.
  private func isolate(_ start: UInt, _ end: UInt) throws(Errno) {
    if let area = area(at: start) { try split(area, at: start) }
    if end > start, let area = area(at: end - 1) { try split(area, at: end) }
  }

  /// Joins areas around and in `start..<end` that have become alike.
  private func merge(_ start: UInt, _ end: UInt) {
    guard var position = areas.last(atMost: start > 0 ? start - 1 : 0) ?? areas.first else { return }
    while let next = areas.position(after: position) {
      let area = areas[position]
      if area.start > end { return }
      if area.continues(into: areas[next]) {
        let gone = areas.remove(at: next)
        if lastFound === gone { lastFound = nil }
        detach(gone)
        area.end = gone.end
        guard let same = areas.last(atMost: area.start) else { return }
        position = same
      } else {
        position = next
      }
    }
  }

  /// Takes away all areas in `start..<end`.
  private func removeAreas(_ start: UInt, _ end: UInt) throws(Errno) {
    try isolate(start, end)
    try makeOwnTables(start, end)
    var removed = false
    while let area = firstArea(endingAbove: start), area.start < end {
      guard let position = areas.last(atMost: area.start) else { break }
      areas.remove(at: position)
      totalPages -= area.length >> pageShift
      detach(area)
      removed = true
    }
    lastFound = nil
    guard removed else { return }
    dropPages(start, end)
    // Tables that no area needs any more.
    let floor = areas.last(atMost: start).map { areas[$0].end } ?? 0
    let ceiling = areas.first(above: start).map { areas[$0].start } ?? AddressLayoutPlan.userEnd
    longestHoleSkipped = max(longestHoleSkipped, ceiling - floor)
    if ceiling - floor >= UInt(largePageSize) {
      table.releaseTables(
        max(floor, start & ~UInt(largePageSize - 1)),
        min(ceiling, (end + UInt(largePageSize - 1)) & ~UInt(largePageSize - 1)), frames)
    }
  }

  /// Makes sure that all pages of a range can be changed.
  ///
  /// - Throws: `ENOMEM`.
  private func makeOwnTables(_ start: UInt, _ end: UInt) throws(Errno) {
    if mayShareTables { try table.makeOwnTables(start, end, frames) }
  }

  /// Unmaps the pages of a range and gives their frames back.
  func dropPages(_ start: UInt, _ end: UInt) {
    var flush = TLBFlush()
    var dropped = 0
    let frames = frames
    let zero = zeroFrame
    table.update(start, end, frames) { address, entry, level in
      if level == 0 {
        if entry.frame != zero {
          frames.release(entry.frame)
          dropped += 1
        }
      } else {
        frames.releaseRun(entry.frame)
        dropped += 512
      }
      flush.add(address)
      return .empty
    }
    residentPages -= dropped
    flush.finish()
  }

  func countResident(_ pages: Int) {
    residentPages += pages
    if residentPages > peakResidentPages { peakResidentPages = residentPages }
  }
  func countFault() { minorFaults += 1 }
  var zeroPage: PageFrame { zeroFrame }

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
        backing = .pages(cache, file: file, offset: offset)
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
  private func checkedEnd(_ address: UInt, _ length: UInt, zero: Errno?) throws(Errno) -> UInt {
    guard address & UInt(pageSize - 1) == 0 else { throw .EINVAL }
    if length == 0, let zero { throw zero }
    guard let length = pageCeiling(length), address <= UserAddress.limit, length <= UserAddress.limit - address else {
      throw .EINVAL
    }
    return address + length
  }

  // MARK: mprotect

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
  private func applyProtection(_ area: MemoryArea) {
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

  // MARK: mremap

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
  private func target(_ length: UInt, _ flags: RemapFlags, _ address: UInt) throws(Errno) -> UInt {
    if flags.contains(.MREMAP_FIXED) {
      guard address >= Self.minimumAddress else { throw .EPERM }
      try removeAreas(address, address + length)
      return address
    }
    guard let start = findFree(length) else { throw .ENOMEM }
    return start
  }

  private func movePages(_ start: UInt, _ end: UInt, to destination: UInt) throws(Errno) {
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

  // MARK: madvise and its family

  /// Calls `body` with each part of an area in the range; `ENOMEM` afterwards where the range has holes.
  private func forEachPart(_ start: UInt, _ end: UInt, _ body: (MemoryArea, UInt, UInt) throws(Errno) -> Void)
    throws(Errno)
  {
    var at = start
    var hasHole = false
    while at < end {
      guard let area = firstArea(endingAbove: at), area.start < end else {
        hasHole = true
        break
      }
      if area.start > at { hasHole = true }
      let stop = min(area.end, end)
      try body(area, max(area.start, at), stop)
      at = stop
    }
    if hasHole { throw .ENOMEM }
  }

  /// Gives advice. See madvise(2).
  ///
  /// - Throws: `EINVAL`, `ENOMEM`, `EFAULT`.
  public func advise(_ address: UInt, length: UInt, _ rawAdvice: UInt32) throws(Errno) {
    guard let advice = MemoryAdvice(rawValue: rawAdvice) else { throw .EINVAL }
    let end = try checkedEnd(address, length, zero: nil)
    switch advice {
    case .MADV_NORMAL, .MADV_RANDOM, .MADV_SEQUENTIAL, .MADV_WILLNEED, .MADV_COLD, .MADV_PAGEOUT, .MADV_DONTDUMP,
      .MADV_DODUMP,
      .MADV_HUGEPAGE, .MADV_NOHUGEPAGE:
      try forEachPart(address, end) { _, _, _ in }
    case .MADV_DONTNEED, .MADV_DONTNEED_LOCKED, .MADV_FREE:
      try forEachPart(address, end) { area, start, stop throws(Errno) in
        if area.isLocked, advice != .MADV_DONTNEED_LOCKED { throw .EINVAL }
        if advice == .MADV_FREE, area.isShared { throw .EINVAL }
        if advice == .MADV_FREE, case .pages = area.backing { throw .EINVAL }
        try splitLargePage(crossing: start)
        try splitLargePage(crossing: stop)
        try makeOwnTables(start, stop)
        dropPages(start, stop)
      }
    case .MADV_DONTFORK, .MADV_DOFORK, .MADV_WIPEONFORK, .MADV_KEEPONFORK:
      try forEachPart(address, end) { area, start, stop throws(Errno) in
        if advice == .MADV_WIPEONFORK {
          guard case .anonymous = area.backing else { throw .EINVAL }
        }
        try isolate(start, stop)
        guard let part = self.area(at: start) else { return }
        switch advice {
        case .MADV_DONTFORK: part.isForkExcluded = true
        case .MADV_DOFORK: part.isForkExcluded = false
        case .MADV_WIPEONFORK: part.isWipedOnFork = true
        default: part.isWipedOnFork = false
        }
      }
      merge(address, end)
    case .MADV_POPULATE_READ, .MADV_POPULATE_WRITE:
      try forEachPart(address, end) { area, start, stop throws(Errno) in
        for page in stride(from: start, to: stop, by: pageSize) {
          let outcome = handleFault(page, advice == .MADV_POPULATE_WRITE ? .write : .read)
          switch outcome {
          case .resolved: break
          case .outOfMemory: throw .ENOMEM
          case .accessError: throw .EINVAL
          case .noArea, .beyondEnd: throw .EFAULT
          }
        }
      }
    case .MADV_REMOVE, .MADV_MERGEABLE, .MADV_UNMERGEABLE, .MADV_COLLAPSE, .MADV_HWPOISON, .MADV_SOFT_OFFLINE:
      throw .EINVAL
    }
  }

  /// Checks and serves msync(2): RamFS needs no writing back.
  ///
  /// - Throws: `EINVAL`, `ENOMEM`, and what the file throws.
  public func sync(_ address: UInt, length: UInt, _ flags: SyncFlags) throws(Errno) {
    let all: SyncFlags = [.MS_ASYNC, .MS_INVALIDATE, .MS_SYNC]
    guard all.isSuperset(of: flags), !flags.isSuperset(of: [.MS_ASYNC, .MS_SYNC]), address & UInt(pageSize - 1) == 0
    else { throw .EINVAL }
    guard let length = pageCeiling(length), address <= UserAddress.limit, length <= UserAddress.limit - address else {
      throw .ENOMEM
    }
    try forEachPart(address, address + length) { area, _, _ throws(Errno) in
      if flags.contains(.MS_SYNC), area.isShared, case .pages(_, let file?, _) = area.backing { try file.synchronize() }
    }
  }

  /// Locks or unlocks; nothing is ever paged out, so a lock brings the pages in and remembers itself. See mlock(2).
  ///
  /// - Throws: `EINVAL`, `ENOMEM`.
  public func setLocked(_ address: UInt, length: UInt, _ locked: Bool, onFault: Bool = false) throws(Errno) {
    let start = pageFloor(address)
    let (sum, overflow) = address.addingReportingOverflow(length)
    guard !overflow, let end = pageCeiling(sum) else { throw .EINVAL }
    if start == end { return }
    guard end <= UserAddress.limit else { throw .ENOMEM }
    try forEachPart(start, end) { area, from, to throws(Errno) in
      guard area.isLocked != locked else { return }
      try isolate(from, to)
      self.area(at: from)?.isLocked = locked
    }
    merge(start, end)
    guard locked, !onFault else { return }
    try forEachPart(start, end) { area, from, to throws(Errno) in
      populate(from, to, write: area.protection.contains(.PROT_WRITE) && !area.isShared)
    }
  }

  /// Locks or unlocks every area. See mlockall(2).
  public func setAllLocked(_ locked: Bool) {
    forEachArea { $0.isLocked = locked }
    if locked { forEachArea { populate($0.start, $0.end, write: $0.protection.contains(.PROT_WRITE) && !$0.isShared) } }
  }

  /// Which pages are in memory. See mincore(2).
  ///
  /// - Throws: `EINVAL`, `ENOMEM`.
  public func residency(_ address: UInt, length: UInt) throws(Errno) -> [UInt8] {
    guard address & UInt(pageSize - 1) == 0 else { throw .EINVAL }
    guard let length = pageCeiling(length), address <= UserAddress.limit, length <= UserAddress.limit - address else {
      throw .ENOMEM
    }
    var result = [UInt8](repeating: 0, count: Int(length >> pageShift))
    try forEachPart(address, address + length) { area, start, stop in
      for page in stride(from: start, to: stop, by: pageSize) {
        var isResident = false
        if case .pages(let cache, _, _) = area.backing {
          isResident = cache.isCached(area.fileOffset(page) >> UInt64(pageShift))
        }
        if !isResident, let found = table.lookup(page), found.entry.isPresent { isResident = true }
        result[Int((page - address) >> pageShift)] = isResident ? 1 : 0
      }
    }
    return result
  }

  /// Pages of an area that are mapped, and those of them that are the program's own.
  public func residency(of area: MemoryArea) -> (pages: Int, ownPages: Int) {
    var pages = 0
    var own = 0
    let frames = frames
    let zero = zeroPage
    table.forEach(area.start, area.end) { _, entry, level in
      if level == 1 {
        pages += 512
        own += 512
      } else if entry.frame != zero {
        pages += 1
        if entry.has(.writable) || !frames.isShared(entry.frame) { own += 1 }
      }
    }
    return (pages, own)
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

/// Collects the addresses whose translations went away, and flushes them one by one or all at once.
struct TLBFlush {
  private var addresses = InlineArray<16, UInt>(repeating: 0)
  private var count = 0

  @inline(__always)
  mutating func add(_ address: UInt) {
    if count < 16 { addresses[count] = address }
    count &+= 1
  }
  func finish() {
    if count > 16 {
      CPU.invalidateAll()
    } else {
      for i in 0..<count { CPU.invalidate(addresses[i]) }
    }
  }
}
