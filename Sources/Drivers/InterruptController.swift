public import Kernel
public import LinuxABI
internal import Platform

/// The machine's interrupt hardware: masks the legacy controllers, and connects lines and messages to handlers.
public final class InterruptController {
  public let table: InterruptTable
  public let localAPIC: LocalAPIC
  private var ioAPICs: [IOAPIC] = []
  private var lines: [(line: UInt32, vector: UInt8)] = []

  /// Takes the interrupt hardware over from the firmware. Interrupts must be off.
  ///
  /// The I/O APICs are looked for where every machine of the supported kind has them: reading the ACPI tables would
  /// cost more than all else here and say the same.
  ///
  /// - Throws: `ENOMEM`.
  public init(table: InterruptTable, mapper: DeviceMapper) throws(Errno) {
    self.table = table
    Ports.write8(0x21, 0xff)
    Ports.write8(0xa1, 0xff)
    let localAPIC = try LocalAPIC(mapper: mapper)
    self.localAPIC = localAPIC
    table.endOfInterrupt = { localAPIC.endOfInterrupt() }
    var firstLine: UInt32 = 0
    // The second is QEMU's, on microvm with ACPI.
    for physical: UInt in [0xfec0_0000, 0xfec1_0000] {
      guard let found = IOAPIC(physical: physical, firstLine: firstLine, mapper: mapper) else { break }
      ioAPICs.append(found)
      firstLine += found.lineCount
    }
  }

  /// Interrupt lines that the machine has.
  public var lineCount: UInt32 { ioAPICs.reduce(0) { $0 + $1.lineCount } }

  /// Calls `handler` whenever line `line` (ACPI's global system interrupt) asks for it. A line may have many handlers;
  /// the first one's trigger holds.
  ///
  /// - Throws: `ENXIO` when there is no such line, `ENOSPC` when no vector is left.
  public func connect(
    line: UInt32, _ trigger: InterruptTrigger, _ handler: @escaping InterruptTable.Handler
  ) throws(Errno) {
    if let known = lines.first(where: { $0.line == line }) {
      table.addHandler(known.vector, handler)
      return
    }
    guard let ioAPIC = ioAPICs.first(where: { line >= $0.firstLine && line - $0.firstLine < $0.lineCount }) else {
      throw .ENXIO
    }
    guard let vector = table.allocateVector() else { throw .ENOSPC }
    table.setHandler(vector, handler)
    lines.append((line, vector))
    ioAPIC.route(line - ioAPIC.firstLine, to: vector, trigger: trigger, destination: localAPIC.identifier)
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
    guard let vector = table.allocateVector() else { throw .ENOSPC }
    table.setHandler(vector, handler)
    return Message(address: 0xfee0_0000 | UInt64(localAPIC.identifier & 0xff) << 12, data: UInt32(vector))
  }
}
