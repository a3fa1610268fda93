/// One word of the command line, after quotes and escapes were taken away.
public struct CommandLineToken {
  /// What the word stands for.
  public internal(set) var bytes: [UInt8] = []

  /// For each byte, whether it was written bare: outside of quotes and without a backslash. Only bare bytes have a
  /// meaning of their own (`--`, `[`, `]`).
  var isBare: [Bool] = []

  /// Whether a quote that opens in this word never closes.
  public internal(set) var isUnterminated = false

  /// Whether the word is `--`, written bare.
  public var isSeparator: Bool {
    bytes.count == 2 && bytes[0] == UInt8(ascii: "-") && bytes[1] == UInt8(ascii: "-") && isBare[0] && isBare[1]
  }

  /// Whether the byte at `index` is `byte`, written bare.
  func isBare(_ byte: UInt8, at index: Int) -> Bool {
    index >= 0 && index < bytes.count && bytes[index] == byte && isBare[index]
  }

  /// Where the first `=` stands, if there is one: behind the name of a parameter.
  public var equals: Int? { bytes.firstIndex(of: UInt8(ascii: "=")) }

  /// Whether the value behind the first `=` begins with a bare `[`.
  public var opensList: Bool { equals.map { isBare(UInt8(ascii: "["), at: $0 + 1) } ?? false }

  /// Whether the word ends with a bare `]`.
  public var closesList: Bool { isBare(UInt8(ascii: "]"), at: bytes.count - 1) }

  mutating func append(_ byte: UInt8, isBare bare: Bool) {
    bytes.append(byte)
    isBare.append(bare)
  }
}

/// Splits a command line into words.
///
/// Words end at blanks, tabs and line ends. In single quotes everything is literal; in double quotes only `\"` and `\\`
/// are escapes; outside of quotes `\x` stands for `x`. A pair of quotes with nothing in it makes an empty word.
public enum CommandLineTokenizer {
  public static func isBlank(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\n"), UInt8(ascii: "\r"), 0x0b, 0x0c: true
    default: false
    }
  }

  public static func tokens(of line: ArraySlice<UInt8>) -> [CommandLineToken] {
    var tokens: [CommandLineToken] = []
    var index = line.startIndex
    while index < line.endIndex {
      if isBlank(line[index]) {
        index += 1
      } else {
        tokens.append(token(of: line, at: &index))
      }
    }
    return tokens
  }

  /// Reads one word. `index` is at its first byte, and afterwards behind its last.
  private static func token(of line: ArraySlice<UInt8>, at index: inout Int) -> CommandLineToken {
    let backslash = UInt8(ascii: "\\")
    let doubleQuote = UInt8(ascii: "\"")
    var token = CommandLineToken()
    var quote: UInt8?
    while index < line.endIndex {
      let byte = line[index]
      let following: UInt8? = index + 1 < line.endIndex ? line[index + 1] : nil
      if let open = quote {
        if byte == open {
          quote = nil
        } else if open == doubleQuote, byte == backslash, let escaped = following,
          escaped == doubleQuote || escaped == backslash
        {
          token.append(escaped, isBare: false)
          index += 1
        } else {
          token.append(byte, isBare: false)
        }
      } else if isBlank(byte) {
        break
      } else if byte == doubleQuote || byte == UInt8(ascii: "'") {
        quote = byte
      } else if byte == backslash, let escaped = following {
        token.append(escaped, isBare: false)
        index += 1
      } else {
        token.append(byte, isBare: true)
      }
      index += 1
    }
    token.isUnterminated = quote != nil
    return token
  }
}

/// Where the program begins among the words of a command line: behind the first bare `--` outside of a list.
public enum CommandLineSplit {
  case separator(Int)
  case programOnly
  /// A `--` exists, but only inside of a list that begins at this word and never ends.
  case openList(Int)

  public init(_ tokens: [CommandLineToken]) {
    var openList: Int?
    var separatorInList = false
    for index in tokens.indices {
      let token = tokens[index]
      if openList != nil {
        if token.isSeparator { separatorInList = true }
        if token.closesList {
          openList = nil
          separatorInList = false
        }
      } else if token.isSeparator {
        self = .separator(index)
        return
      } else if token.opensList, !token.closesList {
        openList = index
      }
    }
    if let openList, separatorInList { self = .openList(openList) } else { self = .programOnly }
  }
}
