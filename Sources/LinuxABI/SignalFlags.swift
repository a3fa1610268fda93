// Names are spelled as in Linux, so that grep and the man pages work.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

/// The flags of rt_sigaction(2).
public struct SignalActionFlags: NamedFlags {
  public let rawValue: UInt64

  public init(rawValue: UInt64) {
    self.rawValue = rawValue
  }

  public static var SA_NOCLDSTOP: Self { Self(rawValue: 1) }
  public static var SA_NOCLDWAIT: Self { Self(rawValue: 2) }
  public static var SA_SIGINFO: Self { Self(rawValue: 4) }
  public static var SA_UNSUPPORTED: Self { Self(rawValue: 0x400) }
  public static var SA_EXPOSE_TAGBITS: Self { Self(rawValue: 0x800) }
  /// The `restorer` field is valid. Linux x86_64 sends a fault to a process whose action lacks it.
  public static var SA_RESTORER: Self { Self(rawValue: 0x4000000) }
  public static var SA_ONSTACK: Self { Self(rawValue: 0x8000000) }
  public static var SA_RESTART: Self { Self(rawValue: 0x1000_0000) }
  public static var SA_NODEFER: Self { Self(rawValue: 0x4000_0000) }
  public static var SA_RESETHAND: Self { Self(rawValue: 0x8000_0000) }

  public static var bitNames: NameList {
    NameList(
      words: """
        SA_NOCLDSTOP SA_NOCLDWAIT SA_SIGINFO @10 SA_UNSUPPORTED SA_EXPOSE_TAGBITS @26 SA_RESTORER SA_ONSTACK
        SA_RESTART - SA_NODEFER SA_RESETHAND
        """)
  }

  /// Every flag that the kernel keeps; it clears the others, so that a program can find out which are known.
  public static var known: Self {
    [
      .SA_NOCLDSTOP, .SA_NOCLDWAIT, .SA_SIGINFO, .SA_EXPOSE_TAGBITS, .SA_RESTORER, .SA_ONSTACK, .SA_RESTART,
      .SA_NODEFER, .SA_RESETHAND,
    ]
  }
}

/// The values of a handler that are no addresses. See sigaction(2).
public enum SignalHandler {
  public static var SIG_DFL: UInt64 { 0 }
  public static var SIG_IGN: UInt64 { 1 }
}

/// How rt_sigprocmask(2) changes the mask.
public enum SignalMaskHow: UInt32, NamedValue {
  case SIG_BLOCK = 0
  case SIG_UNBLOCK = 1
  case SIG_SETMASK = 2

  public static func name(of rawValue: UInt32) -> StaticString? {
    NameList(words: "SIG_BLOCK SIG_UNBLOCK SIG_SETMASK")[Int(truncatingIfNeeded: rawValue)]
  }
}

/// The flags of sigaltstack(2).
public struct SignalStackFlags: NamedFlags {
  public let rawValue: UInt32

  public init(rawValue: UInt32) {
    self.rawValue = rawValue
  }

  /// The thread runs on the stack: only reported.
  public static var SS_ONSTACK: Self { Self(rawValue: 1) }
  public static var SS_DISABLE: Self { Self(rawValue: 2) }
  /// Disables the stack while a handler runs on it.
  public static var SS_AUTODISARM: Self { Self(rawValue: 0x8000_0000) }

  public static var bitNames: NameList {
    NameList(words: "SS_ONSTACK SS_DISABLE @31 SS_AUTODISARM")
  }
}

/// The sizes of an alternative stack. See sigaltstack(2).
public enum SignalStackSize {
  /// The least that Linux accepts by this number; `AT_MINSIGSTKSZ` tells what the processor needs.
  public static var MINSIGSTKSZ: UInt64 { 2048 }
  public static var SIGSTKSZ: UInt64 { 8192 }
}

/// The `sigev_notify` of sigevent(7).
public enum SignalEventNotify: Int32, NamedValue {
  case SIGEV_SIGNAL = 0
  case SIGEV_NONE = 1
  case SIGEV_THREAD = 2
  case SIGEV_THREAD_ID = 4

