// Names are spelled as in Linux, so that grep and the man pages work.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

internal import Kernel
internal import LinuxABI
internal import Mmap
internal import Process
internal import Support
internal import SystemVIPC

/// Shared memory, semaphores and message queues of System V. See sysvipc(7).
let systemVSyscalls: [Syscall] = [
  Syscall(29, "shmget", shmget),
  Syscall(30, "shmat", .address, shmat),
  Syscall(31, "shmctl", shmctl),
  Syscall(64, "semget", semget),
  Syscall(65, "semop", .none, semop),
  Syscall(66, "semctl", semctl),
  Syscall(67, "shmdt", .none, shmdt),
  Syscall(68, "msgget", msgget),
  Syscall(69, "msgsnd", .none, msgsnd),
  Syscall(70, "msgrcv", msgrcv),
  Syscall(71, "msgctl", msgctl),
  Syscall(220, "semtimedop", .none, semtimedop),
]

/// IPC_STAT: the status of what has this identifier.
private func storeStatus(_ thread: Thread, _ kind: IPCKind, _ id: Int32, _ buffer: Address) throws(Errno) -> Int {
  try thread.process.system.ipc.object(kind, id, byIndex: false, checked: true, thread.ipcCaller)
    .storeStatus(at: buffer.value)
  return 0
}

/// SHM_STAT and its like: the status of what has this index; returns its identifier.
private func storeStatus(
  _ thread: Thread, _ kind: IPCKind, index: Int32, checked: Bool = true, _ buffer: Address
) throws(Errno) -> Int {
  let object = try thread.process.system.ipc.object(kind, index, byIndex: true, checked: checked, thread.ipcCaller)
  try object.storeStatus(at: buffer.value)
  return Int(object.id)
}

// MARK: Shared memory

/// Finds or makes a segment. See shmget(2).
func shmget(_ thread: Thread, _ key: Int32, _ size: UInt, _ flags: Flags<SharedMemoryFlags>) throws(Errno) -> Int {
  Int(try thread.process.system.ipc.getSegment(key, size: size, flags: flags.value.rawValue, thread.ipcCaller))
}

/// Maps a segment. See shmat(2).
func shmat(_ thread: Thread, _ id: Int32, _ address: Address, _ flags: Flags<AttachFlags>) throws(Errno) -> Int {
  let flags = flags.value
  guard id >= 0 else { throw .EINVAL }
  var start = address.value
  if start != 0 {
    if start & UInt(pageSize - 1) != 0 {
      guard flags.contains(.SHM_RND) else { throw .EINVAL }
      start = pageFloor(start)
      if start == 0, flags.contains(.SHM_REMAP) { throw .EINVAL }
    }
  } else if flags.contains(.SHM_REMAP) {
    throw .EINVAL
  }
  let segment = try thread.process.system.ipc.attachableSegment(id, flags, thread.ipcCaller)
  var protection: MemoryProtection = .PROT_READ
  if !flags.contains(.SHM_RDONLY) { protection.insert(.PROT_WRITE) }
  if flags.contains(.SHM_EXEC) { protection.insert(.PROT_EXEC) }
  var mapping: MappingFlags = [.MAP_SHARED, .MAP_NORESERVE]
  if start != 0 {
    guard start.addingReportingOverflow(segment.size).overflow == false else { throw .EINVAL }
    mapping.insert(flags.contains(.SHM_REMAP) ? .MAP_FIXED : .MAP_FIXED_NOREPLACE)
  }
  do throws(Errno) {
    return Int(
      bitPattern: try thread.process.memory.map(
        start, length: segment.size, protection, mapping,
        segment: (segment.cache, segment, !flags.contains(.SHM_RDONLY))))
  } catch {
    throw error == .EEXIST ? .EINVAL : error
  }
}

/// Unmaps a segment. See shmdt(2).
func shmdt(_ thread: Thread, _ address: Address) throws(Errno) -> Int {
  guard address.value & UInt(pageSize - 1) == 0, try thread.process.memory.unmapSegment(at: address.value) else {
    throw .EINVAL
  }
  return 0
}

