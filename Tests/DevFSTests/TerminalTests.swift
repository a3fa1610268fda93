import FileSystemTesting
import Kernel
import LinuxABI
import Testing
import VFSCore

@testable import DevFS

final class FakeConsole: ConsoleDevice {
  var output = ""
  var isInputEnabled = true

  func write(_ bytes: RawSpan) {
    output += String(
      decoding: (0..<bytes.byteCount).map { bytes.unsafeLoad(fromByteOffset: $0, as: UInt8.self) }, as: UTF8.self)
  }
  func setInputEnabled(_ enabled: Bool) { isInputEnabled = enabled }
}

final class FakeProcesses: TerminalProcesses {
  var currentSession: Int32 = 1
  var currentGroup: Int32 = 1
  var isSessionLeader = true
  var isPrivileged = true
  var fileSystemUser: UInt32 = 7
  var controllingTerminal: ControllingTerminal?
  var sent: [(Signal, Int32)] = []
  var hungUp: [Int32] = []

  func session(ofGroup group: Int32) -> Int32? { group < 10 ? 1 : group < 20 ? 2 : nil }
  func releaseTerminal(ofSession session: Int32) { controllingTerminal = nil }
  func hangUp(session: Int32, foreground: Int32) {
    hungUp.append(session)
    controllingTerminal = nil
  }
  func send(_ signal: Signal, toGroup group: Int32) { sent.append((signal, group)) }
  func stopBackground(_ signal: Signal) throws(Errno) {
    sent.append((signal, currentGroup))
    throw .ERESTARTSYS
  }
}

@Suite struct LineDisciplineTests {
  let console = FakeConsole()
  let processes = FakeProcesses()
  let terminal: Terminal
  let context: FileSystemContext
  let file: OpenFile

  init() throws {
    let machine = TestMachine()
    let root = MemoryFileSystem(machine.environment, typeName: "tmpfs")
    context = FileSystemContext(Namespace(machine.environment, root: root, source: []))
    terminal = Terminal(console, number: DeviceNumber(major: 4, minor: 64), clock: machine.environment.clock)
    terminal.processes = processes
    terminal.takeControl()
    machine.environment.devices.register(TerminalDriver(terminal), .S_IFCHR, major: 4, minors: 64...64)
    try context.makeNode(
      Array("/tty".utf8), mode: FileMode(.S_IFCHR, FileMode(rawValue: 0o666)), device: DeviceNumber(major: 4, minor: 64)
    )
    file = try context.open("/tty", [.O_RDWR, .O_NONBLOCK])
  }

  private func type(_ text: String) { terminal.receive(Array(text.utf8)) }
  private func read(_ count: Int = 1000) throws -> String { String(decoding: try file.read(count), as: UTF8.self) }
  private func set(_ change: (inout Termios) -> Void) {
    var settings = terminal.settings
    change(&settings)
    terminal.apply(settings)
  }

  @Test func linesComeWhole() throws {
    type("hel")
    #expect(throws: Errno.EAGAIN) { try read() }
    #expect(!file.readiness.contains(.POLLIN))
    type("lo\rsecond\n")
    #expect(console.output == "hello\r\nsecond\r\n")
    #expect(file.readiness.contains(.POLLIN))
    #expect(try read(3) == "hel")
    #expect(try read() == "lo\n")
    #expect(try read() == "second\n")
    #expect(throws: Errno.EAGAIN) { try read() }
  }

  @Test func endOfFile() throws {
    type("abc\u{4}")
    #expect(try read() == "abc")
    type("\u{4}")
    #expect(try read() == "")
    #expect(throws: Errno.EAGAIN) { try read() }
    // A read that ends right in front of the mark takes it along.
    type("xyz\u{4}")
    #expect(try read(3) == "xyz")
    #expect(throws: Errno.EAGAIN) { try read() }
    #expect(console.output == "abcxyz")
  }

