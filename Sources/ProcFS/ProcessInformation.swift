public import LinuxABI
public import VFSCore

/// The processes of the machine, as /proc asks for them.
public protocol ProcessTable: AnyObject {
  /// The process and the thread that run now: /proc/self and /proc/thread-self.
  var currentProcessID: Int32 { get }
  var currentThreadID: Int32 { get }
  /// The process with this number, zombies included.
  func information(_ pid: Int32) -> (any ProcessInformation)?
  /// The process that has a thread with this number: /proc/TID is there, although no listing shows it.
  func information(ofThread tid: Int32) -> (any ProcessInformation)?
  /// The lowest process number above `pid`.
  func nextProcessID(after pid: Int32) -> Int32?
}

/// One process, as /proc/PID shows it.
public protocol ProcessInformation: AnyObject {
  var pid: Int32 { get }
  /// By ascending number; the first is the process's own.
  var threadIDs: [Int32] { get }
  /// The children that a thread of it made.
  func children(ofThread tid: Int32) -> [Int32]
  var files: FileDescriptorTable { get }
  var fileSystem: FileSystemContext { get }
  /// The program, for /proc/PID/exe.
  var executable: Path? { get }
  /// Its figures; those that belong to a thread are that of `tid`.
  func statistics(ofThread tid: Int32) -> ProcessStatistics
  /// The areas of its memory, by ascending address.
  func forEachMapping(_ body: (ProcessMapping) -> Void)
  /// The arguments and the environment as they stand in its memory now, each string with its NUL.
  func commandLine() -> [UInt8]
  func environmentStrings() -> [UInt8]
  /// The auxiliary vector as the program got it.
  var auxiliaryVector: [UInt8] { get }
  func limit(_ kind: ResourceLimitKind) -> (soft: UInt64, hard: UInt64)
  /// Changes the name of a thread: a write to /proc/PID/comm.
  func setName(_ name: [UInt8], ofThread tid: Int32)
  /// -1000 to 1000.
  var oomScoreAdjustment: Int { get set }
  /// /proc/PID/oom_score, 0 to 2000.
  var oomScore: Int { get }
}

/// The figures of a process or thread. Memory is in bytes, times are in nanoseconds.
public struct ProcessStatistics {
  /// At most 15 bytes.
  public var name: [UInt8] = []
  /// `R`, `S`, `D`, `T`, `t` or `Z`.
  public var state = UInt8(ascii: "R")
  public var parentPID: Int32 = 0
  public var group: Int32 = 0
  public var session: Int32 = 0
  /// The controlling terminal's number as in `st_rdev`, and its foreground group; 0 and -1 for none.
  public var terminal: UInt64 = 0
  public var terminalGroup: Int32 = -1
  public var tracerPID: Int32 = 0
  public var minorFaults: UInt64 = 0
  public var majorFaults: UInt64 = 0
  public var childMinorFaults: UInt64 = 0
  public var childMajorFaults: UInt64 = 0
  public var userTime: UInt64 = 0
  public var systemTime: UInt64 = 0
  public var childUserTime: UInt64 = 0
  public var childSystemTime: UInt64 = 0
  public var nice: Int32 = 0
  public var realTimePriority: Int32 = 0
  /// The real-time priority that is in force: its own, or that of a thread that waits for one of its locks.
  public var inheritedPriority: Int32 = 0
  public var schedulingPolicy: UInt32 = 0
  public var threadCount = 1
  /// Monotonic.
  public var startTime: UInt64 = 0
  public var virtualSize: UInt64 = 0
  public var peakVirtualSize: UInt64 = 0
  public var residentSize: UInt64 = 0
  public var peakResidentSize: UInt64 = 0
  /// Of the resident pages, those of files, and of shared memory.
  public var residentFileSize: UInt64 = 0
  public var residentSharedSize: UInt64 = 0
  public var lockedSize: UInt64 = 0
  /// Private writable areas without the stack, the stack, the program's text, and other executable areas.
  public var dataSize: UInt64 = 0
  public var stackSize: UInt64 = 0
  public var textSize: UInt64 = 0
  public var librarySize: UInt64 = 0
  public var pageTableSize: UInt64 = 0
  public var residentLimit: UInt64 = .max
  public var codeStart: UInt64 = 0
  public var codeEnd: UInt64 = 0
  public var stackStart: UInt64 = 0
  public var dataStart: UInt64 = 0
  public var dataEnd: UInt64 = 0
  public var heapStart: UInt64 = 0
  public var argumentsStart: UInt64 = 0
  public var argumentsEnd: UInt64 = 0
  public var environmentStart: UInt64 = 0
  public var environmentEnd: UInt64 = 0
  /// As wait(2) reports it, for a zombie.
  public var exitCode: Int32 = 0
  /// Real, effective, saved and file system ids.
  public var userIDs: (UInt32, UInt32, UInt32, UInt32) = (0, 0, 0, 0)
  public var groupIDs: (UInt32, UInt32, UInt32, UInt32) = (0, 0, 0, 0)
  public var groups: [UInt32] = []
  public var pendingSignals: UInt64 = 0
  public var sharedPendingSignals: UInt64 = 0
  public var blockedSignals: UInt64 = 0
  public var ignoredSignals: UInt64 = 0
  public var caughtSignals: UInt64 = 0
  public var queuedSignals = 0
  public var inheritableCapabilities: UInt64 = 0
  public var permittedCapabilities: UInt64 = 0
  public var effectiveCapabilities: UInt64 = 0
  public var boundingCapabilities: UInt64 = 0
  public var ambientCapabilities: UInt64 = 0
  public var hasNoNewPrivileges = false
  /// The processors it may use, bit by bit.
  public var affinity: UInt64 = 1
  public var voluntarySwitches: UInt64 = 0
  public var involuntarySwitches: UInt64 = 0

