internal import CShims

/// Memory that a device reads and writes too, by physical address: each access happens, once, and in the order in which
/// it is written down. Unchecked: callers hold the frames they name.
public enum SharedMemory {
  @inline(__always)
  private static func address(_ physical: UInt) -> UInt64 { UInt64(AddressLayout.kernelBase &+ physical) }

  @inline(__always)
  public static func load16(at physical: UInt) -> UInt16 { cshims_mmio_read16(address(physical)) }
  @inline(__always)
  public static func load32(at physical: UInt) -> UInt32 { cshims_mmio_read32(address(physical)) }
  @inline(__always)
  public static func store16(_ value: UInt16, at physical: UInt) { cshims_mmio_write16(address(physical), value) }
  @inline(__always)
  public static func store32(_ value: UInt32, at physical: UInt) { cshims_mmio_write32(address(physical), value) }
  @inline(__always)
  public static func store64(_ value: UInt64, at physical: UInt) { cshims_mmio_write64(address(physical), value) }
}
