internal import Drivers
internal import Kernel
internal import LinuxABI
internal import Mmap
internal import Platform
internal import ProcFS
internal import Process
internal import Support
internal import VFSCore

// What /proc shows of the Process module's objects: ProcFS knows neither.

/// The processes of the machine for /proc.
final class ProcessFiles: ProcessTable {
  private let system: System

  init(_ system: System) { self.system = system }

  var currentProcessID: Int32 { Thread.currentThread.process.pid }
  var currentThreadID: Int32 { Thread.currentThread.tid }
  func information(_ pid: Int32) -> (any ProcessInformation)? { system.process(pid).map { ProcessFile($0) } }
  func information(ofThread tid: Int32) -> (any ProcessInformation)? {
    system.thread(tid).map { ProcessFile($0.process) }
  }
  func nextProcessID(after pid: Int32) -> Int32? {
    var next: Int32?
    for process in system.processes where process.pid > pid { next = min(next ?? process.pid, process.pid) }
    return next
  }
}

/// One process for /proc.
final class ProcessFile: ProcessInformation {
  private let process: UserProcess

  init(_ process: UserProcess) { self.process = process }

  var pid: Int32 { process.pid }
  var threadIDs: [Int32] { process.threads.map { $0.tid } }
  func children(ofThread tid: Int32) -> [Int32] { process.children(ofThread: tid) }
  var files: FileDescriptorTable { process.files }
  var fileSystem: FileSystemContext { process.fileSystem }
  var executable: Path? { process.executable }
  var auxiliaryVector: [UInt8] { process.auxiliaryVector }
  var oomScoreAdjustment: Int {
    get { process.attributes.oomScoreAdjustment }
    set { process.attributes.oomScoreAdjustment = newValue }
  }
  var oomScore: Int {
    process.memoryBadness.map { max((1000 + $0 * 1000 / process.system.frames.totalFrames) * 2 / 3, 0) } ?? 0
  }

  func commandLine() -> [UInt8] { strings(process.argumentStrings) }
  func environmentStrings() -> [UInt8] { strings(process.environmentStrings) }
  private func strings(_ range: Range<UInt64>) -> [UInt8] {
    (try? process.memory.read(UInt(range.lowerBound), count: range.count)) ?? []
  }

  func limit(_ kind: ResourceLimitKind) -> (soft: UInt64, hard: UInt64) {
    guard let limit = process.limits[Int(kind.rawValue)] else { return (.max, .max) }
    return (limit.rlim_cur, limit.rlim_max)
  }

  private func thread(_ tid: Int32) -> Thread? {
    for thread in process.threads where thread.tid == tid { return thread }
    return process.threads.first
  }

  func setName(_ name: [UInt8], ofThread tid: Int32) { thread(tid)?.name = [UInt8](name.prefix(15)) }

  func forEachMapping(_ body: (ProcessMapping) -> Void) {
    let memory = process.memory
    memory.forEachArea { area in
      var mapping = ProcessMapping(
        start: UInt64(area.start), end: UInt64(area.end), protection: area.protection, isShared: area.isShared)
      if case .pages(_, let file, let offset) = area.backing {
        mapping.offset = offset
        mapping.file = file?.path
      }
      mapping.name = area.name
      mapping.segment = area.counter?.mappedName
      let resident = memory.residency(of: area)
      mapping.residentSize = UInt64(resident.pages * pageSize)
      mapping.anonymousSize = UInt64(resident.ownPages * pageSize)
      body(mapping)
    }
  }

