public import Kernel
public import LinuxABI

/// Who the processes are that a terminal serves. The Process module implements it; without it there is no job control.
public protocol TerminalProcesses: AnyObject {
  /// The session and the process group of the calling process.
  var currentSession: Int32 { get }
  var currentGroup: Int32 { get }
  /// Whether the caller leads its session.
  var isSessionLeader: Bool { get }
  /// Whether a process group is of a session.
  func isGroup(_ group: Int32, of session: Int32) -> Bool
  /// Makes `terminal`, or nothing, the controlling terminal of the caller's session.
  func setControllingTerminal(_ terminal: Terminal?)
  /// Sends a signal to a process group.
  func send(_ signal: Signal, toGroup group: Int32)
  /// A process in the background wants to read (SIGTTIN) or change the terminal (SIGTTOU): sends the signal to its
  /// group and throws `ERESTARTSYS`; throws `EIO` when the group is orphaned or, for SIGTTIN, the signal is blocked or
  /// ignored; returns when SIGTTOU is blocked or ignored.
  func stopBackground(_ signal: Signal) throws(Errno)
}

/// A terminal: the N_TTY line discipline over a device. See termios(3) and ioctl_tty(2).
///
/// Reference: Linux 6.1, drivers/tty/n_tty.c.
public final class Terminal {
  public let device: any ConsoleDevice
  /// Which node it is, such as 4:64 for /dev/ttyS0.
  public let number: DeviceNumber
  public var settings: Termios
  public var window = Winsize()
  /// The session whose controlling terminal it is, and the process group in the foreground; 0 for none.
  public var session: Int32 = 0
  public var foregroundGroup: Int32 = 0
  public var processes: (any TerminalProcesses)?
  /// Woken when input or room for output may have come.
  public let waitQueue = WaitQueue()

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
  /// The other side is gone: reads end, writes fail.
  public private(set) var isHungUp = false
  var isInputPaused = false

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
    self.number = number
    self.clock = clock
    self.settings = settings
  }

  @inline(__always)
  func input(_ flag: TerminalInputFlags) -> Bool { settings.c_iflag.contains(flag) }
  @inline(__always)
  func output(_ flag: TerminalOutputFlags) -> Bool { settings.c_oflag.contains(flag) }
  @inline(__always)
  func local(_ flag: TerminalLocalFlags) -> Bool { settings.c_lflag.contains(flag) }
  func control(_ index: Int) -> UInt8 { settings.c_cc[index] }
  var isCanonical: Bool { local(.ICANON) }

  /// Bytes in `ready`, with the marks of VEOF.
  var readyCount: Int { ready.count - readyHead }

  /// What poll(2) reports.
  public var readiness: PollEvents {
    var events: PollEvents = []
    if isHungUp { return [.POLLIN, .POLLRDNORM, .POLLERR, .POLLHUP] }
    let enough: Bool
    if isCanonical {
      enough = lineCount > 0
    } else {
      let minimum = control(ControlCharacter.VTIME) == 0 ? Int(control(ControlCharacter.VMIN)) : 1
      enough = readyCount >= max(minimum, 1)
    }
    if enough { events.formUnion([.POLLIN, .POLLRDNORM]) }
    if !isStopped { events.formUnion([.POLLOUT, .POLLWRNORM]) }
    return events
  }

  /// The line is gone: readers see the end of file, writers `EIO`, and the session SIGHUP.
  public func hangUp() {
    isHungUp = true
    if session != 0 { processes?.send(.SIGHUP, toGroup: foregroundGroup) }
    waitQueue.wakeAll()
  }

  /// Changes the settings; `flush` drops input that nobody has read.
  public func apply(_ new: Termios, flush: Bool = false) {
    if flush { flushInput() }
    let wasCanonical = isCanonical
    settings = new
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
    if !input(.IXON), isStopped { setStopped(false) }
    waitQueue.wakeAll()
  }

  func setStopped(_ stopped: Bool) {
    guard stopped != isStopped else { return }
    isStopped = stopped
    if !stopped { waitQueue.wakeAll() }
  }

  /// Drops input that nobody has read.
  public func flushInput() {
    ready = []
    readyHead = 0
    lineCount = 0
    line = []
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

  /// Sends a signal that a control character stands for to the foreground.
  func signal(_ signal: Signal) {
    if foregroundGroup != 0 { processes?.send(signal, toGroup: foregroundGroup) }
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
