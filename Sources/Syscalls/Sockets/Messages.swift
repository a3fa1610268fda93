internal import Kernel
internal import LinuxABI
internal import Process
internal import Sockets
internal import Support
internal import VFSCore

/// Calls that send and receive messages.
let messageSyscalls: [Syscall] = [
  Syscall(44, "sendto", sendto),
  Syscall(45, "recvfrom", recvfrom),
  Syscall(46, "sendmsg", sendmsg),
  Syscall(47, "recvmsg", recvmsg),
  Syscall(299, "recvmmsg", recvmmsg),
  Syscall(307, "sendmmsg", sendmmsg),
]

// MARK: Sending

/// Sends the bytes of one buffer. See sendto(2).
func sendto(
  _ thread: Thread, _ descriptor: Descriptor, _ buffer: InBuffer, _ count: UInt, _ flags: Flags<MessageFlags>,
  _ address: SocketAddress, _ length: Int32
) throws(Errno) -> Int {
  guard UserAddress.isValid(buffer.address, Int(bitPattern: count)) else { throw .EFAULT }
  let file = try socketFile(thread, descriptor)
  var message = OutgoingMessage()
  if address.address != 0 {
    let name = try address.load(length)
    if !name.isEmpty { message.address = name }
    message.context = thread.process.fileSystem
  }
  message.flags = flags.value
  var reader = UserReader(buffer.address, count: min(Int(bitPattern: count), IOVector.maximumTransfer))
  return try send(thread, file, &reader, message)
}

private func send(
  _ thread: Thread, _ file: SocketFile, _ reader: inout UserReader, _ message: OutgoingMessage
) throws(Errno) -> Int {
  let wait = !file.isNonBlocking && !message.flags.contains(.MSG_DONTWAIT)
  do throws(Errno) { return try file.socket.send(from: &reader, message, wait: wait) } catch {
    if error == .EPIPE, file.signalsBrokenPipe, !message.flags.contains(.MSG_NOSIGNAL) { thread.raise(.SIGPIPE) }
    throw error
  }
}

/// Sends the bytes of several buffers, with ancillary data. See sendmsg(2).
func sendmsg(
  _ thread: Thread, _ descriptor: Descriptor, _ header: UserPointer<MessageHeader>, _ flags: Flags<MessageFlags>
) throws(Errno) -> Int {
  try send(thread, try socketFile(thread, descriptor), header.address, flags.value)
}

private func send(
  _ thread: Thread, _ file: SocketFile, _ address: UInt, _ flags: MessageFlags
) throws(Errno) -> Int {
  let header = try UserMemory.load(MessageHeader.self, at: address)
  var message = OutgoingMessage()
  message.flags = flags
  message.context = thread.process.fileSystem
  guard header.msg_namelen >= 0 else { throw .EINVAL }
  if header.msg_name != 0, header.msg_namelen > 0 {
    message.address = try loadSocketAddress(UInt(header.msg_name), min(header.msg_namelen, 128))
  }
  let (segments, total) = try vector(header)
  if header.msg_control != 0, header.msg_controllen > 0 {
    try loadControl(thread, header, isUnix: file.socket.family == .AF_UNIX, &message)
  }
  var reader = UserReader(segments, total: total)
  return try send(thread, file, &reader, message)
}

private func vector(_ header: MessageHeader) throws(Errno) -> (segments: [IOVec], total: Int) {
  guard header.msg_iovlen <= UInt64(IOVector.maximumCount) else { throw .EMSGSIZE }
  return try IOVector.load(UInt(header.msg_iov), count: Int(header.msg_iovlen))
}

/// What ancillary data may take up: net.core.optmem_max.
private let maximumControl: UInt64 = 20480

/// Reads ancillary data. See cmsg(3) and unix(7).
private func loadControl(
  _ thread: Thread, _ header: MessageHeader, isUnix: Bool, _ message: inout OutgoingMessage
) throws(Errno) {
  guard header.msg_controllen <= maximumControl else { throw .ENOBUFS }
  let end = Int(header.msg_controllen)
  let headerSize = MemoryLayout<ControlMessageHeader>.size
  let base = UInt(header.msg_control)
  let files = thread.process.files
  var offset = 0
  while end - offset >= headerSize {
    let entry = try UserMemory.load(ControlMessageHeader.self, at: base &+ UInt(offset))
    guard entry.cmsg_len >= UInt64(headerSize), entry.cmsg_len <= UInt64(end - offset) else { throw .EINVAL }
    let length = Int(entry.cmsg_len)
    let data = base &+ UInt(offset + headerSize)
    offset += (length + 7) & ~7
    if entry.cmsg_level != SocketLevel.SOL_SOCKET {
      if isUnix { continue }
      message.ancillary.append(
        AncillaryData(
          level: entry.cmsg_level, type: entry.cmsg_type,
          bytes: try UserMemory.bytes(at: data, count: length - headerSize)))
      continue
    }
    switch entry.cmsg_type {
    case ControlMessageType.SCM_RIGHTS:
      let count = (length - headerSize) / 4
      guard message.files.count + count <= ControlMessageType.SCM_MAX_FD else { throw .EINVAL }
      for index in 0..<count {
        let number = try UserMemory.load(Int32.self, at: data &+ UInt(index * 4))
        message.files.append(try files.anyFile(at: number))
      }
    case ControlMessageType.SCM_CREDENTIALS:
      guard length == headerSize + MemoryLayout<UCred>.size else { throw .EINVAL }
      let credentials = try UserMemory.load(UCred.self, at: data)
      try check(thread.process, credentials)
      message.credentials = credentials
    default: throw .EINVAL
    }
  }
}

