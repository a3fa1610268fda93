internal import Kernel
internal import LinuxABI
internal import Process
internal import VFSCore

/// Calls that copy between files inside the kernel: sendfile(2), copy_file_range(2).
let transferSyscalls: [Syscall] = [
  Syscall(40, "sendfile", sendfile),
  Syscall(326, "copy_file_range", copyFileRange),
]

/// Copies from a file to a descriptor. See sendfile(2).
func sendfile(
  _ thread: Thread, _ output: Descriptor, _ input: Descriptor, _ offset: UserMutablePointer<Int64>, _ count: UInt
) throws(Errno) -> Int {
  let files = thread.process.files
  let source = try files.file(at: input.value)
  guard source.isReadable else { throw .EBADF }
  var position = source.offset
  if !offset.isNull {
    position = try offset.load()
    if source.inode.type == .S_IFIFO || source.inode.type == .S_IFSOCK { throw .ESPIPE }
  }
  guard position >= 0, Int(bitPattern: count) >= 0, Int64(count) <= .max - position else { throw .EINVAL }
  let target = try files.file(at: output.value)
  guard target.isWritable else { throw .EBADF }
  let limit = min(Int(bitPattern: count), IOVector.maximumTransfer, Int(Int64.max - position))
  if !target.isPipe {
    guard !target.flags.contains(.O_APPEND), Int64(limit) <= .max - max(target.offset, 0) else { throw .EINVAL }
  }
  // Files and devices with positions, such as /dev/zero. That a directory has no bytes shows only when some are wanted.
  switch source.inode.type {
  case .S_IFREG: break
  case .S_IFCHR, .S_IFBLK: guard (try? source.seek(0, .SEEK_CUR)) != nil else { throw .EINVAL }
  default: guard source.inode.isDirectory else { throw .EINVAL }
  }
  if count == 0 || source.inode.isDirectory {
    if !source.flags.contains(.O_NOATIME) { source.inode.didAccess(on: source.path.mount) }
    if count > 0 { throw .EINVAL }
    return 0
  }
  if source.isNullDevice { throw .EINVAL }
  let copied = try copy(thread, source, &position, target, nil, limit)
  if offset.isNull { source.offset = position } else { try offset.store(position) }
  return copied
}

/// Copies from one file to another. See copy_file_range(2).
func copyFileRange(
  _ thread: Thread, _ input: Descriptor, _ inputOffset: UserMutablePointer<Int64>, _ output: Descriptor,
  _ outputOffset: UserMutablePointer<Int64>, _ count: UInt, _ flags: UInt32
) throws(Errno) -> Int {
  let files = thread.process.files
  let source = try files.file(at: input.value)
  let target = try files.file(at: output.value)
  var from = inputOffset.isNull ? source.offset : try inputOffset.load()
  let to = outputOffset.isNull ? target.offset : try outputOffset.load()
  guard flags == 0 else { throw .EINVAL }
  if source.inode.isDirectory || target.inode.isDirectory { throw .EISDIR }
  guard source.inode.isRegularFile, target.inode.isRegularFile else { throw .EINVAL }
  guard source.isReadable, target.isWritable, !target.flags.contains(.O_APPEND) else { throw .EBADF }
  if source.inode.fileSystem !== target.inode.fileSystem { throw .EXDEV }
  // Linux adds without signs, so a position in front of the file counts as one far behind it.
  for position in [from, to] where UInt64(bitPattern: position).addingReportingOverflow(UInt64(count)).overflow {
    throw .EOVERFLOW
  }
  guard from >= 0, to >= 0 else { throw .EINVAL }
  let wanted = Int64(clamping: count)
  if to == .max { throw .EFBIG }
  let length = min(wanted, max(source.inode.size - from, 0), .max - to, Int64(IOVector.maximumTransfer))
  if source.inode === target.inode, to < from + length, from < to + length { throw .EINVAL }
  let copied = try copy(thread, source, &from, target, to, Int(length))
  if inputOffset.isNull { source.offset = from } else { try inputOffset.store(from) }
  if outputOffset.isNull { target.offset = to + Int64(copied) } else { try outputOffset.store(to + Int64(copied)) }
  return copied
}

private func copy(
  _ thread: Thread, _ source: OpenFile, _ from: inout Int64, _ target: OpenFile, _ to: Int64?, _ limit: Int
) throws(Errno) -> Int {
  let count = try limitedCount(thread, target, to, limit)
  do throws(Errno) {
    let copied = try source.copy(to: target, from: &from, at: to, count: count)
    if copied > 0 { try thread.removePrivileges(of: target) }
    return target.didWrite(source.didRead(copied))
  } catch {
    if error == .EPIPE, target.signalsBrokenPipe { thread.raise(.SIGPIPE) }
    throw error
  }
}
