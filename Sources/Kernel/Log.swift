public import Support

/// Kernel messages, one line each, to wherever `Boot` points them.
public final class Log {
  public var level = LogLevel.warn
  private let write: (TextBuffer) -> Void

  public init(_ write: @escaping (TextBuffer) -> Void) { self.write = write }

  public func isEnabled(_ level: LogLevel) -> Bool { level.rawValue <= self.level.rawValue }

  /// Writes a line that `build` fills, if the level asks for it.
  public func callAsFunction(_ level: LogLevel, _ build: (inout TextBuffer) -> Void) {
    guard isEnabled(level) else { return }
    var line = TextBuffer(reserving: 80)
    build(&line)
    line.append(byte: UInt8(ascii: "\n"))
    write(line)
  }
  /// Writes a line that somebody asked for by name, whatever the level: a trace.
  public func trace(_ build: (inout TextBuffer) -> Void) { self(.error, build) }

  public func callAsFunction(_ level: LogLevel, _ text: StaticString) {
    self(level) { $0.append(text) }
  }
}
