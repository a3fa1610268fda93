public import LinuxABI
internal import Platform

/// Gives device registers addresses in the kernel's slot, uncached.
///
/// Mappings stay for good: devices do not go away. Every process shares the kernel's slot, so all see them.
public final class DeviceMapper {
  /// Physical addresses below this are mapped at `AddressLayout.deviceBase` plus themselves, so that what is mapped
  /// already needs no list. All that a PC has lies there, but for large 64-bit windows of PCI.
  private static var directLimit: UInt { 1 << 36 }

  private let table: PageTable
  private let frames: FrameAllocator
  private var nextHigh = AddressLayout.deviceBase + DeviceMapper.directLimit

  /// Maps into `table`, whose kernel slot every other table shares.
  public init(table: PageTable, frames: FrameAllocator) {
    self.table = table
    self.frames = frames
  }

  /// Maps `count` bytes of device memory at `physical`, which need not be aligned, and returns the kernel's address of
  /// the first.
  ///
  /// - Throws: `EINVAL` for an empty range or one beyond the physical address space, `ENOMEM`.
  public func map(physical: UInt, count: Int) throws(Errno) -> UInt {
    guard count > 0, count <= 1 << 30, physical < 1 << 52 else { throw .EINVAL }
    let start = pageFloor(physical)
    let end = physical + UInt(count)
    var address = AddressLayout.deviceBase + start
    if end > Self.directLimit {
      address = nextHigh
      nextHigh += pageFloor(end - start + UInt(pageSize - 1))
    }
    let result = address + (physical - start)
    var page = start
    while page < end {
      let location = try table.makeEntryLocation(address, frames)
      // What is there is the same page, from an earlier call.
      PhysicalMemory.store(
        PageTableEntry(page, [.present, .writable, .writeThrough, .uncached, .global, .noExecute]), at: location)
      address += UInt(pageSize)
      page += UInt(pageSize)
    }
    return result
  }
}
