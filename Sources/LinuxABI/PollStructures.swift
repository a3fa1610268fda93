// Names are spelled as in Linux, so that grep and the man pages work.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

/// An entry of poll(2): `struct pollfd`, 8 bytes.
@frozen
public struct PollFD: ABIStruct, Sendable {
  public var fd: Int32 = 0
  public var events: PollEvents = []
  public var revents: PollEvents = []

  /// All bytes zero.
  public init() {}
}

/// An event of epoll_ctl(2): `struct epoll_event`, which is packed on x86_64: 12 bytes.
@frozen
public struct EpollEvent: ABIStruct, Sendable {
  public var events: EpollEvents
  private var dataLow: UInt32
  private var dataHigh: UInt32

  public init(events: EpollEvents, data: UInt64) {
    self.events = events
    dataLow = UInt32(truncatingIfNeeded: data)
    dataHigh = UInt32(truncatingIfNeeded: data >> 32)
  }

  /// What the program keeps with the descriptor.
  public var data: UInt64 {
    get { UInt64(dataHigh) << 32 | UInt64(dataLow) }
    set {
      dataLow = UInt32(truncatingIfNeeded: newValue)
      dataHigh = UInt32(truncatingIfNeeded: newValue >> 32)
    }
  }
}

/// The last argument of pselect6(2): where the mask is, and how long.
@frozen
public struct SignalSetArgument: ABIStruct, Sendable {
  public var ss: UInt64 = 0
  public var ss_len: UInt64 = 0

  /// All bytes zero.
  public init() {}
}
