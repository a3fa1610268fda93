public import Kernel
public import LinuxABI
internal import Platform

/// Where a PCI function is.
public struct PCIAddress: Equatable, Sendable {
  public let bus: UInt8
  public let device: UInt8
  public let function: UInt8

  public init(bus: UInt8, device: UInt8, function: UInt8) {
    self.bus = bus
    self.device = device
    self.function = function
  }
}

/// PCI's configuration space. PCI Local Bus specification 3.0, chapter 6.
public protocol PCIConfigurationSpace: AnyObject {
  /// Reads the word at `offset`, a multiple of 4 below 256. What does not exist reads as all ones.
  func read(_ address: PCIAddress, _ offset: Int) -> UInt32
  func write(_ address: PCIAddress, _ offset: Int, _ value: UInt32)
}

extension PCIConfigurationSpace {
  func read16(_ address: PCIAddress, _ offset: Int) -> UInt16 {
    UInt16(truncatingIfNeeded: read(address, offset & ~3) >> UInt32((offset & 2) * 8))
  }
  func read8(_ address: PCIAddress, _ offset: Int) -> UInt8 {
    UInt8(truncatingIfNeeded: read(address, offset & ~3) >> UInt32((offset & 3) * 8))
  }
}

/// Configuration space by the two ports of mechanism 1. Every machine that has PCI Express's window in memory has them
/// too, and to find the window would take the ACPI tables.
public final class PCIPortConfiguration: PCIConfigurationSpace {
  private static var addressPort: UInt16 { 0xcf8 }
  private static var dataPort: UInt16 { 0xcfc }

  /// Looks for a host bridge; nil when the machine has no PCI.
  public init?() {
    Ports.write32(Self.addressPort, 0x8000_0000)
    guard Ports.read32(Self.addressPort) == 0x8000_0000 else { return nil }
  }

  private func select(_ address: PCIAddress, _ offset: Int) {
    let function = UInt32(address.bus) << 16 | UInt32(address.device) << 11 | UInt32(address.function) << 8
    Ports.write32(Self.addressPort, 0x8000_0000 | function | UInt32(offset & 0xfc))
  }
  public func read(_ address: PCIAddress, _ offset: Int) -> UInt32 {
    select(address, offset)
    return Ports.read32(Self.dataPort)
  }
  public func write(_ address: PCIAddress, _ offset: Int, _ value: UInt32) {
    select(address, offset)
    Ports.write32(Self.dataPort, value)
  }
}

/// One function of a PCI device.
public struct PCIFunction {
  /// What a base address register says.
  public enum BaseAddress: Equatable, Sendable {
    case ports(UInt16)
    case memory(UInt)
  }

  enum Command {
    static var ports: UInt32 { 1 }
    static var memory: UInt32 { 2 }
    static var busMaster: UInt32 { 4 }
    static var interruptDisable: UInt32 { 1 << 10 }
  }

  public let space: any PCIConfigurationSpace
  public let address: PCIAddress
  public let vendor: UInt16
  public let device: UInt16

  func read(_ offset: Int) -> UInt32 { space.read(address, offset) }
  func read16(_ offset: Int) -> UInt16 { space.read16(address, offset) }
  func read8(_ offset: Int) -> UInt8 { space.read8(address, offset) }

  /// The interrupt line that the firmware assigned, if any.
  public var interruptLine: UInt32? {
    let word = read(0x3c)
    let line = word & 0xff
    return word >> 8 & 0xff != 0 && line != 0xff ? line : nil
  }

  /// The address in base address register `index`; nil when it is not there or was not assigned.
  public func baseAddress(_ index: Int) -> BaseAddress? {
    guard (0..<6).contains(index) else { return nil }
    let low = read(0x10 + index * 4)
    if low == 0 || low == .max { return nil }
    if low & 1 != 0 {
      let port = low & 0xfffc
      return port == 0 ? nil : .ports(UInt16(truncatingIfNeeded: port))
    }
    var base = UInt(low & 0xffff_fff0)
    if low & 6 == 4 {
      guard index < 5 else { return nil }
      base |= UInt(read(0x14 + index * 4)) << 32
    }
    return base == 0 ? nil : .memory(base)
  }

  /// Sets and clears bits of the command register.
  func setCommand(_ bits: UInt32, clearing: UInt32 = 0) {
    // The upper half is the status, whose bits are cleared by writing ones.
    let command = read(0x04) & 0xffff
    space.write(address, 0x04, command & ~clearing | bits)
  }

