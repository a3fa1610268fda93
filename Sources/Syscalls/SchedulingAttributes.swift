// Names are spelled as in Linux, so that grep and the man pages work.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

internal import Kernel
internal import LinuxABI
internal import Process
internal import Support

/// sched_setattr(2), and the priorities of input and output.
let schedulingAttributeSyscalls: [Syscall] = [
  Syscall(251, "ioprio_set", .none, ioprio_set),
  Syscall(252, "ioprio_get", ioprio_get),
  Syscall(314, "sched_setattr", .none, sched_setattr),
  Syscall(315, "sched_getattr", .none, sched_getattr),
]

/// SCHED_ATTR_SIZE_VER0
private var leastAttributeSize: UInt32 { 48 }

/// The flags of `SchedAttr` that there are, and those of utilisation clamping, which is configured out.
private enum AttributeFlag {
  static var RESET_ON_FORK: UInt64 { 1 }
  static var KEEP_POLICY: UInt64 { 8 }
  static var KEEP_PARAMS: UInt64 { 16 }
  static var UTIL_CLAMP: UInt64 { 0x60 }
  static var all: UInt64 { 0x7f }
}

/// Reads the attributes of a program that may know fewer or more fields.
///
/// - Throws: `E2BIG` after storing the size that this kernel knows, `EFAULT`.
private func loadAttributes(_ address: UInt) throws(Errno) -> SchedAttr {
  let known = UInt32(MemoryLayout<SchedAttr>.size)
  var size = try UserMemory.load(UInt32.self, at: address)
  if size == 0 { size = leastAttributeSize }
  var isKnown = size >= leastAttributeSize && size <= UInt32(pageSize)
  if isKnown, size > known {
    let rest = try UserMemory.bytes(at: address &+ UInt(known), count: Int(size - known))
    isKnown = !rest.contains { $0 != 0 }
  }
  guard isKnown else {
    try UserMemory.store(known, at: address)
    throw .E2BIG
  }
  var attributes = SchedAttr()
  func load<T: BitwiseCopyable>(_ offset: UInt) throws(Errno) -> T {
    try UserMemory.load(T.self, at: address &+ offset)
  }
  attributes.sched_policy = try load(4)
  attributes.sched_flags = try load(8)
  attributes.sched_nice = try load(16)
  attributes.sched_priority = try load(20)
  attributes.sched_runtime = try load(24)
  attributes.sched_deadline = try load(32)
  attributes.sched_period = try load(40)
  if attributes.sched_flags & AttributeFlag.UTIL_CLAMP != 0, size < known { throw .EINVAL }
  return attributes
}

/// Sets policy, priority and nice value of a thread. See sched_setattr(2).
func sched_setattr(_ thread: Thread, _ tid: Int32, _ address: Address, _ flags: UInt32) throws(Errno) -> Int {
  guard address.value != 0, tid >= 0, flags == 0 else { throw .EINVAL }
  let attributes = try loadAttributes(address.value)
  guard Int32(bitPattern: attributes.sched_policy) >= 0 else { throw .EINVAL }
  guard let target = tid == 0 ? thread : thread.process.system.thread(tid) else { throw .ESRCH }
  let old = target.scheduling
  var new = old
  let wanted = attributes.sched_flags
  if wanted & AttributeFlag.KEEP_POLICY == 0 {
    guard let policy = SchedulingPolicy(rawValue: attributes.sched_policy) else { throw .EINVAL }
    new.policy = policy
    new.resetsOnFork = wanted & AttributeFlag.RESET_ON_FORK != 0
  }
  guard wanted & ~AttributeFlag.all == 0 else { throw .EINVAL }
  guard wanted & AttributeFlag.UTIL_CLAMP == 0 else { throw .EOPNOTSUPP }
  if wanted & AttributeFlag.KEEP_PARAMS == 0 {
    guard attributes.sched_priority <= 99 else { throw .EINVAL }
    new.priority = Int32(attributes.sched_priority)
    if new.policy == .SCHED_NORMAL || new.policy == .SCHED_BATCH {
      new.nice = min(max(attributes.sched_nice, -20), 19)
    }
  }
  if new.policy == .SCHED_DEADLINE {
    let (runtime, deadline) = (attributes.sched_runtime, attributes.sched_deadline)
    let period = attributes.sched_period == 0 ? deadline : attributes.sched_period
    // The bounds of a period are those of /proc/sys/kernel/sched_deadline_period_{min,max}_us.
    guard runtime >= 1024, runtime <= deadline, deadline <= period, 100_000...4_194_304_000 ~= period,
      new.priority == 0
    else { throw .EINVAL }
    guard thread.process.identity.has(Identity.Capability.CAP_SYS_NICE) else { throw .EPERM }
    // No bandwidth is set aside for such threads, so none is left: what Linux says where others have taken it.
    throw .EBUSY
  }
  try checkPolicy(new.policy, new.priority)
  try checkMayChange(thread, target, old, new)
  target.scheduling = new
  target.applyScheduling()
  return 0
}

