internal import Kernel
internal import LinuxABI
internal import Polling
internal import Process
internal import VFSCore

/// epoll(7)'s calls.
let epollSyscalls: [Syscall] = [
  Syscall(213, "epoll_create", .descriptor, epollCreate),
  Syscall(232, "epoll_wait", epollWait),
  Syscall(233, "epoll_ctl", .none, epollControl),
  Syscall(281, "epoll_pwait", epollPwait),
  Syscall(291, "epoll_create1", .descriptor, epollCreate1),
  Syscall(441, "epoll_pwait2", epollPwait2),
]

/// Makes an instance; the size only has to be positive. See epoll_create(2).
func epollCreate(_ thread: Thread, _ size: Int32) throws(Errno) -> Int {
  guard size > 0 else { throw .EINVAL }
  let process = thread.process
  return Int(try process.files.insert(EpollInstance(process.fileSystem)))
}

/// Makes an instance, with flags. See epoll_create1(2).
func epollCreate1(_ thread: Thread, _ flags: Flags<EpollCreateFlags>) throws(Errno) -> Int {
  guard flags.value.isSubset(of: .EPOLL_CLOEXEC) else { throw .EINVAL }
  let process = thread.process
  return Int(
    try process.files.insert(
      EpollInstance(process.fileSystem), closeOnExec: flags.value.contains(.EPOLL_CLOEXEC)))
}

/// Changes what an instance watches. See epoll_ctl(2).
func epollControl(
  _ thread: Thread, _ instance: Descriptor, _ operation: Named<EpollOperation>, _ descriptor: Descriptor,
  _ event: In<EpollEvent>
) throws(Errno) -> Int {
  var request = EpollEvent(events: [], data: 0)
  if operation.rawValue != EpollOperation.EPOLL_CTL_DEL.rawValue { request = try event.load() }
  let files = thread.process.files
  let file = try files.file(at: instance.value)
  let target = try files.file(at: descriptor.value)
  guard target.isPollable else { throw .EPERM }
  guard let epoll = file as? EpollInstance, file !== target else { throw .EINVAL }
  switch EpollOperation(rawValue: operation.rawValue) {
  case .EPOLL_CTL_ADD: try epoll.add(target, descriptor.value, request)
  case .EPOLL_CTL_MOD: try epoll.modify(target, descriptor.value, request)
  case .EPOLL_CTL_DEL: try epoll.remove(target, descriptor.value)
  case nil: throw .EINVAL
  }
  return 0
}

/// Waits for events. See epoll_wait(2).
func epollWait(
  _ thread: Thread, _ instance: Descriptor, _ events: UserMutablePointer<EpollEvent>, _ limit: Int32,
  _ milliseconds: Int32
) throws(Errno) -> Int {
  try wait(thread, instance, events, limit, nanoseconds: nanoseconds(milliseconds))
}

/// Waits for events under a signal mask. See epoll_pwait(2).
func epollPwait(
  _ thread: Thread, _ instance: Descriptor, _ events: UserMutablePointer<EpollEvent>, _ limit: Int32,
  _ milliseconds: Int32, _ mask: Address, _ maskSize: UInt
) throws(Errno) -> Int {
  try thread.withSignalMask(mask.value, size: maskSize, interruption: .EINTR) { () throws(Errno) in
    try wait(thread, instance, events, limit, nanoseconds: nanoseconds(milliseconds))
  }
}

/// Waits for events under a signal mask, with a time in nanoseconds. See epoll_pwait2(2).
func epollPwait2(
  _ thread: Thread, _ instance: Descriptor, _ events: UserMutablePointer<EpollEvent>, _ limit: Int32,
  _ timeout: In<Timespec>, _ mask: Address, _ maskSize: UInt
) throws(Errno) -> Int {
  var time = Int64.max
  if !timeout.isNull {
    guard let given = try timeout.load().saturatedNanoseconds else { throw .EINVAL }
    time = given
  }
  return try thread.withSignalMask(mask.value, size: maskSize, interruption: .EINTR) { () throws(Errno) in
    try wait(thread, instance, events, limit, nanoseconds: time)
  }
}

/// The nanoseconds of a timeout in milliseconds; for ever if it is negative.
private func nanoseconds(_ milliseconds: Int32) -> Int64 { milliseconds < 0 ? .max : Int64(milliseconds) * 1_000_000 }

private func wait(
  _ thread: Thread, _ instance: Descriptor, _ events: UserMutablePointer<EpollEvent>, _ limit: Int32,
  nanoseconds: Int64
) throws(Errno) -> Int {
  let size = MemoryLayout<EpollEvent>.stride
  guard limit > 0, Int(limit) <= Int(Int32.max) / size else { throw .EINVAL }
  guard UserAddress.isValid(events.address, Int(limit) * size) else { throw .EFAULT }
  guard let epoll = try thread.process.files.file(at: instance.value) as? EpollInstance else { throw .EINVAL }
  // A look without a wait needs no clock.
  if nanoseconds == 0, epoll.isQuiet { return 0 }
  let deadline = nanoseconds == 0 ? 0 : thread.deadline(after: nanoseconds)
  return try epoll.wait(limit: Int(limit), until: deadline) { index, event throws(Errno) in
    try events.advanced(by: index).store(event)
  }
}
