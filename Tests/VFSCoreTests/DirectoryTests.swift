import FileSystemTesting
import Kernel
import LinuxABI
import Testing

@testable import VFSCore

@Suite struct Directories {
  let context = makeContext()

  @Test func listing() throws {
    try context.mkdir("/d")
    for name in ["a", "b", "c"] { try context.make("/d/" + name) }
    try context.mkdir("/d/sub")
    try context.symlink("a", "/d/link")
    let directory = try context.open("/d")
    let entries = try directory.entries()
    // The newest first, as tmpfs.
    #expect(entries.map(\.name) == [".", "..", "link", "sub", "c", "b", "a"])
    #expect(
      entries.map(\.type) == [4, 4, 10, 4, 8, 8, 8])
    #expect(entries[0].number == (try context.stat("/d").st_ino))
    #expect(entries[1].number == (try context.stat("/").st_ino))
    #expect(entries[4].number == (try context.stat("/d/c").st_ino))
    #expect(try directory.entries().isEmpty)
    // d_off leads back to what comes after an entry.
    for (index, entry) in entries.enumerated() {
      _ = try directory.seek(entry.next, .SEEK_SET)
      #expect(try directory.names() == entries[(index + 1)...].map(\.name))
    }
    _ = try directory.seek(0, .SEEK_SET)
    #expect(throws: Errno.EINVAL) { try directory.entries(perCall: 20) }
    #expect(throws: Errno.EISDIR) { try directory.read(10) }
    #expect(throws: Errno.EINVAL) { try directory.seek(0, .SEEK_END) }
  }

  @Test func deletionWhileListing() throws {
    try context.mkdir("/d")
    let all = Set((0..<500).map { "file\($0)" })
    for name in all { try context.make("/d/" + name) }
    let directory = try context.open("/d")
    var seen: [String] = []
    while true {
      let batch = try directory.entries(perCall: 200).map(\.name)
      if batch.isEmpty { break }
      for name in batch where name.hasPrefix("file") {
        seen.append(name)
        try context.unlink("/d/" + name)
      }
    }
    #expect(seen.count == 500 && Set(seen) == all)
    try context.rmdir("/d")
    #expect(throws: Errno.ENOENT) { try directory.entries() }
  }

  @Test func creationWhileListingComesToAnEnd() throws {
    try context.mkdir("/d")
    for index in 0..<50 { try context.make("/d/old\(index)") }
    let directory = try context.open("/d")
    var seen: [String] = []
    while seen.count < 1000 {
      let batch = try directory.entries(perCall: 64).map(\.name)
      if batch.isEmpty { break }
      seen += batch
      for name in batch where name.hasPrefix("old") { try context.rename("/d/" + name, "/d/new" + name) }
    }
    #expect(seen.filter { $0.hasPrefix("old") }.count == 50)
    #expect(seen.count == 52)
  }

  /// A set of names decides what must be found after random insertions, removals and moves.
  @Test(arguments: [1, 2, 3]) func table(seed: UInt64) throws {
    var random = seed
    func next(_ below: Int) -> Int {
      random = random &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int(random >> 33) % below
    }
    try context.mkdir("/d")
    var names: Set<String> = []
    for round in 0..<6000 {
      // Grows, then shrinks.
      let name = "n\(next(round < 3000 ? 800 : 300))"
      let isInsertion = next(10) < (round < 3000 ? 7 : 3)
      if isInsertion {
        if names.insert(name).inserted { try context.make("/d/" + name) }
      } else if names.remove(name) != nil {
        try context.unlink("/d/" + name)
      } else {
        #expect(throws: Errno.ENOENT) { try context.unlink("/d/" + name) }
      }
      if round % 500 == 0 {
        #expect(Set(try context.open("/d").names()) == names.union([".", ".."]))
        #expect(try context.stat("/d").st_size == Int64(40 + 20 * names.count))
      }
    }
    for name in names { #expect(try context.stat("/d/" + name).st_nlink == 1) }
  }

  @Test func countsAndSizesAreThoseOfTmpfs() throws {
    #expect(try context.stat("/").st_nlink == 2)
    #expect(try context.stat("/").st_size == 40)
    try context.mkdir("/d")
    try context.mkdir("/d/e")
    try context.make("/d/f", "abc")
    #expect(try context.stat("/d").st_nlink == 3)
    #expect(try context.stat("/d").st_size == 80)
    #expect(try context.stat("/d").st_blocks == 0)
    #expect(try context.stat("/d/f").st_blocks == 8)
    try context.link("/d/f", "/d/g")
    #expect(try context.stat("/d/g").st_nlink == 2)
    try context.rename("/d/e", "/e")
    #expect(try context.stat("/d").st_nlink == 2)
    #expect(try context.stat("/").st_nlink == 4)
    try context.rmdir("/e")
    #expect(try context.stat("/").st_nlink == 3)
    try context.unlink("/d/f")
    #expect(try context.stat("/d/g").st_nlink == 1)
    #expect(try context.stat("/d").st_size == 60)
  }

  @Test func errorsOfRemoval() throws {
    try context.mkdir("/d")
    try context.make("/d/f")
    #expect(throws: Errno.ENOTEMPTY) { try context.rmdir("/d") }
    #expect(throws: Errno.ENOTDIR) { try context.rmdir("/d/f") }
    #expect(throws: Errno.EISDIR) { try context.unlink("/d") }
    #expect(throws: Errno.ENOTDIR) { try context.unlink("/d/f/") }
    #expect(throws: Errno.EINVAL) { try context.rmdir("/d/.") }
    #expect(throws: Errno.ENOTEMPTY) { try context.rmdir("/d/..") }
    #expect(throws: Errno.EBUSY) { try context.rmdir("/") }
    #expect(throws: Errno.EISDIR) { try context.unlink("/d/..") }
    #expect(throws: Errno.EEXIST) { try context.mkdir("/d") }
    #expect(throws: Errno.EEXIST) { try context.mkdir("/") }
    #expect(throws: Errno.EEXIST) { try context.mkdir("/d/.") }
    try context.mkdir("/d/slashed///")
    #expect(throws: Errno.ENOENT) { try context.symlink("x", "/d/new/") }
    #expect(throws: Errno.ENOENT) { try context.symlink("", "/d/new") }
  }

  @Test func removedDirectoriesStayUsableForThoseInside() throws {
    try context.mkdir("/d")
    let directory = try context.open("/d")
    try context.rmdir("/d")
    try context.mkdir("/tmp")
    #expect(directory.inode.stat().st_nlink == 0)
    #expect(throws: Errno.ENOENT) { try context.open(Array("x".utf8), at: directory, [.O_CREAT, .O_RDWR]) }
    #expect(throws: Errno.ENOENT) { try context.makeDirectory(Array("x".utf8), at: directory, mode: []) }
    #expect(throws: Errno.ENOENT) {
      try context.rename(Array("/tmp".utf8), at: nil, to: Array("x".utf8), at: directory)
    }
  }

  /// A working directory whose whole ancestry was removed holds it by itself, and lets go of it without recursion.
  @Test func deepTreesDoNotRecurse() throws {
    let context = makeContext(megabytes: 256)
    for _ in 0..<30000 {
      try context.mkdir("d")
      try context.chdir("d")
    }
    var dentry = context.workingDirectory.dentry
    while let parent = dentry.parent {
      parent.remove(dentry)
      dentry = parent
    }
    context.workingDirectory = context.root
    #expect(try context.open("/").names() == [".", ".."])
  }
}

