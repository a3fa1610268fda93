// StaticString's bytes as a Swift array, so that no other file needs the unsafe buffer behind it. What goes through
// `"…".utf8` instead pulls 8 KB of String's indices into the kernel.

extension StaticString {
  /// The UTF-8 bytes of the text.
  @inline(never)
  public var bytes: [UInt8] {
    // A StaticString made from one Unicode scalar has no pointer. The compiler makes that form only for a literal
    // that is asked for as a unicode scalar, which nothing here does.
    guard hasPointerRepresentation else { return [] }
    // SAFETY: with a pointer representation the buffer is the literal in read-only data, valid for the program's life.
    return withUTF8Buffer { unsafe [UInt8]($0) }
  }
}

extension Array where Element == UInt8 {
  /// The UTF-8 bytes of a literal.
  public init(_ text: StaticString) { self = text.bytes }
}

extension ArraySlice where Element == UInt8 {
  /// Whether these are the UTF-8 bytes of a literal.
  public func equals(_ text: StaticString) -> Bool { elementsEqual(text.bytes) }
}
