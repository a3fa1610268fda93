internal import Kernel
internal import LinuxABI
internal import Process
internal import Support
internal import VFSCore

/// Calls about descriptors and descriptions: dup(2), fcntl(2), ioctl(2), flock(2), pipe(2), eventfd(2).
let descriptorSyscalls: [Syscall] = [
  Syscall(16, "ioctl", ioctl),
  Syscall(22, "pipe", .none, pipe),
  Syscall(32, "dup", .descriptor, dup),
  Syscall(33, "dup2", .descriptor, dup2),
  Syscall(72, "fcntl", fcntl),
  Syscall(73, "flock", .none, flock),
  Syscall(284, "eventfd", .descriptor, eventfd),
  Syscall(290, "eventfd2", .descriptor, eventfd2),
  Syscall(292, "dup3", .descriptor, dup3),
  Syscall(293, "pipe2", .none, pipe2),
]

/// Gives a description another number. See dup(2).
func dup(_ thread: Thread, _ descriptor: Descriptor) throws(Errno) -> Int {
  let files = thread.process.files
  return Int(try files.insert(try files.anyFile(at: descriptor.value)))
}

/// Gives a description a number of the program's choice. See dup2(2).
func dup2(_ thread: Thread, _ old: Descriptor, _ new: Descriptor) throws(Errno) -> Int {
  if old.value == new.value {
    _ = try thread.process.files.anyFile(at: old.value)
    return Int(new.value)
  }
  return try duplicate(thread, old.value, new.value, closeOnExec: false)
}

/// As dup2(2), with flags. See dup3(2).
func dup3(
  _ thread: Thread, _ old: Descriptor, _ new: Descriptor, _ flags: Flags<DuplicateFlags>
) throws(Errno) -> Int {
  guard flags.value.isSubset(of: .O_CLOEXEC), old.value != new.value else { throw .EINVAL }
  return try duplicate(thread, old.value, new.value, closeOnExec: flags.value.contains(.O_CLOEXEC))
}

private func duplicate(_ thread: Thread, _ old: Int32, _ new: Int32, closeOnExec: Bool) throws(Errno) -> Int {
  let files = thread.process.files
  let file = try files.anyFile(at: old)
  if let replaced = try files.replace(new, with: file, closeOnExec: closeOnExec) { try? files.finishClosing(replaced) }
  return Int(new)
}

/// Makes a pipe. See pipe(2).
func pipe(_ thread: Thread, _ descriptors: UserMutablePointer<UInt64>) throws(Errno) -> Int {
  try makePipe(thread, descriptors, [])
}

/// Makes a pipe, with flags. See pipe2(2).
func pipe2(
  _ thread: Thread, _ descriptors: UserMutablePointer<UInt64>, _ flags: Flags<OpenFlags>
) throws(Errno) -> Int {
  guard flags.value.isSubset(of: [.O_CLOEXEC, .O_NONBLOCK, .O_DIRECT]) else { throw .EINVAL }
  return try makePipe(thread, descriptors, flags.value)
}

private func makePipe(
  _ thread: Thread, _ descriptors: UserMutablePointer<UInt64>, _ flags: OpenFlags
) throws(Errno) -> Int {
  let files = thread.process.files
  let closeOnExec = flags.contains(.O_CLOEXEC)
  let read = try files.reserve(closeOnExec: closeOnExec)
  let write: Int32
  do throws(Errno) { write = try files.reserve(closeOnExec: closeOnExec) } catch {
    files.abandon(read)
    throw error
  }
  do throws(Errno) {
    try descriptors.store(UInt64(UInt32(bitPattern: read)) | UInt64(UInt32(bitPattern: write)) << 32)
  } catch {
    files.abandon(read)
    files.abandon(write)
    throw error
  }
  let ends = thread.process.fileSystem.makePipe(flags)
  files.install(ends.read, at: read)
  files.install(ends.write, at: write)
  return 0
}

/// Makes a counter to wait for. See eventfd(2).
func eventfd(_ thread: Thread, _ count: UInt32) throws(Errno) -> Int { try makeEvent(thread, count, []) }

/// As eventfd(2), with flags.
func eventfd2(_ thread: Thread, _ count: UInt32, _ flags: Flags<EventFDFlags>) throws(Errno) -> Int {
  try makeEvent(thread, count, flags.value)
}

private func makeEvent(_ thread: Thread, _ count: UInt32, _ flags: EventFDFlags) throws(Errno) -> Int {
  guard flags.isSubset(of: [.EFD_SEMAPHORE, .EFD_NONBLOCK, .EFD_CLOEXEC]) else { throw .EINVAL }
  let process = thread.process
  let file = EventFD(
    process.fileSystem, count: UInt64(count), isSemaphore: flags.contains(.EFD_SEMAPHORE),
    isNonBlocking: flags.contains(.EFD_NONBLOCK))
  return Int(try process.files.insert(file, closeOnExec: flags.contains(.EFD_CLOEXEC)))
}

