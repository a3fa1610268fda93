import FileSystemTesting
import Kernel
import LinuxABI
import Support
import Testing

@testable import SystemVIPC

/// What needs no second thread: the tables, permissions, operations that can be done at once, and reports.
@Suite struct SystemVIPCTests {
  let ipc: IPCNamespace
  let root = SystemVIPCTests.caller(1, user: 0, privileged: true)
  let alice = SystemVIPCTests.caller(2, user: 1000)
  let bob = SystemVIPCTests.caller(3, user: 1001)

  init() {
    let machine = TestMachine()
    ipc = IPCNamespace(machine.frames, machine.environment.clock) { 77 }
  }

  static func caller(_ pid: Int32, user: UInt32, privileged: Bool = false) -> IPCCaller {
    IPCCaller(
      pid: pid, user: user, group: user, groups: [], ownsAll: privileged, administers: privileged,
      exceedsLimits: privileged, locksMemory: privileged)
  }

  func text(_ body: (inout TextBuffer) -> Void) -> String {
    var buffer = TextBuffer()
    body(&buffer)
    return String(decoding: buffer.bytes, as: UTF8.self)
  }

  @Test func identifiersAreNotUsedAgain() throws {
    let first = try ipc.getQueue(0, flags: 0o600, root)
    let second = try ipc.getQueue(0, flags: 0o600, root)
    #expect(first == 0 && second == 1)
    try ipc.remove(.queues, first, root)
    #expect(try ipc.getQueue(0, flags: 0o600, root) == 1 << 15)
    #expect(throws: Errno.EINVAL) { try ipc.remove(.queues, first, root) }
    #expect(throws: Errno.EINVAL) { try ipc.remove(.queues, -1, root) }
    #expect(try ipc.object(.queues, 0, byIndex: true, checked: true, root).id == 1 << 15)
  }

  @Test func keysFindObjects() throws {
    #expect(throws: Errno.ENOENT) { try ipc.getSegment(7, size: 100, flags: 0, root) }
    let id = try ipc.getSegment(7, size: 5000, flags: 0o1600, alice)
    #expect(try ipc.getSegment(7, size: 5000, flags: 0o600, alice) == id)
    #expect(throws: Errno.EINVAL) { try ipc.getSegment(7, size: 5001, flags: 0, alice) }
    #expect(throws: Errno.EEXIST) { try ipc.getSegment(7, size: 1, flags: 0o3600, alice) }
    #expect(throws: Errno.EACCES) { try ipc.getSegment(7, size: 1, flags: 0o400, bob) }
    #expect(try ipc.getSegment(7, size: 1, flags: 0, bob) == id)
    #expect(throws: Errno.EPERM) { try ipc.remove(.segments, id, bob) }
    try ipc.remove(.segments, id, root)
    #expect(throws: Errno.ENOENT) { try ipc.getSegment(7, size: 1, flags: 0, root) }
  }

  @Test func doomedSegmentsGoWithTheirLastArea() throws {
    let id = try ipc.getSegment(9, size: 4097, flags: 0o1666, root)
    let segment = try ipc.attachableSegment(id, [], root)
    segment.areaOpened()
    segment.areaOpened()
    try ipc.remove(.segments, id, root)
    #expect(try ipc.object(.segments, id, byIndex: false, checked: true, root) === segment)
    let status = segment.status
    #expect(status.shm_nattch == 2 && status.shm_perm.mode == 0o1666 && status.shm_perm.key == 0)
    #expect(status.shm_lpid == 77 && status.shm_cpid == 1)
    #expect(ipc.segmentPages == 2)
    segment.areaClosed()
    segment.areaClosed()
    #expect(ipc.segmentPages == 0)
    #expect(throws: Errno.EINVAL) { try ipc.attachableSegment(id, [], root) }
  }

  @Test func limitsHold() throws {
    #expect(throws: Errno.EINVAL) { try ipc.getSegment(0, size: 0, flags: 0o600, root) }
    #expect(throws: Errno.EINVAL) { try ipc.getSegment(0, size: .max, flags: 0o600, root) }
    #expect(throws: Errno.ENOMEM) { try ipc.getSegment(0, size: 1 << 40, flags: 0o600, root) }
    try ipc.change(.shmmni, to: Array("1\n".utf8))
    _ = try ipc.getSegment(0, size: 1, flags: 0o600, root)
    #expect(throws: Errno.ENOSPC) { try ipc.getSegment(0, size: 1, flags: 0o600, root) }
    #expect(throws: Errno.EINVAL) { try ipc.change(.shmmni, to: Array("32769".utf8)) }
    #expect(throws: Errno.EINVAL) { try ipc.change(.shmmax, to: Array("1x".utf8)) }
    #expect(throws: Errno.EINVAL) { try ipc.change(.shmmax, to: Array("99999999999999999999999".utf8)) }
    try ipc.change(.sem, to: Array("10 20\t30".utf8))
    #expect(text { ipc.write(IPCSetting.sem, into: &$0) } == "10\t20\t30\t32000")
  }

