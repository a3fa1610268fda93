// Syscalls: one row per system call. A row is a number, a name and a handler; its types say how arguments come from
// registers and how a trace line shows them. Handlers decode, look up and delegate to Process, Mmap and VFSCore.
internal import Kernel
public import LinuxABI
internal import Platform
public import Process
public import Support

/// A value that a system call takes in a register.
public protocol SyscallArgument: SendableMetatype {
  /// Makes the value from the register; every bit pattern is one.
  init(register: UInt64)
  /// Writes the value as a trace line shows it, after the call.
  func describe(_ context: TraceContext, into line: inout TextBuffer)
  /// Whether the call looks at the value at all; a trace line leaves it out otherwise.
  func isUsed(_ context: TraceContext) -> Bool
}

extension SyscallArgument {
  public func isUsed(_ context: TraceContext) -> Bool { true }
}

/// What a trace line may look at besides the value itself.
public struct TraceContext {
  /// The call's result: what an out-buffer's length may depend on. Negative for an error.
  public let result: Int
  /// The six argument registers.
  public let registers: InlineArray<6, UInt64>
  /// Which of them the value came from.
  public internal(set) var index: Int

  /// The register after this one, often a length.
  public var next: UInt64 { index < 5 ? registers[index + 1] : 0 }
}

/// How a trace line shows a result that is not an error.
public enum ResultKind: Sendable {
  /// `= 42`
  case number
  /// `= OK`
  case none
  /// `= fd:3`
  case descriptor
  /// `= va:0x8000005000`
  case address
}

/// A row of the table.
public struct Syscall: Sendable {
  public let number: Int
  public let name: StaticString
  let result: ResultKind
  /// Runs the handler with the registers' arguments.
  let invoke: @Sendable (Thread, SavedRegisters) throws(Errno) -> Int
  /// Writes the arguments, separated by commas.
  let describe: @Sendable (TraceContext, inout TextBuffer) -> Void
}

extension Syscall {
  // One copy a type: inlined, it would come with each row's closure.
  @inline(never)
  private static func show<A: SyscallArgument>(
    _ type: A.Type, _ index: Int, _ context: TraceContext, _ line: inout TextBuffer
  ) {
    var context = context
    context.index = index
    let value = A(register: context.registers[index])
    guard value.isUsed(context) else { return }
    if index > 0 { line.append(", ") }
    value.describe(context, into: &line)
  }

  public init(
    _ number: Int, _ name: StaticString, _ result: ResultKind,
    _ handler: @escaping @Sendable (Thread) throws(Errno) -> Int
  ) {
    self.number = number
    self.name = name
    self.result = result
    invoke = { thread, _ throws(Errno) in try handler(thread) }
    describe = { _, _ in }
  }

  public init<A: SyscallArgument>(
    _ number: Int, _ name: StaticString, _ result: ResultKind,
    _ handler: @escaping @Sendable (Thread, A) throws(Errno) -> Int
  ) {
    self.number = number
    self.name = name
    self.result = result
    invoke = { thread, r throws(Errno) in try handler(thread, A(register: r.frame.rdi)) }
    describe = { Self.show(A.self, 0, $0, &$1) }
  }

  public init<A: SyscallArgument, B: SyscallArgument>(
    _ number: Int, _ name: StaticString, _ result: ResultKind,
    _ handler: @escaping @Sendable (Thread, A, B) throws(Errno) -> Int
  ) {
    self.number = number
    self.name = name
    self.result = result
    invoke = { thread, r throws(Errno) in try handler(thread, A(register: r.frame.rdi), B(register: r.frame.rsi)) }
    describe = {
      Self.show(A.self, 0, $0, &$1)
      Self.show(B.self, 1, $0, &$1)
    }
  }

  public init<A: SyscallArgument, B: SyscallArgument, C: SyscallArgument>(
    _ number: Int, _ name: StaticString, _ result: ResultKind,
    _ handler: @escaping @Sendable (Thread, A, B, C) throws(Errno) -> Int
  ) {
    self.number = number
    self.name = name
    self.result = result
    invoke = { thread, r throws(Errno) in
      try handler(thread, A(register: r.frame.rdi), B(register: r.frame.rsi), C(register: r.frame.rdx))
    }
    describe = {
      Self.show(A.self, 0, $0, &$1)
      Self.show(B.self, 1, $0, &$1)
      Self.show(C.self, 2, $0, &$1)
    }
  }

