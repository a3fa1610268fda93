internal import DevFS
internal import Drivers
internal import Kernel
internal import LinuxABI
internal import VFSCore

/// Pipes through the ports of a virtio console, which carry bulk data many times as fast as the serial port.
///
/// Few programs read their input, and what most write is short. So the device is looked for when somebody first reads,
/// or has written more than a little, and until its ports are open output goes on through the serial port.
final class ConsolePorts {
  private let machine: Machine
  private let devices: VirtioDevices
  private let serialOutput: PipeOutput
  private var console: VirtioConsole?
  private var isStarted = false
  private var written = 0
  /// Stands for the ports' queues until there are any.
  private let early = WaitQueue()

  private static var serialLimit: Int { 4096 }

  init(_ machine: Machine, _ devices: VirtioDevices) {
    self.machine = machine
    self.devices = devices
    serialOutput = PipeOutput(SerialConsole(machine.serial))
  }

  private func start() {
    if isStarted { return }
    isStarted = true
    for device in devices.of(VirtioDeviceKind.console) {
      guard
        let console = try? VirtioConsole(
          device, machine.frames, input: "elfloader.stdin", output: "elfloader.stdout")
      else { continue }
      self.console = console
      // What the kernel says comes behind what the program has written.
      machine.serial?.willWrite = { console.output.drain() }
      return
    }
    machine.log(.warn, "console: there is no virtio console: input is empty, and output slow")
  }

  /// Waits until the host has taken all output.
  func drain() { console?.output.drain() }
}

extension ConsolePorts: StreamSource {
  private var input: VirtioConsoleInput? {
    start()
    return console?.input
  }
  var count: Int { input?.count ?? 0 }
  var isAtEnd: Bool { input?.isAtEnd ?? true }
  var waitQueue: WaitQueue { input?.waitQueue ?? early }
  func read(into writer: inout UserWriter, wait: Bool) throws(Errno) -> Int {
    try input?.read(into: &writer, wait: wait) ?? 0
  }
}

/// The side that is written to: a class of its own, as both sides have a queue.
final class ConsoleOutputPort: StreamSink {
  private let ports: ConsolePorts

  init(_ ports: ConsolePorts) { self.ports = ports }

  var hasRoom: Bool { ports.outputHasRoom }
  var waitQueue: WaitQueue { ports.outputQueue }
  func write(from reader: inout UserReader, wait: Bool) throws(Errno) -> Int {
    try ports.write(from: &reader, wait: wait)
  }
}

extension ConsolePorts {
  private var openOutput: VirtioConsoleOutput? {
    guard let console, console.output.isOpen else { return nil }
    return console.output
  }
  fileprivate var outputHasRoom: Bool { openOutput?.hasRoom ?? true }
  fileprivate var outputQueue: WaitQueue { openOutput?.waitQueue ?? early }

  fileprivate func write(from reader: inout UserReader, wait: Bool) throws(Errno) -> Int {
    var total = 0
    while reader.remaining > 0 {
      if let output = openOutput {
        do throws(Errno) { return total + (try output.write(from: &reader, wait: wait)) } catch {
          if total > 0 { return total }
          throw error
        }
      }
      let count = try serialOutput.writePiece(from: &reader)
      if count == 0 { break }
      total += count
      written += count
      if written > Self.serialLimit {
        start()
        console?.poll()
        if openOutput != nil { machine.serial?.drain() }
      }
    }
    return total
  }
}
