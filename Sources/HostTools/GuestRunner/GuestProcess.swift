internal import HostSystem

/// A QEMU below this process, with the guest's console on standard input and output.
final class GuestProcess {
  private let options: GuestOptions
  private var host: QEMUCommand.Host
  private var encoder: InputEncoder
  private var isInputAtEnd = false
  /// Input goes through a port of a virtio console.
  private let usesPort: Bool
  /// KVM could not go on with the guest.
  private var hasFailed = false

  /// QEMU's numbers for what it inherits beside the standard descriptors.
  private static let statusNumber: Int32 = 3
  private static let controlNumber: Int32 = 4
  private static let inputNumber: Int32 = 5
  /// How long QEMU has to end after SIGTERM.
  private static let patienceMilliseconds: Int64 = 2000
  /// How long the guest may go on after the reader of its output is gone: it gets no SIGPIPE of its own, and a
  /// program that has written all it wanted is about to end.
  private static let unreadMilliseconds: Int64 = 1000
  /// The input that may wait for QEMU.
  private static let inputSize = 1 << 16

  init(_ options: GuestOptions) throws {
    self.options = options
    openMissingStandardDescriptors()
    host = QEMUCommand.Host(
      qemu: try locateQEMU(options), isKVMUsable: !options.forcesEmulation && isKVMUsable(),
      isInputTerminal: Descriptor.standardInput.isTerminal, isOutputTerminal: Descriptor.standardOutput.isTerminal,
      window: windowSize(of: .standardOutput))
    usesPort = !host.isInputTerminal && !options.usesSerialPort
    encoder = InputEncoder(
      host.isInputTerminal ? options.ignoresInterrupt ? .terminalWithEscape : .plain : usesPort ? .plain : .pipe)
  }

  func run() throws -> Int32 {
    ignoreBrokenPipes()
    return options.runsInBackground ? try runInBackground() : try runInForeground()
  }

  // MARK: Foreground

  private func runInForeground() throws -> Int32 {
    // What the guest writes has its carriage returns already.
    let terminal = TerminalSettings(of: .standardInput) ?? TerminalSettings(of: .standardOutput)
    // QEMU makes its standard descriptors non-blocking, and others may share them.
    let flags = Descriptor.standard.map { ($0, $0.statusFlags) }
    let directory = options.startsPaused ? try makeTemporaryDirectory(prefix: "qemu-guest") : nil
    func cleanUp() {
      for (descriptor, value) in flags { descriptor.statusFlags = value }
      terminal?.restore()
      if let directory { Self.removeFiles(in: directory) }
    }
    defer { cleanUp() }
    let signals = try SignalQueue([Signal.interrupt, Signal.terminate, Signal.hangUp, Signal.quit])
    // A nameless file: nothing is left behind, however this process ends.
    let report = try Descriptor.memoryFile(named: "guest-status")
    let control = needsControl ? try DescriptorPair.sockets() : nil
    let command = try QEMUCommand(
      options, host,
      .foreground(
        status: Self.statusNumber, control: needsControl ? Self.controlNumber : nil, input: Self.inputNumber,
        directory: directory))
    // QEMU's standard input is a pipe in any case: a terminal it would set up in its own way. When the input goes
    // through a port, nothing comes through the pipe, not even its end.
    let keys = try DescriptorPair.pipe()
    let data = usesPort ? try DescriptorPair.sockets() : nil

    var descriptors = [(child: Self.statusNumber, own: report), (0, keys.first)]
    if let data { descriptors.append((Self.inputNumber, data.first)) }
    if let control { descriptors.append((Self.controlNumber, control.second)) }
    terminal?.makeRaw(keepsSignals: !options.ignoresInterrupt)
    // Ctrl-C is this process's, or the guest's.
    let process = try start(command, descriptors, group: .new, deathSignal: Signal.terminate)
    control?.second.close()
    keys.first.close()
    data?.first.close()
    let end = try process.endDescriptor()
    let monitor = try control.map { try prepare(process, $0.first, end) }
    if let directory {
      printError("qemu-guest: the guest is paused; `cont` on the monitor \(directory)/monitor.socket lets it run")
    }

    let signal = try watch(
      process, end: end, signals: signals, input: data?.second ?? keys.second, host.isKVMUsable ? monitor : nil)
    withExtendedLifetime(keys) {}
    let qemuEnd = process.wait()
    if let signal {
      cleanUp()
      die(bySignal: signal)
    }
    let text = try report.read(count: 4096, at: 0, named: "the guest's status")
    let outcome = GuestOutcome(report: text)
    if hasFailed, outcome == .unknown { return runnerFailureStatus }
    let (status, message) = outcome.status(qemu: qemuEnd)
    if let message { printError("qemu-guest: \(message)") }
    return status
  }

