import FileSystemTesting
import Kernel
import LinuxABI
import Testing

/// Trace lines, in the form of CONVENTIONS: arguments as strace(1) shows them, `fd:3`, `va:0x…`, `OK`, errors with text.
@Suite struct TraceTests {
  private let calls: TestCalls

  init() throws { calls = try TestCalls() }

  @Test func openatShowsFlagsAndDescriptor() {
    let line = calls.trace(257, -100, calls.string("/file"), 0o2000102, 0o644)
    #expect(line == "openat(AT_FDCWD, \"/file\", O_RDWR|O_CREAT|O_CLOEXEC, 0644) = fd:0")
    let again = calls.trace(257, -100, calls.string("/file"), 0o2000000, 0xdead)
    #expect(again == "openat(AT_FDCWD, \"/file\", O_RDONLY|O_CLOEXEC) = fd:1")
  }

  @Test func errorsShowTheirText() {
    #expect(calls.trace(2, calls.string("/x"), 0) == "open(\"/x\", O_RDONLY) = No such file or directory (-2)")
    #expect(calls.trace(3, 5) == "close(fd:5) = Bad file descriptor (-9)")
  }

  @Test func transfersShowTheirBytes() {
    let path = calls.string("/file")
    calls.call(2, path, 0o102, 0o600)
    let text = UserBuffer(Array("line\n\"quoted\"\u{1}".utf8))
    #expect(calls.trace(1, 0, text.address, 14) == "write(fd:0, \"line\\n\\\"quoted\\\"\\x01\", 14) = 14")
    let long = UserBuffer([UInt8](repeating: UInt8(ascii: "a"), count: 40))
    #expect(
      calls.trace(18, 0, long.address, 40, 0)
        == "pwrite64(fd:0, \"\(String(repeating: "a", count: 32))\"..., 40, 0) = 40")
    let buffer = UserBuffer(count: 64)
    #expect(
      calls.trace(17, 0, buffer.address, 4, 0) == "pread64(fd:0, <out>\"aaaa\", 4, 0) = 4")
    #expect(calls.trace(3, 0) == "close(fd:0) = OK")
  }

  @Test func vectorsShowTheirBuffers() {
    calls.call(2, calls.string("/file"), 0o102, 0o600)
    let first = UserBuffer(Array("ab".utf8))
    let second = UserBuffer(Array("cd".utf8))
    let vector = UserBuffer(count: 32)
    try? UserMemory.store(IOVec(iov_base: UInt64(first.address), iov_len: 2), at: vector.address)
    try? UserMemory.store(IOVec(iov_base: UInt64(second.address), iov_len: 2), at: vector.address + 16)
    #expect(
      calls.trace(20, 0, vector.address, 2)
        == "writev(fd:0, [{iov_base=\"ab\", iov_len=2}, {iov_base=\"cd\", iov_len=2}], 2) = 4")
  }

  @Test func structuresShowWhatWasWritten() {
    calls.call(2, calls.string("/file"), 0o102, 0o600)
    let buffer = UserBuffer(count: 144)
    #expect(calls.trace(5, 0, buffer.address) == "fstat(fd:0, <out>{st_mode=S_IFREG|0600, st_size=0, ...}) = OK")
  }

  @Test func fcntlShowsWhatTheCommandTakes() {
    calls.call(2, calls.string("/file"), 0o102, 0o600)
    #expect(calls.trace(72, 0, 1, 77) == "fcntl(fd:0, F_GETFD) = 0")
    #expect(calls.trace(72, 0, 2, 1) == "fcntl(fd:0, F_SETFD, FD_CLOEXEC) = 0")
    #expect(calls.trace(72, 0, 4, 0o4000) == "fcntl(fd:0, F_SETFL, O_RDONLY|O_NONBLOCK) = 0")
  }

  @Test func aMissingCallIsNamed() {
    #expect(calls.trace(184).hasPrefix("tuxcall() = Function not implemented (-38)"))
  }
}
