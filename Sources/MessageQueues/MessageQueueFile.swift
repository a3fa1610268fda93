public import Kernel
public import LinuxABI
internal import Support
public import VFSCore

/// A queue: messages by priority, those of one priority by the time of their coming.
public final class MessageQueueInode: MemoryInode {
  struct Message {
    let priority: UInt32
    let bytes: [UInt8]
  }

  /// Who is told of a message that comes to an empty queue.
  private struct Registration {
    let pid: Int32
    let event: SigEvent
  }

  /// MQ_PRIO_MAX
  static var priorities: UInt32 { 32768 }

  private let queues: MessageQueueFileSystem
  private let allowance: MessageQueueAllowance
  private let limits: MqAttr
  private var messages: [Message] = []
  private var byteCount = 0
  private var registration: Registration?
  private var waitingReceivers = 0
  fileprivate let changed = WaitQueue()

  init(_ fileSystem: MessageQueueFileSystem, _ node: NewNode, _ limits: MqAttr, owner: UInt32, bytes: UInt64) {
    queues = fileSystem
    self.limits = limits
    allowance = MessageQueueAllowance(fileSystem, owner, bytes)
    super.init(fileSystem, node)
    pageCache = nil
    // FILENT_SIZE
    ownSize = 80
  }

  override public func open(_ path: Path, _ flags: OpenFlags) throws(Errno) -> OpenFile {
    MessageQueueFile(path, flags, self)
  }
  override public func truncate(to size: Int64) throws(Errno) { throw .EINVAL }

  /// The attributes, without the flags of a description.
  var attributes: MqAttr {
    var result = limits
    result.mq_curmsgs = Int64(messages.count)
    return result
  }
  var isFull: Bool { Int64(messages.count) >= limits.mq_maxmsg }
  var isEmpty: Bool { messages.isEmpty }

  /// Sleeps until the queue changes.
  ///
  /// - Throws: `EAGAIN` when it must not, `ETIMEDOUT`, `ERESTARTSYS`.
  private func wait(_ isNonBlocking: Bool, until deadline: UInt64?) throws(Errno) {
    if isNonBlocking { throw .EAGAIN }
    switch changed.sleep(until: deadline) {
    case .woken: break
    case .timedOut: throw .ETIMEDOUT
    case .interrupted: throw .ERESTARTSYS
    }
  }

  func send(_ message: Message, isNonBlocking: Bool, until deadline: UInt64?) throws(Errno) {
    while isFull { try wait(isNonBlocking, until: deadline) }
    let frames = queues.environment.frames
    guard frames.hasRoom(forBytes: message.bytes.count + 32 * pageSize) else { throw .ENOMEM }
    var index = messages.count
    while index > 0, messages[index - 1].priority < message.priority { index -= 1 }
    messages.insert(message, at: index)
    byteCount += message.bytes.count
    didModify()
    if messages.count == 1, waitingReceivers == 0 { notify() }
    changed.wakeAll()
  }

  func receive(isNonBlocking: Bool, until deadline: UInt64?) throws(Errno) -> Message {
    while messages.isEmpty {
      waitingReceivers += 1
      defer { waitingReceivers -= 1 }
      try wait(isNonBlocking, until: deadline)
    }
    let message = messages.removeFirst()
    byteCount -= message.bytes.count
    didChange()
    changed.wakeAll()
    return message
  }

  // MARK: Notification

  private func notify() {
    guard let registration else { return }
    self.registration = nil
    guard registration.event.sigev_notify == SignalEventNotify.SIGEV_SIGNAL.rawValue,
      let signal = Signal(rawValue: registration.event.sigev_signo)
    else { return }
    let sender = queues.processes.caller()
    queues.processes.send(
      registration.pid,
      .queue(
        signal, code: SignalCode.SI_MESGQ, pid: sender.pid, uid: sender.user, value: registration.event.sigev_value))
  }

  /// Tells the caller of the next message that comes to the empty queue, or takes its wish back. See mq_notify(2).
  ///
  /// - Throws: `EBUSY` when another process, or this one, is told already.
  func register(_ event: SigEvent?) throws(Errno) {
    let pid = queues.processes.caller().pid
    guard let event else {
      forget(pid)
      return
    }
    if let registration, queues.processes.isAlive(registration.pid) { throw .EBUSY }
    registration = Registration(pid: pid, event: event)
  }

