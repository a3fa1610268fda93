internal import Kernel
public import LinuxABI

/// A message of msgsnd(2).
public struct IPCMessage {
  public let type: Int
  public let bytes: [UInt8]
}

/// Which message msgrcv(2) takes.
enum MessageSelection {
  case first
  case ofType(Int)
  case notOfType(Int)
  /// Of the lowest type up to this one.
  case lowest(Int)
  /// By its place, to be copied and not to be taken.
  case at(Int)

  init(_ type: Int, _ flags: IPCFlags) {
    if flags.contains(.MSG_COPY) {
      self = .at(type)
    } else if type == 0 {
      self = .first
    } else if type < 0 {
      self = .lowest(type == .min ? .max : -type)
    } else {
      self = flags.contains(.MSG_EXCEPT) ? .notOfType(type) : .ofType(type)
    }
  }
}

/// A message queue.
final class MessageQueue: IPCObject {
  private let namespace: IPCNamespace
  private var messages: [IPCMessage] = []
  private var byteCount = 0
  private var mostBytes: Int
  private var sendTime: Int64 = 0
  private var receiveTime: Int64 = 0
  private var lastSender: Int32 = 0
  private var lastReceiver: Int32 = 0
  private let senders = WaitQueue()
  private let receivers = WaitQueue()

  init(_ namespace: IPCNamespace, key: Int32, mode: UInt32, _ caller: IPCCaller) {
    self.namespace = namespace
    mostBytes = namespace.limits.msgmnb
    super.init(key: key, mode: mode, caller, namespace.now)
  }

  var status: Msqid64DS {
    var result = Msqid64DS()
    result.msg_perm = permissions
    result.msg_stime = sendTime
    result.msg_rtime = receiveTime
    result.msg_ctime = changeTime
    result.msg_cbytes = UInt64(byteCount)
    result.msg_qnum = UInt64(messages.count)
    result.msg_qbytes = UInt64(mostBytes)
    result.msg_lspid = lastSender
    result.msg_lrpid = lastReceiver
    return result
  }

  /// Puts a message in, and sleeps as long as there is no room. See msgsnd(2).
  ///
  /// - Throws: `EACCES`, `EAGAIN`, `EIDRM`, `ERESTARTNOHAND`.
  func send(_ message: IPCMessage, waits: Bool, _ caller: IPCCaller) throws(Errno) {
    while true {
      if isRemoved { throw .EIDRM }
      try check(caller, IPCObject.write)
      if byteCount + message.bytes.count <= mostBytes, messages.count < mostBytes { break }
      guard waits else { throw .EAGAIN }
      if senders.sleep() == .interrupted { throw isRemoved ? .EIDRM : .ERESTARTNOHAND }
    }
    messages.append(message)
    count(1, message.bytes.count)
    lastSender = caller.pid
    sendTime = namespace.now
    receivers.wakeAll()
  }

  private func count(_ messages: Int, _ bytes: Int) {
    byteCount += bytes
    namespace.messageCount += messages
    namespace.messageBytes += bytes
  }

  private func find(_ selection: MessageSelection) -> Int? {
    switch selection {
    case .first: return messages.isEmpty ? nil : 0
    case .ofType(let type): return messages.firstIndex { $0.type == type }
    case .notOfType(let type): return messages.firstIndex { $0.type != type }
    case .at(let place): return place >= 0 && place < messages.count ? place : nil
    case .lowest(let limit):
      var best: Int?
      for index in messages.indices where messages[index].type <= limit {
        if let best, messages[best].type <= messages[index].type { continue }
        best = index
      }
      return best
    }
  }

  /// Takes a message out, and sleeps as long as there is none that suits. See msgrcv(2).
  ///
  /// - Parameter room: Bytes that the caller has room for.
  /// - Throws: `EACCES`, `ENOMSG`, `E2BIG`, `EIDRM`, `ERESTARTNOHAND`.
  func receive(
    _ selection: MessageSelection, room: Int, _ flags: IPCFlags, _ caller: IPCCaller
  ) throws(Errno) -> IPCMessage {
    while true {
      if isRemoved { throw .EIDRM }
      try check(caller, IPCObject.read)
      if let index = find(selection) {
        let message = messages[index]
        if room < message.bytes.count, !flags.contains(.MSG_NOERROR) { throw .E2BIG }
        if flags.contains(.MSG_COPY) { return message }
        messages.remove(at: index)
        count(-1, -message.bytes.count)
        lastReceiver = caller.pid
        receiveTime = namespace.now
        senders.wakeAll()
        return message
      }
      if flags.contains(.IPC_NOWAIT) { throw .ENOMSG }
      if receivers.sleep() == .interrupted { throw isRemoved ? .EIDRM : .ERESTARTNOHAND }
    }
  }

