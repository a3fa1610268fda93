// Names are spelled as in Linux, so that grep and the man pages work.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

internal import CLwIP
internal import Kernel
internal import LinuxABI
internal import Sockets
internal import VFSCore

/// What becomes of bytes of a stream that came: NETWORK_TAKEN and so on.
enum Reception: Int32 {
  case taken = 0
  case confirmedAtOnce, refused
}

/// A socket of AF_INET or AF_INET6.
class InternetSocket: Socket {
  final let network: NetworkStack
  /// lwIP's side of it; 0 before there is one, and after it is gone.
  final var block: UInt = 0
  final var isOnlyIPv6 = false
  /// -1: the system's.
  final var hops: Int32 = -1
  final var typeOfService: Int32 = 0
  final var isReceiveShut = false
  final var isSendShut = false

  init(_ network: NetworkStack, _ family: AddressFamily, _ type: SocketType, protocolNumber: Int32) {
    self.network = network
    super.init(family, type, protocolNumber: protocolNumber)
  }

  /// What lwIP calls the addresses of such sockets.
  final var version: UInt8 { family == .AF_INET ? 4 : isOnlyIPv6 ? 6 : 0 }

  final func parse(_ address: [UInt8]) throws(Errno) -> InternetEndpoint {
    try InternetEndpoint(parsing: address, family, isOnlyIPv6: isOnlyIPv6)
  }

  /// Where connect(2) and sendto(2) lead: the unspecified address is this machine's own.
  final func destination(_ address: [UInt8]) throws(Errno) -> InternetEndpoint {
    let endpoint = try parse(address)
    if isOnlyIPv6, endpoint.value.version == 4 { throw .ENETUNREACH }
    guard endpoint.isAny else { return endpoint }
    var result = family == .AF_INET ? InternetEndpoint(ipv4: 0x0100_007f) : InternetEndpoint(any: 6)
    if family == .AF_INET6 { result.value.low = 1 << 56 }
    result.value.port = endpoint.port
    return result
  }

  /// Checks what bind(2) was given.
  final func validate(_ address: [UInt8], _ context: FileSystemContext) throws(Errno) -> InternetEndpoint {
    // Linux takes AF_UNSPEC for the unspecified address of IPv4, as old programs give it.
    var address = address
    if family == .AF_INET, address.count >= 16, InternetEndpoint.family(address) == 0 {
      guard !address[4..<8].contains(where: { $0 != 0 }) else { throw .EAFNOSUPPORT }
      address[0] = UInt8(AddressFamily.AF_INET.rawValue)
    }
    let endpoint = try parse(address)
    guard Calls.isLocal(endpoint) else { throw .EADDRNOTAVAIL }
    guard endpoint.port == 0 || endpoint.port >= 1024 || context.credentials.isPrivileged else { throw .EACCES }
    return endpoint
  }

  static func check(_ error: Int32) throws(Errno) {
    if error != 0 { throw Errno(rawValue: error) ?? .EIO }
  }

  final var reusesAddress: Bool {
    options.value(.SO_REUSEADDR) == 1 || options.value(.SO_REUSEPORT) == 1
  }

  /// Gives the block what was asked of the socket before there was one.
  final func applyOptions() {
    guard block != 0 else { return }
    clwip_set_flag(block, UInt32(CLWIP_REUSE_ADDRESS), reusesAddress ? 1 : 0)
    clwip_set_flag(block, UInt32(CLWIP_BROADCASTS), options.value(.SO_BROADCAST) ?? 0)
    clwip_set_flag(block, UInt32(CLWIP_KEEP_ALIVE), options.value(.SO_KEEPALIVE) ?? 0)
    clwip_set_hops(block, hops < 0 ? 64 : UInt8(truncatingIfNeeded: hops), UInt8(truncatingIfNeeded: typeOfService))
  }

  // MARK: What lwIP tells

  /// Bytes of a stream came, or its end.
  func received(_ buffer: UInt) -> Reception {
    if buffer != 0 { clwip_buffer_free(buffer) }
    return .taken
  }
  func received(_ datagram: Datagram) { clwip_buffer_free(datagram.buffer) }
  func sent() {}
  func didConnect() {}
  func failed(_ error: Errno) {}
  func connectionCame(_ block: UInt) -> UInt { 0 }

  // MARK: Options

  override func optionsChanged() { applyOptions() }

  override func setOption(_ level: Int32, _ number: Int32, _ value: SocketOptionValue) throws(Errno) {
    switch level {
    case InternetProtocol.IPPROTO_IP: try setIPOption(number, value)
    case InternetProtocol.IPPROTO_IPV6 where family == .AF_INET6: try setIPv6Option(number, value)
    default: throw .ENOPROTOOPT
    }
    applyOptions()
  }

