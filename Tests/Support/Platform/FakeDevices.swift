// The device side of the fake: ports, device registers, CPUID and MSRs, answered by what a test puts in their place.

/// Devices as a test plays them. Addresses that nobody answers read as all ones and swallow what is written.
public protocol FakeBus: AnyObject, Sendable {
  func readPort(_ port: UInt16, width: Int) -> UInt32?
  func writePort(_ port: UInt16, _ value: UInt32, width: Int)
  func readMemory(_ address: UInt, width: Int) -> UInt64?
  func writeMemory(_ address: UInt, _ value: UInt64, width: Int)
}

extension FakeBus {
  public func readPort(_ port: UInt16, width: Int) -> UInt32? { nil }
  public func writePort(_ port: UInt16, _ value: UInt32, width: Int) {}
  public func readMemory(_ address: UInt, width: Int) -> UInt64? { nil }
  public func writeMemory(_ address: UInt, _ value: UInt64, width: Int) {}
}

/// Where a test puts its devices: `FakeDevices.$bus.withValue(devices) { … }`.
public enum FakeDevices {
  @TaskLocal public static var bus: (any FakeBus)?

  static func readPort<T: FixedWidthInteger>(_ port: UInt16) -> T {
    T(truncatingIfNeeded: bus?.readPort(port, width: T.bitWidth / 8) ?? .max)
  }
  static func writePort<T: FixedWidthInteger>(_ port: UInt16, _ value: T) {
    bus?.writePort(port, UInt32(value), width: T.bitWidth / 8)
  }
  static func readMemory<T: FixedWidthInteger>(_ address: UInt) -> T {
    T(truncatingIfNeeded: bus?.readMemory(address, width: T.bitWidth / 8) ?? .max)
  }
  static func writeMemory<T: FixedWidthInteger>(_ address: UInt, _ value: T) {
    bus?.writeMemory(address, UInt64(value), width: T.bitWidth / 8)
  }
}

/// The x86 port space.
public enum Ports {
  public static func write8(_ port: UInt16, _ value: UInt8) { FakeDevices.writePort(port, value) }
  public static func write16(_ port: UInt16, _ value: UInt16) { FakeDevices.writePort(port, value) }
  public static func write32(_ port: UInt16, _ value: UInt32) { FakeDevices.writePort(port, value) }
  public static func read8(_ port: UInt16) -> UInt8 { FakeDevices.readPort(port) }
  public static func read16(_ port: UInt16) -> UInt16 { FakeDevices.readPort(port) }
  public static func read32(_ port: UInt16) -> UInt32 { FakeDevices.readPort(port) }
  public static func write8(_ port: UInt16, _ bytes: RawSpan) {
    // SAFETY: every offset lies in the span.
    for i in 0..<bytes.byteCount { write8(port, unsafe bytes.unsafeLoad(fromByteOffset: i, as: UInt8.self)) }
  }
}

/// Device registers, by the kernel's address of them.
public enum DeviceMemory {
  public static func read8(_ address: UInt) -> UInt8 { FakeDevices.readMemory(address) }
  public static func read16(_ address: UInt) -> UInt16 { FakeDevices.readMemory(address) }
  public static func read32(_ address: UInt) -> UInt32 { FakeDevices.readMemory(address) }
  public static func read64(_ address: UInt) -> UInt64 { FakeDevices.readMemory(address) }
  public static func write8(_ address: UInt, _ value: UInt8) { FakeDevices.writeMemory(address, value) }
  public static func write16(_ address: UInt, _ value: UInt16) { FakeDevices.writeMemory(address, value) }
  public static func write32(_ address: UInt, _ value: UInt32) { FakeDevices.writeMemory(address, value) }
  public static func write64(_ address: UInt, _ value: UInt64) { FakeDevices.writeMemory(address, value) }
}

extension CPU {
  public static func cpuid(
    _ leaf: UInt32, _ subleaf: UInt32 = 0
  ) -> (eax: UInt32, ebx: UInt32, ecx: UInt32, edx: UInt32) { (0, 0, 0, 0) }
  public static func readMSR(_ msr: UInt32) -> UInt64 { 0 }
  public static func writeMSR(_ msr: UInt32, _ value: UInt64) {}
  public static var libraryThreadPointer: UInt64 { 0 }
  public static func tripleFault() -> Never { fatalError("the machine was reset") }
}

/// Memory that a device reads and writes too, by physical address.
public enum SharedMemory {
  public static func load16(at physical: UInt) -> UInt16 { PhysicalMemory.load(at: physical) }
  public static func load32(at physical: UInt) -> UInt32 { PhysicalMemory.load(at: physical) }
  public static func store16(_ value: UInt16, at physical: UInt) { PhysicalMemory.store(value, at: physical) }
  public static func store32(_ value: UInt32, at physical: UInt) { PhysicalMemory.store(value, at: physical) }
  public static func store64(_ value: UInt64, at physical: UInt) { PhysicalMemory.store(value, at: physical) }
}