  @Test(arguments: [
    ("abx\u{7f}c\n", "abc\n", "abx\u{8} \u{8}c\r\n"),
    ("\u{7f}a\n", "a\n", "a\r\n"),
    ("one two\u{17}2\n", "one 2\n", "one two\u{8} \u{8}\u{8} \u{8}\u{8} \u{8}2\r\n"),
    ("a b  \u{17}\u{17}c\n", "c\n", "a b  " + String(repeating: "\u{8} \u{8}", count: 5) + "c\r\n"),
    ("gone\u{15}new\n", "new\n", "gone" + String(repeating: "\u{8} \u{8}", count: 4) + "new\r\n"),
    ("a\u{16}\u{3}b\n", "a\u{3}b\n", "a^\u{8}^Cb\r\n"),
    ("\u{1}\u{7f}x\n", "x\n", "^A\u{8} \u{8}\u{8} \u{8}x\r\n"),
    ("a\t\u{7f}b\n", "ab\n", "a\t" + String(repeating: "\u{8}", count: 7) + "b\r\n"),
    ("ab\u{12}c\n", "abc\n", "ab^R\r\nabc\r\n"),
  ])
  func editing(typed: String, line: String, echo: String) throws {
    type(typed)
    #expect(try read() == line)
    #expect(console.output == echo)
  }

  @Test func charactersOfSeveralBytesAreErasedWhole() throws {
    set { $0.c_iflag.insert(.IUTF8) }
    type("aé\u{7f}b\n")
    #expect(try read() == "ab\n")
    #expect(console.output == "aé\u{8} \u{8}b\r\n")
  }

  @Test func signals() throws {
    // What was typed in one go with the key is not echoed.
    type("line")
    type("lost\u{3}")
    type("x")
    type("\u{1c}")
    type("\u{1a}")
    type("y\n")
    #expect(processes.sent.map(\.0) == [.SIGINT, .SIGQUIT, .SIGTSTP])
    #expect(try read() == "y\n")
    #expect(console.output == "line^Cx^\\^Zy\r\n")
    set { $0.c_lflag.remove(.ISIG) }
    type("\u{3}\n")
    #expect(try read() == "\u{3}\n")
    #expect(processes.sent.count == 3)
  }

  @Test func rawMode() throws {
    set {
      $0.c_lflag.subtract([.ICANON, .ECHO, .ISIG, .IEXTEN])
      $0.c_iflag.subtract([.ICRNL, .IXON])
      $0.c_oflag.remove(.OPOST)
    }
    type("\u{3}\r\u{4}\u{7f}")
    #expect(file.readiness.contains(.POLLIN))
    #expect(try read(2) == "\u{3}\r")
    #expect(try read() == "\u{4}\u{7f}")
    #expect(console.output == "")
    try file.write("a\nb")
    #expect(console.output == "a\nb")
    #expect(throws: Errno.EAGAIN) { try read() }
    set { $0.c_cc[ControlCharacter.VMIN] = 0 }
    #expect(try read() == "")
    set { $0.c_cc[ControlCharacter.VMIN] = 3 }
    type("ab")
    #expect(!file.readiness.contains(.POLLIN))
  }

  @Test func changesOfModeKeepWhatWasTyped() throws {
    type("partial")
    set { $0.c_lflag.remove(.ICANON) }
    #expect(try read() == "partial")
    type("raw")
    set { $0.c_lflag.insert(.ICANON) }
    #expect(try read() == "raw")
    type("dropped")
    terminal.apply(terminal.settings, flush: true)
    type("\n")
    #expect(try read() == "\n")
  }

  @Test func translations() throws {
    set { $0.c_iflag = [.INLCR, .IGNCR] }
    type("a\r\n")
    #expect(throws: Errno.EAGAIN) { try read() }
    set {
      $0.c_iflag = []
      $0.c_oflag = [.OPOST, .OCRNL, .XTABS]
    }
    console.output = ""
    try file.write("ab\tc\rd\n")
    #expect(console.output.hasSuffix("c\nd\n"))
    set { $0.c_oflag = [.OPOST, .ONLCR] }
    console.output = ""
    try file.write(String(repeating: "x\n", count: 5000))
    #expect(console.output == String(repeating: "x\r\n", count: 5000))
  }

  @Test func flowControl() throws {
    type("\u{13}")
    #expect(throws: Errno.EAGAIN) { try file.write("x") }
    #expect(!file.readiness.contains(.POLLOUT))
    type("\u{11}")
    #expect(try file.write("x") == 1)
    #expect(console.output == "x")
  }

  @Test func longInput() throws {
    // A line without an end never stops the device, or its end could not come.
    type(String(repeating: "a", count: 10000))
    #expect(console.isInputEnabled)
    type("\n")
    #expect(try read(10000).utf8.count == 4096)
    set { $0.c_lflag.remove(.ICANON) }
    type(String(repeating: "b", count: 3000))
    #expect(!console.isInputEnabled)
    #expect(try read(3000).utf8.count == 3000)
    #expect(console.isInputEnabled)
  }

