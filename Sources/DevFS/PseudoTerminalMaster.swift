internal import Kernel
internal import LinuxABI
internal import VFSCore

/// The master of a pseudo-terminal: what opening /dev/ptmx makes. See pty(7) and ptmx(4).
final class PseudoTerminalMaster: OpenFile {
  private let pseudoTerminal: PseudoTerminal
  private let terminal: Terminal
  private let node: Path
  private let fileSystem: PseudoTerminalFileSystem

  init(
    _ path: Path, _ flags: OpenFlags, _ pseudoTerminal: PseudoTerminal, _ terminal: Terminal, node: Path,
    _ fileSystem: PseudoTerminalFileSystem
  ) {
    self.pseudoTerminal = pseudoTerminal
    self.terminal = terminal
    self.node = node
    self.fileSystem = fileSystem
    super.init(path, flags)
  }

  deinit {
    fileSystem.remove(pseudoTerminal, node.dentry)
    pseudoTerminal.end()
  }

  override func read(into writer: inout UserWriter, at position: Int64?) throws(Errno) -> Int {
    if position != nil { throw .ESPIPE }
    guard isReadable else { throw .EBADF }
    return try pseudoTerminal.read(into: &writer, wait: !isNonBlocking)
  }
  override func write(from reader: inout UserReader, at position: Int64?) throws(Errno) -> Int {
    if position != nil { throw .ESPIPE }
    guard isWritable else { throw .EBADF }
    return try pseudoTerminal.type(from: &reader, wait: !isNonBlocking)
  }

  override var readiness: PollEvents { pseudoTerminal.masterReadiness }
  override var waitQueue: WaitQueue? { pseudoTerminal.masterQueue }

  override func openPeer(_ flags: OpenFlags) throws(Errno) -> OpenFile { try node.inode.open(node, flags) }

  override func control(_ request: IoctlRequest, _ argument: UInt) throws(Errno) -> Int {
    if try terminal.controlSettings(request, argument) { return 0 }
    if try terminal.controlJobs(request, argument, isReadable: isReadable, ofMaster: true) { return 0 }
    let pair = pseudoTerminal
    switch request {
    case .TIOCGPTN: try UserMemory.store(UInt32(pair.index), at: argument)
    case .TIOCSPTLCK: pair.isLocked = try UserMemory.load(Int32.self, at: argument) != 0
    case .TIOCGPTLCK: try UserMemory.store(Int32(pair.isLocked ? 1 : 0), at: argument)
    case .TIOCPKT: pair.setPacketMode(try UserMemory.load(Int32.self, at: argument) != 0)
    case .TIOCGPKT: try UserMemory.store(Int32(pair.isInPacketMode ? 1 : 0), at: argument)
    case .TIOCSIG:
      switch Signal(rawValue: Int32(truncatingIfNeeded: argument)) {
      case .SIGINT: terminal.signal(.SIGINT)
      case .SIGQUIT: terminal.signal(.SIGQUIT)
      case .SIGTSTP: terminal.signal(.SIGTSTP)
      default: throw .EINVAL
      }
    case .TCFLSH:
      switch UInt64(argument) {
      case FlushQueue.TCIFLUSH: pair.dropOutput()
      case FlushQueue.TCOFLUSH: pair.flushInput()
      case FlushQueue.TCIOFLUSH:
        pair.dropOutput()
        pair.flushInput()
      default: throw .EINVAL
      }
    case .TCXONC:
      switch UInt64(argument) {
      case FlowAction.TCOOFF: pair.isHeld = true
      case FlowAction.TCOON:
        pair.isHeld = false
        pair.masterQueue.wakeAll()
      // Asks the terminal to stop or go on, by the control characters that a master has.
      case FlowAction.TCIOFF: terminal.receive([0x13])
      case FlowAction.TCION: terminal.receive([0x11])
      default: throw .EINVAL
      }
    case .TIOCOUTQ: try UserMemory.store(Int32(0), at: argument)
    case .FIONREAD: try UserMemory.store(Int32(clamping: pair.availableCount), at: argument)
    default: throw .ENOTTY
    }
    return 0
  }
}
