public import Kernel
public import LinuxABI
public import Support
public import VFSCore

/// A descriptor that stands for a process. See pidfd_open(2).
public final class PidFD: OpenFile {
  public let process: UserProcess

  public init(_ context: FileSystemContext, _ process: UserProcess, isNonBlocking: Bool) {
    self.process = process
    let path = context.namespace.makeAnonymousPath(
      mode: FileMode(rawValue: 0o600), name: [UInt8]("[pidfd]"), credentials: context.credentials)
    super.init(path, isNonBlocking ? [.O_RDWR, .O_NONBLOCK] : .O_RDWR)
  }

  /// Readable once the process has ended.
  override public var readiness: PollEvents { process.exitStatus == nil ? [] : [.POLLIN, .POLLRDNORM] }
  override public var waitQueue: WaitQueue? { process.ended }

  override public func writeInformation(_ text: inout TextBuffer) {
    // -1 once it has been waited for.
    let pid = process.parent == nil && process.exitStatus != nil ? -1 : Int(process.pid)
    text.append("Pid:\t")
    text.append(decimal: pid)
    text.append("\nNSpid:\t")
    text.append(decimal: pid)
    text.append("\n")
  }
}
