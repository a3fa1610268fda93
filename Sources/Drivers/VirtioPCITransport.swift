public import Kernel
public import LinuxABI
internal import Platform

/// The interrupts of a virtio device on PCI: one message for each queue and one for the configuration, as far as the
/// MSI-X table goes, else one line and the interrupt status register.
private final class VirtioPCIInterrupts {
  let hardware: PCIInterrupts
  var queueHandlers: [InterruptTable.Handler] = []
  var onConfigurationChange: InterruptTable.Handler?
  /// Entry of the table that all queues share once entries run out.
  private var sharedMessage: UInt16?
  var usesMessages: Bool { hardware.messageCount > 0 }

  /// - Parameter readStatus: Reads and clears the interrupt status register.
  init(_ hardware: PCIInterrupts, readStatus: @escaping () -> UInt8) throws(Errno) {
    self.hardware = hardware
    guard !usesMessages else { return }
    try hardware.connectLine { [self] in
      let reasons = readStatus()
      if reasons & 1 != 0 { for handler in queueHandlers { handler() } }
      if reasons & 2 != 0 { onConfigurationChange?() }
    }
  }

  /// The table entry for the configuration, or `noVector`.
  func configurationMessage() throws(Errno) -> UInt16 {
    // With a single entry the queues take it.
    guard hardware.messageCount > 1 else { return PCIInterrupts.noVector }
    return try hardware.makeMessage { [self] in onConfigurationChange?() } ?? PCIInterrupts.noVector
  }

  /// The table entry for a queue, or `noVector` where the line is used.
  func queueMessage(_ handler: @escaping InterruptTable.Handler) throws(Errno) -> UInt16 {
    guard usesMessages else {
      queueHandlers.append(handler)
      return PCIInterrupts.noVector
    }
    if sharedMessage == nil, hardware.hasSpare, let own = try hardware.makeMessage(handler) { return own }
    queueHandlers.append(handler)
    if sharedMessage == nil {
      sharedMessage = try hardware.makeMessage { [self] in for handler in queueHandlers { handler() } }
    }
    guard let sharedMessage else { throw .ENOSPC }
    return sharedMessage
  }
}

/// A virtio device on PCI, as VirtIO 1.0 and later have it: VirtIO 1.2, 4.1.
public final class VirtioPCITransport: VirtioTransport {
  /// A capability that says where a structure of registers lies. VirtIO 1.2, 4.1.4.
  struct Structure: Equatable {
    var bar: UInt8
    var offset: UInt32
    var length: UInt32
    /// Of the notification structure: what to multiply a queue's offset with.
    var multiplier: UInt32 = 0
  }

  /// Where a device's structures lie, by its capabilities.
  struct Layout: Equatable {
    var common: Structure?
    var notify: Structure?
    var interruptStatus: Structure?
    var device: Structure?

    init(_ function: PCIFunction) {
      function.forEachCapability { identifier, offset in
        guard identifier == 0x09, offset <= 0x100 - 16 else { return true }
        let head = function.read(offset)
        var structure = Structure(
          bar: UInt8(truncatingIfNeeded: function.read(offset + 4)), offset: function.read(offset + 8),
          length: function.read(offset + 12))
        // Other values are reserved, and to be passed over.
        guard structure.bar < 6 else { return true }
        // The first of a type is the device's preference.
        switch head >> 24 {
        case 1: if common == nil { common = structure }
        case 2:
          guard notify == nil, offset <= 0x100 - 20 else { break }
          structure.multiplier = function.read(offset + 16)
          notify = structure
        case 3: if interruptStatus == nil { interruptStatus = structure }
        case 4: if device == nil { device = structure }
        default: break
        }
        return true
      }
    }
  }

  private enum Register {
    static var deviceFeatureSelect: UInt { 0x00 }
    static var deviceFeature: UInt { 0x04 }
    static var driverFeatureSelect: UInt { 0x08 }
    static var driverFeature: UInt { 0x0c }
    static var configurationVector: UInt { 0x10 }
    static var status: UInt { 0x14 }
    static var queueSelect: UInt { 0x16 }
    static var queueSize: UInt { 0x18 }
    static var queueVector: UInt { 0x1a }
    static var queueEnable: UInt { 0x1c }
    static var queueNotifyOffset: UInt { 0x1e }
    static var queueDescriptors: UInt { 0x20 }
    static var queueDriver: UInt { 0x28 }
    static var queueDevice: UInt { 0x30 }
    static var length: UInt32 { 0x38 }
  }

  public let kind: UInt32
  public var isLegacy: Bool { false }
  private let common: UInt
  private let notifyBase: UInt
  private let notifyLength: UInt
  private let notifyMultiplier: UInt
  private let device: UInt
  private let deviceLength: UInt
  private let interrupts: VirtioPCIInterrupts
  private var notifyAddresses: [UInt] = []

  public var onConfigurationChange: InterruptTable.Handler? {
    get { interrupts.onConfigurationChange }
    set { interrupts.onConfigurationChange = newValue }
  }

