// Names are spelled as in Linux, so that grep and the man pages work.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

internal import CLwIP
internal import LinuxABI
internal import Sockets
internal import Support

/// Options of level IPPROTO_TCP. See tcp(7).
extension StreamSocket {
  func setTCPOption(_ number: Int32, _ value: SocketOptionValue) throws(Errno) {
    guard let option = TCPOption(rawValue: number) else { throw .ENOPROTOOPT }
    if option == .TCP_CONGESTION {
      // Linux has these two without modules.
      let name = try value.text(limit: 15)
      guard name == [UInt8]("cubic") || name == [UInt8]("reno") else { throw .ENOENT }
      return
    }
    let integer = try value.integer()
    switch option {
    case .TCP_NODELAY: hasNoDelay = integer != 0
    case .TCP_CORK:
      isCorked = integer != 0
      if !isCorked, block != 0, state == .connected {
        clwip_tcp_output(block)
        network.pass()
      }
    case .TCP_KEEPIDLE:
      guard 1...32767 ~= integer else { throw .EINVAL }
      keepIdle = integer
    case .TCP_KEEPINTVL:
      guard 1...32767 ~= integer else { throw .EINVAL }
      keepInterval = integer
    case .TCP_KEEPCNT:
      guard 1...127 ~= integer else { throw .EINVAL }
      keepCount = integer
    case .TCP_MAXSEG:
      guard integer == 0 || 88...32767 ~= integer else { throw .EINVAL }
      remember(option, integer)
    case .TCP_SYNCNT:
      guard 1...127 ~= integer else { throw .EINVAL }
      remember(option, integer)
    case .TCP_USER_TIMEOUT:
      guard integer >= 0 else { throw .EINVAL }
      remember(option, integer)
    case .TCP_LINGER2, .TCP_DEFER_ACCEPT, .TCP_QUICKACK, .TCP_FASTOPEN: remember(option, integer)
    default: throw .ENOPROTOOPT
    }
    applyTCPOptions()
  }

  private func remember(_ option: TCPOption, _ value: Int32) {
    plain.removeAll { $0.option == option }
    plain.append((option, value))
  }

  func tcpOption(_ number: Int32) throws(Errno) -> [UInt8] {
    guard let option = TCPOption(rawValue: number) else { throw .ENOPROTOOPT }
    let value: Int32
    switch option {
    case .TCP_NODELAY: value = hasNoDelay ? 1 : 0
    case .TCP_CORK: value = isCorked ? 1 : 0
    case .TCP_KEEPIDLE: value = keepIdle
    case .TCP_KEEPINTVL: value = keepInterval
    case .TCP_KEEPCNT: value = keepCount
    case .TCP_MAXSEG:
      value = block != 0 && state == .connected ? Int32(clwip_tcp_segment_size(block)) : 536
    case .TCP_INFO:
      // The first bytes are small numbers; those that are not known are 0, as Linux leaves what does not apply.
      var bytes = [UInt8](repeating: 0, count: 232)
      bytes[0] = UInt8(truncatingIfNeeded: block == 0 ? TCPState.TCP_CLOSE : clwip_tcp_state(block))
      return bytes
    case .TCP_CONGESTION: return [UInt8]("reno") + [UInt8](repeating: 0, count: 12)
    default:
      value = plain.first { $0.option == option }?.value ?? Self.initialValue(option)
    }
    return SocketOptionValue.bytes(value)
  }

  private static func initialValue(_ option: TCPOption) -> Int32 {
    switch option {
    case .TCP_SYNCNT: 6
    case .TCP_LINGER2: 60
    case .TCP_QUICKACK: 1
    default: 0
    }
  }
}
