internal import Kernel
public import LinuxABI
internal import VFSCore

// Sessions, process groups and the terminals that control them. See credentials(7), setsid(2) and tty_ioctl(4).
//
// Reference: Linux 6.1, drivers/tty/tty_jobctrl.c and kernel/exit.c.

extension UserProcess {
  /// The numbers of the children that a thread of it made.
  public func children(ofThread tid: Int32) -> [Int32] {
    children.filter { $0.creatorTID == tid }.map { $0.pid }
  }

  /// Whether it leads its session: it called setsid(2), or is the first.
  public var leadsSession: Bool { session == pid }

  /// What the end of a session's leader means for the terminal and those in its foreground. Called when the process has
  /// closed its files.
  func giveUpTerminal() {
    guard leadsSession else { return }
    guard let terminal = controllingTerminal else {
      // It was taken away by a hang-up before.
      if formerForeground != 0 {
        system.send(.SIGHUP, toGroup: formerForeground)
        system.send(.SIGCONT, toGroup: formerForeground)
      }
      return
    }
    if terminal.endsWithSession {
      terminal.hangUp(leaderExits: true)
    } else if terminal.foregroundGroup != 0 {
      system.send(.SIGHUP, toGroup: terminal.foregroundGroup)
    }
    terminal.session = 0
    terminal.foregroundGroup = 0
    system.releaseTerminal(ofSession: session)
  }

  /// Lets a group go on, and tells it by SIGHUP, when nobody is left who could continue its stopped members: the
  /// process, which ends or has lost `parent`, was the last tie to the rest of the session.
  ///
  /// - Parameters:
  ///   - parent: The process's parent, as long as it had one.
  ///   - ends: Whether the process itself ends; else its parent did.
  func releaseOrphanedGroup(parent: UserProcess?, ends: Bool) {
    guard let parent, parent.group != group, parent.session == session else { return }
    guard system.isOrphaned(group, without: ends ? self : nil) else { return }
    let hasStopped = system.processes.contains { $0.group == group && $0.signals.stoppedBy != nil }
    guard hasStopped else { return }
    system.send(.SIGHUP, toGroup: group)
    system.send(.SIGCONT, toGroup: group)
  }
}

extension System {
  /// Sends a signal of the kernel's to every process of a group.
  public func send(_ signal: Signal, toGroup group: Int32) {
    for process in processes where process.group == group && process.exitStatus == nil {
      process.send(SigInfo(signal: signal, code: SignalCode.SI_KERNEL))
    }
  }

  /// The session of a process group; nil when there is no such group.
  public func session(ofGroup group: Int32) -> Int32? { processes.first { $0.group == group }?.session }

  /// Takes the controlling terminal from every process of a session.
  public func releaseTerminal(ofSession session: Int32) {
    for process in processes where process.session == session { process.controllingTerminal = nil }
  }

  /// Tells a session's leader that its terminal is gone, and takes it from the session's processes.
  public func hangUp(session: Int32, foreground: Int32) {
    releaseTerminal(ofSession: session)
    guard let leader = process(session), leader.exitStatus == nil else { return }
    leader.send(SigInfo(signal: .SIGHUP, code: SignalCode.SI_KERNEL))
    leader.send(SigInfo(signal: .SIGCONT, code: SignalCode.SI_KERNEL))
    leader.formerForeground = foreground
  }

  /// Whether no process of a group has a parent in the session but outside the group.
  func isOrphaned(_ group: Int32, without ignored: UserProcess? = nil) -> Bool {
    for process in processes where process.group == group && process !== ignored && process.exitStatus == nil {
      if let parent = self.process(process.parentPID), parent.group != group, parent.session == process.session {
        return false
      }
    }
    return true
  }
}

extension Thread {
  /// Answers for a terminal whose background this thread is in. See `SIGTTIN` and `SIGTTOU` of signal(7).
  ///
  /// - Throws: `ERESTARTSYS` when the group was sent the signal; `EIO` when it is orphaned, or would not stop for SIGTTIN.
  public func stopInBackground(_ signal: Signal) throws(Errno) {
    if signals.mask.contains(signal) || process.signals[signal].sa_handler == SignalHandler.SIG_IGN {
      if signal == .SIGTTIN { throw .EIO }
      return
    }
    if process.groupIsOrphaned { throw .EIO }
    process.system.send(signal, toGroup: process.group)
    throw .ERESTARTSYS
  }
}