  override func option(_ level: Int32, _ number: Int32) throws(Errno) -> [UInt8] {
    switch level {
    case InternetProtocol.IPPROTO_IP:
      switch IPOption(rawValue: number) {
      case .IP_TOS: return SocketOptionValue.bytes(typeOfService)
      case .IP_TTL: return SocketOptionValue.bytes(hops < 0 ? 64 : hops)
      case .IP_MTU:
        throw .ENOTCONN
      default: return SocketOptionValue.bytes(try plainIPOption(number))
      }
    case InternetProtocol.IPPROTO_IPV6 where family == .AF_INET6:
      switch IPv6Option(rawValue: number) {
      case .IPV6_V6ONLY: return SocketOptionValue.bytes(isOnlyIPv6 ? 1 : 0)
      case .IPV6_UNICAST_HOPS: return SocketOptionValue.bytes(hops < 0 ? 64 : hops)
      case .IPV6_TCLASS: return SocketOptionValue.bytes(typeOfService)
      default: return SocketOptionValue.bytes(try plainIPv6Option(number))
      }
    default: throw .ENOPROTOOPT
    }
  }

  /// Options that are remembered, and whose effect is the same here: bits by their numbers.
  private var flags4: UInt64 = 1 << 34 | 1 << 49
  private var flags6: UInt64 = 1 << 19
  private var discovery4: Int32 = 1
  private var discovery6: Int32 = 1

  private func setIPOption(_ number: Int32, _ value: SocketOptionValue) throws(Errno) {
    guard let option = IPOption(rawValue: number) else { throw .ENOPROTOOPT }
    switch option {
    case .IP_ADD_MEMBERSHIP, .IP_DROP_MEMBERSHIP: try changeGroup(option == .IP_ADD_MEMBERSHIP, value)
    case .IP_MULTICAST_IF: try setMulticastInterface(value)
    default:
      let integer = try value.integerOrByte()
      switch option {
      case .IP_TOS: typeOfService = integer & 0xff
      case .IP_TTL:
        guard integer == -1 || 1...255 ~= integer else { throw .EINVAL }
        hops = integer
      case .IP_MULTICAST_TTL:
        guard -1...255 ~= integer else { throw .EINVAL }
        multicastHops = integer == -1 ? 1 : integer
      case .IP_MTU_DISCOVER:
        guard 0...5 ~= integer else { throw .EINVAL }
        discovery4 = integer
      case .IP_MULTICAST_LOOP, .IP_PKTINFO, .IP_RECVERR, .IP_RECVTTL, .IP_RECVTOS, .IP_FREEBIND,
        .IP_BIND_ADDRESS_NO_PORT, .IP_MULTICAST_ALL:
        if integer != 0 { flags4 |= 1 << UInt64(number) } else { flags4 &= ~(1 << UInt64(number)) }
      default: throw .ENOPROTOOPT
      }
    }
  }

  private func plainIPOption(_ number: Int32) throws(Errno) -> Int32 {
    switch IPOption(rawValue: number) {
    case .IP_MTU_DISCOVER: return discovery4
    case .IP_MULTICAST_TTL: return multicastHops
    case .IP_MULTICAST_IF: return 0
    case .IP_MULTICAST_LOOP, .IP_PKTINFO, .IP_RECVERR, .IP_RECVTTL, .IP_RECVTOS, .IP_FREEBIND,
      .IP_BIND_ADDRESS_NO_PORT, .IP_MULTICAST_ALL:
      return Int32(truncatingIfNeeded: flags4 >> UInt64(number) & 1)
    default: throw .ENOPROTOOPT
    }
  }

