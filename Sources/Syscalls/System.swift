// Names are spelled as in Linux, so that grep and the man pages work.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

internal import Kernel
internal import LinuxABI
internal import Mmap
internal import Platform
internal import Process
internal import Support

/// What the system says about itself, and attributes of processes that it mostly only keeps.
let systemSyscalls: [Syscall] = [
  Syscall(24, "sched_yield", .none, sched_yield),
  Syscall(63, "uname", .none, uname),
  Syscall(97, "getrlimit", .none, getrlimit),
  Syscall(99, "sysinfo", .none, sysinfo),
  Syscall(135, "personality", personality),
  Syscall(140, "getpriority", getpriority),
  Syscall(141, "setpriority", .none, setpriority),
  Syscall(142, "sched_setparam", .none, sched_setparam),
  Syscall(143, "sched_getparam", .none, sched_getparam),
  Syscall(144, "sched_setscheduler", .none, sched_setscheduler),
  Syscall(145, "sched_getscheduler", sched_getscheduler),
  Syscall(146, "sched_get_priority_max", sched_get_priority_max),
  Syscall(147, "sched_get_priority_min", sched_get_priority_min),
  Syscall(148, "sched_rr_get_interval", .none, sched_rr_get_interval),
  Syscall(157, "prctl", prctl),
  Syscall(158, "arch_prctl", .none, arch_prctl),
  Syscall(160, "setrlimit", .none, setrlimit),
  Syscall(170, "sethostname", .none, sethostname),
  Syscall(171, "setdomainname", .none, setdomainname),
  Syscall(203, "sched_setaffinity", .none, sched_setaffinity),
  Syscall(204, "sched_getaffinity", sched_getaffinity),
  Syscall(302, "prlimit64", .none, prlimit64),
  Syscall(309, "getcpu", .none, getcpu),
  Syscall(318, "getrandom", getrandom),
]

// MARK: uname(2) and its like

/// The system's name and version. See uname(2).
func uname(_ thread: Thread, _ result: UserMutablePointer<Utsname>) throws(Errno) -> Int {
  let system = thread.process.system
  var name = Utsname()
  name.sysname = Utsname.field("Linux")
  let hostName = system.hostName
  let domainName = system.domainName
  name.nodename = Utsname.field(hostName.span)
  name.release = Utsname.field(System.release)
  name.version = Utsname.field(System.version)
  name.machine = Utsname.field("x86_64")
  name.domainname = Utsname.field(domainName.span)
  try result.store(name)
  return 0
}

private func systemName(_ thread: Thread, _ address: Address, _ count: Int) throws(Errno) -> [UInt8] {
  guard thread.process.identity.has(Identity.Capability.CAP_SYS_ADMIN) else { throw .EPERM }
  guard count >= 0, count <= 64 else { throw .EINVAL }
  return try UserMemory.bytes(at: address.value, count: count)
}

/// Sets the host's name. See sethostname(2).
func sethostname(_ thread: Thread, _ name: Address, _ count: Int) throws(Errno) -> Int {
  thread.process.system.hostName = try systemName(thread, name, count)
  return 0
}

/// Sets the NIS domain's name. See setdomainname(2).
func setdomainname(_ thread: Thread, _ name: Address, _ count: Int) throws(Errno) -> Int {
  thread.process.system.domainName = try systemName(thread, name, count)
  return 0
}

/// Memory, uptime and processes. See sysinfo(2).
func sysinfo(_ thread: Thread, _ result: UserMutablePointer<Sysinfo>) throws(Errno) -> Int {
  let system = thread.process.system
  var info = Sysinfo()
  info.uptime = Int64((system.clock.now + 999_999_999) / 1_000_000_000)
  info.totalram = UInt64(system.frames.totalFrames * pageSize)
  info.freeram = UInt64(system.frames.freeFrames * pageSize)
  var threads = 0
  for process in system.processes { threads += process.threads.count }
  info.procs = UInt16(clamping: threads)
  info.mem_unit = 1
  try result.store(info)
  return 0
}

/// The flags of getrandom(2).
struct RandomFlags: NamedFlags {
  let rawValue: UInt32
  static var GRND_NONBLOCK: Self { Self(rawValue: 1) }
  static var GRND_RANDOM: Self { Self(rawValue: 2) }
  static var GRND_INSECURE: Self { Self(rawValue: 4) }
  static var bitNames: NameList { NameList(words: "GRND_NONBLOCK GRND_RANDOM GRND_INSECURE") }
}

