/// Walks over the members of a `newc` cpio archive (070701, and 070702 with checksums) without copying any of it.
///
/// The reader keeps nothing but offsets, so the archive may be mapped anew between two steps:
/// ```swift
/// var reader = CPIOReader()
/// while let entry = try reader.next(in: archive) { … }
/// ```
/// Several archives may follow one another with zeroes between them, as Linux allows for an initrd
/// (Documentation/driver-api/early-userspace/buffer-format.rst).
public struct CPIOReader: Sendable {
  /// Where the next header, or padding in front of it, begins.
  private var offset = 0

  /// How many trailers have been seen.
  private var archive = 0

  /// Whether the last member was a trailer, so that zeroes and the end may follow.
  private var isBetweenArchives = true

  public init() {}

  /// Returns the next member, or nil behind the last archive's trailer. After an error, do not go on.
  public mutating func next(in bytes: RawSpan) throws(CPIOError) -> CPIOEntry? {
    while true {
      if isBetweenArchives {
        while offset < bytes.byteCount, Self.byte(bytes, offset) == 0 { offset += 1 }
        if offset == bytes.byteCount {
          if archive == 0 { throw CPIOError(.empty, at: 0) }
          return nil
        }
        isBetweenArchives = false
      } else if offset >= bytes.byteCount {
        throw CPIOError(.missingTrailer, at: bytes.byteCount)
      }
      let entry = try readMember(of: bytes)
      if Self.isTrailer(entry, in: bytes) {
        archive += 1
        isBetweenArchives = true
      } else {
        try check(entry, in: bytes)
        return entry
      }
    }
  }

  /// Reads the header at `offset`, and moves `offset` behind the member.
  private mutating func readMember(of bytes: RawSpan) throws(CPIOError) -> CPIOEntry {
    let start = offset
    let available = bytes.byteCount - start
    try checkMagic(of: bytes, available)
    guard start & 3 == 0 else { throw CPIOError(.unalignedHeader, at: start) }
    guard available >= CPIOFormat.headerSize else { throw CPIOError(.truncatedHeader, at: start) }

    // cpio(5), "New ASCII Format": thirteen numbers of eight digits behind the magic number.
    var fields = InlineArray<13, UInt32>(repeating: 0)
    for index in 0..<13 { fields[index] = try field(index, of: bytes) }
    let metadata = CPIOMetadata(
      inode: fields[0], mode: fields[1], uid: fields[2], gid: fields[3], linkCount: fields[4],
      modificationTime: fields[5], deviceMajor: fields[7], deviceMinor: fields[8], specialMajor: fields[9],
      specialMinor: fields[10])
    let size = Int(fields[6])
    let nameSize = Int(fields[11])
    let checksum = fields[12]

    guard nameSize > 0 else { throw CPIOError(.nameEmpty, at: start) }
    guard nameSize <= CPIOFormat.maximumNameSize else { throw CPIOError(.nameTooLong, at: start) }
    let nameStart = start + CPIOFormat.headerSize
    guard nameSize <= bytes.byteCount - nameStart else { throw CPIOError(.truncatedName, at: start) }
    guard Self.byte(bytes, nameStart + nameSize - 1) == 0 else { throw CPIOError(.nameWithoutNul, at: start) }
    var nameEnd = nameStart
    while Self.byte(bytes, nameEnd) != 0 { nameEnd += 1 }
    guard nameEnd > nameStart else { throw CPIOError(.nameEmpty, at: start) }

    // What aligns the end of the last member may be missing.
    let dataStart = CPIOFormat.aligned(nameStart + nameSize)
    guard size == 0 || (dataStart <= bytes.byteCount && size <= bytes.byteCount - dataStart) else {
      throw CPIOError(.truncatedData, at: start)
    }
    let data = size == 0 ? nameStart + nameSize..<nameStart + nameSize : dataStart..<dataStart + size
    // Byte 5 is the last digit of the magic number. GNU cpio sums up regular files only, and gives links without data
    // the checksum of the data.
    if Self.byte(bytes, start + 5) == UInt8(ascii: "2"), size > 0, metadata.fileType == CPIOFormat.regularFile,
      Self.sum(of: bytes, data) != checksum
    {
      throw CPIOError(.badChecksum, at: start)
    }
    offset = min(CPIOFormat.aligned(dataStart + size), bytes.byteCount)
    return CPIOEntry(metadata: metadata, name: nameStart..<nameEnd, data: data, archive: archive)
  }

