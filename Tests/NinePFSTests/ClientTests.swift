import FileSystemTesting
import Kernel
import LinuxABI
import Platform
import Testing

@testable import NinePFS
@testable import VFSCore

/// A share of a fake server as the root of a tree.
struct TestShare {
  let machine: TestMachine
  let server: FakeServer
  let context: FileSystemContext

  init(megabytes: Int = 16, options: String = "", _ prepare: (FakeServer) -> Void = { _ in }) throws {
    machine = TestMachine(megabytes: megabytes)
    server = FakeServer()
    prepare(server)
    let share = try NinePFileSystem(machine.environment, server, options: Array(options.utf8))
    context = FileSystemContext(Namespace(machine.environment, root: share, source: Array("fs0".utf8)))
  }
}

func pattern(_ count: Int, seed: Int = 1) -> [UInt8] {
  (0..<count).map { UInt8(truncatingIfNeeded: ($0 &* 31 &+ $0 >> 8 &+ seed) &* 7) }
}

@Suite struct NinePClientTests {
  @Test func readsWhatTheServerHas() throws {
    let content = pattern(300_000)
    let test = try TestShare { $0.add("file", content: content) }
    let file = try test.context.open("/file")
    var read: [UInt8] = []
    while true {
      let piece = try file.read(65536)
      if piece.isEmpty { break }
      read += piece
    }
    #expect(read == content)
    #expect(try file.read(100, at: 299_990) == Array(content[299_990...]))
  }

  @Test func whatWasSeenIsNotAskedForAgain() throws {
    let test = try TestShare { $0.add("file", content: pattern(5000)) }
    let file = try test.context.open("/file")
    _ = try file.read(5000)
    _ = try? test.context.stat("/missing")
    test.server.resetCounts()
    #expect(try test.context.stat("/file").st_size == 5000)
    #expect(try test.context.open("/file").read(5000, at: 0) == pattern(5000))
    #expect(throws: Errno.ENOENT) { try test.context.stat("/missing") }
    #expect(test.server.requestCount == 0)
  }

  @Test func closeWritesBack() throws {
    let test = try TestShare()
    let file = try test.context.open("/new", [.O_RDWR, .O_CREAT])
    try file.write(pattern(200_000))
    try file.write([1, 2, 3], at: 100)
    try file.closed()
    var expected = pattern(200_000)
    expected.replaceSubrange(100..<103, with: [1, 2, 3])
    #expect(test.server.root.child(Array("new".utf8))?.content == expected)
  }

  @Test func aPartOfAPageKeepsTheRest() throws {
    let test = try TestShare { $0.add("file", content: pattern(10_000)) }
    let file = try test.context.open("/file", .O_RDWR)
    try file.write([9, 9], at: 5000)
    try file.synchronize(dataOnly: false)
    var expected = pattern(10_000)
    expected.replaceSubrange(5000..<5002, with: [9, 9])
    #expect(test.server.root.entries[0].node.content == expected)
    #expect(test.server.counts[50] == 1)
  }

  @Test func shortCountsAreMadeUp() throws {
    let content = pattern(100_000)
    let test = try TestShare {
      $0.add("file", content: content)
      $0.countLimit = 1000
    }
    let file = try test.context.open("/file", .O_RDWR)
    #expect(try file.read(100_000) == content)
    try file.write(pattern(50_000, seed: 5), at: 777)
    try file.closed()
    #expect(Array(test.server.root.entries[0].node.content[777..<50_777]) == pattern(50_000, seed: 5))
  }

  @Test func repliesMayComeLateAndInAnyOrder() throws {
    let content = pattern(900_000)
    let test = try TestShare { $0.add("file", content: content) }
    test.server.isLate = true
    let file = try test.context.open("/file", .O_RDWR)
    #expect(try file.read(900_000) == content)
    try file.write(pattern(900_000, seed: 3), at: 0)
    try file.closed()
    #expect(test.server.root.entries[0].node.content == pattern(900_000, seed: 3))
  }

  @Test(arguments: [Errno.EIO, .EACCES, .ENOSPC, .ESTALE])
  func errorsReachTheCaller(_ error: Errno) throws {
    let test = try TestShare { $0.add("file", content: pattern(10_000)) }
    let file = try test.context.open("/file", .O_RDWR)
    test.server.interceptor = { type, _ in type == 116 || type == 118 ? FakeServer.error(error) : nil }
    #expect(throws: error) { try file.read(100) }
    try file.write(pattern(4096), at: 0)
    #expect(throws: error) { try file.closed() }
    // An error is told once.
    try file.closed()
    test.server.interceptor = nil
    #expect(try file.read(10, at: 5000) == Array(pattern(10_000)[5000..<5010]))
  }

