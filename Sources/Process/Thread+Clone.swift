internal import Kernel
public import LinuxABI
internal import Mmap
internal import Platform
internal import VFSCore

/// What clone(2) and its relatives ask for.
public struct CloneRequest {
  public var flags: CloneFlags
  /// What the parent is sent when the new process ends; 0 for nothing.
  public var exitSignal: Int32
  /// The new stack pointer; 0 for the same as the caller's.
  public var stackPointer: UInt64 = 0
  public var threadPointer: UInt64 = 0
  /// Where the new number is stored in the caller's and in the new thread's memory, and where it is cleared at the end.
  public var parentTID: UInt = 0
  public var childTID: UInt = 0
  /// Where the descriptor of CLONE_PIDFD is stored.
  public var descriptor: UInt = 0

  public init(_ flags: CloneFlags, exitSignal: Int32) {
    self.flags = flags
    self.exitSignal = exitSignal
  }
}

extension CloneFlags {
  /// Namespaces, which are configured out.
  public static var namespaces: Self {
    [
      .CLONE_NEWTIME, .CLONE_NEWNS, .CLONE_NEWCGROUP, .CLONE_NEWUTS, .CLONE_NEWIPC, .CLONE_NEWUSER, .CLONE_NEWPID,
      .CLONE_NEWNET,
    ]
  }
}

extension Thread {
  /// Frames that a new process or thread needs beyond what user memory leaves alone: without them, none is made.
  private static var framesForTask: Int { 32 }

  /// Makes a process or a thread that goes on where this one is. See clone(2).
  ///
  /// - Returns: The number of the new process or thread.
  /// - Throws: `EINVAL`, `EAGAIN` for a limit, `ENOMEM`, `EFAULT`, `EMFILE`.
  public func clone(_ request: CloneRequest) throws(Errno) -> Int32 {
    let flags = request.flags
    try Self.check(flags, isFirst: process.parent == nil)
    let system = process.system
    try checkLimits()
    let isThread = flags.contains(.CLONE_THREAD)
    let stackTop = try system.stacks.allocate()
    let target: UserProcess
    do throws(Errno) {
      target = isThread ? process : try makeProcess(request)
    } catch {
      system.stacks.free(stackTop)
      throw error
    }
    let thread = Thread(target, tid: isThread ? system.nextPID() : target.pid, stackTop: stackTop, name: name)
    thread.copyRegisters(
      from: self, stackPointer: request.stackPointer == 0 ? nil : request.stackPointer,
      threadPointer: flags.contains(.CLONE_SETTLS) ? request.threadPointer : nil)
    thread.signals.copy(
      from: signals, sharesMemory: flags.contains(.CLONE_VM) && !flags.contains(.CLONE_VFORK))
    thread.inheritScheduling(from: self)
    // A copy of the memory has a copy of the area too.
    if !flags.contains(.CLONE_VM) { thread.restartableSequence = restartableSequence }
    if flags.contains(.CLONE_CHILD_CLEARTID) { thread.clearChildTID = request.childTID }
    let tid = thread.tid
    if flags.contains(.CLONE_PIDFD) {
      do throws(Errno) {
        let file = PidFD(process.fileSystem, target, isNonBlocking: false)
        let fd = try process.files.insert(file, closeOnExec: true)
        do throws(Errno) {
          try UserMemory.store(fd, at: request.descriptor)
        } catch {
          try? process.files.close(fd)
          throw error
        }
      } catch {
        target.abandonBirth()
        system.stacks.free(stackTop)
        throw error
      }
    }
    // Until here nothing can be seen of the newcomer; from here on nothing fails.
    if flags.contains(.CLONE_SYSVSEM) { thread.shareSemaphoreUndo(of: self) }
    if flags.contains(.CLONE_PARENT_SETTID) { try? UserMemory.store(tid, at: request.parentTID) }
    if flags.contains(.CLONE_CHILD_SETTID) {
      let bytes = [tid, tid >> 8, tid >> 16, tid >> 24].map { UInt8(truncatingIfNeeded: $0) }
      if UserAddress.isValid(request.childTID, 4) { try? target.memory.write(bytes, at: request.childTID) }
    }
    target.add(thread)
    if !isThread {
      let parent = flags.contains(.CLONE_PARENT) ? process.parent ?? process : process
      target.parent = parent
      parent.children.append(target)
      system.register(target)
    }
    // A process that is ending, or replacing its program, wants no new threads.
    if isThread, process.pendingExit != nil || process.executingThread != nil { thread.requestEnd() }
    let queue = WaitQueue()
    if flags.contains(.CLONE_VFORK) { target.lender = queue }
    scheduler.add(thread)
    while flags.contains(.CLONE_VFORK), target.lender === queue {
      if queue.sleep(.killable) == .interrupted { break }
    }
    return tid
  }

