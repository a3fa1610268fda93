import FileSystemTesting
import Kernel
import LinuxABI
import Testing
import VFSCore

@testable import RamFS

@Suite struct MountOptions {
  let machine = TestMachine()

  private func make(_ options: String) throws -> (context: FileSystemContext, fileSystem: RamFileSystem) {
    let fileSystem = try RamFileSystem.make(machine.environment, options: Array(options.utf8))
    return (FileSystemContext(Namespace(machine.environment, root: fileSystem, source: [])), fileSystem)
  }

  @Test func defaults() throws {
    let (context, fileSystem) = try make("")
    #expect(try context.stat("/").st_mode.rawValue == 0o041777)
    let statfs = try context.statfs(Array("/".utf8))
    #expect(statfs.f_type == FilesystemMagic.TMPFS_MAGIC && statfs.f_bsize == 4096 && statfs.f_namelen == 255)
    #expect(statfs.f_blocks == UInt64(machine.frames.totalFrames / 2))
    #expect(fileSystem.optionText == [])
  }

  @Test func limits() throws {
    let (context, fileSystem) = try make("size=64k,nr_inodes=4,mode=750,uid=5,gid=6")
    #expect(String(decoding: fileSystem.optionText, as: UTF8.self) == "size=64k,nr_inodes=4,mode=750,uid=5,gid=6")
    let stat = try context.stat("/")
    #expect(stat.st_mode.rawValue == 0o040750 && stat.st_uid == 5 && stat.st_gid == 6)
    let file = try context.open("/f", [.O_CREAT, .O_RDWR])
    #expect(try file.write([UInt8](repeating: 1, count: 100_000)) == 65536)
    #expect(throws: Errno.ENOSPC) { try file.write("x") }
    #expect(try context.statfs(Array("/".utf8)).f_bfree == 0)
    try file.truncate(to: 0)
    #expect(try context.statfs(Array("/".utf8)).f_bfree == 16)
    try context.mkdir("/d")
    try context.symlink("x", "/s")
    #expect(throws: Errno.ENOSPC) { try context.make("/more") }
    try context.unlink("/s")
    try context.make("/more")
    #expect(try context.statfs(Array("/".utf8)).f_ffree == 0)
  }

  @Test(arguments: [
    "size", "size=", "size=x", "size=1kk", "size=1%%", "size=99999999999999999999", "size=9999999999999g", "mode=8",
    "mode=0x1", "nr_inodes=5%", "uid=1k", "uid=-1", "inode64=1", "uid=4294967296", "unknown=1", "size=1,,bad",
  ])
  func wrongOptions(options: String) {
    #expect(throws: Errno.EINVAL) { try make(options) }
  }

  @Test func aWrongOptionIsNamed() throws {
    #expect(throws: Errno.EINVAL) { try make("size=1m,mode=9,uid=0") }
    #expect(machine.environment.rejectedOption == Array("mode=9".utf8))
    _ = try make("size=1m,mode=7")
    #expect(machine.environment.rejectedOption == [])
  }

  // Linux takes more than there is, more bits than a mode has, and numbers as C writes them.
  @Test(arguments: [
    ("size=50%", 2048), ("size=150%", 6144), ("size=1m", 256), ("size=1", 1), ("size=0x2000", 2), ("nr_blocks=9", 9),
    ("nr_blocks=1k,inode64,mode=77777", 1024), ("size=0%", .max), ("size=0", .max),
  ])
  func sizes(options: String, pages: Int) throws {
    let machine = TestMachine(megabytes: 16)
    let fileSystem = try RamFileSystem.make(machine.environment, options: Array(options.utf8))
    #expect(fileSystem.quota.limit == pages)
  }
}

/// What a file system holds comes back with its last use, and not before.
@Suite struct Ends {
  let machine = TestMachine()

  @Test(arguments: [false, true]) func unmounted(whileOpen: Bool) throws {
    let environment = machine.environment
    let context = FileSystemContext(
      Namespace(environment, root: RamFileSystem(environment), source: []))
    context.namespace.register(RamFileSystem.type(environment))
    try context.mkdir("/m")
    let before = machine.frames.freeFrames
    try context.mount(source: nil, at: Array("/m".utf8), type: Array("tmpfs".utf8), [], options: [])
    try context.mkdir("/m/d")
    try context.make("/m/d/file", String(repeating: "x", count: 400_000))
    #expect(machine.frames.freeFrames < before - 90)
    var file: OpenFile? = try context.open("/m/d/file", .O_RDONLY)
    #expect(throws: Errno.EBUSY) { try context.unmount(Array("/m".utf8), []) }
    if whileOpen {
      try context.unmount(Array("/m".utf8), .MNT_DETACH)
      #expect(try file?.read(3) == Array("xxx".utf8))
    }
    file = nil
    if !whileOpen { try context.unmount(Array("/m".utf8), []) }
    #expect(machine.frames.freeFrames == before)
    #expect(context.namespace.mounts.count == 1)
  }
}
