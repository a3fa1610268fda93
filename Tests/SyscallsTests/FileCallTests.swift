import FileSystemTesting
import Kernel
import LinuxABI
import Platform
import Process
import Testing
import VFSCore

/// What the handlers themselves check, in the order in which Linux does.
@Suite struct FileCallTests {
  private let calls: TestCalls
  private let buffer = UserBuffer(count: 4096)

  init() throws { calls = try TestCalls() }

  private func open(_ path: String, _ flags: OpenFlags, mode: Int = 0o644) -> Int {
    calls.call(2, calls.string(path), flags.rawValue, mode)
  }

  @Test func aDescriptorIsLookedAtBeforeTheBuffer() {
    #expect(calls.call(0, 9, 1, 10) == -Errno.EBADF)
    let file = open("/f", [.O_WRONLY, .O_CREAT])
    #expect(calls.call(0, file, 1, 10) == -Errno.EBADF)
    #expect(calls.call(1, file, 1, 10) == -Errno.EFAULT)
    #expect(calls.call(1, file, AddressLayout.kernelBase + 1, 0) == -Errno.EFAULT)
    #expect(calls.call(1, file, buffer.address, -1) == -Errno.EFAULT)
    #expect(calls.call(17, file, buffer.address, 1, -1) == -Errno.EINVAL)
  }

  @Test func aPathDescriptorOnlyNames() {
    _ = open("/f", [.O_WRONLY, .O_CREAT])
    let path = open("/f", .O_PATH)
    #expect(calls.call(0, path, buffer.address, 1) == -Errno.EBADF)
    #expect(calls.call(91, path, 0o600) == -Errno.EBADF)
    #expect(calls.call(72, path, FcntlCommand.F_SETFL.rawValue, 0) == -Errno.EBADF)
    #expect(calls.call(72, path, FcntlCommand.F_GETFL.rawValue) == Int(OpenFlags.O_PATH.rawValue))
    #expect(calls.call(5, path, buffer.address) == 0)
    #expect(calls.call(32, path) == path + 1)
  }

  @Test func aWriteEndsAtTheFileSizeLimit() {
    var limit = Rlimit()
    limit.rlim_cur = 10
    limit.rlim_max = 10
    calls.process.limits[1] = limit
    let file = open("/f", [.O_RDWR, .O_CREAT])
    #expect(calls.call(1, file, buffer.address, 16) == 10)
    #expect(!calls.thread.signals.pending.set.contains(.SIGXFSZ))
    #expect(calls.call(1, file, buffer.address, 1) == -Errno.EFBIG)
    #expect(calls.thread.signals.pending.set.contains(.SIGXFSZ))
    #expect(calls.call(77, file, 11) == -Errno.EFBIG)
    #expect(calls.call(77, file, 10) == 0)
  }

  @Test func aPipeWithoutReaderRaisesSIGPIPE() throws {
    #expect(calls.call(22, buffer.address) == 0)
    let ends = try UserMemory.load(UInt64.self, at: buffer.address)
    #expect(ends == 1 << 32)
    #expect(calls.call(17, 0, buffer.address, 1, 0) == -Errno.ESPIPE)
    #expect(calls.call(8, 0, 0, 0) == -Errno.ESPIPE)
    #expect(calls.call(3, 0) == 0)
    #expect(calls.call(1, 1, buffer.address, 1) == -Errno.EPIPE)
    #expect(calls.thread.signals.pending.set.contains(.SIGPIPE))
  }

  @Test func pipe2WithABadAddressLeavesNoDescriptor() {
    #expect(calls.call(293, 1, 0) == -Errno.EFAULT)
    #expect(calls.process.files.count == 0)
    #expect(calls.call(293, buffer.address, 1) == -Errno.EINVAL)
  }

  @Test func dupTakesTheLowestAndDup2TheChosen() {
    let file = open("/f", [.O_RDWR, .O_CREAT])
    #expect(calls.call(33, file, 7) == 7)
    #expect(calls.call(33, file, file) == file)
    #expect(calls.call(33, 5, 5) == -Errno.EBADF)
    #expect(calls.call(292, file, file, 0) == -Errno.EINVAL)
    #expect(calls.call(292, file, 3, 1) == -Errno.EINVAL)
    #expect(calls.call(72, file, FcntlCommand.F_DUPFD.rawValue, 5) == 5)
    #expect(calls.call(436, 0, 7, 0) == 0)
    #expect(calls.process.files.count == 0)
  }

