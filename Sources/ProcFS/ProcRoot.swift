internal import Kernel
internal import LinuxABI
internal import Support
internal import VFSCore

/// The top directory: the machine's files, then the processes.
final class ProcRoot: ProcDirectory {
  init(_ proc: ProcFileSystem) { super.init(proc, number: ProcNumber.root) }

  override func lookup(_ name: [UInt8]) throws(Errno) -> Inode? {
    if let pid = ProcName.number(name) {
      if let process = proc.processes.information(pid) { return ProcProcessDirectory(proc, process, tid: pid) }
      // Threads are there too, but not listed.
      guard let process = proc.processes.information(ofThread: pid) else { return nil }
      return ProcProcessDirectory(proc, process, tid: pid)
    }
    for file in MachineFile.allCases where ProcName.equal(name, file.name) { return file.inode(proc) }
    return nil
  }

  override func readDirectory(
    from position: Int64, _ emit: (_ name: [UInt8], _ number: UInt64, _ type: UInt8, _ next: Int64) -> Bool
  ) throws(Errno) {
    // Positions 2… are the machine's files, 256 + n the process after number n - 1.
    var position = position
    while position < 256 {
      guard let file = MachineFile(rawValue: UInt8(truncatingIfNeeded: position - 2)) else { break }
      let type = file.type.directoryEntryType
      guard emit(file.name.bytes, file.number, type, position + 1) else { return }
      position += 1
    }
    var pid = Int32(clamping: max(position - 256, 0))
    while let next = proc.processes.nextProcessID(after: pid) {
      let number = ProcNumber.process(next)
      guard emit(ProcName.decimal(next), number, DirectoryEntryType.DT_DIR, Int64(next) + 256) else { return }
      pid = next
    }
  }
}

/// The entries of /proc that are no processes.
enum MachineFile: UInt8, CaseIterable {
  case cmdline, cpuinfo, filesystems, loadavg, meminfo, mounts, sys, stat, systemV, thisProcess, thisThread, uptime,
    version, vmstat

  var name: StaticString {
    switch self {
    case .cmdline: "cmdline"
    case .cpuinfo: "cpuinfo"
    case .filesystems: "filesystems"
    case .loadavg: "loadavg"
    case .meminfo: "meminfo"
    case .mounts: "mounts"
    case .sys: "sys"
    case .stat: "stat"
    case .systemV: "sysvipc"
    case .thisProcess: "self"
    case .thisThread: "thread-self"
    case .uptime: "uptime"
    case .version: "version"
    case .vmstat: "vmstat"
    }
  }

  var type: FileType {
    switch self {
    case .mounts, .thisProcess, .thisThread: .S_IFLNK
    case .sys, .systemV: .S_IFDIR
    default: .S_IFREG
    }
  }

  var number: UInt64 {
    switch self {
    case .sys: ProcNumber.systemControl
    case .systemV: ProcNumber.ipcTables
    default: ProcNumber.machineFile + UInt64(rawValue)
    }
  }

  func inode(_ proc: ProcFileSystem) -> Inode {
    switch type {
    case .S_IFLNK: MachineLink(proc, self)
    case .S_IFDIR: (self == .systemV ? proc.ipcTables : proc.controls).root(of: proc)
    default: MachineText(proc, self)
    }
  }
}

/// /proc/self, /proc/thread-self and /proc/mounts.
final class MachineLink: ProcLink {
  private let file: MachineFile

  init(_ proc: ProcFileSystem, _ file: MachineFile) {
    self.file = file
    super.init(proc, number: file.number)
  }

  override func readLink() throws(Errno) -> [UInt8] {
    var text = TextBuffer()
    switch file {
    case .mounts: text.append("self/mounts")
    case .thisThread:
      text.append(decimal: Int(proc.processes.currentProcessID))
      text.append("/task/")
      text.append(decimal: Int(proc.processes.currentThreadID))
    default: text.append(decimal: Int(proc.processes.currentProcessID))
    }
    return text.bytes
  }
}

/// The machine's text files.
final class MachineText: ProcText {
  private let file: MachineFile

  init(_ proc: ProcFileSystem, _ file: MachineFile) {
    self.file = file
    super.init(proc, number: file.number)
  }

  override func write(into text: inout TextBuffer) throws(Errno) {
    let machine = proc.machine
    switch file {
    case .cmdline:
      text.append(bytes: machine.kernelCommandLine)
      text.append("\n")
    case .cpuinfo: MachineReport.processors(machine, &text)
    case .filesystems:
      var seen: [[UInt8]] = []
      for mount in proc.namespace.mounts {
        let name = mount.fileSystem.typeName.bytes
        if seen.contains(name) || proc.namespace.fileSystemType(name) != nil { continue }
        seen.append(name)
        text.append("nodev\t")
        text.append(bytes: name)
        text.append("\n")
      }
      for type in proc.namespace.fileSystemTypes {
        if !type.needsDevice { text.append("nodev") }
        text.append("\t")
        text.append(bytes: type.name)
        text.append("\n")
      }
    case .loadavg: MachineReport.load(machine, &text)
    case .meminfo: MachineReport.memory(machine, proc.namespace, &text)
    case .stat: MachineReport.statistics(machine, &text)
    case .uptime:
      MachineReport.seconds(machine.uptime, &text)
      text.append(" ")
      MachineReport.seconds(machine.idleTime, &text)
      text.append("\n")
    case .version:
      text.append(bytes: machine.operatingSystem)
      text.append(" version ")
      text.append(bytes: machine.release)
      text.append(" (swift) ")
      text.append(bytes: machine.version)
      text.append("\n")
    case .vmstat: MachineReport.virtualMemory(machine, proc.namespace, &text)
    case .mounts, .sys, .systemV, .thisProcess, .thisThread: break
    }
  }
}
