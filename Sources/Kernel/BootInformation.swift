internal import Platform

/// What the VMM said of the machine, copied out of its structures.
public struct BootInformation {
  /// A range of physical memory, in bytes.
  public struct Region: Equatable, Sendable {
    public var start: UInt
    public var end: UInt
    public init(start: UInt, end: UInt) {
      self.start = start
      self.end = end
    }
  }

  public enum BootProtocol: Sendable {
    /// hvm_start_info, by the PVH note's entry. Xen: public/arch-x86/hvm/start_info.h.
    case pvh
    /// The zero page, by the ELF entry. Linux: Documentation/arch/x86/zero-page.rst.
    case linux
  }

  /// Usable memory, sorted, without overlaps.
  public internal(set) var memory: [Region] = []
  public internal(set) var commandLine: [UInt8] = []
  /// The initial RAM disk, if there is one.
  public internal(set) var initrd: Region?
  /// Physical address of the ACPI root pointer, or 0.
  public internal(set) var rsdp: UInt = 0
  /// The VMM's own structures, free once this value exists.
  public internal(set) var reserved: [Region] = []

  public enum Failure: Error {
    /// The magic number is not there.
    case notRecognised
    /// No usable memory is described.
    case noMemory
  }

  /// Longest command line that is taken, in bytes.
  static let commandLineLimit = 8192

  /// Reads the structure at physical `address`.
  public init(at address: UInt, _ kind: BootProtocol) throws(Failure) {
    switch kind {
    case .pvh: try readStartInfo(address)
    case .linux: try readZeroPage(address)
    }
    normalise()
    if memory.isEmpty { throw .noMemory }
  }

  private mutating func readStartInfo(_ address: UInt) throws(Failure) {
    func word(_ offset: UInt) -> UInt { UInt(PhysicalMemory.load(UInt64.self, at: address + offset)) }
    func half(_ offset: UInt) -> UInt { UInt(PhysicalMemory.load(UInt32.self, at: address + offset)) }
    guard half(0) == 0x336e_c578 else { throw .notRecognised }
    let version = half(4)
    let moduleCount = half(12)
    if moduleCount > 0 {
      let module = word(16)
      setInitrd(
        UInt(PhysicalMemory.load(UInt64.self, at: module)), UInt(PhysicalMemory.load(UInt64.self, at: module + 8)))
    }
    if word(24) != 0 { readCommandLine(word(24)) }
    rsdp = word(32)
    guard version >= 1 else { return }
    let table = word(40)
    for i in 0..<min(half(48), 512) {
      let entry = table + i * 24
      if PhysicalMemory.load(UInt32.self, at: entry + 16) == 1 {
        add(
          UInt(PhysicalMemory.load(UInt64.self, at: entry)), UInt(PhysicalMemory.load(UInt64.self, at: entry + 8)))
      }
    }
  }

  private mutating func readZeroPage(_ address: UInt) throws(Failure) {
    func half(_ offset: UInt) -> UInt { UInt(PhysicalMemory.load(UInt32.self, at: address + offset)) }
    // boot_flag and header of struct setup_header
    guard PhysicalMemory.load(UInt16.self, at: address + 0x1fe) == 0xaa55, half(0x202) == 0x5372_6448 else {
      throw .notRecognised
    }
    let size = half(0x21c) | half(0xc4) << 32
    if size > 0 { setInitrd(half(0x218) | half(0xc0) << 32, size) }
    let line = half(0x228) | half(0xc8) << 32
    if line != 0 { readCommandLine(line) }
    rsdp = UInt(PhysicalMemory.load(UInt64.self, at: address + 0x70))
    for i in 0..<UInt(min(PhysicalMemory.load(UInt8.self, at: address + 0x1e8), 128)) {
      let entry = address + 0x2d0 + i * 20
      if PhysicalMemory.load(UInt32.self, at: entry + 16) == 1 {
        add(
          UInt(PhysicalMemory.load(UInt64.self, at: entry)), UInt(PhysicalMemory.load(UInt64.self, at: entry + 8)))
      }
    }
  }

  private mutating func readCommandLine(_ address: UInt) {
    var at = address
    while commandLine.count < Self.commandLineLimit {
      let byte = PhysicalMemory.load(UInt8.self, at: at)
      if byte == 0 { break }
      commandLine.append(byte)
      at += 1
    }
  }

  private mutating func setInitrd(_ start: UInt, _ size: UInt) {
    let (end, overflow) = start.addingReportingOverflow(size)
    if size > 0, !overflow { initrd = Region(start: start, end: end) }
  }

  private mutating func add(_ start: UInt, _ size: UInt) {
    let (end, overflow) = start.addingReportingOverflow(size)
    // Whole pages only; page 0 stays out, as frame number 0 means none.
    guard !overflow, let first = pageCeiling(max(start, UInt(pageSize))) else { return }
    let last = min(pageFloor(end), 1 << 44)
    if first < last { memory.append(Region(start: first, end: last)) }
  }

  /// Sorts the regions and joins those that touch or overlap.
  private mutating func normalise() {
    var sorted: [Region] = []
    for region in memory {
      var at = sorted.count
      while at > 0, sorted[at - 1].start > region.start { at -= 1 }
      sorted.insert(region, at: at)
    }
    var joined: [Region] = []
    for region in sorted {
      if let last = joined.last, region.start <= last.end {
        joined[joined.count - 1].end = max(last.end, region.end)
      } else {
        joined.append(region)
      }
    }
    memory = joined
  }
}
