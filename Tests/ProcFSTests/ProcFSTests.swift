import FileSystemTesting
import Kernel
import LinuxABI
import Testing
import VFSCore

@testable import ProcFS

final class FakeProcess: ProcessInformation {
  let pid: Int32
  var threadIDs: [Int32]
  let files = FileDescriptorTable()
  let fileSystem: FileSystemContext
  var executable: Path?
  var mappings: [ProcessMapping] = []
  var name = Array("prog".utf8)
  var oomScoreAdjustment = 0
  var oomScore = 666
  var auxiliaryVector: [UInt8] { [1, 2, 3] }

  init(_ pid: Int32, _ context: FileSystemContext, threads: [Int32] = []) {
    self.pid = pid
    threadIDs = [pid] + threads
    fileSystem = FileSystemContext(copying: context)
  }

  func statistics(ofThread tid: Int32) -> ProcessStatistics {
    var result = ProcessStatistics()
    result.name = name
    result.parentPID = 0
    result.group = 1
    result.session = 1
    result.virtualSize = 10 << 20
    result.residentSize = 3 << 20
    result.residentFileSize = 1 << 20
    result.startTime = 250_000_000
    result.affinity = 0b10_1111
    return result
  }
  func children(ofThread tid: Int32) -> [Int32] { [tid + 1, tid + 2] }
  func forEachMapping(_ body: (ProcessMapping) -> Void) { mappings.forEach(body) }
  func commandLine() -> [UInt8] { Array("/bin/prog\0arg\0".utf8) }
  func environmentStrings() -> [UInt8] { Array("A=b\0".utf8) }
  func limit(_ kind: ResourceLimitKind) -> (soft: UInt64, hard: UInt64) {
    kind == .RLIMIT_NOFILE ? (1024, 1_048_576) : (.max, .max)
  }
  func setName(_ name: [UInt8], ofThread tid: Int32) { self.name = name }
}

final class FakeProcessTable: ProcessTable {
  var processes: [FakeProcess] = []
  var currentProcessID: Int32 = 1
  var currentThreadID: Int32 = 1

  func information(_ pid: Int32) -> (any ProcessInformation)? { processes.first { $0.pid == pid } }
  func information(ofThread tid: Int32) -> (any ProcessInformation)? { processes.first { $0.threadIDs.contains(tid) } }
  func nextProcessID(after pid: Int32) -> Int32? { processes.map(\.pid).filter { $0 > pid }.min() }
}

final class FakeMachineInformation: MachineInformation {
  var operatingSystem: [UInt8] { Array("Linux".utf8) }
  var release: [UInt8] { Array("6.1.0".utf8) }
  var version: [UInt8] { Array("#1 SMP".utf8) }
  var hostName = Array("(none)".utf8)
  var domainName = Array("(none)".utf8)
  var kernelCommandLine: [UInt8] { Array("-- /bin/prog".utf8) }
  var uptime: UInt64 { 12_345_678_901 }
  var idleTime: UInt64 { 2_000_000_000 }
  var userTime: UInt64 { 30_000_000 }
  var systemTime: UInt64 { 0 }
  var bootTime: UInt64 { 1_700_000_000 }
  var processorCount: Int { 2 }
  func processor(_ index: Int) -> ProcessorInformation {
    var processor = ProcessorInformation()
    processor.modelName = Array("QEMU".utf8)
    processor.kilohertz = 2_400_123
    return processor
  }
  func loadAverage(_ index: Int) -> UInt64 { [5, 120, 1234][index] }
  var faultCount: UInt64 { 8 }
  var runnableCount: Int { 1 }
  var threadCount: Int { 3 }
  var forkCount: UInt64 { 4 }
  var lastProcessID: Int32 { 5 }
  var contextSwitches: UInt64 { 6 }
  var interruptCount: UInt64 { 7 }
  var kernelMemory: (pageTables: UInt64, stacks: UInt64, heap: UInt64) { (4096, 16384, 65536) }
  var anonymousMemory: UInt64 { 2 << 20 }
}

