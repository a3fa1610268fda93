internal import HostSystem

extension GuestOptions {
  /// Checks that the kernel and the initrd fit into the guest's memory beside each other.
  ///
  /// QEMU puts the kernel where it asks to be and the initrd at the end of the memory, and does not look whether one
  /// lies over the other: such a guest ends without a word.
  ///
  /// - Throws: `ToolError` that says how much there is and how much they take; `SystemError`.
  func checkMemory() throws {
    guard let kernel, let memoryBytes, let kernelEnd = try Self.loadedEnd(of: Path(kernel)) else { return }
    var needed = kernelEnd
    var text = "-m \(memory): too little memory: \(kernel) reaches up to \(kernelEnd.kibibytes) KiB"
    if let initrd {
      let size = try FileStatus(of: Path(initrd)).size
      // Behind the initrd the machines with ACPI keep its tables.
      needed += size.pages + (machine == .microvm ? 0 : 0x28000)
      text += ", and \(initrd) takes \(size.kibibytes) KiB"
    }
    if memoryBytes < needed { throw ToolError(text) }
  }

  /// The memory in bytes; nil for more than an address can say.
  private var memoryBytes: UInt64? {
    let digits = memory.utf8.prefix { UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 }
    let shift: UInt64 =
      switch memory.utf8.last {
      case UInt8(ascii: "k"), UInt8(ascii: "K"): 10
      case UInt8(ascii: "g"), UInt8(ascii: "G"): 30
      default: 20
      }
    guard let number = UInt64(String(decoding: digits, as: UTF8.self)), number < 1 << 30 else { return nil }
    return number << shift
  }

  /// Where the last byte of an ELF image ends in physical memory; nil for a kernel in another format.
  private static func loadedEnd(of path: Path) throws -> UInt64? {
    let file = try openFile(path)
    let header = try file.read(count: 64, at: 0, named: path)
    // ELFCLASS64, little-endian, with program headers of the usual size.
    guard header.count == 64, header.starts(with: [0x7f, 0x45, 0x4c, 0x46, 2, 1]), number(header, 54, 2) == 56 else {
      return nil
    }
    let count = Int(number(header, 56, 2))
    let table = try file.read(count: count * 56, at: number(header, 32, 8), named: path)
    var end: UInt64 = 0
    for start in stride(from: 0, to: table.count - 55, by: 56) where number(table, start, 4) == 1 {
      let (sum, overflow) = number(table, start + 24, 8).addingReportingOverflow(number(table, start + 40, 8))
      if overflow { return nil }
      end = max(end, sum)
    }
    return end
  }

  /// A little-endian number.
  private static func number(_ bytes: [UInt8], _ start: Int, _ count: Int) -> UInt64 {
    bytes[start..<(start + count)].reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }
}

extension UInt64 {
  fileprivate var kibibytes: UInt64 { self / 1024 + (self % 1024 == 0 ? 0 : 1) }
  fileprivate var pages: UInt64 { self + (4096 - self % 4096) % 4096 }
}
