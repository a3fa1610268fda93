// Names are spelled as in Linux, so that grep and the man pages work.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

internal import CLwIP
internal import Kernel
internal import LinuxABI
internal import Platform
internal import Sockets
internal import VFSCore

/// A message that came.
struct Datagram {
  var buffer: UInt
  var from: InternetEndpoint
  var to: InternetEndpoint
  var interface: Int32
  var typeOfService: Int32
  var hops: Int32

  init(buffer: UInt, from: clwip_endpoint, to: clwip_endpoint, header: UInt32) {
    self.buffer = buffer
    self.from = InternetEndpoint(from)
    self.to = InternetEndpoint(to)
    interface = Int32(header & 0xffff)
    typeOfService = Int32(header >> 16 & 0xff)
    hops = Int32(header >> 24)
  }
}

/// A socket of UDP, or for packets of a protocol of its own. See udp(7) and raw(7).
final class DatagramSocket: InternetSocket {
  private var isBound = false
  private var isPortFixed = false
  private var peer: InternetEndpoint?
  private var arrived: [Datagram] = []
  private var arrivedCount = 0
  /// What a message takes up besides its bytes.
  private static var overhead: Int { 768 }
  private static var largestMessage: Int { 65507 }

  private var isRaw: Bool { type == .SOCK_RAW }

  private func makeBlock() throws(Errno) {
    if block != 0 { return }
    block =
      isRaw
      ? clwip_raw_make(version, UInt8(truncatingIfNeeded: protocolNumber), token) : clwip_udp_make(version, token)
    guard block != 0 else { throw .ENOBUFS }
    applyOptions()
    if !isRaw {
      clwip_udp_set_multicast(
        block, multicastInterface, UInt8(truncatingIfNeeded: multicastHops), multicastLoops ? 1 : 0)
      network.enter(self)
    }
  }

  override func opened(_ file: SocketFile) {
    // A raw socket hears everything from the start.
    if isRaw { try? makeBlock() }
  }

  private func autobind() throws(Errno) {
    try makeBlock()
    if isBound || isRaw { return }
    try Self.check(Calls.bindUDP(block, InternetEndpoint(any: version)))
    isBound = true
  }

  // MARK: Names

  override func bind(_ address: [UInt8], _ context: FileSystemContext, mode: FileMode) throws(Errno) {
    let endpoint = try validate(address, context)
    guard !isBound else { throw .EINVAL }
    try makeBlock()
    try Self.check(isRaw ? Calls.bindRaw(block, endpoint) : Calls.bindUDP(block, endpoint))
    isBound = true
    isPortFixed = endpoint.port != 0
  }

  override func name() throws(Errno) -> [UInt8] {
    guard block != 0, !isRaw else { return InternetEndpoint(any: version).bytes(family) }
    var local = Calls.namesUDP(block).local
    if let peer, local.isAny {
      let port = local.port
      let (source, error) = Calls.source(for: peer)
      if error == 0 { local = source }
      local.value.port = port
    }
    return local.bytes(family)
  }

  override func peerName() throws(Errno) -> [UInt8] {
    guard let peer else { throw .ENOTCONN }
    return peer.bytes(family)
  }

  override func connect(to address: [UInt8], _ context: FileSystemContext, wait: Bool) throws(Errno) {
    guard let given = InternetEndpoint.family(address) else { throw .EINVAL }
    if given == AddressFamily.AF_UNSPEC.rawValue {
      if block != 0, !isRaw { clwip_udp_disconnect(block) }
      peer = nil
      // A port that was not asked for is given back.
      if !isRaw, !isPortFixed { dropBlock() }
      return
    }
    let endpoint = try destination(address)
    guard Calls.source(for: endpoint).error == 0 else { throw .ENETUNREACH }
    try autobind()
    if !isRaw { try Self.check(Calls.connectUDP(block, endpoint)) }
    peer = endpoint
    queue.wakeAll()
  }

  /// Whether this sent a packet from one address to the other, and wants to hear of its end.
  func isConnected(from local: InternetEndpoint, to remote: InternetEndpoint) -> Bool {
    guard block != 0, let peer, peer.hasSameAddress(as: remote), peer.port == remote.port else { return false }
    return Calls.namesUDP(block).local.port == local.port
  }

  func fail(_ error: Errno) {
    pendingError = error
    queue.wakeAll()
  }

  override func shutdown(_ how: ShutdownHow) throws(Errno) {
    guard peer != nil else { throw .ENOTCONN }
    if how != .SHUT_WR { isReceiveShut = true }
    if how != .SHUT_RD { isSendShut = true }
    queue.wakeAll()
  }

  // MARK: Messages

