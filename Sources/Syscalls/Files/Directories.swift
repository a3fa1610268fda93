internal import Kernel
internal import LinuxABI
internal import Process
internal import Support
internal import VFSCore

/// Calls about directories: getdents(2), getcwd(2), chdir(2), chroot(2).
let directorySyscalls: [Syscall] = [
  Syscall(78, "getdents", getdents),
  Syscall(79, "getcwd", getcwd),
  Syscall(80, "chdir", .none, chdir),
  Syscall(81, "fchdir", .none, fchdir),
  Syscall(161, "chroot", .none, chroot),
  Syscall(217, "getdents64", getdents64),
]

/// Lists a directory in the old layout. See getdents(2).
func getdents(_ thread: Thread, _ descriptor: Descriptor, _ buffer: Address, _ count: UInt32) throws(Errno) -> Int {
  try readDirectory(thread, descriptor, buffer, count, .dirent)
}

/// Lists a directory. See getdents64(2).
func getdents64(_ thread: Thread, _ descriptor: Descriptor, _ buffer: Address, _ count: UInt32) throws(Errno) -> Int {
  try readDirectory(thread, descriptor, buffer, count, .dirent64)
}

private func readDirectory(
  _ thread: Thread, _ descriptor: Descriptor, _ buffer: Address, _ count: UInt32, _ format: DirectoryRecords.Format
) throws(Errno) -> Int {
  let file = try thread.process.files.file(at: descriptor.value)
  let start = file.offset
  var records = DirectoryRecords(capacity: Int(count), format: format)
  try file.readDirectory(into: &records)
  file.didList()
  if records.isTooSmall { throw .EINVAL }
  do throws(Errno) { try UserMemory.store(records.bytes.rawBytes, at: buffer.value) } catch {
    file.offset = start
    throw error
  }
  return records.bytes.count
}

/// Tells the working directory. See getcwd(2).
///
/// - Returns: The length of the path with its NUL.
func getcwd(_ thread: Thread, _ buffer: OutPath, _ size: UInt) throws(Errno) -> Int {
  var text = try thread.process.fileSystem.currentDirectory()
  text.append(0)
  guard UInt(text.count) <= size else { throw .ERANGE }
  try UserMemory.store(text.rawBytes, at: buffer.address)
  return text.count
}

/// Changes the working directory. See chdir(2).
func chdir(_ thread: Thread, _ path: UserString) throws(Errno) -> Int {
  try thread.process.fileSystem.changeDirectory(try path.path())
  return 0
}

/// Changes the working directory to an open one. See fchdir(2).
func fchdir(_ thread: Thread, _ descriptor: Descriptor) throws(Errno) -> Int {
  let process = thread.process
  try process.fileSystem.changeDirectory(to: try process.files.anyFile(at: descriptor.value).path)
  return 0
}

/// Changes where absolute paths begin. See chroot(2).
func chroot(_ thread: Thread, _ path: UserString) throws(Errno) -> Int {
  try thread.process.fileSystem.changeRoot(try path.path())
  return 0
}
