internal import Kernel
internal import LinuxABI
internal import Support
internal import VFSCore

/// The texts of /proc/cpuinfo, meminfo, stat and loadavg.
enum MachineReport {
  /// Seconds with two digits behind the point.
  static func seconds(_ nanoseconds: UInt64, _ text: inout TextBuffer) {
    text.append(decimal: UInt(nanoseconds / 1_000_000_000))
    text.append(".")
    text.append(decimal: UInt(nanoseconds / 10_000_000 % 100), width: 2, pad: UInt8(ascii: "0"))
  }

  /// What Linux counts processor time in for programs: USER_HZ, a hundredth of a second.
  static func ticks(_ nanoseconds: UInt64) -> UInt { UInt(nanoseconds / 10_000_000) }

  static func processors(_ machine: any MachineInformation, _ text: inout TextBuffer) {
    for index in 0..<machine.processorCount {
      let processor = machine.processor(index)
      @inline(never)
      func line(_ name: StaticString, _ value: (inout TextBuffer) -> Void) {
        text.append(name)
        text.append(": ")
        value(&text)
        text.append("\n")
      }
      line("processor\t") { $0.append(decimal: index) }
      line("vendor_id\t") { $0.append(bytes: processor.vendor) }
      line("cpu family\t") { $0.append(decimal: processor.family) }
      line("model\t\t") { $0.append(decimal: processor.model) }
      line("model name\t") { $0.append(bytes: processor.modelName) }
      line("stepping\t") { $0.append(decimal: processor.stepping) }
      line("cpu MHz\t\t") {
        $0.append(decimal: processor.kilohertz / 1000)
        $0.append(".")
        $0.append(decimal: processor.kilohertz % 1000, width: 3, pad: UInt8(ascii: "0"))
      }
      line("cache size\t") {
        $0.append(decimal: processor.cacheKilobytes)
        $0.append(" KB")
      }
      line("physical id\t") { $0.append("0") }
      line("siblings\t") { $0.append(decimal: machine.processorCount) }
      line("core id\t\t") { $0.append(decimal: index) }
      line("cpu cores\t") { $0.append(decimal: machine.processorCount) }
      line("apicid\t\t") { $0.append(decimal: index) }
      line("initial apicid\t") { $0.append(decimal: index) }
      line("fpu\t\t") { $0.append(processor.isFPUPresent ? "yes" : "no") }
      line("fpu_exception\t") { $0.append(processor.isFPUPresent ? "yes" : "no") }
      line("cpuid level\t") { $0.append(decimal: processor.cpuidLevel) }
      line("wp\t\t") { $0.append("yes") }
      line("flags\t\t") { $0.append(bytes: processor.flags) }
      line("bugs\t\t") { _ in }
      // Twice the clock, as the loop that Linux times takes two of its cycles.
      line("bogomips\t") {
        $0.append(decimal: processor.kilohertz / 500)
        $0.append(".")
        $0.append(decimal: processor.kilohertz / 5 % 100, width: 2, pad: UInt8(ascii: "0"))
      }
      line("clflush size\t") { $0.append(decimal: processor.cacheLine) }
      line("cache_alignment\t") { $0.append(decimal: processor.cacheLine) }
      line("address sizes\t") {
        $0.append(decimal: processor.physicalAddressBits)
        $0.append(" bits physical, ")
        $0.append(decimal: processor.virtualAddressBits)
        $0.append(" bits virtual")
      }
      line("power management") { _ in }
      text.append("\n")
    }
  }

