public import Kernel
internal import LinuxABI
internal import Mmap
public import Platform
public import SystemVIPC

/// A thread of a program.
public final class Thread: Task {
  public let process: UserProcess
  /// Changes only when this thread takes over the process at execve(2).
  public internal(set) var tid: Int32
  /// The program's registers, at the top of this thread's kernel stack while the kernel runs for it.
  public let registers: SavedRegisters
  /// The program's floating point registers while the thread does not run.
  public let floatingPoint = FloatingPointState()
  private var fsBase: UInt64 = 0
  private var gsBase: UInt64 = 0

  public let signals = ThreadSignals()
  public var scheduling = SchedulingParameters()
  /// The highest real-time priority among threads that wait for this one's locks. See `LockTable`.
  var inheritedPriority: Int32 = 0
  /// prctl(PR_SET_NAME), at most 15 bytes.
  public var name: [UInt8]
  /// set_tid_address(2): cleared and woken when the thread ends.
  public var clearChildTID: UInt = 0
  /// set_robust_list(2)
  public var robustList: UInt = 0
  /// The futex that the thread waits for.
  var futexWait = FutexWait()
  /// What rseq(2) has registered.
  var restartableSequence = SequenceRegistration()
  var samples = CPUSamples()
  /// Where the program's last exception was.
  var lastException: UInt64 = 0
  /// Others ran since the thread was last in the program.
  private var wasSwitched = false

  /// What SEM_UNDO of semop(2) has noted, in common with the threads of CLONE_SYSVSEM.
  public private(set) var semaphoreUndo: SemaphoreUndo?

  /// exit(2) was called.
  private var endRequest: ExitStatus?
  /// This thread, while it ends.
  private var holdsItself: Thread?

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

  /// The program's registers lie at the top of the stack when the thread starts.
  public override var reservedStackBytes: UInt { UInt(MemoryLayout<RegisterFrame>.size) }

  public override func start() -> Never {
    CPU.returnToUser(registers)
  }

  public override func willRun() {
    process.memory.activate()
    CPU.fsBase = fsBase
    CPU.userGSBase = gsBase
    floatingPoint.switchIn()
    CPU.exitWork = hasExitWork || needsSequenceCheck
  }

  public override func didStop() {
    wasSwitched = true
    fsBase = CPU.fsBase
    gsBase = CPU.userGSBase
    floatingPoint.switchOut()
  }

  /// Takes over the registers of `other`, the running thread, as clone(2) does: the call returns 0 here.
  ///
  /// - Parameters:
  ///   - stackPointer: The new thread's, or nil for the same address.
  ///   - threadPointer: The FS base, or nil for the same.
  func copyRegisters(from other: Thread, stackPointer: UInt64?, threadPointer: UInt64?) {
    var frame = other.registers.frame
    frame.rax = 0
    // It comes out of no system call.
    frame.vector = 0
    if let stackPointer { frame.rsp = stackPointer }
    registers.frame = frame
    fsBase = threadPointer ?? CPU.fsBase
    gsBase = CPU.userGSBase
    floatingPoint.save()
  }

  /// CPU time in nanoseconds.
  public var cpuTime: UInt64 { runTime }

  /// Whether something waits for this thread to leave the kernel.
  var hasExitWork: Bool { hasInterrupt || hasBeenKilled }

  /// Whether the thread is to end before it next runs the program.
  var hasBeenKilled: Bool { isKilled || endRequest != nil || process.pendingExit != nil }

  /// Makes the thread look at its signals and at its process's state before it next runs the program.
  func requestExitWork() {
    scheduler.interrupt(self)
  }

  /// Makes the thread end before it next runs the program.
  func requestEnd() {
    scheduler.kill(self)
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

  /// Serves everything that must happen before the program goes on: the thread's end, signals, a switch to another.
  ///
  /// - Returns: False when the thread has ended: the caller, who holds nothing, calls `endCurrent`.
  public func leaveKernel() -> Bool {
    CPU.exitWork = false
    while true {
      if let status = endRequest ?? process.pendingExit ?? (isKilled ? .exited(0) : nil) {
        end(status)
        return false
      }
      if hasInterrupt {
        hasInterrupt = false
        deliverSignals()
        continue
      }
      scheduler.preempt()
      if process.system.frames.isExhausted { process.system.relieveExhaustion() }
      if wasSwitched, needsSequenceCheck { restartSequence() }
      if !hasExitWork {
        wasSwitched = false
        return true
      }
    }
  }

  /// Goes over to another thread for good after `leaveKernel` has said that the current one has ended.
  public static func endCurrent() -> Never {
    // SAFETY: the scheduler holds the task that runs, and then until it is off its stack. No reference is taken that would
    // never be given back.
    unsafe Unmanaged<Task>.fromOpaque(CPU.thread.unsafelyUnwrapped)._withUnsafeGuaranteedRef { $0.scheduler.exit() }
    fatalError("a dead thread ran")
  }

  /// Does what belongs to the end of a thread: the last one ends the process.
  private func end(_ status: ExitStatus) {
    // Its process lets go of it, and closing files may sleep after that.
    holdsItself = self
    releaseFutexes()
    leaveSemaphoreUndo()
    process.threadEnded(self, status)
    holdsItself = nil
  }

  /// exit(2): ends this thread only, on its way out of the kernel.
  public func exit(_ code: UInt8) {
    endRequest = .exited(code)
    CPU.exitWork = true
  }

  /// exit_group(2): ends the process, unless its end has begun already.
  public func exitGroup(_ code: UInt8) { process.exitAll(.exited(code)) }
}

extension Thread {
  /// The thread's list of what to undo at its end. See SEM_UNDO of semop(2).
  public func makeSemaphoreUndo() -> SemaphoreUndo {
    if let semaphoreUndo { return semaphoreUndo }
    let list = SemaphoreUndo()
    semaphoreUndo = list
    return list
  }

  /// Takes part in the list of `other`, as CLONE_SYSVSEM says.
  func shareSemaphoreUndo(of other: Thread) {
    let list = other.makeSemaphoreUndo()
    list.join()
    semaphoreUndo = list
  }

  /// Gives the thread's list up: the last one's changes are undone. See unshare(2).
  public func leaveSemaphoreUndo() {
    guard let list = semaphoreUndo else { return }
    semaphoreUndo = nil
    list.leave(pid: process.pid)
  }
}
