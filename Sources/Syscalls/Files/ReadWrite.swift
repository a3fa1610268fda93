internal import Kernel
internal import LinuxABI
internal import Process
internal import Support
internal import VFSCore

/// read(2), write(2) and their family.
let readWriteSyscalls: [Syscall] = [
  Syscall(0, "read", read),
  Syscall(1, "write", write),
  Syscall(8, "lseek", lseek),
  Syscall(17, "pread64", pread64),
  Syscall(18, "pwrite64", pwrite64),
  Syscall(19, "readv", readv),
  Syscall(20, "writev", writev),
  Syscall(295, "preadv", preadv),
  Syscall(296, "pwritev", pwritev),
  Syscall(327, "preadv2", preadv2),
  Syscall(328, "pwritev2", pwritev2),
]

/// The bytes that one call transfers, of a buffer of `count` bytes.
///
/// - Throws: `EFAULT` for a buffer that does not lie in the program's addresses, as `access_ok` has it.
@inline(__always)
private func transferCount(_ address: UInt, _ count: UInt) throws(Errno) -> Int {
  guard UserAddress.isValid(address, Int(bitPattern: count)) else { throw .EFAULT }
  return min(Int(bitPattern: count), IOVector.maximumTransfer)
}

/// Reads from a descriptor. See read(2).
func read(_ thread: Thread, _ descriptor: Descriptor, _ buffer: OutBuffer, _ count: UInt) throws(Errno) -> Int {
  let file = try thread.process.files.file(at: descriptor.value)
  guard file.isReadable else { throw .EBADF }
  var writer = UserWriter(buffer.address, count: try transferCount(buffer.address, count))
  return file.didRead(try file.read(into: &writer, at: nil))
}

/// Reads at an offset. See pread(2).
func pread64(
  _ thread: Thread, _ descriptor: Descriptor, _ buffer: OutBuffer, _ count: UInt, _ offset: Int
) throws(Errno) -> Int {
  guard offset >= 0 else { throw .EINVAL }
  let file = try thread.process.files.file(at: descriptor.value)
  var writer = UserWriter(buffer.address, count: try transferCount(buffer.address, count))
  return file.didRead(try file.read(into: &writer, at: Int64(offset)))
}

/// Writes to a descriptor. See write(2).
func write(_ thread: Thread, _ descriptor: Descriptor, _ buffer: InBuffer, _ count: UInt) throws(Errno) -> Int {
  let file = try thread.process.files.file(at: descriptor.value)
  guard file.isWritable else { throw .EBADF }
  var count = try transferCount(buffer.address, count)
  if thread.process.limits.fileSize != nil { count = try limitedCount(thread, file, nil, count) }
  var reader = UserReader(buffer.address, count: count)
  do throws(Errno) { return try didWrite(thread, file, try file.write(from: &reader, at: nil)) } catch {
    throw writeError(thread, file, error)
  }
}

/// Writes at an offset. See pwrite(2).
func pwrite64(
  _ thread: Thread, _ descriptor: Descriptor, _ buffer: InBuffer, _ count: UInt, _ offset: Int
) throws(Errno) -> Int {
  guard offset >= 0 else { throw .EINVAL }
  let file = try thread.process.files.file(at: descriptor.value)
  var count = try transferCount(buffer.address, count)
  if thread.process.limits.fileSize != nil { count = try limitedCount(thread, file, Int64(offset), count) }
  var reader = UserReader(buffer.address, count: count)
  do throws(Errno) { return try didWrite(thread, file, try file.write(from: &reader, at: Int64(offset))) } catch {
    throw writeError(thread, file, error)
  }
}

/// What belongs to a write that was made; returns how much it was.
@inline(__always)
private func didWrite(_ thread: Thread, _ file: OpenFile, _ count: Int) throws(Errno) -> Int {
  if count > 0 { try thread.removePrivileges(of: file) }
  return file.didWrite(count)
}

/// What a failed write says, after the signal that belongs to it.
@inline(never)
private func writeError(_ thread: Thread, _ file: OpenFile, _ error: Errno) -> Errno {
  if error == .EPIPE, file.signalsBrokenPipe { thread.raise(.SIGPIPE) }
  return error
}

/// Cuts a write to a regular file at RLIMIT_FSIZE.
///
/// - Throws: `EFBIG`, after SIGXFSZ, when it begins there or beyond.
@inline(never)
func limitedCount(_ thread: Thread, _ file: OpenFile, _ position: Int64?, _ count: Int) throws(Errno) -> Int {
  guard let limit = thread.process.limits.fileSize, file.isWritable, file.inode.isRegularFile, count > 0 else {
    return count
  }
  let start = UInt64(bitPattern: file.flags.contains(.O_APPEND) ? file.inode.size : position ?? file.offset)
  if start >= limit {
    thread.raise(.SIGXFSZ)
    throw .EFBIG
  }
  return Int(min(UInt64(count), limit - start))
}

