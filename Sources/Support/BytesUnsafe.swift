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
