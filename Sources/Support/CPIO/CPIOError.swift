/// What is wrong with a cpio archive, and where.
public struct CPIOError: Error, Equatable {
  public enum Reason: Equatable, Sendable {
    /// The archive has no bytes, or zeroes only.
    case empty
    /// A header does not begin with 070701 or 070702.
    case badMagic
    /// The old binary or the portable ASCII format, which cpio writes without `-H newc`.
    case otherFormat
    case unalignedHeader
    case truncatedHeader
    case truncatedName
    case truncatedData
    /// A header field is not eight hexadecimal digits.
    case badNumber
    case nameEmpty
    case nameTooLong
    case nameWithoutNul
    case nameWithParent
    case unknownFileType
    case badSymbolicLink
    case badChecksum
    case missingTrailer
    /// Only for writers: the member or the archive is larger than the format can say.
    case tooLarge
  }

  public let reason: Reason

  /// The offset of the header whose member is at fault.
  public let offset: Int

  public init(_ reason: Reason, at offset: Int) {
    self.reason = reason
    self.offset = offset
  }

  /// The fault in words.
  public var text: StaticString {
    switch reason {
    case .empty: "the archive is empty"
    case .badMagic: "not a newc cpio archive: the magic number is wrong"
    case .otherFormat: "a cpio archive of another format (write it with cpio -H newc)"
    case .unalignedHeader: "a member does not begin at a multiple of four"
    case .truncatedHeader: "the archive ends inside of a member's header"
    case .truncatedName: "the archive ends inside of a member's name"
    case .truncatedData: "a member's data reaches beyond the end of the archive"
    case .badNumber: "a number in a member's header is not hexadecimal"
    case .nameEmpty: "a member has no name"
    case .nameTooLong: "a member's name is longer than 4095 bytes"
    case .nameWithoutNul: "a member's name does not end with a NUL"
    case .nameWithParent: "a member's name has a component '..'"
    case .unknownFileType: "a member is of an unknown file type"
    case .badSymbolicLink: "the target of a symbolic link is empty or longer than 4095 bytes"
    case .badChecksum: "a member's data does not match its checksum"
    case .missingTrailer: "the archive ends without its TRAILER!!! member"
    case .tooLarge: "a member is larger than 4 GiB"
    }
  }

  /// The fault and its place in one line, such as `… (at byte 512)`.
  public var message: [UInt8] {
    var digits: [UInt8] = []
    var rest = offset
    repeat {
      digits.append(UInt8(ascii: "0") + UInt8(rest % 10))
      rest /= 10
    } while rest > 0
    digits.reverse()
    return text.bytes + (" (at byte " as StaticString).bytes + digits + (")" as StaticString).bytes
  }
}
