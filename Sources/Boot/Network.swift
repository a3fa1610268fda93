#if LIBLWIP
  internal import Drivers
  internal import Kernel
  internal import LinuxABI
  internal import Network
  internal import NinePFS
  internal import Process
  internal import Sockets
  internal import Support
  internal import VFSCore

  /// The Internet, which is looked for when the first socket of its is made: a program without one boots without it.
  final class LazyNetwork {
    private let machine: Machine
    private let devices: VirtioDevices
    private let random: RandomSource
    private var stack: NetworkStack?

    init(_ machine: Machine, _ devices: VirtioDevices, _ random: RandomSource) {
      self.machine = machine
      self.devices = devices
      self.random = random
    }

    /// Does what the command line says of names: of this machine, and of servers that know those of others. Nothing is
    /// written into a share.
    func applyNames(_ system: System, _ context: FileSystemContext) {
      for configuration in machine.parameters.networkConfigurations {
        if !configuration.hostName.isEmpty { system.hostName = configuration.hostName }
        if !configuration.domain.isEmpty { system.domainName = configuration.domain }
        if !(context.root.inode.fileSystem is NinePFileSystem) { configuration.writeResolver(context) }
      }
    }

    /// Has the namespace make sockets of the Internet.
    func register(in namespace: SocketNamespace) {
      namespace.makeOther = { [self] (family, type, protocolNumber) throws(Errno) in
        try makeSocket(family, type, protocolNumber)
      }
      namespace.controlInterfaces = { [self] (request, argument) throws(Errno) in
        try started().control(request, argument)
      }
    }

    /// Makes a socket of another family than AF_UNIX.
    private func makeSocket(_ family: AddressFamily, _ type: Int32, _ protocolNumber: Int32) throws(Errno) -> Socket {
      let process = Thread.currentThread.process
      if family == .AF_NETLINK {
        return try started().makeNetlink(process.system.sockets, type, protocolNumber: protocolNumber)
      }
      guard family == .AF_INET || family == .AF_INET6 else { throw .EAFNOSUPPORT }
      return try started().make(
        family, type, protocolNumber: protocolNumber,
        isPrivileged: process.identity.has(Identity.Capability.CAP_NET_RAW))
    }

    private func started() -> NetworkStack {
      if let stack { return stack }
      let made = NetworkStack(machine.timers, random, machine.frames)
      stack = made
      let configurations = machine.parameters.networkConfigurations
      for (index, device) in devices.of(VirtioDeviceKind.network).enumerated() {
        do throws(Errno) {
          let card = try VirtioNetwork(device, machine.frames)
          made.add(card, index < configurations.count ? configurations[index] : nil)
        } catch {
          machine.log(.warn) {
            $0.append("net: a card cannot be used: ")
            $0.append(error.text)
          }
        }
      }
      made.waitForAddresses()
      return made
    }

    /// Waits until what was written has gone out.
    func drain() { stack?.drain() }
  }
#endif
