// Sockets: communication endpoints. A `Socket` is what the system calls work on, whatever its family; a `SocketFile` is
// the open file that stands for it. `UnixSocket` is AF_UNIX; other families are further subclasses. `SocketNamespace`
// has what all share: bound names, and the descriptors that are under way. Neighbours: VFSCore for files, Kernel for
// wait queues; Process and Syscalls above.
public import Kernel
public import LinuxABI
public import VFSCore

/// A communication endpoint. A family overrides what it has; what it leaves alone fails as Linux's does for want of a
/// method.
open class Socket {
  public final let family: AddressFamily
  public final let type: SocketType
  public final let protocolNumber: Int32
  /// Woken when `readiness` may have changed.
  public final let queue = WaitQueue()
  public final var options = SocketOptions()
  /// What the next call, or SO_ERROR, reports.
  public final var pendingError: Errno?

  public init(_ family: AddressFamily, _ type: SocketType, protocolNumber: Int32) {
    self.family = family
    self.type = type
    self.protocolNumber = protocolNumber
  }

  // MARK: Names and connections. Addresses are the bytes of a `sockaddr`, the family in front.

  /// Gives the socket a name. See bind(2).
  ///
  /// - Parameter mode: The permissions of the open file's inode, which a name in the file system gets.
  open func bind(_ address: [UInt8], _ context: FileSystemContext, mode: FileMode) throws(Errno) { throw .EOPNOTSUPP }

  /// Waits for connections from now on. See listen(2).
  open func listen(backlog: Int32) throws(Errno) { throw .EOPNOTSUPP }

  /// Connects to a name. See connect(2).
  open func connect(to address: [UInt8], _ context: FileSystemContext, wait: Bool) throws(Errno) { throw .EOPNOTSUPP }

  /// Takes the next connection. See accept(2).
  open func accept(wait: Bool) throws(Errno) -> Socket { throw .EOPNOTSUPP }

  /// See shutdown(2).
  open func shutdown(_ how: ShutdownHow) throws(Errno) { throw .EOPNOTSUPP }

  /// The name of this end. See getsockname(2).
  open func name() throws(Errno) -> [UInt8] { throw .EOPNOTSUPP }
  /// The name of the other end. See getpeername(2).
  open func peerName() throws(Errno) -> [UInt8] { throw .EOPNOTSUPP }

  /// The name that accept(2) gives with a connection, also of one that has ended since.
  open func acceptedName() throws(Errno) -> [UInt8] { try peerName() }

  // MARK: Messages

  /// Sends. See sendmsg(2).
  ///
  /// - Throws: `EPIPE` among others: the caller sends SIGPIPE where `signalsBrokenPipe`.
  open func send(
    from reader: inout UserReader, _ message: borrowing OutgoingMessage, wait: Bool
  ) throws(Errno) -> Int { throw .EOPNOTSUPP }

  /// Receives. See recvmsg(2).
  open func receive(
    into writer: inout UserWriter, _ message: inout IncomingMessage, _ flags: MessageFlags, wait: Bool
  ) throws(Errno) -> Int { throw .EOPNOTSUPP }

  /// Sends bytes with nothing besides. See write(2).
  open func write(from reader: inout UserReader, wait: Bool) throws(Errno) -> Int {
    try send(from: &reader, OutgoingMessage(), wait: wait)
  }

  /// Receives bytes and drops what came with them. See read(2).
  open func read(into writer: inout UserWriter, wait: Bool) throws(Errno) -> Int {
    var message = IncomingMessage()
    return try receive(into: &writer, &message, [], wait: wait)
  }

  /// Whether writing to a connection that is gone raises SIGPIPE.
  open var signalsBrokenPipe: Bool { type == .SOCK_STREAM }

  // MARK: State

  open var readiness: PollEvents { [] }
  /// Whether it waits for connections: SO_ACCEPTCONN.
  open var isListening: Bool { false }
  /// Who is at the other end: SO_PEERCRED.
  open var peerCredentials: UCred? { nil }
  /// Sets an option of a level other than SOL_SOCKET. See setsockopt(2).
  open func setOption(_ level: Int32, _ number: Int32, _ value: SocketOptionValue) throws(Errno) { throw .EOPNOTSUPP }
  /// The value of an option of a level other than SOL_SOCKET. See getsockopt(2).
  open func option(_ level: Int32, _ number: Int32) throws(Errno) -> [UInt8] { throw .EOPNOTSUPP }
  /// `options` was changed.
  open func optionsChanged() {}
  /// A request of ioctl(2).
  open func control(_ request: IoctlRequest, _ argument: UInt) throws(Errno) -> Int { throw .ENOTTY }

  /// An open file stands for it from now on.
  open func opened(_ file: SocketFile) {}
  /// Its open file is gone.
  open func fileClosed(_ path: Path, _ flags: OpenFlags) {}

  // MARK: For subclasses

  /// Takes the pending error.
  public final func throwPendingError() throws(Errno) {
    guard let error = pendingError else { return }
    pendingError = nil
    throw error
  }

  /// When an operation that begins now gives up; nil for never.
  public static func deadline(_ timeout: UInt64?) -> UInt64? {
    guard let timeout else { return nil }
    let (sum, overflow) = Task.current.scheduler.timers.now().addingReportingOverflow(timeout)
    return overflow ? nil : sum
  }

