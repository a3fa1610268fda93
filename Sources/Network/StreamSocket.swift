// Names are spelled as in Linux, so that grep and the man pages work.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

internal import CLwIP
internal import Kernel
internal import LinuxABI
internal import Platform
internal import Sockets
internal import Support
internal import VFSCore

/// A socket of TCP. See tcp(7).
final class StreamSocket: InternetSocket {
  enum State { case idle, connecting, connected, listening, closed }

  private(set) var state = State.idle
  private var isBound = false
  /// The next connect(2) hears that the one before, which did not wait, has come to something.
  private var isConnectionNews = false
  /// The names of the connection, also when the block is gone.
  private var lastNames: (local: InternetEndpoint, remote: InternetEndpoint)?
  /// The other end sends no more.
  private var isFinished = false
  /// What came and was not read, and how much of the first was.
  private var arrived: [UInt] = []
  private var firstArrived = 0
  private var offset = 0
  private var arrivedCount = 0
  /// Segments that came since something was sent.
  private var receivedSinceSent = 1
  /// As many in a row are confirmed one by one, as Linux does at the start of a connection; lwIP itself confirms every
  /// second one, or waits a little for something to go with.
  private static var quickConfirmations: Int { 16 }
  private let readLock = SleepLock()
  private let writeLock = SleepLock()
  /// Connections that wait for accept(2).
  private var pending: [StreamSocket] = []
  /// The end of sending could not be told yet.
  private var isEndPending = false
  var hasNoDelay = false
  var isCorked = false
  var keepIdle: Int32 = 7200
  var keepInterval: Int32 = 75
  var keepCount: Int32 = 9
  var plain: [(option: TCPOption, value: Int32)] = []

  /// The most that is handed to lwIP at a time.
  private static var largestPiece: Int { 16384 }
  /// What a connection has in each direction, however little memory there is.
  private static var leastBuffer: Int { 4096 }

  init(_ network: NetworkStack, _ family: AddressFamily) {
    super.init(network, family, .SOCK_STREAM, protocolNumber: InternetProtocol.IPPROTO_TCP)
  }

  /// Makes the block, if there is none.
  private func makeBlock() throws(Errno) {
    if block != 0 { return }
    block = clwip_tcp_make(version, token)
    guard block != 0 else { throw .ENOBUFS }
    applyTCPOptions()
  }

  func applyTCPOptions() {
    applyOptions()
    guard block != 0, state != .listening else { return }
    clwip_tcp_set_no_delay(block, hasNoDelay ? 1 : 0)
    clwip_tcp_set_keep_alive(
      block, UInt32(keepIdle) &* 1000, UInt32(keepInterval) &* 1000, UInt32(keepCount))
  }

  // MARK: Names

  override func bind(_ address: [UInt8], _ context: FileSystemContext, mode: FileMode) throws(Errno) {
    let endpoint = try validate(address, context)
    guard !isBound, state == .idle else { throw .EINVAL }
    try makeBlock()
    let error = Calls.bindTCP(block, endpoint)
    try Self.check(error)
    isBound = true
  }

  private var names: (local: InternetEndpoint, remote: InternetEndpoint)? {
    if block != 0 { return Calls.namesTCP(block) }
    return lastNames
  }

  override func name() throws(Errno) -> [UInt8] {
    (names?.local ?? InternetEndpoint(any: version)).bytes(family)
  }
  override func peerName() throws(Errno) -> [UInt8] {
    guard state == .connected, let names else { throw .ENOTCONN }
    return names.remote.bytes(family)
  }

  override func acceptedName() throws(Errno) -> [UInt8] {
    guard let lastNames else { throw .ECONNABORTED }
    return lastNames.remote.bytes(family)
  }

  // MARK: Connections

  override func listen(backlog: Int32) throws(Errno) {
    let limit = UInt8(clamping: min(UInt32(bitPattern: backlog), 255))
    // lwIP counts those that are being taken; Linux one more than was asked for.
    let places = max(limit, limit &+ 1)
    if state == .listening {
      clwip_tcp_set_backlog(block, places)
      return
    }
    guard state == .idle else { throw .EINVAL }
    try makeBlock()
    if !isBound {
      try Self.check(Calls.bindTCP(block, InternetEndpoint(any: version)))
      isBound = true
    }
    let (listener, error) = Calls.listen(block, backlog: places)
    try Self.check(error)
    block = listener
    state = .listening
    queue.wakeAll()
  }