/// Takes, converts or gives back a lock on a whole file. See flock(2).
func flock(_ thread: Thread, _ descriptor: Descriptor, _ operation: Flags<FlockOperation>) throws(Errno) -> Int {
  switch operation.value.subtracting(.LOCK_NB) {
  case .LOCK_SH, .LOCK_EX, .LOCK_UN: break
  default: throw .EINVAL
  }
  try thread.process.files.file(at: descriptor.value).flock(operation.value)
  return 0
}

// MARK: fcntl

/// The last argument of fcntl(2), whose meaning the command decides.
struct FcntlArgument: SyscallArgument {
  let value: UInt
  init(register: UInt64) { value = UInt(register) }
  func isUsed(_ context: TraceContext) -> Bool {
    switch FcntlCommand(rawValue: UInt32(truncatingIfNeeded: context.registers[1])) {
    case .F_GETFD, .F_GETFL, .F_GETOWN, .F_GETSIG, .F_GETLEASE, .F_GETPIPE_SZ, .F_GET_SEALS: false
    default: true
    }
  }
  func describe(_ context: TraceContext, into line: inout TextBuffer) {
    let low = UInt32(truncatingIfNeeded: value)
    switch FcntlCommand(rawValue: UInt32(truncatingIfNeeded: context.registers[1])) {
    case .F_SETFD: FileDescriptorFlags(rawValue: low).writeNames { line.append(byte: $0) }
    case .F_SETFL: OpenFlags(rawValue: low).writeNames { line.append(byte: $0) }
    case .F_ADD_SEALS: FileSeals(rawValue: low).writeNames { line.append(byte: $0) }
    case .F_GETLK, .F_SETLK, .F_SETLKW, .F_OFD_GETLK, .F_OFD_SETLK, .F_OFD_SETLKW: describeAddress(value, into: &line)
    default: line.append(decimal: value)
    }
  }
}

/// Does what a command says with a descriptor or description. See fcntl(2).
func fcntl(
  _ thread: Thread, _ descriptor: Descriptor, _ command: Named<FcntlCommand>, _ argument: FcntlArgument
) throws(Errno) -> Int {
  let argument = argument.value
  let files = thread.process.files
  let fd = descriptor.value
  let file = try files.anyFile(at: fd)
  guard let command = FcntlCommand(rawValue: command.rawValue) else {
    throw file.isPathOnly ? .EBADF : .EINVAL
  }
  // What does not need the file's content works with O_PATH.
  switch command {
  case .F_DUPFD, .F_DUPFD_CLOEXEC:
    let lowest = Int32(truncatingIfNeeded: argument)
    guard lowest >= 0, Int(lowest) < files.limit else { throw .EINVAL }
    return Int(try files.insert(file, closeOnExec: command == .F_DUPFD_CLOEXEC, from: lowest))
  case .F_GETFD: return files.closesOnExec(fd) ? 1 : 0
  case .F_SETFD:
    try files.setClosesOnExec(fd, argument & 1 != 0)
    return 0
  case .F_GETFL: return Int(file.flags.rawValue)
  default: break
  }
  if file.isPathOnly { throw .EBADF }

  switch command {
  case .F_SETFL:
    try setStatusFlags(thread, file, OpenFlags(rawValue: UInt32(truncatingIfNeeded: argument)), fd)
    return 0
  case .F_GETLK, .F_SETLK, .F_SETLKW, .F_OFD_GETLK, .F_OFD_SETLK, .F_OFD_SETLKW:
    var request = try UserMemory.load(Flock.self, at: argument)
    try file.recordLock(command, &request, table: files, processID: thread.process.pid)
    if command == .F_GETLK || command == .F_OFD_GETLK { try UserMemory.store(request, at: argument) }
    return 0
  case .F_GETPIPE_SZ:
    guard let capacity = file.pipeCapacity else { throw .EBADF }
    return capacity
  case .F_SETPIPE_SZ: return try file.setPipeCapacity(Int(bitPattern: argument))
  case .F_GET_SEALS:
    guard let seals = file.seals else { throw .EINVAL }
    return Int(seals.rawValue)
  case .F_ADD_SEALS:
    try file.addSeals(FileSeals(rawValue: UInt32(truncatingIfNeeded: argument)))
    return 0
  case .F_SETOWN:
    let who = Int32(truncatingIfNeeded: argument)
    guard who != .min else { throw .EINVAL }
    try setOwner(thread, file, who < 0 ? .F_OWNER_PGRP : .F_OWNER_PID, who < 0 ? -who : who)
    return 0
  case .F_SETOWN_EX:
    let wanted = try UserMemory.load(FOwnerEx.self, at: argument)
    guard let type = OwnerType(rawValue: wanted.type) else { throw .EINVAL }
    guard wanted.pid >= 0 else { throw .ESRCH }
    try setOwner(thread, file, type, wanted.pid)
    return 0
  case .F_GETOWN: return Int(file.owner.type == .F_OWNER_PGRP ? -file.owner.id : file.owner.id)
  case .F_GETOWN_EX:
    var owner = FOwnerEx()
    owner.type = file.owner.type.rawValue
    owner.pid = file.owner.id
    try UserMemory.store(owner, at: argument)
    return 0
  case .F_SETSIG:
    guard argument <= UInt(Signal.count) else { throw .EINVAL }
    file.owner.signal = Int32(argument)
    return 0
  case .F_GETSIG: return Int(file.owner.signal)
  case .F_GETLEASE: return Int(RecordLockType.F_UNLCK.rawValue)
  case .F_NOTIFY:
    // No events take back what was asked for before: nothing, as dnotify is configured out.
    let multiShot: UInt = 0x8000_0000
    guard argument & ~multiShot != 0 else { return 0 }
    throw file.inode.isDirectory ? .EINVAL : .ENOTDIR
  case .F_GET_RW_HINT, .F_GET_FILE_RW_HINT:
    try UserMemory.store(UInt64(0), at: argument)
    return 0
  default: throw .EINVAL
  }
}

