import FileSystemTesting
import Kernel
import LinuxABI
import Testing
import VFSCore

@testable import DevFS

@Suite struct PseudoTerminalTests {
  let context: FileSystemContext
  let processes = FakeProcesses()
  let terminals: PseudoTerminals

  init() throws {
    let machine = TestMachine()
    let environment = machine.environment
    terminals = PseudoTerminals(environment, processes: processes)
    terminals.register(in: environment.devices)
    let root = MemoryFileSystem(environment, typeName: "tmpfs")
    context = FileSystemContext(Namespace(environment, root: root, source: []))
    try context.mkdir("/dev")
    context.namespace.mount(
      DeviceFileSystem(environment), at: try context.resolve(Array("/dev".utf8)), source: Array("devtmpfs".utf8))
    terminals.mount = context.namespace.mount(
      try terminals.makeFileSystem(environment, options: Array("gid=5,mode=620,ptmxmode=000".utf8)),
      at: try context.resolve(Array("/dev/pts".utf8)), source: Array("devpts".utf8))
  }

  /// A master, and its slave unlocked and open.
  private func pair() throws -> (master: OpenFile, slave: OpenFile) {
    let master = try context.open("/dev/ptmx", [.O_RDWR, .O_NONBLOCK])
    let buffer = UserBuffer(count: 8)
    try UserMemory.store(Int32(0), at: buffer.address)
    _ = try master.control(.TIOCSPTLCK, buffer.address)
    return (master, try master.openPeer([.O_RDWR, .O_NOCTTY, .O_NONBLOCK]))
  }

  @Test func nodesComeAndGo() throws {
    var master: OpenFile? = try context.open("/dev/ptmx", .O_RDWR)
    let other = try context.open("/dev/pts/ptmx", .O_RDWR)
    #expect(terminals.count == 2)
    #expect(Set(try context.open("/dev/pts").names()) == [".", "..", "ptmx", "0", "1"])
    let status = try context.stat("/dev/pts/0")
    #expect(status.st_mode.rawValue == 0o020620 && status.st_uid == 7 && status.st_gid == 5 && status.st_ino == 3)
    #expect(status.st_rdev == DeviceNumber(major: 136, minor: 0).encoded)
    #expect(throws: Errno.EIO) { try context.open("/dev/pts/0", .O_RDWR) }
    let buffer = UserBuffer(count: 8)
    #expect(try other.control(.TIOCGPTN, buffer.address) == 0)
    #expect(try UserMemory.load(Int32.self, at: buffer.address) == 1)
    withExtendedLifetime(master) {}
    master = nil
    #expect(terminals.count == 1)
    #expect(throws: Errno.ENOENT) { try context.stat("/dev/pts/0") }
    master = try context.open("/dev/ptmx", .O_RDWR)
    #expect(try context.stat("/dev/pts/0").st_ino == 3)
    #expect(context.namespace.mounts.last?.fileSystem.optionText == Array("gid=5,mode=620,ptmxmode=000".utf8))
  }

  @Test func thereAreOnlySoMany() throws {
    var masters: [OpenFile] = []
    for _ in 0..<terminals.limit { masters.append(try context.open("/dev/ptmx", .O_RDWR)) }
    #expect(throws: Errno.ENOSPC) { try context.open("/dev/ptmx", .O_RDWR) }
    masters.removeLast()
    _ = try context.open("/dev/ptmx", .O_RDWR)
    masters = []
    #expect(terminals.count == 0)
  }

  @Test func wrongOptions() {
    let environment = context.namespace.environment
    for options in ["mode=9", "gid=", "gid=99999999999", "size=1", "mode", "uid=-1", "ptmxmode=0x1"] {
      #expect(throws: Errno.EINVAL) { try terminals.makeFileSystem(environment, options: Array(options.utf8)) }
    }
  }

  @Test func bothWays() throws {
    let (master, slave) = try pair()
    #expect(try master.write("line\n") == 5)
    #expect(try slave.read(100) == Array("line\n".utf8))
    #expect(try master.read(100) == Array("line\r\n".utf8))
    #expect(throws: Errno.EAGAIN) { try master.read(1) }
    #expect(try slave.write("x\n") == 2)
    #expect(try master.read(2) == Array("x\r".utf8))
    #expect(try master.read(2) == Array("\n".utf8))
  }

  @Test func aFullTerminalHoldsTheMasterUpAndLosesNothing() throws {
    let (master, slave) = try pair()
    guard let terminal = (slave as? TerminalFile)?.terminal else { return }
    var settings = terminal.settings
    settings.c_lflag = []
    terminal.apply(settings)
    let text = String(repeating: "0123456789abcdef", count: 64)
    var sent = 0
    while true { do { sent += try master.write(text) } catch { break } }
    #expect(sent > 4096 && !master.readiness.contains(.POLLOUT))
    var taken: [UInt8] = []
    while true {
      let bytes = (try? slave.read(1000)) ?? []
      if bytes.isEmpty { break }
      taken += bytes
    }
    #expect(taken.count == sent)
    #expect(taken.indices.allSatisfy { taken[$0] == Array(text.utf8)[$0 % text.utf8.count] })
    #expect(master.readiness.contains(.POLLOUT))
  }

  @Test func theEndOfEitherSide() throws {
    var (master, slave): (OpenFile?, OpenFile?) = try pair()
    guard let terminal = (slave as? TerminalFile)?.terminal else { return }
    terminal.takeControl()
    #expect(try slave?.write("last") == 4)
    slave = nil
    #expect(try master?.read(10) == Array("last".utf8))
    #expect(throws: Errno.EIO) { try master?.read(10) }
    #expect(master?.readiness.contains(.POLLHUP) == true)
    slave = try master?.openPeer([.O_RDWR, .O_NOCTTY, .O_NONBLOCK])
    #expect(throws: Errno.EAGAIN) { try master?.read(10) }
    master = nil
    #expect(processes.hungUp == [1])
    #expect(try slave?.read(10) == [])
    #expect(throws: Errno.EIO) { try slave?.write("x") }
    #expect(slave?.readiness.contains(.POLLHUP) == true)
  }

  @Test func packets() throws {
    let (master, slave) = try pair()
    let buffer = UserBuffer(count: 8)
    try UserMemory.store(Int32(1), at: buffer.address)
    _ = try master.control(.TIOCPKT, buffer.address)
    #expect(try slave.write("ab") == 2)
    #expect(try master.read(2) == [0, UInt8(ascii: "a")])
    _ = try slave.control(.TCXONC, UInt(FlowAction.TCOOFF))
    #expect(master.readiness.contains(.POLLPRI))
    #expect(try master.read(10) == [4])
    #expect(try master.read(10) == [0, UInt8(ascii: "b")])
  }
}
