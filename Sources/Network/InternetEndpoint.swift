internal import CLwIP
internal import LinuxABI

/// An address of the Internet and a port.
struct InternetEndpoint {
  var value: clwip_endpoint

  init(_ value: clwip_endpoint) { self.value = value }

  /// No address, for sockets of `version`.
  init(any version: UInt8) {
    value = clwip_endpoint()
    value.version = version
  }

  /// IPv4, its first byte the lowest.
  init(ipv4 address: UInt32, port: UInt16 = 0) {
    self.init(any: 4)
    value.low = UInt64(address)
    value.port = port
  }

  var port: UInt16 { value.port }
  var isAny: Bool { value.high == 0 && value.low == 0 }
  var isMulticast: Bool { value.version == 4 ? value.low & 0xf0 == 0xe0 : value.high & 0xff == 0xff }

  func hasSameAddress(as other: InternetEndpoint) -> Bool {
    value.version == other.value.version && value.high == other.value.high && value.low == other.value.low
  }

  // MARK: sockaddr_in and sockaddr_in6

  private static var size4: Int { 16 }
  private static var size6: Int { 28 }
  /// The size of RFC 2133, without the scope.
  private static var oldSize6: Int { 24 }
  /// The second word of an IPv4 address within IPv6, `::ffff:a.b.c.d`, whose upper half is the address.
  private static var mapped: UInt64 { 0xffff_0000 }

  static func family(_ bytes: [UInt8]) -> Int32? {
    bytes.count < 2 ? nil : Int32(bytes[0]) | Int32(bytes[1]) << 8
  }

  /// Reads the address that a program gave.
  ///
  /// - Throws: `EINVAL` for one that is too short, `EAFNOSUPPORT` for another family.
  init(parsing bytes: [UInt8], _ family: AddressFamily, isOnlyIPv6: Bool) throws(Errno) {
    guard bytes.count >= (family == .AF_INET ? Self.size4 : Self.oldSize6) else { throw .EINVAL }
    let given = Self.family(bytes)
    guard given == family.rawValue else { throw .EAFNOSUPPORT }
    func word(_ at: Int) -> UInt64 {
      var result: UInt64 = 0
      for i in 0..<8 { result |= UInt64(bytes[at + i]) << UInt64(8 * i) }
      return result
    }
    self.init(any: family == .AF_INET ? 4 : 6)
    value.port = UInt16(bytes[2]) << 8 | UInt16(bytes[3])
    if family == .AF_INET {
      value.low = word(4) & 0xffff_ffff
      return
    }
    value.high = word(8)
    value.low = word(16)
    if value.high == 0, value.low & 0xffff_ffff == Self.mapped {
      value.version = 4
      value.low >>= 32
    } else if isAny, !isOnlyIPv6 {
      value.version = 0
    } else if bytes.count >= Self.size6 {
      value.zone = UInt32(truncatingIfNeeded: word(20) >> 32)
    }
  }

  /// The address as the program sees it.
  func bytes(_ family: AddressFamily) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: family == .AF_INET ? Self.size4 : Self.size6)
    bytes[0] = UInt8(family.rawValue)
    bytes[2] = UInt8(value.port >> 8)
    bytes[3] = UInt8(value.port & 0xff)
    func put(_ word: UInt64, _ at: Int, _ count: Int) {
      for i in 0..<count { bytes[at + i] = UInt8(truncatingIfNeeded: word >> UInt64(8 * i)) }
    }
    if family == .AF_INET {
      put(value.low, 4, 4)
    } else {
      let isMapped = value.version == 4
      put(isMapped ? 0 : value.high, 8, 8)
      put(isMapped ? value.low << 32 | Self.mapped : value.low, 16, 8)
      put(UInt64(value.zone), 24, 4)
    }
    return bytes
  }
}
