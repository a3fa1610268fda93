internal import DevFS
internal import Drivers
internal import Kernel
internal import LinuxABI
internal import Platform
internal import Process
internal import Support
internal import VFSCore

/// The serial port as what a terminal or a stream sits on.
final class SerialConsole: ConsoleDevice {
  private let serial: Serial16550?

  init(_ serial: Serial16550?) { self.serial = serial }

  func write(_ bytes: RawSpan) { serial?.write(bytes) }
  func setInputEnabled(_ enabled: Bool) { serial?.setInputEnabled(enabled) }
}

/// The program's standard streams: one terminal, or pipes where the other side is none.
struct Console {
  let device: SerialConsole
  let terminal: Terminal
  private let inputStream: ConsoleStream?
  private let outputStream: ConsoleStream?

  /// - Parameters:
  ///   - input: What standard input is; a terminal unless the command line says otherwise.
  ///   - output: The same for standard output and standard error.
  ///   - ports: The ports that pipes go through, where the command line says that there are some.
  init(_ serial: Serial16550?, clock: Clock, input: ConsoleMode, output: ConsoleMode, ports: ConsolePorts?) {
    let device = SerialConsole(serial)
    self.device = device
    terminal = Terminal(device, number: DeviceNumber(major: 4, minor: 64), clock: clock)
    let pipe = input == .pipe ? PipeInput(device) : nil
    inputStream = pipe.map { ConsoleStream(input: ports ?? $0, output: nil) }
    outputStream =
      output == .pipe
      ? ConsoleStream(input: nil, output: ports.map { ConsoleOutputPort($0) } ?? PipeOutput(device)) : nil
    let terminal = terminal
    serial?.onInput = { bytes in
      var received: [UInt8] = []
      received.reserveCapacity(bytes.byteCount)
      for i in 0..<bytes.byteCount { received.append(bytes.byte(at: i)) }
      if let pipe { pipe.receive(received) } else { terminal.receive(received) }
    }
  }

  /// Makes the device nodes work.
  func register(in devices: DeviceRegistry, _ processes: SessionProcesses) {
    let terminal = terminal
    let driver = TerminalDriver(terminal)
    devices.register(driver, .S_IFCHR, major: 5, minors: 1...1)
    devices.register(driver, .S_IFCHR, major: 4, minors: 64...64)
    devices.register(ControllingTerminalDriver(processes), .S_IFCHR, major: 5, minors: 0...0)
    terminal.processes = processes
  }

  /// Makes the terminal the controlling one of the first process, unless all it has are pipes.
  func giveTerminal(to process: UserProcess) {
    if inputStream != nil, outputStream != nil { return }
    process.controllingTerminal = terminal
    terminal.session = process.session
    terminal.foregroundGroup = process.group
  }

  /// Opens descriptors 0, 1 and 2.
  func open(_ files: FileDescriptorTable, _ context: FileSystemContext) throws(Errno) {
    let path = try context.resolve([UInt8]("/dev/console"))
    if let inputStream {
      _ = try files.insert(inputStream.open(.O_RDONLY, in: context.namespace))
    } else {
      _ = try files.insert(TerminalFile(path, outputStream == nil ? .O_RDWR : .O_RDONLY, terminal))
    }
    let output: OpenFile =
      outputStream?.open(.O_WRONLY, in: context.namespace) ?? TerminalFile(path, .O_RDWR, terminal)
    _ = try files.insert(output)
    _ = try files.insert(output)
  }
}

/// The processes behind terminals.
final class SessionProcesses: TerminalProcesses {
  private let system: System

  init(_ system: System) { self.system = system }

  private var current: UserProcess { Thread.currentThread.process }
  var currentSession: Int32 { current.session }
  var currentGroup: Int32 { current.group }
  var isSessionLeader: Bool { current.leadsSession }
  var isPrivileged: Bool { current.identity.has(Identity.Capability.CAP_SYS_ADMIN) }
  var fileSystemUser: UInt32 { current.identity.user.fileSystem }
  var controllingTerminal: ControllingTerminal? {
    get { current.controllingTerminal }
    set { current.controllingTerminal = newValue }
  }
  func session(ofGroup group: Int32) -> Int32? { system.session(ofGroup: group) }
  func releaseTerminal(ofSession session: Int32) { system.releaseTerminal(ofSession: session) }
  func send(_ signal: Signal, toGroup group: Int32) { system.send(signal, toGroup: group) }
  func hangUp(session: Int32, foreground: Int32) { system.hangUp(session: session, foreground: foreground) }
  func stopBackground(_ signal: Signal) throws(Errno) { try Thread.currentThread.stopInBackground(signal) }
}