  private func checkMagic(of bytes: RawSpan, _ available: Int) throws(CPIOError) {
    let magic: StaticString = "07070"
    for (index, expected) in magic.bytes.enumerated() where index < available {
      if Self.byte(bytes, offset + index) != expected {
        let isBinary =
          available >= 2
          && (Self.byte(bytes, offset) == 0xc7 && Self.byte(bytes, offset + 1) == 0x71
            || Self.byte(bytes, offset) == 0x71 && Self.byte(bytes, offset + 1) == 0xc7)
        throw CPIOError(isBinary ? .otherFormat : .badMagic, at: offset)
      }
    }
    guard available >= 6 else { throw CPIOError(.truncatedHeader, at: offset) }
    switch Self.byte(bytes, offset + 5) {
    case UInt8(ascii: "1"), UInt8(ascii: "2"): break
    case UInt8(ascii: "7"): throw CPIOError(.otherFormat, at: offset)
    default: throw CPIOError(.badMagic, at: offset)
    }
  }

  /// The header's number `index`. The caller knows that the header is complete.
  private func field(_ index: Int, of bytes: RawSpan) throws(CPIOError) -> UInt32 {
    var value: UInt32 = 0
    let start = offset + 6 + 8 * index
    for position in start..<start + 8 {
      let byte = Self.byte(bytes, position)
      let digit: UInt8
      switch byte {
      case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = byte - UInt8(ascii: "0")
      case UInt8(ascii: "a")...UInt8(ascii: "f"): digit = byte - UInt8(ascii: "a") + 10
      case UInt8(ascii: "A")...UInt8(ascii: "F"): digit = byte - UInt8(ascii: "A") + 10
      default: throw CPIOError(.badNumber, at: offset)
      }
      value = value << 4 | UInt32(digit)
    }
    return value
  }

  private func check(_ entry: CPIOEntry, in bytes: RawSpan) throws(CPIOError) {
    let header = entry.name.lowerBound - CPIOFormat.headerSize
    guard CPIOFormat.isKnown(fileType: entry.metadata.fileType) else { throw CPIOError(.unknownFileType, at: header) }
    if entry.metadata.fileType == CPIOFormat.symbolicLink, !(1..<CPIOFormat.maximumNameSize).contains(entry.data.count)
    {
      // All but one of the links to a symbolic link have no data.
      guard entry.data.isEmpty, entry.metadata.linkCount > 1 else { throw CPIOError(.badSymbolicLink, at: header) }
    }
    var componentStart = entry.name.lowerBound
    for index in entry.name.lowerBound...entry.name.upperBound {
      guard index == entry.name.upperBound || Self.byte(bytes, index) == UInt8(ascii: "/") else { continue }
      if index - componentStart == 2, Self.byte(bytes, componentStart) == UInt8(ascii: "."),
        Self.byte(bytes, componentStart + 1) == UInt8(ascii: ".")
      {
        throw CPIOError(.nameWithParent, at: header)
      }
      componentStart = index + 1
    }
  }

  private static func isTrailer(_ entry: CPIOEntry, in bytes: RawSpan) -> Bool {
    let trailer = CPIOFormat.trailerName.bytes
    guard entry.name.count == trailer.count else { return false }
    for index in trailer.indices where byte(bytes, entry.name.lowerBound + index) != trailer[index] { return false }
    return true
  }

  /// The checksum of 070702: the sum of all bytes.
  private static func sum(of bytes: RawSpan, _ range: Range<Int>) -> UInt32 {
    var sum: UInt32 = 0
    for index in range { sum &+= UInt32(byte(bytes, index)) }
    return sum
  }

  @inline(__always)
  private static func byte(_ bytes: RawSpan, _ index: Int) -> UInt8 {
    // SAFETY: any byte is a UInt8, and the span checks the offset itself.
    unsafe bytes.unsafeLoad(fromByteOffset: index, as: UInt8.self)
  }
}
