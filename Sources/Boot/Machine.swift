// Boot: the composition root. `Machine` makes every object and connects them; `EntryUnsafe.swift` has the entry points
// that assembly calls. Nothing else names concrete drivers and file systems.
internal import Drivers
internal import Kernel
internal import LinuxABI
internal import Mmap
internal import Platform
internal import Process
internal import Support
internal import VFSCore

/// The machine and the kernel on it.
final class Machine {
  let information: BootInformation
  let parameters: ParsedCommandLine
  let frames: FrameAllocator
  let kernelTable: PageTable
  let mapper: DeviceMapper
  let serial: Serial16550?
  let power: PowerControl
  let interrupts = InterruptTable()
  let controller: InterruptController
  let calibration: TimeStampCalibration
  let clock: Clock
  let timers: TimerQueue
  let scheduler: Scheduler
  let log: Log
  let stages: BootStages
  let initrd: Initrd

  /// Brings the hardware up. Failures here are reported on the serial port and end the boot.
  init(_ address: UInt, _ kind: BootInformation.BootProtocol, attach: (FrameAllocator) -> Void) {
    var stages = BootStages()
    stages.mark("entry")
    do {
      information = try BootInformation(at: address, kind)
    } catch {
      earlyFailure {
        $0.append(
          error == .notRecognised
            ? "boot: not started by the PVH or Linux protocol" : "boot: no usable memory is described")
      }
    }
    parameters = CommandLine.parse(information.commandLine, declarations: Self.declarations)

    var reserved = [BootInformation.Region(start: Image.start, end: Image.end)]
    initrd = Initrd(information, reserving: &reserved)
    guard let map = try? MemoryMap(information, reserved: reserved, attach: attach) else {
      Self.failForMemory(information)
    }
    frames = map.frames
    kernelTable = map.table
    stages.mark("memory")
    mapper = DeviceMapper(table: map.table, frames: map.frames)
    guard let controller = try? InterruptController(table: interrupts, mapper: mapper) else {
      Self.failForMemory(information)
    }
    self.controller = controller
    let kvmClock = KVMClock(frames: frames)
    calibration = TimeStampCalibration(localAPIC: controller.localAPIC, kvmClock: kvmClock)
    let serial = Serial16550()
    self.serial = serial
    let power = PowerControl(serial: serial, mapper: mapper, rootPointer: information.rsdp)
    self.power = power
    let toDebugConsole = parameters.choice(.logTarget) == 1
    let log = Log { line in
      if toDebugConsole {
        Ports.write8(0xe9, line.bytes.rawBytes)
      } else {
        var text: [UInt8] = []
        for byte in line.bytes {
          if byte == UInt8(ascii: "\n") { text.append(UInt8(ascii: "\r")) }
          text.append(byte)
        }
        serial?.write(text.rawBytes)
      }
    }
    log.level = parameters.logLevel ?? LogLevel(rawValue: BuildConfiguration.logLevel) ?? .warn
    self.log = log
    stages.mark("devices")

    let rate = calibration.finish()
    clock = Clock(tscBase: Image.entryTimeStamp, ticksPerSecond: rate.timeStampTicksPerSecond)
    if let seconds = RealTimeClock.secondsSince1970 { clock.setRealtime(seconds * 1_000_000_000) }
    controller.localAPIC.startTimer(
      busTicksPerSecond: rate.busTicksPerSecond, timeStampTicksPerSecond: rate.timeStampTicksPerSecond)
    timers = TimerQueue(clock: clock)
    timers.device = controller.localAPIC
    scheduler = Scheduler(timers: timers)
    stages.mark("clock")
    self.stages = stages
  }

  private static func failForMemory(_ information: BootInformation) -> Never {
    let total = information.memory.reduce(UInt(0)) { $0 + $1.end - $1.start }
    earlyFailure {
      $0.append("boot: too little memory: ")
      $0.append(decimal: total >> 10)
      $0.append(" KiB usable, the kernel needs ")
      $0.append(decimal: (Image.end - Image.start) >> 10)
      $0.append(" KiB for itself and some for its tables")
    }
  }

  /// Everything that may stand on the command line.
  static var declarations: [ParameterDeclaration] {
    ParameterDeclaration.kernel + [.logTarget, .export, .bootTimes]
  }

  /// Serves a fault of the kernel's on the program's memory; false where the program may not do that either.
  func resolve(_ access: KernelFault, at address: UInt) -> Bool {
    switch Thread.currentThread.process.memory.handleFault(address, access == .write ? .write : .read) {
    case .resolved: true
    case .noArea, .accessError, .beyondEnd, .outOfMemory: false
    }
  }

  /// Ends the machine because of a bug.
  func panic(_ registers: SavedRegisters) -> Never {
    write(panicReport(exceptionName(registers.frame.vector), registers).bytes)
    power.powerOff(.panic)
  }

  private func write(_ bytes: [UInt8]) {
    if let serial { serial.write(bytes.rawBytes) } else { Ports.write8(0xe9, bytes.rawBytes) }
  }

  /// Reports why there is no program to run, and ends the machine.
  func fail(_ message: [UInt8], status: UInt8 = 127) -> Never {
    log(.error) { $0.append(bytes: message) }
    power.powerOff(.exit(status: status))
  }
}

extension ParameterDeclaration {
  /// `log.target=console|debugcon`: where kernel messages go.
  static var logTarget: Self {
    Self("log.target", .choice(["console", "debugcon"]), help: "where kernel messages go")
  }
  /// `vfs.export=[ PATH ... ]`: trees that are written to the debug console at port 0x503 at the end, as a cpio archive.
  static var export: Self {
    Self("vfs.export", .list(nil), help: "trees to write out as a cpio archive at the end")
  }
  /// `boot.times`: print where the time from entry to the program's first instruction went.
  static var bootTimes: Self {
    Self("boot.times", .boolean, help: "print where the boot's time goes (off)")
  }
}

/// Time stamps of the boot, from the first instruction on.
struct BootStages {
  private var marks: [(name: StaticString, stamp: UInt64)] = []

  mutating func mark(_ name: StaticString) {
    marks.append((name, CPU.timeStampCounter))
  }

  /// Writes `boot: entry 0.12 ms, memory 0.40 ms, …, total 3.1 ms`.
  func describe(_ clock: Clock, into text: inout TextBuffer) {
    text.append("boot:")
    var last = Image.entryTimeStamp
    for (index, mark) in marks.enumerated() {
      text.append(index == 0 ? " " : ", ")
      text.append(mark.name)
      Self.append(clock.nanoseconds(at: mark.stamp) &- clock.nanoseconds(at: last), &text)
      last = mark.stamp
    }
    text.append(", total")
    Self.append(clock.nanoseconds(at: last), &text)
  }

  private static func append(_ nanoseconds: UInt64, _ text: inout TextBuffer) {
    text.append(" ")
    text.append(decimal: UInt(nanoseconds / 1_000_000))
    text.append(".")
    text.append(decimal: UInt(nanoseconds / 10_000 % 100), width: 2, pad: UInt8(ascii: "0"))
    text.append(" ms")
  }
}
