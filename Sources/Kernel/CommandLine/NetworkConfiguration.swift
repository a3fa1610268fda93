/// What the command line says of a network card: `netdev.ip=cidr[:gateway[:dns0[:dns1[:hostname[:domain]]]]]`.
public struct NetworkConfiguration: Equatable, Sendable {
  /// The address of IPv4, its first byte the lowest.
  public let address: UInt32
  public let mask: UInt32
  /// 0 for none.
  public let gateway: UInt32
  public let nameServers: [UInt32]
  /// Empty for none.
  public let hostName: [UInt8]
  public let domain: [UInt8]

  /// Reads the value of one `netdev.ip=` word.
  public init(parsing value: [UInt8]) throws(ParameterFault) {
    let fields = value.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
    guard fields.count <= 6 else { throw ParameterFault("has more than an address, a gateway, two servers and names") }
    let parts = fields[0].split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
    guard parts.count == 2, let bits = Self.number(parts[1], 32) else {
      throw ParameterFault("must begin with ADDRESS/BITS")
    }
    func address(_ index: Int) throws(ParameterFault) -> UInt32 {
      if index >= fields.count || fields[index].isEmpty { return 0 }
      return try Self.address(fields[index])
    }
    self.address = try Self.address(parts[0])
    mask = bits == 0 ? 0 : (UInt32.max << (32 - bits)).byteSwapped
    gateway = try address(1)
    nameServers = [try address(2), try address(3)].filter { $0 != 0 }
    hostName = fields.count > 4 ? [UInt8](fields[4]) : []
    domain = fields.count > 5 ? [UInt8](fields[5]) : []
  }

  private static func number(_ digits: ArraySlice<UInt8>, _ limit: UInt32) -> UInt32? {
    guard !digits.isEmpty, digits.count <= 3 else { return nil }
    var value: UInt32 = 0
    for digit in digits {
      guard digit >= UInt8(ascii: "0"), digit <= UInt8(ascii: "9") else { return nil }
      value = value * 10 + UInt32(digit - UInt8(ascii: "0"))
    }
    return value <= limit ? value : nil
  }

  private static func address(_ text: ArraySlice<UInt8>) throws(ParameterFault) -> UInt32 {
    let parts = text.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
    guard parts.count == 4 else { throw ParameterFault("has something that is no address of IPv4") }
    var result: UInt32 = 0
    for (index, part) in parts.enumerated() {
      guard let value = number(part, 255) else { throw ParameterFault("has something that is no address of IPv4") }
      result |= value << UInt32(8 * index)
    }
    return result
  }
}
