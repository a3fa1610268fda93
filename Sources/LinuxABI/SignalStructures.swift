// Names are spelled as in Linux, so that grep and the man pages work.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

/// An action of rt_sigaction(2): the kernel's `struct sigaction`, 32 bytes.
@frozen
public struct SigactionKernel: ABIStruct, Sendable {
  /// An address, or a value of `SignalHandler`.
  public var sa_handler: UInt64 = 0
  public var sa_flags: SignalActionFlags = []
  public var sa_restorer: UInt64 = 0
  public var sa_mask: SignalSet = .empty

  /// All bytes zero.
  public init() {}
}

/// An alternative stack: `stack_t`, 24 bytes. See sigaltstack(2).
@frozen
public struct StackT: ABIStruct, Sendable {
  public var ss_sp: UInt64 = 0
  public var ss_flags: SignalStackFlags = []
  private var padding0: UInt32 = 0
  public var ss_size: UInt64 = 0

  /// All bytes zero.
  public init() {}
}

/// What a handler learns about a signal: `siginfo_t`, 128 bytes. See sigaction(2).
@frozen
public struct SigInfo: ABIStruct, Sendable {
  public var si_signo: Int32 = 0
  public var si_errno: Int32 = 0
  /// One of `SignalCode`.
  public var si_code: Int32 = 0
  private var padding0: UInt32 = 0
  /// The union from byte 16 on, whose members the properties below read.
  private var words = InlineArray<14, UInt64>(repeating: 0)

  /// All bytes zero.
  public init() {}

  /// A signal with nothing in the union.
  public init(signal: Signal, code: Int32) {
    si_signo = signal.rawValue
    si_code = code
  }

  /// Sent by kill(2), or with `SI_TKILL` by tgkill(2).
  public static func kill(_ signal: Signal, code: Int32 = SignalCode.SI_USER, pid: Int32, uid: UInt32) -> Self {
    var info = Self(signal: signal, code: code)
    info.setPair(0, UInt32(bitPattern: pid), uid)
    return info
  }

  /// Sent by rt_sigqueueinfo(2), with a value.
  public static func queue(
    _ signal: Signal, code: Int32 = SignalCode.SI_QUEUE, pid: Int32, uid: UInt32, value: UInt64
  ) -> Self {
    var info = kill(signal, code: code, pid: pid, uid: uid)
    info.words[1] = value
    return info
  }

  /// Raised by a fault of the instruction, at `address`.
  public static func fault(_ signal: Signal, code: Int32, address: UInt64) -> Self {
    var info = Self(signal: signal, code: code)
    info.words[0] = address
    return info
  }

  /// `SIGCHLD`: a child has changed its state. `status` is the exit code, or the number of the signal.
  public static func child(
    _ signal: Signal = .SIGCHLD, code: Int32, pid: Int32, uid: UInt32, status: Int32, userTicks: Int64,
    systemTicks: Int64
  ) -> Self {
    var info = kill(signal, code: code, pid: pid, uid: uid)
    info.setPair(1, UInt32(bitPattern: status), 0)
    info.words[2] = UInt64(bitPattern: userTicks)
    info.words[3] = UInt64(bitPattern: systemTicks)
    return info
  }

  /// A timer of timer_create(2) has expired.
  public static func timer(_ signal: Signal, id: Int32, overrun: Int32, value: UInt64) -> Self {
    var info = Self(signal: signal, code: SignalCode.SI_TIMER)
    info.setPair(0, UInt32(bitPattern: id), UInt32(bitPattern: overrun))
    info.words[1] = value
    return info
  }

  /// Input or output is possible on a descriptor. See fcntl(2) `F_SETSIG`.
  public static func poll(_ signal: Signal, code: Int32, band: Int64, descriptor: Int32) -> Self {
    var info = Self(signal: signal, code: code)
    info.words[0] = UInt64(bitPattern: band)
    info.setPair(1, UInt32(bitPattern: descriptor), 0)
    return info
  }

