internal import Kernel
internal import Platform

/// The initial RAM disk: where it lies, and where it goes when it is compressed.
struct Initrd {
  /// What the VMM loaded; nil when it loaded nothing.
  let loaded: BootInformation.Region?
  /// Room for the decompressed archive; nil when it is not compressed.
  let room: BootInformation.Region?
  /// Set when no region has room for the decompressed archive: the bytes that are wanted.
  let wanted: UInt?

  /// Looks at the archive's first bytes, and keeps its memory, and room to decompress it, out of the free memory.
  init(_ information: BootInformation, reserving reserved: inout [BootInformation.Region]) {
    loaded = information.initrd
    guard let loaded else {
      room = nil
      wanted = nil
      return
    }
    reserved.append(loaded)
    guard loaded.end <= 1 << 30 || loaded.start < 1 << 30, Gzip.isGzip(loaded) else {
      room = nil
      wanted = nil
      return
    }
    let size = (Gzip.sizeHint(loaded) + 4095) & ~4095
    // From the top of the highest region that has the room, below the archive itself if that is in the way.
    for region in information.memory.reversed() {
      var end = region.end
      for taken in reserved.reversed() where taken.start < end && taken.end > region.start { end = min(end, taken.start & ~4095) }
      if end > region.start, end - region.start >= size {
        let place = BootInformation.Region(start: end - size, end: end)
        reserved.append(place)
        room = place
        wanted = nil
        return
      }
    }
    room = nil
    wanted = size
  }
}