  /// Takes over a device; nil when it has not got the structures, as a legacy one has not.
  ///
  /// - Throws: `ENXIO` when it has no interrupt, `ENOSPC`, `ENOMEM`.
  public init?(
    _ function: PCIFunction, kind: UInt32, controller: InterruptController, mapper: DeviceMapper
  ) throws(Errno) {
    let layout = Layout(function)
    guard let common = layout.common, let notify = layout.notify, let status = layout.interruptStatus,
      common.length >= Register.length, notify.length >= 2, status.length >= 1
    else { return nil }
    function.setCommand(PCIFunction.Command.memory | PCIFunction.Command.busMaster)
    guard let commonAddress = try Self.map(common, function, mapper),
      let notifyAddress = try Self.map(notify, function, mapper),
      let statusAddress = try Self.map(status, function, mapper)
    else { return nil }
    self.kind = kind
    self.common = commonAddress
    notifyBase = notifyAddress
    notifyLength = UInt(notify.length)
    notifyMultiplier = UInt(notify.multiplier)
    if let structure = layout.device, let address = try Self.map(structure, function, mapper) {
      device = address
      deviceLength = UInt(structure.length)
    } else {
      device = 0
      deviceLength = 0
    }
    interrupts = try VirtioPCIInterrupts(try PCIInterrupts(function, controller, mapper: mapper)) {
      DeviceMemory.read8(statusAddress)
    }
  }

  private static func map(
    _ structure: Structure, _ function: PCIFunction, _ mapper: DeviceMapper
  ) throws(Errno) -> UInt? {
    guard structure.length > 0, structure.length <= 1 << 24,
      case .memory(let base) = function.baseAddress(Int(structure.bar))
    else { return nil }
    let (start, overflow) = base.addingReportingOverflow(UInt(structure.offset))
    guard !overflow else { return nil }
    return try mapper.map(physical: start, count: Int(structure.length))
  }

  public var status: UInt8 {
    get { DeviceMemory.read8(common + Register.status) }
    set { DeviceMemory.write8(common + Register.status, newValue) }
  }

  public func reset() {
    status = 0
    // VirtIO 1.2, 4.1.4.3.2: the driver waits until it reads back 0. A device that never gets there fails later.
    var attempts = 10_000
    while attempts > 0, status != 0 {
      CPU.pause()
      attempts -= 1
    }
  }

  public var offeredFeatures: UInt64 {
    DeviceMemory.write32(common + Register.deviceFeatureSelect, 0)
    let low = DeviceMemory.read32(common + Register.deviceFeature)
    DeviceMemory.write32(common + Register.deviceFeatureSelect, 1)
    return UInt64(DeviceMemory.read32(common + Register.deviceFeature)) << 32 | UInt64(low)
  }

  public func acceptFeatures(_ features: UInt64) {
    DeviceMemory.write32(common + Register.driverFeatureSelect, 0)
    DeviceMemory.write32(common + Register.driverFeature, UInt32(truncatingIfNeeded: features))
    DeviceMemory.write32(common + Register.driverFeatureSelect, 1)
    DeviceMemory.write32(common + Register.driverFeature, UInt32(truncatingIfNeeded: features >> 32))
  }

  public func queueLimit(_ index: Int) -> Int {
    DeviceMemory.write16(common + Register.queueSelect, UInt16(truncatingIfNeeded: index))
    return Int(DeviceMemory.read16(common + Register.queueSize))
  }

  public func enableQueue(
    _ index: Int, _ queue: Virtqueue, _ handler: @escaping InterruptTable.Handler
  ) throws(Errno) {
    if notifyAddresses.isEmpty, interrupts.usesMessages {
      DeviceMemory.write16(common + Register.configurationVector, try interrupts.configurationMessage())
    }
    DeviceMemory.write16(common + Register.queueSelect, UInt16(truncatingIfNeeded: index))
    DeviceMemory.write16(common + Register.queueSize, UInt16(truncatingIfNeeded: queue.size))
    writeAddress(Register.queueDescriptors, queue.descriptorTable)
    writeAddress(Register.queueDriver, queue.availableRing)
    writeAddress(Register.queueDevice, queue.usedRing)
    let message = try interrupts.queueMessage(handler)
    if interrupts.usesMessages {
      DeviceMemory.write16(common + Register.queueVector, message)
      // It reads back as «no vector» when the device had no room for it.
      guard DeviceMemory.read16(common + Register.queueVector) == message else { throw .ENXIO }
    }
    let offset = UInt(DeviceMemory.read16(common + Register.queueNotifyOffset)) * notifyMultiplier
    guard offset + 2 <= notifyLength else { throw .ENXIO }
    while notifyAddresses.count <= index { notifyAddresses.append(0) }
    notifyAddresses[index] = notifyBase + offset
    DeviceMemory.write16(common + Register.queueEnable, 1)
  }

  private func writeAddress(_ register: UInt, _ address: UInt) {
    DeviceMemory.write32(common + register, UInt32(truncatingIfNeeded: address))
    DeviceMemory.write32(common + register + 4, UInt32(truncatingIfNeeded: address >> 32))
  }