/// Whether a process may call itself this.
///
/// - Throws: `EPERM`, `ESRCH`.
private func check(_ process: UserProcess, _ credentials: UCred) throws(Errno) {
  let identity = process.identity
  guard credentials.pid == process.pid || identity.has(Identity.Capability.CAP_SYS_ADMIN),
    identity.user.hold(credentials.uid) || identity.has(Identity.Capability.CAP_SETUID),
    identity.group.hold(credentials.gid) || identity.has(Identity.Capability.CAP_SETGID)
  else { throw .EPERM }
  if process.system.process(credentials.pid) == nil { throw .ESRCH }
}

/// Sends several messages. See sendmmsg(2).
func sendmmsg(
  _ thread: Thread, _ descriptor: Descriptor, _ headers: Address, _ count: UInt32, _ flags: Flags<MessageFlags>
) throws(Errno) -> Int {
  let file = try socketFile(thread, descriptor)
  var sent = 0
  while sent < Int(min(count, 1024)) {
    let header = headers.value &+ UInt(sent * 64)
    do throws(Errno) {
      let bytes = try send(thread, file, header, flags.value)
      try UserMemory.store(Int32(clamping: bytes), at: header &+ 56)
    } catch {
      if sent == 0 { throw error }
      break
    }
    sent += 1
    if thread.hasInterrupt { break }
  }
  return sent
}

// MARK: Receiving

/// Receives into one buffer. See recvfrom(2).
func recvfrom(
  _ thread: Thread, _ descriptor: Descriptor, _ buffer: OutBuffer, _ count: UInt, _ flags: Flags<MessageFlags>,
  _ address: Address, _ length: Address
) throws(Errno) -> Int {
  guard UserAddress.isValid(buffer.address, Int(bitPattern: count)) else { throw .EFAULT }
  let file = try socketFile(thread, descriptor)
  var message = IncomingMessage()
  message.wantsAddress = address.value != 0
  var writer = UserWriter(buffer.address, count: min(Int(bitPattern: count), IOVector.maximumTransfer))
  let wait = !file.isNonBlocking && !flags.value.contains(.MSG_DONTWAIT)
  let received = try file.socket.receive(into: &writer, &message, flags.value, wait: wait)
  if address.value != 0 { try storeSocketAddress(message.address, at: address.value, length.value) }
  return received
}

/// Receives into several buffers, with ancillary data. See recvmsg(2).
func recvmsg(
  _ thread: Thread, _ descriptor: Descriptor, _ header: UserMutablePointer<MessageHeader>,
  _ flags: Flags<MessageFlags>
) throws(Errno) -> Int {
  try receive(thread, try socketFile(thread, descriptor), header.address, flags.value)
}

private func receive(
  _ thread: Thread, _ file: SocketFile, _ address: UInt, _ flags: MessageFlags
) throws(Errno) -> Int {
  let header = try UserMemory.load(MessageHeader.self, at: address)
  guard header.msg_namelen >= 0 else { throw .EINVAL }
  let (segments, total) = try vector(header)
  var writer = UserWriter(segments, total: total)
  var message = IncomingMessage()
  message.wantsAddress = header.msg_name != 0
  let wait = !file.isNonBlocking && !flags.contains(.MSG_DONTWAIT)
  let received = try file.socket.receive(into: &writer, &message, flags, wait: wait)
  // Where msg_namelen, msg_controllen and msg_flags stand in `struct msghdr`.
  if header.msg_name != 0 { try storeSocketAddress(message.address, at: UInt(header.msg_name), address &+ 8) }
  var control = ControlWriter(header, closesOnExec: flags.contains(.MSG_CMSG_CLOEXEC))
  try control.store(thread, file.socket, message)
  var result = message.flags.union(flags.intersection(.MSG_CMSG_CLOEXEC))
  if control.isCut { result.insert(.MSG_CTRUNC) }
  try UserMemory.store(result.rawValue, at: address &+ 48)
  try UserMemory.store(UInt64(control.used), at: address &+ 40)
  return received
}

