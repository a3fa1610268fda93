// Names are spelled as in Linux, so that grep and the man pages work.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

public import Kernel
public import LinuxABI
public import VFSCore

/// A socket of AF_UNIX. See unix(7).
///
/// Each has the bytes that were sent to it in a ring, and marks over them: where messages begin and end, and what came
/// with them. A stream has marks only where something came with the bytes.
public final class UnixSocket: Socket {
  enum State { case closed, listening, connected }

  let namespace: SocketNamespace
  var state = State.closed
  /// Its name; an accepted one has the name of the socket that listened.
  var address: UnixAddress?
  /// The other end; for datagrams, where they go by default.
  var peer: UnixSocket?
  var isReceiveShut = false
  var isSendShut = false
  /// Closed for good.
  var isReleased = false

  let ring: ByteRing
  var marks = MarkQueue()
  /// Woken when there is room for messages or connections of others.
  let room = WaitQueue()
  /// What its messages take up in the queues of others.
  var outstanding = 0
  private var peerWaiter: RoomWaiter?
  private var otherEnd: UCred?

  /// Connections that wait for accept(2).
  var pending: [UnixSocket] = []
  private var backlog = 0

  /// Its open file, if there is one.
  var handle = FileHandle()
  /// In how many messages it is under way.
  var flights = 0
  /// What its file was when it was closed during a flight.
  private var grounded: (path: Path, flags: OpenFlags)?
  /// For `SocketNamespace.collect`.
  var flightsFromCandidates = 0
  var isReachable = false

  /// Messages that may wait at a datagram socket for others than the one it is connected to: max_dgram_qlen.
  private static var datagramLimit: Int { 10 }
  /// net.core.somaxconn
  private static var maximumBacklog: Int { 4096 }

  init(_ namespace: SocketNamespace, _ type: SocketType) {
    self.namespace = namespace
    ring = ByteRing(namespace.frames)
    super.init(.AF_UNIX, type, protocolNumber: 0)
  }

  var isConnectionBased: Bool { type != .SOCK_DGRAM }

  // MARK: Names

  override public func bind(_ address: [UInt8], _ context: FileSystemContext, mode: FileMode) throws(Errno) {
    if address.count == 2, UnixAddress.family(address) == AddressFamily.AF_UNIX.rawValue {
      try autobind()
      return
    }
    try UnixAddress.validate(address)
    if UnixAddress.isAbstract(address) {
      guard self.address == nil else { throw .EINVAL }
      guard namespace.find(abstract: address, type) == nil else { throw .EADDRINUSE }
      setAddress(UnixAddress(address, nil))
      return
    }
    let name = UnixAddress.path(of: address)
    let place = try context.makeSocketNode(name, mode: mode)
    guard self.address == nil else {
      try context.unlink(name)
      throw .EINVAL
    }
    setAddress(UnixAddress(UnixAddress.make(path: name), place))
  }

  private func setAddress(_ address: UnixAddress) {
    self.address = address
    namespace.enter(self)
  }

  /// Gives the socket an abstract name that nobody else has.
  func autobind() throws(Errno) {
    if address == nil { setAddress(UnixAddress(try namespace.makeAbstractName(type), nil)) }
  }

  override public func name() throws(Errno) -> [UInt8] { address?.bytes ?? UnixAddress.unnamed }
  override public func peerName() throws(Errno) -> [UInt8] {
    guard let peer else { throw .ENOTCONN }
    return try peer.name()
  }

  /// The socket that an address names.
  func find(_ address: [UInt8], _ context: FileSystemContext) throws(Errno) -> UnixSocket {
    if UnixAddress.isAbstract(address) {
      guard let found = namespace.find(abstract: address, type) else { throw .ECONNREFUSED }
      return found
    }
    let place = try context.resolve(UnixAddress.path(of: address))
    guard place.inode.allows(.W_OK, context.credentials) else { throw .EACCES }
    guard place.inode.type == .S_IFSOCK, let found = namespace.find(place.inode) else { throw .ECONNREFUSED }
    guard found.type == type else { throw .EPROTOTYPE }
    return found
  }

  // MARK: Connections

  override public func listen(backlog: Int32) throws(Errno) {
    guard isConnectionBased else { throw .EOPNOTSUPP }
    guard address != nil, state != .connected else { throw .EINVAL }
    self.backlog = Int(min(UInt32(bitPattern: backlog), UInt32(Self.maximumBacklog)))
    state = .listening
    otherEnd = namespace.currentCaller().effective
    room.wakeAll()
  }

