// Names are spelled as in Linux, so that grep and the man pages work.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

internal import Kernel
internal import LinuxABI
internal import Process
internal import Support
internal import VFSCore

/// How processes and threads are made, waited for and named by descriptors.
let processSyscalls: [Syscall] = [
  Syscall(56, "clone", clone),
  Syscall(57, "fork", fork),
  Syscall(58, "vfork", vfork),
  Syscall(61, "wait4", wait4),
  Syscall(247, "waitid", .none, waitid),
  Syscall(272, "unshare", .none, unshare),
  Syscall(308, "setns", .none, setns),
  Syscall(424, "pidfd_send_signal", .none, pidfd_send_signal),
  Syscall(434, "pidfd_open", .descriptor, pidfd_open),
  Syscall(435, "clone3", clone3),
  Syscall(438, "pidfd_getfd", .descriptor, pidfd_getfd),
]

// MARK: clone(2)

/// Makes a process. See fork(2).
func fork(_ thread: Thread) throws(Errno) -> Int {
  Int(try thread.clone(CloneRequest([], exitSignal: Signal.SIGCHLD.rawValue)))
}

/// Makes a process that borrows the caller's memory until it ends or replaces its program. See vfork(2).
func vfork(_ thread: Thread) throws(Errno) -> Int {
  Int(try thread.clone(CloneRequest([.CLONE_VM, .CLONE_VFORK], exitSignal: Signal.SIGCHLD.rawValue)))
}

/// Makes a process or a thread. See clone(2).
func clone(
  _ thread: Thread, _ flags: Flags<CloneFlags>, _ stack: Address, _ parentTID: Address, _ childTID: Address,
  _ threadPointer: Address
) throws(Errno) -> Int {
  // The upper half of the register says nothing.
  let bits = flags.value.rawValue & 0xffff_ffff
  var request = CloneRequest(CloneFlags(rawValue: bits & ~0xff), exitSignal: Int32(bits & 0xff))
  request.stackPointer = UInt64(stack.value)
  request.parentTID = parentTID.value
  request.childTID = childTID.value
  request.threadPointer = UInt64(threadPointer.value)
  if request.flags.contains(.CLONE_PIDFD) {
    // Both would be stored at the same place.
    if request.flags.contains(.CLONE_PARENT_SETTID) { throw .EINVAL }
    request.descriptor = parentTID.value
  }
  return Int(try start(thread, request))
}

/// Makes a process or a thread, with its arguments in a structure. See clone3(2).
func clone3(_ thread: Thread, _ arguments: Address, _ size: UInt) throws(Errno) -> Int {
  // CLONE_ARGS_SIZE_VER0, and a page.
  guard size >= 64 else { throw .EINVAL }
  guard size <= UInt(pageSize) else { throw .E2BIG }
  var words = InlineArray<11, UInt64>(repeating: 0)
  let bytes = try UserMemory.bytes(at: arguments.value, count: Int(size))
  guard bytes.count == Int(size) else { throw .EFAULT }
  for (index, byte) in bytes.enumerated() where byte != 0 {
    // What this kernel does not know must be zero.
    guard index < 88 else { throw .E2BIG }
    words[index >> 3] |= UInt64(byte) << UInt64(index & 7 * 8)
  }
  let flags = CloneFlags(rawValue: words[0])
  let known: UInt64 = 0x3_ffff_ffff
  guard flags.rawValue & ~known == 0, flags.isDisjoint(with: [.CLONE_DETACHED, .CLONE_INTO_CGROUP]),
    flags.rawValue & 0x7f == 0, !flags.isSuperset(of: [.CLONE_SIGHAND, .CLONE_CLEAR_SIGHAND])
  else { throw .EINVAL }
  let exitSignal = words[4]
  guard exitSignal <= UInt64(Signal.count) else { throw .EINVAL }
  if !flags.isDisjoint(with: [.CLONE_THREAD, .CLONE_PARENT]), exitSignal != 0 { throw .EINVAL }
  // A wish for numbers is for namespaces; there are none.
  guard words[8] == 0, words[9] == 0 else { throw .EINVAL }
  let (stack, stackSize) = (words[5], words[6])
  guard (stack == 0) == (stackSize == 0) else { throw .EINVAL }
  guard let base = UInt(exactly: stack), let length = Int(exactly: stackSize), UserAddress.isValid(base, length) else {
    throw .EINVAL
  }
  var request = CloneRequest(flags, exitSignal: Int32(exitSignal))
  request.descriptor = UInt(words[1])
  request.childTID = UInt(words[2])
  request.parentTID = UInt(words[3])
  request.stackPointer = stack &+ stackSize
  request.threadPointer = words[7]
  return Int(try start(thread, request))
}

