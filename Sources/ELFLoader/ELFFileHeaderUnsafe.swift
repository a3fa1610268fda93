internal import CLibELF

/// The header of an ELF file that this machine can run, read through libelf.
public struct ELFFileHeader: Sendable {
  /// The bytes of a 64-bit ELF header.
  public static var size: Int { 64 }

  /// The bytes of one program header in a 64-bit file.
  public static var programHeaderSize: Int { 56 }

  /// How many program headers Linux takes: as many as fit into 64 KiB.
  public static var maximumProgramHeaderCount: Int { 65536 / programHeaderSize }

  /// Whether the addresses in the file are final (ET_EXEC) or start from anywhere (ET_DYN).
  public let isPositionIndependent: Bool
  public let entry: UInt64
  public let fileSize: UInt64

  /// Where the program headers stand in the file. It lies within the file, and is no larger than 64 KiB.
  public let programHeaderTable: Range<UInt64>

  /// The header itself.
  private let bytes: [UInt8]

  /// Makes a header from numbers, for a ``LoadPlan`` whose program headers are known already.
  public init(isPositionIndependent: Bool, entry: UInt64, fileSize: UInt64, programHeaderTable: Range<UInt64>) {
    self.isPositionIndependent = isPositionIndependent
    self.entry = entry
    self.fileSize = fileSize
    self.programHeaderTable = programHeaderTable
    bytes = []
  }

  /// Reads and checks the header.
  ///
  /// - Parameters:
  ///   - start: the first bytes of the file: all of them, or at least ``size``.
  ///   - fileSize: how long the file is.
  public init(parsing start: RawSpan, fileSize: UInt64) throws(ELFError) {
    var bytes = Self.copy(start, limit: Self.size)
    guard !bytes.isEmpty else { throw .empty }
    let magic: [UInt8] = [0x7f, UInt8(ascii: "E"), UInt8(ascii: "L"), UInt8(ascii: "F")]
    guard bytes.starts(with: magic.prefix(bytes.count)) else { throw .notELF }
    // e_ident: class, byte order and version follow the magic number.
    if bytes.count > 4, bytes[4] != 1, bytes[4] != 2 { throw .unknownClass(bytes[4]) }
    if bytes.count > 5, bytes[5] != 1, bytes[5] != 2 { throw .unknownByteOrder(bytes[5]) }
    if bytes.count > 6, bytes[6] != 1 { throw .unknownVersion(bytes[6]) }
    let isThirtyTwoBit = bytes.count > 4 && bytes[4] == 1
    guard bytes.count >= (isThirtyTwoBit ? 52 : Self.size) else { throw .truncatedHeader }

    var header = clibelf_header()
    // SAFETY: libelf reads `count` bytes of the array and keeps no pointer to it, and the function fills the structure.
    let isELF = unsafe bytes.withUnsafeMutableBytes { buffer in
      unsafe clibelf_read_header(buffer.baseAddress, buffer.count, &header) != 0
    }
    guard isELF else { throw .notELF }
    if isThirtyTwoBit { throw .thirtyTwoBit(machine: header.machine) }
    if header.encoding == 2 { throw .bigEndian(machine: header.machine) }
    guard header.machine == ELFMachine.amd64 else { throw .wrongMachine(header.machine) }
    switch header.type {
    case 2: isPositionIndependent = false
    case 3: isPositionIndependent = true
    default: throw .notExecutable(type: header.type)
    }
    guard Int(header.program_header_size) == Self.programHeaderSize else {
      throw .wrongProgramHeaderSize(header.program_header_size)
    }
    guard header.program_header_count > 0 else { throw .noProgramHeaders }
    // Among what this refuses is PN_XNUM (0xffff), which means that the count stands elsewhere.
    guard Int(header.program_header_count) <= Self.maximumProgramHeaderCount else {
      throw .tooManyProgramHeaders(header.program_header_count)
    }
    let tableSize = UInt64(header.program_header_count) * UInt64(Self.programHeaderSize)
    let (tableEnd, overflow) = header.program_header_offset.addingReportingOverflow(tableSize)
    guard !overflow, tableEnd <= fileSize else { throw .truncatedProgramHeaders }
    programHeaderTable = header.program_header_offset..<tableEnd
    entry = header.entry
    self.fileSize = fileSize
    self.bytes = bytes
  }

  /// Reads the program headers through libelf.
  ///
  /// - Parameter table: the bytes of the file at ``programHeaderTable``.
  public func programHeaders(in table: RawSpan) throws(ELFError) -> [ELFProgramHeader] {
    let tableSize = Int(programHeaderTable.upperBound - programHeaderTable.lowerBound)
    guard bytes.count == Self.size, table.byteCount >= tableSize else { throw .truncatedProgramHeaders }
    // libelf wants header and table in one piece of memory, but in a file they may be any distance apart. So it gets
    // the header with the table right behind it, and without sections, which it would look for.
    var image = bytes
    for index in Self.programHeaderOffsetField { image[index] = 0 }
    image[Self.programHeaderOffsetField.lowerBound] = UInt8(Self.size)
    for index in Self.sectionFields { image[index] = 0 }
    image += Self.copy(table, limit: tableSize)

    let count = tableSize / Self.programHeaderSize
    var headers = [clibelf_program_header](repeating: clibelf_program_header(), count: count)
    // SAFETY: libelf reads within the array and keeps no pointer to it, and the function writes `count` headers at most.
    let read = unsafe image.withUnsafeMutableBytes { buffer in
      unsafe headers.withUnsafeMutableBufferPointer { headers in
        unsafe clibelf_read_program_headers(buffer.baseAddress, buffer.count, headers.baseAddress, headers.count)
      }
    }
    guard read == count else { throw .truncatedProgramHeaders }
    return headers.map { header in
      ELFProgramHeader(
        type: header.type, flags: header.flags, offset: header.offset, virtualAddress: header.virtual_address,
        fileSize: header.file_size, memorySize: header.memory_size, alignment: header.alignment)
    }
  }

  /// Where e_phoff stands.
  private static var programHeaderOffsetField: Range<Int> { 32..<40 }

  /// Where e_shoff, e_shentsize, e_shnum and e_shstrndx stand.
  private static var sectionFields: [Int] { [40, 41, 42, 43, 44, 45, 46, 47, 58, 59, 60, 61, 62, 63] }

  private static func copy(_ span: RawSpan, limit: Int) -> [UInt8] {
    let count = min(span.byteCount, limit)
    // SAFETY: no more than the span has is copied into storage of that size.
    return unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
      unsafe span.withUnsafeBytes {
        unsafe UnsafeMutableRawBufferPointer(buffer).copyMemory(from: .init(rebasing: $0[..<count]))
      }
      initialized = count
    }
  }
}
