internal import Kernel
internal import LinuxABI
internal import Mmap
internal import Support
internal import VFSCore

extension UserProcess {
  /// How much memory the end of the process would bring, in pages, moved by `oom_score_adj`; nil when it must not be
  /// killed for that. What the kernel holds for it counts by its number: descriptors, areas, threads.
  ///
  /// Reference: oom_badness of Linux, Documentation/filesystems/proc.rst, 3.1.
  public var memoryBadness: Int? {
    if attributes.oomScoreAdjustment <= -1000 { return nil }
    let objects = files.capacity / 16 + memory.areaCount / 32 + threads.count * Task.stackPages
    return memory.residentPages + memory.table.tableCount(system.frames) + objects
      + attributes.oomScoreAdjustment * system.frames.totalFrames / 1000
  }
}

extension System {
  /// Makes memory free when it is used up: kills the process that takes the most, with a message. Sleeps until that has
  /// shown, unless the caller is of that process.
  ///
  /// - Returns: Whether the caller goes on.
  func relieveMemory() -> Bool {
    let current = Thread.currentThread
    if current.hasBeenKilled { return false }
    // One that is ending already is enough.
    if !processes.contains(where: { $0.exitStatus == nil && $0.pendingExit != nil }) {
      var victim: UserProcess?
      var most = Int.min
      for process in processes where process.exitStatus == nil {
        guard let badness = process.memoryBadness, badness >= most else { continue }
        most = badness
        victim = process
      }
      guard let victim = victim ?? processes.first else { return false }
      report(victim)
      victim.exitAll(.killed(.SIGKILL))
      if victim === current.process { return false }
    }
    _ = scheduler.sleep(until: clock.now &+ 1_000_000, interruptible: false)
    return !current.hasBeenKilled
  }

  /// As `relieveMemory`, when it is the kernel that wants frames: what can be had again goes first.
  func relieveExhaustion() {
    _ = frames.reclaimer?(frames.reserve, true)
    if frames.isExhausted { _ = relieveMemory() }
  }

  private func report(_ victim: UserProcess) {
    log(.error) { line in
      line.append("out of memory: killed process ")
      line.append(decimal: Int(victim.pid))
      line.append(" (")
      if let thread = victim.threads.first { line.append(bytes: thread.name) }
      line.append("), ")
      line.append(decimal: victim.memory.residentPages * (pageSize / 1024))
      line.append(" KiB resident of ")
      line.append(decimal: frames.totalFrames * (pageSize / 1024))
      line.append(" KiB in all")
    }
  }
}
