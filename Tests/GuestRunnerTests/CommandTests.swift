import HostSystem
import Testing

@testable import GuestRunner

@Suite("QEMU's command line")
struct CommandTests {
  /// The command for `options` of a host without terminals and KVM, unless said otherwise.
  private func command(
    terminals: (input: Bool, output: Bool) = (false, false), kvm: Bool = false, dryRun: Bool = false,
    window: (rows: Int, columns: Int)? = nil, _ change: (inout GuestOptions) -> Void
  ) throws -> [String] {
    var options = GuestOptions()
    options.kernel = "image"
    change(&options)
    try options.validate()
    let host = QEMUCommand.Host(
      qemu: "/q", isKVMUsable: kvm, isInputTerminal: terminals.input, isOutputTerminal: terminals.output,
      window: window)
    let purpose = dryRun ? QEMUCommand.Purpose.dryRun : .foreground(status: 3, control: nil, input: 5, directory: nil)
    return try QEMUCommand(options, host, purpose).arguments
  }

  private func values(of option: String, in command: [String]) -> [String] {
    command.indices.filter { command[$0] == option && $0 + 1 < command.count }.map { command[$0 + 1] }
  }

  @Test("The plain command")
  func plain() throws {
    let arguments = try command { $0.arguments = "/bin/ls" }
    #expect(
      arguments == [
        "/q", "-machine", "pc", "-accel", "tcg", "-cpu", "max", "-m", "64", "-nodefaults", "-no-user-config",
        "-no-reboot", "-vga", "none", "-display", "none", "-kernel", "image", "-append",
        "console.stdin=pipe console.stdout=pipe banner=off console.ports -- /bin/ls", "-chardev",
        "stdio,id=console,signal=off,mux=on", "-serial", "chardev:console", "-chardev", "socket,id=input,fd=5",
        "-device", "virtio-serial-pci,id=ports,max_ports=3", "-device",
        "virtserialport,bus=ports.0,nr=1,chardev=input,name=elfloader.stdin", "-device",
        "virtserialport,bus=ports.0,nr=2,chardev=console,name=elfloader.stdout", "-device",
        "isa-debug-exit,iobase=0x501,iosize=2", "-chardev",
        "file,id=status,path=/proc/self/fd/3", "-device", "isa-debugcon,iobase=0x502,chardev=status",
      ])
  }

  @Test("Terminals")
  func terminals() throws {
    let both = try command(terminals: (true, true)) { $0.arguments = "/x" }
    #expect(values(of: "-append", in: both) == ["/x"])
    #expect(values(of: "-chardev", in: both)[0] == "stdio,id=console,signal=off")
    let guarded = try command(terminals: (true, false)) { $0.ignoresInterrupt = true }
    #expect(values(of: "-append", in: guarded) == ["console.stdout=pipe banner=off --"])
    #expect(values(of: "-chardev", in: guarded)[0] == "stdio,id=console,signal=off")
    let sized = try command(terminals: (true, true), window: (24, 80)) { $0.arguments = "/x" }
    #expect(values(of: "-append", in: sized) == ["console.rows=24 console.columns=80 -- /x"])
    let none = try command(terminals: (true, true)) { _ in }
    #expect(!none.contains("-append"))
  }

  @Test("The accelerator")
  func accelerator() throws {
    #expect(values(of: "-accel", in: try command(kvm: true) { _ in }) == ["kvm"])
    #expect(values(of: "-cpu", in: try command(kvm: true) { _ in }) == ["host,-arch-capabilities"])
    #expect(values(of: "-accel", in: try command(kvm: true) { $0.forcesEmulation = true }) == ["tcg"])
  }

  @Test("microvm has its devices on the memory bus")
  func microvm() throws {
    let arguments = try command {
      $0.machine = .microvm
      $0.addressTranslatedCards = 1
      $0.disks = [.init(path: "d", format: .raw)]
      $0.shares = ["/tmp"]
      $0.hasBalloon = true
      $0.hasEntropyDevice = true
      $0.serialSockets = ["s"]
    }
    #expect(values(of: "-machine", in: arguments) == ["microvm,pit=on,pic=on,rtc=on,isa-serial=on,acpi=off"])
    #expect(
      values(of: "-device", in: arguments).filter { $0.hasPrefix("virtio-") } == [
        "virtio-serial-device,id=ports,max_ports=3", "virtio-net-device,netdev=host0,id=net0",
        "virtio-blk-device,drive=disk0",
        "virtio-9p-device,fsdev=fs0,mount_tag=fs0", "virtio-serial-device,id=sockets", "virtio-balloon-device",
        "virtio-rng-device,rng=rng0",
      ])
    for change in [
      { $0.displayPort = 5900 }, { $0.opticalDiscs = ["x"] }, { $0.passedThroughDevices = ["x"] },
    ] as [(inout GuestOptions) -> Void] {
      #expect(throws: ToolError.self) {
        try command {
          $0.machine = .microvm
          change(&$0)
        }
      }
    }
  }

  @Test("Shares are fs0, fs1 and so on, and commas in paths are no separators")
  func shares() throws {
    let arguments = try command {
      $0.shares = ["/a,b", "c"]
      $0.disks = [.init(path: "x,y", format: .qcow2)]
      $0.initrd = "i,j"
      $0.name = "n,m"
    }
    #expect(
      values(of: "-fsdev", in: arguments) == [
        "local,id=fs0,path=/a,,b,security_model=none,multidevs=remap",
        "local,id=fs1,path=c,security_model=none,multidevs=remap",
      ])
    #expect(values(of: "-drive", in: arguments) == ["file=x,,y,if=none,id=disk0,format=qcow2"])
    #expect(values(of: "-initrd", in: arguments) == ["i,j"])
    #expect(values(of: "-name", in: arguments) == ["n,,m"])
  }

  @Test("A share that stays as it is: read-only for QEMU, and under an overlay where it is the root")
  func unchangedShares() throws {
    func arguments(_ unchanged: Set<Int>, initrd: String? = nil) throws -> [String] {
      try command {
        $0.shares = ["/a", "/b"]
        $0.unchangedShares = unchanged
        $0.initrd = initrd
      }
    }
    let root = try arguments([0])
    #expect(
      values(of: "-fsdev", in: root) == [
        "local,id=fs0,path=/a,security_model=none,multidevs=remap,readonly=on",
        "local,id=fs1,path=/b,security_model=none,multidevs=remap",
      ])
    #expect(values(of: "-append", in: root)[0].contains("vfs.fstab=[ fs0:/:overlay ]"))
    for other in [try arguments([1]), try arguments([0], initrd: "i")] {
      #expect(!values(of: "-append", in: other).contains { $0.contains("overlay") })
    }
  }

  @Test("Network cards and forwards")
  func network() throws {
    #expect(
      values(of: "-netdev", in: try command { $0.addressTranslatedCards = 2 }) == ["user,id=host0", "user,id=host1"])
    let arguments = try command {
      $0.forwards = ["8080:80", "udp:53,22"]
      $0.bridges = ["br0"]
    }
    #expect(
      values(of: "-netdev", in: arguments) == [
        "user,id=host0,hostfwd=tcp::8080-:80,hostfwd=udp::53-:53,hostfwd=tcp::22-:22", "bridge,id=host1,br=br0",
      ])
    let cards = values(of: "-device", in: arguments).filter { $0.hasPrefix("virtio-net") }
    #expect(cards[0] == "virtio-net-pci,netdev=host0,id=net0,romfile=")
    #expect(cards[1].hasPrefix("virtio-net-pci,netdev=host1,id=net1,mac=52:54:00:"))
    #expect(throws: ToolError.self) { try command { $0.interfaces = ["no-such-0"] } }
    #expect(throws: ToolError.self) { try command { $0.interfaces = ["../../etc"] } }
    #expect(throws: ToolError.self) { try command { $0.passedThroughDevices = ["ff:1f.7"] } }
  }

  @Test("The rest of the options")
  func rest() throws {
    let arguments = try command {
      $0.sockets = 2
      $0.cores = 3
      $0.debuggerPort = 1234
      $0.traceLog = "log"
      $0.displayPort = 5901
      $0.startsPaused = true
      $0.opticalDiscs = ["a", "b", "c"]
      $0.extraArguments = ["-foo", "bar"]
      $0.memory = "2G"
    }
    #expect(values(of: "-smp", in: arguments) == ["sockets=2,cores=3,threads=1"])
    #expect(values(of: "-gdb", in: arguments) == ["tcp:127.0.0.1:1234"])
    #expect(values(of: "-D", in: arguments) == ["log"])
    #expect(values(of: "-display", in: arguments) == ["vnc=127.0.0.1:1"])
    #expect(values(of: "-m", in: arguments) == ["2G"])
    #expect(arguments.contains("-S") && arguments.contains("-no-shutdown"))
    #expect(
      values(of: "-device", in: arguments).filter { $0.hasPrefix("ide-cd") } == [
        "ide-cd,bus=ide.0,unit=0,drive=disc0", "ide-cd,bus=ide.0,unit=1,drive=disc1",
        "ide-cd,bus=ide.1,unit=0,drive=disc2",
      ])
    #expect(arguments.suffix(2) == ["-foo", "bar"])
  }

  @Test("A dry run's command has no descriptor of this process")
  func dryRun() throws {
    let arguments = try command(dryRun: true) { _ in }
    #expect(values(of: "-chardev", in: arguments)[1] == "file,id=status,path=/dev/null")
  }

  @Test("Nonsense is refused")
  func refusals() {
    let changes: [(inout GuestOptions) -> Void] = [
      { $0.kernel = nil }, { $0.memory = "" }, { $0.memory = "x" }, { $0.memory = "64MB" }, { $0.memory = "-1" },
      { $0.sockets = 0 }, { $0.cores = 256 }, { $0.displayPort = 80 }, { $0.processors = "x" },
      { $0.forwards = ["http"] }, { $0.opticalDiscs = ["1", "2", "3", "4", "5"] },
      {
        $0.kernel = nil
        $0.arguments = "x"
      },
    ]
    for change in changes { #expect(throws: ToolError.self) { try command(change) } }
  }
}
