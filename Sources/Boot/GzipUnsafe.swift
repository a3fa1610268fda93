internal import CZlib
internal import Kernel
internal import Platform

/// gzip over physical memory, by zlib.
enum Gzip {
  static func isGzip(_ region: BootInformation.Region) -> Bool {
    // SAFETY: the region is the VMM's archive, under the direct map.
    unsafe czlib_is_gzip(PhysicalMemory.pointer(region.start), Int(region.end - region.start)) != 0
  }

  static func sizeHint(_ region: BootInformation.Region) -> UInt {
    // SAFETY: as above.
    UInt(unsafe czlib_gzip_size_hint(PhysicalMemory.pointer(region.start), Int(region.end - region.start)))
  }

  /// Decompresses; returns the number of bytes, or what is wrong.
  static func inflate(_ region: BootInformation.Region, into room: BootInformation.Region) -> (
    count: UInt, fault: StaticString?
  ) {
    var count = 0
    // SAFETY: both regions are reserved for this at boot and do not overlap.
    let result = unsafe czlib_inflate_gzip(
      PhysicalMemory.pointer(region.start), Int(region.end - region.start), PhysicalMemory.pointer(room.start),
      Int(room.end - room.start), &count)
    switch UInt32(bitPattern: Int32(result)) {
    case CZLIB_OK.rawValue: return (UInt(count), nil)
    case CZLIB_TRUNCATED.rawValue: return (UInt(count), "the compressed archive ends too early")
    case CZLIB_OUTPUT_FULL.rawValue: return (UInt(count), "the archive is larger than its trailer says")
    case CZLIB_OUT_OF_MEMORY.rawValue: return (UInt(count), "no memory to decompress the archive")
    default: return (UInt(count), "the compressed archive is corrupt")
    }
  }
}