  public static func name(of rawValue: Int32) -> StaticString? {
    NameList(words: "SIGEV_SIGNAL SIGEV_NONE SIGEV_THREAD - SIGEV_THREAD_ID")[Int(truncatingIfNeeded: rawValue)]
  }
}

/// The flags of signalfd4(2).
public struct SignalFDFlags: NamedFlags {
  public let rawValue: UInt32

  public init(rawValue: UInt32) {
    self.rawValue = rawValue
  }

  public static var SFD_NONBLOCK: Self { Self(rawValue: 0o4000) }
  public static var SFD_CLOEXEC: Self { Self(rawValue: 0o2000000) }

  public static var bitNames: NameList {
    NameList(words: "@11 SFD_NONBLOCK @19 SFD_CLOEXEC")
  }
}

/// The `si_code` of `SigInfo`. See sigaction(2). The same number means different things for different signals.
public enum SignalCode {
  /// Sent by kill(2).
  public static var SI_USER: Int32 { 0 }
  /// Sent by the kernel.
  public static var SI_KERNEL: Int32 { 128 }
  /// Sent by rt_sigqueueinfo(2).
  public static var SI_QUEUE: Int32 { -1 }
  public static var SI_TIMER: Int32 { -2 }
  public static var SI_MESGQ: Int32 { -3 }
  public static var SI_ASYNCIO: Int32 { -4 }
  public static var SI_SIGIO: Int32 { -5 }
  /// Sent by tkill(2) or tgkill(2).
  public static var SI_TKILL: Int32 { -6 }
  public static var ILL_ILLOPC: Int32 { 1 }
  public static var ILL_ILLOPN: Int32 { 2 }
  public static var ILL_ILLADR: Int32 { 3 }
  public static var ILL_ILLTRP: Int32 { 4 }
  public static var ILL_PRVOPC: Int32 { 5 }
  public static var ILL_PRVREG: Int32 { 6 }
  public static var ILL_COPROC: Int32 { 7 }
  public static var ILL_BADSTK: Int32 { 8 }
  public static var FPE_INTDIV: Int32 { 1 }
  public static var FPE_INTOVF: Int32 { 2 }
  public static var FPE_FLTDIV: Int32 { 3 }
  public static var FPE_FLTOVF: Int32 { 4 }
  public static var FPE_FLTUND: Int32 { 5 }
  public static var FPE_FLTRES: Int32 { 6 }
  public static var FPE_FLTINV: Int32 { 7 }
  public static var FPE_FLTSUB: Int32 { 8 }
  /// Nothing is mapped there.
  public static var SEGV_MAPERR: Int32 { 1 }
  /// The mapping does not permit the access.
  public static var SEGV_ACCERR: Int32 { 2 }
  public static var SEGV_BNDERR: Int32 { 3 }
  public static var SEGV_PKUERR: Int32 { 4 }
  public static var BUS_ADRALN: Int32 { 1 }
  /// Beyond the end of the mapped file.
  public static var BUS_ADRERR: Int32 { 2 }
  public static var BUS_OBJERR: Int32 { 3 }
  public static var TRAP_BRKPT: Int32 { 1 }
  public static var TRAP_TRACE: Int32 { 2 }
  public static var TRAP_BRANCH: Int32 { 3 }
  public static var TRAP_HWBKPT: Int32 { 4 }
  public static var CLD_EXITED: Int32 { 1 }
  public static var CLD_KILLED: Int32 { 2 }
  public static var CLD_DUMPED: Int32 { 3 }
  public static var CLD_TRAPPED: Int32 { 4 }
  public static var CLD_STOPPED: Int32 { 5 }
  public static var CLD_CONTINUED: Int32 { 6 }
  public static var POLL_IN: Int32 { 1 }
  public static var POLL_OUT: Int32 { 2 }
  public static var POLL_MSG: Int32 { 3 }
  public static var POLL_ERR: Int32 { 4 }
  public static var POLL_PRI: Int32 { 5 }
  public static var POLL_HUP: Int32 { 6 }
  public static var SYS_SECCOMP: Int32 { 1 }
}
