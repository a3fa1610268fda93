internal import Kernel
internal import LinuxABI
internal import Support
internal import VFSCore

/// The entries of /proc/PID and of /proc/PID/task/TID.
enum ProcessFile: UInt8, CaseIterable {
  case auxv, cgroup, cmdline, comm, coredumpFilter, cwd, environ, exe, fd, fdinfo, gidMap, io, limits, maps, mountinfo
  case mounts, oomScore, oomScoreAdj, personality, root, smaps, stat, statm, status, task, uidMap, wchan, children
  case mountstats

  var name: StaticString {
    switch self {
    case .auxv: "auxv"
    case .cgroup: "cgroup"
    case .cmdline: "cmdline"
    case .comm: "comm"
    case .coredumpFilter: "coredump_filter"
    case .cwd: "cwd"
    case .environ: "environ"
    case .exe: "exe"
    case .fd: "fd"
    case .fdinfo: "fdinfo"
    case .gidMap: "gid_map"
    case .io: "io"
    case .limits: "limits"
    case .maps: "maps"
    case .mountinfo: "mountinfo"
    case .mounts: "mounts"
    case .oomScore: "oom_score"
    case .oomScoreAdj: "oom_score_adj"
    case .personality: "personality"
    case .root: "root"
    case .smaps: "smaps"
    case .stat: "stat"
    case .statm: "statm"
    case .status: "status"
    case .task: "task"
    case .uidMap: "uid_map"
    case .wchan: "wchan"
    case .children: "children"
    case .mountstats: "mountstats"
    }
  }

  var type: FileType {
    switch self {
    case .cwd, .exe, .root: .S_IFLNK
    case .fd, .fdinfo, .task: .S_IFDIR
    default: .S_IFREG
    }
  }

  var permissions: UInt32 {
    switch self {
    case .auxv, .environ, .io, .mountstats, .personality: 0o400
    case .comm, .coredumpFilter, .oomScoreAdj, .uidMap, .gidMap: 0o644
    case .cwd, .exe, .root: 0o777
    case .fd, .fdinfo: 0o500
    case .task: 0o555
    default: 0o444
    }
  }
}

/// Whose files they are: a process, and a thread of it.
struct ProcSubject {
  let process: any ProcessInformation
  let tid: Int32

  /// Gives an inode the process's owner.
  func own(_ inode: Inode) {
    let credentials = process.fileSystem.credentials
    inode.uid = credentials.userID
    inode.gid = credentials.groupID
  }
}

/// /proc/PID, or a thread's directory in its `task`.
final class ProcProcessDirectory: ProcDirectory {
  private let subject: ProcSubject
  private let isThread: Bool

  init(_ proc: ProcFileSystem, _ process: any ProcessInformation, tid: Int32, isThread: Bool = false) {
    subject = ProcSubject(process: process, tid: tid)
    self.isThread = isThread
    super.init(proc, number: ProcNumber.process(tid) + (isThread ? 2048 : 0))
    linkCount = isThread ? 4 : 5
    subject.own(self)
  }

  private func isLacking(_ file: ProcessFile) -> Bool {
    isThread ? file == .task || file == .mountstats : file == .children
  }

  override var processID: Int32? { isThread ? nil : subject.process.pid }

  override func lookup(_ name: [UInt8]) throws(Errno) -> Inode? {
    for file in ProcessFile.allCases where ProcName.equal(name, file.name) {
      if isLacking(file) { return nil }
      let inode: Inode
      let number = self.number + 1 + UInt64(file.rawValue)
      switch file {
      case .fd, .fdinfo: inode = ProcDescriptorDirectory(proc, number: number, subject, isInformation: file == .fdinfo)
      case .task: inode = ProcTaskDirectory(proc, number: number, subject.process)
      case .cwd, .exe, .root: inode = ProcProcessLink(proc, number: number, subject, file)
      default: inode = ProcProcessText(proc, number: number, subject, file)
      }
      subject.own(inode)
      return inode
    }
    return nil
  }

  override func readDirectory(
    from position: Int64, _ emit: (_ name: [UInt8], _ number: UInt64, _ type: UInt8, _ next: Int64) -> Bool
  ) throws(Errno) {
    var position = position
    while let file = UInt8(exactly: position - 2).flatMap(ProcessFile.init(rawValue:)) {
      position += 1
      if isLacking(file) { continue }
      let number = self.number + 1 + UInt64(file.rawValue)
      guard emit(file.name.bytes, number, file.type.directoryEntryType, position) else { return }
    }
  }
}

