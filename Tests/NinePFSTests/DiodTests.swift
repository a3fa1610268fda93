import Drivers
import FileSystemTesting
import Glibc
import Kernel
import LinuxABI
import Platform
import Testing

@testable import NinePFS
@testable import VFSCore

/// The client beside a server that somebody else wrote: Debian's diod, over a socket.
final class DiodChannel: NinePChannel {
  static let program = "/usr/sbin/diod"
  static var isInstalled: Bool { Glibc.access(program, Glibc.X_OK) == 0 }

  let tag: [UInt8] = []
  let exchangeLimit = 8
  let segmentLimit = 18
  private let socket: Int32
  private let process: pid_t
  private var exchanges: [UInt16: NinePExchange] = [:]

  init(exporting directory: String) throws {
    var ends: [Int32] = [0, 0]
    guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0 else { throw Errno.EIO }
    // The server's end must be its alone, so that each sees when the other is gone.
    _ = fcntl(ends[0], F_SETFD, FD_CLOEXEC)
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_adddup2(&actions, ends[1], 0)
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0)
    let words = [Self.program, "-f", "-n", "-N", "-r", "0", "-w", "0", "-e", directory, "-c", "/dev/null"]
    var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) }
    arguments.append(nil)
    defer { for argument in arguments { free(argument) } }
    var process: pid_t = 0
    guard posix_spawn(&process, Self.program, &actions, nil, &arguments, environ) == 0 else { throw Errno.EIO }
    close(ends[1])
    socket = ends[0]
    self.process = process
  }

  deinit {
    // Killed before it sees that the socket is gone: Debian 12's version races with its own threads when it shuts down
    // in order, and may crash (github.com/chaos/diod/pull/98). Nothing that it could still do matters here.
    kill(process, SIGKILL)
    close(socket)
    var status: Int32 = 0
    waitpid(process, &status, 0)
  }

  func send(_ exchange: NinePExchange) throws(Errno) {
    var message = (0..<exchange.requestCount).map { PhysicalMemory.load(UInt8.self, at: exchange.request + UInt($0)) }
    for segment in exchange.data where !segment.isDeviceWritable {
      for i in 0..<UInt(segment.count) { message.append(PhysicalMemory.load(at: segment.physical + i)) }
    }
    exchanges[UInt16(message[5]) | UInt16(message[6]) << 8] = exchange
    var done = 0
    while done < message.count {
      let count = message.withUnsafeBytes { Glibc.write(socket, $0.baseAddress! + done, $0.count - done) }
      guard count > 0 else { throw .EIO }
      done += count
    }
  }

  func didFlush(_ exchange: NinePExchange) { exchange.finish(0) }

  func wait(on queue: WaitQueue) -> Bool {
    receiveReply()
    return true
  }

  private func receiveReply() {
    guard let size = receive(4) else { return fail() }
    let count = size.enumerated().reduce(0) { $0 | Int($1.element) << (8 * $1.offset) }
    guard count >= 7, let rest = receive(count - 4),
      let exchange = exchanges.removeValue(forKey: UInt16(rest[1]) | UInt16(rest[2]) << 8)
    else { return fail() }
    let reply = size + rest
    var position = 0
    func store(_ limit: Int, at physical: UInt) {
      for i in 0..<min(limit, reply.count - position) {
        PhysicalMemory.store(reply[position + i], at: physical + UInt(i))
      }
      position += min(limit, reply.count - position)
    }
    store(exchange.replyLimit, at: exchange.reply)
    for segment in exchange.data where segment.isDeviceWritable { store(Int(segment.count), at: segment.physical) }
    exchange.finish(position)
  }

  private func receive(_ count: Int) -> [UInt8]? {
    var bytes = [UInt8](repeating: 0, count: count)
    var done = 0
    while done < count {
      let got = bytes.withUnsafeMutableBytes { Glibc.read(socket, $0.baseAddress! + done, count - done) }
      if got <= 0 { return nil }
      done += got
    }
    return bytes
  }

  private func fail() {
    let pending = exchanges.values
    exchanges = [:]
    for exchange in pending { exchange.finish(0) }
  }
}

