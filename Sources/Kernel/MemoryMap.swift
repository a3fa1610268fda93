internal import LinuxABI
internal import Platform

/// Brings physical memory into use at boot: the frame records, the free frames, and the kernel's own map with W^X.
public struct MemoryMap {
  public let frames: FrameAllocator
  /// The kernel's table: the boot program's half is empty; new processes share its kernel slot.
  public let table: PageTable

  public enum Failure: Error {
    /// Not even the frame records fit.
    case tooLittleMemory
  }

  /// - Parameters:
  ///   - reserved: Ranges in use that the memory regions may contain: the image, the initrd.
  ///   - attach: Called as soon as frames can be allocated; the heap lives on them from then on.
  public init(_ information: BootInformation, reserved: [BootInformation.Region], attach: (FrameAllocator) -> Void)
    throws(Failure)
  {
    // The boot map reaches 1 GiB.
    let reach: UInt = 1 << 30
    guard let last = information.memory.last else { throw .tooLittleMemory }
    let frameLimit = last.end >> pageShift
    let recordBytes = (FrameAllocator.recordBytes(frames: frameLimit) + 4095) & ~4095
    var free: [BootInformation.Region] = []
    for region in information.memory { Self.subtract(reserved, from: region, into: &free) }

    // The records go to the lowest place at or above 1 MiB that holds them; below that is room for little else.
    var place: Int?
    for i in free.indices where free[i].end >= recordBytes {
      let start = free[i].start
      if start + recordBytes <= min(free[i].end, reach), start >= 1 << 20 || recordBytes <= 65536 {
        place = i
        break
      }
    }
    guard let place else { throw .tooLittleMemory }
    let records = free[place].start
    free[place].start += recordBytes

    let frames = FrameAllocator(records: records, frameLimit: UInt32(truncatingIfNeeded: frameLimit))
    for region in reserved {
      frames.markReserved(
        UInt32(truncatingIfNeeded: region.start >> pageShift),
        UInt32(truncatingIfNeeded: (region.end + 4095) >> pageShift))
    }
    // Only what the boot map reaches, until the direct map is complete.
    for region in free where region.start < reach {
      frames.add(
        UInt32(truncatingIfNeeded: region.start >> pageShift),
        UInt32(truncatingIfNeeded: min(region.end, reach) >> pageShift))
    }
    attach(frames)
    table = PageTable(root: Image.bootPageTable)
    do {
      try Self.completeDirectMap(table, upTo: last.end, frames)
      try Self.protectImage(table, frames)
    } catch {
      throw .tooLittleMemory
    }
    for region in free where region.end > reach {
      frames.add(
        UInt32(truncatingIfNeeded: max(region.start, reach) >> pageShift),
        UInt32(truncatingIfNeeded: region.end >> pageShift))
    }
    // The identity map of the entry code ends here: low addresses are the program's.
    PhysicalMemory.store(UInt64(0), at: table.root)
    CPU.pageTableRoot = table.root
    self.frames = frames
  }

  private static func subtract(
    _ reserved: [BootInformation.Region], from region: BootInformation.Region, into free: inout [BootInformation.Region]
  ) {
    for hole in reserved where hole.start < region.end && hole.end > region.start {
      if hole.start > region.start {
        subtract(reserved, from: .init(start: region.start, end: pageFloor(hole.start)), into: &free)
      }
      if hole.end < region.end {
        subtract(reserved, from: .init(start: (hole.end + 4095) & ~4095, end: region.end), into: &free)
      }
      return
    }
    if region.start < region.end { free.append(region) }
  }

  private static let data: PageTableEntry.Flags = [.present, .writable, .accessed, .dirty, .global, .noExecute]

  private static func completeDirectMap(_ table: PageTable, upTo end: UInt, _ frames: FrameAllocator) throws(Errno) {
    let gigabyte: UInt = 1 << 30
    var physical = UInt(0)
    while physical < end {
      let address = AddressLayout.kernelBase + physical
      if physical >= gigabyte, CPU.has(.pages1G) {
        let location = try table.makeEntryLocation(address, level: 2, frames)
        PhysicalMemory.store(PageTableEntry(physical, data.union(.large)), at: location)
        physical += gigabyte
      } else {
        let location = try table.makeEntryLocation(address, level: 1, frames)
        // This very code runs from the image's pages; `protectImage` gives them their protections.
        let holdsImage = physical < Image.end && Image.start < physical + UInt(largePageSize)
        let flags = holdsImage ? data.subtracting(.noExecute) : data
        PhysicalMemory.store(PageTableEntry(physical, flags.union(.large)), at: location)
        physical += UInt(largePageSize)
      }
    }
  }

  /// Splits the large pages under the image and gives text, read-only data and data their protections.
  private static func protectImage(_ table: PageTable, _ frames: FrameAllocator) throws(Errno) {
    var large = Image.start & ~UInt(largePageSize - 1)
    while large < Image.end {
      let leaf = try frames.allocate(.kernel)
      for i in 0..<UInt(512) {
        let physical = large + i * UInt(pageSize)
        var flags = data
        if physical >= Image.start, physical < Image.readOnlyEnd {
          flags.remove([.writable, .dirty])
          if physical < Image.textEnd { flags.remove(.noExecute) }
        }
        PhysicalMemory.store(PageTableEntry(physical, flags), at: leaf.physical + i * 8)
      }
      let location = try table.makeEntryLocation(AddressLayout.kernelBase + large, level: 1, frames)
      PhysicalMemory.store(PageTableEntry(leaf.physical, [.present, .writable]), at: location)
      large += UInt(largePageSize)
    }
  }
}
