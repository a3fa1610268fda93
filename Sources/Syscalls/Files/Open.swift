internal import Kernel
internal import LinuxABI
internal import Process
internal import Support
internal import VFSCore

/// open(2), close(2) and their family.
let openSyscalls: [Syscall] = [
  Syscall(2, "open", .descriptor, open),
  Syscall(3, "close", .none, close),
  Syscall(85, "creat", .descriptor, creat),
  Syscall(257, "openat", .descriptor, openat),
  Syscall(319, "memfd_create", .descriptor, memfdCreate),
  Syscall(436, "close_range", .none, closeRange),
  Syscall(437, "openat2", .descriptor, openat2),
]

/// Opens a file by its path. See open(2).
func open(_ thread: Thread, _ path: UserString, _ flags: Flags<OpenFlags>, _ mode: OpenMode) throws(Errno) -> Int {
  try open(thread, nil, try path.path(), flags.value, mode.value)
}

/// Opens a file by its path from a directory. See openat(2).
func openat(
  _ thread: Thread, _ directory: Descriptor, _ path: UserString, _ flags: Flags<OpenFlags>, _ mode: OpenMode
) throws(Errno) -> Int {
  try open(thread, directory, try path.path(), flags.value, mode.value)
}

/// Makes or truncates a file. See creat(2).
func creat(_ thread: Thread, _ path: UserString, _ mode: Mode) throws(Errno) -> Int {
  try open(thread, nil, try path.path(), [.O_CREAT, .O_WRONLY, .O_TRUNC], FileMode(rawValue: mode.value))
}

/// Opens a file under restrictions of the look-up. See openat2(2).
func openat2(
  _ thread: Thread, _ directory: Descriptor, _ path: UserString, _ how: UserPointer<OpenHow>, _ size: UInt
) throws(Errno) -> Int {
  let known = UInt(MemoryLayout<OpenHow>.size)
  guard size >= known else { throw .EINVAL }
  guard size <= UInt(pageSize) else { throw .E2BIG }
  // Fields of a later kernel's that this one does not know must be zero.
  for byte in try UserMemory.bytes(at: how.address &+ known, count: Int(size - known)) where byte != 0 { throw .E2BIG }
  let request = try how.load()
  guard request.flags & ~UInt64(OpenFlags.known.rawValue) == 0 else { throw .EINVAL }
  let flags = OpenFlags(rawValue: UInt32(request.flags))
  guard request.resolve.rawValue & ~0x3f == 0 else { throw .EINVAL }
  if request.resolve.isSuperset(of: [.RESOLVE_BENEATH, .RESOLVE_IN_ROOT]) { throw .EINVAL }
  if flags.contains(.O_CREAT) || flags.contains(.__O_TMPFILE) {
    guard request.mode & ~0o7777 == 0 else { throw .EINVAL }
  } else {
    guard request.mode == 0 else { throw .EINVAL }
  }
  if flags.contains(.O_PATH), !flags.isSubset(of: .allowedWithPath) { throw .EINVAL }
  try checkCombination(flags)
  if request.resolve.contains(.RESOLVE_CACHED),
    flags.contains(.O_CREAT) || flags.contains(.O_TRUNC) || flags.contains(.__O_TMPFILE)
  {
    throw .EAGAIN
  }
  return try open(
    thread, directory, try path.path(), flags, FileMode(rawValue: UInt32(request.mode)), request.resolve)
}

/// - Throws: `EINVAL` for flags that exclude each other, whatever the path says.
private func checkCombination(_ flags: OpenFlags) throws(Errno) {
  if flags.isSuperset(of: [.O_CREAT, .O_DIRECTORY]) { throw .EINVAL }
  if flags.contains(.__O_TMPFILE), !flags.isSuperset(of: .O_TMPFILE) || !flags.isWritable { throw .EINVAL }
}

private func open(
  _ thread: Thread, _ directory: Descriptor?, _ path: [UInt8], _ flags: OpenFlags, _ mode: FileMode,
  _ resolve: ResolveFlags = []
) throws(Errno) -> Int {
  if !flags.contains(.O_PATH) { try checkCombination(flags) }
  if path.isEmpty { throw .ENOENT }
  let process = thread.process
  let files = process.files
  // The number first: a file that cannot have one is not made.
  let descriptor = try files.reserve(closeOnExec: flags.contains(.O_CLOEXEC))
  do throws(Errno) {
    let base = try directory?.base(thread, for: path)
    files.install(try process.fileSystem.open(path, at: base, flags, mode: mode, resolve: resolve), at: descriptor)
  } catch {
    files.abandon(descriptor)
    throw error
  }
  return Int(descriptor)
}

/// Takes a descriptor out of use. See close(2).
func close(_ thread: Thread, _ descriptor: Descriptor) throws(Errno) -> Int {
  do throws(Errno) { try thread.process.files.close(descriptor.value) } catch {
    // The number is free already: the call must not be made again.
    throw error.isRestart ? .EINTR : error
  }
  return 0
}

/// Closes a range of descriptors, or marks them to be closed by execve(2). See close_range(2).
func closeRange(
  _ thread: Thread, _ first: UInt32, _ last: UInt32, _ flags: Flags<CloseRangeFlags>
) throws(Errno) -> Int {
  guard flags.value.isSubset(of: [.CLOSE_RANGE_UNSHARE, .CLOSE_RANGE_CLOEXEC]), first <= last else { throw .EINVAL }
  thread.process.files.closeRange(first, last, onlyMark: flags.value.contains(.CLOSE_RANGE_CLOEXEC))
  return 0
}

/// Makes a file that lives in memory and has no name in any directory. See memfd_create(2).
func memfdCreate(_ thread: Thread, _ name: UserString, _ flags: Flags<MemFdFlags>) throws(Errno) -> Int {
  // Without a pool of huge pages there are none to be had; exec seals are of later kernels.
  guard flags.value.isSubset(of: [.MFD_CLOEXEC, .MFD_ALLOW_SEALING]) else { throw .EINVAL }
  guard let text = try UserMemory.string(at: name.address, limit: 250) else { throw .EINVAL }
  let process = thread.process
  let file = try process.fileSystem.makeMemoryFile(
    name: text, allowsSealing: flags.value.contains(.MFD_ALLOW_SEALING))
  return Int(try process.files.insert(file, closeOnExec: flags.value.contains(.MFD_CLOEXEC)))
}
