internal import Kernel
public import LinuxABI
internal import Process
public import Support

/// Who the process is: ids, groups, sessions, capabilities.
let identitySyscalls: [Syscall] = [
  Syscall(39, "getpid", getpid),
  Syscall(102, "getuid", getuid),
  Syscall(104, "getgid", getgid),
  Syscall(105, "setuid", .none, setuid),
  Syscall(106, "setgid", .none, setgid),
  Syscall(107, "geteuid", geteuid),
  Syscall(108, "getegid", getegid),
  Syscall(109, "setpgid", .none, setpgid),
  Syscall(110, "getppid", getppid),
  Syscall(111, "getpgrp", getpgrp),
  Syscall(112, "setsid", setsid),
  Syscall(113, "setreuid", .none, setreuid),
  Syscall(114, "setregid", .none, setregid),
  Syscall(115, "getgroups", getgroups),
  Syscall(116, "setgroups", .none, setgroups),
  Syscall(117, "setresuid", .none, setresuid),
  Syscall(118, "getresuid", .none, getresuid),
  Syscall(119, "setresgid", .none, setresgid),
  Syscall(120, "getresgid", .none, getresgid),
  Syscall(121, "getpgid", getpgid),
  Syscall(122, "setfsuid", setfsuid),
  Syscall(123, "setfsgid", setfsgid),
  Syscall(124, "getsid", getsid),
  Syscall(125, "capget", .none, capget),
  Syscall(126, "capset", .none, capset),
  Syscall(186, "gettid", gettid),
]

/// The process's number. See getpid(2).
func getpid(_ thread: Thread) throws(Errno) -> Int { Int(thread.process.pid) }

/// The thread's number. See gettid(2).
func gettid(_ thread: Thread) throws(Errno) -> Int { Int(thread.tid) }

/// The parent's number, 0 for the first process. See getppid(2).
func getppid(_ thread: Thread) throws(Errno) -> Int { Int(thread.process.parentPID) }

/// The real user id. See getuid(2).
func getuid(_ thread: Thread) throws(Errno) -> Int { Int(thread.process.identity.user.real) }

/// The effective user id. See geteuid(2).
func geteuid(_ thread: Thread) throws(Errno) -> Int { Int(thread.process.identity.user.effective) }

/// The real group id. See getgid(2).
func getgid(_ thread: Thread) throws(Errno) -> Int { Int(thread.process.identity.group.real) }

/// The effective group id. See getegid(2).
func getegid(_ thread: Thread) throws(Errno) -> Int { Int(thread.process.identity.group.effective) }

// MARK: Changing ids

/// An id argument; -1 stands for none where a call says so.
private func optional(_ id: UInt32) -> UInt32? { id == .max ? nil : id }

/// Sets the user id. See setuid(2).
func setuid(_ thread: Thread, _ id: UInt32) throws(Errno) -> Int {
  guard id != .max else { throw .EINVAL }
  try thread.process.changeIdentity { identity throws(Errno) in
    identity.changeUser(
      try Identity.set(identity.user, to: id, privileged: identity.has(Identity.Capability.CAP_SETUID)))
  }
  return 0
}

/// Sets the group id. See setgid(2).
func setgid(_ thread: Thread, _ id: UInt32) throws(Errno) -> Int {
  guard id != .max else { throw .EINVAL }
  try thread.process.changeIdentity { identity throws(Errno) in
    identity.group = try Identity.set(
      identity.group, to: id, privileged: identity.has(Identity.Capability.CAP_SETGID))
  }
  return 0
}

/// Sets the real and effective user id. See setreuid(2).
func setreuid(_ thread: Thread, _ real: UInt32, _ effective: UInt32) throws(Errno) -> Int {
  try thread.process.changeIdentity { identity throws(Errno) in
    identity.changeUser(
      try Identity.set(
        identity.user, real: optional(real), effective: optional(effective),
        privileged: identity.has(Identity.Capability.CAP_SETUID)))
  }
  return 0
}

/// Sets the real and effective group id. See setregid(2).
func setregid(_ thread: Thread, _ real: UInt32, _ effective: UInt32) throws(Errno) -> Int {
  try thread.process.changeIdentity { identity throws(Errno) in
    identity.group = try Identity.set(
      identity.group, real: optional(real), effective: optional(effective),
      privileged: identity.has(Identity.Capability.CAP_SETGID))
  }
  return 0
}

/// Sets the real, effective and saved user id. See setresuid(2).
func setresuid(_ thread: Thread, _ real: UInt32, _ effective: UInt32, _ saved: UInt32) throws(Errno) -> Int {
  try thread.process.changeIdentity { identity throws(Errno) in
    identity.changeUser(
      try Identity.set(
        identity.user, real: optional(real), effective: optional(effective), saved: optional(saved),
        privileged: identity.has(Identity.Capability.CAP_SETUID)))
  }
  return 0
}

