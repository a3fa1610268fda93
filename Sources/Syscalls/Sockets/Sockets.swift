internal import Kernel
internal import LinuxABI
internal import Process
internal import Sockets
internal import Support
internal import VFSCore

/// Calls that make, name and connect sockets, and their options.
let socketSyscalls: [Syscall] = [
  Syscall(41, "socket", .descriptor, socket),
  Syscall(42, "connect", .none, connect),
  Syscall(43, "accept", .descriptor, accept),
  Syscall(48, "shutdown", .none, shutdown),
  Syscall(49, "bind", .none, bind),
  Syscall(50, "listen", .none, listen),
  Syscall(51, "getsockname", .none, getsockname),
  Syscall(52, "getpeername", .none, getpeername),
  Syscall(53, "socketpair", .none, socketpair),
  Syscall(54, "setsockopt", .none, setsockopt),
  Syscall(55, "getsockopt", .none, getsockopt),
  Syscall(288, "accept4", .descriptor, accept4),
]

/// The file of a socket.
///
/// - Throws: `EBADF`, `ENOTSOCK`.
@inline(never)
func socketFile(_ thread: Thread, _ descriptor: Descriptor) throws(Errno) -> SocketFile {
  guard let file = try thread.process.files.file(at: descriptor.value) as? SocketFile else { throw .ENOTSOCK }
  return file
}

// MARK: Addresses

/// A pointer to a `sockaddr` whose length is the next argument.
struct SocketAddress: SyscallArgument {
  let address: UInt
  init(register: UInt64) { address = UInt(register) }

  /// Reads the address.
  ///
  /// - Throws: `EINVAL` for a length that no address has, `EFAULT`.
  func load(_ length: Int32) throws(Errno) -> [UInt8] { try loadSocketAddress(address, length) }

  func describe(_ context: TraceContext, into line: inout TextBuffer) {
    let length = Int32(truncatingIfNeeded: context.next)
    guard address != 0, let bytes = try? load(length), bytes.count >= 2 else {
      describeAddress(address, into: &line)
      return
    }
    line.append("{sa_family=")
    let family = Int32(bytes[0]) | Int32(bytes[1]) << 8
    if let name = AddressFamily.name(of: family) { line.append(name) } else { line.append(decimal: Int(family)) }
    line.append(", ")
    describeBytes([UInt8](bytes[2...]), isCut: false, into: &line)
    line.append("}")
  }
}

/// The longest address that Linux takes: `sockaddr_storage`.
private let longestSocketAddress: Int32 = 128

func loadSocketAddress(_ address: UInt, _ length: Int32) throws(Errno) -> [UInt8] {
  guard length >= 0, length <= longestSocketAddress else { throw .EINVAL }
  return length == 0 ? [] : try UserMemory.bytes(at: address, count: Int(length))
}

/// Writes an address as far as there is room, and its whole length.
///
/// - Parameter length: Where the room's length stands, an `int`.
/// - Throws: `EFAULT`; `EINVAL` for a negative length.
func storeSocketAddress(_ bytes: [UInt8], at address: UInt, _ length: UInt) throws(Errno) {
  let room = try UserMemory.load(Int32.self, at: length)
  guard room >= 0 else { throw .EINVAL }
  try UserMemory.store([UInt8](bytes.prefix(Int(room))).rawBytes, at: address)
  try UserMemory.store(Int32(bytes.count), at: length)
}

// MARK: Making

private func flags(_ type: SocketTypeArgument) throws(Errno) -> (isNonBlocking: Bool, closeOnExec: Bool) {
  let flags = type.rawValue & ~SocketTypeArgument.fieldMask
  guard SocketTypeArgument(rawValue: flags).isSubset(of: [.SOCK_NONBLOCK, .SOCK_CLOEXEC]) else { throw .EINVAL }
  return (type.contains(.SOCK_NONBLOCK), type.contains(.SOCK_CLOEXEC))
}

/// Makes a socket. See socket(2).
func socket(
  _ thread: Thread, _ family: Named<AddressFamily>, _ type: Flags<SocketTypeArgument>, _ protocolNumber: Int32
) throws(Errno) -> Int {
  let (isNonBlocking, closeOnExec) = try flags(type.value)
  let process = thread.process
  let socket = try process.system.sockets.make(
    family.rawValue, Int32(type.value.rawValue & SocketTypeArgument.fieldMask), protocolNumber: protocolNumber)
  let file = SocketFile(process.fileSystem, socket, isNonBlocking: isNonBlocking)
  return Int(try process.files.insert(file, closeOnExec: closeOnExec))
}