private func start(_ thread: Thread, _ request: CloneRequest) throws(Errno) -> Int32 {
  if request.flags.contains(.CLONE_SETTLS), request.threadPointer >= UInt64(UserAddress.limit) { throw .EPERM }
  return try thread.clone(request)
}

/// Takes apart what a process has in common with others. See unshare(2).
func unshare(_ thread: Thread, _ flags: Flags<CloneFlags>) throws(Errno) -> Int {
  let flags = CloneFlags(rawValue: flags.value.rawValue & 0xffff_ffff)
  let known: CloneFlags = [
    .CLONE_VM, .CLONE_FS, .CLONE_FILES, .CLONE_SIGHAND, .CLONE_THREAD, .CLONE_SYSVSEM,
  ]
  // Namespaces are configured out.
  guard known.isSuperset(of: flags) else { throw .EINVAL }
  let process = thread.process
  if process.threads.count > 1, !flags.isDisjoint(with: [.CLONE_VM, .CLONE_SIGHAND, .CLONE_THREAD]) { throw .EINVAL }
  if flags.contains(.CLONE_FILES) { try process.unshareFiles() }
  if flags.contains(.CLONE_FS) { process.unshareFileSystem() }
  if flags.contains(.CLONE_SYSVSEM) { thread.leaveSemaphoreUndo() }
  return 0
}

/// Enters a namespace: there are none. See setns(2).
func setns(_ thread: Thread, _ descriptor: Descriptor, _ type: Flags<CloneFlags>) throws(Errno) -> Int {
  _ = try thread.process.files.file(at: descriptor.value)
  throw .EINVAL
}

// MARK: wait4(2)

/// Waits for a child. See wait4(2).
func wait4(
  _ thread: Thread, _ pid: Int32, _ status: Out<Int32>, _ options: Flags<WaitOptions>,
  _ usage: UserMutablePointer<Rusage>
) throws(Errno) -> Int {
  let all: WaitOptions = [.WNOHANG, .WUNTRACED, .WCONTINUED, .__WNOTHREAD, .__WALL, .__WCLONE]
  guard all.isSuperset(of: options.value) else { throw .EINVAL }
  // -INT_MIN is no group.
  if pid == .min { throw .ESRCH }
  let selection: ChildSelection =
    switch pid {
    case -1: .all
    case 0: .group(thread.process.group)
    case ..<0: .group(-pid)
    default: .process(pid)
    }
  guard let report = try thread.waitForChild(selection, options.value.union(.WEXITED)) else { return 0 }
  try status.storeIfPresent(report.status.rawValue)
  if !usage.isNull { try usage.store(report.usage) }
  return Int(report.pid)
}

/// Waits for a child to change its state. See waitid(2).
func waitid(
  _ thread: Thread, _ type: Named<WaitIDType>, _ id: Int32, _ info: Out<SigInfo>, _ options: Flags<WaitOptions>,
  _ usage: UserMutablePointer<Rusage>
) throws(Errno) -> Int {
  let all: WaitOptions = [
    .WNOHANG, .WNOWAIT, .WEXITED, .WUNTRACED, .WCONTINUED, .__WNOTHREAD, .__WALL, .__WCLONE,
  ]
  guard all.isSuperset(of: options.value), let type = WaitIDType(rawValue: type.rawValue),
    !options.value.isDisjoint(with: [.WEXITED, .WUNTRACED, .WCONTINUED])
  else { throw .EINVAL }
  let selection: ChildSelection
  switch type {
  case .P_ALL: selection = .all
  case .P_PID:
    guard id > 0 else { throw .EINVAL }
    selection = .process(id)
  case .P_PGID:
    guard id >= 0 else { throw .EINVAL }
    selection = .group(id == 0 ? thread.process.group : id)
  case .P_PIDFD:
    guard id >= 0 else { throw .EINVAL }
    let file = try pidFD(thread, id)
    selection = .process(file.process.pid)
    if file.isNonBlocking, !options.value.contains(.WNOHANG) {
      if let report = try thread.waitForChild(selection, options.value.union(.WNOHANG)) {
        return try finish(report, info, usage)
      }
      throw .EAGAIN
    }
  }
  return try finish(try thread.waitForChild(selection, options.value), info, usage)
}