  @Test func whatWasUnlinkedStaysUsable() throws {
    let test = try TestShare { $0.add("file", content: pattern(50_000)) }
    let file = try test.context.open("/file", .O_RDWR)
    try test.context.unlink("/file")
    #expect(file.inode.stat().st_nlink == 0)
    #expect(try file.read(50_000) == pattern(50_000))
    try file.truncate(to: 10)
    try file.write([1], at: 20)
    #expect(try file.read(100, at: 0) == Array(pattern(10)) + [UInt8](repeating: 0, count: 10) + [1])
    #expect(throws: Errno.ENOENT) { try test.context.stat("/file") }
    // The name is free for another.
    try test.context.open("/file", [.O_WRONLY, .O_CREAT]).write("other")
    #expect(try file.read(1, at: 20) == [1])
  }

  @Test func renamedOverWhatIsOpen() throws {
    let test = try TestShare {
      $0.add("a", content: Array("new".utf8))
      $0.add("b", content: Array("old".utf8))
    }
    let old = try test.context.open("/b")
    try test.context.rename("/a", "/b")
    #expect(try old.read(10) == Array("old".utf8))
    #expect(try test.context.open("/b").read(10) == Array("new".utf8))
    #expect(throws: Errno.ENOENT) { try test.context.stat("/a") }
    try test.context.mkdir("/c")
    #expect(throws: Errno.EINVAL) { try test.context.rename("/b", "/c", .RENAME_EXCHANGE) }
  }

  @Test func hardLinksAreOneFile() throws {
    let test = try TestShare { $0.add("a", content: Array("text".utf8)) }
    try test.context.link("/a", "/b")
    let file = try test.context.open("/a", .O_RDWR)
    try file.write("TEXT")
    #expect(try test.context.open("/b").read(10) == Array("TEXT".utf8))
    #expect(try test.context.stat("/a").st_ino == test.context.stat("/b").st_ino)
    try test.context.unlink("/a")
    #expect(try test.context.stat("/b").st_nlink == 1)
  }

  @Test func listsALargeDirectoryWhileItIsEmptied() throws {
    let test = try TestShare { server in for i in 0..<3000 { server.add("name\(i)") } }
    let directory = try test.context.open("/", .O_DIRECTORY)
    var names: Set<String> = []
    while true {
      let batch = try directory.entries(perCall: 500)
      if batch.isEmpty { break }
      for entry in batch where entry.name != "." && entry.name != ".." { names.insert(entry.name) }
    }
    #expect(names.count == 3000)
    // A position that was told leads to where it was told.
    _ = try directory.seek(0, .SEEK_SET)
    let first = try directory.entries(perCall: 500)
    let second = try directory.entries(perCall: 500)
    _ = try directory.seek(first.last!.next, .SEEK_SET)
    #expect(try directory.entries(perCall: 500).map(\.name) == second.map(\.name))
  }

  @Test func makesAllKinds() throws {
    let test = try TestShare()
    try test.context.mkdir("/directory", mode: 0o750)
    try test.context.symlink("directory", "/link")
    try test.context.open("/link/file", [.O_WRONLY, .O_CREAT]).write("text")
    #expect(try test.context.readlink("/link") == "directory")
    #expect(try test.context.stat("/directory/file").st_size == 4)
    #expect(throws: Errno.ENOTEMPTY) { try test.context.rmdir("/directory") }
    try test.context.unlink("/directory/file")
    try test.context.rmdir("/directory")
    #expect(throws: Errno.ENOENT) { try test.context.stat("/link") }
  }

  @Test func memoryIsGivenBack() throws {
    let content = pattern(3 << 20)
    let test = try TestShare(megabytes: 2) { $0.add("file", content: content) }
    let file = try test.context.open("/file")
    var position = 0
    while position < content.count {
      let piece = try file.read(65536, at: Int64(position))
      #expect(piece == Array(content[position..<position + piece.count]))
      position += piece.count
      if piece.isEmpty { break }
    }
    #expect(position == content.count)
  }

  @Test func changesOfOthersAreSeenAtOpen() throws {
    let test = try TestShare(options: "cache=close") { $0.add("file", content: Array("one".utf8)) }
    #expect(try test.context.open("/file").read(10) == Array("one".utf8))
    test.server.root.entries[0].node.content = Array("three".utf8)
    test.server.root.entries[0].node.modification += 1
    #expect(try test.context.open("/file").read(10) == Array("three".utf8))
  }

  @Test func withoutCacheNothingIsKept() throws {
    let test = try TestShare(options: "cache=none") { $0.add("file", content: Array("one".utf8)) }
    let file = try test.context.open("/file", .O_RDWR)
    #expect(try file.read(10, at: 0) == Array("one".utf8))
    test.server.root.entries[0].node.content = Array("two".utf8)
    #expect(try file.read(10, at: 0) == Array("two".utf8))
    try file.write("2", at: 0)
    #expect(test.server.root.entries[0].node.content == Array("2wo".utf8))
  }