  fileprivate func forget(_ pid: Int32) { if registration?.pid == pid { registration = nil } }
  fileprivate func closed() { forget(queues.processes.caller().pid) }

  fileprivate func describe() -> [UInt8] {
    var text = TextBuffer()
    func field(_ name: StaticString, _ value: Int, _ width: Int) {
      text.append(name)
      var digits = TextBuffer()
      digits.append(decimal: value)
      text.append(bytes: digits.bytes)
      for _ in digits.count..<max(width, digits.count) { text.append(" ") }
    }
    let isSignal = registration?.event.sigev_notify == SignalEventNotify.SIGEV_SIGNAL.rawValue
    field("QSIZE:", byteCount, 10)
    field(" NOTIFY:", Int(registration?.event.sigev_notify ?? 0), 5)
    field(" SIGNO:", isSignal ? Int(registration?.event.sigev_signo ?? 0) : 0, 5)
    field(" NOTIFY_PID:", Int(registration?.pid ?? 0), 6)
    text.append("\n")
    return text.bytes
  }
}

/// An open queue.
public final class MessageQueueFile: OpenFile {
  private let queue: MessageQueueInode

  init(_ path: Path, _ flags: OpenFlags, _ queue: MessageQueueInode) {
    self.queue = queue
    super.init(path, flags)
  }

  override public var readiness: PollEvents {
    var events: PollEvents = []
    if !queue.isEmpty { events.formUnion([.POLLIN, .POLLRDNORM]) }
    if !queue.isFull { events.formUnion([.POLLOUT, .POLLWRNORM]) }
    return events
  }
  override public var waitQueue: WaitQueue? { queue.changed }
  override public func closed() throws(Errno) { queue.closed() }

  /// The queue's state as a line of text.
  override public func read(into writer: inout UserWriter, at position: Int64?) throws(Errno) -> Int {
    guard isReadable else { throw .EBADF }
    let start = position ?? offset
    guard start >= 0 else { throw .EINVAL }
    let text = queue.describe()
    guard start < Int64(text.count) else { return 0 }
    let count = try writer.write([UInt8](text[Int(start)...]).rawBytes)
    if position == nil { offset = start + Int64(count) }
    return count
  }

  /// The queue's attributes, and O_NONBLOCK of this description. See mq_getattr(3).
  public var attributes: MqAttr {
    var result = queue.attributes
    result.mq_flags = isNonBlocking ? Int64(OpenFlags.O_NONBLOCK.rawValue) : 0
    return result
  }

  /// Sends a message. See mq_send(3).
  ///
  /// - Parameter deadline: Monotonic nanoseconds, or nil.
  /// - Throws: `EBADF`, `EMSGSIZE`, `EAGAIN`, `ETIMEDOUT`, `ERESTARTSYS`, `EFAULT`, `ENOMEM`.
  public func send(_ address: UInt, count: UInt, priority: UInt32, until deadline: UInt64?) throws(Errno) {
    guard isWritable else { throw .EBADF }
    guard count <= UInt(queue.attributes.mq_msgsize) else { throw .EMSGSIZE }
    let bytes = try UserMemory.bytes(at: address, count: Int(count))
    try queue.send(
      MessageQueueInode.Message(priority: priority, bytes: bytes), isNonBlocking: isNonBlocking, until: deadline)
  }

  /// Receives the oldest message of the highest priority. See mq_receive(3).
  ///
  /// - Throws: `EBADF`, `EMSGSIZE`, `EAGAIN`, `ETIMEDOUT`, `ERESTARTSYS`.
  public func receive(room: UInt, until deadline: UInt64?) throws(Errno) -> (bytes: [UInt8], priority: UInt32) {
    guard isReadable else { throw .EBADF }
    guard room >= UInt(queue.attributes.mq_msgsize) else { throw .EMSGSIZE }
    let message = try queue.receive(isNonBlocking: isNonBlocking, until: deadline)
    return (message.bytes, message.priority)
  }

  /// See mq_notify(3).
  ///
  /// - Throws: `EBUSY`.
  public func register(_ event: SigEvent?) throws(Errno) { try queue.register(event) }
}

/// The highest priority of a message and one: MQ_PRIO_MAX.
public var messagePriorities: UInt32 { MessageQueueInode.priorities }