/// Policy, priority and nice value of a thread. See sched_getattr(2).
func sched_getattr(
  _ thread: Thread, _ tid: Int32, _ address: Address, _ size: UInt32, _ flags: UInt32
) throws(Errno) -> Int {
  guard address.value != 0, tid >= 0, size >= leastAttributeSize, size <= UInt32(pageSize), flags == 0 else {
    throw .EINVAL
  }
  guard let target = tid == 0 ? thread : thread.process.system.thread(tid) else { throw .ESRCH }
  let scheduling = target.scheduling
  var attributes = SchedAttr()
  attributes.size = min(size, UInt32(MemoryLayout<SchedAttr>.size))
  attributes.sched_policy = scheduling.policy.rawValue
  attributes.sched_flags = scheduling.resetsOnFork ? AttributeFlag.RESET_ON_FORK : 0
  switch scheduling.policy {
  case .SCHED_FIFO, .SCHED_RR: attributes.sched_priority = UInt32(scheduling.priority)
  default: attributes.sched_nice = scheduling.nice
  }
  if attributes.size < UInt32(MemoryLayout<SchedAttr>.size) {
    // Without the two fields that came last.
    func store(_ value: some BitwiseCopyable, _ offset: UInt) throws(Errno) {
      try UserMemory.store(value, at: address.value &+ offset)
    }
    try store(attributes.size, 0)
    try store(attributes.sched_policy, 4)
    try store(attributes.sched_flags, 8)
    try store(attributes.sched_nice, 16)
    try store(attributes.sched_priority, 20)
    for offset in [24, 32, 40] as [UInt] { try store(UInt64(0), offset) }
  } else {
    try UserMemory.store(attributes, at: address.value)
  }
  return 0
}

// MARK: Input and output

/// Calls `body` with the threads that `which` and `who` of ioprio_set(2) name.
private func forEachTarget(
  _ thread: Thread, _ which: Int32, _ who: Int32, _ body: (Thread) throws(Errno) -> Void
) throws(Errno) {
  // IOPRIO_WHO_PROCESS, _PGRP and _USER are one more than what setpriority(2) calls them.
  guard which >= 1, which <= 3 else { throw .EINVAL }
  try forEachTarget(thread, Named<PriorityWhich>(register: UInt64(which - 1)), who, body)
}

/// Sets the priority of input and output, which is kept and changes nothing: requests are served as they come.
/// See ioprio_set(2).
func ioprio_set(_ thread: Thread, _ which: Int32, _ who: Int32, _ priority: Int32) throws(Errno) -> Int {
  let identity = thread.process.identity
  let data = priority & 0x1fff
  switch priority >> 13 {
  // IOPRIO_CLASS_NONE, _RT, _BE and _IDLE.
  case 0: guard data == 0 else { throw .EINVAL }
  case 1:
    guard identity.has(Identity.Capability.CAP_SYS_ADMIN) || identity.has(Identity.Capability.CAP_SYS_NICE) else {
      throw .EPERM
    }
    guard data < 8 else { throw .EINVAL }
  case 2: guard data < 8 else { throw .EINVAL }
  case 3: break
  default: throw .EINVAL
  }
  try forEachTarget(thread, which, who) { target throws(Errno) in
    let owner = target.process.identity.user.real
    guard
      owner == identity.user.effective || owner == identity.user.real || identity.has(Identity.Capability.CAP_SYS_NICE)
    else { throw .EPERM }
    target.scheduling.ioPriority = priority
  }
  return 0
}

/// The best priority of input and output among threads. See ioprio_get(2).
func ioprio_get(_ thread: Thread, _ which: Int32, _ who: Int32) throws(Errno) -> Int {
  var best = Int32.max
  try forEachTarget(thread, which, who) { target in
    let scheduling = target.scheduling
    var priority = scheduling.ioPriority
    if priority == 0, which != 1 {
      // Among several, one that has none counts as what its nice value makes of it.
      priority = 2 << 13 | (scheduling.nice + 20) / 5
    }
    best = min(best, priority)
  }
  return Int(best)
}
