import FileSystemTesting
import Kernel
import LinuxABI
import Testing

@testable import VFSCore

@Suite struct OpeningFiles {
  let context = makeContext()

  @Test func creation() throws {
    context.umask = FileMode(rawValue: 0o027)
    let file = try context.open("/f", [.O_CREAT, .O_RDWR], mode: 0o666)
    #expect(file.inode.mode == FileMode(.S_IFREG, FileMode(rawValue: 0o640)))
    #expect(file.flags == [.O_RDWR, .O_LARGEFILE])
    #expect(throws: Errno.EEXIST) { try context.open("/f", [.O_CREAT, .O_EXCL, .O_RDWR]) }
    try file.write("content")
    #expect(try context.open("/f", [.O_CREAT, .O_RDONLY]).read(99) == Array("content".utf8))
    _ = try context.open("/f", [.O_WRONLY, .O_TRUNC])
    #expect(try context.stat("/f").st_size == 0)
    try context.mkdir("/d", mode: 0o777)
    #expect(try context.stat("/d").st_mode.permissions.rawValue == 0o750)
    for path in ["/d", "/", "/d/.", "/d/.."] {
      #expect(throws: Errno.EISDIR) { try context.open(path, [.O_CREAT, .O_RDWR]) }
      #expect(throws: Errno.EISDIR) { try context.open(path, .O_WRONLY) }
    }
    #expect(throws: Errno.EISDIR) { try context.open("/new/", [.O_CREAT, .O_RDWR]) }
    #expect(throws: Errno.ENOTDIR) { try context.open("/f", .O_DIRECTORY) }
    #expect(throws: Errno.EINVAL) { try context.open("/d", [.O_DIRECTORY, .O_CREAT]) }
    #expect(throws: Errno.ENOENT) { try context.open("/none/x", [.O_CREAT, .O_RDWR]) }
  }

  @Test func creationThroughALink() throws {
    try context.mkdir("/d")
    try context.symlink("/d/target", "/link")
    #expect(throws: Errno.EEXIST) { try context.open("/link", [.O_CREAT, .O_EXCL, .O_RDWR]) }
    #expect(throws: Errno.ELOOP) { try context.open("/link", [.O_CREAT, .O_NOFOLLOW, .O_RDWR]) }
    try context.make("/link", "x")
    #expect(try context.content("/d/target") == "x")
    try context.symlink("loop", "/loop")
    #expect(throws: Errno.ELOOP) { try context.make("/loop") }
  }

  @Test func positions() throws {
    let file = try context.open("/f", [.O_CREAT, .O_RDWR])
    #expect(try file.write("hello world") == 11)
    #expect(file.offset == 11)
    #expect(try file.read(10) == [])
    #expect(try file.seek(-5, .SEEK_END) == 6)
    #expect(try file.read(10) == Array("world".utf8))
    #expect(try file.write("HELLO", at: 0) == 5)
    #expect(file.offset == 11)
    #expect(try file.read(5, at: 0) == Array("HELLO".utf8))
    #expect(throws: Errno.EINVAL) { try file.seek(-12, .SEEK_CUR) }
    #expect(throws: Errno.EINVAL) { try file.seek(.max, .SEEK_CUR) }
    #expect(throws: Errno.EINVAL) { try file.read(1, at: -1) }
    #expect(try file.seek(5000, .SEEK_SET) == 5000)
    try file.write("x")
    #expect(try file.seek(0, .SEEK_DATA) == 0)
    #expect(try file.seek(0, .SEEK_HOLE) == 5001)
    #expect(throws: Errno.ENXIO) { try file.seek(5001, .SEEK_DATA) }
    #expect(file.inode.stat().st_size == 5001)
    #expect(try file.seek(.max, .SEEK_SET) == .max)
    #expect(throws: Errno.EINVAL) { try file.write("x") }
    #expect(throws: Errno.EINVAL) { try file.read(1) }
    file.offset = .max - 1
    #expect(try file.read(1) == [])
  }

  @Test func appending() throws {
    try context.make("/f", "one")
    let file = try context.open("/f", [.O_RDWR, .O_APPEND])
    #expect(file.offset == 0)
    try file.write("two")
    #expect(file.offset == 6)
    try file.write("three", at: 0)
    #expect(try context.content("/f") == "onetwothree")
    try file.setStatusFlags([])
    try file.write("X", at: 0)
    #expect(try context.content("/f") == "Xnetwothree")
    #expect(file.flags.accessMode == .O_RDWR)
  }

  @Test func accessModes() throws {
    try context.make("/f", "x")
    #expect(throws: Errno.EBADF) { try context.open("/f", .O_RDONLY).write("y") }
    #expect(throws: Errno.EBADF) { try context.open("/f", .O_WRONLY).read(1) }
    #expect(throws: Errno.EINVAL) { try context.open("/f", .O_RDONLY).truncate(to: 0) }
    let path = try context.open("/f", .O_PATH)
    #expect(throws: Errno.EBADF) { try path.mappingCache() }
  }