  func statistics(ofThread tid: Int32) -> ProcessStatistics {
    var result = ProcessStatistics()
    let memory = process.memory
    if let thread = thread(tid) {
      result.name = thread.name
      result.state = UInt8(ascii: thread.state == .blocked ? "S" : "R")
      let isLeader = thread.tid == process.pid
      let times = isLeader ? process.times : thread.times
      result.userTime = times.user
      result.systemTime = times.system
      result.nice = thread.scheduling.nice
      result.realTimePriority = thread.scheduling.priority
      result.inheritedPriority = thread.realTimePriority
      result.schedulingPolicy = thread.scheduling.policy.rawValue
      result.pendingSignals = thread.signals.pending.set.rawValue
      result.blockedSignals = thread.signals.mask.rawValue
    }
    if process.exitStatus != nil { result.state = UInt8(ascii: "Z") }
    result.exitCode = process.exitStatus?.waitStatus ?? 0
    result.parentPID = process.parentPID
    result.group = process.group
    result.session = process.session
    if let terminal = process.controllingTerminal {
      result.terminal = terminal.number.encoded
      result.terminalGroup = terminal.foregroundGroup
    }
    result.minorFaults = UInt64(memory.minorFaults)
    result.childUserTime = process.usage.childrenTimes.user
    result.childSystemTime = process.usage.childrenTimes.system
    result.threadCount = process.threads.count
    result.startTime = process.startTime
    result.virtualSize = UInt64(memory.totalPages) << UInt64(pageShift)
    result.peakVirtualSize = result.virtualSize
    result.residentSize = UInt64(memory.residentPages * pageSize)
    if process.exitStatus == nil {
      result.pageTableSize = UInt64(memory.table.tableCount(memory.frames) * pageSize)
    }
    result.peakResidentSize = UInt64(memory.peakResidentPages * pageSize)
    memory.forEachArea { area in
      let length = UInt64(area.length)
      if area.isLocked { result.lockedSize += length }
      if area.protection.contains(.PROT_EXEC) {
        if area.start <= UInt(process.codeRange.lowerBound), UInt(process.codeRange.lowerBound) < area.end {
          result.textSize += length
        } else if case .pages = area.backing {
          result.libraryPages(length)
        }
      } else if area.protection.contains(.PROT_WRITE), !area.isShared {
        if area.growsDown { result.stackSize += length } else { result.dataSize += length }
      }
    }
    result.codeStart = process.codeRange.lowerBound
    result.codeEnd = process.codeRange.upperBound
    result.stackStart = process.stackStart
    result.heapStart = UInt64(memory.heapStart)
    result.argumentsStart = process.argumentStrings.lowerBound
    result.argumentsEnd = process.argumentStrings.upperBound
    result.environmentStart = process.environmentStrings.lowerBound
    result.environmentEnd = process.environmentStrings.upperBound
    let identity = process.identity
    result.userIDs = (identity.user.real, identity.user.effective, identity.user.saved, identity.user.fileSystem)
    result.groupIDs = (identity.group.real, identity.group.effective, identity.group.saved, identity.group.fileSystem)
    result.groups = identity.groups
    result.inheritableCapabilities = identity.capabilities.inheritable
    result.permittedCapabilities = identity.capabilities.permitted
    result.effectiveCapabilities = identity.capabilities.effective
    result.boundingCapabilities = identity.capabilities.bounding
    result.hasNoNewPrivileges = identity.allowsNoNewPrivileges
    result.sharedPendingSignals = process.signals.pending.set.rawValue
    for number in 1...Signal.count {
      guard let signal = Signal(rawValue: number) else { continue }
      let handler = process.signals[signal].sa_handler
      if handler == SignalHandler.SIG_IGN {
        result.ignoredSignals |= SignalSet(signal).rawValue
      } else if handler != SignalHandler.SIG_DFL {
        result.caughtSignals |= SignalSet(signal).rawValue
      }
    }
    return result
  }
}

extension ProcessStatistics {
  fileprivate mutating func libraryPages(_ bytes: UInt64) { librarySize += bytes }
}

/// The machine for the files at the top of /proc.
final class MachineFiles: MachineInformation {
  private let machine: Machine
  private let system: System

  private let load: LoadAverage

  init(_ machine: Machine, _ system: System) {
    self.machine = machine
    self.system = system
    let scheduler = machine.scheduler
    load = LoadAverage(machine.timers) { scheduler.runnableCount }
  }

  func loadAverage(_ index: Int) -> UInt64 { load.hundredths(index) }
  var faultCount: UInt64 {
    system.processes.reduce(UInt64(0)) { $0 &+ UInt64($1.memory.minorFaults &+ $1.usage.minorFaults) }
  }

