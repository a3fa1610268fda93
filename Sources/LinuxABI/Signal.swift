// Names are spelled as in Linux, so that grep and the man pages work.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

/// A signal's number, 1 to 64. See signal(7).
public struct Signal: RawRepresentable, Equatable, Sendable, BitwiseCopyable {
  public let rawValue: Int32

  /// Fails for a number outside 1…64; 0, which kill(2) takes for a test, is no signal.
  public init?(rawValue: Int32) {
    guard rawValue >= 1, rawValue <= Self.count else { return nil }
    self.rawValue = rawValue
  }

  private init(known rawValue: Int32) {
    self.rawValue = rawValue
  }

  /// The number of signals, `_NSIG` of the kernel.
  public static var count: Int32 { 64 }

  public static var SIGHUP: Self { Self(known: 1) }
  public static var SIGINT: Self { Self(known: 2) }
  public static var SIGQUIT: Self { Self(known: 3) }
  public static var SIGILL: Self { Self(known: 4) }
  public static var SIGTRAP: Self { Self(known: 5) }
  public static var SIGABRT: Self { Self(known: 6) }
  public static var SIGBUS: Self { Self(known: 7) }
  public static var SIGFPE: Self { Self(known: 8) }
  public static var SIGKILL: Self { Self(known: 9) }
  public static var SIGUSR1: Self { Self(known: 10) }
  public static var SIGSEGV: Self { Self(known: 11) }
  public static var SIGUSR2: Self { Self(known: 12) }
  public static var SIGPIPE: Self { Self(known: 13) }
  public static var SIGALRM: Self { Self(known: 14) }
  public static var SIGTERM: Self { Self(known: 15) }
  public static var SIGSTKFLT: Self { Self(known: 16) }
  public static var SIGCHLD: Self { Self(known: 17) }
  public static var SIGCONT: Self { Self(known: 18) }
  public static var SIGSTOP: Self { Self(known: 19) }
  public static var SIGTSTP: Self { Self(known: 20) }
  public static var SIGTTIN: Self { Self(known: 21) }
  public static var SIGTTOU: Self { Self(known: 22) }
  public static var SIGURG: Self { Self(known: 23) }
  public static var SIGXCPU: Self { Self(known: 24) }
  public static var SIGXFSZ: Self { Self(known: 25) }
  public static var SIGVTALRM: Self { Self(known: 26) }
  public static var SIGPROF: Self { Self(known: 27) }
  public static var SIGWINCH: Self { Self(known: 28) }
  public static var SIGIO: Self { Self(known: 29) }
  public static var SIGPWR: Self { Self(known: 30) }
  public static var SIGSYS: Self { Self(known: 31) }

  /// The same number as `SIGABRT`.
  public static var SIGIOT: Self { .SIGABRT }
  /// The same number as `SIGIO`.
  public static var SIGPOLL: Self { .SIGIO }
  /// The kernel's first real-time signal. glibc keeps 32 and 33 for itself and calls 34 `SIGRTMIN`.
  public static var SIGRTMIN: Self { Self(known: 32) }
  /// The last real-time signal.
  public static var SIGRTMAX: Self { Self(known: 64) }

  /// Whether several of it queue: the numbers from 32 on.
  public var isRealTime: Bool { rawValue >= 32 }
  /// Whether it can be neither caught, blocked nor ignored.
  public var isUnblockable: Bool { self == .SIGKILL || self == .SIGSTOP }
  /// Whether a fault of an instruction raises it, so that it is delivered before others and cannot be ignored.
  public var isSynchronous: Bool { SignalSet.synchronous.contains(self) }

  /// What happens to a process that has no handler for a signal.
  public enum DefaultAction: Sendable, BitwiseCopyable {
    case terminate
    /// Terminates, and sets the core bit of the wait status where a dump was written.
    case core
    case ignore
    case stop
    case `continue`
  }

  /// The default action of signal(7).
  public var defaultAction: DefaultAction {
    switch self {
    case .SIGQUIT, .SIGILL, .SIGTRAP, .SIGABRT, .SIGBUS, .SIGFPE, .SIGSEGV, .SIGXCPU, .SIGXFSZ, .SIGSYS: .core
    case .SIGCHLD, .SIGURG, .SIGWINCH: .ignore
    case .SIGSTOP, .SIGTSTP, .SIGTTIN, .SIGTTOU: .stop
    case .SIGCONT: .continue
    default: .terminate
    }
  }

  /// `SIGKILL` and the like; nil for a real-time signal.
  public var name: StaticString? { Self.name(of: rawValue) }