  /// Which flags go together. See ERRORS of clone(2).
  private static func check(_ flags: CloneFlags, isFirst: Bool) throws(Errno) {
    guard flags.isDisjoint(with: .namespaces) else { throw .EINVAL }
    if flags.contains(.CLONE_THREAD), !flags.contains(.CLONE_SIGHAND) { throw .EINVAL }
    if flags.contains(.CLONE_SIGHAND), !flags.contains(.CLONE_VM) { throw .EINVAL }
    if flags.contains(.CLONE_PARENT), isFirst { throw .EINVAL }
    if flags.contains(.CLONE_PIDFD), !flags.isDisjoint(with: [.CLONE_THREAD, .CLONE_DETACHED]) { throw .EINVAL }
    // Threads of a process have their files and directories in common here.
    if flags.contains(.CLONE_THREAD), !flags.isSuperset(of: [.CLONE_FS, .CLONE_FILES]) { throw .EINVAL }
  }

  private func checkLimits() throws(Errno) {
    let system = process.system
    guard system.frames.hasRoom(forBytes: Self.framesForTask * pageSize) else { throw .ENOMEM }
    guard system.threadCount < system.mostThreads else { throw .EAGAIN }
    let identity = process.identity
    if identity.user.real == 0 || identity.has(Identity.Capability.CAP_SYS_RESOURCE)
      || identity.has(Identity.Capability.CAP_SYS_ADMIN)
    {
      return
    }
    guard let limit = process.limits[ResourceLimits.processes]?.rlim_cur, limit != ResourceLimits.infinity else {
      return
    }
    var count: UInt64 = 0
    for other in system.processes where other.identity.user.real == identity.user.real {
      count += UInt64(max(other.threads.count, 1))
    }
    if count >= limit { throw .EAGAIN }
  }

  private func makeProcess(_ request: CloneRequest) throws(Errno) -> UserProcess {
    let flags = request.flags
    let memory = flags.contains(.CLONE_VM) ? process.memory : try AddressSpace(forkOf: process.memory)
    let files = flags.contains(.CLONE_FILES) ? process.files : try FileDescriptorTable(copying: process.files)
    if flags.contains(.CLONE_FILES) { files.join() }
    let fileSystem =
      flags.contains(.CLONE_FS) ? process.fileSystem : FileSystemContext(copying: process.fileSystem)
    let signals = ProcessSignals(cloneOf: process.signals, sharesActions: flags.contains(.CLONE_SIGHAND))
    if flags.contains(.CLONE_CLEAR_SIGHAND) { signals.resetForExecute() }
    let child = UserProcess(
      process.system, pid: process.system.nextPID(), memory: memory, files: files, fileSystem: fileSystem,
      limits: process.limits, signals: signals)
    child.inherit(from: process)
    child.creatorTID = tid
    child.exitSignal = flags.contains(.CLONE_PARENT) ? process.exitSignal : request.exitSignal
    return child
  }

  private func inheritScheduling(from other: Thread) {
    scheduling = other.scheduling
    scheduling.parentDeathSignal = 0
    if scheduling.resetsOnFork {
      if scheduling.policy != .SCHED_NORMAL, scheduling.policy != .SCHED_BATCH { scheduling.policy = .SCHED_NORMAL }
      scheduling.priority = 0
      scheduling.nice = max(scheduling.nice, 0)
      scheduling.resetsOnFork = false
    }
    applyScheduling()
  }

  /// Tells the scheduler of `scheduling`, and whoever has the lock that the thread waits for.
  public func applyScheduling() {
    applyShare()
    process.system.futexes.locks.priorityChanged(self)
  }

  func applyShare() {
    scheduler.setShare(
      of: self, nice: scheduling.nice, isIdlePolicy: scheduling.policy == .SCHED_IDLE,
      realTimePriority: realTimePriority, isRoundRobin: scheduling.policy == .SCHED_RR)
  }

  /// 1 to 99 for the real-time policies, and for who has a lock that a thread of these waits for; else 0.
  public var realTimePriority: Int32 {
    max(scheduling.policy == .SCHED_FIFO || scheduling.policy == .SCHED_RR ? scheduling.priority : 0, inheritedPriority)
  }
}

extension UserProcess {
  /// Takes over what fork(2) copies besides memory, files and signals.
  fileprivate func inherit(from parent: UserProcess) {
    group = parent.group
    session = parent.session
    controllingTerminal = parent.controllingTerminal
    identity = parent.identity
    attributes = parent.attributes
    attributes.isChildSubreaper = false
    isDumpable = parent.isDumpable
    executable = parent.executable
    argumentStrings = parent.argumentStrings
    environmentStrings = parent.environmentStrings
    auxiliaryVector = parent.auxiliaryVector
    codeRange = parent.codeRange
    stackStart = parent.stackStart
  }

  /// Gives back what a process holds that never came to life.
  fileprivate func abandonBirth() {
    if threads.isEmpty, exitStatus == nil { files.leave() }
  }
}
