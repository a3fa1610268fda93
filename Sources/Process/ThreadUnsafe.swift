public import Kernel
internal import LinuxABI
internal import Mmap
public import Platform

/// A thread of a program.
public final class Thread: Task {
  public let process: UserProcess
  public let tid: Int32
  /// The program's registers, at the top of this thread's kernel stack while the kernel runs for it.
  public let registers: SavedRegisters
  /// The program's floating point registers while the thread does not run.
  public let floatingPoint = FloatingPointState()
  private var fsBase: UInt64 = 0
  private var gsBase: UInt64 = 0

  public let signals = ThreadSignals()
  public var scheduling = SchedulingParameters()
  /// prctl(PR_SET_NAME), at most 15 bytes.
  public var name: [UInt8]
  /// set_tid_address(2): cleared and woken when the thread ends.
  public var clearChildTID: UInt = 0
  /// set_robust_list(2)
  public var robustList: UInt = 0
  /// rseq(2): the registered structure.
  public var restartableSequence: UInt = 0

  /// Nanoseconds spent in the program and in the kernel, up to the last switch.
  public internal(set) var userTime: UInt64 = 0
  public internal(set) var systemTime: UInt64 = 0
  private var runningSince: UInt64 = 0
  private var idleAtStart: UInt64 = 0

  init(_ process: UserProcess, tid: Int32, stackTop: UInt, name: [UInt8]) {
    self.process = process
    self.tid = tid
    self.name = name
    registers = SavedRegisters(stackTop: stackTop)
    super.init(scheduler: process.system.scheduler, stackTop: stackTop)
  }

  /// The thread that runs now. Every system call and every fault from ring 3 is one's.
  @inline(__always)
  public static var currentThread: Thread {
    // SAFETY: no other kind of task ever comes from ring 3.
    unsafe unsafeDowncast(Task.current, to: Thread.self)
  }

  /// Calls `body` with the thread that runs now, without taking a reference: for the system call entry.
  @inline(__always)
  public static func withCurrent<Result>(_ body: (Thread) -> Result) -> Result {
    // SAFETY: the scheduler holds the task that runs, and what enters from ring 3 is a thread.
    unsafe Unmanaged<Thread>.fromOpaque(CPU.thread.unsafelyUnwrapped)._withUnsafeGuaranteedRef { body($0) }
  }

  public override func start() -> Never {
    CPU.returnToUser(registers)
  }

  public override func willRun() {
    process.memory.activate()
    CPU.fsBase = fsBase
    CPU.userGSBase = gsBase
    floatingPoint.restore()
    runningSince = process.system.clock.now
    idleAtStart = scheduler.idleTime
    CPU.exitWork = hasExitWork
  }

  public override func didStop() {
    fsBase = CPU.fsBase
    gsBase = CPU.userGSBase
    floatingPoint.save()
    userTime &+= timeSinceStart
  }

  /// CPU time in nanoseconds.
  public var cpuTime: UInt64 {
    scheduler.isCurrent(self) ? userTime &+ timeSinceStart : userTime
  }

  private var timeSinceStart: UInt64 {
    (process.system.clock.now &- runningSince) &- (scheduler.idleTime &- idleAtStart)
  }

  /// Whether something waits for this thread to leave the kernel.
  var hasExitWork: Bool { hasInterrupt || process.pendingExit != nil }

  /// Makes the thread look at its signals and at its process's end before it next runs the program.
  func requestExitWork() {
    scheduler.interrupt(self)
  }

  /// Starts the program afresh: what execve(2) leaves of the old one's registers is nothing.
  func resetRegisters(entry: UInt64, stackPointer: UInt64) {
    var frame = RegisterFrame()
    frame.rip = entry
    frame.rsp = stackPointer
    frame.cs = 0x33
    frame.ss = 0x2b
    frame.rflags = 0x202
    registers.frame = frame
    fsBase = 0
    gsBase = 0
    floatingPoint.reset()
    if state == .running {
      CPU.fsBase = 0
      CPU.userGSBase = 0
      floatingPoint.restore()
      // The fast way back would keep the old program's callee-saved registers.
      CPU.exitWork = true
    }
  }

  /// Serves everything that must happen before the program goes on: the process's end, signals, the end of a time slice.
  public func leaveKernel() {
    CPU.exitWork = false
    while true {
      if let status = process.pendingExit { end(status) }
      if hasInterrupt {
        hasInterrupt = false
        deliverSignals()
        continue
      }
      if scheduler.hasReady {
        scheduler.yield()
        if hasExitWork { continue }
      }
      break
    }
  }

  /// Ends this thread. The last one ends the process.
  func end(_ status: ExitStatus) -> Never {
    if process.threads.count == 1, process.pendingExit == nil { process.pendingExit = status }
    releaseFutexes()
    process.usage.endedThreadTime &+= cpuTime
    process.threadEnded(self)
    scheduler.exit()
  }

  /// exit(2): ends this thread only.
  public func exit(_ code: UInt8) -> Never { end(.exited(code)) }

  /// exit_group(2): ends the process, unless its end has begun already.
  public func exitGroup(_ code: UInt8) -> Never {
    process.exitAll(.exited(code))
    end(process.pendingExit ?? .exited(code))
  }
}