  @Test func unlinkedFilesLiveUntilClosed() throws {
    let machine = TestMachine()
    let root = MemoryFileSystem(machine.environment, typeName: "tmpfs")
    let context = FileSystemContext(Namespace(machine.environment, root: root, source: []))
    let free = machine.frames.freeFrames
    do {
      let file = try context.open("/f", [.O_CREAT, .O_RDWR])
      try file.write([UInt8](repeating: 1, count: 100_000))
      try context.unlink("/f")
      #expect(try file.read(3, at: 0) == [1, 1, 1])
      #expect(file.inode.stat().st_nlink == 0)
      #expect(machine.frames.freeFrames < free - 20)
      #expect(root.inodeCount == 2)
    }
    #expect(machine.frames.freeFrames == free)
    #expect(root.inodeCount == 1)
    #expect(root.quota.used == 0)
  }

  @Test func temporaryFiles() throws {
    try context.mkdir("/d")
    let file = try context.open("/d", [.O_TMPFILE, .O_RDWR])
    try file.write("t")
    #expect(try context.open("/d").names() == [".", ".."])
    #expect(file.inode.stat().st_nlink == 0)
    try context.link([], at: file, to: Array("/d/name".utf8), .AT_EMPTY_PATH)
    #expect(try context.content("/d/name") == "t")
    #expect(throws: Errno.EINVAL) { try context.open("/d", .O_TMPFILE) }
    let exclusive = try context.open("/d", [.O_TMPFILE, .O_RDWR, .O_EXCL])
    #expect(throws: Errno.ENOENT) {
      try context.link([], at: exclusive, to: Array("/d/other".utf8), .AT_EMPTY_PATH)
    }
  }

  @Test func executedFilesAreNotWritten() throws {
    try context.make("/f", "x")
    try context.setMode(try context.resolve(Array("/f".utf8)), FileMode(rawValue: 0o755))
    do {
      let writer = try context.open("/f", .O_WRONLY)
      #expect(throws: Errno.ETXTBSY) { try context.openExecutable(Array("/f".utf8)) }
      _ = writer
    }
    let program = try context.openExecutable(Array("/f".utf8))
    try program.inode.denyWriting()
    #expect(throws: Errno.ETXTBSY) { try context.open("/f", .O_RDWR) }
    #expect(throws: Errno.ETXTBSY) { try context.truncate(Array("/f".utf8), to: 0) }
    program.inode.allowWriting()
    _ = try context.open("/f", .O_RDWR)
    try context.setMode(program.path, FileMode(rawValue: 0o644))
    #expect(throws: Errno.EACCES) { try context.openExecutable(Array("/f".utf8)) }
    #expect(throws: Errno.EACCES) { try context.openExecutable(Array("/".utf8)) }
  }

  @Test func truncationByPath() throws {
    try context.make("/f", "0123456789")
    try context.truncate(Array("/f".utf8), to: 4)
    try context.truncate(Array("/f".utf8), to: 6)
    #expect(try context.content("/f") == "0123\0\0")
    #expect(throws: Errno.EINVAL) { try context.truncate(Array("/f".utf8), to: -1) }
    #expect(throws: Errno.EISDIR) { try context.truncate(Array("/".utf8), to: 0) }
  }

  @Test func nodes() throws {
    try context.makeNode(
      Array("/null".utf8), mode: FileMode(.S_IFCHR, FileMode(rawValue: 0o666)), device: DeviceNumber(major: 1, minor: 3)
    )
    #expect(try context.stat("/null").st_rdev == 0x103)
    #expect(throws: Errno.ENXIO) { try context.open("/null") }
    #expect(throws: Errno.EPERM) {
      try context.makeNode(
        Array("/d".utf8), mode: FileMode(.S_IFDIR, []), device: DeviceNumber(major: 0, minor: 0))
    }
    try context.makeNode(Array("/plain".utf8), mode: FileMode(rawValue: 0o600), device: DeviceNumber(encoded: 0))
    #expect(try context.stat("/plain").st_mode == FileMode(.S_IFREG, FileMode(rawValue: 0o600)))
  }

  @Test func times() throws {
    try context.make("/f", "x")
    let place = try context.resolve(Array("/f".utf8))
    func set(_ access: Int64, _ modification: Int64, nanoseconds: Int64 = 5) throws {
      try context.setTimes(
        place,
        (
          Timespec(tv_sec: access, tv_nsec: nanoseconds), Timespec(tv_sec: modification, tv_nsec: nanoseconds)
        ))
    }
    try set(100, 200)
    var stat = try context.stat("/f")
    #expect(stat.st_atim == Timespec(tv_sec: 100, tv_nsec: 5))
    #expect(stat.st_mtim == Timespec(tv_sec: 200, tv_nsec: 5))
    #expect(stat.st_ctim.tv_sec > 1_600_000_000)
    // relatime: an access counts once after a change.
    _ = try context.content("/f")
    stat = try context.stat("/f")
    #expect(stat.st_atim.tv_sec > 1_600_000_000)
    try set(0, 0, nanoseconds: UtimeNanoseconds.UTIME_OMIT)
    #expect(try context.stat("/f").st_mtim.tv_sec == 200)
    #expect(throws: Errno.EINVAL) { try set(0, 0, nanoseconds: 1_000_000_000) }
    try set(-1, -2)
    #expect(try context.stat("/f").st_mtim == Timespec(tv_sec: -2, tv_nsec: 5))
    try set(.max, .min)
    let before = try context.stat("/f").st_mtim
    try context.open("/f", .O_WRONLY).write("y")
    #expect(try context.stat("/f").st_mtim != before)
  }
}

