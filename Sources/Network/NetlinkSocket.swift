// Names are spelled as in Linux, so that grep and the man pages work.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

internal import CLwIP
internal import Kernel
internal import LinuxABI
internal import Sockets
internal import Support
internal import VFSCore

/// A socket of AF_NETLINK for questions about interfaces, addresses and routes. See rtnetlink(7).
///
/// It answers at once, so a send can be followed by a receive that finds everything. What would change something is
/// refused: the kernel parameter `netdev.ip` and DHCP configure the machine.
final class NetlinkSocket: Socket {
  private let network: NetworkStack
  private let namespace: SocketNamespace
  /// The number by which answers find the socket; 0 before it has one.
  private var number: UInt32 = 0
  private var groups: UInt32 = 0
  private var peerNumber: UInt32 = 0
  private var answers: [[UInt8]] = []
  private var flags: UInt32 = 0

  /// SOL_NETLINK
  private static var level: Int32 { 270 }
  // NLM_F_REQUEST and so on.
  private static var request: UInt16 { 1 }
  private static var multi: UInt16 { 2 }
  private static var acknowledge: UInt16 { 4 }
  private static var dump: UInt16 { 0x300 }
  private static var nameSize: Int { 12 }

  init(_ network: NetworkStack, _ namespace: SocketNamespace, _ type: SocketType) {
    self.network = network
    self.namespace = namespace
    super.init(.AF_NETLINK, type, protocolNumber: 0)
  }

  // MARK: Names

  private static func name(_ number: UInt32, _ groups: UInt32) -> [UInt8] {
    var name = MessageWriter()
    name.put(UInt16(AddressFamily.AF_NETLINK.rawValue))
    name.put(UInt16(0))
    name.put(number)
    name.put(groups)
    return name.bytes
  }

  private func parse(_ address: [UInt8]) throws(Errno) -> (number: UInt32, groups: UInt32) {
    guard address.count >= Self.nameSize else { throw .EINVAL }
    guard address[0] == UInt8(AddressFamily.AF_NETLINK.rawValue), address[1] == 0 else { throw .EINVAL }
    return (MessageReader.word32(address, 4), MessageReader.word32(address, 8))
  }

  private func autobind() {
    if number == 0 { number = network.makeNetlinkNumber(UInt32(bitPattern: namespace.currentCaller().pid)) }
  }

  override func bind(_ address: [UInt8], _ context: FileSystemContext, mode: FileMode) throws(Errno) {
    let (wanted, groups) = try parse(address)
    if number != 0 {
      guard wanted == number else { throw .EINVAL }
    } else if wanted != 0 {
      guard network.takeNetlinkNumber(wanted) else { throw .EADDRINUSE }
      number = wanted
    } else {
      autobind()
    }
    self.groups = groups
  }

  override func connect(to address: [UInt8], _ context: FileSystemContext, wait: Bool) throws(Errno) {
    guard address.count >= 2 else { throw .EINVAL }
    peerNumber = try parse(address).number
    autobind()
  }

  override func name() throws(Errno) -> [UInt8] { Self.name(number, groups) }
  override func peerName() throws(Errno) -> [UInt8] { Self.name(peerNumber, 0) }

  // MARK: Messages

  override var signalsBrokenPipe: Bool { false }

  override func send(
    from reader: inout UserReader, _ message: borrowing OutgoingMessage, wait: Bool
  ) throws(Errno) -> Int {
    var to = peerNumber
    if let address = message.address { to = try parse(address).number }
    // Only the kernel answers here.
    guard to == 0 else { throw .ECONNREFUSED }
    guard reader.remaining <= options.sendBuffer else { throw .EMSGSIZE }
    autobind()
    let bytes = try reader.read(reader.remaining)
    var offset = 0
    while bytes.count - offset >= 16 {
      let length = Int(MessageReader.word32(bytes, offset))
      guard length >= 16, length <= bytes.count - offset else { break }
      answer(bytes, offset, length)
      offset += (length + 3) & ~3
    }
    queue.wakeAll()
    return bytes.count
  }

  private func answer(_ bytes: [UInt8], _ offset: Int, _ length: Int) {
    let type = MessageReader.word16(bytes, offset + 4)
    let flags = MessageReader.word16(bytes, offset + 6)
    let sequence = MessageReader.word32(bytes, offset + 8)
    guard flags & Self.request != 0, type >= 16 else { return }
    let family = length > 16 ? bytes[offset + 16] : 0
    let isDump = flags & Self.dump != 0
    var error = Errno.EOPNOTSUPP.rawValue
    if isDump, let parts = InterfaceMessages.dump(type, family: family) {
      var all = MessageWriter()
      for part in parts { all.put(part.type, part.bytes, flags: Self.multi, sequence, number) }
      if !all.bytes.isEmpty { answers.append(all.bytes) }
      var end = MessageWriter()
      end.put(3, [0, 0, 0, 0], flags: Self.multi, sequence, number)
      answers.append(end.bytes)
      return
    }
    if !isDump, type == InterfaceMessages.RTM_GETLINK, length >= 32 {
      if let found = link(bytes, offset, length) {
        var one = MessageWriter()
        one.put(found.type, found.bytes, flags: 0, sequence, number)
        answers.append(one.bytes)
        error = 0
      } else {
        error = Errno.ENODEV.rawValue
      }
    }
    if error == 0, flags & Self.acknowledge == 0 { return }
    // struct nlmsgerr: the error, and the header of what it is about.
    var body = MessageWriter()
    body.put(UInt32(bitPattern: -error))
    body.put([UInt8](bytes[offset..<(error == 0 ? offset + 16 : offset + length)]))
    var message = MessageWriter()
    message.put(2, body.bytes, flags: 0, sequence, number)
    answers.append(message.bytes)
  }

