internal import Kernel
internal import LinuxABI
internal import Process
internal import Support
internal import VFSCore

/// execve(2) and execveat(2).
let executeSyscalls: [Syscall] = [
  Syscall(59, "execve", .none, execve),
  Syscall(322, "execveat", .none, execveat),
]

/// Replaces the program. See execve(2).
func execve(
  _ thread: Thread, _ path: UserString, _ arguments: Address, _ environment: Address
) throws(Errno) -> Int {
  try execute(thread, try path.path(), opened: nil, arguments, environment)
}

/// Replaces the program by a file that a descriptor and a path name. See execveat(2).
func execveat(
  _ thread: Thread, _ directory: Descriptor, _ path: UserString, _ arguments: Address, _ environment: Address,
  _ flags: Flags<AtFlags>
) throws(Errno) -> Int {
  guard AtFlags([.AT_EMPTY_PATH, .AT_SYMLINK_NOFOLLOW]).isSuperset(of: flags.value) else { throw .EINVAL }
  let name = try path.path()
  if name.isEmpty, !flags.value.contains(.AT_EMPTY_PATH) { throw .ENOENT }
  let base = try thread.process.files.base(directory.value, for: name)
  if base == nil, flags.value.isEmpty { return try execute(thread, name, opened: nil, arguments, environment) }
  let file = try thread.process.fileSystem.openExecutable(name, at: base, flags.value)
  // What the program and a script's interpreter see as its path.
  let shown = [UInt8]("/dev/fd/") + decimal(directory.value) + (name.isEmpty ? [] : [UInt8(ascii: "/")] + name)
  return try execute(thread, shown, opened: file, arguments, environment)
}

private func decimal(_ value: Int32) -> [UInt8] {
  var digits: [UInt8] = []
  var rest = value.magnitude
  repeat {
    digits.insert(UInt8(ascii: "0") + UInt8(rest % 10), at: 0)
    rest /= 10
  } while rest > 0
  return digits
}

private func execute(
  _ thread: Thread, _ path: [UInt8], opened: OpenFile?, _ arguments: Address, _ environment: Address
) throws(Errno) -> Int {
  var room = argumentRoom(thread)
  let argumentStrings = try strings(arguments.value, &room)
  let environmentStrings = try strings(environment.value, &room)
  do {
    try thread.process.execute(
      path, arguments: argumentStrings, environment: environmentStrings, opened: opened, on: thread)
  } catch {
    thread.process.system.log(.info) { $0.append(bytes: error.message) }
    throw error.errno
  }
  return 0
}

/// Bytes that arguments and environment may take: a quarter of the stack, three quarters of 8 MiB at most.
private func argumentRoom(_ thread: Thread) -> Int {
  Int(truncatingIfNeeded: min((thread.process.limits[3]?.rlim_cur ?? 8 << 20) / 4, 6 << 20))
}

/// Reads a null-terminated array of strings.
///
/// - Throws: `EFAULT`, `E2BIG`.
private func strings(_ array: UInt, _ room: inout Int) throws(Errno) -> [[UInt8]] {
  var result: [[UInt8]] = []
  // Linux takes a null array for an empty one.
  if array == 0 { return result }
  var at = array
  while true {
    let pointer = try UserMemory.load(UInt.self, at: at)
    if pointer == 0 { return result }
    guard let string = try UserMemory.string(at: pointer, limit: min(room, 131_072)) else { throw .E2BIG }
    room -= string.count + 9
    if room < 0 { throw .E2BIG }
    result.append(string)
    at &+= 8
  }
}
