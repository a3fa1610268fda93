internal import Kernel
internal import LinuxABI
internal import Support
internal import VFSCore

/// The texts of /proc/PID.
enum ProcessReport {
  // MARK: stat, statm

  static func stat(_ process: any ProcessInformation, _ tid: Int32, _ text: inout TextBuffer) {
    let s = process.statistics(ofThread: tid)
    @inline(never)
    func field(_ value: Int) {
      text.append(" ")
      text.append(decimal: value)
    }
    @inline(never)
    func field(_ value: UInt64) {
      text.append(" ")
      text.append(decimal: UInt(value))
    }
    text.append(decimal: Int(tid))
    text.append(" (")
    text.append(bytes: s.name)
    text.append(") ")
    text.append(byte: s.state)
    field(Int(s.parentPID))
    field(Int(s.group))
    field(Int(s.session))
    field(s.terminal)
    field(Int(s.terminalGroup))
    // PF_RANDOMIZE
    field(UInt64(0x40_0000))
    field(s.minorFaults)
    field(s.childMinorFaults)
    field(s.majorFaults)
    field(s.childMajorFaults)
    field(UInt64(MachineReport.ticks(s.userTime)))
    field(UInt64(MachineReport.ticks(s.systemTime)))
    field(UInt64(MachineReport.ticks(s.childUserTime)))
    field(UInt64(MachineReport.ticks(s.childSystemTime)))
    field(s.inheritedPriority > 0 ? -1 - Int(s.inheritedPriority) : 20 + Int(s.nice))
    field(Int(s.nice))
    field(s.threadCount)
    field(0)
    field(UInt64(MachineReport.ticks(s.startTime)))
    field(s.virtualSize)
    field(s.residentSize / UInt64(pageSize))
    field(s.residentLimit)
    field(s.codeStart)
    field(s.codeEnd)
    field(s.stackStart)
    // Stack and instruction pointer are shown for a dying process only.
    field(0)
    field(0)
    field(s.pendingSignals & 0x7fff_ffff)
    field(s.blockedSignals & 0x7fff_ffff)
    field(s.ignoredSignals & 0x7fff_ffff)
    field(s.caughtSignals & 0x7fff_ffff)
    field(0)
    field(0)
    field(0)
    // SIGCHLD is what the parent gets.
    field(17)
    field(0)
    field(Int(s.realTimePriority))
    field(UInt64(s.schedulingPolicy))
    field(0)
    field(0)
    field(0)
    field(s.dataStart)
    field(s.dataEnd)
    field(s.heapStart)
    field(s.argumentsStart)
    field(s.argumentsEnd)
    field(s.environmentStart)
    field(s.environmentEnd)
    field(Int(s.exitCode))
    text.append("\n")
  }

  static func statm(_ process: any ProcessInformation, _ tid: Int32, _ text: inout TextBuffer) {
    let s = process.statistics(ofThread: tid)
    let page = UInt64(pageSize)
    let shared = s.residentFileSize + s.residentSharedSize
    let values = [
      s.virtualSize / page, s.residentSize / page, shared / page, (s.textSize + page - 1) / page, 0,
      (s.dataSize + s.stackSize) / page, 0,
    ]
    for index in values.indices {
      if index > 0 { text.append(" ") }
      text.append(decimal: UInt(values[index]))
    }
    text.append("\n")
  }

  // MARK: status

