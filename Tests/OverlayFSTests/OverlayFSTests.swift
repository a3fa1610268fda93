import FileSystemTesting
import Kernel
import LinuxABI
import Testing
import VFSCore

@testable import OverlayFS

/// An overlay over a tree in memory. What Linux does through an overlay is in Tests/Guest/programs/overlay.c, which runs
/// there too; here is what a program cannot bring about, or not see.
struct TestOverlay {
  let machine = TestMachine()
  /// Sees the lower layer alone, at `/`.
  let below: FileSystemContext
  let upper: MemoryFileSystem
  let overlay: OverlayFileSystem
  /// Sees the overlay at `/`.
  let context: FileSystemContext

  init(upperPages: Int? = nil, inodes: Int? = nil, _ prepare: (FileSystemContext) throws -> Void) throws {
    let lower = MemoryFileSystem(machine.environment, typeName: "tmpfs", inodeLimit: 1 << 16)
    below = FileSystemContext(Namespace(machine.environment, root: lower, source: []))
    try prepare(below)
    upper = MemoryFileSystem(machine.environment, typeName: "tmpfs", pageLimit: upperPages, inodeLimit: inodes)
    overlay = OverlayFileSystem.make(machine.environment, over: lower.root, upper: upper)
    context = FileSystemContext(Namespace(machine.environment, root: overlay, source: []))
  }
}

@Suite struct OverlayTests {
  @Test func aCopyForWhichThereIsNoRoomLeavesTheFileAsItWas() throws {
    let content = String(repeating: "0123456789abcdef", count: 2048)
    let test = try TestOverlay(upperPages: 4) {
      try $0.make("/large", content)
      try $0.make("/small", "s")
    }
    #expect(throws: Errno.ENOSPC) { try test.context.open("/large", .O_RDWR) }
    #expect(try test.context.content("/large") == content)
    #expect(test.upper.quota.used == 0)
    // What will be cut anyway is not copied.
    let file = try test.context.open("/large", [.O_RDWR, .O_TRUNC])
    try file.write("new")
    #expect(try test.context.content("/large") == "new")
    #expect(try test.below.content("/large") == content)
    try test.context.make("/small", "changed")
    #expect(try test.below.content("/small") == "s")
  }

  @Test func aNameIsOnlyTakenAwayWhereAWhiteoutHasRoom() throws {
    let test = try TestOverlay(inodes: 1) { try $0.make("/file", "here") }
    #expect(throws: Errno.ENOSPC) { try test.context.unlink("/file") }
    #expect(try test.context.content("/file") == "here")
    #expect(throws: Errno.ENOSPC) { try test.context.rename("/file", "/other") }
    #expect(try test.context.content("/file") == "here")
  }

  @Test func numbersOfSeveralFileSystemsAreApart() throws {
    let test = try TestOverlay {
      try $0.make("/lower")
      try $0.mkdir("/directory")
    }
    try test.context.make("/upper")
    let lower = try test.context.stat("/lower").st_ino
    let upper = try test.context.stat("/upper").st_ino
    #expect(lower == (try test.below.stat("/lower").st_ino))
    #expect(lower != upper && upper >> 56 == 1)
    try test.context.make("/lower", "copied")
    #expect(try test.context.stat("/lower").st_ino == lower)
    let listed = try test.context.open("/", .O_DIRECTORY).entries()
    for (name, number, _, _) in listed where name != "." && name != ".." {
      #expect(try test.context.stat("/" + name).st_ino == number)
    }
  }

  @Test func aHoleInFrontIsNotCopied() throws {
    let test = try TestOverlay {
      let file = try $0.open("/sparse", [.O_CREAT, .O_RDWR])
      try file.write("end", at: 1 << 20)
      try file.write("behind a hole", at: 1 << 20 + 20000)
    }
    let file = try test.context.open("/sparse", .O_RDWR)
    // As in Linux the hole between the two is filled.
    #expect(file.inode.stat().st_blocks == 5 * 8)
    #expect(file.inode.size == 1 << 20 + 20013)
    #expect(try file.read(6, at: 1 << 19) == [UInt8](repeating: 0, count: 6))
    #expect(try file.read(3, at: 1 << 20) == Array("end".utf8))
    #expect(try file.read(20, at: 1 << 20 + 20000) == Array("behind a hole".utf8))
  }

