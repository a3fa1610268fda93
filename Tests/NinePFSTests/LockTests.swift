import FileSystemTesting
import LinuxABI
import Platform
import Testing

@testable import NinePFS
@testable import VFSCore

/// A lock of fcntl(2) on bytes of a file.
private func lock(
  _ file: OpenFile, _ command: FcntlCommand, _ type: RecordLockType, _ start: Int64, _ length: Int64,
  _ table: FileDescriptorTable
) throws -> Flock {
  var request = Flock()
  request.l_type = type.rawValue
  request.l_start = start
  request.l_len = length
  try file.recordLock(command, &request, table: table, processID: 7)
  return request
}

@Suite struct NinePLockTests {
  let test: TestShare
  let node: FakeServer.Node
  let file: OpenFile
  let one = FileDescriptorTable()
  let two = FileDescriptorTable()

  init() throws {
    test = try TestShare(options: "cache=none") { $0.add("file", content: pattern(100)) }
    node = test.server.root.entries[0].node
    file = try test.context.open("/file", .O_RDWR)
  }

  private var locked: [UInt64] { node.locked.keys.sorted() }

  @Test func onlyTheModeForManyAsksTheServer() throws {
    let test = try TestShare { $0.add("file", content: pattern(100)) }
    let file = try test.context.open("/file", .O_RDWR)
    _ = try lock(file, .F_SETLK, .F_WRLCK, 0, 10, one)
    try file.flock(.LOCK_EX)
    #expect(test.server.counts[52] == nil)
  }

  @Test func theServerHasWhatAnybodyHereHas() throws {
    _ = try lock(file, .F_SETLK, .F_RDLCK, 0, 10, one)
    _ = try lock(file, .F_SETLK, .F_RDLCK, 5, 15, two)
    #expect(locked == Array(0..<20) && test.server.lockFlags == 0)
    _ = try lock(file, .F_SETLKW, .F_UNLCK, 0, 0, one)
    #expect(locked == Array(5..<20))
    _ = try lock(file, .F_SETLKW, .F_WRLCK, 8, 4, two)
    #expect(node.locked[7] == 0 && node.locked[8] == 1 && node.locked[11] == 1 && node.locked[12] == 0)
    #expect(test.server.lockFlags == 1)
    try two.finishClosing(file)
    #expect(locked.isEmpty)
  }

  @Test func descriptionsGiveTheirLocksBackWhenTheyGo() throws {
    do {
      let other = try test.context.open("/file", .O_RDWR)
      _ = try lock(other, .F_OFD_SETLK, .F_WRLCK, 3, 4, one)
      #expect(locked == [3, 4, 5, 6])
      _ = try lock(file, .F_SETLK, .F_RDLCK, 20, 1, one)
    }
    #expect(locked == [20])
    try file.flock(.LOCK_SH)
    #expect(locked == Array(0..<100))
    try file.flock(.LOCK_UN)
    #expect(locked == [20])
  }

  @Test func othersAreInTheWay() throws {
    _ = try lock(file, .F_SETLK, .F_RDLCK, 0, 50, one)
    node.foreign = (0, 10, 5)
    #expect(throws: Errno.EAGAIN) { try lock(file, .F_SETLK, .F_WRLCK, 0, 20, one) }
    // As Linux has it, what was there before is gone where the new one was wanted.
    #expect(try lock(file, .F_GETLK, .F_WRLCK, 0, 5, two).l_type == RecordLockType.F_UNLCK.rawValue)
    #expect(locked == Array(20..<50))
    #expect(throws: Errno.EAGAIN) { try file.flock([.LOCK_EX, .LOCK_NB]) }
    try test.context.open("/file").flock([.LOCK_SH, .LOCK_NB])
    let found = try lock(file, .F_GETLK, .F_WRLCK, 0, 0, one)
    #expect(found.l_type == RecordLockType.F_RDLCK.rawValue && found.l_start == 10 && found.l_len == 5)
    #expect(found.l_pid == -77)
    #expect(try lock(file, .F_GETLK, .F_WRLCK, 60, 0, one).l_type == RecordLockType.F_UNLCK.rawValue)
  }

  @Test func whoWaitsAsksAgain() throws {
    test.server.lockStatuses = [1, 1, 0]
    _ = try lock(file, .F_SETLKW, .F_WRLCK, 0, 2, one)
    #expect(test.server.counts[52] == 3 && locked == [0, 1])
  }

  @Test(arguments: [2, 3, 200] as [UInt8])
  func errorsGiveTheLockUp(_ status: UInt8) throws {
    test.server.lockStatuses = [status]
    #expect(throws: Errno.ENOLCK) { try lock(file, .F_SETLKW, .F_WRLCK, 0, 2, one) }
    #expect(try lock(file, .F_GETLK, .F_WRLCK, 0, 2, two).l_type == RecordLockType.F_UNLCK.rawValue)
    test.server.interceptor = { type, _ in type == 52 ? FakeServer.error(.EOPNOTSUPP) : nil }
    #expect(throws: Errno.EOPNOTSUPP) { try file.flock(.LOCK_EX) }
    test.server.interceptor = nil
    try test.context.open("/file").flock([.LOCK_SH, .LOCK_NB])
  }
}
