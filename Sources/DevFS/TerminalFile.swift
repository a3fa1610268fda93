public import Kernel
public import LinuxABI
internal import Support
public import VFSCore

/// An open terminal.
public final class TerminalFile: OpenFile {
  public let terminal: Terminal
  /// The terminal's when this was opened. /dev/console is never cut off.
  private let generation: Int?
  /// The terminal was hung up since this was opened.
  var isHungUp: Bool { generation.map { $0 != terminal.generation } ?? false }

  public init(_ path: Path, _ flags: OpenFlags, _ terminal: Terminal) {
    self.terminal = terminal
    generation = Self.isConsole(path) ? nil : terminal.generation
    super.init(path, flags)
    terminal.wasOpened()
  }

  deinit { terminal.wasClosed() }

  fileprivate static func isConsole(_ path: Path) -> Bool {
    path.inode.device.major == 5 && path.inode.device.minor == 1
  }

  override public func read(into writer: inout UserWriter, at position: Int64?) throws(Errno) -> Int {
    if position != nil { throw .ESPIPE }
    guard isReadable else { throw .EBADF }
    if isHungUp { return 0 }
    try terminal.checkForeground(.SIGTTIN)
    return try terminal.read(into: &writer, self)
  }
  override public func write(from reader: inout UserReader, at position: Int64?) throws(Errno) -> Int {
    if position != nil { throw .ESPIPE }
    guard isWritable else { throw .EBADF }
    if isHungUp { throw .EIO }
    if terminal.local(.TOSTOP) { try terminal.checkForeground(.SIGTTOU) }
    return try terminal.write(from: &reader, self)
  }

  override public var readiness: PollEvents {
    isHungUp
      ? [.POLLIN, .POLLOUT, .POLLERR, .POLLHUP, .POLLRDNORM, .POLLWRNORM] : terminal.readiness
  }
  override public var waitQueue: WaitQueue? { terminal.waitQueue }

  override public func openPeer(_ flags: OpenFlags) throws(Errno) -> OpenFile { throw .EIO }

  override public func control(_ request: IoctlRequest, _ argument: UInt) throws(Errno) -> Int {
    if isHungUp { throw request == .TIOCSPGRP ? .ENOTTY : .EIO }
    if try terminal.controlSettings(request, argument) { return 0 }
    if try terminal.controlJobs(request, argument, isReadable: isReadable, ofMaster: false) { return 0 }
    let terminal = terminal
    switch request {
    case .TCFLSH:
      try terminal.checkForeground(.SIGTTOU)
      switch UInt64(argument) {
      case FlushQueue.TCIFLUSH: terminal.flushInput()
      case FlushQueue.TCOFLUSH: terminal.flushOutput()
      case FlushQueue.TCIOFLUSH:
        terminal.flushInput()
        terminal.flushOutput()
      default: throw .EINVAL
      }
    case .TCXONC:
      try terminal.checkForeground(.SIGTTOU)
      switch UInt64(argument) {
      case FlowAction.TCOOFF: terminal.setHeld(true)
      case FlowAction.TCOON: terminal.setHeld(false)
      // Asks the other side to stop or go on.
      case FlowAction.TCIOFF: terminal.send(ControlCharacter.VSTOP)
      case FlowAction.TCION: terminal.send(ControlCharacter.VSTART)
      default: throw .EINVAL
      }
    case .TIOCOUTQ: try UserMemory.store(Int32(0), at: argument)
    case .FIONREAD: try UserMemory.store(Int32(clamping: terminal.availableCount), at: argument)
    case .TIOCSTI:
      let processes = terminal.processes
      if let processes, !processes.isPrivileged, processes.controllingTerminal !== terminal { throw .EPERM }
      terminal.receive([try UserMemory.load(UInt8.self, at: argument)])
    case .TIOCVHANGUP:
      if let processes = terminal.processes, !processes.isPrivileged { throw .EPERM }
      terminal.hangUp(leaderExits: false)
    default: throw .ENOTTY
    }
    return 0
  }
}

extension Terminal {
  fileprivate func flushOutput() {
    echo.removeAll(keepingCapacity: true)
    device.flushOutput()
    device.note(.flushedWrite)
  }
  /// Sends a control character to the other side, past all waiting output.
  fileprivate func send(_ index: Int) {
    let character = control(index)
    if character != 0 { device.write([character].rawBytes) }
  }
}

/// The driver of a terminal's node.
public final class TerminalDriver: DeviceDriver {
  private let terminal: Terminal

  public init(_ terminal: Terminal) { self.terminal = terminal }

  public func open(_ path: Path, _ flags: OpenFlags) throws(Errno) -> OpenFile {
    try terminal.open(path, flags)
  }
}

extension Terminal {
  /// Makes a description of it. A session leader without a terminal gets the first that it opens to read.
  ///
  /// - Throws: `EBUSY` when somebody has it for himself.
  func open(_ path: Path, _ flags: OpenFlags) throws(Errno) -> OpenFile {
    if isExclusive, let processes, !processes.isPrivileged { throw .EBUSY }
    let file = TerminalFile(path, flags, self)
    if !flags.contains(.O_NOCTTY), !TerminalFile.isConsole(path), session == 0, file.isReadable, let processes,
      processes.isSessionLeader, processes.controllingTerminal == nil
    {
      takeControl()
    }
    return file
  }
}

/// The driver of /dev/tty: whatever the calling process's controlling terminal is.
public final class ControllingTerminalDriver: DeviceDriver {
  private let processes: any TerminalProcesses

  public init(_ processes: any TerminalProcesses) { self.processes = processes }

  public func open(_ path: Path, _ flags: OpenFlags) throws(Errno) -> OpenFile {
    guard let terminal = processes.controllingTerminal as? Terminal else { throw .ENXIO }
    return try terminal.open(path, flags)
  }
}