@Suite(.enabled(if: DiodChannel.isInstalled && geteuid() == 0, "needs diod and root"), .serialized)
struct DiodTests {
  /// A directory of the host, and a tree over it.
  private func withShare(_ options: String = "", _ body: (FileSystemContext, String) throws -> Void) throws {
    var template = Array("/tmp/ninep-test-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw Errno.EIO }
    let directory = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    defer { _ = system("rm -rf '\(directory)'") }
    let machine = TestMachine()
    let share = try NinePFileSystem(
      machine.environment, try DiodChannel(exporting: directory), options: Array("aname=\(directory)\(options)".utf8))
    try body(FileSystemContext(Namespace(machine.environment, root: share, source: [])), directory)
  }

  private func content(_ path: String) -> [UInt8] {
    let descriptor = Glibc.open(path, O_RDONLY)
    defer { close(descriptor) }
    var bytes = [UInt8](repeating: 0, count: 1 << 20)
    let count = Glibc.read(descriptor, &bytes, bytes.count)
    return Array(bytes.prefix(max(count, 0)))
  }

  @Test func writesAndReads() throws {
    try withShare { context, directory in
      let file = try context.open("/file", [.O_RDWR, .O_CREAT])
      try file.write(pattern(200_000))
      try file.write([7, 7, 7], at: 4095)
      try file.closed()
      var expected = pattern(200_000)
      expected.replaceSubrange(4095..<4098, with: [7, 7, 7])
      #expect(content(directory + "/file") == expected)
      try file.truncate(to: 5000)
      try file.write([1], at: 9000)
      try file.synchronize(dataOnly: false)
      expected = Array(expected.prefix(5000)) + [UInt8](repeating: 0, count: 4000) + [1]
      #expect(content(directory + "/file") == expected)
      #expect(try file.read(10_000, at: 0) == expected)
    }
  }

  @Test func namesAndAttributes() throws {
    try withShare { context, directory in
      try context.mkdir("/d", mode: 0o750)
      try context.symlink("d/file", "/link")
      try context.open("/link", [.O_WRONLY, .O_CREAT]).write("text")
      #expect(try context.stat("/d").st_mode.rawValue & 0o7777 == 0o750)
      try context.link("/d/file", "/other")
      #expect(try context.stat("/other").st_nlink == 2)
      try context.rename("/other", "/d/moved")
      #expect(throws: Errno.ENOENT) { try context.stat("/other") }
      #expect(throws: Errno.ENOTEMPTY) { try context.rmdir("/d") }
      #expect(throws: Errno.EEXIST) { try context.mkdir("/d") }
      #expect(throws: Errno.ENOTDIR) { try context.stat("/d/file/x") }
      #expect(Set(try context.open("/d", .O_DIRECTORY).names()).isSuperset(of: ["file", "moved"]))
      #expect(try context.readlink("/link") == "d/file")
      #expect(Glibc.access(directory + "/d/moved", F_OK) == 0)
      #expect(try context.statfs(Array("/".utf8)).f_bsize > 0)
      try context.unlink("/d/moved")
      try context.unlink("/d/file")
      try context.rmdir("/d")
    }
  }

  @Test func manyEntries() throws {
    try withShare { context, directory in
      for i in 0..<1500 { _ = try context.open("/name\(i)", [.O_WRONLY, .O_CREAT]) }
      let listing = try context.open("/", .O_DIRECTORY)
      var seen = 0
      while true {
        let batch = try listing.entries(perCall: 1000)
        if batch.isEmpty { break }
        for entry in batch where entry.name != "." && entry.name != ".." {
          seen += 1
          try context.unlink("/" + entry.name)
        }
      }
      #expect(seen == 1500)
    }
  }

  @Test func unlinkedFilesGoOn() throws {
    try withShare { context, _ in
      let file = try context.open("/file", [.O_RDWR, .O_CREAT])
      try file.write(pattern(50_000))
      try context.unlink("/file")
      #expect(try file.read(50_000, at: 0) == pattern(50_000))
      try file.write([1, 2], at: 60_000)
      #expect(try file.read(10, at: 59_999) == [0, 1, 2])
    }
  }

  /// flock(2), whose name a structure has in Swift; whether it worked.
  private func lock(_ descriptor: Int32, _ operation: Int32) -> Bool {
    let call = unsafeBitCast(dlsym(nil, "flock"), to: (@convention(c) (Int32, Int32) -> Int32).self)
    return call(descriptor, operation | LOCK_NB) == 0
  }

  /// diod has a file's locks as flock(2)'s: of the whole file, and between those of the host.
  @Test func locksHoldAgainstTheHost() throws {
    try withShare(",cache=none") { context, directory in
      let file = try context.open("/file", [.O_RDWR, .O_CREAT])
      let host = Glibc.open(directory + "/file", O_RDWR)
      defer { close(host) }
      try file.flock(.LOCK_EX)
      #expect(!lock(host, LOCK_SH))
      try file.flock(.LOCK_UN)
      #expect(lock(host, LOCK_EX))
      #expect(throws: Errno.EAGAIN) { try file.flock([.LOCK_SH, .LOCK_NB]) }
      let table = FileDescriptorTable()
      var request = LinuxABI.Flock()
      request.l_type = RecordLockType.F_WRLCK.rawValue
      #expect(throws: Errno.EAGAIN) { try file.recordLock(.F_SETLK, &request, table: table, processID: 5) }
      #expect(lock(host, LOCK_UN))
      try file.recordLock(.F_SETLK, &request, table: table, processID: 5)
      #expect(!lock(host, LOCK_SH))
      try table.finishClosing(file)
      #expect(lock(host, LOCK_SH))
    }
  }
}