  @Test func wrongOptionsAreRefused() throws {
    let machine = TestMachine()
    for options in ["cache=perhaps", "msize=1", "msize=99999999999", "trans=tcp", "nonsense"] {
      #expect(throws: Errno.EINVAL) {
        try NinePFileSystem(machine.environment, FakeServer(), options: Array(options.utf8))
      }
    }
  }

  // MARK: What a server does not say

  @Test(arguments: [false, true])
  func whoIsKilledDoesNotWaitForTheServer(_ forgets: Bool) throws {
    let test = try TestShare {
      $0.add("file", content: pattern(100_000))
      $0.add("other", content: pattern(10))
      $0.add("directory", 0o040755)
      $0.honoursFlush = forgets
    }
    let file = try test.context.open("/file", .O_RDWR)
    let fids = test.server.fidCount
    test.server.isSilent = true
    #expect(throws: Errno.EINTR) { try test.context.stat("/other") }
    #expect(throws: Errno.EINTR) { try test.context.stat("/directory/none") }
    #expect(throws: Errno.EINTR) { try file.read(100) }
    // More than there are tags.
    for _ in 0..<20 { #expect(throws: Errno.EINTR) { try test.context.stat("/other") } }
    test.server.speakAgain()
    #expect(test.server.tagsInUse == 0)
    #expect(try test.context.stat("/other").st_size == 10)
    #expect(try file.read(100) == Array(pattern(100)))
    // One for `other`; what was walked to without anybody waiting for it has been given back. The server that forgets has
    // walked all the same here, which no client could know.
    if !forgets { #expect(test.server.fidCount == fids + 1) }
    #expect((test.server.flushed > 0) == forgets)
  }

  @Test func aWriterThatIsKilledLeavesItsChanges() throws {
    let test = try TestShare { $0.add("file", content: pattern(8192)) }
    let file = try test.context.open("/file", .O_RDWR)
    test.server.isSilent = true
    #expect(throws: Errno.EINTR) { try file.write([1, 2, 3], at: 5000) }
    try file.write(pattern(4096, seed: 9), at: 0)
    #expect(throws: Errno.EINTR) { try file.closed() }
    test.server.speakAgain()
    try file.closed()
    #expect(test.server.root.entries[0].node.content == pattern(4096, seed: 9) + pattern(8192)[4096...])
  }

  @Test func whatIsDirtyIsLimitedOverAllFiles() throws {
    let test = try TestShare(megabytes: 4)
    test.server.isLate = true
    let dirty = test.machine.environment.dirtyPages
    try dirty.set(.bytes, 128 * 4096)
    #expect(dirty.limit == 128)
    #expect(dirty[.ratio] == 0)
    let files = try (0..<6).map { try test.context.open("/\($0)", [.O_RDWR, .O_CREAT]) }
    for round in 0..<20 {
      for file in files {
        try file.write(pattern(16384, seed: round))
        #expect(dirty.count <= dirty.limit + 4)
      }
    }
    try test.context.namespace.synchronize()
    #expect(dirty.count == 0)
    for entry in test.server.root.entries {
      #expect(entry.node.content.count == 20 * 16384)
      #expect(Array(entry.node.content[(19 * 16384)...]) == pattern(16384, seed: 19))
    }
  }

  @Test func whatIsOldIsWrittenByItself() throws {
    let test = try TestShare()
    let clock = Clock(tscBase: 0, ticksPerSecond: 1_000_000_000)
    let timers = TimerQueue(clock: clock)
    let dirty = test.machine.environment.dirtyPages
    dirty.start(timers)
    #expect(timers.nextDeadline == nil)
    try dirty.set(.expireCentiseconds, 3)
    try dirty.set(.writeBackCentiseconds, 1)
    let file = try test.context.open("/file", [.O_RDWR, .O_CREAT])
    try file.write(pattern(8192))
    let written = timers.now()
    while let next = timers.nextDeadline {
      while timers.now() < next {}
      timers.expire()
      // Not before it is old.
      #expect(dirty.count == 2 || timers.now() - written >= 30_000_000)
    }
    #expect(dirty.count == 0)
    #expect(test.server.root.entries[0].node.content == pattern(8192))
    // Never, and then all the same.
    try dirty.set(.writeBackCentiseconds, 0)
    try file.write(pattern(4096, seed: 3), at: 0)
    #expect(timers.nextDeadline == nil)
    try dirty.set(.writeBackCentiseconds, 1)
    #expect(timers.nextDeadline != nil)
    #expect(throws: Errno.EINVAL) { try dirty.set(.ratio, 101) }
    #expect(throws: Errno.EINVAL) { try dirty.set(.bytes, 0) }
    try dirty.set(.ratio, 30)
    #expect(dirty[.bytes] == 0)
  }

  @Test func whatIsCutWithoutANameStaysWithTheServer() throws {
    let test = try TestShare()
    let file = try test.context.open("/file", [.O_RDWR, .O_CREAT])
    let node = test.server.root.entries[0].node
    try file.write(pattern(100_000))
    try file.synchronize(dataOnly: false)
    try test.context.unlink("/file")
    try file.truncate(to: 5000)
    #expect(Array(node.content[5000..<100_000]) == [UInt8](repeating: 0, count: 95_000))
    try file.write(pattern(10, seed: 5), at: 90_000)
    test.context.namespace.mounts[0].fileSystem.startWriteBack()
    #expect(test.machine.environment.dirtyPages.count == 0)
    _ = test.machine.environment.frames.reclaimer?(1000, true)
    _ = test.machine.environment.frames.reclaimer?(1000, true)
    let expected = pattern(100_000)[..<5000] + [UInt8](repeating: 0, count: 85_000) + pattern(10, seed: 5)
    #expect(try file.read(100_000, at: 0) == Array(expected))
  }

  @Test func unmountedItGivesBackItsFids() throws {
    let machine = TestMachine()
    let server = FakeServer()
    server.add("file", content: pattern(5000))
    for _ in 0..<3 {
      let share = try NinePFileSystem(machine.environment, server)
      let context = FileSystemContext(Namespace(machine.environment, root: share, source: []))
      do {
        let file = try context.open("/file", [.O_RDWR])
        #expect(try file.read(10_000) == pattern(5000))
        try file.write([7], at: 0)
        try file.closed()
      }
      share.didLoseLastMount()
      #expect(share.isClosed)
      try share.endSession()
      #expect(server.fidCount == 0)
      server.root.entries[0].node.content[0] = pattern(1)[0]
    }
  }

  @Test func aFullShareIsToldAtTheNextFsync() throws {
    let test = try TestShare()
    let file = try test.context.open("/file", [.O_RDWR, .O_CREAT])
    test.server.interceptor = { type, _ in type == 118 ? FakeServer.error(.ENOSPC) : nil }
    // Written in the background meanwhile.
    for _ in 0..<40 { try file.write(pattern(65536)) }
    #expect(throws: Errno.ENOSPC) { try file.synchronize(dataOnly: true) }
    test.server.interceptor = nil
    try file.synchronize(dataOnly: true)
    try file.closed()
  }

  // MARK: What no server should say

  @Test(arguments: 0..<60)
  func nothingAServerSaysDoesHarm(_ seed: Int) throws {
    var state = UInt64(seed) &* 0x9e37_79b9_7f4a_7c15 | 1
    func random(_ limit: Int) -> Int {
      state ^= state << 13
      state ^= state >> 7
      state ^= state << 17
      return Int(state % UInt64(limit))
    }
    let test = try TestShare {
      $0.add("file", content: pattern(20_000))
      $0.add("directory", 0o040755)
    }
    test.server.interceptor = { type, _ in
      if random(3) != 0 { return nil }
      // A header that may be right, and anything behind it.
      let count = random(64)
      var body = (0..<count).map { _ in UInt8(truncatingIfNeeded: random(256)) }
      if random(2) == 0, count > 4 { body[1...3] = [0, 0, 0] }
      let size = random(4) == 0 ? UInt32(truncatingIfNeeded: random(1 << 32)) : UInt32(7 + count)
      let tag = UInt16(random(4) == 0 ? random(65536) : 0)
      return FakeServer.little(size) + [random(4) == 0 ? UInt8(random(256)) : type + 1] + FakeServer.little(tag) + body
    }
    for _ in 0..<20 {
      _ = try? test.context.stat("/file")
      _ = try? test.context.stat("/directory/none\(random(9))")
      if let file = try? test.context.open("/file", .O_RDWR) {
        _ = try? file.read(9000, at: Int64(random(20_000)))
        _ = try? file.write(pattern(random(9000) + 1), at: Int64(random(20_000)))
        _ = try? file.truncate(to: Int64(random(30_000)))
        try? file.closed()
      }
      _ = try? test.context.open("/directory", .O_DIRECTORY).names()
      _ = try? test.context.readlink("/file")
      _ = try? test.context.mkdir("/d\(random(5))")
      _ = try? test.context.rename("/d\(random(5))", "/d\(random(5))")
      _ = try? test.context.unlink("/f\(random(5))")
    }
  }
}