  public init<A: SyscallArgument, B: SyscallArgument, C: SyscallArgument, D: SyscallArgument>(
    _ number: Int, _ name: StaticString, _ result: ResultKind,
    _ handler: @escaping @Sendable (Thread, A, B, C, D) throws(Errno) -> Int
  ) {
    self.number = number
    self.name = name
    self.result = result
    invoke = { thread, r throws(Errno) in
      try handler(
        thread, A(register: r.frame.rdi), B(register: r.frame.rsi), C(register: r.frame.rdx), D(register: r.frame.r10))
    }
    describe = {
      Self.show(A.self, 0, $0, &$1)
      Self.show(B.self, 1, $0, &$1)
      Self.show(C.self, 2, $0, &$1)
      Self.show(D.self, 3, $0, &$1)
    }
  }

  public init<A: SyscallArgument, B: SyscallArgument, C: SyscallArgument, D: SyscallArgument, E: SyscallArgument>(
    _ number: Int, _ name: StaticString, _ result: ResultKind,
    _ handler: @escaping @Sendable (Thread, A, B, C, D, E) throws(Errno) -> Int
  ) {
    self.number = number
    self.name = name
    self.result = result
    invoke = { thread, r throws(Errno) in
      try handler(
        thread, A(register: r.frame.rdi), B(register: r.frame.rsi), C(register: r.frame.rdx), D(register: r.frame.r10),
        E(register: r.frame.r8))
    }
    describe = {
      Self.show(A.self, 0, $0, &$1)
      Self.show(B.self, 1, $0, &$1)
      Self.show(C.self, 2, $0, &$1)
      Self.show(D.self, 3, $0, &$1)
      Self.show(E.self, 4, $0, &$1)
    }
  }

  public init<
    A: SyscallArgument, B: SyscallArgument, C: SyscallArgument, D: SyscallArgument, E: SyscallArgument,
    F: SyscallArgument
  >(
    _ number: Int, _ name: StaticString, _ result: ResultKind,
    _ handler: @escaping @Sendable (Thread, A, B, C, D, E, F) throws(Errno) -> Int
  ) {
    self.number = number
    self.name = name
    self.result = result
    invoke = { thread, r throws(Errno) in
      try handler(
        thread, A(register: r.frame.rdi), B(register: r.frame.rsi), C(register: r.frame.rdx), D(register: r.frame.r10),
        E(register: r.frame.r8), F(register: r.frame.r9))
    }
    describe = {
      Self.show(A.self, 0, $0, &$1)
      Self.show(B.self, 1, $0, &$1)
      Self.show(C.self, 2, $0, &$1)
      Self.show(D.self, 3, $0, &$1)
      Self.show(E.self, 4, $0, &$1)
      Self.show(F.self, 5, $0, &$1)
    }
  }
}

// Without a result kind the result is a number. (A default value of an argument without a label cannot be left out.)
extension Syscall {
  public init(
    _ number: Int, _ name: StaticString, _ handler: @escaping @Sendable (Thread) throws(Errno) -> Int
  ) { self.init(number, name, .number, handler) }
  public init<A: SyscallArgument>(
    _ number: Int, _ name: StaticString, _ handler: @escaping @Sendable (Thread, A) throws(Errno) -> Int
  ) { self.init(number, name, .number, handler) }
  public init<A: SyscallArgument, B: SyscallArgument>(
    _ number: Int, _ name: StaticString, _ handler: @escaping @Sendable (Thread, A, B) throws(Errno) -> Int
  ) { self.init(number, name, .number, handler) }
  public init<A: SyscallArgument, B: SyscallArgument, C: SyscallArgument>(
    _ number: Int, _ name: StaticString, _ handler: @escaping @Sendable (Thread, A, B, C) throws(Errno) -> Int
  ) { self.init(number, name, .number, handler) }
  public init<A: SyscallArgument, B: SyscallArgument, C: SyscallArgument, D: SyscallArgument>(
    _ number: Int, _ name: StaticString, _ handler: @escaping @Sendable (Thread, A, B, C, D) throws(Errno) -> Int
  ) { self.init(number, name, .number, handler) }
  public init<A: SyscallArgument, B: SyscallArgument, C: SyscallArgument, D: SyscallArgument, E: SyscallArgument>(
    _ number: Int, _ name: StaticString, _ handler: @escaping @Sendable (Thread, A, B, C, D, E) throws(Errno) -> Int
  ) { self.init(number, name, .number, handler) }
  public init<
    A: SyscallArgument, B: SyscallArgument, C: SyscallArgument, D: SyscallArgument, E: SyscallArgument,
    F: SyscallArgument
  >(
    _ number: Int, _ name: StaticString, _ handler: @escaping @Sendable (Thread, A, B, C, D, E, F) throws(Errno) -> Int
  ) { self.init(number, name, .number, handler) }
}
