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

/// The buffers of readv(2) or writev(2); their number is the next argument.
struct Vector: SyscallArgument {
  let address: UInt
  init(register: UInt64) { address = UInt(register) }
  func describe(_ context: TraceContext, into line: inout TextBuffer) {
    let count = Int(truncatingIfNeeded: context.next)
    guard count > 0, let (segments, _) = try? IOVector.load(address, count: count) else {
      describeAddress(address, into: &line)
      return
    }
    // Buffers that were not reached show as addresses.
    var left = max(context.result, 0)
    line.append("[")
    for index in segments.indices.prefix(16) {
      if index > 0 { line.append(", ") }
      let length = Int(segments[index].iov_len)
      let shown = min(left, length)
      left -= shown
      line.append("{iov_base=")
      if shown > 0, let bytes = try? UserMemory.bytes(at: UInt(segments[index].iov_base), count: min(shown, 32)) {
        describeBytes(bytes, isCut: shown > 32, into: &line)
      } else {
        describeAddress(UInt(segments[index].iov_base), into: &line)
      }
      line.append(", iov_len=")
      line.append(decimal: length)
      line.append("}")
    }
    line.append(segments.count > 16 ? ", ...]" : "]")
  }
}

/// The files of poll(2); their number is the next argument.
struct PollArray: SyscallArgument {
  let entries: UserMutablePointer<PollFD>
  init(register: UInt64) { entries = UserMutablePointer(UInt(register)) }
  func describe(_ context: TraceContext, into line: inout TextBuffer) {
    let count = UInt32(truncatingIfNeeded: context.next)
    line.append("[")
    for index in 0..<Int(min(count, 16)) {
      guard let entry = try? entries.advanced(by: index).load() else { break }
      if index > 0 { line.append(", ") }
      line.append("{fd=")
      line.append(decimal: Int(entry.fd))
      line.append(", events=")
      entry.events.writeNames { line.append(byte: $0) }
      if context.result > 0 {
        line.append(", revents=")
        entry.revents.writeNames { line.append(byte: $0) }
      }
      line.append("}")
    }
    line.append(count > 16 ? ", ...]" : "]")
  }
}

extension EpollEvent: TracedStruct {
  public func describe(into line: inout TextBuffer) {
    line.append("{events=")
    events.writeNames { line.append(byte: $0) }
    line.append(", data=")
    line.append(address: UInt(data))
    line.append("}")
  }
}

/// The mode of open(2), which only matters where a file may be made.
struct OpenMode: SyscallArgument {
  let value: FileMode
  init(register: UInt64) { value = FileMode(rawValue: UInt32(truncatingIfNeeded: register)) }
  func describe(_ context: TraceContext, into line: inout TextBuffer) {
    value.permissions.writeNames { line.append(byte: $0) }
  }
  func isUsed(_ context: TraceContext) -> Bool {
    // The flags are the argument in front.
    let flags = OpenFlags(rawValue: UInt32(truncatingIfNeeded: context.registers[context.index - 1]))
    return flags.contains(.O_CREAT) || flags.contains(.__O_TMPFILE)
  }
}

extension Stat: TracedStruct {
  public func describe(into line: inout TextBuffer) {
    line.append("{st_mode=")
    st_mode.writeNames { line.append(byte: $0) }
    if st_mode.type == .S_IFCHR || st_mode.type == .S_IFBLK {
      line.append(", st_rdev=")
      Device(register: st_rdev).describe(into: &line)
    } else {
      line.append(", st_size=")
      line.append(decimal: Int(st_size))
    }
    line.append(", ...}")
  }
}

extension Statx: TracedStruct {
  public func describe(into line: inout TextBuffer) {
    line.append("{stx_mask=")
    stx_mask.writeNames { line.append(byte: $0) }
    line.append(", stx_mode=")
    FileMode(rawValue: UInt32(stx_mode)).writeNames { line.append(byte: $0) }
    line.append(", stx_size=")
    line.append(decimal: UInt(stx_size))
    line.append(", ...}")
  }
}

extension Statfs: TracedStruct {
  public func describe(into line: inout TextBuffer) {
    line.append("{f_type=")
    line.append(address: UInt(truncatingIfNeeded: f_type))
    line.append(", f_bsize=")
    line.append(decimal: Int(f_bsize))
    line.append(", f_blocks=")
    line.append(decimal: UInt(f_blocks))
    line.append(", f_bfree=")
    line.append(decimal: UInt(f_bfree))
    line.append(", ...}")
  }
}

/// A device number argument, as mknod(2) takes it.
struct Device: SyscallArgument {
  let value: DeviceNumber
  init(register: UInt64) { value = DeviceNumber(encoded: register & 0xffff_ffff) }
  func describe(_ context: TraceContext, into line: inout TextBuffer) { describe(into: &line) }
  func describe(into line: inout TextBuffer) {
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
  /// - Throws: `EBADF`; `ENOENT` in its place for an empty path without `AT_EMPTY_PATH`, which is looked at first.
  func base(_ thread: Thread, for path: [UInt8], _ flags: AtFlags = []) throws(Errno) -> OpenFile? {
    do throws(Errno) { return try thread.process.files.base(value, for: path) } catch {
      throw path.isEmpty && !flags.contains(.AT_EMPTY_PATH) ? .ENOENT : error
    }
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

extension Thread {
  /// Takes the set-user-id and set-group-id bits of a file that this thread is about to write to, where they go.
  @inline(__always)
  func removePrivileges(of file: OpenFile) throws(Errno) {
    let inode = file.inode
    if inode.mode.rawValue & 0o6000 != 0, file.isWritable,
      try !process.fileSystem.removePrivileges(of: inode).isEmpty
    {
      file.path.note(.IN_ATTRIB)
    }
  }
}

extension OpenFile {
  /// Whether it is /dev/null, which Linux does not move bytes from inside the kernel, though it does to.
  var isNullDevice: Bool { inode.type == .S_IFCHR && inode.device.encoded == 0x103 }
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
