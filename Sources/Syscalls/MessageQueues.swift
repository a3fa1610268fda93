// Names are spelled as in Linux, so that grep and the man pages work.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

internal import Kernel
internal import LinuxABI
internal import MessageQueues
internal import Process
internal import Support
internal import VFSCore

/// Message queues of POSIX. See mq_overview(7).
let messageQueueSyscalls: [Syscall] = [
  Syscall(240, "mq_open", .descriptor, mq_open),
  Syscall(241, "mq_unlink", .none, mq_unlink),
  Syscall(242, "mq_timedsend", .none, mq_timedsend),
  Syscall(243, "mq_timedreceive", mq_timedreceive),
  Syscall(244, "mq_notify", .none, mq_notify),
  Syscall(245, "mq_getsetattr", .none, mq_getsetattr),
]

/// The name of a queue, without the slash that a C library has taken off.
///
/// - Throws: `EACCES` for what is no name of a file, `ENAMETOOLONG`, `EFAULT`, `ENOENT`.
private func queueName(_ name: UserString) throws(Errno) -> [UInt8] {
  let bytes = try name.path()
  if bytes.isEmpty { throw .ENOENT }
  let isDots = bytes.count <= 2 && !bytes.contains { $0 != UInt8(ascii: ".") }
  if isDots || bytes.contains(UInt8(ascii: "/")) { throw .EACCES }
  return bytes
}

private func place(_ thread: Thread) throws(Errno) -> MessageQueueMount {
  guard let place = thread.process.system.messageQueues else { throw .ENOSYS }
  return place
}

/// Opens a queue, which O_CREAT makes. The descriptor closes on exec. See mq_open(3).
func mq_open(
  _ thread: Thread, _ name: UserString, _ flags: Flags<OpenFlags>, _ mode: Mode, _ attributes: UserPointer<MqAttr>
) throws(Errno) -> Int {
  let wanted = attributes.isNull || !flags.value.contains(.O_CREAT) ? nil : try attributes.load()
  let queue = try queueName(name)
  guard flags.value.rawValue & 3 != 3 else { throw .EINVAL }
  let place = try place(thread)
  let process = thread.process
  let used = flags.value.intersection([.O_WRONLY, .O_RDWR, .O_CREAT, .O_EXCL, .O_NONBLOCK])
  let file = try place.fileSystem.withAttributes(wanted) { () throws(Errno) in
    try process.fileSystem.open(queue, at: place.directory, used, mode: FileMode(rawValue: mode.value & 0o7777))
  }
  guard file is MessageQueueFile else { throw .EACCES }
  return Int(try process.files.insert(file, closeOnExec: true))
}

/// Takes the name of a queue away. See mq_unlink(3).
func mq_unlink(_ thread: Thread, _ name: UserString) throws(Errno) -> Int {
  try thread.process.fileSystem.unlink(try queueName(name), at: try place(thread).directory)
  return 0
}

private func queue(_ thread: Thread, _ descriptor: Descriptor) throws(Errno) -> MessageQueueFile {
  guard let file = try thread.process.files.file(at: descriptor.value) as? MessageQueueFile else { throw .EBADF }
  return file
}

/// The monotonic time of a time of CLOCK_REALTIME.
private func deadline(_ thread: Thread, _ timeout: In<Timespec>) throws(Errno) -> UInt64? {
  guard let value = try timeout.loadIfPresent() else { return nil }
  guard let nanoseconds = value.saturatedNanoseconds else { throw .EINVAL }
  let clock = thread.process.system.clock
  let offset = clock.realtime &- clock.now
  return UInt64(nanoseconds) > offset ? UInt64(nanoseconds) - offset : 0
}

/// Sends a message. See mq_send(3).
func mq_timedsend(
  _ thread: Thread, _ descriptor: Descriptor, _ message: InBuffer, _ count: UInt, _ priority: UInt32,
  _ timeout: In<Timespec>
) throws(Errno) -> Int {
  let deadline = try deadline(thread, timeout)
  guard priority < messagePriorities else { throw .EINVAL }
  try queue(thread, descriptor).send(message.address, count: count, priority: priority, until: deadline)
  return 0
}

/// Receives a message. See mq_receive(3).
func mq_timedreceive(
  _ thread: Thread, _ descriptor: Descriptor, _ buffer: OutBuffer, _ count: UInt, _ priority: Out<UInt32>,
  _ timeout: In<Timespec>
) throws(Errno) -> Int {
  let deadline = try deadline(thread, timeout)
  let message = try queue(thread, descriptor).receive(room: count, until: deadline)
  try priority.storeIfPresent(message.priority)
  try UserMemory.store(message.bytes.rawBytes, at: buffer.address)
  return message.bytes.count
}

/// Asks to be told of a message, or not to be any more. See mq_notify(3).
func mq_notify(_ thread: Thread, _ descriptor: Descriptor, _ event: In<SigEvent>) throws(Errno) -> Int {
  let event = try event.loadIfPresent()
  if let event {
    guard let how = SignalEventNotify(rawValue: event.sigev_notify), how != .SIGEV_THREAD_ID else { throw .EINVAL }
    if how == .SIGEV_SIGNAL {
      guard event.sigev_signo >= 0, event.sigev_signo <= Int32(Signal.count) else { throw .EINVAL }
    }
    // C libraries have a socket of AF_NETLINK told of it, of which there are none here.
    if how == .SIGEV_THREAD { throw .EBADF }
  }
  try queue(thread, descriptor).register(event)
  return 0
}

/// The attributes of a queue; of a description's, O_NONBLOCK can be changed. See mq_getattr(3).
func mq_getsetattr(
  _ thread: Thread, _ descriptor: Descriptor, _ new: UserPointer<MqAttr>, _ old: UserMutablePointer<MqAttr>
) throws(Errno) -> Int {
  let nonBlocking = Int64(OpenFlags.O_NONBLOCK.rawValue)
  let wanted = new.isNull ? nil : try new.load()
  if let wanted, wanted.mq_flags & ~nonBlocking != 0 { throw .EINVAL }
  let file = try queue(thread, descriptor)
  let before = file.attributes
  if let wanted {
    let others = file.flags.subtracting(.O_NONBLOCK)
    try file.setStatusFlags(wanted.mq_flags == 0 ? others : others.union(.O_NONBLOCK))
  }
  if !old.isNull { try old.store(before) }
  return 0
}