  @Test func controls() throws {
    let buffer = UserBuffer(count: 64)
    #expect(try file.control(.TCGETS, buffer.address) == 0)
    #expect(try UserMemory.load(Termios.self, at: buffer.address).c_lflag == terminal.settings.c_lflag)
    try UserMemory.store(Winsize(ws_row: 50, ws_col: 132), at: buffer.address)
    #expect(try file.control(.TIOCSWINSZ, buffer.address) == 0)
    #expect(terminal.window.ws_col == 132)
    #expect(processes.sent.last?.0 == .SIGWINCH)
    type("abc\nde")
    #expect(try file.control(.FIONREAD, buffer.address) == 0)
    #expect(try UserMemory.load(Int32.self, at: buffer.address) == 4)
    #expect(try file.control(.TIOCGPGRP, buffer.address) == 0)
    #expect(try UserMemory.load(Int32.self, at: buffer.address) == 1)
    try UserMemory.store(Int32(99), at: buffer.address)
    #expect(throws: Errno.ESRCH) { try file.control(.TIOCSPGRP, buffer.address) }
    try UserMemory.store(Int32(12), at: buffer.address)
    #expect(throws: Errno.EPERM) { try file.control(.TIOCSPGRP, buffer.address) }
    try UserMemory.store(Int32(5), at: buffer.address)
    #expect(try file.control(.TIOCSPGRP, buffer.address) == 0)
    // Now the caller is in the background.
    #expect(throws: Errno.ERESTARTSYS) { try read() }
    #expect(processes.sent.last?.0 == .SIGTTIN)
    #expect(try file.write("x") == 1)
    set { $0.c_lflag.insert(.TOSTOP) }
    #expect(throws: Errno.ERESTARTSYS) { try file.write("x") }
    #expect(throws: Errno.EFAULT) { try file.control(.TCGETS, 0) }
    #expect(throws: Errno.ENOTTY) { try file.control(.RNDGETENTCNT, buffer.address) }
  }

  @Test func hangUp() throws {
    terminal.hangUp(leaderExits: true)
    #expect(try read() == "")
    #expect(throws: Errno.EIO) { try file.write("x") }
    #expect(file.readiness.contains(.POLLHUP))
    #expect(processes.hungUp == [1] && processes.sent.last?.0 == .SIGHUP)
    #expect(throws: Errno.EIO) { try file.control(.TCGETS, 0) }
    #expect(throws: Errno.ENOTTY) { try file.control(.TIOCSPGRP, 0) }
    #expect(processes.controllingTerminal == nil && terminal.session == 0)
  }

  @Test func aLeaderWithoutATerminalTakesTheFirstThatItOpens() throws {
    terminal.hangUp(leaderExits: false)
    _ = try context.open("/tty", [.O_RDWR, .O_NOCTTY])
    _ = try context.open("/tty", .O_WRONLY)
    #expect(processes.controllingTerminal == nil)
    processes.isSessionLeader = false
    _ = try context.open("/tty", .O_RDWR)
    #expect(processes.controllingTerminal == nil)
    processes.isSessionLeader = true
    let file = try context.open("/tty", .O_RDWR)
    #expect(processes.controllingTerminal === terminal && terminal.session == 1 && terminal.foregroundGroup == 1)
    #expect(try file.control(.TIOCSCTTY, 0) == 0)
    // Another session's, unless the privileged insist.
    processes.currentSession = 2
    processes.currentGroup = 11
    processes.controllingTerminal = nil
    #expect(throws: Errno.EPERM) { try file.control(.TIOCSCTTY, 0) }
    processes.isPrivileged = false
    #expect(throws: Errno.EPERM) { try file.control(.TIOCSCTTY, 1) }
    processes.isPrivileged = true
    #expect(try file.control(.TIOCSCTTY, 1) == 0)
    #expect(terminal.session == 2 && terminal.foregroundGroup == 11)
    #expect(try file.control(.TIOCNOTTY, 0) == 0)
    #expect(processes.sent.map(\.0) == [.SIGHUP, .SIGCONT] && terminal.session == 0)
    #expect(throws: Errno.ENOTTY) { try file.control(.TIOCNOTTY, 0) }
  }
}

@Suite struct ConsolePipes {
  let console = FakeConsole()
  let context: FileSystemContext

  init() {
    let machine = TestMachine()
    let root = MemoryFileSystem(machine.environment, typeName: "tmpfs")
    context = FileSystemContext(Namespace(machine.environment, root: root, source: []))
  }