/// /proc/PID/task: the threads.
final class ProcTaskDirectory: ProcDirectory {
  private let process: any ProcessInformation

  init(_ proc: ProcFileSystem, number: UInt64, _ process: any ProcessInformation) {
    self.process = process
    super.init(proc, number: number)
    linkCount = 2 + UInt32(process.threadIDs.count)
  }

  override func lookup(_ name: [UInt8]) throws(Errno) -> Inode? {
    guard let tid = ProcName.number(name), process.threadIDs.contains(tid) else { return nil }
    return ProcProcessDirectory(proc, process, tid: tid, isThread: true)
  }

  override func readDirectory(
    from position: Int64, _ emit: (_ name: [UInt8], _ number: UInt64, _ type: UInt8, _ next: Int64) -> Bool
  ) throws(Errno) {
    // A position is the number of the thread in front, plus 2.
    for tid in process.threadIDs where Int64(tid) + 2 > position {
      let number = ProcNumber.process(tid) + 2048
      guard emit(ProcName.decimal(tid), number, DirectoryEntryType.DT_DIR, Int64(tid) + 2) else { return }
    }
  }
}

/// /proc/PID/fd and /proc/PID/fdinfo.
final class ProcDescriptorDirectory: ProcDirectory {
  private let subject: ProcSubject
  private let isInformation: Bool

  init(_ proc: ProcFileSystem, number: UInt64, _ subject: ProcSubject, isInformation: Bool) {
    self.subject = subject
    self.isInformation = isInformation
    super.init(proc, number: number, 0o500)
    // What lstat(2) reports since 6.2.
    ownSize = isInformation ? 0 : Int64(subject.process.files.count)
  }

  private func number(_ fd: Int32) -> UInt64 { self.number << 20 | 1 << 60 | UInt64(UInt32(bitPattern: fd)) }

  override func lookup(_ name: [UInt8]) throws(Errno) -> Inode? {
    guard let fd = ProcName.number(name), let file = try? subject.process.files.anyFile(at: fd) else { return nil }
    let inode: Inode =
      isInformation
      ? ProcDescriptorInformation(proc, number: number(fd), subject, fd)
      : ProcDescriptorLink(proc, number: number(fd), subject, fd, file)
    subject.own(inode)
    return inode
  }

  override func readDirectory(
    from position: Int64, _ emit: (_ name: [UInt8], _ number: UInt64, _ type: UInt8, _ next: Int64) -> Bool
  ) throws(Errno) {
    var fd = Int32(clamping: position - 2)
    let type = isInformation ? DirectoryEntryType.DT_REG : DirectoryEntryType.DT_LNK
    while let next = subject.process.files.nextDescriptor(from: fd) {
      guard emit(ProcName.decimal(next), number(next), type, Int64(next) + 3) else { return }
      fd = next + 1
    }
  }
}

/// /proc/PID/fd/N: leads to the open file, whatever has become of its name.
final class ProcDescriptorLink: ProcLink {
  private let subject: ProcSubject
  private let fd: Int32

  init(_ proc: ProcFileSystem, number: UInt64, _ subject: ProcSubject, _ fd: Int32, _ file: OpenFile) {
    self.subject = subject
    self.fd = fd
    super.init(proc, number: number, (file.isReadable ? 0o500 : 0) | (file.isWritable ? 0o300 : 0))
    ownSize = 64
  }

  private func file() throws(Errno) -> OpenFile {
    guard let file = try? subject.process.files.anyFile(at: fd) else { throw .ENOENT }
    return file
  }

  override func readLink() throws(Errno) -> [UInt8] {
    try file().describe(root: proc.processes.currentRoot)
  }
  override func magicLink() throws(Errno) -> Path? { try file().path }
}

/// /proc/PID/fdinfo/N.
final class ProcDescriptorInformation: ProcText {
  private let subject: ProcSubject
  private let fd: Int32

  init(_ proc: ProcFileSystem, number: UInt64, _ subject: ProcSubject, _ fd: Int32) {
    self.subject = subject
    self.fd = fd
    super.init(proc, number: number)
  }