  /// Carries the input until QEMU has ended.
  ///
  /// - Returns: the signal by which this process should end, after QEMU has ended.
  private func watch(
    _ process: ChildProcess, end: Descriptor, signals: SignalQueue, input: Descriptor, _ monitor: MachineMonitor?
  ) throws -> Int32? {
    var monitor = monitor
    var fatalSignal: Int32?
    var deadline: Int64?
    var isOutputGone = false
    var buffer = [UInt8](repeating: 0, count: Self.inputSize)
    input.setNonBlocking()

    func terminate(_ signal: Int32) {
      // The second signal is impatience.
      process.send(fatalSignal == nil ? Signal.terminate : Signal.kill)
      fatalSignal = fatalSignal ?? signal
      deadline = monotonicMilliseconds() + Self.patienceMilliseconds
    }

    while true {
      var interests = [Interest(end, .read), Interest(signals.descriptor, .read)]
      var outputIndex: Int?
      var inputIndex: Int?
      var pumpIndex: Int?
      var monitorIndex: Int?
      if let monitor {
        monitorIndex = interests.count
        interests.append(Interest(monitor.socket, .read))
      }
      if !isOutputGone {
        outputIndex = interests.count
        interests.append(Interest(.standardOutput, .hangUp))
      }
      if !isInputAtEnd && encoder.isEmpty {
        inputIndex = interests.count
        interests.append(Interest(.standardInput, .read))
      }
      if input.isOpen, !encoder.isEmpty {
        pumpIndex = interests.count
        interests.append(Interest(input, .write))
      }
      let hasMessages = monitor?.hasMessages ?? false
      let timeout = hasMessages ? 0 : deadline.map { Int32(max(0, min($0 - monotonicMilliseconds(), 60_000))) }
      let readiness = waitFor(interests, milliseconds: timeout)

      // The signals come first: a terminal's Ctrl-C ends QEMU at the same time.
      while let signal = signals.next() {
        if signal == Signal.interrupt && options.ignoresInterrupt { continue }
        terminate(signal)
      }
      if readiness[0].ready { return fatalSignal }
      let isMonitorReady = monitorIndex.map { readiness[$0].ready || readiness[$0].gone } ?? false
      if hasMessages || isMonitorReady {
        // A monitor that breaks off is QEMU's end, which tells more.
        switch try? monitor?.takeFailure(isReadable: isMonitorReady) {
        case false?: break
        case true?:
          hasFailed = true
          printError("qemu-guest: KVM cannot run this guest; -W emulates the processor instead")
          if options.debuggerPort == nil { process.send(Signal.kill) }
        default: monitor = nil
        }
      }
      if let outputIndex, readiness[outputIndex].gone {
        isOutputGone = true
        deadline = deadline ?? monotonicMilliseconds() + Self.unreadMilliseconds
      }
      if let inputIndex, readiness[inputIndex].ready || readiness[inputIndex].gone {
        readInput(into: &buffer)
        endInput(input)
        if encoder.isQuitting { terminate(Signal.interrupt) }
      }
      if let pumpIndex, readiness[pumpIndex].ready || readiness[pumpIndex].gone { send(to: input) }
      if let limit = deadline, monotonicMilliseconds() >= limit {
        terminate(fatalSignal ?? Signal.brokenPipe)
      }
    }
  }

