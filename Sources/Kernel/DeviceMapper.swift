public import LinuxABI
internal import Platform

/// Gives device registers addresses in the kernel's slot, uncached, upwards from `AddressLayout.deviceBase`.
///
/// Mappings stay for good: devices do not go away. Every process shares the kernel's slot, so all see them.
public final class DeviceMapper {
  private struct Mapping {
    var physical: UInt
    var count: UInt
    var address: UInt
  }

  private let table: PageTable
  private let frames: FrameAllocator
  private var next = AddressLayout.deviceBase
  private var mappings: [Mapping] = []

  /// Maps into `table`, whose kernel slot every other table shares.
  public init(table: PageTable, frames: FrameAllocator) {
    self.table = table
    self.frames = frames
  }

  /// Maps `count` bytes of device memory at `physical`, which need not be aligned, and returns the kernel's address of
  /// the first. What is mapped already is not mapped again.
  ///
  /// - Throws: `EINVAL` for an empty range or one beyond the physical address space, `ENOMEM`.
  public func map(physical: UInt, count: Int) throws(Errno) -> UInt {
    guard count > 0, physical < 1 << 52, count <= 1 << 32 else { throw .EINVAL }
    let start = pageFloor(physical)
    let size = physical - start + UInt(count)
    for mapping in mappings where mapping.physical <= start && start + size <= mapping.physical + mapping.count {
      return mapping.address + (physical - mapping.physical)
    }
    let address = next
    var offset: UInt = 0
    while offset < size {
      let entry = PageTableEntry(
        start + offset, [.present, .writable, .writeThrough, .uncached, .global, .noExecute])
      try table.map(address + offset, entry, frames)
      offset += UInt(pageSize)
    }
    next = address + offset
    mappings.append(Mapping(physical: start, count: offset, address: address))
    return address + (physical - start)
  }
}
