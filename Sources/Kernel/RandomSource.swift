public import LinuxABI
internal import Platform
internal import Support

/// Random numbers for AT_RANDOM, address layout, getrandom(2) and /dev/urandom: ChaCha20 with fast key erasure, keyed
/// from RDRAND, the time stamp counter and whatever entropy devices add later.
///
/// Reference: RFC 8439; Bernstein, "Fast-key-erasure random-number generators".
public final class RandomSource {
  private var key = InlineArray<8, UInt32>(repeating: 0)
  private var counter: UInt64 = 0
  private var block = InlineArray<16, UInt32>(repeating: 0)
  /// Words of `block` that were handed out. The first eight are the next key.
  private var used = 16

  /// Makes a source from what the machine has at once: RDRAND, and the jitter of the boot in the counter's low bits.
  public init() {
    for i in 0..<8 {
      let word = CPU.hardwareRandom ?? 0
      mix(word ^ CPU.timeStampCounter.multipliedFullWidth(by: 0x9e37_79b9_7f4a_7c15 &+ UInt64(i)).high)
      mix(CPU.timeStampCounter)
    }
  }

  /// Adds entropy: the key depends on it from now on.
  public func mix(_ word: UInt64) {
    key[0] ^= UInt32(truncatingIfNeeded: word)
    key[1] ^= UInt32(truncatingIfNeeded: word >> 32)
    refill()
    used = 16
  }

  /// The next random word.
  public func next() -> UInt64 {
    if used > 14 { refill() }
    let word = UInt64(block[used]) | UInt64(block[used + 1]) << 32
    // What was handed out must not be found here later.
    block[used] = 0
    block[used + 1] = 0
    used += 2
    return word
  }

  /// Fills what the writer has room for.
  ///
  /// - Throws: `EFAULT` when nothing at all could be written.
  public func fill(_ writer: inout UserWriter) throws(Errno) {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(256)
    while writer.remaining > 0 {
      let wanted = min(writer.remaining, 256)
      bytes.removeAll(keepingCapacity: true)
      while bytes.count < wanted {
        var word = next()
        for _ in 0..<min(8, wanted - bytes.count) {
          bytes.append(UInt8(truncatingIfNeeded: word))
          word >>= 8
        }
      }
      if try writer.write(bytes.rawBytes) < wanted { return }
    }
  }

  /// Makes a block: half of it becomes the next key, half is handed out.
  private func refill() {
    var state = InlineArray<16, UInt32>(repeating: 0)
    state[0] = 0x6170_7865
    state[1] = 0x3320_646e
    state[2] = 0x7962_2d32
    state[3] = 0x6b20_6574
    for i in 0..<8 { state[4 + i] = key[i] }
    state[12] = UInt32(truncatingIfNeeded: counter)
    state[13] = UInt32(truncatingIfNeeded: counter >> 32)
    counter &+= 1
    var x = state
    @inline(__always) func quarter(_ a: Int, _ b: Int, _ c: Int, _ d: Int) {
      x[a] &+= x[b]
      x[d] ^= x[a]
      x[d] = x[d] << 16 | x[d] >> 16
      x[c] &+= x[d]
      x[b] ^= x[c]
      x[b] = x[b] << 12 | x[b] >> 20
      x[a] &+= x[b]
      x[d] ^= x[a]
      x[d] = x[d] << 8 | x[d] >> 24
      x[c] &+= x[d]
      x[b] ^= x[c]
      x[b] = x[b] << 7 | x[b] >> 25
    }
    for _ in 0..<10 {
      quarter(0, 4, 8, 12)
      quarter(1, 5, 9, 13)
      quarter(2, 6, 10, 14)
      quarter(3, 7, 11, 15)
      quarter(0, 5, 10, 15)
      quarter(1, 6, 11, 12)
      quarter(2, 7, 8, 13)
      quarter(3, 4, 9, 14)
    }
    for i in 0..<16 { block[i] = x[i] &+ state[i] }
    for i in 0..<8 {
      key[i] = block[i]
      block[i] = 0
    }
    used = 8
  }
}
