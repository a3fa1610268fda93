// MessageQueues: those of POSIX. See mq_overview(7).
//
// - `MessageQueueFileSystem`: the names, as Linux's mqueue file system has them under /dev/mqueue.
// - `MessageQueueInode`: a queue.
// - `MessageQueueFile`: an open one, which can be read for its state and polled.
// - `MessageQueueEnvironment`: what the personality tells of processes, and does for them.
//
// Reference: Linux 6.1, ipc/mqueue.c.
internal import Kernel
public import LinuxABI
internal import Support
public import VFSCore

/// The process on whose behalf a queue is made or used.
public struct MessageQueueCaller {
  public var pid: Int32
  /// The real user id.
  public var user: UInt32
  /// RLIMIT_MSGQUEUE
  public var byteLimit: UInt64
  /// CAP_SYS_RESOURCE
  public var exceedsLimits: Bool

  public init(pid: Int32, user: UInt32, byteLimit: UInt64, exceedsLimits: Bool) {
    self.pid = pid
    self.user = user
    self.byteLimit = byteLimit
    self.exceedsLimits = exceedsLimits
  }
}

/// What queues ask of the personality.
public struct MessageQueueEnvironment {
  /// The process that runs now.
  public var caller: () -> MessageQueueCaller
  /// Sends a signal to a process; nothing if it is gone.
  public var send: (_ pid: Int32, _ information: SigInfo) -> Void
  public var isAlive: (_ pid: Int32) -> Bool

  public init(
    caller: @escaping () -> MessageQueueCaller, send: @escaping (Int32, SigInfo) -> Void,
    isAlive: @escaping (Int32) -> Bool
  ) {
    self.caller = caller
    self.send = send
    self.isAlive = isAlive
  }
}

/// A limit under /proc/sys/fs/mqueue.
public enum MessageQueueLimit: Int, CaseIterable {
  case queuesMax, messagesMax, sizeMax, messagesDefault, sizeDefault

  public var path: StaticString {
    switch self {
    case .queuesMax: "fs/mqueue/queues_max"
    case .messagesMax: "fs/mqueue/msg_max"
    case .sizeMax: "fs/mqueue/msgsize_max"
    case .messagesDefault: "fs/mqueue/msg_default"
    case .sizeDefault: "fs/mqueue/msgsize_default"
    }
  }
  public var initial: Int {
    switch self {
    case .queuesMax: 256
    case .messagesMax, .messagesDefault: 10
    case .sizeMax, .sizeDefault: 8192
    }
  }
  /// What root may set. HARD_MSGMAX and HARD_MSGSIZEMAX of Linux bound it.
  public var range: ClosedRange<Int> {
    switch self {
    case .queuesMax: 0...Int(Int32.max)
    case .messagesMax, .messagesDefault: 1...65536
    case .sizeMax, .sizeDefault: 128...16_777_216
    }
  }
}

/// The mqueue file system: one directory of queues, in which all may make some.
public final class MessageQueueFileSystem: MemoryFileSystem {
  let processes: MessageQueueEnvironment
  /// The present value of a limit.
  public var limit: (MessageQueueLimit) -> Int = { $0.initial }
  /// What mq_open(2) asks for, while it makes a queue.
  private var wanted: MqAttr?
  private var queueCount = 0
  /// Bytes that the queues of each user may hold.
  private var usage: [(user: UInt32, bytes: UInt64)] = []

  public init(_ environment: FileSystemEnvironment, _ processes: MessageQueueEnvironment) {
    self.processes = processes
    super.init(
      environment, typeName: "mqueue", magic: 0x1980_0202, rootMode: FileMode(rawValue: 0o1777))
  }

  override public func makeRoot(_ node: NewNode) -> MemoryInode { MessageQueueDirectory(self, node) }

  /// Runs `body`, in which a queue with these attributes may be made. Nothing in it sleeps.
  public func withAttributes<Value>(_ attributes: MqAttr?, _ body: () throws(Errno) -> Value) throws(Errno) -> Value {
    wanted = attributes
    defer { wanted = nil }
    return try body()
  }

