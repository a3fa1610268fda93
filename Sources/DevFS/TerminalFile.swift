public import Kernel
public import LinuxABI
public import VFSCore

/// An open terminal.
public final class TerminalFile: OpenFile {
  public let terminal: Terminal

  public init(_ path: Path, _ flags: OpenFlags, _ terminal: Terminal) {
    self.terminal = terminal
    super.init(path, flags)
  }

  /// Whether the calling process is in the background of this, its controlling terminal.
  private var isInBackground: Bool {
    guard let processes = terminal.processes, terminal.session != 0 else { return false }
    return processes.currentSession == terminal.session && terminal.foregroundGroup != 0
      && processes.currentGroup != terminal.foregroundGroup
  }
  private func checkForeground(_ signal: Signal) throws(Errno) {
    if isInBackground { try terminal.processes?.stopBackground(signal) }
  }

  override public func read(into writer: inout UserWriter, at position: Int64?) throws(Errno) -> Int {
    if position != nil { throw .ESPIPE }
    guard isReadable else { throw .EBADF }
    try checkForeground(.SIGTTIN)
    return try terminal.read(into: &writer, wait: !isNonBlocking)
  }
  override public func write(from reader: inout UserReader, at position: Int64?) throws(Errno) -> Int {
    if position != nil { throw .ESPIPE }
    guard isWritable else { throw .EBADF }
    if terminal.local(.TOSTOP) { try checkForeground(.SIGTTOU) }
    return try terminal.write(from: &reader, wait: !isNonBlocking)
  }

  override public var readiness: PollEvents { terminal.readiness }
  override public var waitQueue: WaitQueue? { terminal.waitQueue }

  override public func control(_ request: IoctlRequest, _ argument: UInt) throws(Errno) -> Int {
    switch request {
    case .TCGETS: try UserMemory.store(terminal.settings, at: argument)
    case .TCGETS2: try UserMemory.store(Termios2(terminal.settings), at: argument)
    case .TCSETS, .TCSETSW, .TCSETSF:
      let settings = try UserMemory.load(Termios.self, at: argument)
      try checkForeground(.SIGTTOU)
      terminal.apply(settings, flush: request == .TCSETSF)
    case .TCSETS2, .TCSETSW2, .TCSETSF2:
      let settings = try UserMemory.load(Termios2.self, at: argument)
      try checkForeground(.SIGTTOU)
      terminal.apply(settings.termios, flush: request == .TCSETSF2)
    case .TIOCGWINSZ: try UserMemory.store(terminal.window, at: argument)
    case .TIOCSWINSZ: terminal.setWindow(try UserMemory.load(Winsize.self, at: argument))
    case .TCFLSH:
      try checkForeground(.SIGTTOU)
      switch UInt64(argument) {
      case FlushQueue.TCIFLUSH, FlushQueue.TCIOFLUSH: terminal.flushInput()
      case FlushQueue.TCOFLUSH: break
      default: throw .EINVAL
      }
    case .TCXONC:
      try checkForeground(.SIGTTOU)
      switch UInt64(argument) {
      case FlowAction.TCOOFF: terminal.setStopped(true)
      case FlowAction.TCOON: terminal.setStopped(false)
      case FlowAction.TCIOFF, FlowAction.TCION: break
      default: throw .EINVAL
      }
    case .TCSBRK, .TCSBRKP, .TIOCSBRK, .TIOCCBRK: try checkForeground(.SIGTTOU)
    case .TIOCEXCL, .TIOCNXCL: break
    case .TIOCOUTQ: try UserMemory.store(Int32(0), at: argument)
    case .FIONREAD: try UserMemory.store(Int32(clamping: terminal.availableCount), at: argument)
    case .TIOCGETD: try UserMemory.store(Int32(LineDiscipline.N_TTY), at: argument)
    case .TIOCSETD:
      guard try UserMemory.load(Int32.self, at: argument) == Int32(LineDiscipline.N_TTY) else { throw .EINVAL }
    case .TIOCGDEV: try UserMemory.store(UInt32(truncatingIfNeeded: terminal.number.encoded), at: argument)
    case .TIOCSTI:
      let byte = try UserMemory.load(UInt8.self, at: argument)
      terminal.receive([byte])
    default: try controlJobs(request, argument)
    }
    return 0
  }

  private func controlJobs(_ request: IoctlRequest, _ argument: UInt) throws(Errno) {
    let processes = terminal.processes
    let isControlling = terminal.session != 0 && processes?.currentSession ?? terminal.session == terminal.session
    switch request {
    case .TIOCGPGRP:
      guard isControlling else { throw .ENOTTY }
      try UserMemory.store(terminal.foregroundGroup, at: argument)
    case .TIOCSPGRP:
      guard isControlling else { throw .ENOTTY }
      let group = try UserMemory.load(Int32.self, at: argument)
      if group < 0 { throw .EINVAL }
      try checkForeground(.SIGTTOU)
      if let processes, !processes.isGroup(group, of: terminal.session) { throw .EPERM }
      terminal.foregroundGroup = group
    case .TIOCGSID:
      guard isControlling else { throw .ENOTTY }
      try UserMemory.store(terminal.session, at: argument)
    case .TIOCSCTTY:
      guard let processes else { throw .EPERM }
      let session = processes.currentSession
      if terminal.session == session { return }
      guard processes.isSessionLeader, terminal.session == 0 || argument == 1 else { throw .EPERM }
      terminal.session = session
      terminal.foregroundGroup = processes.currentGroup
      processes.setControllingTerminal(terminal)
    case .TIOCNOTTY:
      guard isControlling, let processes else { throw .ENOTTY }
      if processes.isSessionLeader {
        terminal.processes?.send(.SIGHUP, toGroup: terminal.foregroundGroup)
        terminal.processes?.send(.SIGCONT, toGroup: terminal.foregroundGroup)
        terminal.session = 0
        terminal.foregroundGroup = 0
      }
      processes.setControllingTerminal(nil)
    default: throw .ENOTTY
    }
  }
}

extension Termios2 {
  /// The settings with the speeds that their flags name.
  init(_ settings: Termios) {
    self.init()
    termios = settings
    let speed: UInt32
    switch settings.c_cflag.intersection(.CBAUD) {
    case .B0: speed = 0
    case .B9600: speed = 9600
    case .B115200: speed = 115_200
    default: speed = 38400
    }
    c_ispeed = speed
    c_ospeed = speed
  }
}

/// The driver of a terminal's node.
public final class TerminalDriver: DeviceDriver {
  private let terminal: Terminal

  public init(_ terminal: Terminal) { self.terminal = terminal }

  public func open(_ path: Path, _ flags: OpenFlags) throws(Errno) -> OpenFile {
    // A session leader without a terminal gets the first that it opens.
    if !flags.contains(.O_NOCTTY), terminal.session == 0, let processes = terminal.processes,
      processes.isSessionLeader, processes.currentSession != 0
    {
      terminal.session = processes.currentSession
      terminal.foregroundGroup = processes.currentGroup
      processes.setControllingTerminal(terminal)
    }
    return TerminalFile(path, flags, terminal)
  }
}

/// The driver of /dev/tty: whatever the calling process's controlling terminal is.
public final class ControllingTerminalDriver: DeviceDriver {
  private let current: () -> Terminal?

  /// - Parameter current: Finds the calling process's terminal.
  public init(_ current: @escaping () -> Terminal?) { self.current = current }

  public func open(_ path: Path, _ flags: OpenFlags) throws(Errno) -> OpenFile {
    guard let terminal = current() else { throw .ENXIO }
    return TerminalFile(path, flags, terminal)
  }
}
