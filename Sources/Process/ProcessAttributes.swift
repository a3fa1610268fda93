public import LinuxABI

/// What prctl(2), personality(2) and their like set for a process and nothing else in the kernel asks for.
public struct ProcessAttributes: Sendable {
  /// PR_SET_CHILD_SUBREAPER
  public var isChildSubreaper = false
  /// PR_SET_THP_DISABLE
  public var disablesLargePages = false
  /// personality(2)
  public var persona = PersonaFlags.PER_LINUX
  /// /proc/PID/oom_score_adj, -1000 to 1000.
  public var oomScoreAdjustment = 0

  public init() {}
}

/// How a thread is scheduled, as sched_setscheduler(2) and setpriority(2) set it. `Thread.applyScheduling` tells the
/// scheduler.
public struct SchedulingParameters: Sendable {
  public var policy = SchedulingPolicy.SCHED_NORMAL
  /// SCHED_RESET_ON_FORK
  public var resetsOnFork = false
  /// 1 to 99 for the real-time policies, else 0.
  public var priority: Int32 = 0
  /// -20 to 19.
  public var nice: Int32 = 0
  /// ioprio_set(2); 0 for none.
  public var ioPriority: Int32 = 0
  /// PR_SET_TIMERSLACK, in nanoseconds.
  public var timerSlack: UInt64 = Self.defaultTimerSlack
  /// PR_SET_PDEATHSIG; 0 for none.
  public var parentDeathSignal: Int32 = 0

  public static var defaultTimerSlack: UInt64 { 50_000 }

  public init() {}
}