@Suite struct Renaming {
  let context = makeContext()

  init() throws {
    try context.mkdir("/a")
    try context.mkdir("/a/sub")
    try context.mkdir("/b")
    try context.mkdir("/empty")
    try context.make("/a/f", "f")
    try context.make("/b/g", "g")
  }

  @Test func moves() throws {
    let number = try context.stat("/a/f").st_ino
    try context.rename("/a/f", "/b/h")
    #expect(throws: Errno.ENOENT) { try context.stat("/a/f") }
    #expect(try context.stat("/b/h").st_ino == number)
    try context.rename("/b/h", "/b/g")
    #expect(try context.content("/b/g") == "f")
    #expect(try context.open("/b").names() == [".", "..", "g"])
    try context.rename("/a", "/b/moved")
    #expect(try context.stat("/b/moved/sub").st_nlink == 2)
    try context.chdir("/b/moved/sub")
    #expect(try context.getcwd() == "/b/moved/sub")
    try context.rename("/b/moved/", "/c/")
    #expect(try context.getcwd() == "/c/sub")
    try context.rename("/c/sub", "/empty")
    #expect(try context.getcwd() == "/empty")
  }

  @Test func openFilesSurviveReplacement() throws {
    let old = try context.open("/b/g")
    try context.rename("/a/f", "/b/g")
    #expect(try old.read(9) == Array("g".utf8))
    #expect(old.inode.stat().st_nlink == 0)
    #expect(String(decoding: old.describe(root: context.root), as: UTF8.self) == "/b/g (deleted)")
  }

