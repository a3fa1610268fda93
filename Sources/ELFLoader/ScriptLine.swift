public import LinuxABI
internal import Support

/// Why a file that begins with `#!` names no interpreter.
public enum ScriptError: Error, Equatable, Sendable {
  case noInterpreter
  /// The file ends, or has a NUL, where the interpreter's path would be.
  case emptyInterpreter
  /// The interpreter's path may go on behind the bytes that are looked at.
  case tooLong

  /// The error of execve(2). Linux opens an empty path as the working directory, which it may not execute.
  public var errno: Errno { self == .emptyInterpreter ? .EACCES : .ENOEXEC }

  /// One line without its end, such as `FILE: script names no interpreter behind #!`.
  public func message(file: [UInt8]) -> [UInt8] {
    var text = TextBuffer()
    text.append(bytes: file)
    text.append(": ")
    switch self {
    case .noInterpreter, .emptyInterpreter: text.append("script names no interpreter behind #!")
    case .tooLong: text.append("script's interpreter has a path longer than 255 bytes")
    }
    return text.bytes
  }
}

/// The first line of a script, `#!interpreter [argument]`, read as Linux does (fs/binfmt_script.c).
public struct ScriptLine: Equatable, Sendable {
  /// How many bytes of the file are looked at (BINPRM_BUF_SIZE).
  public static var limit: Int { 256 }

  /// The path of the interpreter.
  public let interpreter: [UInt8]

  /// All that follows the interpreter's path on the line, without blanks around it: one argument.
  public let argument: [UInt8]?

  /// Reads the line, or returns nil for a file that does not begin with `#!`.
  ///
  /// - Parameter start: the first bytes of the file: all of them, or at least ``limit``.
  public init?(parsing start: ArraySlice<UInt8>) throws(ScriptError) {
    // Linux looks at a buffer of 256 bytes that is filled up with NULs.
    var buffer = [UInt8](start.prefix(Self.limit))
    guard buffer.count >= 2, buffer[0] == UInt8(ascii: "#"), buffer[1] == UInt8(ascii: "!") else { return nil }
    buffer += [UInt8](repeating: 0, count: Self.limit - buffer.count)

    // A NUL in front of the line's end ends the search for it.
    let firstNul = buffer.firstIndex(of: 0) ?? buffer.endIndex
    var end: Int
    if let newline = buffer.firstIndex(of: UInt8(ascii: "\n")), newline < firstNul {
      end = newline
    } else {
      end = Self.limit - 1
      guard let name = Self.firstNonBlank(buffer, from: 2, through: end) else { throw .noInterpreter }
      guard Self.terminator(buffer, from: name, through: end) != nil else { throw .tooLong }
    }
    while Self.isBlank(buffer[end - 1]) { end -= 1 }
    guard let name = Self.firstNonBlank(buffer, from: 2, through: end), name != end else { throw .noInterpreter }

    let separator = Self.terminator(buffer, from: name, through: end)
    // Both parts end at the line's end and, as strings of C, at a NUL.
    interpreter = Self.string(buffer[name..<min(separator ?? end, end)])
    guard !interpreter.isEmpty else { throw .emptyInterpreter }
    if let separator, separator < end, buffer[separator] != 0,
      let argument = Self.firstNonBlank(buffer, from: separator, through: end), argument < end
    {
      self.argument = Self.string(buffer[argument..<end])
    } else {
      argument = nil
    }
  }

  private static func isBlank(_ byte: UInt8) -> Bool { byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") }

  private static func firstNonBlank(_ buffer: [UInt8], from first: Int, through last: Int) -> Int? {
    guard first <= last else { return nil }
    return (first...last).first { !isBlank(buffer[$0]) }
  }

  private static func terminator(_ buffer: [UInt8], from first: Int, through last: Int) -> Int? {
    guard first <= last else { return nil }
    return (first...last).first { isBlank(buffer[$0]) || buffer[$0] == 0 }
  }

  private static func string(_ bytes: ArraySlice<UInt8>) -> [UInt8] { [UInt8](bytes.prefix { $0 != 0 }) }
}
