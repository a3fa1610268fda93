/// The kernel's command line: parameters of the runner in front of what the user wrote.
///
/// The grammar is the kernel's own: `[parameters] -- program arguments`, and without a `--` all of it is the program
/// and its arguments. The user's text is never changed, so its quotes mean what the user meant.
enum KernelLine {
  /// Puts `parameters` in front of the user's line.
  ///
  /// - Returns: `nil` when there is nothing to say.
  static func make(parameters: [String], user: String?) -> String? {
    let user = user ?? ""
    let isBlank = user.utf8.allSatisfy(isBlank)
    if parameters.isEmpty { return isBlank ? nil : user }
    let front = parameters.joined(separator: " ")
    if isBlank { return front + " --" }
    return hasSeparator(user) ? "\(front) \(user)" : "\(front) -- \(user)"
  }

  /// True when the line has a bare `--` that separates parameters from the program.
  ///
  /// A `--` in a list that never ends counts: the kernel rejects such a line, and must see the same line to say so.
  static func hasSeparator(_ line: String) -> Bool {
    var isInList = false
    var separatorInList = false
    for word in words(line) {
      if isInList {
        if word.isSeparator { separatorInList = true }
        if word.closesList {
          isInList = false
          separatorInList = false
        }
      } else if word.isSeparator {
        return true
      } else {
        isInList = word.opensList && !word.closesList
      }
    }
    return isInList && separatorInList
  }

  /// A word, with what a quote or a backslash protected set to `nil`: only bare bytes have a meaning of their own.
  private struct Word {
    var bytes: [UInt8?] = []

    var isSeparator: Bool { bytes == [UInt8(ascii: "-"), UInt8(ascii: "-")] }
    var closesList: Bool { bytes.last == UInt8(ascii: "]") }
    var opensList: Bool {
      guard let equals = bytes.firstIndex(of: UInt8(ascii: "=")) else { return false }
      return equals + 1 < bytes.count && bytes[equals + 1] == UInt8(ascii: "[")
    }
  }

  private static func isBlank(_ byte: UInt8) -> Bool {
    byte == UInt8(ascii: " ") || UInt8(ascii: "\t")...UInt8(ascii: "\r") ~= byte
  }

  private static func words(_ line: String) -> [Word] {
    var words: [Word] = []
    var current: Word?
    var quote: UInt8?
    var isEscaped = false
    let bytes = Array(line.utf8)
    for (index, byte) in bytes.enumerated() {
      let next = index + 1 < bytes.count ? bytes[index + 1] : nil
      if isEscaped {
        current!.bytes.append(nil)
        isEscaped = false
      } else if let open = quote {
        if byte == open {
          quote = nil
        } else if open == UInt8(ascii: "\""), byte == UInt8(ascii: "\\"), next == open || next == byte {
          isEscaped = true
        } else {
          current!.bytes.append(nil)
        }
      } else if isBlank(byte) {
        if let word = current.take() { words.append(word) }
      } else {
        if current == nil { current = Word() }
        switch byte {
        case UInt8(ascii: "'"), UInt8(ascii: "\""): quote = byte
        case UInt8(ascii: "\\") where next != nil: isEscaped = true
        default: current!.bytes.append(byte)
        }
      }
    }
    if let word = current { words.append(word) }
    return words
  }
}