  override func write(into text: inout TextBuffer) throws(Errno) {
    guard let file = try? subject.process.files.anyFile(at: fd) else { throw .ENOENT }
    var flags = file.flags
    if subject.process.files.closesOnExec(fd) { flags.insert(.O_CLOEXEC) }
    text.append("pos:\t")
    text.append(decimal: Int(file.offset))
    text.append("\nflags:\t0")
    text.append(octal: UInt(flags.rawValue))
    text.append("\nmnt_id:\t")
    text.append(decimal: UInt(file.path.mount.id))
    text.append("\nino:\t")
    text.append(decimal: UInt(file.inode.number))
    text.append("\n")
    file.writeInformation(&text)
  }
}

/// /proc/PID/exe, cwd and root.
final class ProcProcessLink: ProcLink {
  private let subject: ProcSubject
  private let file: ProcessFile

  init(_ proc: ProcFileSystem, number: UInt64, _ subject: ProcSubject, _ file: ProcessFile) {
    self.subject = subject
    self.file = file
    super.init(proc, number: number)
  }

  override func magicLink() throws(Errno) -> Path? {
    switch file {
    case .cwd: return subject.process.fileSystem.workingDirectory
    case .root: return subject.process.fileSystem.root
    default:
      guard let executable = subject.process.executable else { throw .ENOENT }
      return executable
    }
  }
  override func readLink() throws(Errno) -> [UInt8] {
    guard let path = try magicLink() else { throw .ENOENT }
    return path.text(root: proc.processes.currentRoot)
  }
}

extension ProcessTable {
  /// The root that the reader of a path sees it from.
  var currentRoot: Path? { information(currentProcessID)?.fileSystem.root }
}

/// The text files of a process.
final class ProcProcessText: ProcText {
  private let subject: ProcSubject
  private let file: ProcessFile

  init(_ proc: ProcFileSystem, number: UInt64, _ subject: ProcSubject, _ file: ProcessFile) {
    self.subject = subject
    self.file = file
    super.init(proc, number: number, file.permissions)
  }

  override func write(into text: inout TextBuffer) throws(Errno) {
    let process = subject.process
    switch file {
    case .auxv: text.append(bytes: process.auxiliaryVector)
    case .cgroup: text.append("0::/\n")
    case .cmdline: text.append(bytes: process.commandLine())
    case .comm:
      text.append(bytes: process.statistics(ofThread: subject.tid).name)
      text.append("\n")
    case .coredumpFilter: text.append("00000033\n")
    case .environ: text.append(bytes: process.environmentStrings())
    case .io:
      text.append("rchar: 0\nwchar: 0\nsyscr: 0\nsyscw: 0\nread_bytes: 0\nwrite_bytes: 0\ncancelled_write_bytes: 0\n")
    case .limits: ProcessReport.limits(process, &text)
    case .maps: ProcessReport.maps(process, proc.processes.currentRoot, details: false, &text)
    case .smaps: ProcessReport.maps(process, proc.processes.currentRoot, details: true, &text)
    case .mounts, .mountinfo, .mountstats:
      MountReport.write(file, proc.namespace, process.fileSystem.root, &text)
    case .oomScore:
      text.append(decimal: process.oomScore)
      text.append("\n")
    case .oomScoreAdj:
      text.append(decimal: process.oomScoreAdjustment)
      text.append("\n")
    case .personality: text.append("00000000\n")
    case .stat: ProcessReport.stat(process, subject.tid, &text)
    case .statm: ProcessReport.statm(process, subject.tid, &text)
    case .status: ProcessReport.status(process, subject.tid, &text)
    case .uidMap, .gidMap: text.append("         0          0 4294967295\n")
    case .wchan: text.append("0")
    case .children:
      for child in process.children(ofThread: subject.tid) {
        text.append(decimal: Int(child))
        text.append(" ")
      }
    case .cwd, .exe, .root, .fd, .fdinfo, .task: break
    }
  }

  override func receive(_ bytes: [UInt8]) throws(Errno) {
    var bytes = bytes
    if bytes.last == UInt8(ascii: "\n") { bytes.removeLast() }
    switch file {
    case .comm: subject.process.setName(Array(bytes.prefix(15)), ofThread: subject.tid)
    case .oomScoreAdj:
      let isNegative = bytes.first == UInt8(ascii: "-")
      guard let value = ProcName.number(Array(bytes.dropFirst(isNegative ? 1 : 0))), value <= 1000 else {
        throw .EINVAL
      }
      subject.process.oomScoreAdjustment = isNegative ? -Int(value) : Int(value)
    case .coredumpFilter: break
    case .uidMap, .gidMap: throw .EPERM
    default: throw .EINVAL
    }
  }
}
