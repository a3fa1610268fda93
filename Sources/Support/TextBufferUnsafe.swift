/// A growing line of bytes with the few formats that kernel messages, strace and procfs need. It is called from a
/// thousand places, none of which is in a hurry, so nothing of it is inlined.
public struct TextBuffer {
  /// What has been written so far.
  public private(set) var bytes: [UInt8] = []

  public init() {}
  public init(reserving count: Int) { bytes.reserveCapacity(count) }

  public var count: Int { bytes.count }
  public mutating func removeAll() { bytes.removeAll(keepingCapacity: true) }

  @inline(__always)
  public mutating func append(_ text: StaticString) {
    // SAFETY: a literal's characters are static memory of `utf8CodeUnitCount` bytes. (Not every one ends with a NUL:
    // the names of flags are parts of one long literal.)
    unsafe append(start: text.utf8Start, count: text.utf8CodeUnitCount)
  }
  // Without the flags of a StaticString, which would be one argument more at a thousand calls.
  @inline(never) @usableFromInline
  mutating func append(start: UnsafePointer<UInt8>, count: Int) {
    // SAFETY: `append(_:)` says that these are bytes of static memory.
    unsafe bytes.append(contentsOf: UnsafeBufferPointer(start: start, count: count))
  }
  @inline(never)
  public mutating func append(byte: UInt8) { bytes.append(byte) }
  @inline(never)
  public mutating func append(bytes more: [UInt8]) { bytes.append(contentsOf: more) }
  public mutating func append(span: RawSpan) {
    bytes.reserveCapacity(bytes.count + span.byteCount)
    // SAFETY: every byte of a raw span is initialised.
    for i in 0..<span.byteCount { bytes.append(unsafe span.unsafeLoad(fromByteOffset: i, as: UInt8.self)) }
  }
  /// Appends a signed decimal number, padded on the left to `width`.
  @inline(never)
  public mutating func append(decimal value: Int, width: Int = 0, pad: UInt8 = UInt8(ascii: " ")) {
    if value < 0 {
      append(byte: UInt8(ascii: "-"))
      append(decimal: value.magnitude, width: width - 1, pad: pad)
    } else {
      append(decimal: value.magnitude, width: width, pad: pad)
    }
  }
  @inline(never)
  public mutating func append(decimal value: UInt, width: Int = 0, pad: UInt8 = UInt8(ascii: " ")) {
    append(value, radix: 10, width: width, pad: pad)
  }
  /// Appends a hexadecimal number without a prefix, padded with zeroes to `width`.
  @inline(never)
  public mutating func append(hex value: UInt, width: Int = 0) {
    append(value, radix: 16, width: width, pad: UInt8(ascii: "0"))
  }
  public mutating func append(octal value: UInt, width: Int = 0) {
    append(value, radix: 8, width: width, pad: UInt8(ascii: "0"))
  }
  /// Appends `0x` and the number.
  @inline(never)
  public mutating func append(address value: UInt, width: Int = 0) {
    append("0x")
    append(hex: value, width: width)
  }

  private mutating func append(_ value: UInt, radix: UInt, width: Int, pad: UInt8) {
    var digits = 1
    var rest = value / radix
    while rest != 0 {
      digits += 1
      rest /= radix
    }
    if width > digits { for _ in digits..<width { append(byte: pad) } }
    let end = bytes.count + digits
    for _ in 0..<digits { append(byte: 0) }
    rest = value
    var at = end
    for _ in 0..<digits {
      at -= 1
      let digit = UInt8(truncatingIfNeeded: rest % radix)
      bytes[at] = digit < 10 ? 0x30 + digit : 0x57 + digit
      rest /= radix
    }
  }
}
