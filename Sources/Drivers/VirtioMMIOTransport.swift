public import Kernel
public import LinuxABI
internal import Platform

/// A virtio device whose registers lie in memory. VirtIO 1.2, 4.2; version 1 of the registers, 4.2.4, too: that is what
/// QEMU's microvm shows unless told otherwise.
public final class VirtioMMIOTransport: VirtioTransport {
  private enum Register {
    static var magic: UInt { 0x000 }
    static var version: UInt { 0x004 }
    static var device: UInt { 0x008 }
    static var deviceFeatures: UInt { 0x010 }
    static var deviceFeaturesSelect: UInt { 0x014 }
    static var driverFeatures: UInt { 0x020 }
    static var driverFeaturesSelect: UInt { 0x024 }
    static var guestPageSize: UInt { 0x028 }
    static var queueSelect: UInt { 0x030 }
    static var queueLimit: UInt { 0x034 }
    static var queueSize: UInt { 0x038 }
    static var queueAlign: UInt { 0x03c }
    static var queuePage: UInt { 0x040 }
    static var queueReady: UInt { 0x044 }
    static var queueNotify: UInt { 0x050 }
    static var interruptStatus: UInt { 0x060 }
    static var interruptAcknowledge: UInt { 0x064 }
    static var status: UInt { 0x070 }
    static var queueDescriptors: UInt { 0x080 }
    static var queueDriver: UInt { 0x090 }
    static var queueDevice: UInt { 0x0a0 }
    static var configuration: UInt { 0x100 }
  }
  private static var magic: UInt32 { 0x7472_6976 }

  public let kind: UInt32
  public let isLegacy: Bool
  private let base: UInt
  private let size: UInt
  private var handlers: [InterruptTable.Handler] = []
  public var onConfigurationChange: InterruptTable.Handler?

  /// Takes over the device in a window of registers; nil when there is none.
  ///
  /// - Throws: `ENXIO` when its interrupt line does not exist, `ENOSPC`, `ENOMEM`.
  public convenience init?(
    physical: UInt, size: UInt, line: UInt32, mapper: DeviceMapper, interrupts: InterruptController
  ) throws(Errno) {
    guard size > Register.configuration, size <= 1 << 20 else { return nil }
    self.init(registers: try mapper.map(physical: physical, count: Int(size)), size: size)
    try interrupts.connect(line: line, .edge) { [self] in handleInterrupt() }
  }

  /// Looks at registers at the kernel's address `registers`; nil when they are no device's.
  init?(registers: UInt, size: UInt) {
    // Kind 0 is a window without a device: most are, so this comes first.
    let kind = DeviceMemory.read32(registers + Register.device)
    guard kind != 0, DeviceMemory.read32(registers + Register.magic) == Self.magic else { return nil }
    let version = DeviceMemory.read32(registers + Register.version)
    guard version == 1 || version == 2 else { return nil }
    base = registers
    self.size = size
    self.kind = kind
    isLegacy = version == 1
  }

  private func read(_ register: UInt) -> UInt32 { DeviceMemory.read32(base + register) }
  private func write(_ register: UInt, _ value: UInt32) { DeviceMemory.write32(base + register, value) }

  public var status: UInt8 {
    get { UInt8(truncatingIfNeeded: read(Register.status)) }
    set { write(Register.status, UInt32(newValue)) }
  }

  public func reset() {
    write(Register.status, 0)
    if isLegacy { write(Register.guestPageSize, UInt32(pageSize)) }
  }

  public var offeredFeatures: UInt64 {
    write(Register.deviceFeaturesSelect, 0)
    let low = read(Register.deviceFeatures)
    if isLegacy { return UInt64(low) }
    write(Register.deviceFeaturesSelect, 1)
    return UInt64(read(Register.deviceFeatures)) << 32 | UInt64(low)
  }

  public func acceptFeatures(_ features: UInt64) {
    write(Register.driverFeaturesSelect, 0)
    write(Register.driverFeatures, UInt32(truncatingIfNeeded: features))
    if isLegacy { return }
    write(Register.driverFeaturesSelect, 1)
    write(Register.driverFeatures, UInt32(truncatingIfNeeded: features >> 32))
  }

  public func queueLimit(_ index: Int) -> Int {
    write(Register.queueSelect, UInt32(index))
    return Int(read(Register.queueLimit))
  }

  public func enableQueue(
    _ index: Int, _ queue: Virtqueue, _ handler: @escaping InterruptTable.Handler
  ) throws(Errno) {
    write(Register.queueSelect, UInt32(index))
    write(Register.queueSize, UInt32(queue.size))
    if isLegacy {
      guard read(Register.queuePage) == 0, queue.descriptorTable >> pageShift <= UInt32.max else { throw .ENXIO }
      write(Register.queueAlign, UInt32(pageSize))
      write(Register.queuePage, UInt32(queue.descriptorTable >> pageShift))
    } else {
      guard read(Register.queueReady) == 0 else { throw .ENXIO }
      writeAddress(Register.queueDescriptors, queue.descriptorTable)
      writeAddress(Register.queueDriver, queue.availableRing)
      writeAddress(Register.queueDevice, queue.usedRing)
      write(Register.queueReady, 1)
    }
    handlers.append(handler)
  }

  private func writeAddress(_ register: UInt, _ address: UInt) {
    write(register, UInt32(truncatingIfNeeded: address))
    write(register + 4, UInt32(truncatingIfNeeded: address >> 32))
  }

  @inline(__always)
  public func notify(_ index: Int) { write(Register.queueNotify, UInt32(index)) }

  public func configuration8(_ offset: Int) -> UInt8 {
    fits(offset, 1) ? DeviceMemory.read8(base + Register.configuration + UInt(offset)) : 0
  }
  public func configuration16(_ offset: Int) -> UInt16 {
    fits(offset, 2) ? DeviceMemory.read16(base + Register.configuration + UInt(offset)) : 0
  }
  public func configuration32(_ offset: Int) -> UInt32 {
    fits(offset, 4) ? DeviceMemory.read32(base + Register.configuration + UInt(offset)) : 0
  }
  private func fits(_ offset: Int, _ count: Int) -> Bool {
    offset >= 0 && UInt(offset) + UInt(count) <= size - Register.configuration
  }

  /// Serves the device's interrupt. It is acknowledged first: what comes after that interrupts again.
  func handleInterrupt() {
    let reasons = read(Register.interruptStatus)
    guard reasons != 0 else { return }
    write(Register.interruptAcknowledge, reasons)
    if reasons & 1 != 0 { for handler in handlers { handler() } }
    if reasons & 2 != 0 { onConfigurationChange?() }
  }
}
