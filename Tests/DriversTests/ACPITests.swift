import Testing

@testable import Drivers

/// Physical memory with tables in it.
private final class FakeFirmware: PhysicalByteSource {
  var ranges: [(start: UInt, bytes: [UInt8])] = []

  func bytes(at address: UInt, count: Int) -> [UInt8]? {
    let end = address + UInt(count)
    for range in ranges where address >= range.start && end <= range.start + UInt(range.bytes.count) {
      let offset = Int(address - range.start)
      return Array(range.bytes[offset..<offset + count])
    }
    guard end <= 0x100000 else { return nil }
    // The machine's low memory is all there, and empty but for the ranges.
    var result = [UInt8](repeating: 0, count: count)
    for range in ranges where range.start >= address && range.start + UInt(range.bytes.count) <= end {
      let offset = Int(range.start - address)
      result.replaceSubrange(offset..<offset + range.bytes.count, with: range.bytes)
    }
    return result
  }
}

private func little(_ value: UInt64, _ count: Int) -> [UInt8] {
  (0..<count).map { UInt8(truncatingIfNeeded: value >> UInt64(8 * $0)) }
}

/// A table with a header and a right checksum.
private func table(_ signature: String, _ body: [UInt8]) -> [UInt8] {
  var bytes = Array(signature.utf8) + little(UInt64(36 + body.count), 4) + [1, 0] + [UInt8](repeating: 0x20, count: 26)
  bytes += body
  bytes[9] = 0 &- bytes.reduce(0, &+)
  return bytes
}

private func rootPointer(rsdt: UInt32, xsdt: UInt64? = nil) -> [UInt8] {
  var bytes = Array("RSD PTR ".utf8) + [0] + Array("ABCDEF".utf8) + [xsdt == nil ? 0 : 2] + little(UInt64(rsdt), 4)
  bytes[8] = 0 &- bytes.reduce(0, &+)
  if let xsdt {
    bytes += little(36, 4) + little(xsdt, 8) + [0, 0, 0, 0]
    bytes[32] = 0 &- bytes.reduce(0, &+)
  }
  return bytes
}

private func fixedTable(flags: UInt32 = 0, dsdt: UInt32, pm1a: UInt32 = 0x604, sleep: UInt64 = 0) -> [UInt8] {
  var body = [UInt8](repeating: 0, count: 268 - 36)
  func put(_ offset: Int, _ bytes: [UInt8]) {
    body.replaceSubrange(offset - 36..<offset - 36 + bytes.count, with: bytes)
  }
  put(40, little(UInt64(dsdt), 4))
  put(64, little(UInt64(pm1a), 4))
  put(112, little(UInt64(flags), 4))
  put(248, little(sleep, 8))
  return table("FACP", body)
}

/// `Name (\_S5, Package () { 5, 5, 0, 0 })` after some other code.
private let sleepCode: [UInt8] = [
  0x10, 0x20, 0x5f, 0x08, 0x5f, 0x53, 0x35, 0x5f, 0x12, 0x08, 0x04, 0x0a, 0x05, 0x0a, 0x05, 0, 0, 0, 0,
]

private func firmware(_ fixed: [UInt8]? = nil, code: [UInt8] = sleepCode, wide: Bool = false) -> FakeFirmware {
  let memory = FakeFirmware()
  let tables: [UInt64] = [0x201000, 0x202000]
  let list = wide ? table("XSDT", tables.flatMap { little($0, 8) }) : table("RSDT", tables.flatMap { little($0, 4) })
  memory.ranges = [
    (0xf5a40, rootPointer(rsdt: 0x200000, xsdt: wide ? 0x200000 : nil)), (0x200000, list),
    (0x201000, table("APIC", [1, 2, 3])), (0x202000, fixed ?? fixedTable(dsdt: 0x203000)),
    (0x203000, table("DSDT", code)),
  ]
  return memory
}

@Suite struct ACPITests {
  @Test(arguments: [false, true]) func findsTheWayToSwitchOff(wide: Bool) throws {
    let tables = try #require(ACPITables(memory: firmware(wide: wide), rootPointer: 0xf5a40))
    #expect(tables.softOff == .ports(a: 0x604, b: 0, valueA: 0x3400, valueB: 0x3400))
    #expect(tables.find("APIC") != nil)
    #expect(tables.find("MCFG") == nil)
  }

  @Test func looksForTheRootPointer() throws {
    let memory = firmware()
    memory.ranges[0].start = 0xf5a50
    #expect(ACPITables(memory: memory, rootPointer: 0)?.softOff != nil)
    memory.ranges[0].start = 0xf5a58
    #expect(ACPITables(memory: memory, rootPointer: 0) == nil)
  }

  @Test func knowsReducedHardware() throws {
    let fixed = fixedTable(flags: 1 << 20, dsdt: 0x203000, sleep: 0xfea0_0200)
    let tables = try #require(ACPITables(memory: firmware(fixed), rootPointer: 0xf5a40))
    #expect(tables.softOff == .register(address: 0xfea0_0200, isPort: false, value: 0x34))
  }

  @Test func refusesBrokenChecksums() throws {
    for (range, offset) in [(0, 10), (1, 20)] {
      let memory = firmware()
      memory.ranges[range].bytes[offset] ^= 1
      #expect(ACPITables(memory: memory, rootPointer: 0xf5a40) == nil)
    }
    for (range, offset) in [(3, 100), (4, 38)] {
      let memory = firmware()
      memory.ranges[range].bytes[offset] ^= 1
      #expect(try #require(ACPITables(memory: memory, rootPointer: 0xf5a40)).softOff == nil)
    }
  }

  /// Every table cut at every length, with a checksum that is right again: no trap, and nothing made up.
  @Test func survivesTruncatedTables() {
    for range in [0, 1, 3, 4] {
      for length in 0..<firmware().ranges[range].bytes.count {
        // What is cut off the root pointer reads as zeroes, and its last byte is one.
        if range == 0, length == 19 { continue }
        let memory = firmware()
        memory.ranges[range].bytes.removeLast(memory.ranges[range].bytes.count - length)
        #expect(ACPITables(memory: memory, rootPointer: 0xf5a40)?.softOff == nil)
      }
    }
    for length in 0..<sleepCode.count {
      let tables = ACPITables(memory: firmware(code: Array(sleepCode[..<length])), rootPointer: 0xf5a40)
      if length < 15 { #expect(tables?.softOff == nil) }
    }
    for length in 0..<268 - 36 {
      let memory = firmware(table("FACP", Array(fixedTable(dsdt: 0x203000)[36..<36 + length])))
      if length < 113 - 36 { #expect(ACPITables(memory: memory, rootPointer: 0xf5a40)?.softOff == nil) }
    }
  }

  @Test func survivesNoise() {
    var random = SystemRandomNumberGenerator()
    for _ in 0..<20_000 {
      let memory = firmware()
      for _ in 0..<4 {
        let range = Int.random(in: 0..<5, using: &random)
        let offset = Int.random(in: 0..<memory.ranges[range].bytes.count, using: &random)
        memory.ranges[range].bytes[offset] = UInt8.random(in: 0...255, using: &random)
        // Half of the time past the checksum.
        if Bool.random(using: &random), range > 0 {
          memory.ranges[range].bytes[9] &-= memory.ranges[range].bytes.reduce(0, &+)
        }
      }
      let tables = ACPITables(memory: memory, rootPointer: 0xf5a40)
      _ = tables?.softOff
    }
  }
}
