/// A virtio device on the memory bus, as the virtual machine monitor announces it.
///
/// The form is Linux's (`virtio_mmio.device=<size>@<base>:<irq>[:<id>]`, Documentation/admin-guide/
/// kernel-parameters.txt). QEMU's microvm without ACPI and Firecracker append one such word for each device.
public struct VirtioMMIODevice: Equatable, Sendable {
  /// The length of the register window in bytes.
  public let size: UInt64

  /// The physical address of the register window.
  public let base: UInt64

  /// The interrupt line.
  public let interrupt: UInt32

  /// The number that Linux would give the device, when the word has one.
  public let identifier: Int32?

  public init(size: UInt64, base: UInt64, interrupt: UInt32, identifier: Int32? = nil) {
    self.size = size
    self.base = base
    self.interrupt = interrupt
    self.identifier = identifier
  }

  /// Reads the value of one `virtio_mmio.device=` word.
  public init(parsing value: [UInt8]) throws(ParameterFault) {
    guard let at = value.firstIndex(of: UInt8(ascii: "@")) else {
      throw ParameterFault("must be <size>@<base>:<irq>[:<id>]")
    }
    let fields = value[(at + 1)...].split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
    guard fields.count == 2 || fields.count == 3 else {
      throw ParameterFault("must be <size>@<base>:<irq>[:<id>]")
    }
    guard case .value(let size) = ParameterInteger.parseSize(value[..<at]), size > 0 else {
      throw ParameterFault("the size is not a number above 0, with K, M or G behind it if you like")
    }
    guard case .value(let base) = ParameterInteger.parseUnsigned(fields[0]) else {
      throw ParameterFault("the base is not an address")
    }
    // Past 2^52 nothing exists on x86_64 (Intel SDM volume 3A, 4.1.4: the widest physical address).
    let (end, overflow) = base.addingReportingOverflow(size)
    guard !overflow, end <= 1 << 52 else {
      throw ParameterFault("the device lies outside of the physical address space")
    }
    guard case .value(let line) = ParameterInteger.parseUnsigned(fields[1]), line > 0,
      let interrupt = UInt32(exactly: line)
    else { throw ParameterFault("the interrupt is not a number above 0") }
    var identifier: Int32?
    if fields.count == 3 {
      guard case .value(let number) = ParameterInteger.parse(fields[2]), let narrow = Int32(exactly: number) else {
        throw ParameterFault("the id is not a number")
      }
      identifier = narrow
    }
    self.init(size: size, base: base, interrupt: interrupt, identifier: identifier)
  }
}
