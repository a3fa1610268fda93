internal import Kernel
internal import LinuxABI
internal import Process
internal import VFSCore

/// mount(2) and umount2(2).
let mountSyscalls: [Syscall] = [
  Syscall(165, "mount", .none, mount),
  Syscall(166, "umount2", .none, umount2),
]

/// Mounts a file system, binds a directory to another place, or changes a mount. See mount(2).
func mount(
  _ thread: Thread, _ source: UserString, _ target: UserString, _ type: UserString, _ flags: Flags<MountFlags>,
  _ data: UserString
) throws(Errno) -> Int {
  let typeName = try type.optional()
  let sourceText = try source.optional()
  let options = try data.optional() ?? []
  var flags = flags.value
  if flags.rawValue & 0xffff_0000 == MountFlags.MS_MGC_VAL.rawValue {
    flags = MountFlags(rawValue: flags.rawValue & ~0xffff_0000)
  }
  try thread.process.fileSystem.mount(
    source: sourceText, at: try target.path(), type: typeName, flags, options: options)
  return 0
}

/// Takes a mount away. See umount2(2).
func umount2(_ thread: Thread, _ target: UserString, _ flags: Flags<UnmountFlags>) throws(Errno) -> Int {
  let flags = flags.value
  guard flags.rawValue & ~0xf == 0 else { throw .EINVAL }
  try thread.process.fileSystem.unmount(try target.path(), flags)
  return 0
}

extension UserString {
  /// Reads the string of up to a page, nil for a null pointer.
  ///
  /// - Throws: `EFAULT`, `EINVAL` when it is longer.
  fileprivate func optional() throws(Errno) -> [UInt8]? {
    if address == 0 { return nil }
    guard let text = try UserMemory.string(at: address, limit: pageSize) else { throw .EINVAL }
    return text
  }
}