  override public func connect(to address: [UInt8], _ context: FileSystemContext, wait: Bool) throws(Errno) {
    guard isConnectionBased else {
      try connectDatagrams(to: address, context)
      return
    }
    try UnixAddress.validate(address)
    if options.passesCredentials { try autobind() }
    let deadline = Self.deadline(options.sendTimeout)
    while true {
      let other = try find(address, context)
      guard other.state == .listening, !other.isReceiveShut else { throw .ECONNREFUSED }
      switch state {
      case .closed: break
      case .connected: throw .EISCONN
      case .listening: throw .EINVAL
      }
      if other.pending.count > other.backlog {
        if !wait { throw .EAGAIN }
        try Self.sleep(on: other.room, until: deadline)
        continue
      }
      let accepted = UnixSocket(namespace, type)
      accepted.address = other.address
      accepted.otherEnd = namespace.currentCaller().effective
      otherEnd = other.otherEnd
      join(accepted)
      other.pending.append(accepted)
      other.queue.wakeAll()
      return
    }
  }

  /// Makes this and another the two ends of a connection.
  func join(_ other: UnixSocket) {
    peer = other
    other.peer = self
    state = .connected
    other.state = .connected
  }

  /// Makes two unnamed sockets the ends of a connection. See socketpair(2).
  func pair(with other: UnixSocket) {
    let caller = namespace.currentCaller().effective
    otherEnd = caller
    other.otherEnd = caller
    join(other)
  }

  private func connectDatagrams(to address: [UInt8], _ context: FileSystemContext) throws(Errno) {
    var other: UnixSocket?
    if address.count >= 2, UnixAddress.family(address) == AddressFamily.AF_UNSPEC.rawValue {
      state = .closed
    } else {
      try UnixAddress.validate(address)
      if options.passesCredentials { try autobind() }
      let found = try find(address, context)
      guard found.accepts(from: self) else { throw .EPERM }
      other = found
      state = .connected
    }
    let old = peer
    guard old !== other else { return }
    setPeer(other)
    guard let old else { return }
    // What came from the old peer is not what the new one says.
    dropMessages()
    if !old.isReleased, old.peer === self {
      old.pendingError = .ECONNRESET
      old.queue.wakeAll()
    }
  }

  /// Changes where datagrams go by default.
  private func setPeer(_ other: UnixSocket?) {
    peerWaiter?.remove()
    peerWaiter = nil
    peer = other
    if let other, other !== self {
      let waiter = RoomWaiter(queue)
      peerWaiter = waiter
      other.room.add(waiter)
    }
    queue.wakeAll()
  }

  /// The peer of a datagram socket turned out to be gone.
  func forgetPeer() {
    setPeer(nil)
    state = .closed
    dropMessages()
  }

  override public func accept(wait: Bool) throws(Errno) -> Socket {
    guard isConnectionBased else { throw .EOPNOTSUPP }
    guard state == .listening else { throw .EINVAL }
    let deadline = Self.deadline(options.receiveTimeout)
    while pending.isEmpty {
      try throwPendingError()
      if isReceiveShut { throw .EINVAL }
      if !wait { throw .EAGAIN }
      try Self.sleep(on: queue, until: deadline)
    }
    let accepted = pending.removeFirst()
    room.wakeAll()
    return accepted
  }

  override public func shutdown(_ how: ShutdownHow) throws(Errno) {
    let receive = how != .SHUT_WR
    let send = how != .SHUT_RD
    if receive { isReceiveShut = true }
    if send { isSendShut = true }
    if isConnectionBased, let peer {
      if receive { peer.isSendShut = true }
      if send { peer.isReceiveShut = true }
      peer.queue.wakeAll()
    }
    queue.wakeAll()
    room.wakeAll()
  }

  // MARK: Messages

  override public func send(
    from reader: inout UserReader, _ message: borrowing OutgoingMessage, wait: Bool
  ) throws(Errno) -> Int { try sendMessage(from: &reader, message, wait: wait) }

  override public func receive(
    into writer: inout UserWriter, _ message: inout IncomingMessage, _ flags: MessageFlags, wait: Bool
  ) throws(Errno) -> Int { try receiveMessage(into: &writer, &message, flags, wait: wait) }

  override public func write(from reader: inout UserReader, wait: Bool) throws(Errno) -> Int {
    if type == .SOCK_STREAM, let peer, peer.takesPlainBytes, !options.passesCredentials, !isSendShut,
      peer.ring.count < options.sendBuffer, reader.remaining < options.sendBuffer / 4,
      reader.remaining <= Self.largestPiece
    {
      return try peer.take(plain: &reader)
    }
    return try super.write(from: &reader, wait: wait)
  }

  override public func read(into writer: inout UserWriter, wait: Bool) throws(Errno) -> Int {
    if type == .SOCK_STREAM, state == .connected, marks.isEmpty, ring.count > 0, !options.passesCredentials,
      !ring.lock.isTaken
    {
      return try receive(plain: &writer)
    }
    return try super.read(into: &writer, wait: wait)
  }