  private func setIPv6Option(_ number: Int32, _ value: SocketOptionValue) throws(Errno) {
    guard let option = IPv6Option(rawValue: number) else { throw .ENOPROTOOPT }
    if option == .IPV6_ADD_MEMBERSHIP || option == .IPV6_DROP_MEMBERSHIP {
      try changeGroup(option == .IPV6_ADD_MEMBERSHIP, value)
      return
    }
    let integer = try value.integer()
    switch option {
    case .IPV6_V6ONLY:
      guard block == 0 else { throw .EINVAL }
      isOnlyIPv6 = integer != 0
    case .IPV6_UNICAST_HOPS, .IPV6_MULTICAST_HOPS:
      guard -1...255 ~= integer else { throw .EINVAL }
      if option == .IPV6_UNICAST_HOPS { hops = integer } else { multicastHops = integer == -1 ? 1 : integer }
    case .IPV6_TCLASS:
      guard -1...255 ~= integer else { throw .EINVAL }
      typeOfService = max(integer, 0)
    case .IPV6_MTU_DISCOVER:
      guard 0...5 ~= integer else { throw .EINVAL }
      discovery6 = integer
    case .IPV6_MULTICAST_IF:
      guard integer == 0 || Calls.describe(integer) != nil else { throw .ENODEV }
      multicastInterface = integer
    case .IPV6_MULTICAST_LOOP, .IPV6_RECVERR, .IPV6_RECVPKTINFO, .IPV6_RECVHOPLIMIT, .IPV6_RECVTCLASS:
      setFlag6(number, integer)
    default: throw .ENOPROTOOPT
    }
  }

  private func setFlag6(_ number: Int32, _ value: Int32) {
    // The numbers from 64 on come after those that are not used.
    let bit = UInt64(1) << UInt64(number & 63)
    if value != 0 { flags6 |= bit } else { flags6 &= ~bit }
  }

  private func plainIPv6Option(_ number: Int32) throws(Errno) -> Int32 {
    switch IPv6Option(rawValue: number) {
    case .IPV6_MTU_DISCOVER: return discovery6
    case .IPV6_MULTICAST_HOPS: return multicastHops
    case .IPV6_MULTICAST_IF: return multicastInterface
    case .IPV6_MULTICAST_LOOP, .IPV6_RECVERR, .IPV6_RECVPKTINFO, .IPV6_RECVHOPLIMIT, .IPV6_RECVTCLASS:
      return Int32(truncatingIfNeeded: flags6 >> UInt64(number & 63) & 1)
    default: throw .ENOPROTOOPT
    }
  }

  final var multicastHops: Int32 = 1
  final var multicastInterface: Int32 = 0
  final var multicastLoops: Bool { (family == .AF_INET ? flags4 >> 34 : flags6 >> 19) & 1 != 0 }
  /// Whether messages are to come with this.
  final func wants(_ option: IPOption) -> Bool { flags4 >> UInt64(option.rawValue) & 1 != 0 }
  final func wants(_ option: IPv6Option) -> Bool { flags6 >> UInt64(option.rawValue & 63) & 1 != 0 }

  private func changeGroup(_ joins: Bool, _ value: SocketOptionValue) throws(Errno) {
    var group = InternetEndpoint(any: family == .AF_INET ? 4 : 6)
    var interface: Int32 = 0
    if value.level == InternetProtocol.IPPROTO_IP {
      // struct ip_mreq, or ip_mreqn with a number.
      guard value.count >= 8 else { throw .EINVAL }
      group = InternetEndpoint(ipv4: try value.word32(0))
      if value.count >= 12 {
        interface = Int32(bitPattern: try value.word32(8))
      } else {
        interface = try interfaceNumber(InternetEndpoint(ipv4: try value.word32(4)))
      }
    } else {
      guard value.count >= 20 else { throw .EINVAL }
      group.value.high = UInt64(try value.word32(0)) | UInt64(try value.word32(4)) << 32
      group.value.low = UInt64(try value.word32(8)) | UInt64(try value.word32(12)) << 32
      interface = Int32(bitPattern: try value.word32(16))
    }
    guard group.isMulticast else { throw .EINVAL }
    guard interface == 0 || Calls.describe(interface) != nil else { throw .ENODEV }
    let error = Calls.group(group, interface: interface, joins: joins)
    if error != 0 { throw joins ? .ENODEV : .EADDRNOTAVAIL }
    network.run()
  }

  private func setMulticastInterface(_ value: SocketOptionValue) throws(Errno) {
    guard value.count >= 4 else { throw .EINVAL }
    multicastInterface =
      value.count >= 12
      ? Int32(bitPattern: try value.word32(8)) : try interfaceNumber(InternetEndpoint(ipv4: try value.word32(0)))
  }

  /// The interface that has an address of IPv4; 0 for the address 0.
  private func interfaceNumber(_ address: InternetEndpoint) throws(Errno) -> Int32 {
    if address.isAny { return 0 }
    var number: Int32 = 1
    while let interface = Calls.describe(number) {
      if UInt64(interface.address) == address.value.low { return number }
      number += 1
    }
    throw .EADDRNOTAVAIL
  }

  override func control(_ request: IoctlRequest, _ argument: UInt) throws(Errno) -> Int {
    try InterfaceRequest.control(request, argument)
  }
}
