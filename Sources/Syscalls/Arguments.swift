public import Kernel
public import LinuxABI
public import Support
internal import VFSCore

// How the types of handlers' arguments come from registers and look in a trace.

extension Int: SyscallArgument {
  public init(register: UInt64) { self.init(truncatingIfNeeded: register) }
  public func describe(_ context: TraceContext, into line: inout TextBuffer) { line.append(decimal: self) }
}
extension UInt: SyscallArgument {
  public init(register: UInt64) { self.init(truncatingIfNeeded: register) }
  public func describe(_ context: TraceContext, into line: inout TextBuffer) { line.append(decimal: self) }
}
extension Int32: SyscallArgument {
  public init(register: UInt64) { self.init(truncatingIfNeeded: register) }
  public func describe(_ context: TraceContext, into line: inout TextBuffer) { line.append(decimal: Int(self)) }
}
extension UInt32: SyscallArgument {
  public init(register: UInt64) { self.init(truncatingIfNeeded: register) }
  public func describe(_ context: TraceContext, into line: inout TextBuffer) { line.append(decimal: UInt(self)) }
}

/// An address argument that is not read through: mmap's, brk's.
public struct Address: SyscallArgument {
  public let value: UInt
  public init(register: UInt64) { value = UInt(register) }
  public func describe(_ context: TraceContext, into line: inout TextBuffer) { describeAddress(value, into: &line) }
}

/// A file descriptor argument. Only the low 32 bits count, as in Linux.
public struct Descriptor: SyscallArgument {
  public let value: Int32
  public init(register: UInt64) { value = Int32(truncatingIfNeeded: register) }
  public func describe(_ context: TraceContext, into line: inout TextBuffer) {
    if value == -100 {
      line.append("AT_FDCWD")
    } else {
      line.append("fd:")
      line.append(decimal: Int(value))
    }
  }
}

/// Writes `NULL` or `va:0x…`.
func describeAddress(_ address: UInt, into line: inout TextBuffer) {
  if address == 0 {
    line.append("NULL")
  } else {
    line.append("va:")
    line.append(address: address)
  }
}

/// Writes bytes as strace(1) shows a string, cut after 32 with `...`.
func describeBytes(_ bytes: [UInt8], isCut: Bool, into line: inout TextBuffer) {
  line.append("\"")
  for byte in bytes {
    switch byte {
    case UInt8(ascii: "\""): line.append("\\\"")
    case UInt8(ascii: "\\"): line.append("\\\\")
    case UInt8(ascii: "\n"): line.append("\\n")
    case UInt8(ascii: "\t"): line.append("\\t")
    case UInt8(ascii: "\r"): line.append("\\r")
    case 32..<127: line.append(byte: byte)
    default:
      line.append("\\x")
      for digit in [byte >> 4, byte & 15] { line.append(byte: digit < 10 ? 0x30 + digit : 0x37 + digit) }
    }
  }
  line.append(isCut ? "\"..." : "\"")
}

/// A path or name in the program's memory.
public struct UserString: SyscallArgument {
  public let address: UInt
  public init(register: UInt64) { address = UInt(register) }

  /// Reads it as a path.
  ///
  /// - Throws: `EFAULT`, `ENAMETOOLONG`.
  public func path() throws(Errno) -> [UInt8] { try UserMemory.path(at: address) }

  public func describe(_ context: TraceContext, into line: inout TextBuffer) {
    guard address != 0, let text = try? UserMemory.string(at: address, limit: 4096) else {
      describeAddress(address, into: &line)
      return
    }
    describeBytes(text, isCut: false, into: &line)
  }
}

/// A buffer that the call fills; its length is the next argument, its contents the result's many bytes.
public struct OutBuffer: SyscallArgument {
  public let address: UInt
  public init(register: UInt64) { address = UInt(register) }
  public func describe(_ context: TraceContext, into line: inout TextBuffer) {
    guard context.result > 0, let bytes = try? UserMemory.bytes(at: address, count: min(context.result, 32)) else {
      describeAddress(address, into: &line)
      return
    }
    line.append("<out>")
    describeBytes(bytes, isCut: context.result > 32, into: &line)
  }
}

/// A buffer that the call reads; its length is the next argument.
public struct InBuffer: SyscallArgument {
  public let address: UInt
  public init(register: UInt64) { address = UInt(register) }
  public func describe(_ context: TraceContext, into line: inout TextBuffer) {
    let count = Int(truncatingIfNeeded: min(context.next, 32))
    guard address != 0, let bytes = try? UserMemory.bytes(at: address, count: count) else {
      describeAddress(address, into: &line)
      return
    }
    describeBytes(bytes, isCut: context.next > 32, into: &line)
  }
}

extension UserPointer: SyscallArgument {
  public init(register: UInt64) { self.init(UInt(register)) }
  public func describe(_ context: TraceContext, into line: inout TextBuffer) { describeAddress(address, into: &line) }
}
extension UserMutablePointer: SyscallArgument {
  public init(register: UInt64) { self.init(UInt(register)) }
  public func describe(_ context: TraceContext, into line: inout TextBuffer) { describeAddress(address, into: &line) }
}

/// A set of flags as an argument.
public struct Flags<Set: NamedFlags>: SyscallArgument {
  public let value: Set
  public init(register: UInt64) { value = Set(rawValue: Set.RawValue(truncatingIfNeeded: register)) }
  public func describe(_ context: TraceContext, into line: inout TextBuffer) {
    value.writeNames { line.append(byte: $0) }
  }
}

/// A number out of a named set as an argument; numbers without a name are passed on as they are.
public struct Named<Value: NamedValue>: SyscallArgument {
  public let rawValue: Value.RawValue
  public init(register: UInt64) { rawValue = Value.RawValue(truncatingIfNeeded: register) }
  public func describe(_ context: TraceContext, into line: inout TextBuffer) {
    if let name = Value.name(of: rawValue) { line.append(name) } else { line.append(decimal: Int(rawValue)) }
  }
}

/// An octal mode as an argument.
public struct Mode: SyscallArgument {
  public let value: UInt32
  public init(register: UInt64) { value = UInt32(truncatingIfNeeded: register) }
  public func describe(_ context: TraceContext, into line: inout TextBuffer) {
    line.append("0")
    line.append(octal: UInt(value))
  }
}