  override func connect(to address: [UInt8], _ context: FileSystemContext, wait: Bool) throws(Errno) {
    guard let given = InternetEndpoint.family(address) else { throw .EINVAL }
    if given == AddressFamily.AF_UNSPEC.rawValue {
      disconnect()
      return
    }
    switch state {
    case .connected:
      guard isConnectionNews else { throw .EISCONN }
      isConnectionNews = false
      return
    case .listening: throw .EISCONN
    case .connecting:
      if !wait { throw .EALREADY }
    case .idle, .closed:
      let endpoint = try destination(address)
      if endpoint.isMulticast { throw .ENETUNREACH }
      if state == .closed { reset() }
      try makeBlock()
      state = .connecting
      let error = Calls.connectTCP(block, endpoint)
      if error != 0 {
        state = .idle
        throw Errno(rawValue: error) ?? .EIO
      }
      // As under Linux the answer is seen when the call is over, even from the machine itself.
      if !wait {
        isConnectionNews = true
        network.run()
        throw .EINPROGRESS
      }
      network.run()
    }
    let deadline = Self.deadline(options.sendTimeout)
    while state == .connecting {
      do throws(Errno) { try Self.sleep(on: queue, until: deadline) } catch {
        throw error == .EAGAIN ? .EINPROGRESS : error
      }
    }
    isConnectionNews = false
    if state != .connected {
      let error = pendingError ?? .ECONNREFUSED
      pendingError = nil
      throw error
    }
  }

  /// Begins anew after a connection has ended.
  private func reset() {
    dropBlock()
    dropArrived()
    isFinished = false
    isReceiveShut = false
    isSendShut = false
    isBound = false
    lastNames = nil
    state = .idle
  }

  private func disconnect() {
    if block != 0 {
      if state == .listening { network.close(block) } else { clwip_tcp_abort(block) }
      block = 0
    }
    reset()
    network.run()
    queue.wakeAll()
  }

  override func didConnect() {
    state = .connected
    lastNames = Calls.namesTCP(block)
    if isSendShut { endSending() }
    queue.wakeAll()
  }

  override func failed(_ error: Errno) {
    // The block is gone already; its names went with it.
    block = 0
    pendingError = state == .connecting && error == .ECONNRESET ? .ECONNREFUSED : error
    state = .closed
    isFinished = true
    isReceiveShut = true
    isSendShut = true
    queue.wakeAll()
  }

  override func connectionCame(_ block: UInt) -> UInt {
    let socket = StreamSocket(network, family)
    socket.block = block
    socket.lastNames = Calls.namesTCP(block)
    socket.state = .connected
    socket.isBound = true
    socket.isOnlyIPv6 = isOnlyIPv6
    socket.options = options
    socket.hops = hops
    socket.typeOfService = typeOfService
    socket.hasNoDelay = hasNoDelay
    socket.keepIdle = keepIdle
    socket.keepInterval = keepInterval
    socket.keepCount = keepCount
    socket.applyTCPOptions()
    pending.append(socket)
    queue.wakeAll()
    return socket.token
  }

  override func accept(wait: Bool) throws(Errno) -> Socket {
    guard state == .listening else { throw .EINVAL }
    let deadline = Self.deadline(options.receiveTimeout)
    while pending.isEmpty {
      if !wait { throw .EAGAIN }
      try Self.sleep(on: queue, until: deadline)
      guard state == .listening else { throw .EINVAL }
    }
    let socket = pending.removeFirst()
    if socket.block != 0 {
      clwip_tcp_accepted(socket.block)
      network.pass()
    }
    return socket
  }

  override func shutdown(_ how: ShutdownHow) throws(Errno) {
    if state == .listening {
      if how != .SHUT_WR { disconnect() }
      return
    }
    guard state == .connected || state == .connecting else { throw .ENOTCONN }
    if how != .SHUT_WR { isReceiveShut = true }
    if how != .SHUT_RD, !isSendShut {
      isSendShut = true
      endSending()
      network.run()
    }
    queue.wakeAll()
  }

  /// Tells the other end that no more will come: now, or when there is memory for it.
  private func endSending() {
    if block != 0, state == .connected { isEndPending = clwip_tcp_end_sending(block) != 0 }
  }

  // MARK: Bytes