  static func status(_ process: any ProcessInformation, _ tid: Int32, _ text: inout TextBuffer) {
    let s = process.statistics(ofThread: tid)
    @inline(never)
    func line(_ name: StaticString, _ value: (inout TextBuffer) -> Void) {
      text.append(name)
      text.append(":\t")
      value(&text)
      text.append("\n")
    }
    @inline(never)
    func number(_ name: StaticString, _ value: Int) { line(name) { $0.append(decimal: value) } }
    @inline(never)
    func size(_ name: StaticString, _ bytes: UInt64) {
      line(name) {
        $0.append(decimal: UInt(bytes / 1024), width: 8)
        $0.append(" kB")
      }
    }
    @inline(never)
    func mask(_ name: StaticString, _ value: UInt64) { line(name) { $0.append(hex: UInt(value), width: 16) } }
    @inline(never)
    func ids(_ name: StaticString, _ ids: (UInt32, UInt32, UInt32, UInt32)) {
      line(name) {
        $0.append(decimal: UInt(ids.0))
        $0.append("\t")
        $0.append(decimal: UInt(ids.1))
        $0.append("\t")
        $0.append(decimal: UInt(ids.2))
        $0.append("\t")
        $0.append(decimal: UInt(ids.3))
      }
    }

    line("Name") { $0.append(bytes: s.name) }
    line("Umask") { $0.append(octal: UInt(process.fileSystem.umask.rawValue), width: 4) }
    line("State") {
      $0.append(byte: s.state)
      switch s.state {
      case UInt8(ascii: "R"): $0.append(" (running)")
      case UInt8(ascii: "S"): $0.append(" (sleeping)")
      case UInt8(ascii: "D"): $0.append(" (disk sleep)")
      case UInt8(ascii: "T"): $0.append(" (stopped)")
      case UInt8(ascii: "t"): $0.append(" (tracing stop)")
      case UInt8(ascii: "Z"): $0.append(" (zombie)")
      default: $0.append(" (dead)")
      }
    }
    number("Tgid", Int(process.pid))
    number("Ngid", 0)
    number("Pid", Int(tid))
    number("PPid", Int(s.parentPID))
    number("TracerPid", Int(s.tracerPID))
    ids("Uid", s.userIDs)
    ids("Gid", s.groupIDs)
    number("FDSize", process.files.capacity)
    line("Groups") {
      for group in s.groups {
        $0.append(decimal: UInt(group))
        $0.append(" ")
      }
      if s.groups.isEmpty { $0.append(" ") }
    }
    number("NStgid", Int(process.pid))
    number("NSpid", Int(tid))
    number("NSpgid", Int(s.group))
    number("NSsid", Int(s.session))
    if s.state != UInt8(ascii: "Z") {
      size("VmPeak", s.peakVirtualSize)
      size("VmSize", s.virtualSize)
      size("VmLck", s.lockedSize)
      size("VmPin", 0)
      size("VmHWM", s.peakResidentSize)
      size("VmRSS", s.residentSize)
      let shared = s.residentFileSize + s.residentSharedSize
      size("RssAnon", s.residentSize > shared ? s.residentSize - shared : 0)
      size("RssFile", s.residentFileSize)
      size("RssShmem", s.residentSharedSize)
      size("VmData", s.dataSize)
      size("VmStk", s.stackSize)
      size("VmExe", s.textSize)
      size("VmLib", s.librarySize)
      size("VmPTE", s.pageTableSize)
      size("VmSwap", 0)
      size("HugetlbPages", 0)
      number("CoreDumping", 0)
      number("THP_enabled", 1)
    }
    number("Threads", s.threadCount)
    line("SigQ") {
      $0.append(decimal: s.queuedSignals)
      $0.append("/")
      $0.append(decimal: UInt(process.limit(.RLIMIT_SIGPENDING).soft))
    }
    mask("SigPnd", s.pendingSignals)
    mask("ShdPnd", s.sharedPendingSignals)
    mask("SigBlk", s.blockedSignals)
    mask("SigIgn", s.ignoredSignals)
    mask("SigCgt", s.caughtSignals)
    mask("CapInh", s.inheritableCapabilities)
    mask("CapPrm", s.permittedCapabilities)
    mask("CapEff", s.effectiveCapabilities)
    mask("CapBnd", s.boundingCapabilities)
    mask("CapAmb", s.ambientCapabilities)
    number("NoNewPrivs", s.hasNoNewPrivileges ? 1 : 0)
    number("Seccomp", 0)
    number("Seccomp_filters", 0)
    line("Speculation_Store_Bypass") { $0.append("vulnerable") }
    line("SpeculationIndirectBranch") { $0.append("always enabled") }
    line("Cpus_allowed") { $0.append(hex: UInt(s.affinity)) }
    line("Cpus_allowed_list") { list(s.affinity, &$0) }
    number("Mems_allowed", 1)
    number("Mems_allowed_list", 0)
    number("voluntary_ctxt_switches", Int(truncatingIfNeeded: s.voluntarySwitches))
    number("nonvoluntary_ctxt_switches", Int(truncatingIfNeeded: s.involuntarySwitches))
  }

  /// Bits as ranges: `0-3,5`.
  private static func list(_ mask: UInt64, _ text: inout TextBuffer) {
    var rest = mask
    var isFirst = true
    while rest != 0 {
      let start = rest.trailingZeroBitCount
      let length = (~(rest >> UInt64(start))).trailingZeroBitCount
      if !isFirst { text.append(",") }
      isFirst = false
      text.append(decimal: start)
      if length > 1 {
        text.append("-")
        text.append(decimal: start + length - 1)
      }
      rest = start + length >= 64 ? 0 : rest & .max << UInt64(start + length)
    }
  }

  // MARK: limits

  static func limits(_ process: any ProcessInformation, _ text: inout TextBuffer) {
    @inline(never)
    func column(_ value: StaticString, _ width: Int) {
      text.append(value)
      for _ in value.utf8CodeUnitCount..<max(width, value.utf8CodeUnitCount) { text.append(" ") }
    }
    @inline(never)
    func amount(_ value: UInt64) {
      if value == ResourceLimitKind.RLIM_INFINITY { return column("unlimited", 20) }
      let start = text.count
      text.append(decimal: UInt(value))
      while text.count - start < 20 { text.append(" ") }
    }
    @inline(never)
    func row(_ name: StaticString, _ kind: ResourceLimitKind, _ unit: StaticString) {
      let limit = process.limit(kind)
      column(name, 25)
      text.append(" ")
      amount(limit.soft)
      text.append(" ")
      amount(limit.hard)
      text.append(" ")
      column(unit, 10)
      text.append("\n")
    }
    text.append("Limit                     Soft Limit           Hard Limit           Units     \n")
    row("Max cpu time", .RLIMIT_CPU, "seconds")
    row("Max file size", .RLIMIT_FSIZE, "bytes")
    row("Max data size", .RLIMIT_DATA, "bytes")
    row("Max stack size", .RLIMIT_STACK, "bytes")
    row("Max core file size", .RLIMIT_CORE, "bytes")
    row("Max resident set", .RLIMIT_RSS, "bytes")
    row("Max processes", .RLIMIT_NPROC, "processes")
    row("Max open files", .RLIMIT_NOFILE, "files")
    row("Max locked memory", .RLIMIT_MEMLOCK, "bytes")
    row("Max address space", .RLIMIT_AS, "bytes")
    row("Max file locks", .RLIMIT_LOCKS, "locks")
    row("Max pending signals", .RLIMIT_SIGPENDING, "signals")
    row("Max msgqueue size", .RLIMIT_MSGQUEUE, "bytes")
    row("Max nice priority", .RLIMIT_NICE, "")
    row("Max realtime priority", .RLIMIT_RTPRIO, "")
    row("Max realtime timeout", .RLIMIT_RTTIME, "us")
  }