/// Looks at segments and changes them. See shmctl(2).
func shmctl(_ thread: Thread, _ id: Int32, _ command: Int32, _ buffer: Address) throws(Errno) -> Int {
  guard id >= 0, command >= 0 else { throw .EINVAL }
  let ipc = thread.process.system.ipc
  let caller = thread.ipcCaller
  switch command {
  case IPCCommand.IPC_INFO:
    let (information, highest) = ipc.segmentLimits()
    try UserMemory.store(information, at: buffer.value)
    return highest
  case SharedMemoryCommand.SHM_INFO:
    let (information, highest) = ipc.segmentUsage()
    try UserMemory.store(information, at: buffer.value)
    return highest
  case IPCCommand.IPC_STAT: return try storeStatus(thread, .segments, id, buffer)
  case SharedMemoryCommand.SHM_STAT: return try storeStatus(thread, .segments, index: id, buffer)
  case SharedMemoryCommand.SHM_STAT_ANY:
    return try storeStatus(thread, .segments, index: id, checked: false, buffer)
  case IPCCommand.IPC_SET:
    try ipc.set(.segments, id, try UserMemory.load(Shmid64DS.self, at: buffer.value).shm_perm, caller)
  case IPCCommand.IPC_RMID: try ipc.remove(.segments, id, caller)
  case SharedMemoryCommand.SHM_LOCK, SharedMemoryCommand.SHM_UNLOCK:
    let limit = thread.process.limits[Int(ResourceLimitKind.RLIMIT_MEMLOCK.rawValue)]?.rlim_cur ?? 0
    try ipc.lockSegment(id, command == SharedMemoryCommand.SHM_LOCK, mayLock: limit != 0, caller)
  default: throw .EINVAL
  }
  return 0
}

// MARK: Semaphores

/// Finds or makes a set of semaphores. See semget(2).
func semget(_ thread: Thread, _ key: Int32, _ count: Int32, _ flags: Flags<IPCFlags>) throws(Errno) -> Int {
  Int(try thread.process.system.ipc.getSemaphores(key, count: count, flags: flags.value.rawValue, thread.ipcCaller))
}

/// Does operations on semaphores. See semop(2).
func semop(_ thread: Thread, _ id: Int32, _ operations: UserPointer<Sembuf>, _ count: UInt32) throws(Errno) -> Int {
  try operate(thread, id, operations, count, nil)
}

/// Does operations on semaphores, and sleeps no longer than a time. See semtimedop(2).
func semtimedop(
  _ thread: Thread, _ id: Int32, _ operations: UserPointer<Sembuf>, _ count: UInt32, _ timeout: In<Timespec>
) throws(Errno) -> Int {
  try operate(thread, id, operations, count, try timeout.loadIfPresent())
}

private func operate(
  _ thread: Thread, _ id: Int32, _ operations: UserPointer<Sembuf>, _ count: UInt32, _ timeout: Timespec?
) throws(Errno) -> Int {
  let system = thread.process.system
  guard count > 0, id >= 0 else { throw .EINVAL }
  guard count <= UInt32(clamping: system.ipc.mostOperations) else { throw .E2BIG }
  var list: [Sembuf] = []
  for index in 0..<Int(count) { list.append(try operations.advanced(by: index).load()) }
  var deadline: UInt64?
  if let timeout {
    guard let nanoseconds = timeout.saturatedNanoseconds else { throw .EINVAL }
    deadline = system.clock.now &+ UInt64(nanoseconds)
  }
  try system.ipc.operate(id, list, thread.ipcCaller, undo: { thread.makeSemaphoreUndo() }, until: deadline)
  return 0
}

