internal import Kernel
public import LinuxABI
internal import Process
public import Support
internal import VFSCore

// Argument types of the system calls about files, and what several of those calls need.

extension IoctlRequest: SyscallArgument {
  public init(register: UInt64) { self.init(rawValue: UInt32(truncatingIfNeeded: register)) }
  public func describe(_ context: TraceContext, into line: inout TextBuffer) {
    if let name { line.append(name) } else { line.append(address: UInt(rawValue)) }
  }
}

/// A device number argument, as mknod(2) takes it.
struct Device: SyscallArgument {
  let value: DeviceNumber
  init(register: UInt64) { value = DeviceNumber(encoded: register & 0xffff_ffff) }
  func describe(_ context: TraceContext, into line: inout TextBuffer) {
    line.append("makedev(")
    line.append(address: UInt(value.major))
    line.append(", ")
    line.append(address: UInt(value.minor))
    line.append(")")
  }
}

/// A user or group id argument; -1 stands for none.
struct OptionalID: SyscallArgument {
  let value: UInt32?
  init(register: UInt64) {
    let id = UInt32(truncatingIfNeeded: register)
    value = id == .max ? nil : id
  }
  func describe(_ context: TraceContext, into line: inout TextBuffer) {
    if let value { line.append(decimal: UInt(value)) } else { line.append("-1") }
  }
}

/// A path that the call writes, such as readlink's; its length is the result.
struct OutPath: SyscallArgument {
  let address: UInt
  init(register: UInt64) { address = UInt(register) }
  func describe(_ context: TraceContext, into line: inout TextBuffer) {
    guard context.result > 0, let bytes = try? UserMemory.bytes(at: address, count: context.result) else {
      describeAddress(address, into: &line)
      return
    }
    // getcwd(2) counts the NUL, readlink(2) has none.
    let text = bytes.last == 0 ? Array(bytes.dropLast()) : bytes
    describeBytes(text, isCut: false, into: &line)
  }
}

extension Descriptor {
  /// The directory that an `…at` system call starts from, nil for the working directory.
  ///
  /// - Throws: `EBADF`.
  func base(_ thread: Thread, for path: [UInt8]) throws(Errno) -> OpenFile? {
    try thread.process.files.base(value, for: path)
  }
}

extension Thread {
  /// Sends a signal that a call of this thread's own caused, SIGPIPE or SIGXFSZ.
  @inline(never)
  func raise(_ signal: Signal) {
    send(.kill(signal, pid: process.pid, uid: process.fileSystem.credentials.userID))
  }

  /// Checks that a file may grow to `size` bytes; a file that is that large already may stay so.
  ///
  /// - Throws: `EFBIG` after SIGXFSZ, beyond RLIMIT_FSIZE.
  func checkFileSize(_ size: Int64, of inode: Inode) throws(Errno) {
    guard let limit = process.limits.fileSize, UInt64(bitPattern: size) > limit, size > inode.size else { return }
    raise(.SIGXFSZ)
    throw .EFBIG
  }
}

extension UserString {
  /// Whether it is the empty string.
  ///
  /// - Throws: `EFAULT`.
  @inline(__always)
  func isEmpty() throws(Errno) -> Bool { try UserMemory.load(UInt8.self, at: address) == 0 }
}

extension Identity {
  /// What access(2) looks at: the real ids, with the capabilities that go with them.
  var realCredentials: Credentials {
    var result = fileCredentials
    if user.real == user.fileSystem, group.real == group.fileSystem { return result }
    result.userID = user.real
    result.groupID = group.real
    // As if the real id had always been the effective one.
    result.isPrivileged = user.real == 0 && capabilities.permitted & 2 != 0
    return result
  }
}
