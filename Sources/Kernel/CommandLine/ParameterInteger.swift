/// Integers as the command line writes them.
public enum ParameterInteger {
  enum Result<Value> {
    case value(Value)
    case malformed
    case outOfRange
  }

  /// Reads digits with the prefixes of strtoull(3) in base 0: none for decimal, `0` for octal, `0x` for hexadecimal.
  static func parseUnsigned(_ text: ArraySlice<UInt8>, isOctal: Bool = false) -> Result<UInt64> {
    var digits = text
    var base: UInt64 = isOctal ? 8 : 10
    if !isOctal, digits.first == UInt8(ascii: "0"), digits.count > 1 {
      digits = digits.dropFirst()
      base = 8
      if let marker = digits.first, marker | 0x20 == UInt8(ascii: "x") {
        digits = digits.dropFirst()
        base = 16
      }
    }
    guard !digits.isEmpty else { return .malformed }
    var value: UInt64 = 0
    var overflows = false
    for byte in digits {
      guard let digit = digitValue(byte), digit < base else { return .malformed }
      let (scaled, scaleOverflow) = value.multipliedReportingOverflow(by: base)
      let (sum, sumOverflow) = scaled.addingReportingOverflow(digit)
      overflows = overflows || scaleOverflow || sumOverflow
      value = sum
    }
    return overflows ? .outOfRange : .value(value)
  }

  /// As ``parseUnsigned(_:)``, with an optional sign in front.
  static func parse(_ text: ArraySlice<UInt8>) -> Result<Int64> {
    let isNegative = text.first == UInt8(ascii: "-")
    let isSigned = isNegative || text.first == UInt8(ascii: "+")
    switch parseUnsigned(isSigned ? text.dropFirst() : text) {
    case .malformed: return .malformed
    case .outOfRange: return .outOfRange
    case .value(let magnitude):
      if isNegative {
        if magnitude == Int64.min.magnitude { return .value(.min) }
        guard let value = Int64(exactly: magnitude) else { return .outOfRange }
        return .value(-value)
      }
      guard let value = Int64(exactly: magnitude) else { return .outOfRange }
      return .value(value)
    }
  }

  /// Reads a number with an optional suffix `K`, `M` or `G` (powers of 1024), as Linux's memparse.
  static func parseSize(_ text: ArraySlice<UInt8>) -> Result<UInt64> {
    var digits = text
    var shift: UInt64 = 0
    if let suffix = digits.last {
      switch suffix | 0x20 {
      case UInt8(ascii: "k"): shift = 10
      case UInt8(ascii: "m"): shift = 20
      case UInt8(ascii: "g"): shift = 30
      default: break
      }
      if shift != 0 { digits = digits.dropLast() }
    }
    switch parseUnsigned(digits) {
    case .value(let value):
      let (size, overflow) = value.multipliedReportingOverflow(by: 1 << shift)
      return overflow ? .outOfRange : .value(size)
    case .malformed: return .malformed
    case .outOfRange: return .outOfRange
    }
  }

  /// The number of ``parseUnsigned(_:)`` or, with a unit, of ``parseSize(_:)``; nil for what is none or too large.
  public static func number(_ text: ArraySlice<UInt8>, takesUnit: Bool, isOctal: Bool = false) -> UInt64? {
    if case .value(let value) = takesUnit ? parseSize(text) : parseUnsigned(text, isOctal: isOctal) { return value }
    return nil
  }

  /// The decimal digits of `value`.
  static func text(_ value: Int64) -> [UInt8] {
    var magnitude = value.magnitude
    var reversed: [UInt8] = []
    repeat {
      reversed.append(UInt8(ascii: "0") + UInt8(magnitude % 10))
      magnitude /= 10
    } while magnitude > 0
    if value < 0 { reversed.append(UInt8(ascii: "-")) }
    reversed.reverse()
    return reversed
  }

  private static func digitValue(_ byte: UInt8) -> UInt64? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt64(byte - UInt8(ascii: "0"))
    case UInt8(ascii: "a")...UInt8(ascii: "f"): UInt64(byte - UInt8(ascii: "a") + 10)
    case UInt8(ascii: "A")...UInt8(ascii: "F"): UInt64(byte - UInt8(ascii: "A") + 10)
    default: nil
    }
  }
}
