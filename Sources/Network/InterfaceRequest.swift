internal import CLwIP
internal import Kernel
internal import LinuxABI
internal import Support

/// Questions of ioctl(2) about interfaces. See netdevice(7).
enum InterfaceRequest {
  /// Bytes of `struct ifreq`, and of the name at its start.
  private static var size: Int { 40 }
  private static var nameSize: Int { 16 }

  // IFF_UP and so on.
  private static var up: UInt32 { 1 }
  private static var broadcast: UInt32 { 2 }
  private static var loopback: UInt32 { 8 }
  private static var running: UInt32 { 0x40 }
  private static var multicast: UInt32 { 0x1000 }
  private static var lowerUp: UInt32 { 0x1_0000 }
  static var arphrdEthernet: UInt16 { 1 }
  static var arphrdLoopback: UInt16 { 772 }

  /// The name of an interface: `lo`, `eth0` and so on.
  static func name(_ number: Int32) -> [UInt8] {
    number == 1 ? [UInt8]("lo") : [UInt8]("eth") + [UInt8(ascii: "0") + UInt8(truncatingIfNeeded: number - 2)]
  }

  static func number(_ name: [UInt8]) -> Int32? {
    var number: Int32 = 1
    while Calls.describe(number) != nil {
      if self.name(number) == name { return number }
      number += 1
    }
    return nil
  }

  /// The flags as if_nametoindex(3)'s relatives know them.
  static func flags(_ interface: clwip_interface) -> UInt32 {
    var flags: UInt32 = 0
    if interface.flags & UInt32(CLWIP_UP) != 0 { flags |= up }
    if interface.flags & UInt32(CLWIP_RUNNING) != 0 || interface.flags & UInt32(CLWIP_LOOPBACK) != 0 {
      flags |= running | lowerUp
    }
    if interface.flags & UInt32(CLWIP_LOOPBACK) != 0 { return flags | loopback }
    return flags | broadcast | multicast
  }

  static func control(_ request: IoctlRequest, _ argument: UInt) throws(Errno) -> Int {
    switch request {
    case .SIOCGIFCONF: return try list(argument)
    case .SIOCGIFNAME:
      let number = try UserMemory.load(Int32.self, at: argument &+ 16)
      guard Calls.describe(number) != nil else { throw .ENODEV }
      try store(name(number), argument, nameSize)
      return 0
    case .SIOCGIFFLAGS, .SIOCGIFADDR, .SIOCGIFDSTADDR, .SIOCGIFBRDADDR, .SIOCGIFNETMASK, .SIOCGIFMETRIC, .SIOCGIFMTU,
      .SIOCGIFHWADDR, .SIOCGIFINDEX, .SIOCGIFTXQLEN:
      break
    case .SIOCSIFFLAGS, .SIOCSIFADDR, .SIOCSIFBRDADDR, .SIOCSIFNETMASK, .SIOCSIFMTU: throw .EOPNOTSUPP
    default: throw .ENOTTY
    }
    var name = try UserMemory.bytes(at: argument, count: nameSize)
    if let end = name.firstIndex(of: 0) { name.removeLast(name.count - end) }
    guard let number = number(name), let interface = Calls.describe(number) else { throw .ENODEV }
    let value = argument &+ UInt(nameSize)
    switch request {
    case .SIOCGIFFLAGS: try UserMemory.store(UInt16(truncatingIfNeeded: flags(interface)), at: value)
    case .SIOCGIFADDR, .SIOCGIFDSTADDR:
      guard interface.address != 0 else { throw .EADDRNOTAVAIL }
      try store(InternetEndpoint(ipv4: interface.address).bytes(.AF_INET), value, 16)
    case .SIOCGIFBRDADDR:
      let isLoopback = interface.flags & UInt32(CLWIP_LOOPBACK) != 0
      let all = isLoopback ? 0 : interface.address | ~interface.mask
      try store(InternetEndpoint(ipv4: all).bytes(.AF_INET), value, 16)
    case .SIOCGIFNETMASK: try store(InternetEndpoint(ipv4: interface.mask).bytes(.AF_INET), value, 16)
    case .SIOCGIFMTU: try UserMemory.store(Int32(interface.mtu == 65535 ? 65536 : Int32(interface.mtu)), at: value)
    case .SIOCGIFHWADDR: try store(hardwareAddress(interface), value, 16)
    case .SIOCGIFINDEX: try UserMemory.store(number, at: value)
    case .SIOCGIFTXQLEN: try UserMemory.store(Int32(1000), at: value)
    default: try UserMemory.store(Int32(0), at: value)
    }
    return 0
  }

  /// The address of a card, as bytes.
  static func mac(_ interface: clwip_interface) -> [UInt8] {
    [interface.mac.0, interface.mac.1, interface.mac.2, interface.mac.3, interface.mac.4, interface.mac.5]
  }

  private static func hardwareAddress(_ interface: clwip_interface) -> [UInt8] {
    let isLoopback = interface.flags & UInt32(CLWIP_LOOPBACK) != 0
    let type = isLoopback ? arphrdLoopback : arphrdEthernet
    return [UInt8(truncatingIfNeeded: type), UInt8(type >> 8)] + mac(interface)
  }

  private static func store(_ bytes: [UInt8], _ address: UInt, _ count: Int) throws(Errno) {
    let padded = bytes + [UInt8](repeating: 0, count: max(count - bytes.count, 0))
    try UserMemory.store(padded.rawBytes, at: address)
  }

  /// `struct ifconf`: the interfaces that have an address.
  private static func list(_ argument: UInt) throws(Errno) -> Int {
    let room = Int(try UserMemory.load(Int32.self, at: argument))
    let buffer = UInt(try UserMemory.load(UInt64.self, at: argument &+ 8))
    var stored = 0
    var number: Int32 = 1
    while let interface = Calls.describe(number) {
      if interface.address != 0 {
        if buffer != 0 {
          if stored + size > room { break }
          let at = buffer &+ UInt(stored)
          try store(name(number), at, nameSize)
          try store(InternetEndpoint(ipv4: interface.address).bytes(.AF_INET), at &+ 16, size - nameSize)
        }
        stored += size
      }
      number += 1
    }
    try UserMemory.store(Int32(stored), at: argument)
    return 0
  }
}