  /// Sleeps until a queue is woken.
  ///
  /// - Throws: `EAGAIN` when the time is over; for a signal `ERESTARTSYS`, or `EINTR` where there is a deadline.
  public static func sleep(on queue: WaitQueue, until deadline: UInt64?) throws(Errno) {
    switch queue.sleep(until: deadline) {
    case .woken: return
    case .timedOut: throw .EAGAIN
    case .interrupted: throw deadline == nil ? .ERESTARTSYS : .EINTR
    }
  }
}

/// What goes with the bytes of a message that is sent.
public struct OutgoingMessage {
  /// Where to, if not to the other end of the connection.
  public var address: [UInt8]?
  /// The sender as it names itself; checked by the caller.
  public var credentials: UCred?
  public var files: [OpenFile] = []
  /// Ancillary data of the protocol's own.
  public var ancillary: [AncillaryData] = []
  public var flags: MessageFlags = []
  /// Whose names and permissions look-ups go by; nil where there is no address.
  public var context: FileSystemContext?

  public init() {}
}

/// What comes with the bytes of a message that is received.
public struct IncomingMessage {
  /// Whether the caller wants to know the sender's name.
  public var wantsAddress = false
  /// The sender's name; empty if it has none.
  public var address: [UInt8] = []
  public var credentials: UCred?
  public var files: [OpenFile] = []
  public var flags: MessageFlags = []
  /// Ancillary data of the protocol's own, as far as the socket is to give it.
  public var ancillary: [AncillaryData] = []

  public init() {}
}

/// An item of ancillary data that belongs to a protocol. See cmsg(3), ip(7) and ipv6(7).
public struct AncillaryData {
  public let level: Int32
  public let type: Int32
  public let bytes: [UInt8]

  public init(level: Int32, type: Int32, bytes: [UInt8]) {
    self.level = level
    self.type = type
    self.bytes = bytes
  }
}

/// The open file that stands for a socket.
public final class SocketFile: OpenFile {
  public let socket: Socket

  /// Makes the file of a new socket.
  public init(_ context: FileSystemContext, _ socket: Socket, isNonBlocking: Bool) {
    self.socket = socket
    let path = context.namespace.makeAnonymousPath(
      mode: FileMode(.S_IFSOCK, FileMode(rawValue: 0o777)), credentials: context.credentials)
    super.init(path, isNonBlocking ? [.O_RDWR, .O_NONBLOCK] : .O_RDWR)
    socket.opened(self)
  }

  /// Makes the file of a socket again whose last one was closed while it was under way in a message.
  init(_ socket: Socket, _ path: Path, _ flags: OpenFlags) {
    self.socket = socket
    super.init(path, flags)
    socket.opened(self)
  }

  deinit { socket.fileClosed(path, flags) }

  override public func read(into writer: inout UserWriter, at position: Int64?) throws(Errno) -> Int {
    if position != nil { throw .ESPIPE }
    if writer.remaining == 0 { return 0 }
    return try socket.read(into: &writer, wait: !isNonBlocking)
  }
  override public func write(from reader: inout UserReader, at position: Int64?) throws(Errno) -> Int {
    if position != nil { throw .ESPIPE }
    return try socket.write(from: &reader, wait: !isNonBlocking)
  }

  override public var signalsBrokenPipe: Bool { socket.signalsBrokenPipe }
  override public var readiness: PollEvents { socket.readiness }
  override public var waitQueue: WaitQueue? { socket.queue }
  override public func control(_ request: IoctlRequest, _ argument: UInt) throws(Errno) -> Int {
    try socket.control(request, argument)
  }
  override public func synchronize(dataOnly: Bool) throws(Errno) { throw .EINVAL }
}

/// What a program gives setsockopt(2).
public struct SocketOptionValue {
  public let level: Int32
  private let address: UInt
  /// Bytes that there are.
  public let count: Int

  public init(level: Int32, _ address: UInt, _ count: Int) {
    self.level = level
    self.address = address
    self.count = count
  }

  /// An `int`.
  ///
  /// - Throws: `EINVAL` when it is shorter, `EFAULT`.
  public func integer() throws(Errno) -> Int32 {
    guard count >= 4 else { throw .EINVAL }
    return try UserMemory.load(Int32.self, at: address)
  }

  /// An `int`, or a byte where there is no more.
  public func integerOrByte() throws(Errno) -> Int32 {
    if count >= 4 { return try integer() }
    guard count >= 1 else { throw .EINVAL }
    return Int32(try UserMemory.load(UInt8.self, at: address))
  }

  /// The four bytes at an offset, which lie within `count`.
  public func word32(_ offset: Int) throws(Errno) -> UInt32 {
    guard offset + 4 <= count else { throw .EINVAL }
    return try UserMemory.load(UInt32.self, at: address &+ UInt(offset))
  }

  /// Text up to its end or a zero.
  public func text(limit: Int) throws(Errno) -> [UInt8] {
    guard count >= 1 else { throw .EINVAL }
    let bytes = try UserMemory.bytes(at: address, count: min(count, limit))
    return bytes.firstIndex(of: 0).map { [UInt8](bytes[..<$0]) } ?? bytes
  }

  /// The bytes of an `int`.
  public static func bytes(_ value: Int32) -> [UInt8] {
    (0..<4).map { UInt8(truncatingIfNeeded: value >> (8 * Int32($0))) }
  }
}
