/// A set of flags of a system call's argument that can say its names, as strace(1) prints them.
public protocol NamedFlags: OptionSet, Sendable, BitwiseCopyable where RawValue: FixedWidthInteger & UnsignedInteger {
  /// The names of the bits from bit 0 up.
  static var bitNames: NameList { get }
  /// The bits that hold a number rather than flags, from bit 0 up; none by default.
  static var fieldMask: RawValue { get }
  /// The names of the values of the number under `fieldMask`.
  static var fieldNames: NameList { get }
  /// What to print when no bit is set; `0` by default.
  static var zeroName: StaticString { get }
  /// Writes the names of what is set, `O_WRONLY|O_CREAT`, with unnamed bits as one hexadecimal number at the end.
  func writeNames(_ put: (UInt8) -> Void)
}

extension NamedFlags {
  public static var fieldMask: RawValue { 0 }
  public static var fieldNames: NameList { NameList(words: "") }
  public static var zeroName: StaticString { "0" }

  public func writeNames(_ put: (UInt8) -> Void) {
    writeFlags(
      UInt64(rawValue), fieldMask: UInt64(Self.fieldMask), fieldNames: Self.fieldNames, bitNames: Self.bitNames,
      zeroName: Self.zeroName, put)
  }

  /// Calls `body` with each value and its name: first those of the number under `fieldMask`, then the single bits.
  public static func forEachName(_ body: (RawValue, StaticString) -> Void) {
    if fieldMask != 0 {
      fieldNames.visit { value, name in
        body(RawValue(truncatingIfNeeded: value), name)
        return true
      }
    }
    bitNames.visit { bit, name in
      body(1 << RawValue(truncatingIfNeeded: bit), name)
      return true
    }
  }
}

/// A closed set of numbers of a system call's argument, each with the name that strace(1) prints.
public protocol NamedValue: RawRepresentable, Sendable, BitwiseCopyable where RawValue: FixedWidthInteger {
  /// The name of a number, also of one that `init(rawValue:)` rejects; nil if it has none.
  static func name(of rawValue: RawValue) -> StaticString?
}

extension NamedValue {
  /// The name, spelled as in Linux.
  public var name: StaticString? { Self.name(of: rawValue) }
}

/// The body of `NamedFlags.writeNames`, outside the protocol so that the image has it once and not once per type; hence
/// also `@inline(never)` here and below.
@inline(never)
func writeFlags(
  _ bits: UInt64, fieldMask: UInt64, fieldNames: NameList, bitNames: NameList, zeroName: StaticString,
  _ put: (UInt8) -> Void
) {
  var isFirst = true
  var unnamed: UInt64 = 0
  func separate() {
    if !isFirst { put(UInt8(ascii: "|")) }
    isFirst = false
  }
  if fieldMask != 0 {
    let value = bits & fieldMask
    if let name = fieldNames[Int(truncatingIfNeeded: value)] {
      separate()
      write(name, put)
    } else {
      unnamed |= value
    }
  }
  var rest = bits & ~fieldMask
  while rest != 0 {
    let bit = rest.trailingZeroBitCount
    rest &= rest &- 1
    if let name = bitNames[bit] {
      separate()
      write(name, put)
    } else {
      unnamed |= 1 << UInt64(bit)
    }
  }
  if unnamed != 0 {
    separate()
    writeHexadecimal(unnamed, put)
  } else if isFirst {
    write(zeroName, put)
  }
}

/// Writes `0x` and the digits of `value` without leading zeros.
@inline(never)
func writeHexadecimal(_ value: UInt64, _ put: (UInt8) -> Void) {
  put(UInt8(ascii: "0"))
  put(UInt8(ascii: "x"))
  var shift = value == 0 ? 0 : (63 - value.leadingZeroBitCount) & ~3
  while shift >= 0 {
    let digit = UInt8(truncatingIfNeeded: value >> UInt64(shift)) & 15
    put(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10)
    shift -= 4
  }
}

/// Writes `value` in octal after a `0`, padded with zeros to `minimumDigits`; zero with no minimum is `0`.
@inline(never)
func writeOctal(_ value: UInt64, minimumDigits: Int, _ put: (UInt8) -> Void) {
  put(UInt8(ascii: "0"))
  let digits = max(minimumDigits, value == 0 ? 0 : (63 - value.leadingZeroBitCount) / 3 + 1)
  for index in stride(from: digits - 1, through: 0, by: -1) {
    put(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: value >> UInt64(index * 3)) & 7)
  }
}

/// Writes `value` in decimal.
@inline(never)
func writeDecimal(_ value: Int64, _ put: (UInt8) -> Void) {
  if value < 0 { put(UInt8(ascii: "-")) }
  let magnitude = value.magnitude
  var divisor: UInt64 = 1
  while magnitude / divisor >= 10 { divisor *= 10 }
  while divisor > 0 {
    put(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: magnitude / divisor % 10))
    divisor /= 10
  }
}