  override func send(
    from reader: inout UserReader, _ message: borrowing OutgoingMessage, wait: Bool
  ) throws(Errno) -> Int {
    if message.flags.contains(.MSG_OOB) { throw .EOPNOTSUPP }
    let count = reader.remaining
    guard count <= Self.largestMessage else { throw .EMSGSIZE }
    if isSendShut { throw .EPIPE }
    let to: InternetEndpoint
    if let address = message.address {
      to = try destination(address)
      guard isRaw || to.port != 0 else { throw .EINVAL }
    } else if let peer {
      to = peer
    } else {
      throw .EDESTADDRREQ
    }
    try throwPendingError()
    try autobind()
    if to.value.version == 4, to.value.low == 0xffff_ffff, options.value(.SO_BROADCAST) != 1 { throw .EACCES }
    let buffer = clwip_buffer_make(UInt32(count))
    guard buffer != 0 else { throw .ENOBUFS }
    var done = 0
    while done < count {
      let (address, room) = Calls.piece(buffer, done)
      let copied: Int
      do throws(Errno) {
        copied = try reader.read(physical: address &- AddressLayout.kernelBase, count: min(room, count - done))
      } catch {
        clwip_buffer_free(buffer)
        throw error
      }
      guard copied > 0 else {
        clwip_buffer_free(buffer)
        throw .EFAULT
      }
      done += copied
    }
    guard block != 0 else {
      clwip_buffer_free(buffer)
      throw .EPIPE
    }
    var interface = to.isMulticast ? multicastInterface : 0
    if !message.ancillary.isEmpty {
      do throws(Errno) { try apply(message.ancillary, &interface) } catch {
        applyOptions()
        clwip_buffer_free(buffer)
        throw error
      }
    }
    let error = isRaw ? Calls.sendRaw(block, buffer, to) : Calls.sendUDP(block, buffer, to, interface: interface)
    if !message.ancillary.isEmpty { applyOptions() }
    network.pass()
    try Self.check(error)
    return count
  }

  /// Has one message sent as its ancillary data say.
  ///
  /// - Throws: `EINVAL`.
  private func apply(_ items: [AncillaryData], _ interface: inout Int32) throws(Errno) {
    var hops = hops
    var service = typeOfService
    func integer(_ item: AncillaryData) throws(Errno) -> Int32 {
      guard item.bytes.count == 4 else { throw .EINVAL }
      return Int32(bitPattern: MessageReader.word32(item.bytes, 0))
    }
    for item in items {
      switch (item.level, item.type) {
      case (InternetProtocol.IPPROTO_IP, IPOption.IP_TTL.rawValue),
        (InternetProtocol.IPPROTO_IPV6, IPv6Option.IPV6_HOPLIMIT.rawValue):
        hops = try integer(item)
        guard -1...255 ~= hops else { throw .EINVAL }
      case (InternetProtocol.IPPROTO_IP, IPOption.IP_TOS.rawValue):
        service = item.bytes.count == 1 ? Int32(item.bytes[0]) : try integer(item)
      case (InternetProtocol.IPPROTO_IPV6, IPv6Option.IPV6_TCLASS.rawValue):
        service = max(try integer(item), 0)
      case (InternetProtocol.IPPROTO_IP, IPOption.IP_PKTINFO.rawValue):
        guard item.bytes.count == 12 else { throw .EINVAL }
        interface = Int32(bitPattern: MessageReader.word32(item.bytes, 0))
      case (InternetProtocol.IPPROTO_IPV6, IPv6Option.IPV6_PKTINFO.rawValue):
        guard item.bytes.count >= 20 else { throw .EINVAL }
        interface = Int32(bitPattern: MessageReader.word32(item.bytes, 16))
      default: throw .EINVAL
      }
    }
    clwip_set_hops(block, hops < 0 ? 64 : UInt8(truncatingIfNeeded: hops), UInt8(truncatingIfNeeded: service))
  }

  override func received(_ datagram: Datagram) {
    let count = Int(clwip_buffer_count(datagram.buffer)) + Self.overhead
    guard !isReceiveShut, !network.isFull, arrivedCount + count <= options.receiveBuffer else {
      clwip_buffer_free(datagram.buffer)
      return
    }
    if let peer, isRaw, !peer.hasSameAddress(as: datagram.from) {
      clwip_buffer_free(datagram.buffer)
      return
    }
    var datagram = datagram
    // A raw socket of IPv6 gets no header.
    if isRaw, family == .AF_INET6, clwip_buffer_count(datagram.buffer) >= 40 {
      datagram.buffer = clwip_buffer_drop(datagram.buffer, 40)
      guard datagram.buffer != 0 else { return }
    }
    arrivedCount += count
    arrived.append(datagram)
    queue.wakeAll()
  }