  public init() {}
}

/// An area of a process's memory.
public struct ProcessMapping {
  public var start: UInt64
  public var end: UInt64
  public var protection: MemoryProtection
  public var isShared: Bool
  /// Of a file: where in it the area begins, and which.
  public var offset: UInt64 = 0
  public var file: Path?
  /// Of a segment of System V shared memory: the key that it was made with, and its number.
  public var segment: (key: UInt32, number: UInt64)?
  /// Of none: `[heap]`, `[stack]`, `[vdso]`, or nothing.
  public var name: StaticString?
  /// Bytes that have frames, and of these the private ones and the ones that were written.
  public var residentSize: UInt64 = 0
  public var anonymousSize: UInt64 = 0

  public init(start: UInt64, end: UInt64, protection: MemoryProtection, isShared: Bool) {
    self.start = start
    self.end = end
    self.protection = protection
    self.isShared = isShared
  }
}

/// The machine, as the files at the top of /proc show it.
public protocol MachineInformation: AnyObject {
  /// The fields of uname(2).
  var operatingSystem: [UInt8] { get }
  var release: [UInt8] { get }
  var version: [UInt8] { get }
  var hostName: [UInt8] { get set }
  var domainName: [UInt8] { get set }
  /// The kernel's command line, without a line end.
  var kernelCommandLine: [UInt8] { get }
  /// Nanoseconds since boot, and how many of them all processors were idle.
  var uptime: UInt64 { get }
  var idleTime: UInt64 { get }
  /// Nanoseconds in programs and in the kernel.
  var userTime: UInt64 { get }
  var systemTime: UInt64 { get }
  /// Seconds since 1970 at boot.
  var bootTime: UInt64 { get }
  var processorCount: Int { get }
  func processor(_ index: Int) -> ProcessorInformation
  /// Hundredths of the load's average over 1, 5 and 15 minutes.
  func loadAverage(_ index: Int) -> UInt64
  /// Page faults of all processes.
  var faultCount: UInt64 { get }
  /// Threads that run or are ready, and all.
  var runnableCount: Int { get }
  var threadCount: Int { get }
  /// Processes ever made, and the last number given out.
  var forkCount: UInt64 { get }
  var lastProcessID: Int32 { get }
  var contextSwitches: UInt64 { get }
  var interruptCount: UInt64 { get }
  /// Bytes of frames that hold page tables, kernel stacks and the kernel's heap.
  var kernelMemory: (pageTables: UInt64, stacks: UInt64, heap: UInt64) { get }
  /// Bytes of anonymous memory of programs.
  var anonymousMemory: UInt64 { get }
}

/// A processor, as /proc/cpuinfo shows it.
public struct ProcessorInformation {
  public var vendor: [UInt8] = []
  public var family: UInt = 0
  public var model: UInt = 0
  public var modelName: [UInt8] = []
  public var stepping: UInt = 0
  public var kilohertz: UInt = 0
  public var cacheKilobytes: UInt = 0
  public var isFPUPresent = true
  public var cpuidLevel: UInt = 0
  /// Names with blanks between them.
  public var flags: [UInt8] = []
  public var physicalAddressBits: UInt = 0
  public var virtualAddressBits: UInt = 0
  public var cacheLine: UInt = 64

  public init() {}
}
