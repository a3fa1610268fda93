internal import Kernel
internal import LinuxABI
internal import Process
internal import VFSCore

/// Calls that change attributes: chmod(2), chown(2), utime(2) and their families, umask(2).
let attributeSyscalls: [Syscall] = [
  Syscall(90, "chmod", .none, chmod),
  Syscall(91, "fchmod", .none, fchmod),
  Syscall(92, "chown", .none, chown),
  Syscall(93, "fchown", .none, fchown),
  Syscall(94, "lchown", .none, lchown),
  Syscall(95, "umask", umask),
  Syscall(132, "utime", .none, utime),
  Syscall(235, "utimes", .none, utimes),
  Syscall(260, "fchownat", .none, fchownat),
  Syscall(261, "futimesat", .none, futimesat),
  Syscall(268, "fchmodat", .none, fchmodat),
  Syscall(280, "utimensat", .none, utimensat),
]

// MARK: Permissions and owners

/// Changes permissions. See chmod(2).
func chmod(_ thread: Thread, _ path: UserString, _ mode: Mode) throws(Errno) -> Int {
  let fileSystem = thread.process.fileSystem
  try fileSystem.setMode(try fileSystem.resolve(try path.path()), FileMode(rawValue: mode.value))
  return 0
}

/// Changes permissions of an open file. See fchmod(2).
func fchmod(_ thread: Thread, _ descriptor: Descriptor, _ mode: Mode) throws(Errno) -> Int {
  let process = thread.process
  try process.fileSystem.setMode(
    try process.files.file(at: descriptor.value).path, FileMode(rawValue: mode.value))
  return 0
}

/// As chmod(2), from a directory. See fchmodat(2).
func fchmodat(_ thread: Thread, _ directory: Descriptor, _ path: UserString, _ mode: Mode) throws(Errno) -> Int {
  let text = try path.path()
  let fileSystem = thread.process.fileSystem
  try fileSystem.setMode(
    try fileSystem.resolve(text, at: try directory.base(thread, for: text)), FileMode(rawValue: mode.value))
  return 0
}

/// Changes owner and group. See chown(2).
func chown(_ thread: Thread, _ path: UserString, _ user: OptionalID, _ group: OptionalID) throws(Errno) -> Int {
  let fileSystem = thread.process.fileSystem
  try fileSystem.setOwner(try fileSystem.resolve(try path.path()), uid: user.value, gid: group.value)
  return 0
}

/// Changes owner and group of an open file. See fchown(2).
func fchown(_ thread: Thread, _ descriptor: Descriptor, _ user: OptionalID, _ group: OptionalID) throws(Errno) -> Int {
  let process = thread.process
  try process.fileSystem.setOwner(
    try process.files.file(at: descriptor.value).path, uid: user.value, gid: group.value)
  return 0
}

/// As chown(2), for a symbolic link itself. See lchown(2).
func lchown(_ thread: Thread, _ path: UserString, _ user: OptionalID, _ group: OptionalID) throws(Errno) -> Int {
  let fileSystem = thread.process.fileSystem
  try fileSystem.setOwner(try fileSystem.resolve(try path.path(), follow: false), uid: user.value, gid: group.value)
  return 0
}

/// As chown(2), from a directory and with flags. See fchownat(2).
func fchownat(
  _ thread: Thread, _ directory: Descriptor, _ path: UserString, _ user: OptionalID, _ group: OptionalID,
  _ flags: Flags<AtFlags>
) throws(Errno) -> Int {
  guard flags.value.isSubset(of: [.AT_SYMLINK_NOFOLLOW, .AT_EMPTY_PATH]) else { throw .EINVAL }
  let text = try path.path()
  let fileSystem = thread.process.fileSystem
  try fileSystem.setOwner(
    try fileSystem.resolve(text, at: try directory.base(thread, for: text, flags.value), flags.value), uid: user.value,
    gid: group.value)
  return 0
}

/// Changes which permissions new files do not get. See umask(2).
///
/// - Returns: The old mask.
func umask(_ thread: Thread, _ mask: Mode) throws(Errno) -> Int {
  let fileSystem = thread.process.fileSystem
  let old = fileSystem.umask
  fileSystem.umask = FileMode(rawValue: mask.value & 0o777)
  return Int(old.rawValue)
}

// MARK: Times

/// Access and modification time as a call was given them, nil for now.
private typealias Times = (access: Timespec, modification: Timespec)

/// Changes the times of a file, in seconds. See utime(2).
func utime(_ thread: Thread, _ path: UserString, _ times: UserPointer<Utimbuf>) throws(Errno) -> Int {
  var new: Times?
  if !times.isNull {
    let given = try times.load()
    new = (Timespec(tv_sec: given.actime, tv_nsec: 0), Timespec(tv_sec: given.modtime, tv_nsec: 0))
  }
  try setTimes(thread, nil, path, new, [])
  return 0
}

/// Changes the times of a file, in microseconds. See utimes(2).
func utimes(_ thread: Thread, _ path: UserString, _ times: UserPointer<Timeval>) throws(Errno) -> Int {
  try setTimes(thread, nil, path, try load(times), [])
  return 0
}

/// As utimes(2), from a directory; without a path, for the open file itself. See futimesat(2).
func futimesat(
  _ thread: Thread, _ directory: Descriptor, _ path: UserString, _ times: UserPointer<Timeval>
) throws(Errno) -> Int {
  try setTimes(thread, directory, path, try load(times), [])
  return 0
}

/// Changes the times of a file, in nanoseconds. See utimensat(2).
func utimensat(
  _ thread: Thread, _ directory: Descriptor, _ path: UserString, _ times: UserPointer<Timespec>,
  _ flags: Flags<AtFlags>
) throws(Errno) -> Int {
  var new: Times?
  if !times.isNull {
    let given: Times = (try times.load(), try times.advanced(by: 1).load())
    let omit = UtimeNanoseconds.UTIME_OMIT
    if given.access.tv_nsec == omit, given.modification.tv_nsec == omit { return 0 }
    new = given
  }
  try setTimes(thread, directory, path, new, flags.value)
  return 0
}

private func load(_ times: UserPointer<Timeval>) throws(Errno) -> Times? {
  if times.isNull { return nil }
  let access = try times.load()
  let modification = try times.advanced(by: 1).load()
  for time in [access, modification] where time.tv_usec < 0 || time.tv_usec >= 1_000_000 { throw .EINVAL }
  return (
    Timespec(tv_sec: access.tv_sec, tv_nsec: access.tv_usec * 1000),
    Timespec(tv_sec: modification.tv_sec, tv_nsec: modification.tv_usec * 1000)
  )
}

private func setTimes(
  _ thread: Thread, _ directory: Descriptor?, _ path: UserString, _ times: Times?, _ flags: AtFlags
) throws(Errno) {
  let process = thread.process
  if let directory, directory.value != AT_FDCWD, path.address == 0 {
    guard flags.isEmpty else { throw .EINVAL }
    try process.fileSystem.setTimes(try process.files.file(at: directory.value).path, times)
    return
  }
  guard flags.isSubset(of: [.AT_SYMLINK_NOFOLLOW, .AT_EMPTY_PATH]) else { throw .EINVAL }
  let text = try path.path()
  let base = try directory?.base(thread, for: text, flags)
  try process.fileSystem.setTimes(try process.fileSystem.resolve(text, at: base, flags), times)
}
