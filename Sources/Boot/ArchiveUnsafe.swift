internal import CpioFS
internal import Kernel
internal import Platform
internal import Support

extension CpioFileSystem {
  /// Enters the members of an archive that lies in physical memory and stays there.
  func load(_ region: BootInformation.Region) throws(CPIOError) {
    // SAFETY: the region is reserved for as long as the machine runs, under the direct map.
    let bytes = unsafe UnsafeRawBufferPointer(
      start: PhysicalMemory.pointer(region.start), count: Int(region.end - region.start))
    try load(unsafe bytes.bytes, at: region.start)
  }
}