/// Makes two connected sockets. See socketpair(2).
func socketpair(
  _ thread: Thread, _ family: Named<AddressFamily>, _ type: Flags<SocketTypeArgument>, _ protocolNumber: Int32,
  _ descriptors: UserMutablePointer<UInt64>
) throws(Errno) -> Int {
  let (isNonBlocking, closeOnExec) = try flags(type.value)
  let process = thread.process
  let files = process.files
  let first = try files.reserve(closeOnExec: closeOnExec)
  let second: Int32
  do throws(Errno) { second = try files.reserve(closeOnExec: closeOnExec) } catch {
    files.abandon(first)
    throw error
  }
  do throws(Errno) {
    try descriptors.store(UInt64(UInt32(bitPattern: first)) | UInt64(UInt32(bitPattern: second)) << 32)
    let pair = try process.system.sockets.makePair(
      family.rawValue, Int32(type.value.rawValue & SocketTypeArgument.fieldMask), protocolNumber: protocolNumber)
    files.install(SocketFile(process.fileSystem, pair.0, isNonBlocking: isNonBlocking), at: first)
    files.install(SocketFile(process.fileSystem, pair.1, isNonBlocking: isNonBlocking), at: second)
  } catch {
    files.abandon(first)
    files.abandon(second)
    throw error
  }
  return 0
}

// MARK: Names and connections

/// Gives a socket a name. See bind(2).
func bind(_ thread: Thread, _ descriptor: Descriptor, _ address: SocketAddress, _ length: Int32) throws(Errno) -> Int {
  let file = try socketFile(thread, descriptor)
  try file.socket.bind(try address.load(length), thread.process.fileSystem, mode: file.inode.mode.permissions)
  return 0
}

/// Waits for connections. See listen(2).
func listen(_ thread: Thread, _ descriptor: Descriptor, _ backlog: Int32) throws(Errno) -> Int {
  try socketFile(thread, descriptor).socket.listen(backlog: backlog)
  return 0
}

/// Connects. See connect(2).
func connect(_ thread: Thread, _ descriptor: Descriptor, _ address: SocketAddress, _ length: Int32) throws(Errno)
  -> Int
{
  let file = try socketFile(thread, descriptor)
  try file.socket.connect(to: try address.load(length), thread.process.fileSystem, wait: !file.isNonBlocking)
  return 0
}

/// Takes a connection. See accept(2).
func accept(
  _ thread: Thread, _ descriptor: Descriptor, _ address: Address, _ length: Address
) throws(Errno) -> Int { try accept(thread, descriptor, address, length, []) }

/// As accept(2), with flags.
func accept4(
  _ thread: Thread, _ descriptor: Descriptor, _ address: Address, _ length: Address, _ flags: Flags<SocketTypeArgument>
) throws(Errno) -> Int { try accept(thread, descriptor, address, length, flags.value) }

private func accept(
  _ thread: Thread, _ descriptor: Descriptor, _ address: Address, _ length: Address, _ flags: SocketTypeArgument
) throws(Errno) -> Int {
  guard flags.isSubset(of: [.SOCK_NONBLOCK, .SOCK_CLOEXEC]) else { throw .EINVAL }
  let file = try socketFile(thread, descriptor)
  let process = thread.process
  let number = try process.files.reserve(closeOnExec: flags.contains(.SOCK_CLOEXEC))
  do throws(Errno) {
    let accepted = SocketFile(
      process.fileSystem, try file.socket.accept(wait: !file.isNonBlocking),
      isNonBlocking: flags.contains(.SOCK_NONBLOCK))
    if address.value != 0 {
      try storeSocketAddress(try accepted.socket.acceptedName(), at: address.value, length.value)
    }
    process.files.install(accepted, at: number)
  } catch {
    process.files.abandon(number)
    throw error
  }
  return Int(number)
}

/// Ends one or both directions. See shutdown(2).
func shutdown(_ thread: Thread, _ descriptor: Descriptor, _ how: Named<ShutdownHow>) throws(Errno) -> Int {
  let file = try socketFile(thread, descriptor)
  guard let how = ShutdownHow(rawValue: how.rawValue) else { throw .EINVAL }
  try file.socket.shutdown(how)
  return 0
}

/// The name of a socket. See getsockname(2).
func getsockname(_ thread: Thread, _ descriptor: Descriptor, _ address: Address, _ length: Address) throws(Errno) -> Int
{
  try storeSocketAddress(try socketFile(thread, descriptor).socket.name(), at: address.value, length.value)
  return 0
}

