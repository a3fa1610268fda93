// Names are spelled as in Linux, so that grep and the man pages work.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

public import LinuxABI

/// The options of level SOL_SOCKET, with the defaults and limits of socket(7).
public struct SocketOptions: Sendable {
  /// Bytes, as getsockopt(2) returns them: twice what was asked for.
  public var sendBuffer = 212_992
  public var receiveBuffer = 212_992
  /// net.core.wmem_max and rmem_max
  public static var maximumBuffer: Int { 212_992 }
  static var minimumSendBuffer: Int { 4608 }
  static var minimumReceiveBuffer: Int { 2304 }

  /// Nanoseconds; nil for ever.
  public var receiveTimeout: UInt64?
  public var sendTimeout: UInt64?
  public var receiveLowWater: Int32 = 1
  public var linger = Linger()
  public var priority: Int32 = 0
  /// Bits by the number of the option.
  private var flags: UInt32 = 0

  public init() {}

  /// Whether messages come with their sender's credentials: SO_PASSCRED.
  public var passesCredentials: Bool { flags & 1 << UInt32(SocketOption.SO_PASSCRED.rawValue) != 0 }

  /// The value of an option that is an `int` and belongs to the options alone; nil for others.
  public func value(_ option: SocketOption) -> Int32? {
    switch option {
    case .SO_SNDBUF: Int32(clamping: sendBuffer)
    case .SO_RCVBUF: Int32(clamping: receiveBuffer)
    case .SO_RCVLOWAT: receiveLowWater
    case .SO_SNDLOWAT: 1
    case .SO_PRIORITY: priority
    case .SO_DEBUG, .SO_REUSEADDR, .SO_DONTROUTE, .SO_BROADCAST, .SO_KEEPALIVE, .SO_OOBINLINE, .SO_NO_CHECK,
      .SO_REUSEPORT, .SO_PASSCRED:
      Int32(flags >> UInt32(option.rawValue) & 1)
    default: nil
    }
  }

  /// Sets an option that is an `int`.
  ///
  /// - Parameter isPrivileged: Whether limits for the unprivileged do not count: CAP_NET_ADMIN.
  /// - Throws: `ENOPROTOOPT` for what cannot be set, `EACCES`, `EPERM`.
  public mutating func set(_ option: SocketOption, _ value: Int32, isPrivileged: Bool) throws(Errno) {
    switch option {
    case .SO_SNDBUF, .SO_SNDBUFFORCE:
      if option == .SO_SNDBUFFORCE, !isPrivileged { throw .EPERM }
      sendBuffer = max(Self.buffer(value, isForced: option == .SO_SNDBUFFORCE), Self.minimumSendBuffer)
    case .SO_RCVBUF, .SO_RCVBUFFORCE:
      if option == .SO_RCVBUFFORCE, !isPrivileged { throw .EPERM }
      receiveBuffer = max(Self.buffer(value, isForced: option == .SO_RCVBUFFORCE), Self.minimumReceiveBuffer)
    case .SO_RCVLOWAT: receiveLowWater = value < 0 ? .max : max(value, 1)
    case .SO_PRIORITY:
      guard value >= 0 && value <= 6 || isPrivileged else { throw .EPERM }
      priority = value
    case .SO_DEBUG:
      if value != 0, !isPrivileged { throw .EACCES }
      setFlag(option, value)
    case .SO_REUSEADDR, .SO_DONTROUTE, .SO_BROADCAST, .SO_KEEPALIVE, .SO_OOBINLINE, .SO_NO_CHECK, .SO_REUSEPORT,
      .SO_PASSCRED:
      setFlag(option, value)
    default: throw .ENOPROTOOPT
    }
  }

  private mutating func setFlag(_ option: SocketOption, _ value: Int32) {
    let bit = UInt32(1) << UInt32(option.rawValue)
    if value != 0 { flags |= bit } else { flags &= ~bit }
  }

  /// Linux takes the value as unsigned when it cuts it to the limit, and allows for its own overhead by doubling it.
  private static func buffer(_ value: Int32, isForced: Bool) -> Int {
    if isForced { return 2 * Int(min(max(value, 0), .max / 2)) }
    return 2 * Int(min(UInt32(bitPattern: value), UInt32(maximumBuffer)))
  }
}
