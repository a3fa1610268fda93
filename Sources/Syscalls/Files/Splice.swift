internal import Kernel
internal import LinuxABI
internal import Process
internal import VFSCore

/// Calls that move bytes between pipes and other files.
let spliceSyscalls: [Syscall] = [
  Syscall(275, "splice", splice),
  Syscall(276, "tee", tee),
  Syscall(278, "vmsplice", vmsplice),
]

/// What a file may be for splice(2): those that are neither of these have no method for it.
private func canSplice(_ file: OpenFile) -> Bool {
  switch file.inode.mode.type {
  case .S_IFREG, .S_IFIFO, .S_IFCHR, .S_IFBLK, .S_IFSOCK: true
  default: false
  }
}

/// Moves bytes between a pipe and another file. See splice(2).
func splice(
  _ thread: Thread, _ input: Descriptor, _ inputOffset: UserMutablePointer<Int64>, _ output: Descriptor,
  _ outputOffset: UserMutablePointer<Int64>, _ count: UInt, _ flags: Flags<SpliceFlags>
) throws(Errno) -> Int {
  if count == 0 { return 0 }
  guard flags.value.isSubset(of: .all) else { throw .EINVAL }
  let files = thread.process.files
  let source = try files.file(at: input.value)
  let target = try files.file(at: output.value)
  if source.isPipe, !inputOffset.isNull { throw .ESPIPE }
  if target.isPipe, !outputOffset.isNull { throw .ESPIPE }
  var from: Int64?
  var to: Int64?
  if !outputOffset.isNull { to = try outputOffset.load() }
  if !inputOffset.isNull { from = try inputOffset.load() }
  guard source.isReadable, target.isWritable else { throw .EBADF }
  guard source.isPipe || target.isPipe, !source.isNullDevice, canSplice(source), canSplice(target)
  else { throw .EINVAL }
  let (first, last) = (from ?? source.offset, to ?? target.offset)
  if first < 0 || last < 0 || count > UInt(Int64.max - max(first, last)) { throw .EINVAL }
  if source.inode.type == .S_IFSOCK, from != nil { throw .EINVAL }
  if target.inode.type == .S_IFSOCK, to != nil { throw .EINVAL }
  if !target.isPipe, target.flags.contains(.O_APPEND) { throw .EINVAL }
  // Only the pipes' own flags count, beside that of the call.
  let wait =
    !flags.value.contains(.SPLICE_F_NONBLOCK) && !(source.isPipe && source.isNonBlocking)
    && !(target.isPipe && target.isNonBlocking)
  let limit = try limitedCount(thread, target, to, min(Int(clamping: count), IOVector.maximumTransfer))
  let moved: Int
  do throws(Errno) { moved = try source.splice(from: from, to: target, at: to, limit, wait: wait) } catch {
    if error == .EPIPE, target.signalsBrokenPipe { thread.raise(.SIGPIPE) }
    throw error
  }
  if moved > 0 { try thread.removePrivileges(of: target) }
  _ = source.didRead(target.didWrite(moved))
  if let to { try outputOffset.store(to + Int64(moved)) }
  if let from { try inputOffset.store(from + Int64(moved)) }
  return moved
}

/// Copies bytes from one pipe to another. See tee(2).
func tee(
  _ thread: Thread, _ input: Descriptor, _ output: Descriptor, _ count: UInt, _ flags: Flags<SpliceFlags>
) throws(Errno) -> Int {
  guard flags.value.isSubset(of: .all) else { throw .EINVAL }
  if count == 0 { return 0 }
  let files = thread.process.files
  let source = try files.file(at: input.value)
  let target = try files.file(at: output.value)
  guard source.isReadable, target.isWritable else { throw .EBADF }
  let wait = !flags.value.contains(.SPLICE_F_NONBLOCK) && !source.isNonBlocking && !target.isNonBlocking
  do throws(Errno) { return try source.tee(to: target, Int(clamping: count), wait: wait) } catch {
    if error == .EPIPE { thread.raise(.SIGPIPE) }
    throw error
  }
}

/// Moves the program's memory into a pipe, or the other way. The bytes are copied, as vmsplice(2) allows.
func vmsplice(
  _ thread: Thread, _ descriptor: Descriptor, _ buffers: Vector, _ count: Int, _ flags: Flags<SpliceFlags>
) throws(Errno) -> Int {
  guard flags.value.isSubset(of: .all) else { throw .EINVAL }
  let file = try thread.process.files.file(at: descriptor.value)
  let (segments, total) = try IOVector.load(buffers.address, count: count)
  if total == 0 { return 0 }
  let wait = !flags.value.contains(.SPLICE_F_NONBLOCK)
  if file.isWritable {
    var reader = UserReader(segments, total: total)
    do throws(Errno) { return try file.fillPipe(from: &reader, wait: wait) } catch {
      if error == .EPIPE { thread.raise(.SIGPIPE) }
      throw error
    }
  }
  var writer = UserWriter(segments, total: total)
  return try file.drainPipe(into: &writer, wait: wait)
}
