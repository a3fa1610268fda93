// Names are spelled as in Linux, so that grep and the man pages work.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

internal import Kernel
internal import LinuxABI
internal import Mmap
internal import Polling
internal import Process
internal import Support
internal import VFSCore

/// What reaches into other processes: their memory, and what they have in common.
let otherProcessSyscalls: [Syscall] = [
  Syscall(310, "process_vm_readv", process_vm_readv),
  Syscall(311, "process_vm_writev", process_vm_writev),
  Syscall(312, "kcmp", kcmp),
  Syscall(440, "process_madvise", process_madvise),
]

/// The thread of a number, which the caller must be allowed to trace. See ptrace(2), "Ptrace access mode checking".
///
/// - Throws: `ESRCH`, `EPERM`.
private func traceable(_ thread: Thread, _ tid: Int32) throws(Errno) -> Thread {
  guard let target = thread.process.system.thread(tid) else { throw .ESRCH }
  guard mayTrace(thread, target.process) else { throw .EPERM }
  return target
}

func mayTrace(_ thread: Thread, _ target: UserProcess) -> Bool {
  if target === thread.process { return true }
  let mine = thread.process.identity
  if mine.has(Identity.Capability.CAP_SYS_PTRACE) { return true }
  func owns(_ id: UInt32, _ ids: Identity.IDs) -> Bool { id == ids.real && id == ids.effective && id == ids.saved }
  return target.isDumpable && owns(mine.user.real, target.identity.user)
    && owns(mine.group.real, target.identity.group)
}

// MARK: process_vm_readv(2)

/// Copies from another process's memory. See process_vm_readv(2).
func process_vm_readv(
  _ thread: Thread, _ pid: Int32, _ local: Address, _ localCount: UInt, _ remote: Address, _ remoteCount: UInt,
  _ flags: UInt
) throws(Errno) -> Int {
  guard let transfer = try Transfer(thread, pid, local, localCount, remote, remoteCount, flags) else { return 0 }
  var writer = UserWriter(transfer.local, total: transfer.total)
  return try transfer.run(.read) { physical, count throws(Errno) in try writer.write(physical: physical, count: count) }
}

/// Copies into another process's memory. See process_vm_writev(2).
func process_vm_writev(
  _ thread: Thread, _ pid: Int32, _ local: Address, _ localCount: UInt, _ remote: Address, _ remoteCount: UInt,
  _ flags: UInt
) throws(Errno) -> Int {
  guard let transfer = try Transfer(thread, pid, local, localCount, remote, remoteCount, flags) else { return 0 }
  var reader = UserReader(transfer.local, total: transfer.total)
  return try transfer.run(.write) { physical, count throws(Errno) in try reader.read(physical: physical, count: count) }
}

/// One call that copies between the caller's memory and another's.
private struct Transfer {
  let local: [IOVec]
  /// Bytes that there is room for on this side.
  let total: Int
  private let remote: [IOVec]
  private let memory: AddressSpace

  /// Nil where there is nothing to copy.
  init?(
    _ thread: Thread, _ pid: Int32, _ local: Address, _ localCount: UInt, _ remote: Address, _ remoteCount: UInt,
    _ flags: UInt
  ) throws(Errno) {
    guard flags == 0 else { throw .EINVAL }
    (self.local, total) = try IOVector.load(local.value, count: Int(clamping: localCount))
    for segment in self.local where !UserAddress.isValid(UInt(segment.iov_base), Int(segment.iov_len)) {
      throw .EFAULT
    }
    if total == 0 { return nil }
    let far = try IOVector.load(remote.value, count: Int(clamping: remoteCount))
    self.remote = far.segments
    if far.total == 0 { return nil }
    let target = try traceable(thread, pid).process
    guard target.exitStatus == nil else { throw .ESRCH }
    memory = target.memory
  }

  /// Calls `copy` with one piece of the other side's memory after another, until a side ends or cannot be reached.
  ///
  /// - Returns: Bytes copied.
  /// - Throws: `EFAULT` when nothing at all was.
  func run(_ access: MemoryAccess, _ copy: (UInt, Int) throws(Errno) -> Int) throws(Errno) -> Int {
    var done = 0
    for segment in remote {
      var at = UInt(segment.iov_base)
      var left = min(Int(segment.iov_len), total - done)
      while left > 0 {
        let piece = min(left, pageSize - Int(at & UInt(pageSize - 1)))
        var copied = 0
        do throws(Errno) {
          // The frame is held: this side's copy may sleep, and the other side's memory may change meanwhile.
          copied = try memory.withFrame(at: at, access) { physical throws(Errno) in try copy(physical, piece) }
        } catch {
          if done == 0 { throw error }
        }
        done += copied
        if copied < piece { return done }
        at &+= UInt(piece)
        left -= piece
      }
    }
    return done
  }
}