  /// The sender, or the child.
  public var si_pid: Int32 { Int32(truncatingIfNeeded: words[0]) }
  /// The real user id of the sender, or of the child.
  public var si_uid: UInt32 { UInt32(truncatingIfNeeded: words[0] >> 32) }
  /// The exit code of the child, or the number of the signal that ended or stopped it.
  public var si_status: Int32 { Int32(truncatingIfNeeded: words[1]) }
  /// The user time of the child, in `TimeUnit.ticksPerSecond`.
  public var si_utime: Int64 { Int64(bitPattern: words[2]) }
  /// The system time of the child, in `TimeUnit.ticksPerSecond`.
  public var si_stime: Int64 { Int64(bitPattern: words[3]) }
  /// The value that came with a queued signal or with a timer.
  public var si_value: UInt64 { words[1] }
  /// The id of the timer.
  public var si_timerid: Int32 { Int32(truncatingIfNeeded: words[0]) }
  /// How often the timer expired while its signal was pending, beyond the first.
  public var si_overrun: Int32 {
    get { Int32(truncatingIfNeeded: words[0] >> 32) }
    set { setPair(0, UInt32(truncatingIfNeeded: words[0]), UInt32(bitPattern: newValue)) }
  }
  /// The address of the fault.
  public var si_addr: UInt64 { words[0] }
  /// The events of poll(2) on the descriptor.
  public var si_band: Int64 { Int64(bitPattern: words[0]) }
  /// The descriptor of a `poll` signal.
  public var si_fd: Int32 { Int32(truncatingIfNeeded: words[1]) }

  private mutating func setPair(_ index: Int, _ low: UInt32, _ high: UInt32) {
    words[index] = UInt64(high) << 32 | UInt64(low)
  }
}

/// What read(2) gets from a signalfd(2): `struct signalfd_siginfo`, 128 bytes.
@frozen
public struct SignalFDInfo: ABIStruct, Sendable {
  public var ssi_signo: UInt32 = 0
  public var ssi_errno: Int32 = 0
  public var ssi_code: Int32 = 0
  public var ssi_pid: UInt32 = 0
  public var ssi_uid: UInt32 = 0
  public var ssi_fd: Int32 = 0
  public var ssi_tid: UInt32 = 0
  public var ssi_band: UInt32 = 0
  public var ssi_overrun: UInt32 = 0
  public var ssi_trapno: UInt32 = 0
  public var ssi_status: Int32 = 0
  public var ssi_int: Int32 = 0
  public var ssi_ptr: UInt64 = 0
  public var ssi_utime: UInt64 = 0
  public var ssi_stime: UInt64 = 0
  public var ssi_addr: UInt64 = 0
  public var ssi_addr_lsb: UInt16 = 0
  private var padding0: UInt16 = 0
  public var ssi_syscall: Int32 = 0
  public var ssi_call_addr: UInt64 = 0
  public var ssi_arch: UInt32 = 0
  private var padding1: UInt32 = 0
  private var padding2: InlineArray<3, UInt64> = InlineArray(repeating: 0)

  /// All bytes zero.
  public init() {}
}

/// How a timer notifies: `struct sigevent`, 64 bytes. See sigevent(7).
@frozen
public struct SigEvent: ABIStruct, Sendable {
  public var sigev_value: UInt64 = 0
  public var sigev_signo: Int32 = 0
  /// One of `SignalEventNotify`.
  public var sigev_notify: Int32 = 0
  public var sigev_notify_thread_id: Int32 = 0
  private var padding0: UInt32 = 0
  private var padding1: InlineArray<5, UInt64> = InlineArray(repeating: 0)

  /// All bytes zero.
  public init() {}
}

