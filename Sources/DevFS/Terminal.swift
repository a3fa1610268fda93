public import Kernel
public import LinuxABI
internal import Support
public import VFSCore

/// Who the processes are that a terminal serves. The Process module's side of it is in Boot; without it there is no job
/// control.
public protocol TerminalProcesses: AnyObject {
  /// The session and the process group of the calling process.
  var currentSession: Int32 { get }
  var currentGroup: Int32 { get }
  /// Whether the caller leads its session.
  var isSessionLeader: Bool { get }
  /// Whether the caller may do what CAP_SYS_ADMIN allows.
  var isPrivileged: Bool { get }
  /// The caller's user, as files that it makes belong to.
  var fileSystemUser: UInt32 { get }
  /// The caller's controlling terminal.
  var controllingTerminal: ControllingTerminal? { get set }
  /// The session of a process group; nil when there is no such group.
  func session(ofGroup group: Int32) -> Int32?
  /// Takes the controlling terminal from every process of a session.
  func releaseTerminal(ofSession session: Int32)
  /// Sends a signal to a process group.
  func send(_ signal: Signal, toGroup group: Int32)
  /// Tells a session's leader by SIGHUP and SIGCONT that the terminal is gone, and takes it from the session's processes.
  func hangUp(session: Int32, foreground: Int32)
  /// A process in the background wants to read (SIGTTIN) or change the terminal (SIGTTOU): sends the signal to its
  /// group and throws `ERESTARTSYS`; throws `EIO` when the group is orphaned or, for SIGTTIN, the signal is blocked or
  /// ignored; returns when SIGTTOU is blocked or ignored.
  func stopBackground(_ signal: Signal) throws(Errno)
}

/// A terminal: the N_TTY line discipline over a device. See termios(3) and ioctl_tty(2).
///
/// Reference: Linux 6.1, drivers/tty/n_tty.c.
public final class Terminal: ControllingTerminal {
  public let device: any ConsoleDevice
  public internal(set) var settings: Termios
  public internal(set) var window = Winsize()
  public var processes: (any TerminalProcesses)?
  /// Woken when input or room for output may have come: for those who poll.
  public let waitQueue = WaitQueue()
  /// Where calls wait for input and for room.
  let readers = WaitQueue()
  let writers = WaitQueue()

  /// Where deadlines of VTIME come from.
  let clock: Clock

  /// Bytes that a program may read. In canonical mode they are whole lines: the last byte of each has `delimiter`.
  var ready: [UInt16] = []
  var readyHead = 0
  /// Delimiters in `ready`.
  var lineCount = 0
  /// The line being edited, in canonical mode.
  var line: [UInt8] = []
  /// The next character is taken literally (VLNEXT).
  var isLiteralNext = false
  /// VSTOP came, or TCOOFF: output waits.
  public internal(set) var isStopped = false
  /// TCOOFF: only TCOON lets output go on.
  var isHeld = false
  /// Only privileged processes may open it: TIOCEXCL.
  var isExclusive = false
  /// A write(2) is under way; others wait, so that they do not mix.
  var isWriting = false
  var isInputPaused = false
  /// Echoes that wait until output may go on.
  var echo: [UInt8] = []

  /// Rises at each hang-up: files that were opened before are cut off.
  private(set) var generation = 0
  /// Open descriptions.
  private(set) var openCount = 0

  /// Where the cursor is, and where the line being edited began.
  var column = 0
  var lineColumn = 0

  /// The last byte of a line.
  static var delimiter: UInt16 { 0x100 }
  /// VEOF stood here: a delimiter that is not read.
  static var endOfFile: UInt16 { 0x200 }
  /// What Linux's buffer holds (N_TTY_BUF_SIZE).
  static var bufferSize: Int { 4096 }

  public init(_ device: any ConsoleDevice, number: DeviceNumber, clock: Clock, settings: Termios = .initial) {
    self.device = device
    self.clock = clock
    self.settings = settings
    super.init(number: number)
  }

  @inline(__always)
  func input(_ flag: TerminalInputFlags) -> Bool { settings.c_iflag.contains(flag) }
  @inline(__always)
  func output(_ flag: TerminalOutputFlags) -> Bool { settings.c_oflag.contains(flag) }
  @inline(__always)
  func local(_ flag: TerminalLocalFlags) -> Bool { settings.c_lflag.contains(flag) }
  func control(_ index: Int) -> UInt8 { settings.c_cc[index] }
  var isCanonical: Bool { local(.ICANON) }
  var isPseudoTerminal: Bool { number.major == 136 }
  override public var endsWithSession: Bool { !isPseudoTerminal }

  /// Bytes in `ready`, with the marks of VEOF.
  var readyCount: Int { ready.count - readyHead }
  /// How many bytes `receive` may be given now without loss; of a canonical line that does not end, all but the first
  /// 4096 are lost, or its end could not come.
  var inputRoom: Int {
    let room = Self.bufferSize - 1 - readyCount - line.count
    return room > 0 ? room : isCanonical && lineCount == 0 ? 1 : 0
  }

  /// What poll(2) reports to those that are not cut off.
  public var readiness: PollEvents {
    var events: PollEvents = []
    let enough: Bool
    if isCanonical {
      enough = lineCount > 0
    } else {
      let minimum = control(ControlCharacter.VTIME) == 0 ? Int(control(ControlCharacter.VMIN)) : 1
      enough = readyCount >= max(minimum, 1)
    }
    if enough { events.formUnion([.POLLIN, .POLLRDNORM]) }
    if !isStopped, !isWriting, device.room > 0 { events.formUnion([.POLLOUT, .POLLWRNORM]) }
    return events
  }