  @Test func openat2IsStrict() throws {
    var how = OpenHow()
    how.flags = UInt64(OpenFlags.O_CREAT.rawValue)
    how.mode = 0o10000
    let address = UserBuffer(count: 64).address
    try UserMemory.store(how, at: address)
    let path = calls.string("/f")
    #expect(calls.call(437, -100, path, address, 24) == -Errno.EINVAL)
    how.mode = 0o600
    try UserMemory.store(how, at: address)
    #expect(calls.call(437, -100, path, address, 23) == -Errno.EINVAL)
    #expect(calls.call(437, -100, path, address, 32) == 0)
    try UserMemory.store(UInt8(1), at: address + 24)
    #expect(calls.call(437, -100, path, address, 32) == -Errno.E2BIG)
    how.flags = 1 << 40
    how.mode = 0
    try UserMemory.store(how, at: address)
    #expect(calls.call(437, -100, path, address, 24) == -Errno.EINVAL)
  }

  @Test func utimensatOmitsAndChecks() throws {
    _ = open("/f", [.O_RDWR, .O_CREAT])
    try UserMemory.store(Timespec(tv_sec: 7, tv_nsec: UtimeNanoseconds.UTIME_OMIT), at: buffer.address)
    try UserMemory.store(Timespec(tv_sec: 9, tv_nsec: 5), at: buffer.address + 16)
    #expect(calls.call(280, -100, calls.string("/f"), buffer.address, 0) == 0)
    let stat = try calls.process.fileSystem.stat("/f")
    #expect(stat.st_mtim == Timespec(tv_sec: 9, tv_nsec: 5))
    #expect(stat.st_atim.tv_sec != 7)
    try UserMemory.store(Timespec(tv_sec: 9, tv_nsec: 1_000_000_000), at: buffer.address + 16)
    #expect(calls.call(280, -100, calls.string("/f"), buffer.address, 0) == -Errno.EINVAL)
    try UserMemory.store(Timespec(tv_sec: 7, tv_nsec: UtimeNanoseconds.UTIME_OMIT), at: buffer.address + 16)
    #expect(calls.call(280, -100, calls.string("/missing"), buffer.address, 0) == 0)
  }

  @Test func copyFileRangeCopies() throws {
    try calls.process.fileSystem.make("/from", String(repeating: "0123456789", count: 20_000))
    let from = open("/from", .O_RDONLY)
    let to = open("/to", [.O_RDWR, .O_CREAT])
    #expect(calls.call(326, from, 0, to, 0, 1_000_000, 0) == 200_000)
    #expect(try calls.process.fileSystem.content("/to") == calls.process.fileSystem.content("/from"))
    #expect(calls.call(326, from, 0, to, 0, 10, 1) == -Errno.EINVAL)
    #expect(calls.call(326, from, 0, from, 0, 10, 0) == -Errno.EBADF)
    try UserMemory.store(Int64(199_990), at: buffer.address)
    try UserMemory.store(Int64(3), at: buffer.address + 8)
    #expect(calls.call(326, from, buffer.address, to, buffer.address + 8, 100, 0) == 10)
    #expect(try UserMemory.load(Int64.self, at: buffer.address) == 200_000)
    #expect(try UserMemory.load(Int64.self, at: buffer.address + 8) == 13)
    try UserMemory.store(Int64(0), at: buffer.address)
    #expect(calls.call(326, to, buffer.address, to, buffer.address + 8, 100, 0) == -Errno.EINVAL)
  }

