public import Kernel
public import LinuxABI
public import Support
public import VFSCore

/// A file that signals are read from: whoever reads gets its own thread's and process's. See signalfd(2).
public final class SignalFD: OpenFile {
  /// The signals that it takes.
  private var set: SignalSet

  public init(_ context: FileSystemContext, _ set: SignalSet, isNonBlocking: Bool) {
    self.set = set.subtracting(.unblockable)
    let path = context.namespace.makeAnonymousPath(
      mode: FileMode(rawValue: 0o600), name: [UInt8]("[signalfd]"), credentials: context.credentials)
    super.init(path, isNonBlocking ? [.O_RDWR, .O_NONBLOCK] : .O_RDWR)
  }

  /// Takes other signals from now on.
  public func change(_ set: SignalSet) {
    self.set = set.subtracting(.unblockable)
    Thread.currentThread.process.signals.arrived.wakeAll()
  }

  override public func read(into writer: inout UserWriter, at position: Int64?) throws(Errno) -> Int {
    if position != nil { throw .ESPIPE }
    let thread = Thread.currentThread
    let size = MemoryLayout<SignalFDInfo>.size
    guard writer.remaining >= size else { throw .EINVAL }
    var total = 0
    while writer.remaining >= size {
      guard let info = thread.takePendingSignal(set) else {
        if total > 0 { break }
        if isNonBlocking { throw .EAGAIN }
        if thread.process.signals.arrived.sleep() == .interrupted, !thread.hasPending(set) {
          throw .ERESTARTSYS
        }
        continue
      }
      // Linux loses a signal whose information does not fit the program's memory.
      do throws(Errno) {
        if try writer.write(value: SignalFDInfo(info)) < size { throw .EFAULT }
      } catch {
        if total == 0 { throw error }
        break
      }
      total += size
    }
    return total
  }

  override public var readiness: PollEvents { Thread.currentThread.hasPending(set) ? .POLLIN : [] }
  override public var waitQueue: WaitQueue? { Thread.currentThread.process.signals.arrived }

  override public func writeInformation(_ text: inout TextBuffer) {
    text.append("sigmask:\t")
    var value = TextBuffer()
    value.append(hex: UInt(set.rawValue))
    for _ in value.count..<max(16, value.count) { text.append("0") }
    text.append(bytes: value.bytes)
    text.append("\n")
  }
}

extension Thread {
  /// Whether a signal of a set waits for this thread or its process, blocked or not.
  fileprivate func hasPending(_ set: SignalSet) -> Bool {
    !signals.pending.set.union(process.signals.pending.set).intersection(set).isEmpty
  }

  fileprivate func takePendingSignal(_ set: SignalSet) -> SigInfo? {
    guard let info = takeSignal(allowed: set) else { return nil }
    noticePending()
    return info
  }
}

extension SignalFDInfo {
  /// The members that a signal of this kind has, as the kernel's `signalfd_copyinfo` chooses them.
  init(_ info: SigInfo) {
    self.init()
    ssi_signo = UInt32(bitPattern: info.si_signo)
    ssi_errno = info.si_errno
    ssi_code = info.si_code
    switch SignalLayout(info) {
    case .kill:
      ssi_pid = UInt32(bitPattern: info.si_pid)
      ssi_uid = info.si_uid
    case .timer:
      ssi_tid = UInt32(bitPattern: info.si_timerid)
      ssi_overrun = UInt32(bitPattern: info.si_overrun)
      setValue(info.si_value)
    case .poll:
      ssi_band = UInt32(truncatingIfNeeded: info.si_band)
      ssi_fd = info.si_fd
    case .fault: ssi_addr = info.si_addr
    case .child:
      ssi_pid = UInt32(bitPattern: info.si_pid)
      ssi_uid = info.si_uid
      ssi_status = info.si_status
      ssi_utime = UInt64(bitPattern: info.si_utime)
      ssi_stime = UInt64(bitPattern: info.si_stime)
    case .queue:
      ssi_pid = UInt32(bitPattern: info.si_pid)
      ssi_uid = info.si_uid
      setValue(info.si_value)
    }
  }

  private mutating func setValue(_ value: UInt64) {
    ssi_ptr = value
    ssi_int = Int32(truncatingIfNeeded: value)
  }
}

/// Which members of `siginfo_t` are there: the kernel's `siginfo_layout`.
private enum SignalLayout {
  case kill, timer, poll, fault, child, queue

  init(_ info: SigInfo) {
    let code = info.si_code
    if code > SignalCode.SI_USER, code < SignalCode.SI_KERNEL {
      switch Signal(rawValue: info.si_signo) {
      case .SIGILL, .SIGFPE, .SIGSEGV, .SIGBUS, .SIGTRAP: self = .fault
      case .SIGCHLD: self = .child
      case .SIGIO: self = .poll
      default: self = code <= SignalCode.POLL_HUP ? .poll : .kill
      }
      return
    }
    switch code {
    case SignalCode.SI_TIMER: self = .timer
    case SignalCode.SI_SIGIO: self = .poll
    case ..<0: self = .queue
    default: self = .kill
    }
  }
}
