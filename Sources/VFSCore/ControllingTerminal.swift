public import LinuxABI

/// What a session and its controlling terminal know of each other. The terminals of DevFS are such, and every process
/// of the Process module holds the one that it has. See credentials(7) and tty_ioctl(4).
open class ControllingTerminal {
  /// Which node it is, such as 4:64 for /dev/ttyS0.
  public final let number: DeviceNumber
  /// The session whose controlling terminal it is, and the process group in the foreground; 0 for none.
  public final var session: Int32 = 0
  public final var foregroundGroup: Int32 = 0

  public init(number: DeviceNumber) { self.number = number }

  /// Whether it is a line that ends with its session: everybody who has it open is cut off when the session's leader
  /// exits. A pseudo-terminal is none.
  open var endsWithSession: Bool { true }

  /// Cuts off everybody who has it open.
  ///
  /// - Parameter leaderExits: Whether the session's leader ends, so that the foreground must hear of it too.
  open func hangUp(leaderExits: Bool) {}
}