/// Random bytes. See getrandom(2).
func getrandom(_ thread: Thread, _ buffer: OutBuffer, _ count: UInt, _ flags: Flags<RandomFlags>) throws(Errno) -> Int {
  let all: RandomFlags = [.GRND_NONBLOCK, .GRND_RANDOM, .GRND_INSECURE]
  guard all.isSuperset(of: flags.value), !flags.value.isSuperset(of: [.GRND_RANDOM, .GRND_INSECURE]) else {
    throw .EINVAL
  }
  var writer = UserWriter(buffer.address, count: Int(min(count, UInt(IOVector.maximumTransfer))))
  try thread.process.system.random.fill(&writer)
  return writer.transferred
}

/// The CPU that the caller runs on. See getcpu(2).
func getcpu(_ thread: Thread, _ cpu: Out<UInt32>, _ node: Out<UInt32>) throws(Errno) -> Int {
  try cpu.storeIfPresent(0)
  try node.storeIfPresent(0)
  return 0
}

// MARK: Limits

/// Gets a limit. See getrlimit(2).
func getrlimit(_ thread: Thread, _ resource: Named<ResourceLimitKind>, _ result: Out<Rlimit>) throws(Errno) -> Int {
  guard let limit = thread.process.limits[Int(resource.rawValue)] else { throw .EINVAL }
  try result.store(limit)
  return 0
}

/// Sets a limit. See setrlimit(2).
func setrlimit(_ thread: Thread, _ resource: Named<ResourceLimitKind>, _ limit: In<Rlimit>) throws(Errno) -> Int {
  try thread.process.setLimit(Int(resource.rawValue), try limit.load())
  return 0
}

/// Gets and sets a limit of any process. See prlimit(2).
func prlimit64(
  _ thread: Thread, _ pid: Int32, _ resource: Named<ResourceLimitKind>, _ new: In<Rlimit>, _ old: Out<Rlimit>
) throws(Errno) -> Int {
  guard let process = pid == 0 ? thread.process : thread.process.system.process(pid) else { throw .ESRCH }
  let limit = try new.loadIfPresent()
  guard let before = process.limits[Int(resource.rawValue)] else { throw .EINVAL }
  if let limit { try process.setLimit(Int(resource.rawValue), limit) }
  try old.storeIfPresent(before)
  return 0
}

// MARK: Scheduling

/// Lets others run. See sched_yield(2).
func sched_yield(_ thread: Thread) throws(Errno) -> Int {
  thread.scheduler.yield()
  return 0
}

/// The thread of a number, 0 being the caller.
private func target(_ thread: Thread, _ tid: Int32) throws(Errno) -> Thread {
  guard tid >= 0 else { throw .EINVAL }
  guard let target = tid == 0 ? thread : thread.process.system.thread(tid) else { throw .ESRCH }
  return target
}

/// Whether a policy and its priority go together.
func checkPolicy(_ policy: SchedulingPolicy, _ priority: Int32) throws(Errno) {
  switch policy {
  case .SCHED_FIFO, .SCHED_RR: guard (1...99).contains(priority) else { throw .EINVAL }
  case .SCHED_NORMAL, .SCHED_BATCH, .SCHED_IDLE: guard priority == 0 else { throw .EINVAL }
  // Its parameters come by sched_setattr(2) alone.
  case .SCHED_DEADLINE: throw .EINVAL
  }
}

/// Whether the caller may change how a thread is scheduled. See sched(7), "Privileges and resource limits".
///
/// - Throws: `EPERM`.
func checkMayChange(
  _ thread: Thread, _ target: Thread, _ old: SchedulingParameters, _ new: SchedulingParameters
) throws(Errno) {
  let identity = thread.process.identity
  if identity.has(Identity.Capability.CAP_SYS_NICE) { return }
  func limit(_ kind: ResourceLimitKind) -> UInt64 { target.process.limits[Int(kind.rawValue)]?.rlim_cur ?? 0 }
  if new.policy == .SCHED_NORMAL || new.policy == .SCHED_BATCH, new.nice < old.nice,
    UInt64(20 - new.nice) > limit(.RLIMIT_NICE)
  {
    throw .EPERM
  }
  if new.policy == .SCHED_FIFO || new.policy == .SCHED_RR {
    let most = limit(.RLIMIT_RTPRIO)
    if new.policy != old.policy, most == 0 { throw .EPERM }
    if new.priority > old.priority, UInt64(new.priority) > most { throw .EPERM }
  }
  if old.policy == .SCHED_IDLE, new.policy != .SCHED_IDLE, UInt64(20 - old.nice) > limit(.RLIMIT_NICE) { throw .EPERM }
  let user = target.process.identity.user
  guard identity.user.effective == user.effective || identity.user.effective == user.real else { throw .EPERM }
  if old.resetsOnFork, !new.resetsOnFork { throw .EPERM }
}

