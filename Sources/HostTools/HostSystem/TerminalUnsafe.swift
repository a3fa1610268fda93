// Calls of the C library on terminals.
internal import Glibc

/// The settings of a terminal, to be put back later.
public struct TerminalSettings {
  private let descriptor: Descriptor
  private let settings: termios

  /// Remembers the settings of the terminal behind `descriptor`; `nil` when it is none.
  public init?(of descriptor: Descriptor) {
    var settings = termios()
    // SAFETY: tcgetattr writes one termios.
    guard unsafe tcgetattr(descriptor.number, &settings) == 0 else { return nil }
    self.descriptor = descriptor
    self.settings = settings
  }

  /// Lets every byte pass as it is in both directions, for the guest has a terminal of its own in between.
  ///
  /// - Parameter keepsSignals: Whether Ctrl-C and Ctrl-\\ still send signals here.
  public func makeRaw(keepsSignals: Bool) {
    var raw = settings
    // SAFETY: cfmakeraw changes one termios.
    unsafe cfmakeraw(&raw)
    if keepsSignals {
      raw.c_lflag |= tcflag_t(ISIG)
      // Ctrl-Z is the guest's: this process could not give the terminal back before it stops.
      raw.c_cc.10 = 0
    }
    apply(raw)
  }

  /// Puts the settings back, also from the background.
  public func restore() { apply(settings) }

  private func apply(_ new: termios) {
    let previous = Glibc.signal(SIGTTOU, SIG_IGN)
    var copy = new
    // SAFETY: tcsetattr reads one termios.
    _ = unsafe tcsetattr(descriptor.number, TCSADRAIN, &copy)
    _ = Glibc.signal(SIGTTOU, previous)
  }
}

/// The rows and columns of the terminal behind `descriptor`; `nil` when it is none, or does not know.
public func windowSize(of descriptor: Descriptor) -> (rows: Int, columns: Int)? {
  var size = winsize()
  // SAFETY: TIOCGWINSZ writes one winsize.
  guard unsafe ioctl(descriptor.number, UInt(TIOCGWINSZ), &size) == 0, size.ws_row > 0, size.ws_col > 0 else {
    return nil
  }
  return (Int(size.ws_row), Int(size.ws_col))
}