  override func receive(
    into writer: inout UserWriter, _ message: inout IncomingMessage, _ flags: MessageFlags, wait: Bool
  ) throws(Errno) -> Int {
    if flags.contains(.MSG_OOB) { throw .EOPNOTSUPP }
    let deadline = Self.deadline(options.receiveTimeout)
    while arrived.isEmpty {
      try throwPendingError()
      if isReceiveShut { return 0 }
      if !wait { throw .EAGAIN }
      try Self.sleep(on: queue, until: deadline)
    }
    let datagram = arrived[0]
    let count = Int(clwip_buffer_count(datagram.buffer))
    // Copying may sleep, and another reader must not take the same message.
    if !flags.contains(.MSG_PEEK) { takeFirst(count) }
    if message.wantsAddress { message.address = datagram.from.bytes(family) }
    message.ancillary = ancillary(datagram)
    if count > writer.remaining { message.flags.insert(.MSG_TRUNC) }
    defer { if !flags.contains(.MSG_PEEK) { clwip_buffer_free(datagram.buffer) } }
    var done = 0
    while done < min(count, writer.remaining + done) {
      let (address, piece) = Calls.piece(datagram.buffer, done)
      let copied = try writer.write(
        physical: address &- AddressLayout.kernelBase, count: min(piece, writer.remaining))
      done += copied
      guard copied > 0 else { break }
    }
    if writer.faulted { throw .EFAULT }
    return flags.contains(.MSG_TRUNC) ? count : done
  }

  private func takeFirst(_ count: Int) {
    arrived.removeFirst()
    arrivedCount -= count + Self.overhead
  }

  // MARK: State

  override var readiness: PollEvents {
    var events: PollEvents = [.POLLOUT, .POLLWRNORM]
    if pendingError != nil { events.insert(.POLLERR) }
    if !arrived.isEmpty { events.formUnion([.POLLIN, .POLLRDNORM]) }
    if isReceiveShut {
      events.formUnion([.POLLIN, .POLLRDNORM, .POLLRDHUP])
      if isSendShut { events.insert(.POLLHUP) }
    }
    return events
  }

  override func control(_ request: IoctlRequest, _ argument: UInt) throws(Errno) -> Int {
    switch request {
    case .FIONREAD:
      let count = arrived.first.map { clwip_buffer_count($0.buffer) } ?? 0
      try UserMemory.store(Int32(clamping: count), at: argument)
    case .TIOCOUTQ: try UserMemory.store(Int32(0), at: argument)
    default: return try super.control(request, argument)
    }
    return 0
  }

  override func setOption(_ level: Int32, _ number: Int32, _ value: SocketOptionValue) throws(Errno) {
    try super.setOption(level, number, value)
    if block != 0, !isRaw {
      clwip_udp_set_multicast(
        block, multicastInterface, UInt8(truncatingIfNeeded: multicastHops), multicastLoops ? 1 : 0)
    }
  }

  // MARK: The end

  private func dropBlock() {
    guard block != 0 else { return }
    if isRaw {
      clwip_raw_free(block)
    } else {
      network.remove(self)
      clwip_udp_free(block)
    }
    block = 0
    isBound = false
  }

  override func fileClosed(_ path: Path, _ flags: OpenFlags) {
    dropBlock()
    for datagram in arrived { clwip_buffer_free(datagram.buffer) }
    arrived = []
    arrivedCount = 0
  }
}

extension DatagramSocket {
  /// What the program wants to know of a message.
  private func ancillary(_ datagram: Datagram) -> [AncillaryData] {
    var items: [AncillaryData] = []
    func add(_ level: Int32, _ type: Int32, _ bytes: [UInt8]) {
      items.append(AncillaryData(level: level, type: type, bytes: bytes))
    }
    let ip = InternetProtocol.IPPROTO_IP
    let isVersion4 = datagram.from.value.version == 4
    if isVersion4 {
      let name = datagram.to.bytes(.AF_INET)
      if wants(.IP_PKTINFO) {
        add(
          ip, IPOption.IP_PKTINFO.rawValue,
          SocketOptionValue.bytes(datagram.interface) + name[4..<8] + name[4..<8])
      }
      if wants(.IP_RECVTTL) { add(ip, IPOption.IP_TTL.rawValue, SocketOptionValue.bytes(datagram.hops)) }
      if wants(.IP_RECVTOS) { add(ip, IPOption.IP_TOS.rawValue, [UInt8(truncatingIfNeeded: datagram.typeOfService)]) }
    }
    guard family == .AF_INET6 else { return items }
    let ipv6 = InternetProtocol.IPPROTO_IPV6
    if wants(.IPV6_RECVPKTINFO) {
      add(
        ipv6, IPv6Option.IPV6_PKTINFO.rawValue,
        datagram.to.bytes(.AF_INET6)[8..<24] + SocketOptionValue.bytes(datagram.interface))
    }
    if isVersion4 { return items }
    if wants(.IPV6_RECVHOPLIMIT) {
      add(ipv6, IPv6Option.IPV6_HOPLIMIT.rawValue, SocketOptionValue.bytes(datagram.hops))
    }
    if wants(.IPV6_RECVTCLASS) {
      add(ipv6, IPv6Option.IPV6_TCLASS.rawValue, SocketOptionValue.bytes(datagram.typeOfService))
    }
    return items
  }
}
