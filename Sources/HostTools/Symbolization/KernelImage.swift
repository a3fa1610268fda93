internal import HostSystem

/// The address ranges of a kernel image.
struct KernelImage {
  /// Where the kernel sees physical memory: its own code runs there too.
  static let directMap: UInt64 = 0x7f80_0000_0000

  private struct Segment {
    let virtual: UInt64
    let physical: UInt64
    let size: UInt64
  }

  private var segments: [Segment] = []

  /// Reads the program headers of a 64-bit ELF file.
  init(_ path: Path) throws {
    let file = try openFile(path)
    let header = try file.read(count: 64, at: 0, named: path)
    guard header.count == 64, header.starts(with: [0x7f, 0x45, 0x4c, 0x46, 2, 1]) else {
      throw ToolError("\(path) is no 64-bit ELF file")
    }
    let entrySize = Int(word(header, 54, 2))
    let size = entrySize * Int(word(header, 56, 2))
    guard entrySize >= 56, size > 0 else { throw ToolError("\(path) has no program headers") }
    let table = try file.read(count: size, at: word(header, 32, 8), named: path)
    guard table.count == size else { throw ToolError("\(path): the program headers lie outside the file") }
    for start in stride(from: 0, to: size, by: entrySize) where word(table, start, 4) == 1 {
      segments.append(
        Segment(
          virtual: word(table, start + 16, 8), physical: word(table, start + 24, 8), size: word(table, start + 40, 8)))
    }
  }

  /// The address in the image's own terms of an address of the running kernel; `nil` when it is none of the image's.
  func imageAddress(of address: UInt64) -> UInt64? {
    if segments.contains(where: { address >= $0.virtual && address - $0.virtual < $0.size }) { return address }
    // The image is linked at other addresses than it runs at.
    guard address >= Self.directMap else { return nil }
    let physical = address - Self.directMap
    guard let segment = segments.first(where: { physical >= $0.physical && physical - $0.physical < $0.size }) else {
      return nil
    }
    return segment.virtual &+ (physical - segment.physical)
  }

  private func word(_ bytes: [UInt8], _ offset: Int, _ size: Int) -> UInt64 {
    (0..<size).reduce(0) { $0 | UInt64(bytes[offset + $1]) << UInt64(8 * $1) }
  }
}
