import FileSystemTesting
import LinuxABI
import Testing

@testable import VFSCore

/// A context over an empty tmpfs-like root.
func makeContext(megabytes: Int = 16) -> FileSystemContext {
  let machine = TestMachine(megabytes: megabytes)
  let root = MemoryFileSystem(machine.environment, typeName: "rootfs")
  let context = FileSystemContext(Namespace(machine.environment, root: root, source: Array("rootfs".utf8)))
  context.umask = []
  return context
}

@Suite struct PathLookup {
  let context = makeContext()

  init() throws {
    try context.mkdir("/a")
    try context.mkdir("/a/b")
    try context.make("/a/b/file", "hello")
    try context.symlink("b", "/a/relative")
    try context.symlink("/a/b", "/absolute")
    try context.symlink("nowhere", "/dangling")
    try context.symlink("loop2", "/loop1")
    try context.symlink("loop1", "/loop2")
    try context.symlink("file", "/a/b/link")
    try context.symlink("/a/b/file/", "/slashed")
  }

  @Test(arguments: [
    "/a/b/file", "//a///b//file", "/a/./b/./file", "/a/../a/b/file", "/../../a/b/file", "/a/relative/file",
    "/absolute/file", "/a/b/link", "/absolute/../b/file", "a/b/file", "./a/b/../b/link",
  ])
  func findsTheFile(path: String) throws {
    #expect(try context.content(path) == "hello")
  }

  @Test(arguments: [
    ("", Errno.ENOENT), ("/none", .ENOENT), ("/none/x", .ENOENT), ("/a/b/file/", .ENOTDIR), ("/a/b/file/x", .ENOTDIR),
    ("/a/b/file/..", .ENOTDIR), ("/a/b/file/.", .ENOTDIR), ("/dangling", .ENOENT), ("/loop1", .ELOOP),
    ("/loop1/x", .ELOOP), ("/slashed", .ENOTDIR), ("/a/b/link/", .ENOTDIR),
  ])
  func fails(path: String, errno: Errno) {
    #expect(throws: errno) { try context.stat(path) }
  }

  @Test func lengths() throws {
    let longest = String(repeating: "n", count: 255)
    try context.make("/" + longest, "x")
    #expect(try context.content("/" + longest) == "x")
    #expect(throws: Errno.ENAMETOOLONG) { try context.stat("/" + longest + "n") }
    #expect(throws: Errno.ENAMETOOLONG) { try context.mkdir("/" + longest + "n") }
    #expect(throws: Errno.ENAMETOOLONG) { try context.stat(String(repeating: "/", count: 4096)) }
    #expect(try context.stat(String(repeating: "/", count: 4095)).st_mode.type == .S_IFDIR)
  }

  @Test func fortyLinksAreFollowedAndNotOneMore() throws {
    try context.make("/chain0", "end")
    for index in 1...41 { try context.symlink("chain\(index - 1)", "/chain\(index)") }
    #expect(try context.content("/chain40") == "end")
    #expect(throws: Errno.ELOOP) { try context.stat("/chain41") }
  }

  @Test func noFollow() throws {
    #expect(try context.stat("/a/relative", .AT_SYMLINK_NOFOLLOW).st_mode.type == .S_IFLNK)
    #expect(try context.stat("/a/relative/", .AT_SYMLINK_NOFOLLOW).st_mode.type == .S_IFDIR)
    #expect(throws: Errno.ELOOP) { try context.open("/a/b/link", .O_NOFOLLOW) }
    #expect(throws: Errno.ENOTDIR) { try context.open("/a/relative", [.O_NOFOLLOW, .O_DIRECTORY]) }
    let link = try context.open("/a/b/link", [.O_NOFOLLOW, .O_PATH])
    #expect(link.inode.isSymbolicLink)
    #expect(try context.readLink([], at: link) == Array("file".utf8))
  }

  @Test func emptyPathWithFlag() throws {
    let file = try context.open("/a/b/file")
    #expect(try context.stat([], at: file, .AT_EMPTY_PATH).st_size == 5)
    #expect(try context.stat([], at: nil, .AT_EMPTY_PATH).st_mode.type == .S_IFDIR)
    #expect(throws: Errno.ENOENT) { try context.stat([], at: file) }
    #expect(throws: Errno.ENOTDIR) { try context.stat(Array("x".utf8), at: file) }
  }

  @Test func workingDirectory() throws {
    try context.chdir("/absolute")
    #expect(try context.getcwd() == "/a/b")
    #expect(try context.content("file") == "hello")
    #expect(try context.content("../relative/link") == "hello")
    try context.chdir("..")
    #expect(try context.getcwd() == "/a")
    #expect(throws: Errno.ENOTDIR) { try context.chdir("/a/b/file") }
    try context.mkdir("gone")
    try context.chdir("gone")
    try context.rmdir("/a/gone")
    #expect(throws: Errno.ENOENT) { try context.getcwd() }
    #expect(throws: Errno.ENOENT) { try context.make("x") }
    #expect(String(decoding: context.text(of: context.workingDirectory), as: UTF8.self) == "/a/gone (deleted)")
    try context.chdir("..")
    #expect(try context.getcwd() == "/a")
  }