  @Test func overlaysCanBeLayers() throws {
    let test = try TestOverlay {
      try $0.mkdir("/d")
      try $0.make("/d/one", "1")
      try $0.make("/d/two", "2")
    }
    try test.context.unlink("/d/one")
    try test.context.make("/d/three", "3")
    let environment = test.machine.environment
    let second = OverlayFileSystem.make(
      environment, over: test.overlay.root, upper: MemoryFileSystem(environment, typeName: "tmpfs"))
    let context = FileSystemContext(Namespace(environment, root: second, source: []))
    #expect(try context.open("/d", .O_DIRECTORY).names().sorted() == [".", "..", "three", "two"])
    try context.unlink("/d/two")
    try context.rename("/d/three", "/four")
    #expect(try context.open("/d", .O_DIRECTORY).names().sorted() == [".", ".."])
    try context.rmdir("/d")
    try context.mkdir("/d")
    #expect(try context.open("/d", .O_DIRECTORY).names().sorted() == [".", ".."])
    #expect(try test.context.open("/d", .O_DIRECTORY).names().sorted() == [".", "..", "three", "two"])
    #expect(try context.content("/four") == "3")
  }

  @Test func namesThatNobodyUsesAreForgottenAndFoundAgain() throws {
    let test = try TestOverlay {
      for index in 0..<2500 { try $0.make("/\(index)") }
    }
    try test.context.make("/7", "seven")
    try test.context.link(Array("/7".utf8), to: Array("/seven".utf8))
    let number = try test.context.stat("/7").st_ino
    let held = try test.context.open("/8")
    for index in 0..<2500 { _ = try test.context.stat("/\(index)") }
    #expect(test.overlay.inodeCount < 2300)
    #expect(try test.context.stat("/7").st_ino == number)
    #expect(try test.context.open("/7").inode === test.context.open("/seven").inode)
    #expect(try test.context.open("/8").inode === held.inode)
  }

  @Test func attributesOfOverlaysAreStoredUnderLongerNames() throws {
    let test = try TestOverlay { try $0.make("/file") }
    let name = Array("trusted.overlay.opaque".utf8)
    let place = try test.context.resolve(Array("/file".utf8))
    try test.context.setAttribute(place, name, [1], [])
    #expect(try test.context.attribute(place, name) == [1])
    #expect(try test.context.attributeNames(place) == name + [0])
    #expect(
      try place.inode.attributeNames() == [name]
        && (test.overlay.upper?.root.child(Array("file".utf8))?.inode.attributeNames() ?? [])
          == [Array("trusted.overlay.overlay.opaque".utf8)]
    )
  }

  @Test func whatHasNoNameCanOnlyBeChangedWhereItNeedsNoNewOne() throws {
    let test = try TestOverlay {
      try $0.mkdir("/d")
      try $0.make("/d/file", "content")
      try $0.make("/other", "content")
    }
    let file = try test.context.open("/d/file")
    let other = try test.context.open("/other", .O_RDWR)
    try test.context.unlink("/d/file")
    try test.context.unlink("/other")
    var change = AttributeChange()
    change.permissions = FileMode(rawValue: 0o600)
    #expect(throws: Errno.EEXIST) { try file.inode.setAttributes(change) }
    try test.context.rmdir("/d")
    #expect(throws: Errno.ENOENT) { try file.inode.setAttributes(change) }
    #expect(try file.read(20) == Array("content".utf8))
    try other.inode.setAttributes(change)
    #expect(other.inode.stat().st_mode.permissions.rawValue == 0o600 && other.inode.stat().st_nlink == 0)
    #expect(throws: Errno.ENOENT) { try test.context.stat("/d") }
  }

  /// What options of overlayfs name, in a tree with some directories.
  private func parse(_ text: String) throws -> OverlayOptions {
    let machine = TestMachine()
    let root = MemoryFileSystem(machine.environment, typeName: "tmpfs")
    let context = FileSystemContext(Namespace(machine.environment, root: root, source: []))
    for name in ["/a", "/b", "/b:c", "/a,b", "/u", "/w"] { try context.mkdir(name) }
    try context.make("/file")
    return try OverlayOptions(Array(text.utf8), machine.environment, context)
  }

  @Test(arguments: [
    ("lowerdir=/a:/b\\:c,upperdir=/u,workdir=/w", ["/a", "/b:c"]),
    ("lowerdir+=/a,lowerdir+=/b,index=off", ["/a", "/b"]),
    ("lowerdir=/a\\,b,xino=auto,volatile", ["/a,b"]),
  ])
  func options(text: String, lowers: [String]) throws {
    let options = try parse(text)
    #expect(options.lowers.map { $0.dentry.name } == lowers.map { Array($0.utf8.dropFirst()) })
  }

  @Test(arguments: [
    "lowerdir=/a::/b", "lowerdir=", "lowerdir=/a,unknown", "lowerdir=/file", "redirect_dir=on", "metacopy=on",
    "index=on",
  ])
  func wrongOptions(text: String) {
    #expect(throws: Errno.EINVAL) { try parse(text) }
  }

  @Test(arguments: ["lowerdir=/none,unknown", "lowerdir=/a:/none", "upperdir=/none"])
  func layersThatAreNotThere(text: String) {
    #expect(throws: Errno.ENOENT) { try parse(text) }
  }
}