/// Sets the priority of a thread. See sched_setparam(2).
func sched_setparam(_ thread: Thread, _ tid: Int32, _ parameter: In<Int32>) throws(Errno) -> Int {
  guard tid >= 0, !parameter.isNull else { throw .EINVAL }
  let priority = try parameter.load()
  let target = try target(thread, tid)
  try checkPolicy(target.scheduling.policy, priority)
  var new = target.scheduling
  new.priority = priority
  try checkMayChange(thread, target, target.scheduling, new)
  target.scheduling = new
  target.applyScheduling()
  return 0
}

/// The priority of a thread. See sched_getparam(2).
func sched_getparam(_ thread: Thread, _ tid: Int32, _ parameter: Out<Int32>) throws(Errno) -> Int {
  guard !parameter.isNull else { throw .EINVAL }
  try parameter.store(try target(thread, tid).scheduling.priority)
  return 0
}

/// Sets the policy and priority of a thread. See sched_setscheduler(2).
func sched_setscheduler(_ thread: Thread, _ tid: Int32, _ policy: Named<SchedulingPolicy>, _ parameter: In<Int32>)
  throws(Errno) -> Int
{
  guard tid >= 0, !parameter.isNull else { throw .EINVAL }
  let priority = try parameter.load()
  let target = try target(thread, tid)
  let reset = SchedulingPolicy.SCHED_RESET_ON_FORK
  guard let wanted = SchedulingPolicy(rawValue: policy.rawValue & ~reset) else { throw .EINVAL }
  try checkPolicy(wanted, priority)
  var new = target.scheduling
  new.policy = wanted
  new.priority = priority
  new.resetsOnFork = policy.rawValue & reset != 0
  try checkMayChange(thread, target, target.scheduling, new)
  target.scheduling = new
  target.applyScheduling()
  return 0
}

/// The policy of a thread. See sched_getscheduler(2).
func sched_getscheduler(_ thread: Thread, _ tid: Int32) throws(Errno) -> Int {
  let scheduling = try target(thread, tid).scheduling
  return Int(scheduling.policy.rawValue | (scheduling.resetsOnFork ? SchedulingPolicy.SCHED_RESET_ON_FORK : 0))
}

/// The highest priority of a policy. See sched_get_priority_max(2).
func sched_get_priority_max(_ thread: Thread, _ policy: Named<SchedulingPolicy>) throws(Errno) -> Int {
  guard let policy = SchedulingPolicy(rawValue: policy.rawValue) else { throw .EINVAL }
  return policy == .SCHED_FIFO || policy == .SCHED_RR ? 99 : 0
}

/// The lowest priority of a policy. See sched_get_priority_min(2).
func sched_get_priority_min(_ thread: Thread, _ policy: Named<SchedulingPolicy>) throws(Errno) -> Int {
  guard let policy = SchedulingPolicy(rawValue: policy.rawValue) else { throw .EINVAL }
  return policy == .SCHED_FIFO || policy == .SCHED_RR ? 1 : 0
}

/// The time slice of a thread. See sched_rr_get_interval(2).
func sched_rr_get_interval(_ thread: Thread, _ tid: Int32, _ result: Out<Timespec>) throws(Errno) -> Int {
  let policy = try target(thread, tid).scheduling.policy
  try result.store(Timespec(nanoseconds: policy == .SCHED_FIFO ? 0 : Int64(Scheduler.sliceNanoseconds)))
  return 0
}

/// Checks a set of CPUs: the one there is must be among them. See sched_setaffinity(2).
func sched_setaffinity(_ thread: Thread, _ tid: Int32, _ size: UInt32, _ mask: UserPointer<UInt8>) throws(Errno) -> Int
{
  let first = size == 0 ? 0 : try mask.load()
  guard tid == 0 || thread.process.system.thread(tid) != nil else { throw .ESRCH }
  guard first & 1 != 0 else { throw .EINVAL }
  return 0
}