  /// The interface that a request asks for, by its number or its name.
  private func link(_ bytes: [UInt8], _ offset: Int, _ length: Int) -> InterfaceMessages.Part? {
    var wanted = Int32(bitPattern: MessageReader.word32(bytes, offset + 20))
    var at = offset + 32
    while wanted == 0, at + 4 <= offset + length {
      let size = Int(MessageReader.word16(bytes, at))
      guard size >= 4, at + size <= offset + length else { return nil }
      if MessageReader.word16(bytes, at + 2) == 3 {
        var name = [UInt8](bytes[(at + 4)..<(at + size)])
        if let end = name.firstIndex(of: 0) { name.removeLast(name.count - end) }
        wanted = InterfaceRequest.number(name) ?? -1
      }
      at += (size + 3) & ~3
    }
    return InterfaceMessages.link(wanted)
  }

  override func receive(
    into writer: inout UserWriter, _ message: inout IncomingMessage, _ flags: MessageFlags, wait: Bool
  ) throws(Errno) -> Int {
    let deadline = Self.deadline(options.receiveTimeout)
    while answers.isEmpty {
      try throwPendingError()
      if !wait { throw .EAGAIN }
      try Self.sleep(on: queue, until: deadline)
    }
    let answer = answers[0]
    if !flags.contains(.MSG_PEEK) { answers.removeFirst() }
    if message.wantsAddress { message.address = Self.name(0, 0) }
    if answer.count > writer.remaining { message.flags.insert(.MSG_TRUNC) }
    let done = try writer.write(answer.rawBytes)
    return flags.contains(.MSG_TRUNC) ? answer.count : done
  }

  override var readiness: PollEvents {
    answers.isEmpty ? [.POLLOUT, .POLLWRNORM] : [.POLLOUT, .POLLWRNORM, .POLLIN, .POLLRDNORM]
  }

  override func control(_ request: IoctlRequest, _ argument: UInt) throws(Errno) -> Int {
    try InterfaceRequest.control(request, argument)
  }

  // MARK: Options

  /// NETLINK_ADD_MEMBERSHIP, DROP_MEMBERSHIP: nothing changes that a group would hear of. BROADCAST_ERROR, NO_ENOBUFS,
  /// CAP_ACK and EXT_ACK: errors come whole and without words.
  override func setOption(_ level: Int32, _ number: Int32, _ value: SocketOptionValue) throws(Errno) {
    guard level == Self.level else { throw .ENOPROTOOPT }
    let integer = try value.integer()
    switch number {
    case 1, 2:
      guard 1...32 ~= integer else { throw .EINVAL }
      let bit = UInt32(1) << UInt32(integer - 1)
      if number == 1 { groups |= bit } else { groups &= ~bit }
    case 4, 5, 10, 11:
      let bit = UInt32(1) << UInt32(number)
      if integer != 0 { flags |= bit } else { flags &= ~bit }
    default: throw .ENOPROTOOPT
    }
  }

  override func option(_ level: Int32, _ number: Int32) throws(Errno) -> [UInt8] {
    guard level == Self.level, [4, 5, 10, 11].contains(number) else { throw .ENOPROTOOPT }
    return SocketOptionValue.bytes(Int32(flags >> UInt32(number) & 1))
  }

  override func fileClosed(_ path: Path, _ flags: OpenFlags) {
    if number != 0 { network.giveNetlinkNumber(number) }
    answers = []
  }
}

/// Numbers in a message, which lie within it.
enum MessageReader {
  static func word16(_ bytes: [UInt8], _ at: Int) -> UInt16 { UInt16(bytes[at]) | UInt16(bytes[at + 1]) << 8 }
  static func word32(_ bytes: [UInt8], _ at: Int) -> UInt32 {
    UInt32(word16(bytes, at)) | UInt32(word16(bytes, at + 2)) << 16
  }
}

/// Builds messages and their attributes.
struct MessageWriter {
  private(set) var bytes: [UInt8] = []

  mutating func put(_ value: UInt8) { bytes.append(value) }
  mutating func put(_ value: UInt16) {
    put(UInt8(truncatingIfNeeded: value))
    put(UInt8(value >> 8))
  }
  mutating func put(_ value: UInt32) {
    put(UInt16(truncatingIfNeeded: value))
    put(UInt16(value >> 16))
  }
  mutating func put(_ more: [UInt8]) { bytes += more }

  /// A whole message.
  mutating func put(_ type: UInt16, _ body: [UInt8], flags: UInt16, _ sequence: UInt32, _ number: UInt32) {
    put(UInt32(16 + body.count))
    put(type)
    put(flags)
    put(sequence)
    put(number)
    put(body)
    align()
  }

  /// An attribute: `struct rtattr`.
  mutating func put(attribute type: UInt16, _ value: [UInt8]) {
    put(UInt16(4 + value.count))
    put(type)
    put(value)
    align()
  }
  mutating func put(attribute type: UInt16, _ value: UInt32) {
    put(attribute: type, SocketOptionValue.bytes(Int32(bitPattern: value)))
  }

  private mutating func align() { while bytes.count & 3 != 0 { put(UInt8(0)) } }
}
