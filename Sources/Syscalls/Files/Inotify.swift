internal import Kernel
internal import LinuxABI
internal import Process
internal import VFSCore

/// inotify(7)'s calls.
let inotifySyscalls: [Syscall] = [
  Syscall(253, "inotify_init", .descriptor, inotifyInit),
  Syscall(254, "inotify_add_watch", inotifyAddWatch),
  Syscall(255, "inotify_rm_watch", .none, inotifyRemoveWatch),
  Syscall(294, "inotify_init1", .descriptor, inotifyInit1),
]

/// Makes an instance. See inotify_init(2).
func inotifyInit(_ thread: Thread) throws(Errno) -> Int { try makeInstance(thread, []) }

/// Makes an instance, with flags. See inotify_init1(2).
func inotifyInit1(_ thread: Thread, _ flags: Flags<InotifyInitFlags>) throws(Errno) -> Int {
  guard flags.value.isSubset(of: [.IN_CLOEXEC, .IN_NONBLOCK]) else { throw .EINVAL }
  return try makeInstance(thread, flags.value)
}

private func makeInstance(_ thread: Thread, _ flags: InotifyInitFlags) throws(Errno) -> Int {
  let process = thread.process
  let file = try InotifyFile(process.fileSystem, isNonBlocking: flags.contains(.IN_NONBLOCK))
  return Int(try process.files.insert(file, closeOnExec: flags.contains(.IN_CLOEXEC)))
}

private func instance(_ thread: Thread, _ descriptor: Descriptor) throws(Errno) -> InotifyFile {
  guard let file = try thread.process.files.file(at: descriptor.value) as? InotifyFile else { throw .EINVAL }
  return file
}

/// Watches a file. See inotify_add_watch(2).
func inotifyAddWatch(
  _ thread: Thread, _ descriptor: Descriptor, _ path: UserString, _ mask: Flags<InotifyEvents>
) throws(Errno) -> Int {
  let mask = mask.value
  guard mask.isSubset(of: .accepted), !mask.isEmpty, !mask.isSuperset(of: [.IN_MASK_ADD, .IN_MASK_CREATE]) else {
    throw .EINVAL
  }
  let file = try instance(thread, descriptor)
  let context = thread.process.fileSystem
  let place = try context.resolve(try path.path(), follow: !mask.contains(.IN_DONT_FOLLOW))
  if mask.contains(.IN_ONLYDIR), !place.inode.isDirectory { throw .ENOTDIR }
  guard place.inode.allows(.R_OK, context.credentials) else { throw .EACCES }
  return Int(try file.watch(place.inode, mask))
}

/// Watches a file no longer. See inotify_rm_watch(2).
func inotifyRemoveWatch(_ thread: Thread, _ descriptor: Descriptor, _ number: Int32) throws(Errno) -> Int {
  try instance(thread, descriptor).removeWatch(number)
  return 0
}