  override func send(
    from reader: inout UserReader, _ message: borrowing OutgoingMessage, wait: Bool
  ) throws(Errno) -> Int {
    if message.flags.contains(.MSG_OOB) { throw .EOPNOTSUPP }
    let deadline = Self.deadline(options.sendTimeout)
    while state == .connecting {
      if !wait { throw .EAGAIN }
      try Self.sleep(on: queue, until: deadline)
    }
    try throwPendingError()
    guard state == .connected, !isSendShut else { throw .EPIPE }
    writeLock.lock()
    defer { writeLock.unlock() }
    var done = 0
    while reader.remaining > 0 {
      if block == 0 || isSendShut {
        if done > 0 { return done }
        try throwPendingError()
        throw .EPIPE
      }
      let room = room
      if room == 0 {
        network.pass()
        if self.room > 0 { continue }
        guard try goesOn(wait, deadline, done) else { return done }
        continue
      }
      let bytes: [UInt8]
      do throws(Errno) { bytes = try reader.read(min(room, Self.largestPiece)) } catch {
        if done > 0 { return done }
        throw error
      }
      if bytes.isEmpty { break }
      // The connection may have ended while a page was fetched.
      guard block != 0 else { continue }
      let error = Calls.write(block, bytes, hasMore: isCorked || message.flags.contains(.MSG_MORE))
      if error != 0 {
        if done > 0 { return done }
        throw .ENOBUFS
      }
      done += bytes.count
      receivedSinceSent = 0
      clwip_tcp_output(block)
      network.pass()
    }
    return done
  }

  /// Bytes that can be written now. When the stack has its share of memory, each connection still has a little.
  private var room: Int {
    if block == 0 || network.isFull && clwip_tcp_unconfirmed(block) >= UInt32(Self.leastBuffer) { return 0 }
    return Int(clwip_tcp_room(block))
  }

  override func sent() {
    if isEndPending { endSending() }
    queue.wakeAll()
  }

  override func received(_ buffer: UInt) -> Reception {
    if buffer != 0, network.isFull, arrivedCount >= Self.leastBuffer { return .refused }
    defer { queue.wakeAll() }
    if buffer == 0 {
      isFinished = true
    } else if isReceiveShut {
      let count = clwip_buffer_count(buffer)
      clwip_buffer_free(buffer)
      if block != 0 { clwip_tcp_taken(block, count) }
    } else {
      arrivedCount += Int(clwip_buffer_count(buffer))
      arrived.append(buffer)
      // Where requests and answers alternate, the answer carries the confirmation.
      receivedSinceSent &+= 1
      if receivedSinceSent > 1, receivedSinceSent <= Self.quickConfirmations { return .confirmedAtOnce }
    }
    return .taken
  }

  override func receive(
    into writer: inout UserWriter, _ message: inout IncomingMessage, _ flags: MessageFlags, wait: Bool
  ) throws(Errno) -> Int {
    if flags.contains(.MSG_OOB) { throw .EINVAL }
    if state == .listening { throw .ENOTCONN }
    let deadline = Self.deadline(options.receiveTimeout)
    let wanted = flags.contains(.MSG_WAITALL) && !flags.contains(.MSG_PEEK) ? writer.remaining : 1
    var done = 0
    while true {
      readLock.lock()
      let copied: Int
      do throws(Errno) {
        copied = try take(into: &writer, peeks: flags.contains(.MSG_PEEK), drops: flags.contains(.MSG_TRUNC))
      } catch {
        readLock.unlock()
        if done > 0 { return done }
        throw error
      }
      readLock.unlock()
      done += copied
      if done >= wanted || writer.remaining == 0 || writer.faulted { return done }
      if done > 0, isFinished || isReceiveShut || pendingError != nil { return done }
      if arrivedCount > 0 { continue }
      try throwPendingError()
      if isFinished || isReceiveShut { return done }
      if state == .idle { throw .ENOTCONN }
      guard try goesOn(wait, deadline, done) else { return done }
    }
  }

  /// Waits for a change. False when there is no more waiting, and the call ends with the bytes that are done.
  ///
  /// - Throws: Why there is no more waiting, where no bytes are done.
  private func goesOn(_ wait: Bool, _ deadline: UInt64?, _ done: Int) throws(Errno) -> Bool {
    do throws(Errno) {
      if !wait { throw .EAGAIN }
      try Self.sleep(on: queue, until: deadline)
      return true
    } catch {
      if done == 0 { throw error }
      return false
    }
  }

