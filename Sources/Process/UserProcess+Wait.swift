internal import Kernel
public import LinuxABI

/// Which children wait4(2) and waitid(2) look at.
public enum ChildSelection {
  case all
  case process(Int32)
  case group(Int32)
}

/// A change of a child's state.
public struct ChildReport {
  public let pid: Int32
  /// What wait4(2) stores.
  public let status: WaitStatus
  /// What waitid(2) stores.
  public let information: SigInfo
  /// CPU time, KiB of memory and faults, with those of the children that it waited for.
  public let times: CPUTimes
  public let peakMemory: Int
  public let faults: Int
}

extension Thread {
  /// Waits until a child's state changes, and takes the news unless `options` has WNOWAIT.
  ///
  /// - Parameter options: At least one of WEXITED, WSTOPPED and WCONTINUED.
  /// - Returns: nil when WNOHANG finds no news.
  /// - Throws: `ECHILD`, `ERESTARTSYS`.
  public func waitForChild(_ selection: ChildSelection, _ options: WaitOptions) throws(Errno) -> ChildReport? {
    while true {
      var isChild = false
      for child in process.children where isWanted(child, selection, options) {
        isChild = true
        if let report = child.takeReport(options) { return report }
      }
      if !isChild { throw .ECHILD }
      if options.contains(.WNOHANG) { return nil }
      if process.childrenChanged.sleep() == .interrupted { throw .ERESTARTSYS }
    }
  }

  private func isWanted(_ child: UserProcess, _ selection: ChildSelection, _ options: WaitOptions) -> Bool {
    switch selection {
    case .all: break
    case .process(let pid): if child.pid != pid { return false }
    case .group(let group): if child.group != group { return false }
    }
    if options.contains(.__WNOTHREAD), child.creatorTID != tid { return false }
    if options.contains(.__WALL) { return true }
    return (child.exitSignal != Signal.SIGCHLD.rawValue) == options.contains(.__WCLONE)
  }
}

extension UserProcess {
  /// The news of this process for its parent, if there is any of the kind that is asked for.
  fileprivate func takeReport(_ options: WaitOptions) -> ChildReport? {
    if let exitStatus {
      guard options.contains(.WEXITED) else { return nil }
      let report =
        switch exitStatus {
        case .exited(let code): report(.exited(Int32(code)), SignalCode.CLD_EXITED, Int32(code))
        case .killed(let signal):
          report(.signaled(signal, coreDumped: false), SignalCode.CLD_KILLED, signal.rawValue)
        }
      if !options.contains(.WNOWAIT) { reap() }
      return report
    }
    if let signal = stopReport, options.contains(.WUNTRACED) {
      if !options.contains(.WNOWAIT) { stopReport = nil }
      return report(.stopped(signal), SignalCode.CLD_STOPPED, signal.rawValue)
    }
    if reportsContinuation, options.contains(.WCONTINUED) {
      if !options.contains(.WNOWAIT) { reportsContinuation = false }
      return report(.continued, SignalCode.CLD_CONTINUED, Signal.SIGCONT.rawValue)
    }
    return nil
  }

  private func report(_ status: WaitStatus, _ code: Int32, _ number: Int32) -> ChildReport {
    var times = times
    times += usage.childrenTimes
    return ChildReport(
      pid: pid, status: status, information: childInformation(.SIGCHLD, code, number),
      times: times, peakMemory: max(usage.peakResidentPages, usage.childrenPeakPages) * 4,
      faults: usage.minorFaults + usage.childrenFaults)
  }
}