  @Test func changedRoot() throws {
    try context.changeRoot(Array("/a".utf8))
    #expect(try context.content("/b/file") == "hello")
    #expect(try context.content("/../../b/file") == "hello")
    #expect(throws: Errno.ENOENT) { try context.stat("/a") }
    #expect(try context.getcwd() == "(unreachable)/")
    try context.chdir("/b")
    #expect(try context.getcwd() == "/b")
  }

  @Test func restrictions() throws {
    func open(_ path: String, _ resolve: ResolveFlags, at base: OpenFile? = nil) throws -> OpenFile {
      try context.open(Array(path.utf8), at: base, .O_RDONLY, resolve: resolve)
    }
    let directory = try context.open("/a", .O_DIRECTORY)
    #expect(throws: Errno.ELOOP) { try open("/absolute/file", .RESOLVE_NO_SYMLINKS) }
    #expect(throws: Errno.EXDEV) { try open("../a/b/file", .RESOLVE_BENEATH, at: directory) }
    #expect(throws: Errno.EXDEV) { try open("/a/b/file", .RESOLVE_BENEATH, at: directory) }
    #expect(try open("b/../relative/file", .RESOLVE_BENEATH, at: directory).read(9) == Array("hello".utf8))
    #expect(try open("/../b/file", .RESOLVE_IN_ROOT, at: directory).read(9) == Array("hello".utf8))
  }
}

@Suite struct Mounting {
  let context = makeContext()

  private func mount(at path: String, flags: StatfsFlags = .ST_RELATIME) throws -> Mount {
    let fileSystem = MemoryFileSystem(context.namespace.environment, typeName: "tmpfs")
    return context.namespace.mount(
      fileSystem, at: try context.resolve(Array(path.utf8)), source: Array("tmpfs".utf8), flags: flags)
  }

  @Test func crossing() throws {
    try context.mkdir("/m")
    try context.make("/m/hidden")
    try context.make("/outside", "o")
    let mount = try mount(at: "/m")
    #expect(throws: Errno.ENOENT) { try context.stat("/m/hidden") }
    try context.make("/m/inside", "i")
    #expect(try context.content("/m/../outside") == "o")
    #expect(try context.stat("/m").st_dev != context.stat("/").st_dev)
    #expect(throws: Errno.EXDEV) { try context.rename("/m/inside", "/moved") }
    #expect(throws: Errno.EXDEV) { try context.link("/m/inside", "/linked") }
    #expect(throws: Errno.EBUSY) { try context.rmdir("/m") }
    #expect(throws: Errno.EBUSY) { try context.rename("/m", "/n") }
    try context.mkdir("/m/deep")
    try context.chdir("/m/deep")
    #expect(try context.getcwd() == "/m/deep")
    try context.chdir("../..")
    #expect(try context.getcwd() == "/")
    let again = try self.mount(at: "/m")
    #expect(throws: Errno.ENOENT) { try context.stat("/m/inside") }
    #expect(throws: Errno.EBUSY) { try context.namespace.unmount(mount) }
    try context.namespace.unmount(again)
    #expect(try context.content("/m/inside") == "i")
    try context.namespace.unmount(mount)
    #expect(try context.stat("/m/hidden").st_size == 0)
    try context.unlink("/m/hidden")
    try context.rmdir("/m")
  }

  @Test func parentNumberOfAMountedRoot() throws {
    try context.mkdir("/x")
    try context.mkdir("/x/m")
    _ = try mount(at: "/x/m")
    let entries = try context.open("/x/m").entries()
    #expect(entries.map(\.name) == [".", ".."])
    #expect(entries[1].number == (try context.stat("/x").st_ino))
  }

  @Test func readOnly() throws {
    try context.mkdir("/m")
    let mount = try mount(at: "/m")
    try context.make("/m/file", "x")
    mount.flags.insert(.ST_RDONLY)
    #expect(try context.content("/m/file") == "x")
    #expect(throws: Errno.EROFS) { try context.make("/m/other") }
    #expect(throws: Errno.EROFS) { try context.open("/m/file", .O_WRONLY) }
    #expect(throws: Errno.EROFS) { try context.mkdir("/m/d") }
    #expect(throws: Errno.EROFS) { try context.unlink("/m/file") }
    #expect(throws: Errno.EROFS) { try context.rename("/m/file", "/m/g") }
    #expect(throws: Errno.EEXIST) { try context.mkdir("/m/file") }
    #expect(try context.statfs(Array("/m".utf8)).f_flags.contains([.ST_RDONLY, .ST_VALID]))
  }

  @Test func binds() throws {
    try context.mkdir("/a")
    try context.mkdir("/b")
    try context.make("/a/file", "1")
    try context.mount(source: Array("/a".utf8), at: Array("/b".utf8), type: [], .MS_BIND, options: [])
    #expect(try context.content("/b/file") == "1")
    #expect(throws: Errno.EXDEV) { try context.link("/a/file", "/b/other") }
    try context.unmount(Array("/b".utf8), [])
    #expect(throws: Errno.ENOENT) { try context.stat("/b/file") }
  }
}