  @Test func bytesAndTheEnd() throws {
    let input = PipeInput(console)
    let stream = ConsoleStream(input: input, output: nil)
    let file = stream.open([.O_RDONLY, .O_NONBLOCK], in: context.namespace)
    #expect(throws: Errno.EAGAIN) { try file.read(10) }
    input.receive([1, 0x10])
    input.receive([0x10, 3, 0x04, 0x0a])
    #expect(try file.read(10) == [1, 0x10, 3, 4, 10])
    #expect(!file.readiness.contains(.POLLHUP))
    input.receive([0x61, 0x10, 0x04, 0x62])
    #expect(try file.read(10) == [0x61])
    #expect(try file.read(10) == [])
    #expect(file.readiness.contains(.POLLHUP))
    #expect(file.inode.mode.type == .S_IFIFO)
    #expect(throws: Errno.ENOTTY) { try file.control(.TCGETS, 0) }
    #expect(throws: Errno.ESPIPE) { try file.seek(0, .SEEK_CUR) }
    let again = try context.open(file.path, .O_RDONLY)
    #expect(try again.read(1) == [])
  }

  @Test func outputPassesUnchanged() throws {
    let stream = ConsoleStream(input: nil, output: PipeOutput(console))
    let file = stream.open(.O_WRONLY, in: context.namespace)
    #expect(try file.write("a\nb\u{10}") == 4)
    #expect(console.output == "a\nb\u{10}")
    #expect(throws: Errno.EBADF) { try file.read(1) }
  }

  @Test func fullInputHoldsTheDeviceUp() throws {
    let input = PipeInput(console)
    let file = ConsoleStream(input: input, output: nil).open(.O_RDONLY, in: context.namespace)
    for _ in 0..<1100 { input.receive([UInt8](repeating: 7, count: 64)) }
    #expect(!console.isInputEnabled)
    var total = 0
    while total < 70400 { total += try file.read(5000).count }
    #expect(total == 70400 && console.isInputEnabled)
  }
}

@Suite struct Devices {
  let context: FileSystemContext

  init() throws {
    let machine = TestMachine()
    MemoryDevices(RandomSource(), Log { _ in }).register(in: machine.environment.devices)
    let fileSystem = DeviceFileSystem(machine.environment)
    let root = MemoryFileSystem(machine.environment, typeName: "tmpfs")
    context = FileSystemContext(Namespace(machine.environment, root: root, source: []))
    try context.mkdir("/dev")
    context.namespace.mount(fileSystem, at: try context.resolve(Array("/dev".utf8)), source: Array("devtmpfs".utf8))
  }

  @Test func memoryDevices() throws {
    let null = try context.open("/dev/null", .O_RDWR)
    #expect(try null.read(10) == [])
    #expect(try null.write("abc") == 3)
    #expect(try null.seek(100, .SEEK_SET) == 0)
    let zero = try context.open("/dev/zero", .O_RDWR)
    #expect(try zero.read(5000) == [UInt8](repeating: 0, count: 5000))
    #expect(try zero.mappingCache() == nil)
    let full = try context.open("/dev/full", .O_RDWR)
    #expect(throws: Errno.ENOSPC) { try full.write("x") }
    #expect(try full.read(3) == [0, 0, 0])
    let random = try context.open("/dev/urandom", .O_RDWR)
    let bytes = try random.read(4096)
    #expect(bytes.count == 4096 && Set(bytes).count > 200)
    #expect(try random.read(16) != random.read(16))
    #expect(try random.write("seed") == 4)
    #expect(throws: Errno.ENODEV) { try null.mappingCache() }
    // The number is what counts, not the name.
    try context.makeNode(
      Array("/hole".utf8), mode: FileMode(.S_IFCHR, FileMode(rawValue: 0o666)), device: DeviceNumber(major: 1, minor: 3)
    )
    #expect(try context.open("/hole", .O_RDWR).read(1) == [])
  }

  @Test func nodes() throws {
    #expect(
      Set(try context.open("/dev").names()) == [
        ".", "..", "null", "zero", "full", "random", "urandom", "kmsg", "tty", "console", "fd", "stdin", "stdout",
        "stderr",
        "shm", "pts", "ptmx", "ttyS0",
      ])
    #expect(try context.readlink("/dev/stdin") == "/proc/self/fd/0")
    #expect(try context.stat("/dev/shm").st_mode.rawValue == 0o041777)
    #expect(try context.stat("/dev/null").st_mode.rawValue == 0o020666)
    #expect(throws: Errno.ENXIO) { try context.open("/dev/tty") }
  }
}
