/// A JSON value (RFC 8259), as far as QMP needs it: numbers are integers, or text where they are not.
indirect enum JSONValue: Equatable {
  case null
  case boolean(Bool)
  case integer(Int64)
  case string(String)
  case array([JSONValue])
  case object([String: JSONValue])

  /// Reads one value; `nil` when `text` is something else.
  init?(_ text: some Sequence<UInt8>) {
    var reader = Reader(bytes: Array(text))
    guard let value = reader.value(depth: 0) else { return nil }
    self = value
  }

  subscript(key: String) -> JSONValue? {
    if case .object(let members) = self { members[key] } else { nil }
  }

  var string: String? {
    if case .string(let text) = self { text } else { nil }
  }

  /// `text` as a JSON string, quotes included.
  static func quoted(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": result += "\\\""
      case "\\": result += "\\\\"
      case _ where scalar.value < 0x20:
        let digits = String(scalar.value, radix: 16)
        result += "\\u00" + (digits.utf8.count < 2 ? "0" : "") + digits
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }

  private struct Reader {
    let bytes: [UInt8]
    var index = 0

    private var current: UInt8? { index < bytes.count ? bytes[index] : nil }

    private mutating func take(_ byte: Character) -> Bool {
      skipBlanks()
      guard current == byte.asciiValue else { return false }
      index += 1
      return true
    }

    private mutating func skipBlanks() {
      while let byte = current, [0x20, 0x09, 0x0a, 0x0d].contains(byte) { index += 1 }
    }

    mutating func value(depth: Int) -> JSONValue? {
      guard depth < 100 else { return nil }
      skipBlanks()
      switch current {
      case UInt8(ascii: "{"):
        index += 1
        var members: [String: JSONValue] = [:]
        if take("}") { return .object(members) }
        repeat {
          skipBlanks()
          guard let key = string(), take(":"), let member = value(depth: depth + 1) else { return nil }
          members[key] = member
        } while take(",")
        return take("}") ? .object(members) : nil
      case UInt8(ascii: "["):
        index += 1
        var elements: [JSONValue] = []
        if take("]") { return .array(elements) }
        repeat {
          guard let element = value(depth: depth + 1) else { return nil }
          elements.append(element)
        } while take(",")
        return take("]") ? .array(elements) : nil
      case UInt8(ascii: "\""): return string().map { .string($0) }
      default:
        let word = String(
          decoding: bytes[index...].prefix { !",]}".utf8.contains($0) && $0 > 0x20 }, as: UTF8.self)
        index += word.utf8.count
        switch word {
        case "": return nil
        case "null": return .null
        case "true": return .boolean(true)
        case "false": return .boolean(false)
        default: return Int64(word).map { .integer($0) } ?? .string(word)
        }
      }
    }

    private mutating func string() -> String? {
      guard current == UInt8(ascii: "\"") else { return nil }
      index += 1
      var units: [UInt8] = []
      while let byte = current {
        index += 1
        if byte == UInt8(ascii: "\"") { return String(decoding: units, as: UTF8.self) }
        guard byte == UInt8(ascii: "\\") else {
          units.append(byte)
          continue
        }
        guard let escaped = current else { return nil }
        index += 1
        switch escaped {
        case UInt8(ascii: "n"): units.append(0x0a)
        case UInt8(ascii: "r"): units.append(0x0d)
        case UInt8(ascii: "t"): units.append(0x09)
        case UInt8(ascii: "b"): units.append(0x08)
        case UInt8(ascii: "f"): units.append(0x0c)
        case UInt8(ascii: "u"):
          let digits = String(decoding: bytes[index...].prefix(4), as: UTF8.self)
          guard let code = UInt32(digits, radix: 16), digits.utf8.count == 4 else { return nil }
          index += 4
          units += String(Unicode.Scalar(code) ?? "\u{fffd}").utf8
        default: units.append(escaped)
        }
      }
      return nil
    }
  }
}
