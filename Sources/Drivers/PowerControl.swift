public import Kernel
internal import LinuxABI
internal import Platform
internal import Support

/// Ends the machine and tells the host how it ended.
///
/// `isa-debug-exit` carries seven bits of a status, so the whole of it goes as a line of text to an `isa-debugcon` at
/// port 0x502 first, and a second one at 0x503 takes bulk data out. Where neither exists, nothing answers these ports.
public final class PowerControl {
  /// Why the machine ends.
  public enum Cause: Sendable {
    /// The program ended with this status.
    case exit(status: UInt8)
    /// A signal killed the program.
    case signal(UInt8)
    /// The kernel could not go on.
    case panic

    /// The status as a shell would see it.
    public var status: UInt8 {
      switch self {
      case .exit(let status): status
      case .signal(let number): 128 &+ number
      case .panic: 255
      }
    }
  }

  private static var exitPort: UInt16 { 0x501 }
  private static var statusPort: UInt16 { 0x502 }
  private static var exportPort: UInt16 { 0x503 }
  /// What an isa-debugcon reads as.
  private static var consoleMagic: UInt8 { 0xe9 }

  private let serial: Serial16550?
  private let mapper: DeviceMapper
  private let rootPointer: UInt

  /// - Parameter rootPointer: ACPI's root pointer as the boot protocol gave it, or 0.
  public init(serial: Serial16550?, mapper: DeviceMapper, rootPointer: UInt) {
    self.serial = serial
    self.mapper = mapper
    self.rootPointer = rootPointer
  }

  /// Switches the machine off after the console's last byte has left.
  public func powerOff(_ cause: Cause) -> Never {
    serial?.drain()
    if Ports.read8(Self.statusPort) == Self.consoleMagic {
      let line = Self.statusLine(cause)
      Ports.write8(Self.statusPort, line.rawBytes)
    }
    Ports.write16(Self.exitPort, UInt16(cause.status))
    softOff()
    reset()
  }

  /// What the host reads of a cause.
  static func statusLine(_ cause: Cause) -> [UInt8] {
    var line = TextBuffer(reserving: 16)
    switch cause {
    case .exit(let status):
      line.append("exit=")
      line.append(decimal: UInt(status))
    case .signal(let number):
      line.append("signal=")
      line.append(decimal: UInt(number))
    case .panic:
      line.append("panic")
    }
    line.append(byte: UInt8(ascii: "\n"))
    return line.bytes
  }

  private func softOff() {
    switch ACPITables(memory: mapper, rootPointer: rootPointer)?.softOff {
    case .ports(let a, let b, let valueA, let valueB):
      Ports.write16(a, valueA)
      if b != 0 { Ports.write16(b, valueB) }
    case .register(let address, isPort: true, let value):
      Ports.write8(UInt16(truncatingIfNeeded: address), value)
    case .register(let address, isPort: false, let value):
      do throws(Errno) {
        DeviceMemory.write8(try mapper.map(physical: UInt(address), count: 1), value)
      } catch {}
    case nil:
      // QEMU's machines, whose tables were not found: q35 and newer pc, then older pc.
      Ports.write16(0x604, 0x2000)
      Ports.write16(0xb004, 0x2000)
    }
  }

  /// Resets the machine: what is left when it cannot be switched off, and what `-no-reboot` makes an end of.
  public func reset() -> Never {
    // The keyboard controller's reset line, then the chipset's register.
    Ports.write8(0x64, 0xfe)
    Ports.write8(0xcf9, 0x06)
    CPU.tripleFault()
  }

  // MARK: Bulk data to the host

  /// Whether the host takes bulk data.
  public private(set) lazy var canExport = Ports.read8(Self.exportPort) == Self.consoleMagic

  /// Writes bytes to the host's end, if there is one.
  public func export(_ bytes: RawSpan) {
    if canExport { Ports.write8(Self.exportPort, bytes) }
  }
}
