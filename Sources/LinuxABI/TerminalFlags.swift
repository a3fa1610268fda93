// Names are spelled as in Linux, so that grep and the man pages work.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

/// The `c_iflag` of `Termios`. See termios(3).
public struct TerminalInputFlags: NamedFlags {
  public let rawValue: UInt32

  public init(rawValue: UInt32) {
    self.rawValue = rawValue
  }

  public static var IGNBRK: Self { Self(rawValue: 1) }
  public static var BRKINT: Self { Self(rawValue: 2) }
  public static var IGNPAR: Self { Self(rawValue: 4) }
  public static var PARMRK: Self { Self(rawValue: 8) }
  public static var INPCK: Self { Self(rawValue: 0x10) }
  public static var ISTRIP: Self { Self(rawValue: 0x20) }
  public static var INLCR: Self { Self(rawValue: 0x40) }
  public static var IGNCR: Self { Self(rawValue: 0x80) }
  public static var ICRNL: Self { Self(rawValue: 0x100) }
  public static var IUCLC: Self { Self(rawValue: 0x200) }
  public static var IXON: Self { Self(rawValue: 0x400) }
  public static var IXANY: Self { Self(rawValue: 0x800) }
  public static var IXOFF: Self { Self(rawValue: 0x1000) }
  public static var IMAXBEL: Self { Self(rawValue: 0x2000) }
  public static var IUTF8: Self { Self(rawValue: 0x4000) }

  public static var bitNames: NameList {
    NameList(
      words: """
        IGNBRK BRKINT IGNPAR PARMRK INPCK ISTRIP INLCR IGNCR ICRNL IUCLC IXON IXANY IXOFF IMAXBEL IUTF8
        """)
  }
}

/// The `c_oflag` of `Termios`. See termios(3).
public struct TerminalOutputFlags: NamedFlags {
  public let rawValue: UInt32

  public init(rawValue: UInt32) {
    self.rawValue = rawValue
  }

  public static var OPOST: Self { Self(rawValue: 1) }
  public static var OLCUC: Self { Self(rawValue: 2) }
  public static var ONLCR: Self { Self(rawValue: 4) }
  public static var OCRNL: Self { Self(rawValue: 8) }
  public static var ONOCR: Self { Self(rawValue: 0x10) }
  public static var ONLRET: Self { Self(rawValue: 0x20) }
  public static var OFILL: Self { Self(rawValue: 0x40) }
  public static var OFDEL: Self { Self(rawValue: 0x80) }
  /// Expands tabs to blanks; two bits.
  public static var XTABS: Self { Self(rawValue: 0x1800) }

  public static var bitNames: NameList {
    NameList(words: "OPOST OLCUC ONLCR OCRNL ONOCR ONLRET OFILL OFDEL")
  }
}

/// The `c_cflag` of `Termios`. See termios(3).
public struct TerminalControlFlags: OptionSet, Sendable, BitwiseCopyable {
  public let rawValue: UInt32

  public init(rawValue: UInt32) {
    self.rawValue = rawValue
  }

  /// The bits of the speed, a number.
  public static var CBAUD: Self { Self(rawValue: 0x100f) }
  /// Hangs up.
  public static var B0: Self { Self(rawValue: 0) }
  public static var B9600: Self { Self(rawValue: 0xd) }
  public static var B38400: Self { Self(rawValue: 0xf) }
  public static var B115200: Self { Self(rawValue: 0x1002) }
  /// The bits of the character size, a number.
  public static var CSIZE: Self { Self(rawValue: 0x30) }
  public static var CS5: Self { Self(rawValue: 0) }
  public static var CS6: Self { Self(rawValue: 0x10) }
  public static var CS7: Self { Self(rawValue: 0x20) }
  public static var CS8: Self { Self(rawValue: 0x30) }
  public static var CSTOPB: Self { Self(rawValue: 0x40) }
  public static var CREAD: Self { Self(rawValue: 0x80) }
  public static var PARENB: Self { Self(rawValue: 0x100) }
  public static var PARODD: Self { Self(rawValue: 0x200) }
  public static var HUPCL: Self { Self(rawValue: 0x400) }
  public static var CLOCAL: Self { Self(rawValue: 0x800) }
  public static var CRTSCTS: Self { Self(rawValue: 0x8000_0000) }
}

/// The `c_lflag` of `Termios`. See termios(3).
public struct TerminalLocalFlags: NamedFlags {
  public let rawValue: UInt32

  public init(rawValue: UInt32) {
    self.rawValue = rawValue
  }

  public static var ISIG: Self { Self(rawValue: 1) }
  public static var ICANON: Self { Self(rawValue: 2) }
  public static var XCASE: Self { Self(rawValue: 4) }
  public static var ECHO: Self { Self(rawValue: 8) }
  public static var ECHOE: Self { Self(rawValue: 0x10) }
  public static var ECHOK: Self { Self(rawValue: 0x20) }
  public static var ECHONL: Self { Self(rawValue: 0x40) }
  public static var NOFLSH: Self { Self(rawValue: 0x80) }
  public static var TOSTOP: Self { Self(rawValue: 0x100) }
  public static var ECHOCTL: Self { Self(rawValue: 0x200) }
  public static var ECHOPRT: Self { Self(rawValue: 0x400) }
  public static var ECHOKE: Self { Self(rawValue: 0x800) }
  public static var FLUSHO: Self { Self(rawValue: 0x1000) }
  public static var PENDIN: Self { Self(rawValue: 0x4000) }
  public static var IEXTEN: Self { Self(rawValue: 0x8000) }
  public static var EXTPROC: Self { Self(rawValue: 0x10000) }

  public static var bitNames: NameList {
    NameList(
      words: """
        ISIG ICANON XCASE ECHO ECHOE ECHOK ECHONL NOFLSH TOSTOP ECHOCTL ECHOPRT ECHOKE FLUSHO - PENDIN
        IEXTEN EXTPROC
        """)
  }
}

/// The indices of `Termios.c_cc`. See termios(3).
public enum ControlCharacter {
  public static var VINTR: Int { 0 }
  public static var VQUIT: Int { 1 }
  public static var VERASE: Int { 2 }
  public static var VKILL: Int { 3 }
  public static var VEOF: Int { 4 }
  public static var VTIME: Int { 5 }
  public static var VMIN: Int { 6 }
  public static var VSWTC: Int { 7 }
  public static var VSTART: Int { 8 }
  public static var VSTOP: Int { 9 }
  public static var VSUSP: Int { 10 }
  public static var VEOL: Int { 11 }
  public static var VREPRINT: Int { 12 }
  public static var VDISCARD: Int { 13 }
  public static var VWERASE: Int { 14 }
  public static var VLNEXT: Int { 15 }
  public static var VEOL2: Int { 16 }

  /// The value in `c_cc` that turns a control character off.
  public static var _POSIX_VDISABLE: UInt8 { 0 }
}

/// The line disciplines. See `TIOCSETD` of ioctl_tty(2).
public enum LineDiscipline {
  public static var N_TTY: UInt8 { 0 }
}

/// The argument of `TCFLSH`.
public enum FlushQueue {
  public static var TCIFLUSH: UInt64 { 0 }
  public static var TCOFLUSH: UInt64 { 1 }
  public static var TCIOFLUSH: UInt64 { 2 }
}

/// The argument of `TCXONC`.
public enum FlowAction {
  public static var TCOOFF: UInt64 { 0 }
  public static var TCOON: UInt64 { 1 }
  public static var TCIOFF: UInt64 { 2 }
  public static var TCION: UInt64 { 3 }
}
