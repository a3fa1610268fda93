import Testing

@testable import Drivers

/// Configuration space as a test lays it out: 64 words for each function that there is.
private final class FakeConfigurationSpace: PCIConfigurationSpace {
  var functions: [Int: [UInt32]] = [:]

  static func key(_ bus: Int, _ device: Int, _ function: Int) -> Int { bus << 8 | device << 3 | function }

  func read(_ address: PCIAddress, _ offset: Int) -> UInt32 {
    let words = functions[Self.key(Int(address.bus), Int(address.device), Int(address.function))]
    return words?[offset / 4] ?? .max
  }
  func write(_ address: PCIAddress, _ offset: Int, _ value: UInt32) {
    functions[Self.key(Int(address.bus), Int(address.device), Int(address.function))]?[offset / 4] = value
  }

  func add(_ bus: Int, _ device: Int, _ function: Int = 0, identity: UInt32 = 0x1234_8086, header: UInt8 = 0) {
    var words = [UInt32](repeating: 0, count: 64)
    words[0] = identity
    words[3] = UInt32(header) << 16
    functions[Self.key(bus, device, function)] = words
  }

  /// The function at 0:1.0, with what `bytes` says from offset `start` on and a capability list that starts at 0x40.
  func function(_ bytes: [UInt8], at start: Int = 0x40) -> PCIFunction {
    add(0, 1, identity: 0x1044_1af4)
    let key = Self.key(0, 1, 0)
    functions[key]![1] = 1 << 20
    functions[key]![0x34 / 4] = 0x40
    for (i, byte) in bytes.enumerated() {
      let offset = start + i
      functions[key]![offset / 4] |= UInt32(byte) << UInt32(offset % 4 * 8)
    }
    return PCIFunction(
      space: self, address: PCIAddress(bus: 0, device: 1, function: 0), vendor: 0x1af4, device: 0x1044)
  }
}

/// A virtio capability. VirtIO 1.2, 4.1.4.
private func virtio(next: UInt8, type: UInt8, bar: UInt8, offset: UInt8, length: UInt8) -> [UInt8] {
  [0x09, next, 16, type, bar, 0, 0, 0, offset, 0x10, 0, 0, length, 0, 0, 0]
}

@Suite struct PCITests {
  private func addresses(_ space: FakeConfigurationSpace) -> [Int] {
    PCIBus.functions(space).map {
      FakeConfigurationSpace.key(Int($0.address.bus), Int($0.address.device), Int($0.address.function))
    }
  }

  @Test func findsFunctionsAndLooksBehindBridges() {
    let space = FakeConfigurationSpace()
    space.add(0, 0)
    space.add(0, 1, 0, header: 0x80)
    space.add(0, 1, 3)
    space.add(0, 2, 0)
    space.add(0, 2, 1)  // not looked at: function 0 says that it is alone
    space.add(0, 31, 0, header: 1)
    space.functions[FakeConfigurationSpace.key(0, 31, 0)]![6] = 5 << 8
    space.add(5, 7, 0)
    #expect(addresses(space) == [0, 1 << 3, 1 << 3 | 3, 2 << 3, 31 << 3, 5 << 8 | 7 << 3])
  }

  @Test func doesNotFollowBridgesInCircles() {
    let space = FakeConfigurationSpace()
    for (bus, secondary) in [(0, 1), (1, 0), (1, 1)] {
      space.add(bus, 2 + secondary, header: 1)
      space.functions[FakeConfigurationSpace.key(bus, 2 + secondary, 0)]![6] = UInt32(secondary) << 8
    }
    #expect(addresses(space).count == 3)
  }

  @Test func readsBaseAddresses() {
    let space = FakeConfigurationSpace()
    let function = space.function([])
    let key = FakeConfigurationSpace.key(0, 1, 0)
    let bars: [UInt32] = [0xc001, 0xfebf_0000, 0x4, 0x0000_0080, 0, 0xfffc_0004]
    for (i, bar) in bars.enumerated() { space.functions[key]![4 + i] = bar }
    #expect(function.baseAddress(0) == .ports(0xc000))
    #expect(function.baseAddress(1) == .memory(0xfebf_0000))
    #expect(function.baseAddress(2) == .memory(0x80_0000_0000))
    #expect(function.baseAddress(4) == nil)
    #expect(function.baseAddress(5) == nil)  // its upper half would lie outside
    #expect(function.baseAddress(6) == nil)
    #expect(function.baseAddress(-1) == nil)
  }