  // MARK: State

  override public var isListening: Bool { state == .listening }
  override public var peerCredentials: UCred? { otherEnd ?? UCred(pid: 0, uid: .max, gid: .max) }

  /// Whether others may send here: not past a connection with somebody else.
  func accepts(from other: UnixSocket) -> Bool { peer == nil || peer === other }

  /// Whether datagrams of others than the one it is connected to have to wait.
  func isFull(for other: UnixSocket) -> Bool {
    type == .SOCK_DGRAM && self !== other && peer !== other && marks.count > Self.datagramLimit
  }

  /// What of the send buffer is in use.
  @inline(__always)
  var usedBuffer: Int { type == .SOCK_STREAM ? peer?.ring.count ?? 0 : outstanding }

  @inline(__always)
  var isWritable: Bool { state != .listening && usedBuffer <= options.sendBuffer / 4 }

  override public var readiness: PollEvents {
    var events: PollEvents = []
    if pendingError != nil { events.insert(.POLLERR) }
    if isReceiveShut {
      events.formUnion([.POLLRDHUP, .POLLIN, .POLLRDNORM])
      if isSendShut { events.insert(.POLLHUP) }
    }
    if ring.count > 0 || !marks.isEmpty || !pending.isEmpty { events.formUnion([.POLLIN, .POLLRDNORM]) }
    if state == .closed, isConnectionBased { events.insert(.POLLHUP) }
    if isWritable, peer.map({ !$0.isFull(for: self) }) ?? true {
      events.formUnion([.POLLOUT, .POLLWRNORM, .POLLWRBAND])
    }
    return events
  }

  override public func control(_ request: IoctlRequest, _ argument: UInt) throws(Errno) -> Int {
    guard request == .FIONREAD || request == .TIOCOUTQ else {
      guard request.isAboutInterfaces, let answer = namespace.controlInterfaces else { throw .ENOTTY }
      return try answer(request, argument)
    }
    if state == .listening { throw .EINVAL }
    let count: Int
    if request == .TIOCOUTQ {
      count = usedBuffer
    } else {
      count = type == .SOCK_DGRAM ? marks.first?.length ?? 0 : ring.count
    }
    try UserMemory.store(Int32(clamping: count), at: argument)
    return 0
  }

  // MARK: The end

  override public func opened(_ file: SocketFile) {
    handle.set(file)
    grounded = nil
  }

  /// The open file: that of before, or a new one where it was closed during the flight.
  func openFile() -> OpenFile? {
    if let file = handle.file { return file }
    guard let grounded else { return nil }
    return SocketFile(self, grounded.path, grounded.flags)
  }

  override public func fileClosed(_ path: Path, _ flags: OpenFlags) {
    handle.clear()
    if flights > 0 {
      grounded = (path, flags)
      namespace.collect()
    } else {
      namespace.release(self)
    }
  }

  /// Closes for good. Called by the namespace alone, which does so for one after the other.
  func release() {
    if isReleased { return }
    isReleased = true
    grounded = nil
    if address != nil { namespace.remove(self) }
    let hadUnread = ring.count > 0 || !marks.isEmpty
    isReceiveShut = true
    isSendShut = true
    state = .closed
    if let peer {
      if isConnectionBased {
        peer.isReceiveShut = true
        peer.isSendShut = true
        if hadUnread { peer.pendingError = .ECONNRESET }
        peer.queue.wakeAll()
      }
      peerWaiter?.remove()
      peerWaiter = nil
      self.peer = nil
    }
    dropMessages()
    for waiting in pending {
      // Who connected and was not accepted has lost the connection.
      waiting.peer?.pendingError = .ECONNRESET
      namespace.release(waiting)
    }
    pending = []
    room.wakeAll()
    queue.wakeAll()
  }

  /// Throws away what was sent here.
  private func dropMessages() {
    while let mark = marks.popFirst() {
      mark.sender?.uncharge(mark.length)
      if let cargo = mark.cargo { namespace.drop(cargo) }
    }
    // A sender that sleeps within the lock finds out afterwards, and clears the ring.
    if !ring.lock.isTaken { ring.clear() }
  }

  /// A message of this socket is no longer in another's queue.
  func uncharge(_ length: Int) {
    outstanding -= length + Mark.overhead
    if outstanding <= options.sendBuffer / 4 { queue.wakeAll() }
  }
}

/// Passes on to a socket that its peer has room again.
private final class RoomWaiter: Waiter {
  private let target: WaitQueue

  init(_ target: WaitQueue) {
    self.target = target
    super.init()
  }

  override func notify() { target.wakeAll() }
}
