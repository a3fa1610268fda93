/// What decides when a task runs: its virtual time, which grows the slower the more weight it has, or its real-time
/// priority.
///
/// Reference: the Completely Fair Scheduler, sched(7) and Documentation/scheduler/sched-design-CFS.rst of Linux.
struct ScheduleShare {
  /// Nanoseconds for which the task has run.
  var runTime: UInt64 = 0
  /// Run time in nanoseconds of a task of nice 0.
  var virtualTime: UInt64 = 0
  /// 1 to 99 for SCHED_FIFO and SCHED_RR; 0 for the others.
  var realTimePriority: Int32 = 0
  /// SCHED_RR: the end of a slice lets another task of the same priority run.
  var isRoundRobin = false
  /// 2^32 divided by the weight; 2^22 for nice 0.
  private var inverseWeight: UInt64 = 1 << 22
  /// The order of arrival in the queue of ready tasks.
  var arrival: UInt64 = 0

  /// 2^32 / weight for nice -20 to 19: each step is a tenth of the CPU. Linux's `sched_prio_to_wmult`.
  private static var inverseWeights: InlineArray<40, UInt32> {
    [
      48388, 59856, 76040, 92818, 118348, 147320, 184698, 229616, 287308, 360437, 449829, 563644, 704093, 875809,
      1_099_582, 1_376_151, 1_717_300, 2_157_191, 2_708_050, 3_363_326, 4_194_304, 5_237_765, 6_557_202, 8_165_337,
      10_153_587, 12_820_798, 15_790_321, 19_976_592, 24_970_740, 31_350_126, 39_045_157, 49_367_440, 61_356_676,
      76_695_844, 95_443_717, 119_304_647, 148_102_320, 186_737_708, 238_609_294, 286_331_153,
    ]
  }

  /// Weight of SCHED_IDLE: 3 where nice 0 has 1024.
  private static var idleInverseWeight: UInt64 { 1_431_655_765 }

  mutating func setNice(_ nice: Int32, isIdlePolicy: Bool) {
    inverseWeight =
      isIdlePolicy ? Self.idleInverseWeight : UInt64(Self.inverseWeights[Int(min(max(nice, -20), 19)) + 20])
  }

  /// Counts `nanoseconds` of running.
  @inline(__always)
  mutating func charge(_ nanoseconds: UInt64) {
    runTime &+= nanoseconds
    if inverseWeight == 1 << 22 {
      virtualTime &+= nanoseconds
    } else {
      let product = nanoseconds.multipliedFullWidth(by: inverseWeight)
      virtualTime &+= product.high << 42 | product.low >> 22
    }
  }

  /// Whether a task with this share goes before one with the other.
  @inline(__always)
  func precedes(_ other: ScheduleShare) -> Bool {
    if realTimePriority != other.realTimePriority { return realTimePriority > other.realTimePriority }
    if realTimePriority == 0, virtualTime != other.virtualTime {
      return Int64(bitPattern: virtualTime &- other.virtualTime) < 0
    }
    return Int64(bitPattern: arrival &- other.arrival) < 0
  }

  /// Whether a ready task with this share is to run in place of the one that runs.
  ///
  /// - Parameters:
  ///   - lag: how far it must lag behind, in nanoseconds of virtual time.
  ///   - atSliceEnd: the running task's slice is over: one of SCHED_RR makes room for its peers.
  @inline(__always)
  func displaces(_ running: ScheduleShare, lag: UInt64 = 0, atSliceEnd: Bool = false) -> Bool {
    if realTimePriority != running.realTimePriority { return realTimePriority > running.realTimePriority }
    if realTimePriority == 0 { return Int64(bitPattern: running.virtualTime &- virtualTime) > Int64(lag) }
    return atSliceEnd && running.isRoundRobin
  }
}
