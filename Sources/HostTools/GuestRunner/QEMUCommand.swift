internal import HostSystem

/// QEMU's arguments for a guest.
struct QEMUCommand {
  /// What the host is like.
  struct Host {
    var qemu: String
    var isKVMUsable: Bool
    var isInputTerminal: Bool
    var isOutputTerminal: Bool
    /// Of the terminal that output goes to.
    var window: (rows: Int, columns: Int)?
  }

  /// How QEMU will run.
  enum Purpose {
    /// The command is only shown.
    case dryRun
    /// Below this process; the numbers are QEMU's descriptors, the directory is for sockets.
    /// What comes to standard input is sent on `input`, unless it is a terminal.
    case foreground(status: Int32, control: Int32?, input: Int32, directory: Path?)
    /// Left behind, with its files in a directory.
    case background(control: Int32, directory: Path)
  }

  /// The whole command, QEMU's path first.
  private(set) var arguments: [String]
  /// Network devices that the caller opens for QEMU: the descriptor that QEMU expects and the file.
  private(set) var descriptors: [(number: Int32, path: Path)] = []

  /// How many network cards there are so far.
  private var cards = 0

  private let options: GuestOptions
  private let host: Host
  private let purpose: Purpose

  /// The first descriptor number for network devices.
  private static let firstNetworkDescriptor: Int32 = 8

  init(_ options: GuestOptions, _ host: Host, _ purpose: Purpose) throws {
    self.options = options
    self.host = host
    self.purpose = purpose
    arguments = [host.qemu]
    addMachine()
    try addBoot()
    addConsole()
    addStatusDevices()
    try addNetwork()
    addStorage()
    addOtherDevices()
    try addPassedThroughDevices()
    addDebugging()
    arguments += options.extraArguments
  }

  private mutating func add(_ words: String...) {
    arguments += words
  }

  /// Doubles commas, which end a value in QEMU's option lists.
  private func value(_ text: String) -> String {
    text.split(separator: ",", omittingEmptySubsequences: false).joined(separator: ",,")
  }

  /// A virtio device's name on this machine's bus.
  private func virtio(_ name: String) -> String {
    options.machine == .microvm ? "\(name)-device" : "\(name)-pci"
  }

  private mutating func addMachine() {
    switch options.machine {
    case .x86pc: add("-machine", "pc")
    case .x86q35: add("-machine", "q35")
    case .microvm:
      // Without ACPI, QEMU describes the virtio devices on the kernel's command line; their registers are VirtIO
      // 1.x's.
      add("-machine", "microvm,pit=on,pic=on,rtc=on,isa-serial=on,acpi=off")
      add("-global", "virtio-mmio.force-legacy=false")
    }
    let isAccelerated = host.isKVMUsable && !options.forcesEmulation
    // The guest has no use for this register, and nested KVMs that announce it may refuse to set it.
    add("-accel", isAccelerated ? "kvm" : "tcg", "-cpu", isAccelerated ? "host,-arch-capabilities" : "max")
    add("-m", options.memory)
    if options.sockets * options.cores > 1 {
      add("-smp", "sockets=\(options.sockets),cores=\(options.cores),threads=1")
    }
    if let name = options.name { add("-name", value(name)) }
    add("-nodefaults", "-no-user-config", "-no-reboot")
    if let port = options.displayPort {
      add("-vga", "std", "-display", "vnc=127.0.0.1:\(port - 5900)")
    } else {
      add("-vga", "none", "-display", "none")
    }
  }

  private mutating func addBoot() throws {
    guard let kernel = options.kernel else { return }
    add("-kernel", kernel)
    if let initrd = options.initrd { add("-initrd", initrd) }
    if let line = KernelLine.make(parameters: kernelParameters, user: options.arguments) { add("-append", line) }
  }

  /// What the kernel must know of the root and the console.
  private var kernelParameters: [String] {
    var parameters: [String] = []
    // What is written to a root that must not change goes into the guest's memory.
    if options.unchangedShares.contains(0), options.initrd == nil {
      parameters.append("vfs.fstab=[ fs0:/:overlay ]")
    }
    if case .background = purpose { return parameters }
    if !host.isInputTerminal { parameters.append("console.stdin=pipe") }
    if !host.isOutputTerminal { parameters += ["console.stdout=pipe", "banner=off"] }
    if inputPort != nil { parameters.append("console.ports") }
    if let window = host.window { parameters += ["console.rows=\(window.rows)", "console.columns=\(window.columns)"] }
    return parameters
  }

  /// QEMU's descriptor for input that goes through a port of a virtio console, as bulk data should.
  private var inputPort: Int32? {
    if case .foreground(_, _, let input, _) = purpose, !host.isInputTerminal, !options.usesSerialPort { return input }
    return nil
  }

  private mutating func addConsole() {
    switch purpose {
    case .background(_, let directory):
      let path = value(directory.description)
      add(
        "-chardev", "socket,id=console,path=\(path)/console.socket,server=on,wait=off,logfile=\(path)/console.log")
    case .dryRun, .foreground:
      // Keys that are not the guest's do not come this far.
      add("-chardev", "stdio,id=console,signal=off" + (inputPort == nil ? "" : ",mux=on"))
    }
    add("-serial", "chardev:console")
    guard let inputPort else { return }
    add("-chardev", "socket,id=input,fd=\(inputPort)")
    add("-device", "\(virtio("virtio-serial")),id=ports,max_ports=3")
    add("-device", "virtserialport,bus=ports.0,nr=1,chardev=input,name=elfloader.stdin")
    // Output shares the serial port's way out, so that it mixes with what the kernel says in the right order.
    if !host.isOutputTerminal {
      add("-device", "virtserialport,bus=ports.0,nr=2,chardev=console,name=elfloader.stdout")
    }
  }

