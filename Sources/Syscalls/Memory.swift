// Names are spelled as in Linux, so that grep and the man pages work.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

internal import Kernel
internal import LinuxABI
internal import Mmap
internal import Process
internal import Support
internal import VFSCore

/// mmap(2) and its family.
let memorySyscalls: [Syscall] = [
  Syscall(9, "mmap", .address, mmap),
  Syscall(10, "mprotect", .none, mprotect),
  Syscall(11, "munmap", .none, munmap),
  Syscall(12, "brk", .address, brk),
  Syscall(25, "mremap", .address, mremap),
  Syscall(26, "msync", .none, msync),
  Syscall(27, "mincore", .none, mincore),
  Syscall(28, "madvise", .none, madvise),
  Syscall(149, "mlock", .none, mlock),
  Syscall(150, "munlock", .none, munlock),
  Syscall(151, "mlockall", .none, mlockall),
  Syscall(152, "munlockall", .none, munlockall),
  Syscall(325, "mlock2", .none, mlock2),
  Syscall(329, "pkey_mprotect", .none, pkey_mprotect),
  Syscall(330, "pkey_alloc", pkey_alloc),
  Syscall(331, "pkey_free", .none, pkey_free),
]

/// Maps files or memory. See mmap(2).
func mmap(
  _ thread: Thread, _ address: Address, _ length: UInt, _ protection: Flags<MemoryProtection>,
  _ flags: Flags<MappingFlags>, _ descriptor: Descriptor, _ offset: Int
) throws(Errno) -> Int {
  var file: (file: OpenFile, offset: UInt64)?
  if !flags.value.contains(.MAP_ANONYMOUS) {
    file = (try thread.process.files.file(at: descriptor.value), UInt64(bitPattern: Int64(offset)))
  } else if flags.value.contains(.MAP_HUGETLB) {
    // Linux without a pool of huge pages.
    throw .ENOMEM
  }
  let start = try thread.process.memory.map(address.value, length: length, protection.value, flags.value, file: file)
  if let file = file?.file, file.inode.isRegularFile, !file.flags.contains(.O_NOATIME) {
    file.inode.didAccess(on: file.path.mount)
  }
  return Int(bitPattern: start)
}

/// Changes the protection of pages. See mprotect(2).
func mprotect(_ thread: Thread, _ address: Address, _ length: UInt, _ protection: Flags<MemoryProtection>) throws(Errno)
  -> Int
{
  try thread.process.memory.protect(address.value, length: length, protection.value)
  return 0
}

/// Changes the protection of pages, with a key that there is none of; -1 is no key. See pkey_mprotect(2).
func pkey_mprotect(
  _ thread: Thread, _ address: Address, _ length: UInt, _ protection: Flags<MemoryProtection>, _ key: Int32
) throws(Errno) -> Int {
  guard key == -1 else { throw .EINVAL }
  return try mprotect(thread, address, length, protection)
}

/// Allocates a protection key. Linux fails so on an x86 processor without protection keys, whatever the man page says.
/// See pkey_alloc(2).
func pkey_alloc(_ thread: Thread, _ flags: UInt, _ rights: UInt) throws(Errno) -> Int { throw .EINVAL }

/// Frees a protection key. See pkey_free(2).
func pkey_free(_ thread: Thread, _ key: Int32) throws(Errno) -> Int { throw .EINVAL }

/// Unmaps. See munmap(2).
func munmap(_ thread: Thread, _ address: Address, _ length: UInt) throws(Errno) -> Int {
  try thread.process.memory.unmap(address.value, length: length)
  return 0
}

/// Moves the end of the heap. See brk(2).
func brk(_ thread: Thread, _ address: Address) throws(Errno) -> Int {
  Int(bitPattern: thread.process.memory.moveHeapEnd(address.value))
}

/// Resizes and moves a mapping. See mremap(2).
func mremap(
  _ thread: Thread, _ old: Address, _ oldLength: UInt, _ newLength: UInt, _ flags: Flags<RemapFlags>, _ new: Address
) throws(Errno) -> Int {
  Int(
    bitPattern: try thread.process.memory.remap(
      old.value, oldLength: oldLength, newLength: newLength, flags.value, newAddress: new.value))
}

/// Writes a mapping back to its file. See msync(2).
func msync(_ thread: Thread, _ address: Address, _ length: UInt, _ flags: Flags<SyncFlags>) throws(Errno) -> Int {
  try thread.process.memory.sync(address.value, length: length, flags.value)
  return 0
}

/// Says which pages are in memory. See mincore(2).
func mincore(_ thread: Thread, _ address: Address, _ length: UInt, _ result: Address) throws(Errno) -> Int {
  guard address.value & UInt(pageSize - 1) == 0 else { throw .EINVAL }
  let memory = thread.process.memory
  // In pieces, as the kernel's own buffer has an end.
  var done: UInt = 0
  repeat {
    let piece = min(length - done, 4096 << pageShift)
    let (start, overflow) = address.value.addingReportingOverflow(done)
    if overflow { throw .ENOMEM }
    let residency = try memory.residency(start, length: piece)
    try UserMemory.store(residency.rawBytes, at: result.value &+ done >> pageShift)
    done += piece
  } while done < length
  return 0
}

/// Gives advice about pages. See madvise(2).
func madvise(_ thread: Thread, _ address: Address, _ length: UInt, _ advice: Named<MemoryAdvice>) throws(Errno) -> Int {
  try thread.process.memory.advise(address.value, length: length, advice.rawValue)
  return 0
}

/// Locks pages in memory. See mlock(2).
func mlock(_ thread: Thread, _ address: Address, _ length: UInt) throws(Errno) -> Int {
  try thread.process.memory.setLocked(address.value, length: length, true)
  return 0
}

/// Unlocks pages. See munlock(2).
func munlock(_ thread: Thread, _ address: Address, _ length: UInt) throws(Errno) -> Int {
  try thread.process.memory.setLocked(address.value, length: length, false)
  return 0
}

/// Locks all pages. See mlockall(2).
func mlockall(_ thread: Thread, _ flags: Flags<LockAllFlags>) throws(Errno) -> Int {
  let all: LockAllFlags = [.MCL_CURRENT, .MCL_FUTURE, .MCL_ONFAULT]
  guard !flags.value.isEmpty, all.isSuperset(of: flags.value), flags.value != .MCL_ONFAULT else { throw .EINVAL }
  thread.process.memory.locksFuture = flags.value.contains(.MCL_FUTURE)
  if flags.value.contains(.MCL_CURRENT), !flags.value.contains(.MCL_ONFAULT) {
    thread.process.memory.setAllLocked(true)
  }
  return 0
}

/// Unlocks all pages. See munlockall(2).
func munlockall(_ thread: Thread) throws(Errno) -> Int {
  thread.process.memory.locksFuture = false
  thread.process.memory.setAllLocked(false)
  return 0
}

/// Locks pages when they are touched, or at once. See mlock2(2).
func mlock2(_ thread: Thread, _ address: Address, _ length: UInt, _ flags: UInt32) throws(Errno) -> Int {
  // MLOCK_ONFAULT
  guard flags & ~1 == 0 else { throw .EINVAL }
  try thread.process.memory.setLocked(address.value, length: length, true, onFault: flags & 1 != 0)
  return 0
}