/// Reads into several buffers. See readv(2).
func readv(_ thread: Thread, _ descriptor: Descriptor, _ vector: Vector, _ count: Int) throws(Errno) -> Int {
  try read(thread, descriptor, vector, count, nil)
}

/// Writes from several buffers. See writev(2).
func writev(_ thread: Thread, _ descriptor: Descriptor, _ vector: Vector, _ count: Int) throws(Errno) -> Int {
  try write(thread, descriptor, vector, count, nil)
}

/// Reads into several buffers at an offset. See preadv(2).
func preadv(
  _ thread: Thread, _ descriptor: Descriptor, _ vector: Vector, _ count: Int, _ offset: Int
) throws(Errno) -> Int {
  guard offset >= 0 else { throw .EINVAL }
  return try read(thread, descriptor, vector, count, Int64(offset))
}

/// Writes from several buffers at an offset. See pwritev(2).
func pwritev(
  _ thread: Thread, _ descriptor: Descriptor, _ vector: Vector, _ count: Int, _ offset: Int
) throws(Errno) -> Int {
  guard offset >= 0 else { throw .EINVAL }
  return try write(thread, descriptor, vector, count, Int64(offset))
}

/// As preadv(2), or as readv(2) where the offset is -1. See preadv2(2).
func preadv2(
  _ thread: Thread, _ descriptor: Descriptor, _ vector: Vector, _ count: Int, _ offset: Int, _ unused: Int,
  _ flags: Flags<ReadWriteFlags>
) throws(Errno) -> Int {
  guard offset >= -1 else { throw .EINVAL }
  return try read(thread, descriptor, vector, count, offset == -1 ? nil : Int64(offset), flags.value)
}

/// As pwritev(2), or as writev(2) where the offset is -1. See pwritev2(2).
func pwritev2(
  _ thread: Thread, _ descriptor: Descriptor, _ vector: Vector, _ count: Int, _ offset: Int, _ unused: Int,
  _ flags: Flags<ReadWriteFlags>
) throws(Errno) -> Int {
  guard offset >= -1 else { throw .EINVAL }
  return try write(thread, descriptor, vector, count, offset == -1 ? nil : Int64(offset), flags.value)
}

private func read(
  _ thread: Thread, _ descriptor: Descriptor, _ vector: Vector, _ count: Int, _ position: Int64?,
  _ flags: ReadWriteFlags = []
) throws(Errno) -> Int {
  let file = try thread.process.files.file(at: descriptor.value)
  let (segments, total) = try IOVector.load(vector.address, count: count)
  guard file.isReadable || position != nil else { throw .EBADF }
  if total == 0, file.isReadable, position == nil || file.hasPositions { return file.didRead(0, notesNothing: true) }
  // RWF_NOWAIT is for files whose every operation could tell whether it would wait: tmpfs has none.
  guard flags.isSubset(of: [.RWF_HIPRI, .RWF_DSYNC, .RWF_SYNC, .RWF_APPEND]) else { throw .EOPNOTSUPP }
  var writer = UserWriter(segments, total: total)
  return file.didRead(try file.read(into: &writer, at: position), notesNothing: true)
}

private func write(
  _ thread: Thread, _ descriptor: Descriptor, _ vector: Vector, _ count: Int, _ position: Int64?,
  _ flags: ReadWriteFlags = []
) throws(Errno) -> Int {
  let file = try thread.process.files.file(at: descriptor.value)
  let (segments, total) = try IOVector.load(vector.address, count: count)
  guard file.isWritable || position != nil else { throw .EBADF }
  if total == 0, file.isWritable, position == nil || file.hasPositions { return 0 }
  guard flags.isSubset(of: [.RWF_HIPRI, .RWF_DSYNC, .RWF_SYNC, .RWF_APPEND]) else { throw .EOPNOTSUPP }
  var target = position
  var room = total
  if flags.contains(.RWF_APPEND), file.inode.isRegularFile {
    if file.isWritable, Int64(total) > .max - max(position ?? file.offset, 0) { throw .EINVAL }
    let size = file.inode.size
    if size == .max, file.isWritable { throw .EFBIG }
    target = size
    room = Int(min(Int64(total), .max - size))
  }
  var reader = UserReader(segments, total: try limitedCount(thread, file, target, room))
  let written: Int
  do throws(Errno) { written = try didWrite(thread, file, try file.write(from: &reader, at: target)) } catch {
    throw writeError(thread, file, error)
  }
  if let target, position == nil { file.offset = target &+ Int64(written) }
  if !flags.isDisjoint(with: [.RWF_DSYNC, .RWF_SYNC]) {
    try file.synchronize(dataOnly: !flags.contains(.RWF_SYNC))
  }
  return written
}

/// Moves the position of a description. See lseek(2).
func lseek(_ thread: Thread, _ descriptor: Descriptor, _ offset: Int, _ whence: Named<SeekWhence>) throws(Errno) -> Int
{
  let file = try thread.process.files.file(at: descriptor.value)
  guard let origin = SeekWhence(rawValue: whence.rawValue) else { throw .EINVAL }
  return Int(try file.seek(Int64(offset), origin))
}