  /// Copies what came as far as there is room.
  private func take(into writer: inout UserWriter, peeks: Bool, drops: Bool) throws(Errno) -> Int {
    var done = 0
    var index = firstArrived
    var position = offset
    while writer.remaining - (drops ? done : 0) > 0, index < arrived.count {
      let buffer = arrived[index]
      let (address, count) = Calls.piece(buffer, position)
      let piece = min(count, writer.remaining - (drops ? done : 0))
      let copied = drops ? piece : try writer.write(physical: address &- AddressLayout.kernelBase, count: piece)
      done += copied
      position += copied
      if position == Int(clwip_buffer_count(buffer)) {
        index += 1
        position = 0
      }
      if copied < piece { break }
    }
    if peeks { return done }
    while firstArrived < index {
      clwip_buffer_free(arrived[firstArrived])
      firstArrived += 1
    }
    offset = position
    if firstArrived == arrived.count {
      arrived.removeAll(keepingCapacity: true)
      firstArrived = 0
    } else if firstArrived > 64 {
      arrived.removeFirst(firstArrived)
      firstArrived = 0
    }
    arrivedCount -= done
    if done > 0, block != 0 {
      clwip_tcp_taken(block, UInt32(done))
      network.pass()
    }
    return done
  }

  private func dropArrived() {
    for index in firstArrived..<arrived.count { clwip_buffer_free(arrived[index]) }
    arrived = []
    firstArrived = 0
    offset = 0
    arrivedCount = 0
  }

  // MARK: State

  override var isListening: Bool { state == .listening }

  override var readiness: PollEvents {
    var events: PollEvents = []
    if pendingError != nil { events.insert(.POLLERR) }
    switch state {
    case .listening:
      if !pending.isEmpty { events.formUnion([.POLLIN, .POLLRDNORM]) }
      return events
    case .connecting: return events
    case .idle, .closed:
      events.formUnion([.POLLHUP, .POLLOUT, .POLLWRNORM])
      if state == .closed { events.formUnion([.POLLIN, .POLLRDNORM, .POLLRDHUP]) }
      return events
    case .connected: break
    }
    let ended = isFinished || isReceiveShut
    if ended { events.formUnion([.POLLIN, .POLLRDNORM, .POLLRDHUP]) }
    if ended, isSendShut { events.insert(.POLLHUP) }
    if arrivedCount > 0 { events.formUnion([.POLLIN, .POLLRDNORM]) }
    if isSendShut || block == 0 || room > Self.largestPiece {
      events.formUnion([.POLLOUT, .POLLWRNORM])
    }
    return events
  }

  override func control(_ request: IoctlRequest, _ argument: UInt) throws(Errno) -> Int {
    switch request {
    case .FIONREAD:
      if state == .listening { throw .EINVAL }
      try UserMemory.store(Int32(clamping: arrivedCount), at: argument)
    case .TIOCOUTQ:
      if state == .listening { throw .EINVAL }
      let count = block == 0 ? 0 : clwip_tcp_unconfirmed(block)
      try UserMemory.store(Int32(clamping: count), at: argument)
    default: return try super.control(request, argument)
    }
    return 0
  }

  override func setOption(_ level: Int32, _ number: Int32, _ value: SocketOptionValue) throws(Errno) {
    if level == InternetProtocol.IPPROTO_TCP {
      try setTCPOption(number, value)
    } else {
      try super.setOption(level, number, value)
    }
  }

  override func option(_ level: Int32, _ number: Int32) throws(Errno) -> [UInt8] {
    level == InternetProtocol.IPPROTO_TCP ? try tcpOption(number) : try super.option(level, number)
  }

  // MARK: The end

  private func dropBlock() {
    guard block != 0 else { return }
    let old = block
    block = 0
    if options.linger.l_onoff != 0, options.linger.l_linger == 0, state == .connected {
      clwip_tcp_abort(old)
    } else {
      network.close(old)
    }
  }

  override func fileClosed(_ path: Path, _ flags: OpenFlags) { release() }

  private func release() {
    for socket in pending {
      if socket.block != 0 {
        clwip_tcp_abort(socket.block)
        socket.block = 0
      }
      socket.dropArrived()
    }
    pending = []
    dropBlock()
    dropArrived()
    state = .closed
    network.run()
  }
}
