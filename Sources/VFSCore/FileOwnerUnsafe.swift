internal import Kernel
public import LinuxABI

/// Whom a description tells by a signal when input or output becomes possible. See fcntl(2), "Managing signals".
public struct FileOwner: Sendable {
  public var type = OwnerType.F_OWNER_PID
  /// A thread's, process's or group's number; 0 for nobody.
  public var id: Int32 = 0
  /// F_SETSIG; 0 for SIGIO without information.
  public var signal: Int32 = 0
  /// The real and the effective user who said so: they decide whom the signal may reach.
  public var realUser: UInt32 = 0
  public var effectiveUser: UInt32 = 0

  public init() {}
}

/// Waits for a description's readiness on behalf of O_ASYNC.
final class ReadinessSignal: Waiter {
  // SAFETY: the description holds this object, and takes it out of the queue in its own deinit.
  @safe private unowned(unsafe) let file: OpenFile
  /// What si_fd shows: the descriptor by which O_ASYNC was set, whatever it stands for by now.
  private let descriptor: Int32
  private var last: PollEvents

  init(_ file: OpenFile, _ descriptor: Int32) {
    self.file = file
    self.descriptor = descriptor
    last = file.readiness
    super.init()
  }

  /// Input is told of each time something changes while there is some, as more of it may have come; room only when there
  /// was none before.
  override func notify() {
    let file = file
    let now = file.readiness
    let before = last
    last = now
    let input: PollEvents = [.POLLIN, .POLLRDNORM, .POLLPRI]
    let end: PollEvents = [.POLLHUP, .POLLERR]
    if !now.isDisjoint(with: end), before.isDisjoint(with: end) {
      file.tellOwner(SignalCode.POLL_HUP, [.POLLHUP, .POLLERR], descriptor)
    } else if !now.isDisjoint(with: input) {
      file.tellOwner(SignalCode.POLL_IN, [.POLLIN, .POLLRDNORM], descriptor)
    } else if now.contains(.POLLOUT), !before.contains(.POLLOUT) {
      file.tellOwner(SignalCode.POLL_OUT, [.POLLOUT, .POLLWRNORM, .POLLWRBAND], descriptor)
    }
  }
}

extension OpenFile {
  /// Turns O_ASYNC's signals on or off.
  ///
  /// - Parameter descriptor: By which it is done, for si_fd.
  public final func setSignalsReadiness(_ on: Bool, descriptor: Int32) {
    readinessSignal?.remove()
    readinessSignal = nil
    guard on, let queue = waitQueue else { return }
    let signal = ReadinessSignal(self, descriptor)
    queue.add(signal)
    readinessSignal = signal
  }

  fileprivate final func tellOwner(_ code: Int32, _ band: PollEvents, _ descriptor: Int32) {
    guard owner.id != 0 else { return }
    let information: SigInfo
    if let signal = Signal(rawValue: owner.signal) {
      information = .poll(signal, code: code, band: Int64(band.rawValue), descriptor: descriptor)
    } else {
      information = SigInfo(signal: .SIGIO, code: SignalCode.SI_KERNEL)
    }
    inode.fileSystem.environment.signalOwner?(owner, information)
  }
}
