internal import Kernel
public import LinuxABI
internal import Mmap
internal import VFSCore

extension UserProcess {
  /// A thread has ended; with the last one the process does.
  func threadEnded(_ thread: Thread, _ lastStatus: ExitStatus) {
    usage.endedThreadTime &+= thread.cpuTime
    threads.removeAll { $0 === thread }
    system.unregister(thread)
    guard threads.isEmpty else {
      threadsChanged.wakeAll()
      return
    }
    let status = pendingExit ?? lastStatus
    // From here on nobody may send signals that would stop the end.
    pendingExit = status
    if pid == 1 { system.machineExit?(status) }
    timers.removeAll(keepingIntervalTimers: false)
    usage.peakResidentPages = max(usage.peakResidentPages, memory.peakResidentPages)
    usage.minorFaults = memory.minorFaults
    memory = system.emptyMemory
    memory.activate()
    returnBorrowedMemory()
    files.leave()
    files = system.emptyFiles
    // A process that waits to be asked for keeps no mount busy.
    fileSystem = FileSystemContext(fileSystem.namespace)
    giveUpTerminal()
    releaseOrphanedGroup(parent: parent, ends: true)
    giveChildrenAway()
    exitStatus = status
    ended.wakeAll()
    announceEnd(status)
  }

  /// Lets the parent of vfork(2) go on: its memory is its own again.
  func returnBorrowedMemory() {
    guard let queue = lender else { return }
    lender = nil
    queue.wakeAll()
  }

  /// Ends all threads but `survivor`, which then is the process's first thread. See execve(2).
  ///
  /// - Throws: `EAGAIN` when another thread does the same, `EINTR` when the process ends meanwhile.
  func endOtherThreads(_ survivor: Thread) throws(Errno) {
    guard threads.count > 1 else { return takeOver(survivor) }
    guard executingThread == nil else { throw .EAGAIN }
    executingThread = survivor
    defer { executingThread = nil }
    for thread in threads where thread !== survivor { thread.requestEnd() }
    while threads.count > 1 {
      if threadsChanged.sleep(.killable) == .interrupted { throw .EINTR }
    }
    takeOver(survivor)
  }

  private func takeOver(_ thread: Thread) {
    guard thread.tid != pid else { return }
    system.unregister(thread)
    thread.tid = pid
    system.register(thread)
  }

  /// Gives the process a copy of what it has in common with another by CLONE_FILES or CLONE_FS. See unshare(2).
  ///
  /// - Throws: `ENOMEM`.
  public func unshareFiles() throws(Errno) {
    guard files.isShared else { return }
    let own = try FileDescriptorTable(copying: files)
    files.leave()
    files = own
  }
  public func unshareFileSystem() { fileSystem = FileSystemContext(copying: fileSystem) }

  // MARK: Parents and children

  /// Who takes over the children: the nearest ancestor that asked for it by PR_SET_CHILD_SUBREAPER, else the first
  /// process.
  private var reaper: UserProcess? {
    var ancestor = parent
    while let candidate = ancestor, candidate.parent != nil {
      if candidate.attributes.isChildSubreaper, candidate.exitStatus == nil, candidate.pendingExit == nil {
        return candidate
      }
      ancestor = candidate.parent
    }
    return system.process(1)
  }

  private func giveChildrenAway() {
    guard !children.isEmpty else { return }
    let orphans = children
    children = []
    guard let reaper, reaper !== self else { return }
    for child in orphans {
      child.parent = reaper
      child.exitSignal = Signal.SIGCHLD.rawValue
      reaper.children.append(child)
      child.releaseOrphanedGroup(parent: self, ends: false)
      for thread in child.threads {
        guard let signal = Signal(rawValue: thread.scheduling.parentDeathSignal) else { continue }
        child.send(.kill(signal, pid: pid, uid: identity.user.real))
        break
      }
      if let status = child.exitStatus { child.announceEnd(status) }
    }
  }

  /// Tells the parent that this process has ended. One that does not care for its children is not asked to wait.
  private func announceEnd(_ status: ExitStatus) {
    guard let parent else { return }
    let action = parent.signals[.SIGCHLD]
    let isIgnored = action.sa_handler == SignalHandler.SIG_IGN
    let isAbandoned = exitSignal == Signal.SIGCHLD.rawValue && (isIgnored || action.sa_flags.contains(.SA_NOCLDWAIT))
    if let signal = Signal(rawValue: exitSignal), signal != .SIGCHLD || !isIgnored {
      switch status {
      case .exited(let code): parent.send(childInformation(signal, SignalCode.CLD_EXITED, Int32(code)))
      case .killed(let reason): parent.send(childInformation(signal, SignalCode.CLD_KILLED, reason.rawValue))
      }
    }
    if isAbandoned { reap() }
    parent.childrenChanged.wakeAll()
  }

  /// Tells the parent of a stop, or of its end.
  func tellParent(code: Int32, status: Int32) {
    guard let parent else { return }
    let action = parent.signals[.SIGCHLD]
    if action.sa_handler != SignalHandler.SIG_IGN, !action.sa_flags.contains(.SA_NOCLDSTOP) {
      parent.send(childInformation(.SIGCHLD, code, status))
    }
    parent.childrenChanged.wakeAll()
  }

  func childInformation(_ signal: Signal, _ code: Int32, _ status: Int32) -> SigInfo {
    let times = times
    let tick = UInt64(TimeUnit.nanosecondsPerSecond / TimeUnit.ticksPerSecond)
    return .child(
      signal, code: code, pid: pid, uid: identity.user.real, status: status, userTicks: Int64(times.user / tick),
      systemTicks: Int64(times.system / tick))
  }

  /// Forgets a process that has ended; its parent takes over what it used.
  func reap() {
    system.unregister(self)
    guard let parent else { return }
    parent.usage.childrenTimes += times
    parent.usage.childrenTimes += usage.childrenTimes
    parent.usage.childrenPeakPages = max(
      parent.usage.childrenPeakPages, usage.peakResidentPages, usage.childrenPeakPages)
    parent.usage.childrenFaults += usage.minorFaults + usage.childrenFaults
    parent.children.removeAll { $0 === self }
    self.parent = nil
  }
}
