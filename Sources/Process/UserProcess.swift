internal import Kernel
internal import LinuxABI
public import Mmap
public import VFSCore

/// A process: what its threads share.
public final class UserProcess {
  public let system: System
  public let pid: Int32
  /// The parent, or who took its place when it ended; nil for the first process.
  public internal(set) var parent: UserProcess?
  /// The parent's number; 0 for the first process.
  public var parentPID: Int32 { parent?.pid ?? 0 }
  /// Children that have not been waited for.
  public internal(set) var children: [UserProcess] = []
  /// The thread of the parent that made this process.
  var creatorTID: Int32 = 0
  /// What the parent is sent when this process ends; 0 for nothing.
  var exitSignal = Signal.SIGCHLD.rawValue
  public internal(set) var group: Int32
  public internal(set) var session: Int32
  /// What /dev/tty is; children inherit it.
  public var controllingTerminal: ControllingTerminal?
  /// The group that was in the foreground when a hang-up took the terminal from this leader of a session; 0 for none.
  var formerForeground: Int32 = 0
  public internal(set) var threads: [Thread] = []

  public internal(set) var memory: AddressSpace
  public internal(set) var files: FileDescriptorTable
  public internal(set) var fileSystem: FileSystemContext
  public let signals: ProcessSignals
  public let timers = ProcessTimers()
  /// User, groups and capabilities; changed by `changeIdentity`.
  public internal(set) var identity = Identity.root
  public var attributes = ProcessAttributes()
  public internal(set) var usage = ResourceUsage()
  var samples = CPUSamples()
  public var limits: ResourceLimits

  /// The program that runs: what /proc/self/exe points to.
  public internal(set) var executable: Path?
  /// Where the arguments and the environment stand in memory.
  public internal(set) var argumentStrings: Range<UInt64> = 0..<0
  public internal(set) var environmentStrings: Range<UInt64> = 0..<0
  /// The auxiliary vector as the program got it.
  public internal(set) var auxiliaryVector: [UInt8] = []
  /// The program's text, for /proc/self/stat.
  public internal(set) var codeRange: Range<UInt64> = 0..<0
  /// The stack pointer at the program's entry.
  public internal(set) var stackStart: UInt64 = 0

  /// Monotonic nanoseconds at the start.
  public let startTime: UInt64
  /// PR_SET_DUMPABLE.
  public var isDumpable = true
  /// Set once the last thread is gone; the process is a zombie until it is waited for.
  public internal(set) var exitStatus: ExitStatus?
  /// exit_group(2) or a deadly signal has begun: every thread ends when it next leaves the kernel.
  var pendingExit: ExitStatus?
  /// Woken when a child changes its state, when a thread ends, and when the process itself ends.
  let childrenChanged = WaitQueue()
  let threadsChanged = WaitQueue()
  let ended = WaitQueue()
  /// A stop or its end that the parent has not been told of by wait4(2).
  var stopReport: Signal?
  var reportsContinuation = false
  /// Who waits for this process to give back the memory that it borrowed by vfork(2).
  var lender: WaitQueue?
  /// The thread that replaces the program and waits for the others to end.
  var executingThread: Thread?

  init(
    _ system: System, pid: Int32, memory: AddressSpace, files: FileDescriptorTable, fileSystem: FileSystemContext,
    limits: ResourceLimits, signals: ProcessSignals = ProcessSignals()
  ) {
    self.system = system
    self.signals = signals
    self.pid = pid
    self.memory = memory
    self.files = files
    self.fileSystem = fileSystem
    self.limits = limits
    group = pid
    session = pid
    startTime = system.clock.now
  }

  /// Adds a thread that is about to start.
  func add(_ thread: Thread) {
    threads.append(thread)
    system.register(thread)
  }

  /// Makes every thread of the process end with `status`; the first call decides. See exit_group(2).
  public func exitAll(_ status: ExitStatus) {
    guard pendingExit == nil else { return }
    pendingExit = status
    for thread in threads { thread.requestEnd() }
  }
}
