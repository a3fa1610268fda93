extension Array where Element == UInt8 {
  /// The bytes as a raw span.
  @inline(__always)
  public var rawBytes: RawSpan {
    @_lifetime(borrow self)
    borrowing get {
      // SAFETY: every byte of an array of bytes is initialised.
      unsafe span.bytes
    }
  }
}

extension RawSpan {
  /// The byte at an offset, which must lie in the span.
  @inline(__always)
  public func byte(at offset: Int) -> UInt8 {
    // SAFETY: every byte of a raw span is initialised; unsafeLoad checks the bounds.
    unsafe unsafeLoad(fromByteOffset: offset, as: UInt8.self)
  }
}