/// Sets the real, effective and saved group id. See setresgid(2).
func setresgid(_ thread: Thread, _ real: UInt32, _ effective: UInt32, _ saved: UInt32) throws(Errno) -> Int {
  try thread.process.changeIdentity { identity throws(Errno) in
    identity.group = try Identity.set(
      identity.group, real: optional(real), effective: optional(effective), saved: optional(saved),
      privileged: identity.has(Identity.Capability.CAP_SETGID))
  }
  return 0
}

/// The real, effective and saved user id. See getresuid(2).
func getresuid(_ thread: Thread, _ real: Out<UInt32>, _ effective: Out<UInt32>, _ saved: Out<UInt32>) throws(Errno)
  -> Int
{
  let ids = thread.process.identity.user
  try real.store(ids.real)
  try effective.store(ids.effective)
  try saved.store(ids.saved)
  return 0
}

/// The real, effective and saved group id. See getresgid(2).
func getresgid(_ thread: Thread, _ real: Out<UInt32>, _ effective: Out<UInt32>, _ saved: Out<UInt32>) throws(Errno)
  -> Int
{
  let ids = thread.process.identity.group
  try real.store(ids.real)
  try effective.store(ids.effective)
  try saved.store(ids.saved)
  return 0
}

/// Sets the user id of file accesses if that is allowed, and returns the old one either way. See setfsuid(2).
func setfsuid(_ thread: Thread, _ id: UInt32) throws(Errno) -> Int {
  let identity = thread.process.identity
  let old = identity.user.fileSystem
  if id != .max, identity.has(Identity.Capability.CAP_SETUID) || identity.user.hold(id) || id == old {
    try thread.process.changeIdentity { identity throws(Errno) in identity.changeFileSystemUser(id) }
  }
  return Int(old)
}

/// Sets the group id of file accesses if that is allowed, and returns the old one either way. See setfsgid(2).
func setfsgid(_ thread: Thread, _ id: UInt32) throws(Errno) -> Int {
  let identity = thread.process.identity
  let old = identity.group.fileSystem
  if id != .max, identity.has(Identity.Capability.CAP_SETGID) || identity.group.hold(id) || id == old {
    try thread.process.changeIdentity { identity throws(Errno) in identity.group.fileSystem = id }
  }
  return Int(old)
}

/// The supplementary groups; with a count of 0, how many there are. See getgroups(2).
func getgroups(_ thread: Thread, _ count: Int32, _ list: UserMutablePointer<UInt32>) throws(Errno) -> Int {
  let groups = thread.process.identity.groups
  guard count >= 0 else { throw .EINVAL }
  if count == 0 { return groups.count }
  guard groups.count <= Int(count) else { throw .EINVAL }
  for (index, group) in groups.enumerated() { try list.advanced(by: index).store(group) }
  return groups.count
}

/// Sets the supplementary groups. See setgroups(2).
func setgroups(_ thread: Thread, _ count: Int32, _ list: UserPointer<UInt32>) throws(Errno) -> Int {
  guard thread.process.identity.has(Identity.Capability.CAP_SETGID) else { throw .EPERM }
  // NGROUPS_MAX
  guard count >= 0, count <= 65536 else { throw .EINVAL }
  var groups: [UInt32] = []
  for index in 0..<Int(count) {
    let group = try list.advanced(by: index).load()
    guard group != .max else { throw .EINVAL }
    groups.append(group)
  }
  sortGroups(&groups)
  try thread.process.changeIdentity { identity throws(Errno) in identity.groups = groups }
  return 0
}

/// Sorts by a heap, in place: the standard library's sort is ten times the code, and nothing else wants it.
private func sortGroups(_ groups: inout [UInt32]) {
  func sink(_ start: Int, _ count: Int) {
    var at = start
    while true {
      var child = 2 * at + 1
      if child >= count { return }
      if child + 1 < count, groups[child] < groups[child + 1] { child += 1 }
      if groups[at] >= groups[child] { return }
      groups.swapAt(at, child)
      at = child
    }
  }
  var start = groups.count / 2
  while start > 0 {
    start -= 1
    sink(start, groups.count)
  }
  var end = groups.count
  while end > 1 {
    end -= 1
    groups.swapAt(0, end)
    sink(0, end)
  }
}

// MARK: Groups and sessions

/// The process of a number, 0 being the caller's.
private func process(_ thread: Thread, _ pid: Int32) throws(Errno) -> UserProcess {
  if pid == 0 { return thread.process }
  guard let process = thread.process.system.process(pid) ?? thread.process.system.thread(pid)?.process else {
    throw .ESRCH
  }
  return process
}