@Suite struct SysTree {
  @Test func content() throws {
    let test = TestMachine()
    let sys = SysFileSystem(test.environment, machine: FakeMachineInformation())
    let context = FileSystemContext(Namespace(test.environment, root: sys, source: Array("sysfs".utf8)))
    #expect(try context.statfs(Array("/".utf8)).f_type == FilesystemMagic.SYSFS_MAGIC)
    let top: Set = [
      ".", "..", "block", "bus", "class", "dev", "devices", "firmware", "fs", "kernel", "module", "power",
    ]
    #expect(Set(try context.open("/").names(perCall: 64)) == top)
    for name in ["online", "possible", "present"] {
      #expect(try context.content("/devices/system/cpu/" + name) == "0-1\n")
    }
    #expect(try context.content("/devices/system/cpu/offline") == "\n")
    #expect(try context.content("/devices/system/cpu/cpu1/topology/core_id") == "1\n")
    #expect(try context.content("/devices/system/cpu/cpu1/topology/physical_package_id") == "0\n")
    #expect(try context.content("/devices/system/cpu/cpu1/topology/thread_siblings") == "2\n")
    #expect(try context.content("/devices/system/cpu/cpu1/topology/core_siblings") == "3\n")
    #expect(try context.content("/devices/system/node/node0/cpumap") == "3\n")
    #expect(try context.content("/kernel/mm/transparent_hugepage/enabled") == "[always] madvise never\n")
    // What cgroup-aware runtimes look for is not there.
    #expect(try context.open("/fs").names() == [".", ".."])
    #expect(throws: Errno.ENOENT) { try context.stat("/fs/cgroup") }
    #expect(throws: Errno.ENOENT) { try context.stat("/devices/system/cpu/cpu2") }
    let file = try context.stat("/devices/system/cpu/online")
    #expect(file.st_mode.rawValue == 0o100444 && file.st_size == 4096)
    #expect(throws: Errno.EACCES) { try context.make("/new") }
    // Every name is found with the number that the listing gave, and no number comes twice.
    var numbers: Set<UInt64> = [try context.stat("/").st_ino]
    func walk(_ directory: String) throws {
      for entry in try context.open(directory).entries(perCall: 32768) where entry.name != "." && entry.name != ".." {
        let path = (directory == "/" ? "" : directory) + "/" + entry.name
        let stat = try context.stat(path)
        #expect(stat.st_ino == entry.number && numbers.insert(entry.number).inserted)
        if entry.type == DirectoryEntryType.DT_DIR { try walk(path) }
      }
    }
    try walk("/")
    #expect(numbers.count > 40)
  }
}

@Suite struct ProcTree {
  let context: FileSystemContext
  let table = FakeProcessTable()
  let machine = FakeMachineInformation()
  let process: FakeProcess
  let proc: ProcFileSystem

  init() throws {
    let test = TestMachine()
    let root = MemoryFileSystem(test.environment, typeName: "rootfs")
    context = FileSystemContext(Namespace(test.environment, root: root, source: Array("rootfs".utf8)))
    context.umask = FileMode(rawValue: 0o022)
    proc = ProcFileSystem(context.namespace, processes: table, machine: machine, random: RandomSource())
    try context.mkdir("/proc")
    try context.make("/prog", "elf")
    context.namespace.mount(
      proc, at: try context.resolve(Array("/proc".utf8)), source: Array("proc".utf8),
      flags: [.ST_NOSUID, .ST_NODEV, .ST_NOEXEC, .ST_RELATIME])
    process = FakeProcess(1, context, threads: [7])
    process.executable = try context.resolve(Array("/prog".utf8))
    table.processes = [process, FakeProcess(300, context)]
  }