  @Test func operationsAreDoneTogetherOrNotAtAll() throws {
    let id = try ipc.getSemaphores(0, count: 2, flags: 0o600, root)
    let undo = SemaphoreUndo()
    func operate(_ operations: [Sembuf]) throws {
      try ipc.operate(id, operations, root, undo: { undo }, until: nil)
    }
    try operate([Sembuf(sem_num: 0, sem_op: 3), Sembuf(sem_num: 1, sem_op: 1)])
    #expect(throws: Errno.EAGAIN) {
      try operate([Sembuf(sem_num: 0, sem_op: -1), Sembuf(sem_num: 1, sem_op: 0, sem_flg: 0o4000)])
    }
    #expect(try ipc.semaphoreValues(id, root) == [3, 1])
    // The second operation sees what the first one did.
    try operate([Sembuf(sem_num: 0, sem_op: -3), Sembuf(sem_num: 0, sem_op: 0), Sembuf(sem_num: 0, sem_op: 5)])
    #expect(try ipc.semaphoreValues(id, root) == [5, 1])
    #expect(throws: Errno.EFBIG) { try operate([Sembuf(sem_num: 2, sem_op: 1)]) }
    #expect(throws: Errno.ERANGE) { try operate([Sembuf(sem_num: 0, sem_op: 32767)]) }
    #expect(throws: Errno.ERANGE) { try ipc.setSemaphore(id, 0, 32768, root) }
    #expect(throws: Errno.EACCES) { try ipc.operate(id, [Sembuf(sem_op: 1)], bob, undo: { undo }, until: nil) }
    #expect(try ipc.semaphore(id, 0, SemaphoreCommand.GETPID, root) == 1)
  }

  @Test func changesAreUndoneWithTheLastHolder() throws {
    let id = try ipc.getSemaphores(0, count: 1, flags: 0o600, root)
    let undo = SemaphoreUndo()
    undo.join()
    try ipc.operate(id, [Sembuf(sem_op: 4, sem_flg: 0x1000)], root, undo: { undo }, until: nil)
    try ipc.operate(id, [Sembuf(sem_op: -1, sem_flg: 0x1000)], root, undo: { undo }, until: nil)
    try ipc.operate(id, [Sembuf(sem_op: 2)], root, undo: { undo }, until: nil)
    undo.leave(pid: 5)
    #expect(try ipc.semaphoreValues(id, root) == [5])
    undo.leave(pid: 5)
    #expect(try ipc.semaphoreValues(id, root) == [2])
    #expect(try ipc.semaphore(id, 0, SemaphoreCommand.GETPID, root) == 5)
  }

  @Test func messagesAreChosenByType() throws {
    let id = try ipc.getQueue(0, flags: 0o600, root)
    for (type, text) in [(3, "c"), (1, "a"), (2, "b"), (1, "A"), (3, "C")] {
      try ipc.send(id, type: type, Array(text.utf8), [], root)
    }
    func receive(_ type: Int, _ flags: IPCFlags = [], room: Int = 10) throws -> String {
      let message = try ipc.receive(id, type: type, room: room, flags.union(.IPC_NOWAIT), root)
      return String(decoding: message.bytes, as: UTF8.self)
    }
    #expect(try receive(2, .MSG_COPY) == "b")
    #expect(try receive(-2) == "a")
    #expect(try receive(3, .MSG_EXCEPT) == "b")
    #expect(try receive(1) == "A")
    #expect(throws: Errno.E2BIG) { try receive(0, room: 0) }
    #expect(try receive(0) == "c")
    #expect(throws: Errno.ENOMSG) { try receive(-2) }
    #expect(try receive(.min) == "C")
    #expect(throws: Errno.EINVAL) { try receive(0, [.MSG_COPY, .MSG_EXCEPT]) }
    #expect(ipc.messageCount == 0 && ipc.messageBytes == 0)
  }

  @Test func fullQueuesTakeNoMore() throws {
    let id = try ipc.getQueue(0, flags: 0o600, alice)
    let queue = try ipc.object(.queues, id, byIndex: false, checked: true, alice)
    let status = try #require(queue as? MessageQueue).status
    #expect(status.msg_qbytes == 16384)
    #expect(throws: Errno.EPERM) { try ipc.set(.queues, id, status.msg_perm, queueBytes: 16385, alice) }
    try ipc.set(.queues, id, status.msg_perm, queueBytes: 3, alice)
    try ipc.send(id, type: 1, [1, 2], .IPC_NOWAIT, alice)
    #expect(throws: Errno.EAGAIN) { try ipc.send(id, type: 1, [1, 2], .IPC_NOWAIT, alice) }
    try ipc.send(id, type: 1, [], .IPC_NOWAIT, alice)
    try ipc.send(id, type: 1, [], .IPC_NOWAIT, alice)
    // As many messages as bytes, however short.
    #expect(throws: Errno.EAGAIN) { try ipc.send(id, type: 1, [], .IPC_NOWAIT, alice) }
    try ipc.remove(.queues, id, alice)
    #expect(ipc.messageCount == 0 && ipc.messageBytes == 0)
  }

  @Test func reportsAreThoseOfProc() throws {
    _ = try ipc.getSegment(0x1234, size: 5000, flags: 0o1640, alice)
    let expected = """
             key      shmid perms                  size  cpid  lpid nattch   uid   gid  cuid  cgid      atime      \
      dtime      ctime                   rss                  swap
            4660          0   640                  5000     2     0      0  1000  1000  1000  1000          0          \
      0 1700000000                     0                     0
      """
    #expect(text { ipc.write(IPCTableFile.shm, into: &$0) } == expected)
  }
}
