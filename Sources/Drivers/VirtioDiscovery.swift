public import Kernel
internal import LinuxABI
internal import Platform
internal import Support

/// Finds the virtio devices of the machine.
public enum VirtioDiscovery {
  private static var vendor: UInt16 { 0x1af4 }

  /// The devices that can be used, in the order of the PCI bus, then of `announced`.
  ///
  /// A device that cannot be brought to work is left out, with a warning.
  ///
  /// - Parameters:
  ///   - announced: What the command line says of devices in memory (`virtio_mmio.device=`).
  ///   - hasACPI: Whether the boot protocol gave ACPI's root pointer.
  public static func devices(
    announced: [VirtioMMIODevice], hasACPI: Bool, controller: InterruptController, mapper: DeviceMapper,
    log: Log
  ) -> [any VirtioTransport] {
    var found: [any VirtioTransport] = []
    let space = PCIPortConfiguration()
    if let space {
      for function in PCIBus.functions(space) {
        guard let kind = kind(function) else { continue }
        do throws(Errno) {
          if let device = try VirtioPCITransport(function, kind: kind, controller: controller, mapper: mapper) {
            found.append(device)
          } else if function.device < 0x1040,
            let device = try VirtioPCILegacyTransport(function, kind: kind, controller: controller, mapper: mapper)
          {
            found.append(device)
          } else {
            warn(log, function, nil)
          }
        } catch {
          warn(log, function, error)
        }
      }
    }
    for device in announced { add(device, to: &found, controller, mapper, log) }
    if space == nil, announced.isEmpty {
      for device in microvmWindows(hasSecondIOAPIC: controller.hasSecondIOAPIC, hasACPI: hasACPI) {
        add(device, to: &found, controller, mapper, log)
      }
    }
    return found
  }

  /// What the device is by its PCI numbers: VirtIO 1.2, 4.1.2. A transitional one says it in its subsystem number.
  static func kind(_ function: PCIFunction) -> UInt32? {
    guard function.vendor == vendor else { return nil }
    switch function.device {
    case 0x1000...0x103f: return UInt32(function.read16(0x2e))
    case 0x1041...0x107f: return UInt32(function.device - 0x1040)
    default: return nil
    }
  }

  /// Where QEMU's microvm has its windows when the command line does not announce them, as with ACPI: reading the DSDT
  /// would take an interpreter. With a second I/O APIC there are 24 on its lines, else 8.
  static func microvmWindows(hasSecondIOAPIC: Bool, hasACPI: Bool) -> [VirtioMMIODevice] {
    let count: UInt32 = hasSecondIOAPIC ? 24 : 8
    let firstLine: UInt32 = hasSecondIOAPIC ? 24 : hasACPI ? 16 : 5
    return (0..<count).map {
      VirtioMMIODevice(size: 512, base: 0xfeb0_0000 + UInt64($0) * 512, interrupt: firstLine + $0)
    }
  }

  private static func add(
    _ device: VirtioMMIODevice, to found: inout [any VirtioTransport], _ controller: InterruptController,
    _ mapper: DeviceMapper, _ log: Log
  ) {
    do throws(Errno) {
      if let transport = try VirtioMMIOTransport(
        physical: UInt(device.base), size: UInt(device.size), line: device.interrupt, mapper: mapper,
        interrupts: controller)
      {
        found.append(transport)
      }
    } catch {
      log(.warn) {
        $0.append("virtio: the device at ")
        $0.append(address: UInt(device.base))
        $0.append(" cannot be used: ")
        $0.append(error.text)
      }
    }
  }

  private static func warn(_ log: Log, _ function: PCIFunction, _ error: Errno?) {
    log(.warn) {
      $0.append("virtio: the device at ")
      $0.append(hex: UInt(function.address.bus), width: 2)
      $0.append(":")
      $0.append(hex: UInt(function.address.device), width: 2)
      $0.append(".")
      $0.append(decimal: UInt(function.address.function))
      $0.append(" cannot be used: ")
      $0.append(error?.text ?? "it has no registers that the driver knows")
    }
  }
}
