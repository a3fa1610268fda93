internal import Kernel
internal import LinuxABI
internal import Support
internal import VFSCore

/// A pseudo-terminal: what lies between the terminal, its slave side, and the file that is its master. See pty(7).
///
/// The master holds it for as long as it is open, and so does the node in devpts; the end of the master hangs the
/// terminal up for good.
///
/// Reference: Linux 6.1, drivers/tty/pty.c.
final class PseudoTerminal: ConsoleDevice {
  let index: Int
  /// The slave side, until the master is gone.
  private(set) var terminal: Terminal?
  /// TIOCSPTLCK: the slave cannot be opened.
  var isLocked = true
  /// The slave was open, and nobody has it open any more.
  private(set) var isSlaveGone = false
  /// TIOCPKT, and what the next read tells.
  private(set) var isInPacketMode = false
  private var status: PacketStatus = []
  /// TCOOFF on the master: what is written to it waits.
  var isHeld = false

  /// What the slave's side wrote, for the master to read.
  private var output = ByteQueue()
  /// What was written to the master and the terminal has no room for.
  private var input = ByteQueue()
  /// Woken when the master may go on.
  let masterQueue = WaitQueue()

  /// The most that one read of the master's returns, and what Linux keeps beside it on the way.
  static var readLimit: Int { 4095 }
  private static var wayLimit: Int { 17920 }

  init(_ index: Int, clock: Clock, processes: (any TerminalProcesses)?) {
    self.index = index
    let terminal = Terminal(self, number: DeviceNumber(major: 136, minor: UInt32(index)), clock: clock)
    terminal.processes = processes
    self.terminal = terminal
  }

  // MARK: The terminal's side

  var room: Int { Self.readLimit + Self.wayLimit - output.count }

  func write(_ bytes: RawSpan) {
    if bytes.byteCount == 0 || terminal == nil { return }
    for i in 0..<bytes.byteCount { output.append(bytes.byte(at: i)) }
    masterQueue.wakeAll()
  }

  /// What the master's own buffer has cannot be taken back.
  func flushOutput() {
    output.truncate(to: Self.readLimit)
  }

  func setInputEnabled(_ enabled: Bool) {
    guard enabled, !input.isEmpty else { return }
    deliverInput()
    masterQueue.wakeAll()
  }

  func setOpen(_ isOpen: Bool) {
    isSlaveGone = !isOpen
    if !isOpen { isInPacketMode = false }
    masterQueue.wakeAll()
  }

  func note(_ new: PacketStatus) {
    guard isInPacketMode else { return }
    // Of two that contradict each other the later counts.
    if new.contains(.started) { status.remove(.stopped) }
    if new.contains(.stopped) { status.remove(.started) }
    if !new.isDisjoint(with: [.flowControl, .noFlowControl]) { status.subtract([.flowControl, .noFlowControl]) }
    status.formUnion(new)
    masterQueue.wakeAll()
  }

  // MARK: The master's side

  func setPacketMode(_ isOn: Bool) {
    if isOn, !isInPacketMode { status = [] }
    isInPacketMode = isOn
  }

  /// Bytes that a read of the master would get.
  var availableCount: Int { min(output.count, Self.readLimit) }
  private var inputRoom: Int { isHeld ? 0 : Self.wayLimit - input.count }

  var masterReadiness: PollEvents {
    var events: PollEvents = []
    if !output.isEmpty { events.formUnion([.POLLIN, .POLLRDNORM]) }
    if isInPacketMode, !status.isEmpty { events.formUnion([.POLLPRI, .POLLIN, .POLLRDNORM]) }
    if isSlaveGone { events.insert(.POLLHUP) }
    if inputRoom > 0 { events.formUnion([.POLLOUT, .POLLWRNORM]) }
    return events
  }

  /// Reads what the slave's side wrote.
  ///
  /// - Throws: `EIO` once the slave is closed and everything is read; `EAGAIN`, `ERESTARTSYS`, `EFAULT`.
  func read(into writer: inout UserWriter, wait: Bool) throws(Errno) -> Int {
    if writer.remaining == 0 { return 0 }
    while true {
      if isInPacketMode, !status.isEmpty {
        let byte = status.rawValue
        status = []
        return try writer.write([byte].rawBytes)
      }
      if !output.isEmpty { break }
      if isSlaveGone { throw .EIO }
      if !wait { throw .EAGAIN }
      if masterQueue.sleep() == .interrupted { throw .ERESTARTSYS }
    }
    var count = 0
    if isInPacketMode {
      count = try writer.write([0].rawBytes)
      if writer.remaining == 0 { return count }
    }
    let bytes = output.take(min(writer.remaining, Self.readLimit))
    terminal?.outputDrained()
    return count + (try writer.write(bytes.rawBytes))
  }

  /// Types on the terminal.
  ///
  /// - Throws: `EAGAIN` and `ERESTARTSYS` where there is no room, `EFAULT`.
  func type(from reader: inout UserReader, wait: Bool) throws(Errno) -> Int {
    var total = 0
    while reader.remaining > 0 {
      while inputRoom <= 0 {
        if !wait {
          if total > 0 { return total }
          throw .EAGAIN
        }
        if masterQueue.sleep() == .interrupted {
          if total > 0 { return total }
          throw .ERESTARTSYS
        }
      }
      let bytes = try reader.read(min(pageSize, inputRoom))
      if bytes.isEmpty { break }
      for byte in bytes { input.append(byte) }
      deliverInput()
      total += bytes.count
    }
    return total
  }

  /// Gives the terminal as much of the input as it has room for.
  private func deliverInput() {
    guard let terminal else { return }
    while !input.isEmpty {
      let room = terminal.inputRoom
      if room <= 0 {
        // It asks for the rest when it has been read.
        terminal.isInputPaused = true
        return
      }
      terminal.receive(input.take(room))
    }
  }

  /// Drops what was typed and has not come to the terminal.
  func flushInput() { _ = input.take(input.count) }
  /// Drops what the slave's side wrote.
  func dropOutput() {
    _ = output.take(output.count)
    terminal?.outputDrained()
  }

  /// The master is closed.
  func end() {
    guard let terminal else { return }
    self.terminal = nil
    terminal.hangUp(leaderExits: false)
  }
}