  public func notify(_ index: Int) {
    DeviceMemory.write16(notifyAddresses[index], UInt16(truncatingIfNeeded: index))
  }

  public func configuration8(_ offset: Int) -> UInt8 {
    fits(offset, 1) ? DeviceMemory.read8(device + UInt(offset)) : 0
  }
  public func configuration16(_ offset: Int) -> UInt16 {
    fits(offset, 2) ? DeviceMemory.read16(device + UInt(offset)) : 0
  }
  public func configuration32(_ offset: Int) -> UInt32 {
    fits(offset, 4) ? DeviceMemory.read32(device + UInt(offset)) : 0
  }
  private func fits(_ offset: Int, _ count: Int) -> Bool {
    offset >= 0 && UInt(offset) + UInt(count) <= deviceLength
  }
}

/// A virtio device on PCI as it was before VirtIO 1.0: registers in ports. VirtIO 1.2, 4.1.4.10.
public final class VirtioPCILegacyTransport: VirtioTransport {
  private enum Register {
    static var deviceFeatures: UInt16 { 0 }
    static var driverFeatures: UInt16 { 4 }
    static var queuePage: UInt16 { 8 }
    static var queueSize: UInt16 { 12 }
    static var queueSelect: UInt16 { 14 }
    static var queueNotify: UInt16 { 16 }
    static var status: UInt16 { 18 }
    static var interruptStatus: UInt16 { 19 }
    static var configurationVector: UInt16 { 20 }
    static var queueVector: UInt16 { 22 }
  }

  public let kind: UInt32
  public var isLegacy: Bool { true }
  private let port: UInt16
  private let interrupts: VirtioPCIInterrupts
  private var hasConfigurationVector = false

  public var onConfigurationChange: InterruptTable.Handler? {
    get { interrupts.onConfigurationChange }
    set { interrupts.onConfigurationChange = newValue }
  }

  /// Takes over a device; nil when it has no ports.
  ///
  /// - Throws: `ENXIO` when it has no interrupt, `ENOSPC`, `ENOMEM`.
  public init?(
    _ function: PCIFunction, kind: UInt32, controller: InterruptController, mapper: DeviceMapper
  ) throws(Errno) {
    // The window ends below the port space's end.
    guard case .ports(let port) = function.baseAddress(0), port <= 0xff00 else { return nil }
    self.port = port
    self.kind = kind
    function.setCommand(PCIFunction.Command.ports | PCIFunction.Command.busMaster)
    interrupts = try VirtioPCIInterrupts(try PCIInterrupts(function, controller, mapper: mapper)) {
      Ports.read8(port + Register.interruptStatus)
    }
  }

  public var status: UInt8 {
    get { Ports.read8(port + Register.status) }
    set { Ports.write8(port + Register.status, newValue) }
  }
  public func reset() { status = 0 }
  public var offeredFeatures: UInt64 { UInt64(Ports.read32(port + Register.deviceFeatures)) }
  public func acceptFeatures(_ features: UInt64) {
    Ports.write32(port + Register.driverFeatures, UInt32(truncatingIfNeeded: features))
  }

  public func queueLimit(_ index: Int) -> Int {
    Ports.write16(port + Register.queueSelect, UInt16(truncatingIfNeeded: index))
    return Int(Ports.read16(port + Register.queueSize))
  }

  public func enableQueue(
    _ index: Int, _ queue: Virtqueue, _ handler: @escaping InterruptTable.Handler
  ) throws(Errno) {
    guard queue.descriptorTable >> pageShift <= UInt32.max else { throw .ENXIO }
    if !hasConfigurationVector, interrupts.usesMessages {
      hasConfigurationVector = true
      Ports.write16(port + Register.configurationVector, try interrupts.configurationMessage())
    }
    Ports.write16(port + Register.queueSelect, UInt16(truncatingIfNeeded: index))
    Ports.write32(port + Register.queuePage, UInt32(queue.descriptorTable >> pageShift))
    let message = try interrupts.queueMessage(handler)
    guard interrupts.usesMessages else { return }
    Ports.write16(port + Register.queueVector, message)
    guard Ports.read16(port + Register.queueVector) == message else { throw .ENXIO }
  }

  public func notify(_ index: Int) {
    Ports.write16(port + Register.queueNotify, UInt16(truncatingIfNeeded: index))
  }

  /// The device's configuration comes behind the vectors, which exist only while MSI-X is on.
  private var configuration: UInt16 { port + (interrupts.usesMessages ? 24 : 20) }
  public func configuration8(_ offset: Int) -> UInt8 {
    (0..<128).contains(offset) ? Ports.read8(configuration + UInt16(offset)) : 0
  }
  public func configuration16(_ offset: Int) -> UInt16 {
    (0..<127).contains(offset) ? Ports.read16(configuration + UInt16(offset)) : 0
  }
  public func configuration32(_ offset: Int) -> UInt32 {
    (0..<125).contains(offset) ? Ports.read32(configuration + UInt16(offset)) : 0
  }
}