  @Test func findsVirtioStructures() {
    let space = FakeConfigurationSpace()
    var bytes = virtio(next: 0x50, type: 1, bar: 4, offset: 0, length: 0x38)
    bytes += virtio(next: 0x60, type: 3, bar: 4, offset: 0x40, length: 1)
    bytes += virtio(next: 0x70, type: 4, bar: 4, offset: 0x80, length: 8)
    bytes += virtio(next: 0x88, type: 2, bar: 4, offset: 0xc0, length: 4) + [4, 0, 0, 0, 0, 0, 0, 0]
    bytes += virtio(next: 0xa0, type: 1, bar: 2, offset: 0, length: 0x38)  // later ones do not count
    bytes += [0, 0, 0, 0, 0, 0, 0, 0] + virtio(next: 0, type: 5, bar: 7, offset: 0, length: 1)
    let layout = VirtioPCITransport.Layout(space.function(bytes))
    #expect(layout.common == .init(bar: 4, offset: 0x1000, length: 0x38))
    #expect(layout.interruptStatus == .init(bar: 4, offset: 0x1040, length: 1))
    #expect(layout.device == .init(bar: 4, offset: 0x1080, length: 8))
    #expect(layout.notify == .init(bar: 4, offset: 0x10c0, length: 4, multiplier: 4))
  }

  @Test func passesOverReservedValues() {
    let space = FakeConfigurationSpace()
    let layout = VirtioPCITransport.Layout(
      space.function(virtio(next: 0, type: 1, bar: 6, offset: 0, length: 0x38)))
    #expect(layout.common == nil)
  }

  @Test func endsOnCircularAndBrokenLists() {
    let space = FakeConfigurationSpace()
    var count = 0
    space.function([0x05, 0x44, 0, 0, 0x11, 0x40]).forEachCapability { _, _ in
      count += 1
      return true
    }
    #expect(count == 48)
    #expect(space.function([0x05, 0x10]).capability(0x11) == nil)
    #expect(space.function([0x05, 0xfc]).capability(0x11) == nil)
    // At the very end there is no room for a structure.
    let function = space.function([0x05, 0xfc])
    space.functions[FakeConfigurationSpace.key(0, 1, 0)]![63] = 0x0109_0009
    #expect(VirtioPCITransport.Layout(function).common == nil)
  }

  @Test func survivesNoise() {
    var random = SystemRandomNumberGenerator()
    for _ in 0..<5_000 {
      let space = FakeConfigurationSpace()
      let function = space.function(
        (0..<192).map { _ in [0x09, 0x40, 0x11, UInt8.random(in: 0...255)].randomElement()! })
      _ = VirtioPCITransport.Layout(function)
      for _ in 0..<8 {
        space.add(
          Int.random(in: 0..<3), Int.random(in: 0..<32), Int.random(in: 0..<8),
          header: UInt8.random(in: 0...255, using: &random))
      }
      for key in space.functions.keys { space.functions[key]![6] = UInt32.random(in: 0...UInt32.max) }
      _ = PCIBus.functions(space)
    }
  }

  @Test func knowsVirtioByItsNumbers() {
    let space = FakeConfigurationSpace()
    func kind(_ vendor: UInt16, _ device: UInt16) -> UInt32? {
      space.add(0, 1)
      space.functions[FakeConfigurationSpace.key(0, 1, 0)]![0x2c / 4] = 0x0004_1af4
      return VirtioDiscovery.kind(
        PCIFunction(space: space, address: PCIAddress(bus: 0, device: 1, function: 0), vendor: vendor, device: device))
    }
    #expect(kind(0x1af4, 0x1044) == VirtioDeviceKind.entropy)
    #expect(kind(0x1af4, 0x1005) == 4)  // by the subsystem number
    #expect(kind(0x1af4, 0x1040) == nil)
    #expect(kind(0x1af4, 0x1110) == nil)
    #expect(kind(0x8086, 0x1044) == nil)
  }
}