/// Says who is sent signals for a description; 0 for nobody.
///
/// - Throws: `ESRCH`.
private func setOwner(_ thread: Thread, _ file: OpenFile, _ type: OwnerType, _ id: Int32) throws(Errno) {
  let system = thread.process.system
  let exists =
    switch type {
    case .F_OWNER_TID: system.thread(id) != nil
    case .F_OWNER_PID: system.process(id) != nil
    case .F_OWNER_PGRP: system.processes.contains { $0.group == id }
    }
  guard id == 0 || exists else { throw .ESRCH }
  let user = thread.process.identity.user
  file.owner.type = type
  file.owner.id = id
  file.owner.realUser = user.real
  file.owner.effectiveUser = user.effective
}

private func setStatusFlags(
  _ thread: Thread, _ file: OpenFile, _ flags: OpenFlags, _ fd: Int32
) throws(Errno) {
  let credentials = thread.process.fileSystem.credentials
  let new = flags.subtracting(file.flags)
  if new.contains(.O_NOATIME), !credentials.isPrivileged, credentials.userID != file.inode.uid { throw .EPERM }
  // Nothing here goes past the page cache; on a pipe the flag means packets.
  if new.contains(.O_DIRECT), file.inode.type != .S_IFIFO { throw .EINVAL }
  let isAsync = file.flags.contains(.FASYNC)
  try file.setStatusFlags(flags)
  if file.flags.contains(.FASYNC) != isAsync { file.setSignalsReadiness(!isAsync, descriptor: fd) }
}

// MARK: ioctl

/// Asks a file for something of its own. See ioctl(2).
func ioctl(_ thread: Thread, _ descriptor: Descriptor, _ request: IoctlRequest, _ argument: Address) throws(Errno)
  -> Int
{
  let files = thread.process.files
  let file = try files.file(at: descriptor.value)
  switch request {
  case .FIOCLEX, .FIONCLEX:
    try files.setClosesOnExec(descriptor.value, request == .FIOCLEX)
    return 0
  case .FIONBIO:
    var flags = file.flags
    if try UserMemory.load(Int32.self, at: argument.value) != 0 {
      flags.insert(.O_NONBLOCK)
    } else {
      flags.remove(.O_NONBLOCK)
    }
    try file.setStatusFlags(flags)
    return 0
  case .FIOASYNC:
    let on = try UserMemory.load(Int32.self, at: argument.value) != 0
    guard on != file.flags.contains(.FASYNC) else { return 0 }
    guard file.waitQueue != nil else { throw .ENOTTY }
    try setStatusFlags(
      thread, file, on ? file.flags.union(.FASYNC) : file.flags.subtracting(.FASYNC), descriptor.value)
    return 0
  case .FIOQSIZE:
    switch file.inode.type {
    case .S_IFREG, .S_IFDIR, .S_IFLNK:
      try UserMemory.store(file.inode.stat().st_blocks &* 512, at: argument.value)
      return 0
    default: throw .ENOTTY
    }
  case .TIOCGPTPEER:
    let flags = OpenFlags(rawValue: UInt32(truncatingIfNeeded: argument.value)).intersection(.known)
    return Int(try files.insert(try file.openPeer(flags), closeOnExec: flags.contains(.O_CLOEXEC)))
  case .FICLONE:
    let source = try files.file(at: Int32(truncatingIfNeeded: argument.value))
    return try refuseClone(source, to: file)
  case .FICLONERANGE:
    // struct file_clone_range begins with the source's descriptor.
    let source = try files.file(at: Int32(truncatingIfNeeded: try UserMemory.load(Int64.self, at: argument.value)))
    return try refuseClone(source, to: file)
  default: return try file.control(request, argument.value)
  }
}

/// Says why a file cannot share another's blocks; no file system here has blocks to share.
private func refuseClone(_ source: OpenFile, to file: OpenFile) throws(Errno) -> Int {
  if source.inode.fileSystem !== file.inode.fileSystem { throw .EXDEV }
  if source.inode.isDirectory || file.inode.isDirectory { throw .EISDIR }
  guard source.inode.isRegularFile, file.inode.isRegularFile else { throw .EINVAL }
  guard source.isReadable, file.isWritable, !file.flags.contains(.O_APPEND) else { throw .EBADF }
  throw .EOPNOTSUPP
}