  @Test func listing() throws {
    let names = try context.open("/proc").names(perCall: 100)
    #expect(names.suffix(2) == ["1", "300"])
    #expect(Set(names).isSuperset(of: [".", "..", "self", "thread-self", "meminfo", "sys", "mounts"]))
    #expect(Set(names).count == names.count)
    for name in names where !["self", "thread-self", "mounts"].contains(name) { _ = try context.stat("/proc/" + name) }
    #expect(Set(try context.open("/proc/1").names(perCall: 64)).count == 28 + 2)
    #expect(try context.open("/proc/1/task").names() == [".", "..", "1", "7"])
    #expect(!(try context.open("/proc/1/task/7").names()).contains("task"))
    #expect(try context.content("/proc/7/comm") == "prog\n")
    #expect(throws: Errno.ENOENT) { try context.stat("/proc/2") }
    #expect(throws: Errno.ENOENT) { try context.stat("/proc/01") }
    #expect(throws: Errno.ENOENT) { try context.stat("/proc/1/none") }
    #expect(throws: Errno.ENOENT) { try context.make("/proc/new") }
    #expect(throws: Errno.EPERM) { try context.unlink("/proc/meminfo") }
    #expect(try context.readlink("/proc/self") == "1")
    #expect(try context.readlink("/proc/thread-self") == "1/task/1")
    // Every name of every directory can be found, with the number that the listing gave.
    var numbers: Set<UInt64> = []
    for directory in ["/proc", "/proc/1", "/proc/sys", "/proc/sys/kernel", "/proc/sys/kernel/random", "/proc/sys/net"] {
      for entry in try context.open(directory).entries(perCall: 32768) where entry.name != ".." {
        if entry.name != "." { #expect(numbers.insert(entry.number).inserted, "\(directory)/\(entry.name)") }
        #expect(try context.stat(directory + "/" + entry.name, .AT_SYMLINK_NOFOLLOW).st_ino == entry.number)
      }
    }
  }

  @Test func links() throws {
    #expect(try context.readlink("/proc/self/exe") == "/prog")
    #expect(try context.content("/proc/self/exe") == "elf")
    #expect(try context.readlink("/proc/self/root") == "/")
    #expect(try context.content("/proc/self/cwd/prog") == "elf")
    try context.unlink("/prog")
    #expect(try context.readlink("/proc/self/exe") == "/prog (deleted)")
    #expect(try context.content("/proc/self/exe") == "elf")
  }

  @Test func descriptors() throws {
    let pipe = context.makePipe([])
    let file = try context.open("/prog", [.O_RDWR])
    _ = try process.files.insert(pipe.read)
    _ = try process.files.insert(pipe.write)
    _ = try process.files.insert(file, closeOnExec: true, from: 9)
    #expect(try context.open("/proc/self/fd").names() == [".", "..", "0", "1", "9"])
    #expect(try context.readlink("/proc/self/fd/0") == "pipe:[\(pipe.read.inode.number)]")
    #expect(try context.readlink("/proc/self/fd/9") == "/prog")
    #expect(try context.stat("/proc/self/fd/9", .AT_SYMLINK_NOFOLLOW).st_mode.rawValue == 0o120700)
    #expect(try context.stat("/proc/self/fd/0", .AT_SYMLINK_NOFOLLOW).st_mode.rawValue == 0o120500)
    #expect(try context.stat("/proc/self/fd/0").st_mode.type == .S_IFIFO)
    try context.open("/proc/self/fd/1", .O_WRONLY).write("through")
    #expect(try context.open("/proc/self/fd/0").read(20) == Array("through".utf8))
    try context.unlink("/prog")
    #expect(try context.readlink("/proc/self/fd/9") == "/prog (deleted)")
    #expect(try context.content("/proc/self/fd/9") == "elf")
    #expect(throws: Errno.ENOENT) { try context.stat("/proc/self/fd/3") }
    _ = try file.read(2)
    #expect(
      try context.content("/proc/self/fdinfo/9")
        == "pos:\t2\nflags:\t02100002\nmnt_id:\t\(file.path.mount.id)\nino:\t\(file.inode.number)\n")
  }