/// The group of a process. See getpgid(2).
func getpgid(_ thread: Thread, _ pid: Int32) throws(Errno) -> Int { Int(try process(thread, pid).group) }

/// The caller's group. See getpgrp(2).
func getpgrp(_ thread: Thread) throws(Errno) -> Int { Int(thread.process.group) }

/// The session of a process. See getsid(2).
func getsid(_ thread: Thread, _ pid: Int32) throws(Errno) -> Int { Int(try process(thread, pid).session) }

/// Puts a process into a group. See setpgid(2).
func setpgid(_ thread: Thread, _ pid: Int32, _ group: Int32) throws(Errno) -> Int {
  guard group >= 0 else { throw .EINVAL }
  let id = pid == 0 ? thread.process.pid : pid
  guard let target = thread.process.system.process(id) else { throw .ESRCH }
  try thread.process.setGroup(of: target, to: group == 0 ? id : group)
  return 0
}

/// Starts a session. See setsid(2).
func setsid(_ thread: Thread) throws(Errno) -> Int {
  try thread.process.startSession()
  return Int(thread.process.session)
}

// MARK: Capabilities

extension UserCapHeader: TracedStruct {
  public func describe(into line: inout TextBuffer) {
    line.append("{version=")
    line.append(address: UInt(version))
    line.append(", pid=")
    line.append(decimal: Int(pid))
    line.append("}")
  }
}

/// How many `UserCapData` a header's version has; for an unknown version, writes the one to use and returns nil.
private func capabilityWords(_ pointer: UserMutablePointer<UserCapHeader>) throws(Errno) -> (
  header: UserCapHeader, count: Int
)? {
  var header = try pointer.load()
  switch header.version {
  case CapabilityVersion._LINUX_CAPABILITY_VERSION_1: return (header, 1)
  case CapabilityVersion._LINUX_CAPABILITY_VERSION_2, CapabilityVersion._LINUX_CAPABILITY_VERSION_3: return (header, 2)
  default:
    header.version = CapabilityVersion._LINUX_CAPABILITY_VERSION_3
    try pointer.store(header)
    return nil
  }
}

/// The capabilities of a process. See capget(2).
func capget(_ thread: Thread, _ header: Out<UserCapHeader>, _ data: UserMutablePointer<UserCapData>) throws(Errno)
  -> Int
{
  guard let (content, count) = try capabilityWords(header.pointer) else {
    if data.isNull { return 0 }
    throw .EINVAL
  }
  guard content.pid >= 0 else { throw .EINVAL }
  let sets = try process(thread, content.pid).identity.capabilities
  if data.isNull { return 0 }
  for index in 0..<count {
    var words = UserCapData()
    words.effective = UInt32(truncatingIfNeeded: sets.effective >> UInt64(32 * index))
    words.permitted = UInt32(truncatingIfNeeded: sets.permitted >> UInt64(32 * index))
    words.inheritable = UInt32(truncatingIfNeeded: sets.inheritable >> UInt64(32 * index))
    try data.advanced(by: index).store(words)
  }
  return 0
}

/// Changes the caller's capabilities. See capset(2).
func capset(_ thread: Thread, _ header: Out<UserCapHeader>, _ data: UserPointer<UserCapData>) throws(Errno) -> Int {
  guard let (content, count) = try capabilityWords(header.pointer) else { throw .EINVAL }
  guard content.pid == 0 || content.pid == thread.tid || content.pid == thread.process.pid else { throw .EPERM }
  var effective: UInt64 = 0
  var permitted: UInt64 = 0
  var inheritable: UInt64 = 0
  for index in 0..<count {
    let words = try data.advanced(by: index).load()
    effective |= UInt64(words.effective) << UInt64(32 * index)
    permitted |= UInt64(words.permitted) << UInt64(32 * index)
    inheritable |= UInt64(words.inheritable) << UInt64(32 * index)
  }
  let all = Identity.Capabilities.all
  effective &= all
  permitted &= all
  inheritable &= all
  try thread.process.changeIdentity { identity throws(Errno) in
    let old = identity.capabilities
    let isTrusted = identity.has(Identity.Capability.CAP_SETPCAP)
    guard isTrusted || inheritable & ~(old.inheritable | old.permitted) == 0,
      inheritable & ~(old.inheritable | old.bounding) == 0, permitted & ~old.permitted == 0, effective & ~permitted == 0
    else { throw .EPERM }
    identity.capabilities.effective = effective
    identity.capabilities.permitted = permitted
    identity.capabilities.inheritable = inheritable
  }
  return 0
}