  // MARK: Who has it open

  func wasOpened() {
    openCount += 1
    if openCount == 1 { device.setOpen(true) }
  }
  func wasClosed() {
    openCount -= 1
    if openCount == 0 { device.setOpen(false) }
  }

  /// Makes it the controlling terminal of the caller's session.
  func takeControl() {
    guard let processes else { return }
    session = processes.currentSession
    foregroundGroup = processes.currentGroup
    processes.controllingTerminal = self
  }

  /// The line is gone: those who have it open read the end of file and write `EIO`; the session's leader gets SIGHUP.
  override public func hangUp(leaderExits: Bool) {
    generation += 1
    if session != 0 {
      processes?.hangUp(session: session, foreground: foregroundGroup)
      if leaderExits, foregroundGroup != 0 { processes?.send(.SIGHUP, toGroup: foregroundGroup) }
    }
    session = 0
    foregroundGroup = 0
    isHeld = false
    isStopped = false
    flushInput()
    wakeReaders()
    wakeWriters()
  }

  func wakeReaders() {
    readers.wakeAll()
    waitQueue.wakeAll()
  }
  func wakeWriters() {
    writers.wakeAll()
    waitQueue.wakeAll()
  }

  /// Stops a caller in the background, who may not do this. See `TerminalProcesses.stopBackground`.
  func checkForeground(_ signal: Signal) throws(Errno) {
    guard let processes, processes.controllingTerminal === self else { return }
    if foregroundGroup == 0 || processes.currentGroup == foregroundGroup { return }
    try processes.stopBackground(signal)
  }

  /// Sends a signal that a control character stands for to the foreground.
  func signal(_ signal: Signal) {
    if foregroundGroup != 0 { processes?.send(signal, toGroup: foregroundGroup) }
  }

  // MARK: Changes

  /// Changes the settings; `flush` drops input that nobody has read.
  public func apply(_ new: Termios, flush: Bool = false) {
    if flush { flushInput() }
    let old = settings
    settings = new
    if isPseudoTerminal {
      // There is no line whose characters could have another size.
      settings.c_cflag.subtract([.CSIZE, .PARENB])
      settings.c_cflag.formUnion([.CS8, .CREAD])
    }
    let wasCanonical = old.c_lflag.contains(.ICANON)
    if wasCanonical != isCanonical {
      if wasCanonical {
        // What was being edited can be read as it is, and marks mean nothing.
        ready = ready[readyHead...].filter { $0 & Self.endOfFile == 0 }.map { $0 & 0xff }
        ready.append(contentsOf: line.map { UInt16($0) })
        readyHead = 0
        line = []
        lineCount = 0
      } else if readyCount > 0 {
        // What is there counts as a line.
        ready[ready.count - 1] |= Self.delimiter
        lineCount = 1
      }
      isLiteralNext = false
    }
    if old.c_iflag.contains(.IXON), !input(.IXON) { setStopped(false) }
    notePacketStatus(of: old)
    wakeReaders()
  }

  private func notePacketStatus(of old: Termios) {
    var status: PacketStatus = []
    let flow = Self.usesCommonFlowControl(settings)
    if Self.usesCommonFlowControl(old) != flow { status.insert(flow ? .flowControl : .noFlowControl) }
    if old.c_lflag.contains(.EXTPROC) || local(.EXTPROC) { status.insert(.externalProcessing) }
    if !status.isEmpty { device.note(status) }
  }
  private static func usesCommonFlowControl(_ settings: Termios) -> Bool {
    settings.c_iflag.contains(.IXON) && settings.c_cc[ControlCharacter.VSTOP] == 0x13
      && settings.c_cc[ControlCharacter.VSTART] == 0x11
  }

  /// Stops output, or lets it go on unless TCOOFF holds it.
  func setStopped(_ stopped: Bool) {
    guard stopped != isStopped, stopped || !isHeld else { return }
    isStopped = stopped
    device.note(stopped ? .stopped : .started)
    if !stopped {
      flushEcho()
      wakeWriters()
    }
  }

  /// Stops output until TCOON, or lets it go on. See tcflow(3).
  func setHeld(_ held: Bool) {
    guard held != isHeld else { return }
    isHeld = held
    setStopped(held)
  }

  /// The device takes output again.
  public func outputDrained() {
    flushEcho()
    wakeWriters()
  }

  /// Drops input that nobody has read.
  public func flushInput() {
    ready = []
    readyHead = 0
    lineCount = 0
    line = []
    isLiteralNext = false
    device.note(.flushedRead)
    resumeInput()
  }

  /// Asks the device to hold back input while nobody reads what there is. A canonical line that is not complete is
  /// never held up: the end of it must be able to come.
  func pauseInputIfFull() {
    if !isInputPaused, readyCount > Self.bufferSize / 2, !isCanonical || lineCount > 0 {
      isInputPaused = true
      device.setInputEnabled(false)
    }
  }
  func resumeInput() {
    if isInputPaused, readyCount <= Self.bufferSize / 4 {
      isInputPaused = false
      device.setInputEnabled(true)
    }
  }

  /// Changes the size of the window and tells the foreground.
  public func setWindow(_ size: Winsize) {
    let isSame =
      size.ws_row == window.ws_row && size.ws_col == window.ws_col && size.ws_xpixel == window.ws_xpixel
      && size.ws_ypixel == window.ws_ypixel
    window = size
    if !isSame { signal(.SIGWINCH) }
  }
}
