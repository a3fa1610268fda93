/// Names indexed by small numbers, kept as one literal: a table of `StaticString`s costs 20 to 50 bytes an entry in
/// code, pointers and relocations, and this costs nothing beyond the characters.
///
/// Entries stand for the numbers 0, 1, 2 … in turn. `-` skips a number, and `@n` (decimal) makes `n` the number of the
/// next entry. A look-up is linear: for messages and traces, not for fast paths.
public struct NameList: Sendable {
  private let text: StaticString
  private let separatesAtBlanks: Bool

  /// Entries separated by blanks or line ends. `text` must be an ASCII literal of more than one scalar.
  public init(words text: StaticString) {
    self.text = text
    separatesAtBlanks = true
  }

  /// Entries separated by line ends, so that an entry can hold blanks. `text` must be an ASCII literal.
  public init(lines text: StaticString) {
    self.text = text
    separatesAtBlanks = false
  }

  /// The name of `number`, or nil if it has none.
  public subscript(number: Int) -> StaticString? {
    @inline(never) get {
      var found: StaticString?
      visit { candidate, name in
        if candidate == number { found = name }
        return candidate != number
      }
      return found
    }
  }

  /// Calls `body` with each number that has a name, in the order of the list, until it returns false.
  public func visit(_ body: (Int, StaticString) -> Bool) {
    // SAFETY: a literal's characters are static memory of `utf8CodeUnitCount` bytes, valid for ever.
    let bytes = unsafe UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
    var number = 0
    var start = 0
    while start < bytes.count {
      var end = start
      while end < bytes.count, !isSeparator(unsafe bytes[end]) { end += 1 }
      // SAFETY: `start` is below `bytes.count` by the loop's condition.
      let first = unsafe bytes[start]
      if first == UInt8(ascii: "@") {
        number = 0
        var sign = 1
        for index in (start + 1)..<end {
          // SAFETY: `index` is below `end`, which is at most `bytes.count`.
          let byte = unsafe bytes[index]
          if byte == UInt8(ascii: "-") { sign = -1 } else { number = number * 10 + Int(byte & 15) }
        }
        number *= sign
      } else if end > start {
        let isGap = first == UInt8(ascii: "-") && end == start + 1
        // SAFETY: `start` and `end` bound a part of the literal.
        if !isGap, !body(number, unsafe Self.literal(bytes.baseAddress! + start, end - start)) { return }
        number += 1
      }
      start = end + 1
    }
  }

  private func isSeparator(_ byte: UInt8) -> Bool {
    byte == UInt8(ascii: "\n") || (separatesAtBlanks && byte == UInt8(ascii: " "))
  }

  /// A `StaticString` of a part of an ASCII literal.
  ///
  /// The standard library has no public way to make one. `StaticString` is `@frozen`, so its layout cannot change: a
  /// pointer, a length, and a byte of flags in which 2 says that the pointer is to ASCII.
  private static func literal(_ start: UnsafePointer<UInt8>, _ count: Int) -> StaticString {
    // SAFETY: both types have the same size and layout, as said above, and `start` points to static memory.
    unsafe unsafeBitCast((start, count, UInt8(2)), to: StaticString.self)
  }
}

/// Writes the bytes of a literal.
@inline(never)
func write(_ text: StaticString, _ put: (UInt8) -> Void) {
  // SAFETY: a literal's characters are static memory of `utf8CodeUnitCount` bytes, valid for ever.
  let bytes = unsafe UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
  for index in 0..<bytes.count { put(unsafe bytes[index]) }
}