  // MARK: maps

  /// The areas of a process's memory; `details` adds the figures of smaps.
  static func maps(
    _ process: any ProcessInformation, _ root: Path?, details: Bool, _ text: inout TextBuffer
  ) {
    process.forEachMapping { mapping in
      let start = text.count
      text.append(hex: UInt(mapping.start), width: 8)
      text.append("-")
      text.append(hex: UInt(mapping.end), width: 8)
      text.append(" ")
      text.append(byte: UInt8(ascii: mapping.protection.contains(.PROT_READ) ? "r" : "-"))
      text.append(byte: UInt8(ascii: mapping.protection.contains(.PROT_WRITE) ? "w" : "-"))
      text.append(byte: UInt8(ascii: mapping.protection.contains(.PROT_EXEC) ? "x" : "-"))
      text.append(byte: UInt8(ascii: mapping.isShared ? "s" : "p"))
      text.append(" ")
      text.append(hex: UInt(mapping.offset), width: 8)
      text.append(" ")
      let inode = mapping.file?.inode
      text.append(hex: UInt(inode?.fileSystem.device.major ?? 0), width: 2)
      text.append(":")
      // Segments are files of a mount of the kernel's own, of device 0:1.
      text.append(hex: UInt(inode?.fileSystem.device.minor ?? (mapping.segment == nil ? 0 : 1)), width: 2)
      text.append(" ")
      text.append(decimal: UInt(inode?.number ?? mapping.segment?.number ?? 0))
      text.append(" ")
      if let file = mapping.file {
        pad(&text, from: start)
        for byte in file.text(root: root) {
          // A line end in a name must not look like one of the file.
          if byte == UInt8(ascii: "\n") { text.append("\\012") } else { text.append(byte: byte) }
        }
      } else if let segment = mapping.segment {
        pad(&text, from: start)
        text.append("/SYSV")
        text.append(hex: UInt(segment.key), width: 8)
        text.append(" (deleted)")
      } else if let name = mapping.name {
        pad(&text, from: start)
        text.append(name)
      }
      text.append("\n")
      if details { figures(mapping, &text) }
    }
  }

  /// Fills a line up to where names begin.
  private static func pad(_ text: inout TextBuffer, from start: Int) {
    while text.count - start < 72 { text.append(" ") }
    text.append(" ")
  }

  private static func figures(_ mapping: ProcessMapping, _ text: inout TextBuffer) {
    @inline(never)
    func line(_ name: StaticString, _ bytes: UInt64) {
      text.append(name)
      text.append(decimal: UInt(bytes / 1024), width: 24 - name.utf8CodeUnitCount)
      text.append(" kB\n")
    }
    let own = min(mapping.anonymousSize, mapping.residentSize)
    line("Size:", mapping.end - mapping.start)
    line("KernelPageSize:", UInt64(pageSize))
    line("MMUPageSize:", UInt64(pageSize))
    line("Rss:", mapping.residentSize)
    line("Pss:", mapping.residentSize)
    line("Pss_Dirty:", own)
    line("Shared_Clean:", mapping.residentSize - own)
    line("Shared_Dirty:", 0)
    line("Private_Clean:", 0)
    line("Private_Dirty:", own)
    line("Referenced:", mapping.residentSize)
    line("Anonymous:", own)
    line("LazyFree:", 0)
    line("AnonHugePages:", 0)
    line("ShmemPmdMapped:", 0)
    line("FilePmdMapped:", 0)
    line("Shared_Hugetlb:", 0)
    line("Private_Hugetlb:", 0)
    line("Swap:", 0)
    line("SwapPss:", 0)
    line("Locked:", 0)
    text.append("THPeligible:    0\nVmFlags:")
    if mapping.protection.contains(.PROT_READ) { text.append(" rd") }
    if mapping.protection.contains(.PROT_WRITE) { text.append(" wr") }
    if mapping.protection.contains(.PROT_EXEC) { text.append(" ex") }
    if mapping.isShared { text.append(" sh") }
    text.append(" mr mw me \n")
  }
}