  /// The name of a number; nil for a real-time signal and for what is no signal.
  public static func name(of rawValue: Int32) -> StaticString? {
    NameList(
      words: """
        - SIGHUP SIGINT SIGQUIT SIGILL SIGTRAP SIGABRT SIGBUS SIGFPE SIGKILL SIGUSR1 SIGSEGV SIGUSR2 SIGPIPE
        SIGALRM SIGTERM SIGSTKFLT SIGCHLD SIGCONT SIGSTOP SIGTSTP SIGTTIN SIGTTOU SIGURG SIGXCPU SIGXFSZ
        SIGVTALRM SIGPROF SIGWINCH SIGIO SIGPWR SIGSYS
        """)[Int(rawValue)]
  }

  /// Writes the name as strace(1) does: `SIGKILL`, `SIGRT_2` for 34, the bare number if it is no signal.
  public static func writeName(of rawValue: Int32, _ put: (UInt8) -> Void) {
    if let name = name(of: rawValue) {
      write(name, put)
    } else if rawValue >= 32 && rawValue <= count {
      write("SIGRT_", put)
      writeDecimal(Int64(rawValue) - 32, put)
    } else {
      writeDecimal(Int64(rawValue), put)
    }
  }

  /// The message of strsignal(3), as glibc has it in the C locale; for real-time signals without the number.
  public var text: StaticString {
    NameList(
      lines: """
        @1
        Hangup
        Interrupt
        Quit
        Illegal instruction
        Trace/breakpoint trap
        Aborted
        Bus error
        Floating point exception
        Killed
        User defined signal 1
        Segmentation fault
        User defined signal 2
        Broken pipe
        Alarm clock
        Terminated
        Stack fault
        Child exited
        Continued
        Stopped (signal)
        Stopped
        Stopped (tty input)
        Stopped (tty output)
        Urgent I/O condition
        CPU time limit exceeded
        File size limit exceeded
        Virtual timer expired
        Profiling timer expired
        Window changed
        I/O possible
        Power failure
        Bad system call
        """)[Int(rawValue)] ?? "Real-time signal"
  }
}

/// A set of signals: the kernel's `sigset_t`, in which bit n − 1 stands for signal n.
public struct SignalSet: Equatable, Sendable, ABIStruct {
  public var rawValue: UInt64

  public init(rawValue: UInt64) {
    self.rawValue = rawValue
  }

  /// The set of one signal.
  public init(_ signal: Signal) {
    rawValue = 1 << UInt64(signal.rawValue - 1)
  }

  /// The size that system calls must be told, `sizeof(sigset_t)` of the kernel.
  public static var size: Int { 8 }
  public static var empty: Self { Self(rawValue: 0) }
  public static var all: Self { Self(rawValue: .max) }
  /// `SIGKILL` and `SIGSTOP`, which no mask may hold.
  public static var unblockable: Self { Self(.SIGKILL).union(Self(.SIGSTOP)) }
  /// The signals that faults raise.
  public static var synchronous: Self {
    Self(.SIGSEGV).union(Self(.SIGBUS)).union(Self(.SIGILL)).union(Self(.SIGTRAP)).union(Self(.SIGFPE))
      .union(Self(.SIGSYS))
  }

  public var isEmpty: Bool { rawValue == 0 }

  public func contains(_ signal: Signal) -> Bool { rawValue & Self(signal).rawValue != 0 }
  public func union(_ other: Self) -> Self { Self(rawValue: rawValue | other.rawValue) }
  public func intersection(_ other: Self) -> Self { Self(rawValue: rawValue & other.rawValue) }
  public func subtracting(_ other: Self) -> Self { Self(rawValue: rawValue & ~other.rawValue) }
  public mutating func insert(_ signal: Signal) { rawValue |= Self(signal).rawValue }
  public mutating func remove(_ signal: Signal) { rawValue &= ~Self(signal).rawValue }

  /// The lowest signal of the set.
  public var first: Signal? { Signal(rawValue: Int32(truncatingIfNeeded: rawValue.trailingZeroBitCount) + 1) }

  /// Writes the set as strace(1) does: `[INT TERM]`, `~[KILL STOP]` when most are set.
  public func writeNames(_ put: (UInt8) -> Void) {
    let isInverted = rawValue.nonzeroBitCount >= 32
    if isInverted { put(UInt8(ascii: "~")) }
    put(UInt8(ascii: "["))
    var rest = Self(rawValue: isInverted ? ~rawValue : rawValue)
    while let signal = rest.first {
      rest.remove(signal)
      var skipped = 0
      Signal.writeName(of: signal.rawValue) { byte in
        if skipped >= 3 { put(byte) }
        skipped += 1
      }
      if !rest.isEmpty { put(UInt8(ascii: " ")) }
    }
    put(UInt8(ascii: "]"))
  }
}
