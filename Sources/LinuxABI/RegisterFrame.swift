/// The program's registers as every entry to the kernel saves them: Linux's `pt_regs` order with the vector between.
/// `struct cshims_frame` has the same layout.
@frozen
public struct RegisterFrame: BitwiseCopyable, Sendable {
  public var r15: UInt64 = 0
  public var r14: UInt64 = 0
  public var r13: UInt64 = 0
  public var r12: UInt64 = 0
  public var rbp: UInt64 = 0
  public var rbx: UInt64 = 0
  public var r11: UInt64 = 0
  public var r10: UInt64 = 0
  public var r9: UInt64 = 0
  public var r8: UInt64 = 0
  public var rax: UInt64 = 0
  public var rcx: UInt64 = 0
  public var rdx: UInt64 = 0
  public var rsi: UInt64 = 0
  public var rdi: UInt64 = 0
  /// The interrupt vector, or 256 for a system call.
  public var vector: UInt64 = 0
  /// The CPU's error code, or the system call number.
  public var error: UInt64 = 0
  public var rip: UInt64 = 0
  public var cs: UInt64 = 0
  public var rflags: UInt64 = 0
  public var rsp: UInt64 = 0
  public var ss: UInt64 = 0

  public init() {}

  /// Whether the entry came from ring 3.
  public var isUser: Bool { cs & 3 == 3 }
}
