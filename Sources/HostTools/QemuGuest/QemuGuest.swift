public import ArgumentParser
public import GuestRunner
internal import HostSystem
internal import Synchronization

/// The command line of `support/qemu-guest`.
@main
struct QemuGuest: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "qemu-guest",
    abstract: "Runs a program in a guest under QEMU.",
    usage: """
      qemu-guest -k IMAGE -i INITRD [-a "PROGRAM ARGS"] [OPTION ...] [-- QEMU ARGS]
      qemu-guest -k IMAGE -e ROOTFS [-a "PROGRAM ARGS"] [OPTION ...] [-- QEMU ARGS]
      """,
    discussion: """
      The guest's console is standard input and output, and the exit status is the program's own: 0 to 255, or \
      128 + N when signal N killed it. 125 stands for everything else (QEMU failed, the kernel panicked, the guest \
      was reset), with a line on standard error that says what. Without a terminal, the program sees pipes: bytes \
      pass unchanged, and the end of the input is its end of file.

      -a holds kernel parameters, `--`, and the program with its arguments; without `--`, all of it is the program.

      Examples:
        qemu-guest -k build/elfloader_qemu-x86_64 -i ls.cpio -a "/bin/ls -l /"
        qemu-guest -k IMAGE -i app.cpio -a "env.vars=[ 'A=b c' ] -- /app x" < in
        qemu-guest -k IMAGE -e rootfs -N 8080:80 -m 256 -a "/usr/sbin/nginx"
        qemu-guest -k IMAGE -i app.cpio -a /app -P -g 1234
      """)

  // MARK: What runs

  @Option(name: short("k"), parsing: .unconditional, help: help("The kernel image.", "image"))
  var kernel: String?

  @Option(name: short("i"), parsing: .unconditional, help: help("The initial RAM disk (see mkinitrd).", "initrd"))
  var initrd: String?

  @Option(name: short("a"), parsing: .unconditional, help: help("The kernel's command line.", "arguments"))
  var arguments: String?

  @Option(
    name: short("e"), parsing: .unconditionalSingleValue,
    help: help("A directory to share by 9p, with the tag fs0, fs1 ...; repeatable.", "directory"),
    transform: { Share(order: nextPlace(), path: $0, isUnchanged: false) })
  var shares: [Share] = []

  @Option(
    name: short("E"), parsing: .unconditionalSingleValue,
    help: help("As -e, but the guest cannot change it: where it is the root, changes stay in memory.", "directory"),
    transform: { Share(order: nextPlace(), path: $0, isUnchanged: true) })
  var unchangedShares: [Share] = []

  // MARK: The machine

  @Option(name: short("t"), help: help("The machine: x86pc, x86q35 or microvm.", "type"))
  var machine = GuestOptions.Machine.x86pc

  @Option(name: short("m"), help: help("Memory in MB, or with a suffix (512M, 2G).", "size"))
  var memory = "64"

  @Option(name: short("s"), help: help("CPU sockets.", "number"))
  var sockets = 1

  @Option(name: short("c"), help: help("CPU cores in each socket.", "number"))
  var cores = 1

  @Option(name: short("p"), help: help("Pin the guest's processors to these of the host, as 2,4-7.", "list"))
  var processors: String?

  @Flag(name: .customShort("W"), help: "Emulate the processor (TCG), even where KVM would work.")
  var forcesEmulation = false

  @Option(name: short("G"), parsing: .unconditional, help: help("A name for the guest.", "name"))
  var name: String?

  // MARK: Devices

  @Flag(name: .customShort("n"), help: "A network card behind NAT; repeatable.")
  var addressTranslatedCards: Int

  @Option(
    name: short("N"), parsing: .unconditionalSingleValue,
    help: help(
      "A forwarded port, [udp:]PORT[:GUEST-PORT], on the first card behind NAT; repeatable.", "forward"))
  var forwards: [String] = []

  @Option(
    name: short("b"), parsing: .unconditionalSingleValue,
    help: help("A network card on a bridge of the host (qemu-bridge-helper).", "bridge"))
  var bridges: [String] = []

  @Option(
    name: short("V"), parsing: .unconditionalSingleValue,
    help: help("A network card on a tap or macvtap interface of the host.", "interface"))
  var interfaces: [String] = []

  @Option(
    name: short("f"), parsing: .unconditionalSingleValue,
    help: help("A PCI device of the host, given to the guest (vfio-pci).", "pci-id"))
  var passedThroughDevices: [String] = []

  @Option(
    name: short("d"), parsing: .unconditionalSingleValue,
    help: help("A virtio disk, a raw image or a device.", "image"),
    transform: { Disk(order: nextPlace(), disk: .init(path: $0, format: .raw)) })
  var rawDisks: [Disk] = []

  @Option(
    name: short("q"), parsing: .unconditionalSingleValue, help: help("A virtio disk, a qcow2 image.", "image"),
    transform: { Disk(order: nextPlace(), disk: .init(path: $0, format: .qcow2)) })
  var qcow2Disks: [Disk] = []

  @Option(
    name: short("I"), parsing: .unconditionalSingleValue, help: help("An IDE CD drive with an ISO image.", "image"))
  var opticalDiscs: [String] = []

  @Option(
    name: short("S"), parsing: .unconditionalSingleValue,
    help: help("A virtio console on a Unix socket that QEMU creates.", "socket"))
  var serialSockets: [String] = []

  @Flag(name: .customShort("l"), help: "A virtio balloon.")
  var hasBalloon = false

  @Flag(name: .customShort("r"), help: "A virtio entropy device.")
  var hasEntropyDevice = false

  @Option(name: short("v"), help: help("A display adapter, seen by VNC on this port of localhost (5900 ...).", "port"))
  var displayPort: UInt16?

  // MARK: How it runs

  @Flag(name: .customShort("x"), help: "Run in the background: print QEMU's process id and its sockets, and exit.")
  var runsInBackground = false

  @Flag(name: .customShort("P"), help: "Start paused.")
  var startsPaused = false

  @Flag(
    name: .customShort("C"),
    help: "Do not end the guest at Ctrl-C: from a terminal it goes to the program (then Ctrl-A X ends the guest).")
  var ignoresInterrupt = false

  @Option(
    name: short("M"), parsing: .unconditionalSingleValue,
    help: help("A command for QEMU's monitor before the guest runs; repeatable.", "command"))
  var monitorCommands: [String] = []

  @Option(
    name: short("g"),
    help: help("A gdb server on this port of localhost; QEMU then stays after the guest's end.", "port"))
  var debuggerPort: UInt16?

  @Option(
    name: short("T"), parsing: .unconditional, help: help("Trace instructions and interrupts into a file.", "log"))
  var traceLog: String?

  @Flag(
    name: .customLong("serial"),
    help: "Carry pipes through the serial port, for a kernel that knows no virtio console: much slower.")
  var usesSerialPort = false

  @Flag(name: .customShort("D"), help: "Dry run: print QEMU's command line and exit.")
  var isDryRun = false

  @Option(name: short("Q"), parsing: .unconditional, help: help("The QEMU to run.", "path"))
  var qemu: String?

  @Argument(parsing: .postTerminator, help: help("Further arguments for QEMU, after --.", "qemu args"))
  var extraArguments: [String] = []

  /// A disk with its place on the command line, which its place in the guest follows whatever its format is.
  struct Disk {
    let order: Int
    let disk: GuestOptions.Disk
  }

  /// A shared directory with its place on the command line, which its tag follows.
  struct Share {
    let order: Int
    let path: String
    let isUnchanged: Bool
  }

  private static let places = Atomic<Int>(0)

  private static func nextPlace() -> Int {
    places.add(1, ordering: .relaxed).newValue
  }

  private static func short(_ letter: Character) -> NameSpecification {
    .customShort(letter, allowingJoined: true)
  }

  private static func help(_ text: String, _ valueName: String) -> ArgumentHelp {
    ArgumentHelp(stringLiteral: text).named(valueName)
  }

  private var options: GuestOptions {
    var options = GuestOptions()
    options.kernel = kernel
    options.initrd = initrd
    options.arguments = arguments
    options.machine = machine
    options.name = name
    options.memory = memory
    options.sockets = sockets
    options.cores = cores
    options.processors = processors
    options.forcesEmulation = forcesEmulation
    options.runsInBackground = runsInBackground
    options.startsPaused = startsPaused
    options.ignoresInterrupt = ignoresInterrupt
    options.isDryRun = isDryRun
    options.usesSerialPort = usesSerialPort
    options.qemu = qemu
    options.monitorCommands = monitorCommands
    options.debuggerPort = debuggerPort
    options.traceLog = traceLog
    options.displayPort = displayPort
    options.addressTranslatedCards = addressTranslatedCards
    options.forwards = forwards
    options.bridges = bridges
    options.interfaces = interfaces
    options.passedThroughDevices = passedThroughDevices
    options.disks = (rawDisks + qcow2Disks).sorted { $0.order < $1.order }.map(\.disk)
    options.opticalDiscs = opticalDiscs
    let allShares = (shares + unchangedShares).sorted { $0.order < $1.order }
    options.shares = allShares.map(\.path)
    options.unchangedShares = Set(allShares.indices.filter { allShares[$0].isUnchanged })
    options.serialSockets = serialSockets
    options.hasBalloon = hasBalloon
    options.hasEntropyDevice = hasEntropyDevice
    options.extraArguments = extraArguments
    return options
  }

  static func main() {
    do {
      exitProcess(runGuest(try parse().options))
    } catch {
      let message = fullMessage(for: error)
      guard exitCode(for: error) == .success else {
        printError(message)
        // 64, which the library has for a wrong usage, may be a program's status.
        exitProcess(runnerFailureStatus)
      }
      try? printLine(message)
    }
  }
}

extension GuestOptions.Machine: ExpressibleByArgument {}

extension ArgumentHelp {
  /// This help with a name for the value.
  fileprivate func named(_ valueName: String) -> ArgumentHelp {
    var help = self
    help.valueName = valueName
    return help
  }
}
