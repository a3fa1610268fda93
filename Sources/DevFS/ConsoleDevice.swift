internal import LinuxABI

/// The other side of a terminal or of a console that is a pipe: hardware, or the master of a pseudo-terminal. What it
/// receives goes to `Terminal.receive` or `PipeInput.receive`, perhaps from the interrupt handler.
public protocol ConsoleDevice: AnyObject {
  /// How many bytes `write` should be given now; 0 or less when writers must wait. Whoever makes room calls
  /// `Terminal.outputDrained` or wakes the stream's queue.
  var room: Int { get }
  /// Sends bytes as they are. All are taken, also when they are more than `room`.
  func write(_ bytes: RawSpan)
  /// Drops output that nobody has read, where there is such.
  func flushOutput()
  /// Asks for input, or that it wait where it is: nothing reads what is there.
  func setInputEnabled(_ enabled: Bool)
  /// The first description of the terminal was made, or the last is gone.
  func setOpen(_ isOpen: Bool)
  /// What a master in packet mode is told. See TIOCPKT of ioctl_tty(2).
  func note(_ status: PacketStatus)
}

extension ConsoleDevice {
  public var room: Int { .max }
  public func flushOutput() {}
  public func setOpen(_ isOpen: Bool) {}
  public func note(_ status: PacketStatus) {}
}

/// A change of a terminal's state, as a read from its master reports it in packet mode.
public struct PacketStatus: OptionSet {
  public let rawValue: UInt8
  public init(rawValue: UInt8) { self.rawValue = rawValue }

  static var flushedRead: Self { Self(rawValue: 1) }
  static var flushedWrite: Self { Self(rawValue: 2) }
  static var stopped: Self { Self(rawValue: 4) }
  static var started: Self { Self(rawValue: 8) }
  /// Control-S and Control-Q do nothing now, or stop and start output.
  static var noFlowControl: Self { Self(rawValue: 16) }
  static var flowControl: Self { Self(rawValue: 32) }
  static var externalProcessing: Self { Self(rawValue: 64) }
}