// MARK: process_madvise(2)

/// Gives advice about another process's memory. See process_madvise(2).
func process_madvise(
  _ thread: Thread, _ descriptor: Descriptor, _ vector: Address, _ count: UInt, _ advice: Named<MemoryAdvice>,
  _ flags: UInt32
) throws(Errno) -> Int {
  guard flags == 0 else { throw .EINVAL }
  let ranges = try IOVector.load(vector.value, count: Int(clamping: count)).segments
  guard let file = try thread.process.files.file(at: descriptor.value) as? PidFD else { throw .EBADF }
  let target = file.process
  guard target.exitStatus == nil else { throw .ESRCH }
  switch MemoryAdvice(rawValue: advice.rawValue) {
  case .MADV_COLD, .MADV_PAGEOUT, .MADV_WILLNEED, .MADV_COLLAPSE: break
  default: throw .EINVAL
  }
  guard mayTrace(thread, target), thread.process.identity.has(Identity.Capability.CAP_SYS_NICE) else { throw .EPERM }
  var done = 0
  for range in ranges {
    do throws(Errno) {
      try target.memory.advise(UInt(range.iov_base), length: UInt(range.iov_len), advice.rawValue)
    } catch {
      if done == 0 { throw error }
      return done
    }
    done += Int(range.iov_len)
  }
  return done
}

// MARK: kcmp(2)

/// Says whether two threads have something in common. See kcmp(2).
func kcmp(
  _ thread: Thread, _ first: Int32, _ second: Int32, _ type: Int32, _ firstIndex: UInt, _ secondIndex: UInt
) throws(Errno) -> Int {
  let one = try traceable(thread, first)
  let other = try traceable(thread, second)
  func order(_ left: ObjectIdentifier?, _ right: ObjectIdentifier?) -> Int {
    if left == right { return 0 }
    // An order that tells nothing of addresses; the factor is odd, so different ones stay different.
    func number(_ object: ObjectIdentifier?) -> UInt {
      (object.map { UInt(bitPattern: $0) } ?? 0) &* 0x9e37_79b9_7f4a_7c15 ^ 0x5bd1_e995
    }
    return number(left) < number(right) ? 1 : 2
  }
  func file(_ thread: Thread, _ index: UInt) throws(Errno) -> ObjectIdentifier {
    guard let fd = Int32(exactly: index) else { throw .EBADF }
    return ObjectIdentifier(try thread.process.files.anyFile(at: fd))
  }
  switch type {
  case KcmpType.KCMP_FILE:
    return order(try file(one, firstIndex), try file(other, secondIndex))
  case KcmpType.KCMP_VM: return order(ObjectIdentifier(one.process.memory), ObjectIdentifier(other.process.memory))
  case KcmpType.KCMP_FILES: return order(ObjectIdentifier(one.process.files), ObjectIdentifier(other.process.files))
  case KcmpType.KCMP_FS:
    return order(ObjectIdentifier(one.process.fileSystem), ObjectIdentifier(other.process.fileSystem))
  case KcmpType.KCMP_SIGHAND: return order(one.process.signals.sharedActions, other.process.signals.sharedActions)
  // Nothing is known of input and output beyond its priority, so nobody has a context of it.
  case KcmpType.KCMP_IO: return 0
  case KcmpType.KCMP_SYSVSEM:
    return order(one.semaphoreUndo.map { ObjectIdentifier($0) }, other.semaphoreUndo.map { ObjectIdentifier($0) })
  case KcmpType.KCMP_EPOLL_TFD:
    // struct kcmp_epoll_slot: the instance, the number under which a file was added to it, and which of several.
    let slot = try UserMemory.load(UInt64.self, at: secondIndex)
    let place = try UserMemory.load(UInt32.self, at: secondIndex &+ 8)
    let left = try file(one, firstIndex)
    guard let epoll = try other.process.files.anyFile(at: Int32(truncatingIfNeeded: slot)) as? EpollInstance else {
      throw .EINVAL
    }
    guard let watched = epoll.file(addedAs: Int32(truncatingIfNeeded: slot >> 32), place) else { throw .ENOENT }
    return order(left, ObjectIdentifier(watched))
  default: throw .EINVAL
  }
}
