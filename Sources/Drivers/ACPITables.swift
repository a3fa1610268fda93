public import Kernel
internal import LinuxABI
internal import Platform
internal import Support

/// Gives bytes of physical memory to a parser of firmware tables.
public protocol PhysicalByteSource: AnyObject {
  /// `count` bytes at physical `address`, or nil where there are none.
  func bytes(at address: UInt, count: Int) -> [UInt8]?
}

extension DeviceMapper: PhysicalByteSource {
  /// Firmware tables may lie beyond what the direct map covers.
  public func bytes(at address: UInt, count: Int) -> [UInt8]? {
    let mapped: UInt
    do throws(Errno) { mapped = try map(physical: address, count: count) } catch { return nil }
    return (0..<count).map { DeviceMemory.read8(mapped + UInt($0)) }
  }
}

/// The firmware's tables, read when they are needed: to switch the machine off.
/// ACPI specification 6.5, chapter 5.
public struct ACPITables {
  /// A table's bytes, header included; its checksum is right.
  public struct Table {
    public let bytes: [UInt8]

    func load8(_ offset: Int) -> UInt8? { offset >= 0 && offset < bytes.count ? bytes[offset] : nil }
    func load32(_ offset: Int) -> UInt32? { load(offset, 4).map { UInt32(truncatingIfNeeded: $0) } }
    func load64(_ offset: Int) -> UInt64? { load(offset, 8) }
    private func load(_ offset: Int, _ count: Int) -> UInt64? { littleEndian(bytes, offset, count) }
  }

  /// Tables above this length are not believed.
  static var lengthLimit: Int { 1 << 20 }
  private static var headerLength: Int { 36 }

  private let memory: any PhysicalByteSource
  /// Physical addresses of the tables.
  let addresses: [UInt]

  /// Reads the list of tables; nil when there is none that holds together.
  ///
  /// - Parameter rootPointer: Where the boot protocol says that the root pointer is, or 0 to look for it in the
  ///   firmware's memory.
  public init?(memory: any PhysicalByteSource, rootPointer: UInt) {
    self.memory = memory
    guard let root = rootPointer != 0 ? rootPointer : Self.findRootPointer(memory),
      let rsdp = memory.bytes(at: root, count: 20), Self.isRootPointer(rsdp, 0)
    else { return nil }
    if rsdp[15] >= 2, let extended = memory.bytes(at: root, count: 36), sum(extended, 0, 36) == 0,
      let xsdt = littleEndian(extended, 24, 8), xsdt != 0,
      let table = Self.table(memory, at: UInt(xsdt), "XSDT")
    {
      addresses = Self.entries(table, width: 8)
    } else if let rsdt = littleEndian(rsdp, 16, 4), let table = Self.table(memory, at: UInt(rsdt), "RSDT") {
      addresses = Self.entries(table, width: 4)
    } else {
      return nil
    }
  }

  private static func entries(_ table: Table, width: Int) -> [UInt] {
    var result: [UInt] = []
    var offset = headerLength
    while let value = littleEndian(table.bytes, offset, width) {
      result.append(UInt(value))
      offset += width
    }
    return result
  }

  private static func isRootPointer(_ bytes: [UInt8], _ offset: Int) -> Bool {
    matches(bytes, offset, "RSD PTR ") && sum(bytes, offset, 20) == 0
  }

  /// Looks through the first KiB of the EBDA and the BIOS area. ACPI specification 5.2.5.1.
  private static func findRootPointer(_ memory: any PhysicalByteSource) -> UInt? {
    var ranges: [(start: UInt, count: Int)] = [(0xe0000, 0x20000)]
    if let word = memory.bytes(at: 0x40e, count: 2), let segment = littleEndian(word, 0, 2), segment != 0 {
      ranges.insert((UInt(segment) << 4, 1024), at: 0)
    }
    for range in ranges {
      guard let bytes = memory.bytes(at: range.start, count: range.count) else { continue }
      for offset in stride(from: 0, to: range.count - 20, by: 16) where isRootPointer(bytes, offset) {
        return range.start + UInt(offset)
      }
    }
    return nil
  }

  private static func table(_ memory: any PhysicalByteSource, at address: UInt, _ signature: StaticString) -> Table? {
    guard let header = memory.bytes(at: address, count: headerLength), matches(header, 0, signature),
      let length = littleEndian(header, 4, 4), (UInt64(headerLength)...UInt64(lengthLimit)).contains(length),
      let bytes = memory.bytes(at: address, count: Int(length)), sum(bytes, 0, bytes.count) == 0
    else { return nil }
    return Table(bytes: bytes)
  }

