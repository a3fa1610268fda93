// Names are spelled as in Linux, so that grep and the man pages work.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

internal import CLwIP
internal import LinuxABI
internal import Sockets
internal import Support

/// What rtnetlink(7) says of interfaces, addresses and routes.
enum InterfaceMessages {
  typealias Part = (type: UInt16, bytes: [UInt8])

  static var RTM_NEWLINK: UInt16 { 16 }
  static var RTM_GETLINK: UInt16 { 18 }
  static var RTM_NEWADDR: UInt16 { 20 }
  static var RTM_GETADDR: UInt16 { 22 }
  static var RTM_NEWROUTE: UInt16 { 24 }
  static var RTM_GETROUTE: UInt16 { 26 }
  static var RTM_GETNEIGH: UInt16 { 30 }
  static var RTM_GETRULE: UInt16 { 34 }

  // RT_SCOPE_UNIVERSE, LINK, HOST
  private static var universe: UInt8 { 0 }
  private static var linkScope: UInt8 { 253 }
  private static var host: UInt8 { 254 }
  private static var inet: UInt8 { UInt8(AddressFamily.AF_INET.rawValue) }
  private static var inet6: UInt8 { UInt8(AddressFamily.AF_INET6.rawValue) }

  /// What a request to list everything gets; nil for one that is not known.
  static func dump(_ type: UInt16, family: UInt8) -> [Part]? {
    var parts: [Part] = []
    var number: Int32 = 1
    switch type {
    case RTM_GETLINK:
      while let part = link(number) {
        parts.append(part)
        number += 1
      }
    case RTM_GETADDR:
      if family == 0 || family == inet { parts += addresses4() }
      if family == 0 || family == inet6 { parts += addresses6() }
    case RTM_GETROUTE:
      if family == 0 || family == inet { parts += routes4() }
    case RTM_GETNEIGH, RTM_GETRULE: break
    default: return nil
    }
    return parts
  }

  /// `struct ifinfomsg` of an interface, and its attributes.
  static func link(_ number: Int32) -> Part? {
    guard let interface = Calls.describe(number) else { return nil }
    let isLoopback = interface.flags & UInt32(CLWIP_LOOPBACK) != 0
    let flags = InterfaceRequest.flags(interface)
    var message = MessageWriter()
    message.put(UInt16(0))
    message.put(isLoopback ? InterfaceRequest.arphrdLoopback : InterfaceRequest.arphrdEthernet)
    message.put(UInt32(number))
    message.put(flags)
    message.put(UInt32(0))
    message.put(attribute: 3, InterfaceRequest.name(number) + [0])  // IFLA_IFNAME
    message.put(attribute: 13, 1000)  // IFLA_TXQLEN
    // IFLA_OPERSTATE: of loopback it is not known; 6 is up, 2 down.
    message.put(attribute: 16, [isLoopback ? 0 : flags & 0x40 != 0 ? 6 : 2])
    message.put(attribute: 17, [0])  // IFLA_LINKMODE
    message.put(attribute: 4, isLoopback ? 65536 : UInt32(interface.mtu))  // IFLA_MTU
    message.put(attribute: 27, 0)  // IFLA_GROUP
    message.put(attribute: 6, [UInt8]("noqueue") + [0])  // IFLA_QDISC
    message.put(attribute: 1, InterfaceRequest.mac(interface))  // IFLA_ADDRESS
    message.put(attribute: 2, [UInt8](repeating: isLoopback ? 0 : 0xff, count: 6))  // IFLA_BROADCAST
    return (RTM_NEWLINK, message.bytes)
  }

  private static func address(
    _ family: UInt8, _ number: Int32, prefix: Int, scope: UInt8, _ attributes: (inout MessageWriter) -> Void
  ) -> Part {
    var message = MessageWriter()
    message.put(family)
    message.put(UInt8(prefix))
    message.put(UInt8(0x80))  // IFA_F_PERMANENT
    message.put(scope)
    message.put(UInt32(number))
    attributes(&message)
    message.put(attribute: 8, 0x80)  // IFA_FLAGS
    // IFA_CACHEINFO: for ever, and since the start.
    let forever = [UInt8](repeating: 0xff, count: 8)
    message.put(attribute: 6, forever + [UInt8](repeating: 0, count: 8))
    return (RTM_NEWADDR, message.bytes)
  }

  private static func addresses4() -> [Part] {
    var parts: [Part] = []
    var number: Int32 = 1
    while let interface = Calls.describe(number) {
      if interface.address != 0 {
        let bytes = SocketOptionValue.bytes(Int32(bitPattern: interface.address))
        let isLoopback = interface.flags & UInt32(CLWIP_LOOPBACK) != 0
        let prefix = interface.mask.nonzeroBitCount
        parts.append(
          address(inet, number, prefix: prefix, scope: isLoopback ? host : universe) { message in
            message.put(attribute: 1, bytes)  // IFA_ADDRESS
            message.put(attribute: 2, bytes)  // IFA_LOCAL
            if !isLoopback { message.put(attribute: 4, interface.address | ~interface.mask) }  // IFA_BROADCAST
            message.put(attribute: 3, InterfaceRequest.name(number) + [0])  // IFA_LABEL
          })
      }
      number += 1
    }
    return parts
  }

  private static func addresses6() -> [Part] {
    var parts: [Part] = []
    var number: Int32 = 1
    while Calls.describe(number) != nil {
      for index in 0..<Int32(3) {
        guard let found = Calls.address6(number, index) else { continue }
        let bytes = [UInt8](found.bytes(.AF_INET6)[8..<24])
        let isLinkLocal = bytes[0] == 0xfe && bytes[1] & 0xc0 == 0x80
        parts.append(
          address(
            inet6, number, prefix: number == 1 ? 128 : 64,
            scope: number == 1 ? host : isLinkLocal ? linkScope : universe
          ) { message in
            message.put(attribute: 1, bytes)  // IFA_ADDRESS
          })
      }
      number += 1
    }
    return parts
  }

  private static func routes4() -> [Part] {
    var parts: [Part] = []
    var number: Int32 = 2
    while let interface = Calls.describe(number) {
      if interface.gateway != 0 { parts.append(route(number, to: 0, bits: 0, interface)) }
      if interface.address != 0 {
        parts.append(
          route(number, to: interface.address & interface.mask, bits: interface.mask.nonzeroBitCount, interface))
      }
      number += 1
    }
    return parts
  }

  /// `struct rtmsg` and its attributes.
  private static func route(_ number: Int32, to: UInt32, bits: Int, _ interface: clwip_interface) -> Part {
    var message = MessageWriter()
    let isDefault = bits == 0
    // family, dst_len, src_len, tos, table (main), protocol (boot or kernel), scope, type (unicast)
    message.put([inet, UInt8(bits), 0, 0, 254, isDefault ? 3 : 2, isDefault ? universe : linkScope, 1])
    message.put(UInt32(0))
    message.put(attribute: 15, 254)  // RTA_TABLE
    if isDefault {
      message.put(attribute: 5, interface.gateway)  // RTA_GATEWAY
    } else {
      message.put(attribute: 1, to)  // RTA_DST
      message.put(attribute: 7, interface.address)  // RTA_PREFSRC
    }
    message.put(attribute: 4, UInt32(number))  // RTA_OIF
    return (RTM_NEWROUTE, message.bytes)
  }
}
