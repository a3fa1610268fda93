import FileSystemTesting
import Kernel
import LinuxABI
import Testing
import VFSCore

@testable import MessageQueues

/// What needs no second thread: names, limits, the order of messages, and who is told of one.
@Suite struct MessageQueuesTests {
  final class Processes {
    var caller = MessageQueueCaller(pid: 5, user: 1000, byteLimit: 819_200, exceedsLimits: false)
    var sent: [(pid: Int32, information: SigInfo)] = []
    var dead: [Int32] = []
  }

  let processes = Processes()
  let fileSystem: MessageQueueFileSystem
  let context: FileSystemContext
  let place: MessageQueueMount

  init() throws {
    let environment = TestMachine().environment
    let processes = processes
    fileSystem = MessageQueueFileSystem(
      environment,
      MessageQueueEnvironment(
        caller: { processes.caller }, send: { processes.sent.append(($0, $1)) },
        isAlive: { !processes.dead.contains($0) }))
    let namespace = Namespace(
      environment, root: MemoryFileSystem(environment, typeName: "rootfs"), source: Array("rootfs".utf8))
    context = FileSystemContext(namespace)
    let mount = namespace.mount(
      fileSystem, at: namespace.root, source: Array("mqueue".utf8), flags: .ST_RELATIME)
    place = MessageQueueMount(fileSystem, mount)
  }

  func open(
    _ name: String, _ flags: OpenFlags, messages: Int64? = nil, bytes: Int64 = 16
  ) throws -> MessageQueueFile {
    var attributes: MqAttr?
    if let messages {
      attributes = MqAttr()
      attributes?.mq_maxmsg = messages
      attributes?.mq_msgsize = bytes
    }
    let file = try fileSystem.withAttributes(attributes) { () throws(Errno) in
      try context.open(Array(name.utf8), at: place.directory, flags, mode: FileMode(rawValue: 0o600))
    }
    return try #require(file as? MessageQueueFile)
  }

  func send(_ file: MessageQueueFile, _ text: String, _ priority: UInt32) throws {
    let buffer = UserBuffer(Array(text.utf8))
    try file.send(buffer.address, count: UInt(text.utf8.count), priority: priority, until: nil)
  }
  func receive(_ file: MessageQueueFile) throws -> String {
    String(decoding: try file.receive(room: 16, until: nil).bytes, as: UTF8.self)
  }

  @Test func messagesComeByPriorityAndAge() throws {
    let queue = try open("q", [.O_RDWR, .O_CREAT, .O_NONBLOCK], messages: 5)
    for (text, priority) in [("a", 1), ("b", 7), ("c", 1), ("d", 7), ("e", 0)] {
      try send(queue, text, UInt32(priority))
    }
    #expect(throws: Errno.EAGAIN) { try send(queue, "f", 9) }
    #expect(queue.readiness == [.POLLIN, .POLLRDNORM])
    var order = ""
    for _ in 0..<5 { order += try receive(queue) }
    #expect(order == "bdace")
    #expect(throws: Errno.EAGAIN) { try receive(queue) }
    #expect(queue.readiness == [.POLLOUT, .POLLWRNORM])
    #expect(throws: Errno.EMSGSIZE) { try send(queue, "longer than sixteen", 0) }
    #expect(throws: Errno.EMSGSIZE) { try queue.receive(room: 15, until: nil) }
  }

  @Test func namesAreFiles() throws {
    #expect(throws: Errno.ENOENT) { try open("q", .O_RDWR) }
    let queue = try open("q", [.O_WRONLY, .O_CREAT])
    #expect(queue.attributes.mq_maxmsg == 10 && queue.attributes.mq_msgsize == 8192)
    #expect(queue.inode.size == 80 && queue.inode.isRegularFile)
    #expect(throws: Errno.EEXIST) { try open("q", [.O_RDWR, .O_CREAT, .O_EXCL]) }
    #expect(throws: Errno.EBADF) { try receive(queue) }
    try context.unlink(Array("q".utf8), at: place.directory)
    #expect(throws: Errno.ENOENT) { try open("q", .O_RDWR) }
    try send(queue, "still there", 0)
    #expect(throws: Errno.EPERM) {
      try context.makeDirectory(Array("d".utf8), at: place.directory, mode: FileMode(rawValue: 0o700))
    }
  }

  @Test func limitsHold() throws {
    #expect(throws: Errno.EINVAL) { try open("q", [.O_RDWR, .O_CREAT], messages: 0) }
    #expect(throws: Errno.EINVAL) { try open("q", [.O_RDWR, .O_CREAT], messages: 11) }
    processes.caller.byteLimit = 2 * (16 + 96)
    #expect(throws: Errno.EMFILE) { try open("q", [.O_RDWR, .O_CREAT], messages: 3) }
    do {
      let queue = try open("q", [.O_RDWR, .O_CREAT], messages: 2)
      try context.unlink(Array("q".utf8), at: place.directory)
      #expect(throws: Errno.EMFILE) { try open("r", [.O_RDWR, .O_CREAT], messages: 1) }
      _ = queue
    }
    // The last reference has given its bytes back.
    _ = try open("r", [.O_RDWR, .O_CREAT], messages: 2)
    processes.caller.exceedsLimits = true
    processes.caller.byteLimit = .max
    _ = try open("s", [.O_RDWR, .O_CREAT], messages: 65536)
    fileSystem.limit = { $0 == .queuesMax ? 2 : $0.initial }
    processes.caller.exceedsLimits = false
    #expect(throws: Errno.ENOSPC) { try open("t", [.O_RDWR, .O_CREAT], messages: 1) }
  }

  @Test func oneProcessIsToldOnce() throws {
    let queue = try open("q", [.O_RDWR, .O_CREAT], messages: 4)
    var event = SigEvent()
    event.sigev_signo = 10
    event.sigev_value = 99
    try queue.register(event)
    #expect(throws: Errno.EBUSY) { try queue.register(event) }
    processes.caller.pid = 6
    #expect(throws: Errno.EBUSY) { try queue.register(event) }
    try send(queue, "x", 0)
    try #require(processes.sent.count == 1)
    #expect(processes.sent[0].pid == 5 && processes.sent[0].information.si_code == SignalCode.SI_MESGQ)
    #expect(processes.sent[0].information.si_pid == 6 && processes.sent[0].information.si_value == 99)
    // Not of a message that comes to others.
    try queue.register(event)
    try send(queue, "y", 0)
    #expect(processes.sent.count == 1)
    // What died has no say any more, and closing takes a wish back.
    processes.dead = [6]
    processes.caller.pid = 7
    try queue.register(event)
    try queue.closed()
    processes.caller.pid = 8
    try queue.register(event)
    try queue.register(nil)
    _ = try receive(queue)
    _ = try receive(queue)
    try send(queue, "z", 0)
    #expect(processes.sent.count == 1)
  }
}
