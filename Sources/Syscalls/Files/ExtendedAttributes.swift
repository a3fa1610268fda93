internal import Kernel
internal import LinuxABI
internal import Process
internal import Support
internal import VFSCore

/// The calls about extended attributes. See xattr(7).
let extendedAttributeSyscalls: [Syscall] = [
  Syscall(188, "setxattr", .none, setxattr),
  Syscall(189, "lsetxattr", .none, lsetxattr),
  Syscall(190, "fsetxattr", .none, fsetxattr),
  Syscall(191, "getxattr", getxattr),
  Syscall(192, "lgetxattr", lgetxattr),
  Syscall(193, "fgetxattr", fgetxattr),
  Syscall(194, "listxattr", listxattr),
  Syscall(195, "llistxattr", llistxattr),
  Syscall(196, "flistxattr", flistxattr),
  Syscall(197, "removexattr", .none, removexattr),
  Syscall(198, "lremovexattr", .none, lremovexattr),
  Syscall(199, "fremovexattr", .none, fremovexattr),
]

/// Reads the name of an attribute.
///
/// - Throws: `ERANGE` when it is empty or too long, `EFAULT`.
private func attributeName(_ name: UserString) throws(Errno) -> [UInt8] {
  guard let text = try UserMemory.string(at: name.address, limit: PathLimits.XATTR_NAME_MAX + 1), !text.isEmpty else {
    throw .ERANGE
  }
  return text
}

// MARK: Setting

/// Sets an attribute. See setxattr(2).
func setxattr(
  _ thread: Thread, _ path: UserString, _ name: UserString, _ value: InBuffer, _ size: UInt,
  _ flags: Flags<ExtendedAttributeFlags>
) throws(Errno) -> Int {
  try set(thread, try thread.process.fileSystem.resolve(try path.path()), name, value, size, flags.value)
}

/// As setxattr(2), for a symbolic link itself.
func lsetxattr(
  _ thread: Thread, _ path: UserString, _ name: UserString, _ value: InBuffer, _ size: UInt,
  _ flags: Flags<ExtendedAttributeFlags>
) throws(Errno) -> Int {
  try set(thread, try thread.process.fileSystem.resolve(try path.path(), follow: false), name, value, size, flags.value)
}

/// As setxattr(2), for an open file.
func fsetxattr(
  _ thread: Thread, _ descriptor: Descriptor, _ name: UserString, _ value: InBuffer, _ size: UInt,
  _ flags: Flags<ExtendedAttributeFlags>
) throws(Errno) -> Int {
  try set(thread, try thread.process.files.file(at: descriptor.value).path, name, value, size, flags.value)
}

private func set(
  _ thread: Thread, _ place: Path, _ name: UserString, _ value: InBuffer, _ size: UInt, _ flags: ExtendedAttributeFlags
) throws(Errno) -> Int {
  guard flags.isSubset(of: [.XATTR_CREATE, .XATTR_REPLACE]) else { throw .EINVAL }
  let name = try attributeName(name)
  guard size <= UInt(PathLimits.XATTR_SIZE_MAX) else { throw .E2BIG }
  let bytes = try UserMemory.bytes(at: value.address, count: Int(size))
  try thread.process.fileSystem.setAttribute(place, name, bytes, flags)
  return 0
}

// MARK: Getting

/// Gets an attribute. See getxattr(2).
func getxattr(
  _ thread: Thread, _ path: UserString, _ name: UserString, _ buffer: OutBuffer, _ size: UInt
) throws(Errno) -> Int {
  try get(thread, try thread.process.fileSystem.resolve(try path.path()), name, buffer, size)
}

/// As getxattr(2), for a symbolic link itself.
func lgetxattr(
  _ thread: Thread, _ path: UserString, _ name: UserString, _ buffer: OutBuffer, _ size: UInt
) throws(Errno) -> Int {
  try get(thread, try thread.process.fileSystem.resolve(try path.path(), follow: false), name, buffer, size)
}

/// As getxattr(2), for an open file.
func fgetxattr(
  _ thread: Thread, _ descriptor: Descriptor, _ name: UserString, _ buffer: OutBuffer, _ size: UInt
) throws(Errno) -> Int {
  try get(thread, try thread.process.files.file(at: descriptor.value).path, name, buffer, size)
}

private func get(
  _ thread: Thread, _ place: Path, _ name: UserString, _ buffer: OutBuffer, _ size: UInt
) throws(Errno) -> Int {
  let value = try thread.process.fileSystem.attribute(place, try attributeName(name))
  if size > 0 {
    guard UInt(value.count) <= size else { throw .ERANGE }
    try UserMemory.store(value.rawBytes, at: buffer.address)
  }
  return value.count
}

// MARK: Listing

/// Lists the names of attributes, each with a NUL. See listxattr(2).
func listxattr(_ thread: Thread, _ path: UserString, _ buffer: OutBuffer, _ size: UInt) throws(Errno) -> Int {
  try list(thread, try thread.process.fileSystem.resolve(try path.path()), buffer, size)
}

/// As listxattr(2), for a symbolic link itself.
func llistxattr(_ thread: Thread, _ path: UserString, _ buffer: OutBuffer, _ size: UInt) throws(Errno) -> Int {
  try list(thread, try thread.process.fileSystem.resolve(try path.path(), follow: false), buffer, size)
}

/// As listxattr(2), for an open file.
func flistxattr(_ thread: Thread, _ descriptor: Descriptor, _ buffer: OutBuffer, _ size: UInt) throws(Errno) -> Int {
  try list(thread, try thread.process.files.file(at: descriptor.value).path, buffer, size)
}

private func list(_ thread: Thread, _ place: Path, _ buffer: OutBuffer, _ size: UInt) throws(Errno) -> Int {
  let names = try thread.process.fileSystem.attributeNames(place)
  if size > 0 {
    guard UInt(names.count) <= size else { throw .ERANGE }
    try UserMemory.store(names.rawBytes, at: buffer.address)
  }
  return names.count
}

// MARK: Removing

/// Removes an attribute. See removexattr(2).
func removexattr(_ thread: Thread, _ path: UserString, _ name: UserString) throws(Errno) -> Int {
  let fileSystem = thread.process.fileSystem
  try fileSystem.removeAttribute(try fileSystem.resolve(try path.path()), try attributeName(name))
  return 0
}

/// As removexattr(2), for a symbolic link itself.
func lremovexattr(_ thread: Thread, _ path: UserString, _ name: UserString) throws(Errno) -> Int {
  let fileSystem = thread.process.fileSystem
  try fileSystem.removeAttribute(try fileSystem.resolve(try path.path(), follow: false), try attributeName(name))
  return 0
}

/// As removexattr(2), for an open file.
func fremovexattr(_ thread: Thread, _ descriptor: Descriptor, _ name: UserString) throws(Errno) -> Int {
  let process = thread.process
  let place = try process.files.file(at: descriptor.value).path
  try process.fileSystem.removeAttribute(place, try attributeName(name))
  return 0
}
