import FileSystemTesting
import Kernel
import LinuxABI
import Platform
import Support
import Testing
import VFSCore

@testable import CpioFS

/// Writes `newc` members byte by byte, so that tests can make what no tool would.
struct ArchiveText {
  var bytes: [UInt8] = []
  var nextInode: UInt32 = 1

  mutating func add(
    _ name: String, _ data: [UInt8] = [], mode: UInt32 = 0o100644, inode: UInt32? = nil, links: UInt32 = 1,
    time: UInt32 = 1_000_000_000, rdev: (UInt32, UInt32) = (0, 0), alignData: Bool = false
  ) {
    let number = inode ?? nextInode
    nextInode += 1
    var stored = Array(name.utf8) + [0]
    if alignData { while (bytes.count + 110 + stored.count) % 4096 != 0 { stored.append(0) } }
    let fields = [
      number, mode, 7, 8, links, time, UInt32(data.count), 0, 0, rdev.0, rdev.1, UInt32(stored.count), 0,
    ]
    bytes += Array("070701".utf8)
    for field in fields {
      let digits = String(field, radix: 16, uppercase: true)
      bytes += Array((String(repeating: "0", count: 8 - digits.count) + digits).utf8)
    }
    bytes += stored
    pad()
    bytes += data
    pad()
  }
  mutating func add(_ name: String, _ text: String, mode: UInt32 = 0o100644, inode: UInt32? = nil, links: UInt32 = 1) {
    add(name, Array(text.utf8), mode: mode, inode: inode, links: links)
  }
  mutating func pad() { while bytes.count % 4 != 0 { bytes.append(0) } }
  mutating func end() { add("TRAILER!!!", mode: 0) }
}

func load(_ archive: ArchiveText, megabytes: Int = 16) throws -> (
  context: FileSystemContext, machine: TestMachine, start: UInt
) {
  let machine = TestMachine(megabytes: megabytes)
  let start = FakeMachine.reserve(bytes: archive.bytes.count)
  for (index, byte) in archive.bytes.enumerated() { PhysicalMemory.store(byte, at: start + UInt(index)) }
  let fileSystem = CpioFileSystem(machine.environment)
  try fileSystem.load(archive.bytes.span.bytes, at: start)
  let context = FileSystemContext(Namespace(machine.environment, root: fileSystem, source: Array("rootfs".utf8)))
  return (context, machine, start)
}

@Suite struct LoadingArchives {
  @Test func tree() throws {
    var archive = ArchiveText()
    archive.add(".", mode: 0o040711)
    archive.add("bin", mode: 0o040755)
    archive.add("bin/prog", [UInt8](repeating: 0x42, count: 10000), mode: 0o100755, alignData: true)
    archive.add("./etc/deep/file", "text")
    archive.add("/absolute", "a")
    archive.add("bin/link", "prog", mode: 0o120777)
    archive.add("dev/null", mode: 0o020666, rdev: (1, 3))
    archive.add("empty")
    archive.end()
    let (context, machine, start) = try load(archive)
    #expect(try context.stat("/").st_mode.rawValue == 0o040711)
    #expect(try context.stat("/").st_uid == 7)
    #expect(try context.content("/etc/deep/file") == "text")
    #expect(try context.content("/absolute") == "a")
    #expect(try context.content("/empty") == "")
    #expect(try context.stat("/etc").st_mode.rawValue == 0o040755)
    #expect(try context.readlink("/bin/link") == "prog")
    #expect(try context.stat("/dev/null").st_rdev == 0x103)
    let stat = try context.stat("/bin/link")
    #expect(stat.st_size == 10000 && stat.st_blocks == 24 && stat.st_uid == 7 && stat.st_gid == 8)
    #expect(stat.st_mtim.tv_sec == 1_000_000_000)
    #expect(stat.st_mode.rawValue == 0o100755)

    // Aligned data is mapped where it lies; nothing was copied.
    let file = try context.open("/bin/prog")
    let cache = try #require(try file.mappingCache())
    let free = machine.frames.freeFrames
    let first = try #require(try cache.frame(at: 0, forWriting: false))
    #expect(first.physical >= start && first.physical < start + UInt(archive.bytes.count))
    #expect(machine.frames.freeFrames == free)
    #expect(try file.read(20000) == [UInt8](repeating: 0x42, count: 10000))
  }

