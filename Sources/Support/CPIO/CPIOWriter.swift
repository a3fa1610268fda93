/// Writes a `newc` cpio archive, with the data of files aligned to pages where that is asked for.
///
/// The writer makes the bytes between the data of members, and the caller writes both:
/// ```swift
/// output += try writer.header(name, metadata, dataSize: size, alignment: 4096)
/// output += data
/// …
/// output += writer.trailer()
/// ```
/// Alignment comes from NUL bytes behind the stored name, which the name's size counts in: every reader takes the name
/// to end at its first NUL. Linux reads names of up to 4096 bytes with the padding. When an aligned position is in reach
/// only with more than that (which happens when the next page begins inside of the name), a second entry for the root
/// directory is put in front to move on. A reader sees a directory that it has already.
public struct CPIOWriter {
  /// How many bytes were written so far.
  public private(set) var offset: Int

  /// The root directory's numbers, for the entries that only move on.
  private var root = CPIOMetadata(inode: 0, mode: 0o040755, linkCount: 2)

  private static let rootName: [UInt8] = [UInt8(ascii: ".")]

  /// - Parameter offset: where the archive begins in the file, a multiple of four.
  public init(at offset: Int = 0) {
    self.offset = offset
  }

  /// Makes the header and name of one member, and in front of them what fills up the data of the one before.
  ///
  /// - Parameters:
  ///   - name: the path, without a `/` in front; `.` is the root directory.
  ///   - dataSize: how many bytes the caller writes next.
  ///   - alignment: the data begins at a multiple of it, counted from the beginning of the file; 4, or a power of two up
  ///     to 4096. With a name near its limit the data may be left unaligned.
  /// - Throws: `nameEmpty`, `nameTooLong`, `tooLarge`.
  public mutating func header(
    _ name: [UInt8], _ metadata: CPIOMetadata, dataSize: Int, alignment: Int = 4
  ) throws(CPIOError) -> [UInt8] {
    precondition(alignment >= 4 && alignment <= 4096 && alignment & (alignment - 1) == 0)
    guard !name.isEmpty else { throw CPIOError(.nameEmpty, at: offset) }
    guard name.count < CPIOFormat.maximumNameSize else { throw CPIOError(.nameTooLong, at: offset) }
    guard UInt32(exactly: dataSize) != nil else { throw CPIOError(.tooLarge, at: offset) }
    if name == Self.rootName { root = metadata }

    var bytes = padding(toMultipleOf: 4)
    var nameSize = name.count + 1
    if dataSize > 0, alignment > 4 {
      if let padded = Self.nameSize(name, at: offset, alignment) {
        nameSize = padded
      } else if let filler = Self.fillerNameSize(before: name, at: offset, alignment) {
        bytes += member(Self.rootName, root, dataSize: 0, nameSize: filler)
        nameSize = Self.nameSize(name, at: offset, alignment) ?? nameSize
      }
    }
    return bytes + member(name, metadata, dataSize: dataSize, nameSize: nameSize)
  }

  /// Makes the end of the archive, filled with zeroes to a multiple of 512 bytes as GNU cpio does.
  public mutating func trailer() -> [UInt8] {
    let name = CPIOFormat.trailerName.bytes
    let padding = padding(toMultipleOf: 4)
    let trailer = member(name, CPIOMetadata(inode: 0, mode: 0), dataSize: 0, nameSize: name.count + 1)
    return padding + trailer + self.padding(toMultipleOf: 512)
  }

  private mutating func padding(toMultipleOf unit: Int) -> [UInt8] {
    let count = (unit - offset % unit) % unit
    offset += count
    return [UInt8](repeating: 0, count: count)
  }

  /// The size of the name with its padding that aligns the data of a member at `offset`, if there is one.
  private static func nameSize(_ name: [UInt8], at offset: Int, _ alignment: Int) -> Int? {
    let nameStart = offset + CPIOFormat.headerSize
    let dataStart = (nameStart + name.count + 1 + alignment - 1) & ~(alignment - 1)
    let size = dataStart - nameStart
    return size <= CPIOFormat.maximumNameSize ? size : nil
  }

  /// The size of the root's name with its padding that puts the next member where its name fits in front of a page.
  private static func fillerNameSize(before name: [UInt8], at offset: Int, _ alignment: Int) -> Int? {
    let needed = CPIOFormat.headerSize + name.count + 1
    let smallest = offset + CPIOFormat.headerSize + rootName.count + 1
    var next = ((smallest + needed + alignment - 1) & ~(alignment - 1)) - needed
    next &= ~3
    if next < smallest { next += alignment }
    let size = next - offset - CPIOFormat.headerSize
    return size <= CPIOFormat.maximumNameSize ? size : nil
  }

  private mutating func member(
    _ name: [UInt8], _ metadata: CPIOMetadata, dataSize: Int, nameSize: Int
  ) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(CPIOFormat.headerSize + nameSize + 3)
    bytes += ("070701" as StaticString).bytes
    for number in [
      metadata.inode, metadata.mode, metadata.uid, metadata.gid, metadata.linkCount, metadata.modificationTime,
      UInt32(truncatingIfNeeded: dataSize), metadata.deviceMajor, metadata.deviceMinor, metadata.specialMajor,
      metadata.specialMinor, UInt32(truncatingIfNeeded: nameSize), 0,
    ] {
      for shift in stride(from: UInt32(28), through: 0, by: -4) {
        let digit = UInt8(truncatingIfNeeded: number >> shift) & 15
        bytes.append(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "A") + digit - 10)
      }
    }
    bytes += name
    let end = CPIOFormat.aligned(offset + CPIOFormat.headerSize + nameSize)
    bytes += [UInt8](repeating: 0, count: end - offset - bytes.count)
    offset = end + dataSize
    return bytes
  }
}