  @Test(arguments: [
    ("/none", "/x", Errno.ENOENT), ("/a", "/a/sub/x", .EINVAL), ("/a/sub", "/a", .ENOTEMPTY), ("/a", "/a", nil),
    ("/a/f", "/a/f", nil), ("/a/f", "/empty", .EISDIR), ("/empty", "/a/f", .ENOTDIR), ("/empty", "/b", .ENOTEMPTY),
    ("/a/f/", "/x", .ENOTDIR), ("/a/f", "/x/", .ENOTDIR), ("/a/.", "/x", .EBUSY), ("/a", "/b/..", .EBUSY),
    ("/", "/x", .EBUSY), ("/a/f", "/none/x", .ENOENT), ("/a/f", "/b/g/x", .ENOTDIR), ("/empty", "/a/sub", nil),
  ])
  func errors(old: String, new: String, errno: Errno?) throws {
    if let errno {
      #expect(throws: errno) { try context.rename(old, new) }
    } else {
      try context.rename(old, new)
    }
  }

  @Test func hardLinksOfOneFileAreLeftAlone() throws {
    try context.link("/a/f", "/a/f2")
    try context.rename("/a/f", "/a/f2")
    #expect(try context.content("/a/f") == "f")
    #expect(try context.stat("/a/f2").st_nlink == 2)
  }

  @Test func noReplaceAndExchange() throws {
    #expect(throws: Errno.EEXIST) { try context.rename("/a/f", "/b/g", .RENAME_NOREPLACE) }
    #expect(throws: Errno.EINVAL) { try context.rename("/a/f", "/b/g", [.RENAME_NOREPLACE, .RENAME_EXCHANGE]) }
    #expect(throws: Errno.EINVAL) { try context.rename("/a/f", "/b/g", [.RENAME_WHITEOUT, .RENAME_EXCHANGE]) }
    #expect(throws: Errno.ENOENT) { try context.rename("/a/f", "/none", .RENAME_EXCHANGE) }
    try context.rename("/a/f", "/new", .RENAME_NOREPLACE)
    try context.rename("/new", "/b/g", .RENAME_EXCHANGE)
    #expect(try context.content("/new") == "g")
    #expect(try context.content("/b/g") == "f")
    try context.rename("/new", "/a/sub", .RENAME_EXCHANGE)
    #expect(try context.content("/a/sub") == "g")
    #expect(try context.stat("/new").st_mode.type == .S_IFDIR)
    #expect(try context.stat("/a").st_nlink == 2)
    #expect(try context.stat("/").st_nlink == 6)
    #expect(throws: Errno.EINVAL) { try context.rename("/a", "/a/sub", .RENAME_EXCHANGE) }
    let size = try context.stat("/b").st_size
    try context.rename("/b/g", "/moved", .RENAME_WHITEOUT)
    let left = try context.stat("/b/g")
    #expect(left.st_mode.rawValue == 0o020000 && left.st_rdev == 0)
    #expect(try context.stat("/b").st_size == size)
    #expect(try context.content("/moved") == "f")
  }
}
