/// Comparisons of names, eight bytes at a time.
enum NameBytes {
  /// Whether `name` is the bytes of `text` from `start` on, as many as `name` has.
  @inline(__always)
  static func equal(_ name: [UInt8], _ text: [UInt8], from start: Int) -> Bool {
    let count = name.count
    precondition(start >= 0 && count <= text.count - start)
    // SAFETY: both ranges are within their arrays, as just checked; loads are of plain bytes, unaligned.
    return unsafe name.withUnsafeBytes { a in
      unsafe text.withUnsafeBytes { b in
        var at = 0
        while at + 8 <= count {
          if unsafe a.loadUnaligned(fromByteOffset: at, as: UInt64.self)
            != b.loadUnaligned(fromByteOffset: start + at, as: UInt64.self)
          {
            return false
          }
          at += 8
        }
        while at < count {
          if unsafe a[at] != b[start + at] { return false }
          at += 1
        }
        return true
      }
    }
  }

  /// A hash of part of a path. FNV-1a, folded.
  @inline(__always)
  static func hash(_ text: [UInt8], _ start: Int, _ end: Int) -> UInt32 {
    precondition(start >= 0 && start <= end && end <= text.count)
    // SAFETY: the range is within the array, as just checked.
    return unsafe text.withUnsafeBytes { bytes in
      var hash: UInt64 = 0xcbf2_9ce4_8422_2325
      var at = start
      while at < end {
        unsafe hash = (hash ^ UInt64(bytes[at])) &* 0x100_0000_01b3
        at &+= 1
      }
      return UInt32(truncatingIfNeeded: hash ^ hash >> 32)
    }
  }
}
