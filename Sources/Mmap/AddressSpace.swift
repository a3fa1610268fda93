// Mmap: the program's memory. An `AddressSpace` is an ordered set of `MemoryArea`s over a page table; pages come when
// they are touched. Neighbours: Kernel (frames, page tables) below, VFSCore (page caches) beside, Process above.
//
// - `AddressSpace.swift`: what there is, fork, and finding areas and room.
// - `+Areas`: entering, splitting and removing areas. `+Map`, `+Protect`, `+Remap`, `+Advise`: the system calls, by family.
// - `+Fault`: what a touch brings.
public import Kernel
public import LinuxABI
internal import Platform
internal import Support

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
  public internal(set) var layout: AddressLayoutPlan
  let zeroFrame: PageFrame
  /// What the kernel keeps for an area, about.
  static var bytesOfArea: Int { 192 }
  var areas = OrderedMap<MemoryArea>()
  public var areaCount: Int { areas.count }
  var lastFound: MemoryArea?
  /// Where `findFree` looks first, and an upper bound of the holes between there and the top.
  var searchCeiling = UInt.max
  var longestHoleSkipped: UInt = 0

  /// Pages of the program's memory that have a frame of their own or of a cache.
  public internal(set) var residentPages = 0
  /// The most that was resident at a time.
  public internal(set) var peakResidentPages = 0
  /// Sum of the lengths of all areas, in pages.
  public internal(set) var totalPages: UInt = 0
  /// The heap's bounds; brk(2).
  public internal(set) var heapStart: UInt = 0
  public internal(set) var heapEnd: UInt = 0
  /// RLIMIT_STACK, RLIMIT_AS and RLIMIT_DATA, in bytes.
  public var stackLimit: UInt
  public var addressSpaceLimit: UInt = .max
  public var dataLimit: UInt = .max
  /// mlockall(MCL_FUTURE).
  public var locksFuture = false
  /// A fork has made last-level tables common to several address spaces.
  var mayShareTables = false
  /// Faults served, without and with a wait for a device.
  public internal(set) var minorFaults = 0

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

  func isFree(_ start: UInt, _ end: UInt) -> Bool {
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
}
