internal import Kernel
internal import LinuxABI
internal import VFSCore

extension Terminal {
  /// Serves the requests of ioctl_tty(2) that mean the same on a terminal and on its master.
  ///
  /// - Returns: False for a request that is none of these.
  func controlSettings(_ request: IoctlRequest, _ argument: UInt) throws(Errno) -> Bool {
    switch request {
    case .TCGETS: try UserMemory.store(settings, at: argument)
    case .TCGETS2: try UserMemory.store(Termios2(settings), at: argument)
    case .TCSETS, .TCSETSW, .TCSETSF:
      try checkForeground(.SIGTTOU)
      apply(try UserMemory.load(Termios.self, at: argument), flush: request == .TCSETSF)
    case .TCSETS2, .TCSETSW2, .TCSETSF2:
      try checkForeground(.SIGTTOU)
      apply(try UserMemory.load(Termios2.self, at: argument).termios, flush: request == .TCSETSF2)
    case .TIOCGWINSZ: try UserMemory.store(window, at: argument)
    case .TIOCSWINSZ: setWindow(try UserMemory.load(Winsize.self, at: argument))
    // What was written is on its way when write(2) returns, and there is no line to break.
    case .TCSBRK, .TCSBRKP: try checkForeground(.SIGTTOU)
    case .TIOCSBRK, .TIOCCBRK: break
    case .TIOCEXCL: isExclusive = true
    case .TIOCNXCL: isExclusive = false
    case .TIOCGEXCL: try UserMemory.store(Int32(isExclusive ? 1 : 0), at: argument)
    case .TIOCGETD: try UserMemory.store(Int32(LineDiscipline.N_TTY), at: argument)
    case .TIOCSETD:
      guard try UserMemory.load(Int32.self, at: argument) == Int32(LineDiscipline.N_TTY) else { throw .EINVAL }
    default: return false
    }
    return true
  }

  /// Serves the requests about sessions and process groups.
  ///
  /// - Parameters:
  ///   - isReadable: Whether the description was opened to read.
  ///   - ofMaster: Whether the request was made of the master, which tells everybody who is in the foreground.
  /// - Returns: False for a request that is none of these.
  func controlJobs(
    _ request: IoctlRequest, _ argument: UInt, isReadable: Bool, ofMaster: Bool
  ) throws(Errno) -> Bool {
    let isControlling = processes?.controllingTerminal === self
    switch request {
    case .TIOCGPGRP:
      guard isControlling || ofMaster else { throw .ENOTTY }
      try UserMemory.store(foregroundGroup, at: argument)
    case .TIOCSPGRP: try setForeground(argument, isControlling)
    case .TIOCGSID:
      guard isControlling || ofMaster, session != 0 else { throw .ENOTTY }
      try UserMemory.store(session, at: argument)
    case .TIOCSCTTY: try becomeControlling(steals: argument == 1, isReadable)
    case .TIOCNOTTY:
      guard isControlling, !ofMaster, let processes else { throw .ENOTTY }
      if processes.isSessionLeader {
        if foregroundGroup != 0 {
          processes.send(.SIGHUP, toGroup: foregroundGroup)
          processes.send(.SIGCONT, toGroup: foregroundGroup)
        }
        let left = session
        session = 0
        foregroundGroup = 0
        processes.releaseTerminal(ofSession: left)
      } else {
        processes.controllingTerminal = nil
      }
    case .TIOCGDEV: try UserMemory.store(UInt32(truncatingIfNeeded: number.encoded), at: argument)
    default: return false
    }
    return true
  }

  private func setForeground(_ argument: UInt, _ isControlling: Bool) throws(Errno) {
    do throws(Errno) { try checkForeground(.SIGTTOU) } catch { throw error == .EIO ? .ENOTTY : error }
    let group = try UserMemory.load(Int32.self, at: argument)
    if group < 0 { throw .EINVAL }
    guard isControlling, let processes, processes.currentSession == session else { throw .ENOTTY }
    guard let owner = processes.session(ofGroup: group) else { throw .ESRCH }
    guard owner == session else { throw .EPERM }
    foregroundGroup = group
  }

  /// See TIOCSCTTY.
  private func becomeControlling(steals: Bool, _ isReadable: Bool) throws(Errno) {
    guard let processes else { throw .EPERM }
    if processes.isSessionLeader, processes.currentSession == session { return }
    guard processes.isSessionLeader, processes.controllingTerminal == nil else { throw .EPERM }
    if session != 0 {
      guard steals, processes.isPrivileged else { throw .EPERM }
      processes.releaseTerminal(ofSession: session)
    }
    guard isReadable || processes.isPrivileged else { throw .EPERM }
    takeControl()
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