@Suite struct Permissions {
  let context = makeContext()
  let other = Credentials(userID: 1000, groupID: 1000, groups: [50], isPrivileged: false)

  init() throws {
    try context.mkdir("/open", mode: 0o777)
    try context.mkdir("/closed", mode: 0o700)
    try context.make("/closed/f", "x")
    try context.mkdir("/tmp", mode: 0o1777)
    try context.make("/tmp/root", "x")
    try context.make("/secret", "s")
    try context.setMode(try context.resolve(Array("/secret".utf8)), FileMode(rawValue: 0o640))
  }

  @Test func checks() throws {
    context.credentials = other
    #expect(throws: Errno.EACCES) { try context.stat("/closed/f") }
    #expect(throws: Errno.EACCES) { try context.open("/closed") }
    #expect(throws: Errno.EACCES) { try context.open("/secret") }
    #expect(throws: Errno.EACCES) { try context.make("/new") }
    #expect(throws: Errno.EACCES) { try context.unlink("/secret") }
    #expect(throws: Errno.EPERM) { try context.unlink("/tmp/root") }
    #expect(throws: Errno.EPERM) { try context.rename("/tmp/root", "/tmp/mine") }
    #expect(throws: Errno.EPERM) { try context.open("/tmp/root", .O_NOATIME) }
    #expect(throws: Errno.EPERM) { try context.setMode(try context.resolve(Array("/secret".utf8)), []) }
    try context.make("/tmp/own", "mine")
    #expect(try context.stat("/tmp/own").st_uid == 1000)
    try context.unlink("/tmp/own")
    #expect(throws: Errno.EPERM) {
      try context.makeNode(Array("/tmp/dev".utf8), mode: FileMode(.S_IFCHR, []), device: DeviceNumber(encoded: 0x103))
    }
    #expect(throws: Errno.EACCES) { try context.access(Array("/secret".utf8), .R_OK) }
    #expect(throws: Errno.EACCES) { try context.access(Array("/tmp/root".utf8), .X_OK) }
    try context.access(Array("/secret".utf8), .F_OK)
    try context.access(Array("/secret".utf8), .R_OK, as: .root)
    #expect(context.credentials.userID == 1000)
    context.credentials.groups = [0]
    #expect(try context.content("/secret") == "s")
    #expect(throws: Errno.EACCES) { try context.open("/secret", .O_RDWR) }
  }

  @Test func setGroupIDDirectories() throws {
    let place = try context.resolve(Array("/open".utf8))
    try context.setOwner(place, uid: nil, gid: 77)
    try context.setMode(place, FileMode(rawValue: 0o2777))
    context.credentials = other
    try context.make("/open/f")
    try context.mkdir("/open/d")
    #expect(try context.stat("/open/f").st_gid == 77)
    #expect(try context.stat("/open/d").st_gid == 77)
    #expect(try context.stat("/open/d").st_mode.contains(.S_ISGID))
    // Not of that group: the bit that would lend it is dropped.
    try context.setMode(try context.resolve(Array("/open/f".utf8)), FileMode(rawValue: 0o2755))
    #expect(try context.stat("/open/f").st_mode.permissions.rawValue == 0o755)
  }

  @Test func changesOfOwner() throws {
    try context.make("/tmp/f")
    let place = try context.resolve(Array("/tmp/f".utf8))
    try context.setMode(place, FileMode(rawValue: 0o6755))
    try context.setOwner(place, uid: 1000, gid: 50)
    #expect(place.inode.mode.permissions.rawValue == 0o755)
    context.credentials = other
    #expect(throws: Errno.EPERM) { try context.setOwner(place, uid: 0, gid: nil) }
    #expect(throws: Errno.EPERM) { try context.setOwner(place, uid: nil, gid: 51) }
    try context.setOwner(place, uid: nil, gid: 1000)
    try context.setOwner(place, uid: 1000, gid: 50)
  }
}
