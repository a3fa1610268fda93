internal import Drivers
internal import Kernel
internal import Platform

extension PowerControl {
  /// Writes the first bytes of a frame to the export channel.
  func export(_ frame: PageFrame, count: Int) {
    // SAFETY: the frame is held by a page cache and lies under the direct map.
    let bytes = unsafe UnsafeRawBufferPointer(
      start: PhysicalMemory.pointer(frame.physical), count: min(count, pageSize))
    export(unsafe bytes.bytes)
  }
}