  @Test func sendfileMovesTheRightPosition() throws {
    try calls.process.fileSystem.make("/from", "0123456789")
    let from = open("/from", .O_RDONLY)
    let to = open("/to", [.O_RDWR, .O_CREAT])
    #expect(calls.call(40, to, from, 0, 4) == 4)
    #expect(calls.call(8, from, 0, 1) == 4)
    try UserMemory.store(Int64(8), at: buffer.address)
    #expect(calls.call(40, to, from, buffer.address, 100) == 2)
    #expect(calls.call(8, from, 0, 1) == 4)
    #expect(try UserMemory.load(Int64.self, at: buffer.address) == 10)
    #expect(try calls.process.fileSystem.content("/to") == "012389")
    #expect(calls.call(40, to, to, 0, 100) == 0)
    #expect(calls.call(40, from, to, 0, 100) == -Errno.EBADF)
  }

  @Test func attributesAreThoseOfTmpfs() throws {
    try calls.process.fileSystem.make("/f")
    let path = calls.string("/f")
    let value = UserBuffer(Array("v1".utf8))
    #expect(calls.call(188, path, calls.string("other.a"), value.address, 2, 0) == -Errno.EOPNOTSUPP)
    #expect(calls.call(188, path, calls.string("user.b"), value.address, 2, 0) == 0)
    #expect(calls.call(188, path, calls.string("user.a"), value.address, 2, 0) == 0)
    #expect(calls.call(194, path, buffer.address, 100) == 14)
    #expect(Array(buffer.bytes[..<14]) == Array("user.b\0user.a\0".utf8))
    #expect(calls.call(197, path, calls.string("user.a")) == 0)
    #expect(calls.call(197, path, calls.string("user.b")) == 0)
    #expect(calls.call(191, path, calls.string("trusted.a"), 0, 0) == -Errno.ENODATA)
    #expect(calls.call(188, path, calls.string("trusted.a"), value.address, 2, 2) == -Errno.ENODATA)
    #expect(calls.call(188, path, calls.string("trusted.a"), value.address, 2, 0) == 0)
    #expect(calls.call(188, path, calls.string("trusted.a"), value.address, 2, 1) == -Errno.EEXIST)
    #expect(calls.call(191, path, calls.string("trusted.a"), buffer.address, 1) == -Errno.ERANGE)
    #expect(calls.call(191, path, calls.string("trusted.a"), buffer.address, 10) == 2)
    #expect(calls.call(194, path, 0, 0) == 10)
    #expect(calls.call(197, path, calls.string("trusted.a")) == 0)
    #expect(calls.call(197, path, calls.string("trusted.a")) == -Errno.ENODATA)
    // rw-r-----, as an access control list without further entries.
    let list = UserBuffer(
      [2, 0, 0, 0] + [1, 0, 6, 0] + [255, 255, 255, 255] + [4, 0, 4, 0] + [255, 255, 255, 255]
        + [32, 0, 0, 0] + [255, 255, 255, 255])
    #expect(calls.call(188, path, calls.string("system.posix_acl_access"), list.address, 28, 0) == 0)
    #expect(try calls.process.fileSystem.stat("/f").st_mode.permissions.rawValue == 0o640)
  }

  @Test func sealsHold() throws {
    #expect(calls.call(319, calls.string("name"), 2) == 0)
    #expect(calls.call(1, 0, buffer.address, 100) == 100)
    #expect(calls.call(72, 0, FcntlCommand.F_GET_SEALS.rawValue) == 0)
    #expect(calls.call(72, 0, FcntlCommand.F_ADD_SEALS.rawValue, 2 | 4) == 0)
    #expect(calls.call(77, 0, 99) == -Errno.EPERM)
    #expect(calls.call(77, 0, 101) == -Errno.EPERM)
    #expect(calls.call(18, 0, buffer.address, 10, 95) == 5)
    #expect(calls.call(18, 0, buffer.address, 10, 100) == -Errno.EPERM)
    #expect(calls.call(72, 0, FcntlCommand.F_ADD_SEALS.rawValue, 8 | 1) == 0)
    #expect(calls.call(18, 0, buffer.address, 1, 0) == -Errno.EPERM)
    #expect(calls.call(72, 0, FcntlCommand.F_ADD_SEALS.rawValue, 1) == -Errno.EPERM)
    #expect(calls.process.files.count == 1)
    let other = open("/f", [.O_RDWR, .O_CREAT])
    #expect(calls.call(72, other, FcntlCommand.F_GET_SEALS.rawValue) == -Errno.EINVAL)
  }
}
