// Names are spelled as in Linux, so that grep and the man pages work.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

/// The settings of a terminal: the kernel's `struct termios`, 36 bytes; glibc's has 60. See termios(3).
@frozen
public struct Termios: ABIStruct, Sendable {
  public var c_iflag: TerminalInputFlags = []
  public var c_oflag: TerminalOutputFlags = []
  public var c_cflag: TerminalControlFlags = []
  public var c_lflag: TerminalLocalFlags = []
  /// One of `LineDiscipline`.
  public var c_line: UInt8 = 0
  /// The control characters, by `ControlCharacter`.
  public var c_cc = InlineArray<19, UInt8>(repeating: 0)

  /// All bytes zero.
  public init() {}

  /// What Linux gives a new terminal: canonical mode with echo, signals and the usual control characters.
  public static var initial: Self {
    var termios = Self()
    termios.c_iflag = [.ICRNL, .IXON]
    termios.c_oflag = [.OPOST, .ONLCR]
    termios.c_cflag = [.B38400, .CS8, .CREAD]
    termios.c_lflag = [.ISIG, .ICANON, .ECHO, .ECHOE, .ECHOK, .ECHOCTL, .ECHOKE, .IEXTEN]
    termios.c_cc[ControlCharacter.VINTR] = control("C")
    termios.c_cc[ControlCharacter.VQUIT] = control("\\")
    termios.c_cc[ControlCharacter.VERASE] = 0x7f
    termios.c_cc[ControlCharacter.VKILL] = control("U")
    termios.c_cc[ControlCharacter.VEOF] = control("D")
    termios.c_cc[ControlCharacter.VMIN] = 1
    termios.c_cc[ControlCharacter.VSTART] = control("Q")
    termios.c_cc[ControlCharacter.VSTOP] = control("S")
    termios.c_cc[ControlCharacter.VSUSP] = control("Z")
    termios.c_cc[ControlCharacter.VREPRINT] = control("R")
    termios.c_cc[ControlCharacter.VDISCARD] = control("O")
    termios.c_cc[ControlCharacter.VWERASE] = control("W")
    termios.c_cc[ControlCharacter.VLNEXT] = control("V")
    return termios
  }

  private static func control(_ letter: Unicode.Scalar) -> UInt8 { UInt8(ascii: letter) & 0x1f }
}

/// The settings with the speeds in baud: `struct termios2` of `TCGETS2`, 44 bytes.
@frozen
public struct Termios2: ABIStruct, Sendable {
  public var termios = Termios()
  public var c_ispeed: UInt32 = 0
  public var c_ospeed: UInt32 = 0

  /// All bytes zero.
  public init() {}
}

/// The size of a window: `struct winsize` of `TIOCGWINSZ`, 8 bytes. See ioctl_tty(2).
@frozen
public struct Winsize: ABIStruct, Sendable {
  public var ws_row: UInt16 = 0
  public var ws_col: UInt16 = 0
  public var ws_xpixel: UInt16 = 0
  public var ws_ypixel: UInt16 = 0

  /// All bytes zero.
  public init() {}

  public init(ws_row: UInt16, ws_col: UInt16) {
    self.ws_row = ws_row
    self.ws_col = ws_col
  }
}
