internal import Kernel
internal import LinuxABI
internal import Process
internal import VFSCore

/// Calls about a file's storage: truncate(2), fallocate(2), fsync(2), fadvise(2) and their families.
let storageSyscalls: [Syscall] = [
  Syscall(74, "fsync", .none, fsync),
  Syscall(75, "fdatasync", .none, fdatasync),
  Syscall(76, "truncate", .none, truncate),
  Syscall(77, "ftruncate", .none, ftruncate),
  Syscall(162, "sync", .none, sync),
  Syscall(187, "readahead", .none, readahead),
  Syscall(221, "fadvise64", .none, fadvise64),
  Syscall(277, "sync_file_range", .none, syncFileRange),
  Syscall(285, "fallocate", .none, fallocate),
  Syscall(306, "syncfs", .none, syncfs),
]

/// Cuts or extends a file. See truncate(2).
func truncate(_ thread: Thread, _ path: UserString, _ size: Int) throws(Errno) -> Int {
  guard size >= 0 else { throw .EINVAL }
  let fileSystem = thread.process.fileSystem
  let text = try path.path()
  if thread.process.limits.fileSize != nil {
    let inode = try fileSystem.resolve(text).inode
    if inode.isRegularFile { try thread.checkFileSize(Int64(size), of: inode) }
  }
  try fileSystem.truncate(text, to: Int64(size))
  return 0
}

/// Cuts or extends an open file. See ftruncate(2).
func ftruncate(_ thread: Thread, _ descriptor: Descriptor, _ size: Int) throws(Errno) -> Int {
  guard size >= 0 else { throw .EINVAL }
  let file = try thread.process.files.file(at: descriptor.value)
  guard file.inode.isRegularFile, file.isWritable else { throw .EINVAL }
  try thread.checkFileSize(Int64(size), of: file.inode)
  try file.truncate(to: Int64(size))
  file.path.note(try thread.process.fileSystem.removePrivileges(of: file.inode).union(.IN_MODIFY))
  return 0
}

/// Gives a file space, or takes it away. See fallocate(2).
func fallocate(
  _ thread: Thread, _ descriptor: Descriptor, _ mode: Flags<FallocateMode>, _ offset: Int, _ count: Int
) throws(Errno) -> Int {
  let file = try thread.process.files.file(at: descriptor.value)
  guard offset >= 0, count > 0 else { throw .EINVAL }
  let mode = mode.value
  let known: FallocateMode = [
    .FALLOC_FL_KEEP_SIZE, .FALLOC_FL_PUNCH_HOLE, .FALLOC_FL_COLLAPSE_RANGE, .FALLOC_FL_ZERO_RANGE,
    .FALLOC_FL_INSERT_RANGE, .FALLOC_FL_UNSHARE_RANGE,
  ]
  guard mode.isSubset(of: known), !mode.isSuperset(of: [.FALLOC_FL_PUNCH_HOLE, .FALLOC_FL_ZERO_RANGE]),
    !mode.contains(.FALLOC_FL_PUNCH_HOLE) || mode.contains(.FALLOC_FL_KEEP_SIZE)
  else { throw .EOPNOTSUPP }
  for alone in [FallocateMode.FALLOC_FL_COLLAPSE_RANGE, .FALLOC_FL_INSERT_RANGE]
  where mode.contains(alone) && mode != alone { throw .EINVAL }
  if mode.contains(.FALLOC_FL_UNSHARE_RANGE), !mode.isSubset(of: [.FALLOC_FL_UNSHARE_RANGE, .FALLOC_FL_KEEP_SIZE]) {
    throw .EINVAL
  }
  guard file.isWritable else { throw .EBADF }
  switch file.inode.type {
  case .S_IFREG: break
  case .S_IFIFO: throw .ESPIPE
  case .S_IFDIR: throw .EISDIR
  default: throw .ENODEV
  }
  let (end, overflow) = offset.addingReportingOverflow(count)
  if overflow { throw .EFBIG }
  if !mode.contains(.FALLOC_FL_KEEP_SIZE) { try thread.checkFileSize(Int64(end), of: file.inode) }
  // tmpfs does it when all went well, others before they try.
  if file.inode.fileSystem.childPolicy != .complete { try thread.removePrivileges(of: file) }
  try file.allocate(mode, offset: Int64(offset), count: Int64(count))
  try thread.removePrivileges(of: file)
  file.path.note(.IN_MODIFY)
  return 0
}

/// Writes an open file back. See fsync(2).
func fsync(_ thread: Thread, _ descriptor: Descriptor) throws(Errno) -> Int {
  try thread.process.files.file(at: descriptor.value).synchronize(dataOnly: false)
  return 0
}

/// Writes an open file's content back. See fdatasync(2).
func fdatasync(_ thread: Thread, _ descriptor: Descriptor) throws(Errno) -> Int {
  try thread.process.files.file(at: descriptor.value).synchronize(dataOnly: true)
  return 0
}

/// Writes everything back. See sync(2).
func sync(_ thread: Thread) throws(Errno) -> Int {
  try? thread.process.fileSystem.namespace.synchronize()
  return 0
}

/// Writes back the file system that an open file is in. See syncfs(2).
func syncfs(_ thread: Thread, _ descriptor: Descriptor) throws(Errno) -> Int {
  try thread.process.files.file(at: descriptor.value).inode.fileSystem.synchronize()
  return 0
}

/// Writes part of an open file back. See sync_file_range(2).
func syncFileRange(
  _ thread: Thread, _ descriptor: Descriptor, _ offset: Int, _ count: Int, _ flags: Flags<SyncFileRangeFlags>
) throws(Errno) -> Int {
  let file = try thread.process.files.file(at: descriptor.value)
  guard flags.value.rawValue & ~7 == 0, offset >= 0, count >= 0, !offset.addingReportingOverflow(count).overflow
  else { throw .EINVAL }
  switch file.inode.type {
  case .S_IFREG, .S_IFBLK, .S_IFDIR, .S_IFLNK: break
  default: throw .ESPIPE
  }
  if flags.value.isEmpty { return 0 }
  try file.synchronize(dataOnly: true)
  return 0
}

/// Takes advice about how a file will be used. See posix_fadvise(2).
func fadvise64(
  _ thread: Thread, _ descriptor: Descriptor, _ offset: Int, _ count: Int, _ advice: Named<FileAdvice>
) throws(Errno) -> Int {
  let file = try thread.process.files.file(at: descriptor.value)
  if file.inode.type == .S_IFIFO { throw .ESPIPE }
  guard count >= 0, FileAdvice(rawValue: advice.rawValue) != nil else { throw .EINVAL }
  // The content is in memory as it is, and goes only when it is given up for good.
  return 0
}

/// Reads ahead of need. See readahead(2).
func readahead(_ thread: Thread, _ descriptor: Descriptor, _ offset: Int, _ count: UInt) throws(Errno) -> Int {
  let file = try thread.process.files.file(at: descriptor.value)
  guard file.isReadable else { throw .EBADF }
  guard file.inode.isRegularFile || file.inode.type == .S_IFBLK else { throw .EINVAL }
  return 0
}
