internal import Kernel
internal import LinuxABI
internal import Process
internal import Support
internal import VFSCore

/// Calls that tell about files without changing them: stat(2), access(2), statfs(2), readlink(2) and their families.
let statusSyscalls: [Syscall] = [
  Syscall(4, "stat", .none, stat),
  Syscall(5, "fstat", .none, fstat),
  Syscall(6, "lstat", .none, lstat),
  Syscall(21, "access", .none, access),
  Syscall(89, "readlink", readlink),
  Syscall(137, "statfs", .none, statfs),
  Syscall(138, "fstatfs", .none, fstatfs),
  Syscall(262, "newfstatat", .none, newfstatat),
  Syscall(267, "readlinkat", readlinkat),
  Syscall(269, "faccessat", .none, faccessat),
  Syscall(332, "statx", .none, statx),
  Syscall(439, "faccessat2", .none, faccessat2),
]

/// Tells about a file. See stat(2).
func stat(_ thread: Thread, _ path: UserString, _ buffer: Out<Stat>) throws(Errno) -> Int {
  try buffer.store(try thread.process.fileSystem.stat(try path.path()))
  return 0
}

/// Tells about a file, or about a symbolic link itself. See lstat(2).
func lstat(_ thread: Thread, _ path: UserString, _ buffer: Out<Stat>) throws(Errno) -> Int {
  try buffer.store(try thread.process.fileSystem.stat(try path.path(), at: nil, .AT_SYMLINK_NOFOLLOW))
  return 0
}

/// Tells about an open file. See fstat(2).
func fstat(_ thread: Thread, _ descriptor: Descriptor, _ buffer: Out<Stat>) throws(Errno) -> Int {
  try buffer.store(try thread.process.files.anyFile(at: descriptor.value).inode.stat())
  return 0
}

/// Tells about a file named from a directory, or with AT_EMPTY_PATH about an open one, which is how libraries make
/// fstat(3). See fstatat(2).
func newfstatat(
  _ thread: Thread, _ directory: Descriptor, _ path: UserString, _ buffer: Out<Stat>,
  _ flags: Flags<AtFlags>
) throws(Errno) -> Int {
  let flags = flags.value
  guard flags.isSubset(of: [.AT_SYMLINK_NOFOLLOW, .AT_NO_AUTOMOUNT, .AT_EMPTY_PATH]) else { throw .EINVAL }
  if flags.contains(.AT_EMPTY_PATH), directory.value >= 0, try path.isEmpty() {
    return try fstat(thread, directory, buffer)
  }
  let text = try path.path()
  let result = try thread.process.fileSystem.stat(text, at: try directory.base(thread, for: text, flags), flags)
  try buffer.store(result)
  return 0
}

/// Tells more about a file. See statx(2).
func statx(
  _ thread: Thread, _ directory: Descriptor, _ path: UserString, _ flags: Flags<AtFlags>, _ mask: Flags<StatxMask>,
  _ buffer: Out<Statx>
) throws(Errno) -> Int {
  let known: AtFlags = [.AT_SYMLINK_NOFOLLOW, .AT_NO_AUTOMOUNT, .AT_EMPTY_PATH, .AT_STATX_SYNC_TYPE]
  if mask.value.contains(.STATX__RESERVED) { throw .EINVAL }
  guard !flags.value.isSuperset(of: .AT_STATX_SYNC_TYPE), flags.value.isSubset(of: known) else { throw .EINVAL }
  let text = try path.path()
  let base = try directory.base(thread, for: text, flags.value)
  try buffer.store(try thread.process.fileSystem.statx(text, at: base, flags.value))
  return 0
}

// MARK: Permission

/// Whether the real user may access a file. See access(2).
func access(_ thread: Thread, _ path: UserString, _ mode: Flags<AccessMode>) throws(Errno) -> Int {
  try access(thread, nil, path, mode.value, [])
}

/// As access(2), from a directory. See faccessat(2).
func faccessat(
  _ thread: Thread, _ directory: Descriptor, _ path: UserString, _ mode: Flags<AccessMode>
) throws(Errno) -> Int {
  try access(thread, directory, path, mode.value, [])
}

/// As access(2), from a directory and with flags. See faccessat2(2).
func faccessat2(
  _ thread: Thread, _ directory: Descriptor, _ path: UserString, _ mode: Flags<AccessMode>,
  _ flags: Flags<FaccessatFlags>
) throws(Errno) -> Int {
  guard flags.value.isSubset(of: [.AT_EACCESS, .AT_SYMLINK_NOFOLLOW, .AT_EMPTY_PATH]) else { throw .EINVAL }
  return try access(thread, directory, path, mode.value, flags.value)
}

private func access(
  _ thread: Thread, _ directory: Descriptor?, _ path: UserString, _ mode: AccessMode, _ flags: FaccessatFlags
) throws(Errno) -> Int {
  guard mode.isSubset(of: [.R_OK, .W_OK, .X_OK]) else { throw .EINVAL }
  let text = try path.path()
  var at: AtFlags = []
  if flags.contains(.AT_SYMLINK_NOFOLLOW) { at.insert(.AT_SYMLINK_NOFOLLOW) }
  if flags.contains(.AT_EMPTY_PATH) { at.insert(.AT_EMPTY_PATH) }
  let base = try directory?.base(thread, for: text, at)
  let identity = flags.contains(.AT_EACCESS) ? nil : thread.process.identity.realCredentials
  try thread.process.fileSystem.access(text, at: base, mode, at, as: identity)
  return 0
}

// MARK: Symbolic links

/// Tells where a symbolic link leads. See readlink(2).
func readlink(_ thread: Thread, _ path: UserString, _ buffer: OutPath, _ size: Int32) throws(Errno) -> Int {
  try readLink(thread, nil, path, buffer, size)
}

/// As readlink(2), from a directory. See readlinkat(2).
func readlinkat(
  _ thread: Thread, _ directory: Descriptor, _ path: UserString, _ buffer: OutPath, _ size: Int32
) throws(Errno) -> Int {
  try readLink(thread, directory, path, buffer, size)
}

private func readLink(
  _ thread: Thread, _ directory: Descriptor?, _ path: UserString, _ buffer: OutPath, _ size: Int32
) throws(Errno) -> Int {
  guard size > 0 else { throw .EINVAL }
  let text = try path.path()
  let target = try thread.process.fileSystem.readLink(text, at: try directory?.base(thread, for: text, .AT_EMPTY_PATH))
  let count = min(target.count, Int(size))
  try UserMemory.store(target.rawBytes.extracting(first: count), at: buffer.address)
  return count
}

// MARK: File systems

/// Tells about the file system that a file is in. See statfs(2).
func statfs(_ thread: Thread, _ path: UserString, _ buffer: Out<Statfs>) throws(Errno) -> Int {
  try buffer.store(try thread.process.fileSystem.statfs(try path.path()))
  return 0
}

/// Tells about the file system that an open file is in. See fstatfs(2).
func fstatfs(_ thread: Thread, _ descriptor: Descriptor, _ buffer: Out<Statfs>) throws(Errno) -> Int {
  let process = thread.process
  try buffer.store(try process.fileSystem.statfs(try process.files.anyFile(at: descriptor.value).path))
  return 0
}