  /// Checks what a new queue needs and takes it into account.
  ///
  /// - Throws: `ENOSPC`, `EINVAL`, `EMFILE`, `ENOMEM`.
  fileprivate func admit() throws(Errno) -> (attributes: MqAttr, owner: UInt32, bytes: UInt64) {
    let caller = processes.caller()
    guard queueCount < limit(.queuesMax) || caller.exceedsLimits else { throw .ENOSPC }
    var attributes = MqAttr()
    if let wanted {
      attributes.mq_maxmsg = wanted.mq_maxmsg
      attributes.mq_msgsize = wanted.mq_msgsize
    } else {
      attributes.mq_maxmsg = Int64(min(limit(.messagesMax), limit(.messagesDefault)))
      attributes.mq_msgsize = Int64(min(limit(.sizeMax), limit(.sizeDefault)))
    }
    let mostMessages = caller.exceedsLimits ? MessageQueueLimit.messagesMax.range.upperBound : limit(.messagesMax)
    let mostBytes = caller.exceedsLimits ? MessageQueueLimit.sizeMax.range.upperBound : limit(.sizeMax)
    guard attributes.mq_maxmsg > 0, attributes.mq_msgsize > 0, attributes.mq_maxmsg <= mostMessages,
      attributes.mq_msgsize <= mostBytes
    else { throw .EINVAL }
    let count = UInt64(attributes.mq_maxmsg)
    // As getrlimit(2) says of RLIMIT_MSGQUEUE, with Linux's sizes of a message's header and a node for a priority.
    let nodes = min(count, UInt64(MessageQueueInode.priorities))
    let bytes = count * 48 + nodes * 48 + count * UInt64(attributes.mq_msgsize)
    let index = usage.firstIndex { $0.user == caller.user } ?? usage.count
    if index == usage.count { usage.append((caller.user, 0)) }
    guard usage[index].bytes + bytes <= caller.byteLimit else { throw .EMFILE }
    usage[index].bytes += bytes
    queueCount += 1
    return (attributes, caller.user, bytes)
  }

  fileprivate func dismiss(_ user: UInt32, _ bytes: UInt64) {
    queueCount -= 1
    for index in usage.indices where usage[index].user == user { usage[index].bytes -= bytes }
  }
}

/// Where the queues are: what mq_open(3) looks in, wherever else they may be mounted.
public final class MessageQueueMount {
  public let fileSystem: MessageQueueFileSystem
  public let directory: OpenFile

  public init(_ fileSystem: MessageQueueFileSystem, _ mount: Mount) {
    self.fileSystem = fileSystem
    directory = DirectoryFile(Path(mount, fileSystem.root), .O_RDONLY)
  }
}

/// The file system's one directory.
private final class MessageQueueDirectory: MemoryInode {
  private let queues: MessageQueueFileSystem

  init(_ fileSystem: MessageQueueFileSystem, _ node: NewNode) {
    queues = fileSystem
    super.init(fileSystem, node)
  }

  override func makeInode(_ node: NewNode) throws(Errno) -> MemoryInode {
    guard node.mode.type == .S_IFREG else { throw .EPERM }
    let frames = queues.environment.frames
    guard frames.hasRoom(forBytes: 32 * pageSize) else { throw .ENOMEM }
    let (attributes, owner, bytes) = try queues.admit()
    return MessageQueueInode(queues, node, attributes, owner: owner, bytes: bytes)
  }
}

/// Gives back what the file system has taken into account, with the queue's end.
final class MessageQueueAllowance {
  private let fileSystem: MessageQueueFileSystem
  private let user: UInt32
  private let bytes: UInt64

  init(_ fileSystem: MessageQueueFileSystem, _ user: UInt32, _ bytes: UInt64) {
    self.fileSystem = fileSystem
    self.user = user
    self.bytes = bytes
  }

  deinit { fileSystem.dismiss(user, bytes) }
}