/// The CPUs that a thread may run on: one. See sched_getaffinity(2).
func sched_getaffinity(_ thread: Thread, _ tid: Int32, _ size: UInt32, _ mask: UserMutablePointer<UInt64>) throws(Errno)
  -> Int
{
  guard size >= 8, size & 7 == 0 else { throw .EINVAL }
  guard tid == 0 || thread.process.system.thread(tid) != nil else { throw .ESRCH }
  try mask.store(1)
  return 8
}

/// Calls `body` with the first thread of every process that `which` and `who` name.
func forEachTarget(
  _ thread: Thread, _ which: Named<PriorityWhich>, _ who: Int32, _ body: (Thread) throws(Errno) -> Void
) throws(Errno) {
  let system = thread.process.system
  guard let which = PriorityWhich(rawValue: which.rawValue) else { throw .EINVAL }
  var count = 0
  switch which {
  case .PRIO_PROCESS:
    guard let target = who == 0 ? thread : system.thread(who) else { throw .ESRCH }
    return try body(target)
  case .PRIO_PGRP:
    let group = who == 0 ? thread.process.group : who
    for process in system.processes where process.group == group {
      for thread in process.threads {
        try body(thread)
        count += 1
      }
    }
  case .PRIO_USER:
    let user = who == 0 ? thread.process.identity.user.real : UInt32(bitPattern: who)
    for process in system.processes where process.identity.user.real == user {
      for thread in process.threads {
        try body(thread)
        count += 1
      }
    }
  }
  if count == 0 { throw .ESRCH }
}

/// The highest priority among processes, as 20 minus the nice value. See getpriority(2).
func getpriority(_ thread: Thread, _ which: Named<PriorityWhich>, _ who: Int32) throws(Errno) -> Int {
  var highest = 0
  try forEachTarget(thread, which, who) { target in highest = max(highest, 20 - Int(target.scheduling.nice)) }
  return highest
}

/// Sets the nice value of processes. See setpriority(2).
func setpriority(_ thread: Thread, _ which: Named<PriorityWhich>, _ who: Int32, _ value: Int32) throws(Errno) -> Int {
  let nice = min(max(value, -20), 19)
  let isTrusted = thread.process.identity.has(Identity.Capability.CAP_SYS_NICE)
  try forEachTarget(thread, which, who) { target throws(Errno) in
    guard isTrusted || nice >= target.scheduling.nice else { throw .EACCES }
    target.scheduling.nice = nice
    target.applyScheduling()
  }
  return 0
}

// MARK: Attributes

/// Sets the execution domain; all ones only asks. See personality(2).
func personality(_ thread: Thread, _ persona: UInt32) throws(Errno) -> Int {
  let old = thread.process.attributes.persona
  if persona != .max { thread.process.attributes.persona = PersonaFlags(rawValue: persona) }
  return Int(old.rawValue)
}

/// Attributes of the x86 architecture: the FS and GS bases. See arch_prctl(2).
func arch_prctl(_ thread: Thread, _ code: Named<ArchPrctlCode>, _ address: Address) throws(Errno) -> Int {
  switch ArchPrctlCode(rawValue: code.rawValue) {
  case .ARCH_SET_FS:
    guard address.value < UserAddress.limit else { throw .EPERM }
    CPU.fsBase = UInt64(address.value)
  case .ARCH_SET_GS:
    guard address.value < UserAddress.limit else { throw .EPERM }
    CPU.userGSBase = UInt64(address.value)
  case .ARCH_GET_FS: try UserMemory.store(CPU.fsBase, at: address.value)
  case .ARCH_GET_GS: try UserMemory.store(CPU.userGSBase, at: address.value)
  // The instruction is not made to fault.
  case .ARCH_GET_CPUID: return 1
  case .ARCH_SET_CPUID: throw .ENODEV
  case .ARCH_GET_XCOMP_SUPP, .ARCH_GET_XCOMP_PERM: try UserMemory.store(FloatingPoint.stateMask, at: address.value)
  default: throw .EINVAL
  }
  return 0
}