  override func storeStatus(at address: UInt) throws(Errno) { try UserMemory.store(status, at: address) }

  override func set(
    _ permissions: IPC64Perm, queueBytes: UInt64, _ caller: IPCCaller, _ now: Int64
  ) throws(Errno) {
    if queueBytes > UInt64(namespace.limits.msgmnb), !caller.exceedsLimits { throw .EPERM }
    try update(permissions, now)
    mostBytes = Int(clamping: queueBytes)
    // Who sleeps may not be allowed to any more, or have room now.
    receivers.wakeAll()
    senders.wakeAll()
  }

  override func remove() {
    namespace.queues.remove(self)
    for message in messages { count(-1, -message.bytes.count) }
    messages = []
    receivers.wakeAll()
    senders.wakeAll()
  }
}

extension IPCNamespace {
  /// Finds or makes a queue. See msgget(2).
  ///
  /// - Throws: `ENOENT`, `EEXIST`, `EACCES`, `ENOSPC`.
  public func getQueue(_ key: Int32, flags: UInt32, _ caller: IPCCaller) throws(Errno) -> Int32 {
    try queues.get(
      key, flags, caller, suits: { _ in true },
      make: { () throws(Errno) in
        try checkRoom(bytes: 0)
        let queue = MessageQueue(self, key: key, mode: flags, caller)
        try queues.add(queue, limit: limits.msgmni)
        return queue
      })
  }

  private func queue(_ id: Int32) throws(Errno) -> MessageQueue {
    guard let queue = try queues.object(id) as? MessageQueue else { throw .EINVAL }
    return queue
  }

  /// The most bytes of a message: MSGMAX.
  public var mostMessageBytes: Int { limits.msgmax }

  /// Sends a message, and sleeps as long as there is no room. See msgsnd(2).
  ///
  /// - Throws: `EINVAL`, `EACCES`, `EAGAIN`, `EIDRM`, `ERESTARTNOHAND`.
  public func send(_ id: Int32, type: Int, _ bytes: [UInt8], _ flags: IPCFlags, _ caller: IPCCaller) throws(Errno) {
    try checkRoom(bytes: bytes.count)
    try queue(id).send(IPCMessage(type: type, bytes: bytes), waits: !flags.contains(.IPC_NOWAIT), caller)
  }

  /// Receives a message, and sleeps as long as there is none that suits. See msgrcv(2).
  ///
  /// - Throws: `EINVAL`, `EACCES`, `ENOMSG`, `E2BIG`, `EIDRM`, `ERESTARTNOHAND`.
  public func receive(
    _ id: Int32, type: Int, room: Int, _ flags: IPCFlags, _ caller: IPCCaller
  ) throws(Errno) -> IPCMessage {
    if flags.contains(.MSG_COPY), flags.contains(.MSG_EXCEPT) || !flags.contains(.IPC_NOWAIT) { throw .EINVAL }
    return try queue(id).receive(MessageSelection(type, flags), room: room, flags, caller)
  }

  /// The limits or, for MSG_INFO, with what is used in three of the fields, and the highest index in use. See msgctl(2).
  public func queueLimits(usage: Bool) -> (Msginfo, Int) {
    var result = Msginfo()
    result.msgmax = Int32(clamping: limits.msgmax)
    result.msgmnb = Int32(clamping: limits.msgmnb)
    result.msgmni = Int32(clamping: limits.msgmni)
    // Constants of linux/msg.h that nothing follows: MSGPOOL, MSGMAP, MSGTQL, MSGSSZ and MSGSEG.
    result.msgpool = usage ? Int32(queues.count) : 512_000
    result.msgmap = usage ? Int32(clamping: messageCount) : 16384
    result.msgtql = usage ? Int32(clamping: messageBytes) : 16384
    result.msgssz = 16
    result.msgseg = 0xffff
    return (result, queues.highestIndex)
  }
}