/// Looks at semaphores and changes them. See semctl(2).
func semctl(_ thread: Thread, _ id: Int32, _ number: Int32, _ command: Int32, _ argument: Address) throws(Errno) -> Int
{
  guard id >= 0 else { throw .EINVAL }
  let ipc = thread.process.system.ipc
  let caller = thread.ipcCaller
  switch command {
  case IPCCommand.IPC_INFO, SemaphoreCommand.SEM_INFO:
    let (information, highest) = ipc.setLimits(usage: command == SemaphoreCommand.SEM_INFO)
    try UserMemory.store(information, at: argument.value)
    return highest
  case IPCCommand.IPC_STAT: return try storeStatus(thread, .semaphores, id, argument)
  case SemaphoreCommand.SEM_STAT: return try storeStatus(thread, .semaphores, index: id, argument)
  case SemaphoreCommand.SEM_STAT_ANY:
    return try storeStatus(thread, .semaphores, index: id, checked: false, argument)
  case SemaphoreCommand.GETVAL, SemaphoreCommand.GETPID, SemaphoreCommand.GETNCNT, SemaphoreCommand.GETZCNT:
    return try ipc.semaphore(id, number, command, caller)
  case SemaphoreCommand.GETALL:
    let values = try ipc.semaphoreValues(id, caller)
    for (index, value) in values.enumerated() {
      try UserMutablePointer<UInt16>(argument.value).advanced(by: index).store(value)
    }
  case SemaphoreCommand.SETVAL:
    try ipc.setSemaphore(id, number, Int32(truncatingIfNeeded: argument.value), caller)
  case SemaphoreCommand.SETALL:
    var values: [UInt16] = []
    for index in 0..<(try ipc.writableCount(id, caller)) {
      values.append(try UserPointer<UInt16>(argument.value).advanced(by: index).load())
    }
    try ipc.setSemaphores(id, values, caller)
  case IPCCommand.IPC_SET:
    try ipc.set(.semaphores, id, try UserMemory.load(Semid64DS.self, at: argument.value).sem_perm, caller)
  case IPCCommand.IPC_RMID: try ipc.remove(.semaphores, id, caller)
  default: throw .EINVAL
  }
  return 0
}

// MARK: Message queues

/// Finds or makes a message queue. See msgget(2).
func msgget(_ thread: Thread, _ key: Int32, _ flags: Flags<IPCFlags>) throws(Errno) -> Int {
  Int(try thread.process.system.ipc.getQueue(key, flags: flags.value.rawValue, thread.ipcCaller))
}

/// Sends a message: eight bytes of a type, then `size` bytes. See msgsnd(2).
func msgsnd(
  _ thread: Thread, _ id: Int32, _ message: Address, _ size: Int, _ flags: Flags<IPCFlags>
) throws(Errno) -> Int {
  let ipc = thread.process.system.ipc
  let type = try UserMemory.load(Int.self, at: message.value)
  guard size >= 0, size <= ipc.mostMessageBytes, id >= 0, type >= 1 else { throw .EINVAL }
  let bytes = try UserMemory.bytes(at: message.value &+ 8, count: size)
  guard bytes.count == size else { throw .EFAULT }
  try ipc.send(id, type: type, bytes, flags.value, thread.ipcCaller)
  return 0
}

/// Receives a message; returns its bytes without the type. See msgrcv(2).
func msgrcv(
  _ thread: Thread, _ id: Int32, _ buffer: Address, _ size: Int, _ type: Int, _ flags: Flags<IPCFlags>
) throws(Errno) -> Int {
  guard id >= 0, size >= 0 else { throw .EINVAL }
  let message = try thread.process.system.ipc.receive(id, type: type, room: size, flags.value, thread.ipcCaller)
  try UserMemory.store(message.type, at: buffer.value)
  let count = min(size, message.bytes.count)
  try UserMemory.store([UInt8](message.bytes[..<count]).rawBytes, at: buffer.value &+ 8)
  return count
}

/// Looks at message queues and changes them. See msgctl(2).
func msgctl(_ thread: Thread, _ id: Int32, _ command: Int32, _ buffer: Address) throws(Errno) -> Int {
  guard id >= 0, command >= 0 else { throw .EINVAL }
  let ipc = thread.process.system.ipc
  let caller = thread.ipcCaller
  switch command {
  case IPCCommand.IPC_INFO, MessageQueueCommand.MSG_INFO:
    let (information, highest) = ipc.queueLimits(usage: command == MessageQueueCommand.MSG_INFO)
    try UserMemory.store(information, at: buffer.value)
    return highest
  case IPCCommand.IPC_STAT: return try storeStatus(thread, .queues, id, buffer)
  case MessageQueueCommand.MSG_STAT: return try storeStatus(thread, .queues, index: id, buffer)
  case MessageQueueCommand.MSG_STAT_ANY: return try storeStatus(thread, .queues, index: id, checked: false, buffer)
  case IPCCommand.IPC_SET:
    let status = try UserMemory.load(Msqid64DS.self, at: buffer.value)
    try ipc.set(.queues, id, status.msg_perm, queueBytes: status.msg_qbytes, caller)
  case IPCCommand.IPC_RMID: try ipc.remove(.queues, id, caller)
  default: throw .EINVAL
  }
  return 0
}