/// Attributes of the process and the thread. See prctl(2).
func prctl(
  _ thread: Thread, _ option: Named<PrctlOption>, _ second: Address, _ third: Address, _ fourth: Address,
  _ fifth: Address
) throws(Errno) -> Int {
  guard let option = PrctlOption(rawValue: option.rawValue) else { throw .EINVAL }
  let process = thread.process
  let argument = second.value
  let restIsZero = third.value == 0 && fourth.value == 0 && fifth.value == 0
  switch option {
  case .PR_SET_PDEATHSIG:
    guard argument <= UInt(Signal.count) else { throw .EINVAL }
    thread.scheduling.parentDeathSignal = Int32(argument)
  case .PR_GET_PDEATHSIG: try UserMemory.store(thread.scheduling.parentDeathSignal, at: argument)
  case .PR_GET_DUMPABLE: return process.isDumpable ? 1 : 0
  case .PR_SET_DUMPABLE:
    guard argument <= 1 else { throw .EINVAL }
    process.isDumpable = argument == 1
  case .PR_GET_KEEPCAPS: return process.identity.keepsCapabilities ? 1 : 0
  case .PR_SET_KEEPCAPS:
    guard argument <= 1 else { throw .EINVAL }
    try process.changeIdentity { identity throws(Errno) in identity.keepsCapabilities = argument == 1 }
  case .PR_SET_NAME:
    // At most 15 bytes count, and no byte behind them need be readable.
    var name: [UInt8] = []
    while name.count < 15 {
      let byte = try UserMemory.load(UInt8.self, at: argument &+ UInt(name.count))
      if byte == 0 { break }
      name.append(byte)
    }
    thread.name = name
  case .PR_GET_NAME:
    var name = thread.name
    while name.count < 16 { name.append(0) }
    try UserMemory.store(name.rawBytes, at: argument)
  case .PR_GET_SECCOMP: return 0
  case .PR_CAPBSET_READ:
    guard argument <= UInt(CapabilityVersion.CAP_LAST_CAP) else { throw .EINVAL }
    return process.identity.capabilities.bounding & 1 << UInt64(argument) != 0 ? 1 : 0
  case .PR_CAPBSET_DROP:
    guard process.identity.has(Identity.Capability.CAP_SETPCAP) else { throw .EPERM }
    guard argument <= UInt(CapabilityVersion.CAP_LAST_CAP) else { throw .EINVAL }
    try process.changeIdentity { identity throws(Errno) in
      identity.capabilities.bounding &= ~(1 << UInt64(argument))
    }
  case .PR_GET_TSC: try UserMemory.store(Int32(1), at: argument)
  // PR_TSC_ENABLE; a TSC that traps is not offered.
  case .PR_SET_TSC: guard argument == 1 else { throw .EINVAL }
  case .PR_GET_SECUREBITS: return process.identity.keepsCapabilities ? 16 : 0
  case .PR_GET_TIMERSLACK: return Int(thread.scheduling.timerSlack)
  case .PR_SET_TIMERSLACK:
    thread.scheduling.timerSlack = argument == 0 ? SchedulingParameters.defaultTimerSlack : UInt64(argument)
  case .PR_TASK_PERF_EVENTS_DISABLE, .PR_TASK_PERF_EVENTS_ENABLE: break
  case .PR_GET_CHILD_SUBREAPER: try UserMemory.store(Int32(process.attributes.isChildSubreaper ? 1 : 0), at: argument)
  case .PR_SET_CHILD_SUBREAPER: process.attributes.isChildSubreaper = argument != 0
  case .PR_GET_NO_NEW_PRIVS:
    guard argument == 0, restIsZero else { throw .EINVAL }
    return process.identity.allowsNoNewPrivileges ? 1 : 0
  case .PR_SET_NO_NEW_PRIVS:
    guard argument == 1, restIsZero else { throw .EINVAL }
    try process.changeIdentity { identity throws(Errno) in identity.allowsNoNewPrivileges = true }
  case .PR_GET_TID_ADDRESS: try UserMemory.store(UInt64(thread.clearChildTID), at: argument)
  case .PR_GET_THP_DISABLE:
    guard argument == 0, restIsZero else { throw .EINVAL }
    return process.attributes.disablesLargePages ? 1 : 0
  case .PR_SET_THP_DISABLE:
    guard restIsZero else { throw .EINVAL }
    process.attributes.disablesLargePages = argument != 0
  // PR_MCE_KILL_DEFAULT
  case .PR_MCE_KILL_GET: return 2
  // The rest is what a kernel built without it answers.
  default: throw .EINVAL
  }
  return 0
}