  /// Calls `body` with the number and the offset of each capability, until it returns false. A list that runs in
  /// circles ends.
  func forEachCapability(_ body: (_ identifier: UInt8, _ offset: Int) -> Bool) {
    guard read(0x04) & 1 << 20 != 0 else { return }
    var offset = Int(read8(0x34) & 0xfc)
    // 192 bytes hold 48 of them.
    for _ in 0..<48 {
      guard offset >= 0x40 else { return }
      let head = read16(offset)
      guard body(UInt8(truncatingIfNeeded: head), offset) else { return }
      offset = Int(head >> 8 & 0xfc)
    }
  }

  /// The offset of the first capability with this number.
  func capability(_ identifier: UInt8) -> Int? {
    var found: Int?
    forEachCapability { candidate, offset in
      if candidate == identifier { found = offset }
      return found == nil
    }
    return found
  }
}

/// The PCI functions of the machine.
public struct PCIBus {
  /// Finds every function on bus 0 and behind its bridges.
  public static func functions(_ space: any PCIConfigurationSpace) -> [PCIFunction] {
    var found: [PCIFunction] = []
    var buses: [UInt8] = [0]
    var next = 0
    while next < buses.count {
      let bus = buses[next]
      next += 1
      for device in 0..<UInt8(32) {
        let first = PCIAddress(bus: bus, device: device, function: 0)
        let identity = space.read(first, 0)
        // Reserved as the vendor number: nothing is there.
        if identity & 0xffff == 0xffff { continue }
        let isMany = space.read8(first, 0x0e) & 0x80 != 0
        for function in 0..<UInt8(isMany ? 8 : 1) {
          let address = PCIAddress(bus: bus, device: device, function: function)
          let identity = function == 0 ? identity : space.read(address, 0)
          if identity & 0xffff == 0xffff { continue }
          found.append(
            PCIFunction(
              space: space, address: address, vendor: UInt16(truncatingIfNeeded: identity),
              device: UInt16(truncatingIfNeeded: identity >> 16)))
          if space.read8(address, 0x0e) & 0x7f == 1 {
            let secondary = space.read8(address, 0x19)
            // A bus that was not numbered, or that was seen: firmware's mistake or a device's lie.
            if secondary > bus, !buses.contains(secondary) { buses.append(secondary) }
          }
        }
      }
    }
    return found
  }
}

/// The interrupts of a PCI function: messages by its MSI-X table, else its line.
public final class PCIInterrupts {
  /// What a virtio device takes for «no vector».
  static var noVector: UInt16 { 0xffff }

  private let function: PCIFunction
  private let controller: InterruptController
  private let table: UInt
  /// Entries of the MSI-X table; 0 when the line is used.
  public let messageCount: Int
  private var used = 0
  /// Whether more than one entry is left, so that a queue may have one of its own.
  var hasSpare: Bool { used + 1 < messageCount }

  /// Switches MSI-X on when the function has it.
  ///
  /// - Throws: `ENOMEM`.
  public init(_ function: PCIFunction, _ controller: InterruptController, mapper: DeviceMapper) throws(Errno) {
    self.function = function
    self.controller = controller
    guard let capability = function.capability(0x11) else {
      table = 0
      messageCount = 0
      return
    }
    let control = function.read(capability)
    let location = function.read(capability + 4)
    let count = Int(control >> 16 & 0x7ff) + 1
    guard case .memory(let base) = function.baseAddress(Int(location & 7)) else {
      table = 0
      messageCount = 0
      return
    }
    table = try mapper.map(physical: base + UInt(location & ~7), count: count * 16)
    messageCount = count
    function.setCommand(PCIFunction.Command.memory | PCIFunction.Command.interruptDisable)
    // Enabled, function not masked; each entry is masked by itself after a reset.
    function.space.write(
      function.address, capability, control & 0x3fff_ffff | 1 << 31)
  }

  /// Makes an entry of the table that calls `handler`, and returns its number; nil when the table is used up or there
  /// is none.
  ///
  /// - Throws: `ENOSPC` when no vector is left.
  public func makeMessage(_ handler: @escaping InterruptTable.Handler) throws(Errno) -> UInt16? {
    guard used < messageCount else { return nil }
    let message = try controller.makeMessage(handler)
    let entry = table + UInt(used) * 16
    DeviceMemory.write32(entry, UInt32(truncatingIfNeeded: message.address))
    DeviceMemory.write32(entry + 4, UInt32(truncatingIfNeeded: message.address >> 32))
    DeviceMemory.write32(entry + 8, message.data)
    DeviceMemory.write32(entry + 12, 0)
    used += 1
    return UInt16(used - 1)
  }

  /// Calls `handler` when the function raises its line, which others may share.
  ///
  /// - Throws: `ENXIO` when it has no line.
  public func connectLine(_ handler: @escaping InterruptTable.Handler) throws(Errno) {
    guard let line = function.interruptLine else { throw .ENXIO }
    try controller.connect(line: line, .level, handler)
    function.setCommand(0, clearing: PCIFunction.Command.interruptDisable)
  }
}
