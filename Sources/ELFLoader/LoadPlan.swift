public import LinuxABI

/// What to map for an ELF file, computed from its headers before anything is mapped.
///
/// Addresses are those of the file. For a position-independent file, add the bias that ``bias(near:within:)`` gives.
/// Map the segments in their order, each over the ones before: where two share a page, Linux does the same.
public struct LoadPlan: Sendable {
  public static var pageSize: UInt64 { 4096 }

  /// The addresses that a program may use.
  public struct AddressSpace: Sendable {
    /// The lowest address, Linux's vm.mmap_min_addr.
    public var lowest: UInt64

    /// The end, where the kernel begins. A multiple of the page size.
    public var end: UInt64

    public init(lowest: UInt64 = 0x1_0000, end: UInt64 = 0x7f80_0000_0000) {
      self.lowest = lowest
      self.end = end
    }
  }

  /// One segment (PT_LOAD).
  public struct Segment: Equatable, Sendable {
    /// The position in the program header table.
    public let index: Int
    public let fileOffset: UInt64
    public let fileSize: UInt64
    public let virtualAddress: UInt64
    public let memorySize: UInt64
    public let protection: MemoryProtection

    /// The pages to map from the file at ``fileMappingOffset``. Empty when the segment has no bytes there.
    public var fileMapping: Range<UInt64> {
      fileSize == 0 ? pageStart..<pageStart : pageStart..<LoadPlan.pageEnd(virtualAddress + fileSize)
    }

    /// Where in the file ``fileMapping`` begins, a multiple of the page size.
    public var fileMappingOffset: UInt64 { fileSize == 0 ? 0 : fileOffset - (virtualAddress - pageStart) }

    /// The rest of the last page from the file, which must read as zero: the beginning of .bss. Linux writes the zeroes
    /// there even where the program could not (and lets it be where the kernel cannot either).
    public var zeroTail: Range<UInt64> {
      guard memorySize > fileSize, fileSize > 0 else { return fileMapping.upperBound..<fileMapping.upperBound }
      return virtualAddress + fileSize..<fileMapping.upperBound
    }

    /// The anonymous pages behind those from the file: the rest of .bss.
    public var anonymousMapping: Range<UInt64> {
      let start = fileMapping.upperBound
      return start..<max(start, LoadPlan.pageEnd(virtualAddress + memorySize))
    }

    /// All pages of the segment.
    public var pages: Range<UInt64> { pageStart..<anonymousMapping.upperBound }

    private var pageStart: UInt64 { virtualAddress & ~(LoadPlan.pageSize - 1) }
  }

  /// Whether the file may be loaded anywhere (ET_DYN) or only where it says (ET_EXEC).
  public let isPositionIndependent: Bool

  /// The segments by ascending address. There is at least one.
  public let segments: [Segment]

  /// The first instruction.
  public let entry: UInt64

  /// Where the program headers are in memory (AT_PHDR), or nil when no segment holds them.
  public let programHeaderAddress: UInt64?

  /// How many program headers there are (AT_PHNUM).
  public let programHeaderCount: Int

  /// Where in the file the path of the dynamic loader stands (PT_INTERP). See ``interpreterPath(in:)``.
  public let interpreter: Range<UInt64>?

  /// Whether the program wants to execute code on its stack. Without a PT_GNU_STACK it does not, as in Linux for 64-bit
  /// programs since 5.8 (arch/x86/include/asm/elf.h, elf_read_implies_exec).
  public let hasExecutableStack: Bool

  /// The size in PT_GNU_STACK, 0 for the default. Linux does not look at it; musl does, for threads.
  public let stackSize: UInt64

  /// Where in the file the notes of PT_GNU_PROPERTY stand.
  public let properties: Range<UInt64>?

  /// What the bias of a position-independent file must be a multiple of: the largest alignment of its segments.
  public let alignment: UInt64

  /// All pages from the first segment's to the last's.
  public var span: Range<UInt64> {
    segments[0].pages.lowerBound..<segments[segments.count - 1].pages.upperBound
  }

  /// The end of the last segment's memory, where the heap of brk(2) begins.
  public var end: UInt64 {
    let last = segments[segments.count - 1]
    return last.virtualAddress + last.memorySize
  }

  /// Computes the plan for a file, reading the table of program headers through libelf.
  ///
  /// - Parameter table: the bytes of the file at `header.programHeaderTable`.
  public init(
    _ header: ELFFileHeader, programHeaders table: RawSpan, within space: AddressSpace = AddressSpace()
  ) throws(ELFError) {
    try self.init(header, try header.programHeaders(in: table), within: space)
  }

