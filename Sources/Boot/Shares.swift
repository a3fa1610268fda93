internal import Drivers
internal import Kernel
internal import LinuxABI
internal import NinePFS
internal import Support
internal import VFSCore

/// The virtio devices of the machine, and the shares among them. Nothing is looked for before somebody asks.
final class VirtioDevices {
  private let machine: Machine
  private lazy var all = VirtioDiscovery.devices(
    announced: machine.parameters.virtioMMIODevices, hasACPI: machine.information.rsdp != 0,
    controller: machine.controller, mapper: machine.mapper, log: machine.log)

  /// A 9P device, started, and the file system on it once it was mounted: there is one session for each device.
  private final class Share {
    let device: VirtioNineP
    var fileSystem: NinePFileSystem?
    init(_ device: VirtioNineP) { self.device = device }
  }
  private lazy var shares: [Share] = of(VirtioDeviceKind.ninePTransport).compactMap { transport in
    do throws(Errno) {
      let device = try VirtioNineP(transport, machine.frames)
      machine.scheduler.add(polled: device)
      return Share(device)
    } catch {
      machine.log(.warn) {
        $0.append("9p: a device cannot be used: ")
        $0.append(error.text)
      }
      return nil
    }
  }

  init(_ machine: Machine) { self.machine = machine }

  /// The devices of a kind.
  func of(_ kind: UInt32) -> [any VirtioTransport] { all.filter { $0.kind == kind } }

  /// Whether there is a share of this name.
  func hasShare(_ tag: [UInt8]) -> Bool { shares.contains { $0.device.tag == tag } }

  /// The file system of the share of a name.
  ///
  /// - Throws: `ENOENT` when there is none, and what `NinePFileSystem` throws.
  func share(
    _ tag: [UInt8], _ environment: FileSystemEnvironment, options: [UInt8]
  ) throws(Errno) -> NinePFileSystem {
    for share in shares where share.device.tag == tag {
      if let fileSystem = share.fileSystem {
        if !fileSystem.isClosed { return fileSystem }
        try fileSystem.endSession()
      }
      let made = try NinePFileSystem(environment, share.device, options: options)
      share.fileSystem = made
      return made
    }
    throw .ENOENT
  }

  /// The types for mount(2), fstab and /proc/filesystems: Linux's name and Unikraft's.
  func types(_ environment: FileSystemEnvironment) -> [FileSystemType] {
    let names: [StaticString] = ["9p", "9pfs"]
    return names.map {
      FileSystemType(name: $0.bytes) { [self] (_, source, options) throws(Errno) in
        try share(source, environment, options: options)
      }
    }
  }
}