  static func memory(_ machine: any MachineInformation, _ namespace: Namespace, _ text: inout TextBuffer) {
    @inline(never)
    func line(_ name: StaticString, _ bytes: UInt64) {
      text.append(name)
      // Linux fills up to column 16, and has one name that reaches beyond.
      for _ in name.utf8CodeUnitCount..<max(16, name.utf8CodeUnitCount) { text.append(" ") }
      text.append(decimal: UInt(bytes / 1024), width: name.utf8CodeUnitCount <= 16 ? 8 : 6)
      text.append(" kB\n")
    }
    let frames = namespace.environment.frames
    let total = UInt64(frames.totalFrames) * UInt64(pageSize)
    let free = UInt64(frames.freeFrames) * UInt64(pageSize)
    let cached = UInt64(namespace.environment.cachedPages) * UInt64(pageSize)
    let dirty = UInt64(namespace.environment.dirtyPages.count) * UInt64(pageSize)
    // Other files live in memory and nowhere else: what they use is shared memory, as tmpfs's is.
    var filePages = 0
    var seen: [MemoryFileSystem] = []
    for mount in namespace.mounts {
      guard let memory = mount.fileSystem as? MemoryFileSystem else { continue }
      if seen.contains(where: { $0 === memory }) { continue }
      seen.append(memory)
      filePages += memory.quota.used
    }
    let files = UInt64(filePages) * UInt64(pageSize)
    let kernel = machine.kernelMemory
    let anonymous = machine.anonymousMemory
    let reserve = UInt64(frames.reserve) * UInt64(pageSize)
    line("MemTotal:", total)
    line("MemFree:", free)
    let available = free + cached
    line("MemAvailable:", available > reserve + dirty ? available - reserve - dirty : 0)
    line("Buffers:", 0)
    line("Cached:", files + cached)
    line("SwapCached:", 0)
    line("Active:", anonymous + files)
    line("Inactive:", cached)
    line("Active(anon):", anonymous + files)
    line("Inactive(anon):", 0)
    line("Active(file):", 0)
    line("Inactive(file):", cached)
    line("Unevictable:", 0)
    line("Mlocked:", 0)
    line("SwapTotal:", 0)
    line("SwapFree:", 0)
    line("Dirty:", dirty)
    line("Writeback:", 0)
    line("AnonPages:", anonymous)
    line("Mapped:", 0)
    line("Shmem:", files)
    line("KReclaimable:", 0)
    line("Slab:", kernel.heap)
    line("SReclaimable:", 0)
    line("SUnreclaim:", kernel.heap)
    line("KernelStack:", kernel.stacks)
    line("PageTables:", kernel.pageTables)
    line("NFS_Unstable:", 0)
    line("Bounce:", 0)
    line("WritebackTmp:", 0)
    line("CommitLimit:", total / 2)
    line("Committed_AS:", anonymous)
    line("VmallocTotal:", 34_359_738_367 * 1024)
    line("VmallocUsed:", 0)
    line("VmallocChunk:", 0)
    line("Percpu:", 0)
    line("HardwareCorrupted:", 0)
    line("AnonHugePages:", 0)
    line("ShmemHugePages:", 0)
    line("ShmemPmdMapped:", 0)
    line("FileHugePages:", 0)
    line("FilePmdMapped:", 0)
    text.append("HugePages_Total:       0\nHugePages_Free:        0\nHugePages_Rsvd:        0\n")
    text.append("HugePages_Surp:        0\n")
    line("Hugepagesize:", 2 << 20)
    line("Hugetlb:", 0)
    line("DirectMap4k:", 0)
    line("DirectMap2M:", total)
  }

  static func load(_ machine: any MachineInformation, _ text: inout TextBuffer) {
    for index in 0..<3 {
      let load = machine.loadAverage(index)
      text.append(decimal: UInt(load / 100))
      text.append(".")
      text.append(decimal: UInt(load % 100), width: 2, pad: UInt8(ascii: "0"))
      text.append(" ")
    }
    text.append(decimal: machine.runnableCount)
    text.append("/")
    text.append(decimal: machine.threadCount)
    text.append(" ")
    text.append(decimal: Int(machine.lastProcessID))
    text.append("\n")
  }

  /// /proc/vmstat: what vmstat(8) reads of it. There is no swap, and no disk to page from.
  static func virtualMemory(_ machine: any MachineInformation, _ namespace: Namespace, _ text: inout TextBuffer) {
    text.append("nr_free_pages ")
    text.append(decimal: namespace.environment.frames.freeFrames)
    text.append("\npgpgin 0\npgpgout 0\npswpin 0\npswpout 0\npgfault ")
    text.append(decimal: UInt(machine.faultCount))
    text.append("\npgmajfault 0\n")
  }

  static func statistics(_ machine: any MachineInformation, _ text: inout TextBuffer) {
    let count = machine.processorCount
    @inline(never)
    func cpu(_ divisor: UInt64) {
      text.append(" ")
      text.append(decimal: ticks(machine.userTime / divisor))
      text.append(" 0 ")
      text.append(decimal: ticks(machine.systemTime / divisor))
      text.append(" ")
      text.append(decimal: ticks(machine.idleTime / divisor))
      text.append(" 0 0 0 0 0 0\n")
    }
    text.append("cpu ")
    cpu(1)
    for index in 0..<count {
      text.append("cpu")
      text.append(decimal: index)
      cpu(UInt64(count))
    }
    text.append("intr ")
    text.append(decimal: UInt(machine.interruptCount))
    text.append("\nctxt ")
    text.append(decimal: UInt(machine.contextSwitches))
    text.append("\nbtime ")
    text.append(decimal: UInt(machine.bootTime))
    text.append("\nprocesses ")
    text.append(decimal: UInt(machine.forkCount))
    text.append("\nprocs_running ")
    text.append(decimal: machine.runnableCount)
    text.append("\nprocs_blocked 0\nsoftirq 0 0 0 0 0 0 0 0 0 0 0\n")
  }
}