  /// The first table with this signature of four letters.
  public func find(_ signature: StaticString) -> Table? {
    for address in addresses {
      if let table = Self.table(memory, at: address, signature) { return table }
    }
    return nil
  }

  // MARK: What is read from them

  /// How software switches the machine off.
  public enum SoftOff: Equatable, Sendable {
    /// Write to the PM1 control registers, ports; `b` is 0 where there is only one.
    case ports(a: UInt16, b: UInt16, valueA: UInt16, valueB: UInt16)
    /// Write to the sleep control register of hardware-reduced ACPI.
    case register(address: UInt64, isPort: Bool, value: UInt8)
  }

  /// The way to state S5 by the FADT and the DSDT's `\_S5` package.
  public var softOff: SoftOff? {
    guard let fadt = find("FACP"), let flags = fadt.load32(112) else { return nil }
    let wide = fadt.load64(140) ?? 0
    let dsdtAddress = wide != 0 ? wide : UInt64(fadt.load32(40) ?? 0)
    guard dsdtAddress != 0, let dsdt = Self.table(memory, at: UInt(dsdtAddress), "DSDT"),
      let types = Self.sleepTypes(dsdt)
    else { return nil }
    if flags & 1 << 20 != 0 {
      // A generic address: space, width, offset, access size, address.
      guard let space = fadt.load8(244), let address = fadt.load64(248), address != 0, space <= 1 else { return nil }
      return .register(address: address, isPort: space == 1, value: types.a << 2 | 1 << 5)
    }
    guard let a = fadt.load32(64), a != 0, let portA = UInt16(exactly: a) else { return nil }
    return .ports(
      a: portA, b: UInt16(truncatingIfNeeded: fadt.load32(68) ?? 0), valueA: UInt16(types.a) << 10 | 1 << 13,
      valueB: UInt16(types.b) << 10 | 1 << 13)
  }

  /// The two numbers of `Name (\_S5, Package () { a, b, … })`, found by its bytes: to run AML for them would need an
  /// interpreter. ACPI specification 20.2.
  static func sleepTypes(_ dsdt: Table) -> (a: UInt8, b: UInt8)? {
    let bytes = dsdt.bytes
    var at = headerLength
    while at + 8 < bytes.count {
      defer { at += 1 }
      guard matches(bytes, at, "_S5_"), bytes[at + 4] == 0x12,
        bytes[at - 1] == 0x08 || (bytes[at - 1] == 0x5c && bytes[at - 2] == 0x08)
      else { continue }
      // The package's length takes one to four bytes, and the number of elements one.
      var offset = at + 5 + Int(bytes[at + 5] >> 6) + 2
      guard let a = number(bytes, &offset), let b = number(bytes, &offset), a < 8, b < 8 else { return nil }
      return (a, b)
    }
    return nil
  }

  private static func number(_ bytes: [UInt8], _ offset: inout Int) -> UInt8? {
    guard offset < bytes.count else { return nil }
    switch bytes[offset] {
    case 0x00, 0x01:
      offset += 1
      return bytes[offset - 1]
    case 0x0a:
      guard offset + 1 < bytes.count else { return nil }
      offset += 2
      return bytes[offset - 1]
    default:
      return nil
    }
  }
}

private func littleEndian(_ bytes: [UInt8], _ offset: Int, _ count: Int) -> UInt64? {
  guard offset >= 0, count <= bytes.count, offset <= bytes.count - count else { return nil }
  var value: UInt64 = 0
  for i in 0..<count { value |= UInt64(bytes[offset + i]) << UInt64(8 * i) }
  return value
}

private func sum(_ bytes: [UInt8], _ offset: Int, _ count: Int) -> UInt8 {
  var sum: UInt8 = 0
  for i in offset..<min(offset + count, bytes.count) { sum &+= bytes[i] }
  return sum
}

private func matches(_ bytes: [UInt8], _ offset: Int, _ text: StaticString) -> Bool {
  let expected = text.bytes
  guard offset >= 0, offset + expected.count <= bytes.count else { return false }
  for i in 0..<expected.count where bytes[offset + i] != expected[i] { return false }
  return true
}