/// The name of the other end. See getpeername(2).
func getpeername(_ thread: Thread, _ descriptor: Descriptor, _ address: Address, _ length: Address) throws(Errno) -> Int
{
  try storeSocketAddress(try socketFile(thread, descriptor).socket.peerName(), at: address.value, length.value)
  return 0
}

// MARK: Options

/// Sets an option. See setsockopt(2) and socket(7).
func setsockopt(
  _ thread: Thread, _ descriptor: Descriptor, _ level: Int32, _ number: Named<SocketOption>, _ value: Address,
  _ length: Int32
) throws(Errno) -> Int {
  guard length >= 0 else { throw .EINVAL }
  let socket = try socketFile(thread, descriptor).socket
  guard level == SocketLevel.SOL_SOCKET else {
    try socket.setOption(level, number.rawValue, SocketOptionValue(level: level, value.value, Int(length)))
    return 0
  }
  guard length >= 4 else { throw .EINVAL }
  let integer = try UserMemory.load(Int32.self, at: value.value)
  guard let option = SocketOption(rawValue: number.rawValue) else { throw .ENOPROTOOPT }
  switch option {
  case .SO_RCVTIMEO: socket.options.receiveTimeout = try timeout(value.value, length)
  case .SO_SNDTIMEO: socket.options.sendTimeout = try timeout(value.value, length)
  case .SO_LINGER:
    guard length >= 8 else { throw .EINVAL }
    socket.options.linger = try UserMemory.load(Linger.self, at: value.value)
  default:
    try socket.options.set(
      option, integer, isPrivileged: thread.process.identity.has(Identity.Capability.CAP_NET_ADMIN))
  }
  socket.optionsChanged()
  return 0
}

/// A timeout in nanoseconds; nil for ever.
private func timeout(_ address: UInt, _ length: Int32) throws(Errno) -> UInt64? {
  guard length >= Int32(MemoryLayout<Timeval>.size) else { throw .EINVAL }
  let value = try UserMemory.load(Timeval.self, at: address)
  guard value.tv_usec >= 0, value.tv_usec < 1_000_000 else { throw .EDOM }
  // A negative time is over already.
  if value.tv_sec < 0 { return 0 }
  return value.saturatedNanoseconds.flatMap { $0 == 0 || $0 == .max ? nil : UInt64($0) }
}

/// Reads an option. See getsockopt(2) and socket(7).
func getsockopt(
  _ thread: Thread, _ descriptor: Descriptor, _ level: Int32, _ number: Named<SocketOption>, _ value: Address,
  _ length: UserMutablePointer<Int32>
) throws(Errno) -> Int {
  let socket = try socketFile(thread, descriptor).socket
  let room = try length.load()
  guard room >= 0 else { throw .EINVAL }
  guard level == SocketLevel.SOL_SOCKET else {
    let bytes = try socket.option(level, number.rawValue)
    var writer = UserWriter(value.value, count: min(Int(room), bytes.count))
    try length.store(Int32(try writer.write(bytes.rawBytes)))
    return 0
  }
  guard let option = SocketOption(rawValue: number.rawValue) else { throw .ENOPROTOOPT }
  var writer = UserWriter(value.value, count: Int(room))
  let stored: Int
  switch option {
  case .SO_RCVTIMEO: stored = try store(socket.options.receiveTimeout, &writer)
  case .SO_SNDTIMEO: stored = try store(socket.options.sendTimeout, &writer)
  case .SO_LINGER: stored = try writer.write(value: socket.options.linger)
  case .SO_PEERCRED:
    guard let credentials = socket.peerCredentials else { throw .ENOPROTOOPT }
    stored = try writer.write(value: credentials)
  default:
    let integer: Int32
    switch option {
    case .SO_TYPE: integer = socket.type.rawValue
    case .SO_DOMAIN: integer = socket.family.rawValue
    case .SO_PROTOCOL: integer = socket.protocolNumber
    case .SO_ACCEPTCONN: integer = socket.isListening ? 1 : 0
    case .SO_ERROR:
      integer = socket.pendingError?.rawValue ?? 0
      socket.pendingError = nil
    default:
      guard let plain = socket.options.value(option) else { throw .ENOPROTOOPT }
      integer = plain
    }
    stored = try writer.write(value: integer)
  }
  try length.store(Int32(stored))
  return 0
}

private func store(_ timeout: UInt64?, _ writer: inout UserWriter) throws(Errno) -> Int {
  try writer.write(value: Timeval(Timespec(nanoseconds: Int64(clamping: timeout ?? 0))))
}