  @Test func writing() throws {
    var archive = ArchiveText()
    archive.add("f", "0123456789")
    archive.add("g", "next")
    archive.end()
    let (context, _, start) = try load(archive)
    let file = try context.open("/f", .O_RDWR)
    try file.write("AB", at: 3)
    try file.write("!", at: 12)
    #expect(try context.content("/f") == "012AB56789\0\0!")
    #expect(try context.content("/g") == "next")
    for (index, byte) in archive.bytes.enumerated() {
      #expect(PhysicalMemory.load(UInt8.self, at: start + UInt(index)) == byte)
    }
    try context.rename("/f", "/g")
    try context.mkdir("/d")
    #expect(try context.content("/g").hasPrefix("012AB"))
  }

  @Test func laterMembersReplaceEarlierOnes() throws {
    var archive = ArchiveText()
    archive.add("f", "old")
    archive.add("d/x", "kept")
    archive.add("l", "f", mode: 0o120777)
    archive.add("f", "new")
    archive.add("d", mode: 0o040700)
    archive.add("l", "plain")
    archive.add("d", "a file cannot replace a directory that is not empty")
    archive.add("f/x", "no directory")
    archive.end()
    let (context, _, _) = try load(archive)
    #expect(try context.content("/f") == "new")
    #expect(try context.content("/d/x") == "kept")
    #expect(try context.stat("/d").st_mode.rawValue == 0o040700)
    #expect(try context.stat("/l", .AT_SYMLINK_NOFOLLOW).st_mode.type == .S_IFREG)
    #expect(try context.stat("/").st_nlink == 3)
  }

  @Test func hardLinks() throws {
    var archive = ArchiveText()
    archive.add("a", inode: 50, links: 3)
    archive.add("b", inode: 50, links: 3)
    archive.add("sub/c", "data", inode: 50, links: 3)
    archive.add("other", "alone", inode: 51, links: 2)
    archive.add("s1", "target", mode: 0o120777, inode: 60, links: 2)
    archive.add("s2", "", mode: 0o120777, inode: 60, links: 2)
    archive.end()
    // A second archive counts its inodes anew.
    var second = ArchiveText()
    second.add("z", "zz", inode: 50, links: 2)
    second.end()
    archive.bytes += second.bytes
    let (context, _, _) = try load(archive)
    for name in ["/a", "/b", "/sub/c"] {
      #expect(try context.content(name) == "data")
      #expect(try context.stat(name).st_nlink == 3)
      #expect(try context.stat(name).st_ino == context.stat("/a").st_ino)
    }
    #expect(try context.content("/z") == "zz")
    #expect(try context.stat("/z").st_nlink == 1)
    #expect(try context.readlink("/s2") == "target")
    try context.open("/b", .O_WRONLY).write("D")
    #expect(try context.content("/a") == "Data")
  }

  @Test func faultsAreReportedAndWhatCameBeforeStays() throws {
    var archive = ArchiveText()
    archive.add("first", "1")
    let machine = TestMachine()
    let fileSystem = CpioFileSystem(machine.environment)
    #expect(throws: CPIOError.self) { try fileSystem.load(archive.bytes.span.bytes, at: 0) }
    #expect(fileSystem.root.child(Array("first".utf8)) != nil)
    archive.add("../evil", "x")
    archive.end()
    #expect(throws: CPIOError.self) { try CpioFileSystem(machine.environment).load(archive.bytes.span.bytes, at: 0) }
    for count in 0..<archive.bytes.count {
      let cut = Array(archive.bytes[..<count])
      #expect(throws: CPIOError.self) { try CpioFileSystem(machine.environment).load(cut.span.bytes, at: 0) }
    }
  }

  @Test func tooLittleMemoryIsNoticed() throws {
    var archive = ArchiveText()
    for index in 0..<4000 { archive.add("file\(index)") }
    archive.end()
    let machine = TestMachine(megabytes: 4)
    let fileSystem = CpioFileSystem(machine.environment)
    fileSystem.inodeLimit = 100
    try fileSystem.load(archive.bytes.span.bytes, at: 0)
    #expect(fileSystem.outOfSpace)
  }
}