/// The registers of the interrupted code: `struct sigcontext_64`, which glibc calls `mcontext_t`, 256 bytes. See
/// sigreturn(2).
@frozen
public struct SigContext: ABIStruct, Sendable {
  public var r8: UInt64 = 0
  public var r9: UInt64 = 0
  public var r10: UInt64 = 0
  public var r11: UInt64 = 0
  public var r12: UInt64 = 0
  public var r13: UInt64 = 0
  public var r14: UInt64 = 0
  public var r15: UInt64 = 0
  public var rdi: UInt64 = 0
  public var rsi: UInt64 = 0
  public var rbp: UInt64 = 0
  public var rbx: UInt64 = 0
  public var rdx: UInt64 = 0
  public var rax: UInt64 = 0
  public var rcx: UInt64 = 0
  public var rsp: UInt64 = 0
  public var rip: UInt64 = 0
  public var eflags: UInt64 = 0
  public var cs: UInt16 = 0
  public var gs: UInt16 = 0
  public var fs: UInt16 = 0
  public var ss: UInt16 = 0
  /// The error code of the exception.
  public var err: UInt64 = 0
  /// The vector of the exception.
  public var trapno: UInt64 = 0
  /// The lowest word of the blocked signals.
  public var oldmask: UInt64 = 0
  /// The address of the page fault.
  public var cr2: UInt64 = 0
  /// The address of the saved FPU state, or 0.
  public var fpstate: UInt64 = 0
  public var reserved1: InlineArray<8, UInt64> = InlineArray(repeating: 0)

  /// All bytes zero.
  public init() {}
}

/// What a handler gets as its third argument: the kernel's `struct ucontext`, 304 bytes.
@frozen
public struct UContext: ABIStruct, Sendable {
  public var uc_flags: UContextFlags = []
  public var uc_link: UInt64 = 0
  public var uc_stack: StackT = StackT()
  public var uc_mcontext: SigContext = SigContext()
  public var uc_sigmask: SignalSet = .empty

  /// All bytes zero.
  public init() {}
}

/// The `uc_flags` of `UContext`. See `asm/ucontext.h`.
public struct UContextFlags: OptionSet, Sendable, BitwiseCopyable {
  public let rawValue: UInt64

  public init(rawValue: UInt64) {
    self.rawValue = rawValue
  }

  /// The FPU state is an XSAVE area.
  public static var UC_FP_XSTATE: Self { Self(rawValue: 1) }
  /// `ss` is saved, and restored.
  public static var UC_SIGCONTEXT_SS: Self { Self(rawValue: 2) }
  /// `ss` is restored even if that faults.
  public static var UC_STRICT_RESTORE_SS: Self { Self(rawValue: 4) }
}

/// What the kernel pushes for a handler: `struct rt_sigframe`, 440 bytes. The handler is entered with the stack pointer
/// at it, which is 8 below a multiple of 16.
@frozen
public struct RTSignalFrame: ABIStruct, Sendable {
  /// The return address: the action's restorer.
  public var pretcode: UInt64 = 0
  public var uc: UContext = UContext()
  public var info: SigInfo = SigInfo()

  /// All bytes zero.
  public init() {}
}

/// What the kernel notes in bytes 464 to 511 of a saved FPU state: `struct _fpx_sw_bytes`, 48 bytes.
@frozen
public struct FPXSoftwareBytes: ABIStruct, Sendable {
  /// `FP_XSTATE_MAGIC1` if an XSAVE area with `FP_XSTATE_MAGIC2` after it follows, else 0.
  public var magic1: UInt32 = 0
  /// The size with `FP_XSTATE_MAGIC2`.
  public var extended_size: UInt32 = 0
  public var xfeatures: UInt64 = 0
  public var xstate_size: UInt32 = 0
  private var padding0: InlineArray<7, UInt32> = InlineArray(repeating: 0)

  /// All bytes zero.
  public init() {}

  /// Where it lies in the legacy area that FXSAVE writes.
  public static var offset: Int { 464 }
  public static var FP_XSTATE_MAGIC1: UInt32 { 0x4650_5853 }
  public static var FP_XSTATE_MAGIC2: UInt32 { 0x4650_5845 }
}