/// Writes ancillary data.
private struct ControlWriter {
  private let base: UInt
  private let size: Int
  private let closesOnExec: Bool
  private(set) var used = 0
  /// Something did not fit.
  private(set) var isCut = false

  init(_ header: MessageHeader, closesOnExec: Bool) {
    base = UInt(header.msg_control)
    size = header.msg_control == 0 ? 0 : Int(clamping: header.msg_controllen)
    self.closesOnExec = closesOnExec
  }

  private static var headerSize: Int { MemoryLayout<ControlMessageHeader>.size }

  mutating func store(_ thread: Thread, _ socket: Socket, _ message: IncomingMessage) throws(Errno) {
    if let credentials = message.credentials { try store(credentials) }
    for item in message.ancillary { try store(item.level, item.type, item.bytes.rawBytes) }
    if !message.files.isEmpty { try store(thread.process.files, message.files) }
  }

  private mutating func store(_ credentials: UCred) throws(Errno) {
    var bytes: [UInt8] = []
    for word in [credentials.pid, Int32(bitPattern: credentials.uid), Int32(bitPattern: credentials.gid)] {
      bytes += SocketOptionValue.bytes(word)
    }
    try store(SocketLevel.SOL_SOCKET, ControlMessageType.SCM_CREDENTIALS, bytes.rawBytes)
  }

  private mutating func store(_ level: Int32, _ type: Int32, _ bytes: RawSpan) throws(Errno) {
    guard size - used >= Self.headerSize else {
      isCut = true
      return
    }
    let whole = Self.headerSize + bytes.byteCount
    let length = min(whole, size - used)
    if length < whole { isCut = true }
    try UserMemory.store(
      ControlMessageHeader(length: length, level: level, type: type), at: base &+ UInt(used))
    var writer = UserWriter(base &+ UInt(used + Self.headerSize), count: length - Self.headerSize)
    if length > Self.headerSize { _ = try writer.write(bytes) }
    used = min(used + (whole + 7) & ~7, size)
  }

  /// Gives files numbers, as far as there is room for them.
  private mutating func store(_ table: FileDescriptorTable, _ files: [OpenFile]) throws(Errno) {
    let room = max((size - used - Self.headerSize) / 4, 0)
    var stored = 0
    while stored < min(room, files.count) {
      guard let number = try? table.reserve(closeOnExec: closesOnExec) else { break }
      do throws(Errno) {
        try UserMemory.store(number, at: base &+ UInt(used + Self.headerSize + stored * 4))
      } catch {
        table.abandon(number)
        break
      }
      table.install(files[stored], at: number)
      stored += 1
    }
    if stored < files.count { isCut = true }
    if stored == 0 { return }
    let length = Self.headerSize + stored * 4
    try UserMemory.store(
      ControlMessageHeader(length: length, type: ControlMessageType.SCM_RIGHTS), at: base &+ UInt(used))
    used = min(used + (length + 7) & ~7, size)
  }
}

/// Receives several messages. See recvmmsg(2).
func recvmmsg(
  _ thread: Thread, _ descriptor: Descriptor, _ headers: Address, _ count: UInt32, _ flags: Flags<MessageFlags>,
  _ timeout: UserMutablePointer<Timespec>
) throws(Errno) -> Int {
  var deadline: UInt64?
  if !timeout.isNull {
    guard let nanoseconds = try timeout.load().saturatedNanoseconds else { throw .EINVAL }
    deadline = thread.deadline(after: nanoseconds)
  }
  let file = try socketFile(thread, descriptor)
  try file.socket.throwPendingError()
  var flags = flags.value
  let returnsAfterOne = flags.contains(.MSG_WAITFORONE)
  flags.remove(.MSG_WAITFORONE)
  var received = 0
  while received < Int(min(count, 1024)) {
    let header = headers.value &+ UInt(received * 64)
    do throws(Errno) {
      let bytes = try receive(thread, file, header, flags)
      try UserMemory.store(Int32(clamping: bytes), at: header &+ 56)
    } catch {
      if received == 0 { throw error }
      // The next call reports it.
      if error != .EAGAIN, error != .ERESTARTSYS, error != .EINTR { file.socket.pendingError = error }
      break
    }
    received += 1
    if returnsAfterOne { flags.insert(.MSG_DONTWAIT) }
    // The time is looked at between messages only.
    if let deadline, thread.process.system.clock.now >= deadline { break }
  }
  if let deadline { try timeout.store(thread.timeLeft(until: deadline)) }
  return received
}