private func finish(
  _ report: ChildReport?, _ info: Out<SigInfo>, _ usage: UserMutablePointer<Rusage>
) throws(Errno) -> Int {
  try info.storeIfPresent(report?.information ?? SigInfo())
  if let report, !usage.isNull { try usage.store(report.usage) }
  return 0
}

extension ChildReport {
  fileprivate var usage: Rusage { Rusage(times: times, peakMemory: peakMemory, faults: faults) }
}

extension Rusage {
  /// - Parameters:
  ///   - times: CPU time.
  ///   - peakMemory: KiB.
  init(times: CPUTimes, peakMemory: Int, faults: Int) {
    self.init()
    ru_utime = Timeval(Timespec(nanoseconds: Int64(clamping: times.user)))
    ru_stime = Timeval(Timespec(nanoseconds: Int64(clamping: times.system)))
    ru_maxrss = Int64(peakMemory)
    ru_minflt = Int64(faults)
  }
}

// MARK: Descriptors of processes

/// - Throws: `EBADF` for what is no descriptor of a process.
private func pidFD(_ thread: Thread, _ fd: Int32) throws(Errno) -> PidFD {
  guard let file = try thread.process.files.file(at: fd) as? PidFD else { throw .EBADF }
  return file
}

/// Makes a descriptor for a process. See pidfd_open(2).
func pidfd_open(_ thread: Thread, _ pid: Int32, _ flags: UInt32) throws(Errno) -> Int {
  let nonBlocking = UInt32(OpenFlags.O_NONBLOCK.rawValue)
  guard flags & ~nonBlocking == 0, pid > 0 else { throw .EINVAL }
  let process = thread.process
  guard let target = process.system.process(pid) else {
    throw process.system.thread(pid) == nil ? .ESRCH : .EINVAL
  }
  let file = PidFD(process.fileSystem, target, isNonBlocking: flags != 0)
  return Int(try process.files.insert(file, closeOnExec: true))
}

/// The process that a descriptor names: pidfd_send_signal(2) takes directories of /proc too, as the first of the family.
private func signalTarget(_ thread: Thread, _ fd: Int32) throws(Errno) -> UserProcess {
  let file = try thread.process.files.file(at: fd)
  if let file = file as? PidFD { return file.process }
  guard let pid = file.inode.processID else { throw .EBADF }
  guard let target = thread.process.system.process(pid) else { throw .ESRCH }
  return target
}

/// Sends a signal to a process by its descriptor. See pidfd_send_signal(2).
func pidfd_send_signal(
  _ thread: Thread, _ descriptor: Descriptor, _ number: SignalNumber, _ source: In<SigInfo>, _ flags: UInt32
) throws(Errno) -> Int {
  guard flags == 0 else { throw .EINVAL }
  let target = try signalTarget(thread, descriptor.value)
  let sender = thread.process
  guard let given = try source.loadIfPresent() else {
    let signal = try sender.check(target, number)
    guard target.exitStatus == nil || target.parent != nil else { throw .ESRCH }
    if let signal { target.send(.kill(signal, pid: sender.pid, uid: sender.identity.user.real)) }
    return 0
  }
  guard given.si_signo == number.rawValue else { throw .EINVAL }
  if given.si_code >= 0 || given.si_code == SignalCode.SI_TKILL, target !== sender { throw .EPERM }
  guard try sender.check(target, number) != nil else { return 0 }
  guard target.exitStatus == nil || target.parent != nil else { throw .ESRCH }
  if !target.send(given) { throw .EAGAIN }
  return 0
}

/// Duplicates a descriptor of another process. See pidfd_getfd(2).
func pidfd_getfd(_ thread: Thread, _ descriptor: Descriptor, _ fd: Int32, _ flags: UInt32) throws(Errno) -> Int {
  guard flags == 0 else { throw .EINVAL }
  let target = try pidFD(thread, descriptor.value).process
  guard target.exitStatus == nil else { throw .ESRCH }
  let mine = thread.process.identity
  let other = target.identity
  // Who may trace a process may take its files. See ptrace(2), "Ptrace access mode checking".
  guard mine.user.fileSystem == other.user.real || mine.has(Identity.Capability.CAP_SYS_PTRACE) else { throw .EPERM }
  let file = try target.files.anyFile(at: fd)
  return Int(try thread.process.files.insert(file, closeOnExec: true))
}
