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
    // The highest place that has the room.
    var taken: [BootInformation.Region] = []
    for region in reserved { taken.insert(region, at: taken.firstIndex { $0.start < region.start } ?? taken.count) }
    for region in information.memory.reversed() {
      var end = region.end
      for hole in taken + [BootInformation.Region(start: region.start, end: region.start)]
      where hole.start < end && hole.end >= region.start {
        if end > hole.end, end - hole.end >= size + UInt(pageSize) {
          let place = BootInformation.Region(start: end - size, end: end)
          reserved.append(place)
          room = place
          wanted = nil
          return
        }
        end = pageFloor(hole.start)
      }
    }
    room = nil
    wanted = size
  }
}