  private mutating func addStatusDevices() {
    let path =
      switch purpose {
      case .dryRun: "/dev/null"
      case .foreground(let status, _, _, _): "/proc/self/fd/\(status)"
      case .background(_, let directory): value(directory.description) + "/status"
      }
    // The second device covers one of the first one's two ports, and wins there because it comes later.
    add("-device", "isa-debug-exit,iobase=0x501,iosize=2")
    add("-chardev", "file,id=status,path=\(path)", "-device", "isa-debugcon,iobase=0x502,chardev=status")
  }

  private mutating func addNetwork() throws {
    let forwards = try options.forwards.flatMap(PortForward.list)
    for card in 0..<max(options.addressTranslatedCards, forwards.isEmpty ? 0 : 1) {
      let rules = card > 0 ? [] : forwards.map { ",hostfwd=\($0.transport)::\($0.hostPort)-:\($0.guestPort)" }
      addCard("user,id=host\(cards)\(rules.joined())")
    }
    for bridge in options.bridges {
      addCard("bridge,id=host\(cards),br=\(value(bridge))", address: Self.randomAddress())
    }
    for name in options.interfaces {
      switch try HostInterface(name) {
      case .tap:
        addCard(
          "tap,id=host\(cards),ifname=\(value(name)),script=no,downscript=no", address: Self.randomAddress())
      case .macvtap(let device, let address):
        let number = Self.firstNetworkDescriptor + Int32(descriptors.count)
        descriptors.append((number, device))
        addCard("tap,id=host\(cards),fd=\(number)", address: address)
      }
    }
  }

  /// Adds a card; the option ROM, which only a network boot needs, would cost boot time.
  private mutating func addCard(_ backend: String, address: String? = nil) {
    add("-netdev", backend)
    let rom = options.machine == .microvm ? "" : ",romfile="
    let mac = address.map { ",mac=\($0)" } ?? ""
    add("-device", "\(virtio("virtio-net")),netdev=host\(cards),id=net\(cards)\(mac)\(rom)")
    cards += 1
  }

  /// An address under QEMU's prefix, for networks where several guests meet.
  private static func randomAddress() -> String {
    (0..<3).reduce(into: "52:54:00") { address, _ in
      let digits = String(UInt8.random(in: 0...255), radix: 16)
      address += ":" + (digits.utf8.count < 2 ? "0" : "") + digits
    }
  }

  private mutating func addStorage() {
    for (index, disk) in options.disks.enumerated() {
      add("-drive", "file=\(value(disk.path)),if=none,id=disk\(index),format=\(disk.format.rawValue)")
      add("-device", "\(virtio("virtio-blk")),drive=disk\(index)")
    }
    for (index, disc) in options.opticalDiscs.enumerated() {
      add("-drive", "file=\(value(disc)),if=none,id=disc\(index),format=raw,media=cdrom,readonly=on")
      // The pc has two buses with two units each, the q35 six buses with one.
      let place = options.machine == .x86pc ? "bus=ide.\(index / 2),unit=\(index % 2)" : "bus=ide.\(index),unit=0"
      add("-device", "ide-cd,\(place),drive=disc\(index)")
    }
    for (index, share) in options.shares.enumerated() {
      // `none` is `passthrough` that does not fail where an ordinary user may not change an owner.
      let access = options.unchangedShares.contains(index) ? ",readonly=on" : ""
      add("-fsdev", "local,id=fs\(index),path=\(value(share)),security_model=none,multidevs=remap\(access)")
      add("-device", "\(virtio("virtio-9p")),fsdev=fs\(index),mount_tag=fs\(index)")
    }
  }

  private mutating func addOtherDevices() {
    if !options.serialSockets.isEmpty { add("-device", "\(virtio("virtio-serial")),id=sockets") }
    for (index, path) in options.serialSockets.enumerated() {
      add("-chardev", "socket,id=vserial\(index),path=\(value(path)),server=on,wait=off")
      add("-device", "virtconsole,bus=sockets.0,chardev=vserial\(index)")
    }
    if options.hasBalloon { add("-device", virtio("virtio-balloon")) }
    if options.hasEntropyDevice {
      add("-object", "rng-random,id=rng0,filename=/dev/urandom", "-device", "\(virtio("virtio-rng")),rng=rng0")
    }
  }

  private mutating func addPassedThroughDevices() throws {
    for name in options.passedThroughDevices {
      let device = try HostPCIDevice(name)
      if case .dryRun = purpose {} else { try device.bind() }
      add("-device", "vfio-pci,host=\(device.address)")
    }
  }

  private mutating func addDebugging() {
    if let port = options.debuggerPort { add("-gdb", "tcp:127.0.0.1:\(port)", "-no-shutdown") }
    if let log = options.traceLog {
      add("-d", "in_asm,cpu_reset,int,pcall,mmu,unimp,guest_errors", "-D", log)
    }
    if options.startsPaused { add("-S") }
    let (control, directory): (Int32?, Path?) =
      switch purpose {
      case .dryRun: (nil, nil)
      case .foreground(_, let control, _, let directory): (control, directory)
      case .background(let control, let directory): (control, directory)
      }
    if let control {
      if !options.startsPaused { add("-S") }
      add("-chardev", "socket,id=control,fd=\(control)", "-mon", "chardev=control,mode=control")
    }
    if let directory {
      let path = value(directory.description)
      add("-chardev", "socket,id=monitor,path=\(path)/monitor.socket,server=on,wait=off")
      add("-mon", "chardev=monitor,mode=readline")
    }
  }
}
