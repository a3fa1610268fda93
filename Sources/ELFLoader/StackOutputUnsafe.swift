/// The bytes of an initial stack from the stack pointer to the top, zero where nothing is put.
struct StackOutput {
  private(set) var bytes: [UInt8]
  /// Where the next word or text goes.
  var position = 0

  init(count: Int) { bytes = [UInt8](repeating: 0, count: count) }

  @inline(never)
  mutating func append(_ word: UInt64) {
    precondition(position >= 0 && position + 8 <= bytes.count)
    // SAFETY: the precondition keeps the word in the array.
    unsafe bytes.withUnsafeMutableBytes { unsafe $0.storeBytes(of: word, toByteOffset: position, as: UInt64.self) }
    position += 8
  }

  /// Puts the addresses of strings of these sizes, and a zero; returns where the last one ends.
  mutating func appendPointers(_ sizes: ArraySlice<Int>, from start: UInt64) -> UInt64 {
    var address = start
    for size in sizes {
      append(address)
      address += UInt64(size)
    }
    append(0)
    return address
  }

  mutating func append(_ text: [UInt8]) {
    precondition(position >= 0 && text.count <= bytes.count - position)
    // SAFETY: the precondition keeps the text in the array.
    unsafe bytes.withUnsafeMutableBytes { bytes in
      unsafe text.withUnsafeBytes {
        unsafe UnsafeMutableRawBufferPointer(rebasing: bytes[position...]).copyMemory(from: $0)
      }
    }
    position += text.count
  }
}
