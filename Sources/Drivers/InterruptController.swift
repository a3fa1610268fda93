public import Kernel
public import LinuxABI
internal import Platform

/// The machine's interrupt hardware: masks the legacy controllers, and connects lines and messages to handlers.
///
/// The I/O APICs are looked for where every machine of the supported kinds has them, and only when a line is connected:
/// to read the ACPI tables would cost more than all else here and say the same.
public final class InterruptController {
  /// Lines of the first I/O APIC of every machine. The second is QEMU's, on microvm with ACPI.
  private static var linesPerIOAPIC: UInt32 { 24 }

  public let table: InterruptTable
  public let localAPIC: LocalAPIC
  private let mapper: DeviceMapper
  private lazy var first = IOAPIC(physical: 0xfec0_0000, firstLine: 0, mapper: mapper)
  private lazy var second = IOAPIC(physical: 0xfec1_0000, firstLine: Self.linesPerIOAPIC, mapper: mapper)

  /// Takes the interrupt hardware over from the firmware. Interrupts must be off.
  ///
  /// - Throws: `ENOMEM`.
  public init(table: InterruptTable, mapper: DeviceMapper) throws(Errno) {
    self.table = table
    self.mapper = mapper
    Ports.write8(0x21, 0xff)
    Ports.write8(0xa1, 0xff)
    let localAPIC = try LocalAPIC(mapper: mapper)
    self.localAPIC = localAPIC
    table.endOfInterrupt = { localAPIC.endOfInterrupt() }
  }

  /// Whether there are lines from 24 on.
  public var hasSecondIOAPIC: Bool { second != nil }

  /// Calls `handler` whenever line `line` (ACPI's global system interrupt) asks for it. A line may have many handlers;
  /// the first one's trigger holds.
  ///
  /// - Throws: `ENXIO` when there is no such line.
  public func connect(
    line: UInt32, _ trigger: InterruptTrigger, _ handler: @escaping InterruptTable.Handler
  ) throws(Errno) {
    guard line < UInt32(InterruptTable.lineVectors.count),
      let ioAPIC = line < Self.linesPerIOAPIC ? first : second, line - ioAPIC.firstLine < ioAPIC.lineCount
    else { throw .ENXIO }
    let vector = InterruptTable.lineVectors.lowerBound + UInt8(truncatingIfNeeded: line)
    if table.hasHandler(vector) {
      table.addHandler(vector, handler)
    } else {
      table.setHandler(vector, handler)
      ioAPIC.route(line - ioAPIC.firstLine, to: vector, trigger: trigger, destination: localAPIC.identifier)
    }
  }

  /// A message that a device writes to interrupt (MSI, MSI-X). Intel SDM volume 3, 11.11.
  public struct Message: Equatable, Sendable {
    public let address: UInt64
    public let data: UInt32
  }

  /// Makes a message that calls `handler`.
  ///
  /// - Throws: `ENOSPC` when no vector is left.
  public func makeMessage(_ handler: @escaping InterruptTable.Handler) throws(Errno) -> Message {
    guard let vector = table.allocateMessageVector() else { throw .ENOSPC }
    table.setHandler(vector, handler)
    return Message(address: 0xfee0_0000 | UInt64(localAPIC.identifier & 0xff) << 12, data: UInt32(vector))
  }
}