  @Test func unnamedFilesGetNamesThroughTheirLink() throws {
    let file = try context.open("/", [.O_TMPFILE, .O_RDWR])
    try file.write("t")
    let fd = try process.files.insert(file)
    try context.link(
      Array("/proc/self/fd/\(fd)".utf8), at: nil, to: Array("/named".utf8), at: nil, .AT_SYMLINK_FOLLOW)
    #expect(try context.content("/named") == "t")
  }

  @Test func texts() throws {
    #expect(try context.content("/proc/self/cmdline") == "/bin/prog\0arg\0")
    #expect(try context.content("/proc/self/environ") == "A=b\0")
    #expect(try context.content("/proc/uptime") == "12.34 2.00\n")
    #expect(try context.content("/proc/loadavg") == "0.05 1.20 12.34 1/3 5\n")
    #expect(try context.content("/proc/version") == "Linux version 6.1.0 (swift) #1 SMP\n")
    #expect(try context.content("/proc/cmdline") == "-- /bin/prog\n")
    #expect(try context.content("/proc/filesystems") == "nodev\trootfs\nnodev\tproc\n")
    let stat = try context.content("/proc/self/stat")
    #expect(
      stat.hasPrefix("1 (prog) R 0 1 1 0 -1 4194304 0 0 0 0 0 0 0 0 20 0 1 0 25 10485760 768 18446744073709551615 "))
    #expect(stat.split(separator: " ").count == 52)
    #expect(try context.content("/proc/self/statm") == "2560 768 256 0 0 0 0\n")
    let meminfo = try context.content("/proc/meminfo")
    #expect(meminfo.hasPrefix("MemTotal:          16384 kB\nMemFree:  "))
    #expect(meminfo.split(separator: "\n").contains("HardwareCorrupted:     0 kB"))
    #expect(meminfo.split(separator: "\n").contains("VmallocTotal:   34359738367 kB"))
    #expect(
      try context.content("/proc/stat").hasPrefix("cpu  3 0 0 200 0 0 0 0 0 0\ncpu0 1 0 0 100 0 0 0 0 0 0\ncpu1 "))
    let cpuinfo = try context.content("/proc/cpuinfo")
    #expect(cpuinfo.contains("processor\t: 1\n") && cpuinfo.contains("cpu MHz\t\t: 2400.123\n"))
    #expect(cpuinfo.contains("bogomips\t: 4800.24\n"))
    let status = try context.content("/proc/self/status").split(separator: "\n")
    for line in [
      "Name:\tprog", "Umask:\t0022", "State:\tR (running)", "Tgid:\t1", "Uid:\t0\t0\t0\t0", "FDSize:\t64", "Groups:\t ",
      "VmSize:\t   10240 kB", "RssAnon:\t    2048 kB", "SigBlk:\t0000000000000000", "Cpus_allowed_list:\t0-3,5",
    ] {
      #expect(status.contains(Substring(line)), "\(line)")
    }
    let limits = try context.content("/proc/self/limits").split(separator: "\n")
    #expect(limits[0] == "Limit                     Soft Limit           Hard Limit           Units     ")
    #expect(limits[8] == "Max open files            1024                 1048576              files     ")
    #expect(limits[14] == "Max nice priority         unlimited            unlimited                      ")
  }

  @Test func readingInPieces() throws {
    let file = try context.open("/proc/self/status")
    var text: [UInt8] = []
    while true {
      let more = try file.read(7)
      if more.isEmpty { break }
      text += more
    }
    #expect(String(decoding: text, as: UTF8.self) == (try context.content("/proc/self/status")))
    process.name = Array("other".utf8)
    #expect(try file.read(11, at: 0) == Array("Name:\tother".utf8))
    #expect(file.inode.stat().st_size == 0)
  }

  @Test func maps() throws {
    var text = ProcessMapping(start: 0x400000, end: 0x401000, protection: [.PROT_READ, .PROT_EXEC], isShared: false)
    text.file = process.executable
    text.offset = 0x1000
    let heap = ProcessMapping(
      start: 0x55_5555_5000, end: 0x55_5557_6000, protection: [.PROT_READ, .PROT_WRITE], isShared: false)
    var stack = ProcessMapping(
      start: 0x7ffd_0000_0000, end: 0x7ffd_0002_1000, protection: [.PROT_READ, .PROT_WRITE], isShared: true)
    stack.name = "[stack]"
    process.mappings = [text, heap, stack]
    let inode = text.file!.inode
    let device = "00:0" + String(inode.fileSystem.device.minor, radix: 16)
    let prefix = "00400000-00401000 r-xp 00001000 \(device) \(inode.number) "
    #expect(
      try context.content("/proc/self/maps") == prefix + String(repeating: " ", count: 73 - prefix.count) + "/prog\n"
        + "5555555000-5555576000 rw-p 00000000 00:00 0 \n"
        + "7ffd00000000-7ffd00021000 rw-s 00000000 00:00 0                          [stack]\n")
    #expect(try context.content("/proc/self/smaps").contains("\nSize:                  4 kB\n"))
  }

  @Test func mounts() throws {
    try context.mkdir("/a b")
    try context.mount(source: Array("/proc/sys".utf8), at: Array("/a b".utf8), type: [], .MS_BIND, options: [])
    #expect(
      try context.content("/proc/mounts") == """
        rootfs / rootfs rw,relatime 0 0
        proc /proc proc rw,nosuid,nodev,noexec,relatime 0 0
        proc /a\\040b proc rw,nosuid,nodev,noexec,relatime 0 0

        """)
    let lines = try context.content("/proc/self/mountinfo").split(separator: "\n")
    #expect(lines.count == 3)
    #expect(lines[2].hasSuffix(" /sys /a\\040b rw,nosuid,nodev,noexec,relatime - proc proc rw"))
  }

  @Test func systemControls() throws {
    #expect(try context.content("/proc/sys/kernel/osrelease") == "6.1.0\n")
    try context.open("/proc/sys/kernel/hostname", .O_WRONLY).write("box\n")
    #expect(machine.hostName == Array("box".utf8))
    #expect(try context.content("/proc/sys/kernel/hostname") == "box\n")
    #expect(Set(try context.open("/proc/sys").names()) == [".", "..", "kernel", "vm", "fs", "net"])
    #expect(try context.open("/proc/sys/kernel/random").names().count == 6)
    let overcommit = try context.open("/proc/sys/vm/overcommit_memory", .O_RDWR)
    try overcommit.write("1\n")
    #expect(proc.controls.number("vm/overcommit_memory") == 1)
    #expect(throws: Errno.EINVAL) { try overcommit.write("3") }
    #expect(throws: Errno.EINVAL) { try overcommit.write("x") }
    #expect(throws: Errno.EINVAL) { try overcommit.write("99999999999999999999") }
    #expect(try context.content("/proc/sys/vm/overcommit_memory") == "1\n")
    let uuid = try context.content("/proc/sys/kernel/random/uuid")
    #expect(uuid.count == 37 && uuid.dropFirst(14).first == "4")
    #expect(uuid != (try context.content("/proc/sys/kernel/random/uuid")))
    #expect(
      try context.content("/proc/sys/kernel/random/boot_id") == context.content("/proc/sys/kernel/random/boot_id"))
  }

  @Test func writableFiles() throws {
    try context.open("/proc/self/comm", [.O_WRONLY, .O_TRUNC]).write("a-very-long-name-indeed\n")
    #expect(try context.content("/proc/self/comm") == "a-very-long-nam\n")
    try context.open("/proc/self/oom_score_adj", .O_WRONLY).write("-500\n")
    #expect(process.oomScoreAdjustment == -500)
    #expect(throws: Errno.EINVAL) { try context.open("/proc/self/oom_score_adj", .O_WRONLY).write("2000") }
  }
}