  private func readInput(into buffer: inout [UInt8]) {
    do {
      let count = try Descriptor.standardInput.read(into: &buffer, named: "standard input")
      if count > 0 { return encoder.add(buffer[..<count]) }
    } catch {
      printError("qemu-guest: \(error)")
    }
    isInputAtEnd = true
    encoder.addEnd()
  }

  private func send(to input: Descriptor) {
    switch writeSome(encoder.next, to: input) {
    case .wrote(let count):
      encoder.didSend(count)
      endInput(input)
    case .wouldBlock: break
    // QEMU is about to end.
    case .failed:
      input.close()
      isInputAtEnd = true
    }
  }

  /// Lets the guest see the end of the input, once it has all of it.
  private func endInput(_ input: Descriptor) {
    if isInputAtEnd, encoder.isEmpty, usesPort { input.endSending() }
  }

  // MARK: Background

  private func runInBackground() throws -> Int32 {
    let directory = try makeTemporaryDirectory(prefix: "qemu-guest")
    let logPath = directory.appending("qemu.log".utf8)
    do {
      let null = try openFile("/dev/null", .readWrite)
      let log = try createFile(logPath)
      let control = try DescriptorPair.sockets()
      let command = try QEMUCommand(options, host, .background(control: Self.controlNumber, directory: directory))
      let process = try start(
        command, [(0, null), (1, log), (2, log), (Self.controlNumber, control.second)], group: .session,
        deathSignal: nil)
      control.second.close()
      try prepare(process, control.first, try process.endDescriptor())
      try printLine(
        """
        pid:      \(process.identifier)
        console:  \(directory)/console.socket (and \(directory)/console.log)
        monitor:  \(directory)/monitor.socket
        status:   \(directory)/status (exit=N or signal=N when the guest has ended)
        """)
      return 0
    } catch {
      if let log = try? openFile(logPath), let text = try? log.read(count: 1 << 16, at: 0, named: logPath) {
        try? writeAll(text, to: .standardError, named: "standard error")
      }
      Self.removeFiles(in: directory)
      throw error
    }
  }

  // MARK: Both

  /// True when there is something to do before the guest runs; for a paused guest, to know that its monitor is there;
  /// with KVM, to hear when it cannot go on.
  private var needsControl: Bool {
    host.isKVMUsable || !options.monitorCommands.isEmpty || options.processors != nil || options.startsPaused
  }

  private func start(
    _ command: QEMUCommand, _ descriptors: [(child: Int32, own: Descriptor)], group: ChildProcess.Group,
    deathSignal: Int32?
  ) throws -> ChildProcess {
    let all = descriptors + (try command.descriptors.map { ($0.number, try openFile($0.path, .readWrite)) })
    return try ChildProcess(
      command.arguments, descriptors: all, group: group, deathSignal: deathSignal)
  }

  /// Pins the processors, runs the monitor commands, and lets the guest run unless it shall start paused.
  @discardableResult
  private func prepare(
    _ process: ChildProcess, _ socket: Descriptor, _ end: Descriptor
  ) throws -> MachineMonitor {
    do {
      var monitor = try MachineMonitor(socket, end: end)
      if let list = options.processors {
        let processors = try processorList(list)
        for (index, thread) in try monitor.processorThreads().enumerated() {
          try pinThread(thread, to: processors[index % processors.count])
        }
      }
      for command in options.monitorCommands {
        let output = try monitor.humanCommand(command)
        printError("(qemu) \(command)")
        if !output.isEmpty {
          try writeAll(output.utf8.filter { $0 != 0x0d }, to: .standardError, named: "standard error")
        }
      }
      if !options.startsPaused { try monitor.resume() }
      return monitor
    } catch {
      process.send(Signal.kill)
      _ = process.wait()
      throw error
    }
  }

  private static func removeFiles(in directory: Path) {
    for name in (try? directoryNames(directory)) ?? [] { removeFile(directory.appending(name)) }
    removeDirectory(directory)
  }
}