  var operatingSystem: [UInt8] { [UInt8]("Linux") }
  var release: [UInt8] { System.release.bytes }
  var version: [UInt8] { System.version.bytes }
  var hostName: [UInt8] {
    get { system.hostName }
    set { system.hostName = newValue }
  }
  var domainName: [UInt8] {
    get { system.domainName }
    set { system.domainName = newValue }
  }
  var kernelCommandLine: [UInt8] { machine.information.commandLine }
  var uptime: UInt64 { machine.clock.now }
  var idleTime: UInt64 { machine.scheduler.idleTime }
  var userTime: UInt64 { system.times.user }
  var systemTime: UInt64 { system.times.system }
  var bootTime: UInt64 { machine.clock.scale.realtimeOffset / 1_000_000_000 }
  var processorCount: Int { 1 }
  var runnableCount: Int { machine.scheduler.runnableCount }
  var threadCount: Int { system.threadCount }
  var forkCount: UInt64 { system.forkCount }
  var lastProcessID: Int32 { system.lastPID }
  var contextSwitches: UInt64 { machine.scheduler.switchCount }
  var interruptCount: UInt64 { machine.interrupts.count }
  var kernelMemory: (pageTables: UInt64, stacks: UInt64, heap: UInt64) {
    let stacks = UInt64(threadCount * Task.stackPages * pageSize)
    return (0, stacks, heapBytes())
  }
  var anonymousMemory: UInt64 {
    system.processes.reduce(UInt64(0)) { $0 + UInt64($1.memory.residentPages * pageSize) }
  }

  func processor(_ index: Int) -> ProcessorInformation {
    var result = ProcessorInformation()
    let vendor = CPU.cpuid(0)
    result.cpuidLevel = UInt(vendor.eax)
    result.vendor = bytes([vendor.ebx, vendor.edx, vendor.ecx])
    let signature = CPU.cpuid(1)
    let family = UInt(signature.eax >> 8 & 15)
    result.family = family == 15 ? family + UInt(signature.eax >> 20 & 255) : family
    let model = UInt(signature.eax >> 4 & 15)
    result.model = family == 6 || family == 15 ? model | UInt(signature.eax >> 16 & 15) << 4 : model
    result.stepping = UInt(signature.eax & 15)
    let highest = CPU.cpuid(0x8000_0000).eax
    if highest >= 0x8000_0004 {
      for leaf: UInt32 in 0x8000_0002...0x8000_0004 {
        let part = CPU.cpuid(leaf)
        result.modelName += bytes([part.eax, part.ebx, part.ecx, part.edx])
      }
      while result.modelName.last == UInt8(ascii: " ") { result.modelName.removeLast() }
    }
    if highest >= 0x8000_0008 {
      let sizes = CPU.cpuid(0x8000_0008).eax
      result.physicalAddressBits = UInt(sizes & 255)
      result.virtualAddressBits = UInt(sizes >> 8 & 255)
    }
    result.kilohertz = UInt(machine.clock.ticksPerSecond / 1000)
    result.flags = flags(signature.edx, signature.ecx)
    return result
  }

  /// The characters in registers, up to the first NUL.
  private func bytes(_ words: [UInt32]) -> [UInt8] {
    var result: [UInt8] = []
    for word in words {
      for shift: UInt32 in [0, 8, 16, 24] {
        let byte = UInt8(truncatingIfNeeded: word >> shift)
        if byte == 0 { return result }
        result.append(byte)
      }
    }
    return result
  }

  /// Linux's names of the feature bits of CPUID leaf 1.
  private func flags(_ edx: UInt32, _ ecx: UInt32) -> [UInt8] {
    let low = NameList(
      words: """
        fpu vme de pse tsc msr pae mce cx8 apic @11 sep mtrr pge mca cmov pat pse36 pn clflush @21 dts acpi mmx fxsr
        sse sse2 ss ht tm ia64 pbe
        """)
    let high = NameList(
      words: """
        pni pclmulqdq dtes64 monitor ds_cpl vmx smx est tm2 ssse3 cid sdbg fma cx16 xtpr pdcm @17 pcid dca sse4_1
        sse4_2 x2apic movbe popcnt tsc_deadline_timer aes xsave osxsave avx f16c rdrand hypervisor
        """)
    var text: [UInt8] = []
    for (names, bits) in [(low, edx), (high, ecx)] {
      for bit in 0..<32 where bits >> UInt32(bit) & 1 != 0 {
        guard let name = names[bit] else { continue }
        if !text.isEmpty { text.append(UInt8(ascii: " ")) }
        text += name.bytes
      }
    }
    return text
  }
}