  /// Computes the plan from numbers.
  public init(
    _ header: ELFFileHeader, _ programHeaders: [ELFProgramHeader], within space: AddressSpace = AddressSpace()
  ) throws(ELFError) {
    var segments: [Segment] = []
    var interpreter: Range<UInt64>?
    var properties: Range<UInt64>?
    var hasExecutableStack = false
    var stackSize: UInt64 = 0
    var alignment = Self.pageSize
    for (index, program) in programHeaders.enumerated() {
      switch program.type {
      case ELFProgramHeader.PT_LOAD:
        // A segment without memory maps nothing.
        if program.memorySize == 0, program.fileSize == 0 { continue }
        let segment = try Self.segment(index, program, header, within: space)
        if let last = segments.last {
          guard segment.virtualAddress >= last.virtualAddress else { throw .segmentOutOfOrder(index) }
          guard segment.virtualAddress >= last.virtualAddress + last.memorySize else { throw .segmentsOverlap(index) }
        }
        segments.append(segment)
        // Linux passes over alignments that are no power of two.
        if program.alignment.nonzeroBitCount == 1 { alignment = max(alignment, program.alignment) }
      case ELFProgramHeader.PT_INTERP where interpreter == nil:
        interpreter = try Self.interpreter(program, header)
      case ELFProgramHeader.PT_GNU_STACK:
        hasExecutableStack = program.flags & ELFProgramHeader.PF_X != 0
        stackSize = program.memorySize
      case ELFProgramHeader.PT_GNU_PROPERTY:
        properties = Self.fileRange(program, header)
      default:
        break
      }
    }
    guard !segments.isEmpty else { throw .noSegments }
    guard header.entry < space.end else { throw .entryOutOfReach(header.entry) }

    self.segments = segments
    self.interpreter = interpreter
    self.properties = properties
    self.hasExecutableStack = hasExecutableStack
    self.stackSize = stackSize
    self.alignment = alignment
    isPositionIndependent = header.isPositionIndependent
    entry = header.entry
    programHeaderCount = programHeaders.count
    let table = header.programHeaderTable.lowerBound
    let holder = segments.first { $0.fileOffset <= table && table - $0.fileOffset < $0.fileSize }
    programHeaderAddress = holder.map { $0.virtualAddress + (table - $0.fileOffset) }
  }

  /// The number to add to every address of a position-independent file so that its first page comes to `address`, or
  /// as little below as its alignment asks for, or the lowest place above that the address space allows.
  ///
  /// - Throws: `tooLarge` when the address space has no such place.
  public func bias(near address: UInt64, within space: AddressSpace = AddressSpace()) throws(ELFError) -> UInt64 {
    let mask = ~(alignment - 1)
    // The address of the first page modulo the alignment stays, whatever the bias is.
    let lowest = span.lowerBound
    var bias = address > lowest ? (address - lowest) & mask : 0
    if bias + lowest < space.lowest {
      let (rounded, overflow) = (space.lowest - lowest).addingReportingOverflow(alignment - 1)
      guard !overflow else { throw .tooLarge }
      bias = rounded & mask
    }
    let (end, overflow) = bias.addingReportingOverflow(span.upperBound)
    guard !overflow, end <= space.end else { throw .tooLarge }
    return bias
  }

  /// The path of the dynamic loader.
  ///
  /// - Parameter bytes: those of the file at ``interpreter``.
  public static func interpreterPath(in bytes: [UInt8]) throws(ELFError) -> [UInt8] {
    guard let last = bytes.last else { throw .interpreterEmpty }
    guard last == 0 else { throw .interpreterUnterminated }
    let path = bytes.prefix { $0 != 0 }
    guard !path.isEmpty else { throw .interpreterEmpty }
    return [UInt8](path)
  }

  // MARK: - Checks

  private static func segment(
    _ index: Int, _ program: ELFProgramHeader, _ header: ELFFileHeader, within space: AddressSpace
  ) throws(ELFError) -> Segment {
    guard program.fileSize <= program.memorySize else { throw .segmentSizes(index) }
    let (end, wraps) = program.virtualAddress.addingReportingOverflow(program.memorySize)
    guard !wraps else { throw .segmentWraps(index) }
    guard end <= space.end else { throw .segmentInKernelSpace(index) }
    let pageStart = program.virtualAddress & ~(pageSize - 1)
    guard header.isPositionIndependent || pageStart >= space.lowest else { throw .segmentTooLow(index) }
    if program.fileSize > 0 {
      guard fileRange(program, header) != nil else { throw .segmentOutsideFile(index) }
      guard (program.virtualAddress ^ program.offset) & (pageSize - 1) == 0 else { throw .segmentMisaligned(index) }
    }
    var protection = MemoryProtection.PROT_NONE
    if program.flags & ELFProgramHeader.PF_R != 0 { protection.insert(.PROT_READ) }
    if program.flags & ELFProgramHeader.PF_W != 0 { protection.insert(.PROT_WRITE) }
    if program.flags & ELFProgramHeader.PF_X != 0 { protection.insert(.PROT_EXEC) }
    return Segment(
      index: index, fileOffset: program.offset, fileSize: program.fileSize, virtualAddress: program.virtualAddress,
      memorySize: program.memorySize, protection: protection)
  }

  private static func interpreter(_ program: ELFProgramHeader, _ header: ELFFileHeader) throws(ELFError) -> Range<
    UInt64
  > {
    // Linux counts the NUL, and takes at most PATH_MAX bytes with it.
    guard program.fileSize >= 2 else { throw .interpreterEmpty }
    guard program.fileSize <= 4096 else { throw .interpreterTooLong }
    guard let range = fileRange(program, header) else { throw .interpreterOutsideFile }
    return range
  }

  /// The bytes of the file that the program header names, if the file has them.
  private static func fileRange(_ program: ELFProgramHeader, _ header: ELFFileHeader) -> Range<UInt64>? {
    let (end, overflow) = program.offset.addingReportingOverflow(program.fileSize)
    return !overflow && end <= header.fileSize ? program.offset..<end : nil
  }

  /// Rounds up to the page size. The callers know that the address is below the end of the address space.
  static func pageEnd(_ address: UInt64) -> UInt64 { (address + pageSize - 1) & ~(pageSize - 1) }
}
