public import Kernel
public import LinuxABI
public import Support

// Arguments that point to structures, which a trace line shows by their content.

/// A structure that a trace line can show.
public protocol TracedStruct: BitwiseCopyable {
  /// Writes the content, without what is around it.
  func describe(into line: inout TextBuffer)
}

/// A pointer to a structure that the call reads; null where the call allows it.
public struct In<Value: TracedStruct>: SyscallArgument {
  public let pointer: UserPointer<Value>
  public init(register: UInt64) { pointer = UserPointer(UInt(register)) }

  public var isNull: Bool { pointer.isNull }
  /// - Throws: `EFAULT`.
  public func load() throws(Errno) -> Value { try pointer.load() }
  /// The value, or nil for a null pointer.
  ///
  /// - Throws: `EFAULT`.
  public func loadIfPresent() throws(Errno) -> Value? { pointer.isNull ? nil : try pointer.load() }

  public func describe(_ context: TraceContext, into line: inout TextBuffer) {
    guard !pointer.isNull, let value = try? pointer.load() else {
      describeAddress(pointer.address, into: &line)
      return
    }
    value.describe(into: &line)
  }
}

/// A pointer to a structure that the call writes; null where the call allows it.
public struct Out<Value: TracedStruct>: SyscallArgument {
  public let pointer: UserMutablePointer<Value>
  public init(register: UInt64) { pointer = UserMutablePointer(UInt(register)) }

  public var isNull: Bool { pointer.isNull }
  /// - Throws: `EFAULT`.
  // Optimised for size, a structure is copied by its bytes.
  @_optimize(speed)
  public func store(_ value: Value) throws(Errno) { try pointer.store(value) }
  /// Writes the value unless the pointer is null.
  ///
  /// - Throws: `EFAULT`.
  public func storeIfPresent(_ value: Value) throws(Errno) { if !pointer.isNull { try pointer.store(value) } }

  public func describe(_ context: TraceContext, into line: inout TextBuffer) {
    guard !pointer.isNull, context.result >= 0, let value = try? pointer.load() else {
      describeAddress(pointer.address, into: &line)
      return
    }
    line.append("<out>")
    value.describe(into: &line)
  }
}

/// A signal's number as an argument; 0 and numbers beyond the last are passed on as they are.
public struct SignalNumber: SyscallArgument {
  public let rawValue: Int32
  public init(register: UInt64) { rawValue = Int32(truncatingIfNeeded: register) }

  /// - Throws: `EINVAL` for what is no signal.
  public func signal() throws(Errno) -> Signal {
    guard let signal = Signal(rawValue: rawValue) else { throw .EINVAL }
    return signal
  }
  public func describe(_ context: TraceContext, into line: inout TextBuffer) {
    Signal.writeName(of: rawValue) { line.append(byte: $0) }
  }
}

/// The second argument of futex(2).
public struct FutexArgument: SyscallArgument {
  public let rawValue: UInt32
  public init(register: UInt64) { rawValue = UInt32(truncatingIfNeeded: register) }
  public func describe(_ context: TraceContext, into line: inout TextBuffer) {
    FutexOperation.writeName(ofArgument: rawValue) { line.append(byte: $0) }
  }
}

extension SignalSet: TracedStruct {
  public func describe(into line: inout TextBuffer) { writeNames { line.append(byte: $0) } }
}

extension SigactionKernel: TracedStruct {
  public func describe(into line: inout TextBuffer) {
    line.append("{sa_handler=")
    switch sa_handler {
    case SignalHandler.SIG_DFL: line.append("SIG_DFL")
    case SignalHandler.SIG_IGN: line.append("SIG_IGN")
    default: describeAddress(UInt(sa_handler), into: &line)
    }
    line.append(", sa_mask=")
    sa_mask.describe(into: &line)
    line.append(", sa_flags=")
    sa_flags.writeNames { line.append(byte: $0) }
    if sa_flags.contains(.SA_RESTORER) {
      line.append(", sa_restorer=")
      describeAddress(UInt(sa_restorer), into: &line)
    }
    line.append("}")
  }
}

extension SigInfo: TracedStruct {
  public func describe(into line: inout TextBuffer) {
    line.append("{si_signo=")
    Signal.writeName(of: si_signo) { line.append(byte: $0) }
    line.append(", si_code=")
    line.append(decimal: Int(si_code))
    line.append(", si_pid=")
    line.append(decimal: Int(si_pid))
    line.append(", si_uid=")
    line.append(decimal: UInt(si_uid))
    line.append("}")
  }
}

extension StackT: TracedStruct {
  public func describe(into line: inout TextBuffer) {
    line.append("{ss_sp=")
    describeAddress(UInt(ss_sp), into: &line)
    line.append(", ss_flags=")
    ss_flags.writeNames { line.append(byte: $0) }
    line.append(", ss_size=")
    line.append(decimal: UInt(ss_size))
    line.append("}")
  }
}

extension Timespec: TracedStruct {
  public func describe(into line: inout TextBuffer) {
    line.append("{tv_sec=")
    line.append(decimal: Int(tv_sec))
    line.append(", tv_nsec=")
    line.append(decimal: Int(tv_nsec))
    line.append("}")
  }
}

extension Timeval: TracedStruct {
  public func describe(into line: inout TextBuffer) {
    line.append("{tv_sec=")
    line.append(decimal: Int(tv_sec))
    line.append(", tv_usec=")
    line.append(decimal: Int(tv_usec))
    line.append("}")
  }
}

extension Itimerspec: TracedStruct {
  public func describe(into line: inout TextBuffer) {
    line.append("{it_interval=")
    it_interval.describe(into: &line)
    line.append(", it_value=")
    it_value.describe(into: &line)
    line.append("}")
  }
}

extension Itimerval: TracedStruct {
  public func describe(into line: inout TextBuffer) {
    line.append("{it_interval=")
    it_interval.describe(into: &line)
    line.append(", it_value=")
    it_value.describe(into: &line)
    line.append("}")
  }
}

extension SigEvent: TracedStruct {
  public func describe(into line: inout TextBuffer) {
    line.append("{sigev_signo=")
    Signal.writeName(of: sigev_signo) { line.append(byte: $0) }
    line.append(", sigev_notify=")
    if let name = SignalEventNotify.name(of: sigev_notify) {
      line.append(name)
    } else {
      line.append(decimal: Int(sigev_notify))
    }
    line.append("}")
  }
}

extension Rlimit: TracedStruct {
  public func describe(into line: inout TextBuffer) {
    line.append("{rlim_cur=")
    Self.describe(rlim_cur, into: &line)
    line.append(", rlim_max=")
    Self.describe(rlim_max, into: &line)
    line.append("}")
  }
  private static func describe(_ limit: UInt64, into line: inout TextBuffer) {
    if limit == ResourceLimitKind.RLIM_INFINITY {
      line.append("RLIM_INFINITY")
    } else if limit > 1024, limit % 1024 == 0 {
      line.append(decimal: UInt(limit / 1024))
      line.append("*1024")
    } else {
      line.append(decimal: UInt(limit))
    }
  }
}

extension Int32: TracedStruct {
  public func describe(into line: inout TextBuffer) {
    line.append("[")
    line.append(decimal: Int(self))
    line.append("]")
  }
}
extension UInt32: TracedStruct {
  public func describe(into line: inout TextBuffer) {
    line.append("[")
    line.append(decimal: UInt(self))
    line.append("]")
  }
}
