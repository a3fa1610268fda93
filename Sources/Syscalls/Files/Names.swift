internal import Kernel
internal import LinuxABI
internal import Process
internal import VFSCore

/// Calls that make, move and remove names: mkdir(2), unlink(2), rename(2), link(2), symlink(2), mknod(2).
let nameSyscalls: [Syscall] = [
  Syscall(82, "rename", .none, rename),
  Syscall(83, "mkdir", .none, mkdir),
  Syscall(84, "rmdir", .none, rmdir),
  Syscall(86, "link", .none, link),
  Syscall(87, "unlink", .none, unlink),
  Syscall(88, "symlink", .none, symlink),
  Syscall(133, "mknod", .none, mknod),
  Syscall(258, "mkdirat", .none, mkdirat),
  Syscall(259, "mknodat", .none, mknodat),
  Syscall(263, "unlinkat", .none, unlinkat),
  Syscall(264, "renameat", .none, renameat),
  Syscall(265, "linkat", .none, linkat),
  Syscall(266, "symlinkat", .none, symlinkat),
  Syscall(316, "renameat2", .none, renameat2),
]

/// Makes a directory. See mkdir(2).
func mkdir(_ thread: Thread, _ path: UserString, _ mode: Mode) throws(Errno) -> Int {
  try thread.process.fileSystem.makeDirectory(try path.path(), mode: FileMode(rawValue: mode.value))
  return 0
}

/// As mkdir(2), from a directory. See mkdirat(2).
func mkdirat(_ thread: Thread, _ directory: Descriptor, _ path: UserString, _ mode: Mode) throws(Errno) -> Int {
  let text = try path.path()
  try thread.process.fileSystem.makeDirectory(
    text, at: try directory.base(thread, for: text), mode: FileMode(rawValue: mode.value))
  return 0
}

/// Removes an empty directory. See rmdir(2).
func rmdir(_ thread: Thread, _ path: UserString) throws(Errno) -> Int {
  try thread.process.fileSystem.removeDirectory(try path.path())
  return 0
}

/// Removes a name. See unlink(2).
func unlink(_ thread: Thread, _ path: UserString) throws(Errno) -> Int {
  try thread.process.fileSystem.unlink(try path.path())
  return 0
}

/// As unlink(2), or rmdir(2) with AT_REMOVEDIR, from a directory. See unlinkat(2).
func unlinkat(
  _ thread: Thread, _ directory: Descriptor, _ path: UserString, _ flags: Flags<AtFlags>
) throws(Errno) -> Int {
  guard flags.value.isSubset(of: .AT_REMOVEDIR) else { throw .EINVAL }
  let text = try path.path()
  let base = try directory.base(thread, for: text)
  if flags.value.contains(.AT_REMOVEDIR) {
    try thread.process.fileSystem.removeDirectory(text, at: base)
  } else {
    try thread.process.fileSystem.unlink(text, at: base)
  }
  return 0
}

/// Moves a name. See rename(2).
func rename(_ thread: Thread, _ old: UserString, _ new: UserString) throws(Errno) -> Int {
  try thread.process.fileSystem.rename(try old.path(), to: try new.path())
  return 0
}

/// As rename(2), from directories. See renameat(2).
func renameat(
  _ thread: Thread, _ oldDirectory: Descriptor, _ old: UserString, _ newDirectory: Descriptor, _ new: UserString
) throws(Errno) -> Int {
  try rename(thread, oldDirectory, old, newDirectory, new, [])
}

/// As renameat(2), with flags. See renameat2(2).
func renameat2(
  _ thread: Thread, _ oldDirectory: Descriptor, _ old: UserString, _ newDirectory: Descriptor, _ new: UserString,
  _ flags: Flags<RenameFlags>
) throws(Errno) -> Int {
  try rename(thread, oldDirectory, old, newDirectory, new, flags.value)
}

private func rename(
  _ thread: Thread, _ oldDirectory: Descriptor, _ old: UserString, _ newDirectory: Descriptor, _ new: UserString,
  _ flags: RenameFlags
) throws(Errno) -> Int {
  let oldText = try old.path()
  let newText = try new.path()
  try thread.process.fileSystem.rename(
    oldText, at: try oldDirectory.base(thread, for: oldText), to: newText,
    at: try newDirectory.base(thread, for: newText), flags)
  return 0
}

/// Gives a file another name. See link(2).
func link(_ thread: Thread, _ old: UserString, _ new: UserString) throws(Errno) -> Int {
  try thread.process.fileSystem.link(try old.path(), to: try new.path())
  return 0
}

/// As link(2), from directories and with flags. See linkat(2).
func linkat(
  _ thread: Thread, _ oldDirectory: Descriptor, _ old: UserString, _ newDirectory: Descriptor, _ new: UserString,
  _ flags: Flags<AtFlags>
) throws(Errno) -> Int {
  let oldText = try old.path()
  let newText = try new.path()
  try thread.process.fileSystem.link(
    oldText, at: try oldDirectory.base(thread, for: oldText, flags.value), to: newText,
    at: try newDirectory.base(thread, for: newText), flags.value)
  return 0
}

/// Makes a symbolic link. See symlink(2).
func symlink(_ thread: Thread, _ target: UserString, _ path: UserString) throws(Errno) -> Int {
  let targetText = try target.path()
  try thread.process.fileSystem.makeSymbolicLink(try path.path(), target: targetText)
  return 0
}

/// As symlink(2), from a directory. See symlinkat(2).
func symlinkat(
  _ thread: Thread, _ target: UserString, _ directory: Descriptor, _ path: UserString
) throws(Errno) -> Int {
  let targetText = try target.path()
  let text = try path.path()
  try thread.process.fileSystem.makeSymbolicLink(text, at: try directory.base(thread, for: text), target: targetText)
  return 0
}

/// Makes a file, FIFO, socket or device node. See mknod(2).
func mknod(_ thread: Thread, _ path: UserString, _ mode: Mode, _ device: Device) throws(Errno) -> Int {
  try thread.process.fileSystem.makeNode(
    try path.path(), mode: FileMode(rawValue: mode.value & 0xffff), device: device.value)
  return 0
}

/// As mknod(2), from a directory. See mknodat(2).
func mknodat(
  _ thread: Thread, _ directory: Descriptor, _ path: UserString, _ mode: Mode, _ device: Device
) throws(Errno) -> Int {
  let text = try path.path()
  try thread.process.fileSystem.makeNode(
    text, at: try directory.base(thread, for: text), mode: FileMode(rawValue: mode.value & 0xffff),
    device: device.value)
  return 0
}
