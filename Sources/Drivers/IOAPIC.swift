internal import Kernel
internal import LinuxABI
internal import Platform

/// Routes interrupt lines to vectors. Intel 82093AA data sheet.
final class IOAPIC {
  /// The global number of its first line.
  let firstLine: UInt32
  let lineCount: UInt32
  private let base: UInt

  /// Takes over the I/O APIC at physical address `physical`; nil when there is none.
  init?(physical: UInt, firstLine: UInt32, mapper: DeviceMapper) {
    do throws(Errno) {
      base = try mapper.map(physical: physical, count: 0x20)
    } catch {
      return nil
    }
    self.firstLine = firstLine
    DeviceMemory.write32(base, 1)
    let version = DeviceMemory.read32(base + 0x10)
    // An address that nothing answers reads as all zeroes or all ones.
    guard (0x01...0x2f).contains(version & 0xff), case let last = version >> 16 & 0xff, last < 240 else { return nil }
    lineCount = last + 1
  }

  private func write(_ register: UInt32, _ value: UInt32) {
    DeviceMemory.write32(base, register)
    DeviceMemory.write32(base + 0x10, value)
  }

  /// Sends line `line` (counted from this APIC's first) to `vector` at the local APIC `destination`.
  func route(_ line: UInt32, to vector: UInt8, trigger: InterruptTrigger, destination: UInt32) {
    write(0x11 + line * 2, destination << 24)
    write(0x10 + line * 2, UInt32(vector) | trigger.redirectionBits)
  }
}

/// How an interrupt line says that something happened.
public enum InterruptTrigger: Sendable {
  /// ISA devices, and virtio-mmio.
  case edge
  /// PCI's INTx, as the chipset presents it to the I/O APIC.
  case level

  fileprivate var redirectionBits: UInt32 {
    switch self {
    case .edge: 0
    case .level: 1 << 15
    }
  }
}
