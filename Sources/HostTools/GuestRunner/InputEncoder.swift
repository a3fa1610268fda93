/// Encodes an input for the guest's serial line, which has no end and no other way to say so.
///
/// 0x10 is sent twice; the end of the input is 0x10 0x04.
struct InputEncoder {
  static let escape: UInt8 = 0x10
  static let end: UInt8 = 0x04

  /// The encoded bytes that wait to be sent.
  private(set) var pending: [UInt8] = []
  private var sent = 0

  /// True when everything that was added has been sent.
  var isEmpty: Bool { sent == pending.count }

  /// The bytes to send next.
  var next: ArraySlice<UInt8> { pending[sent...] }

  mutating func add(_ bytes: ArraySlice<UInt8>) {
    compact()
    pending.reserveCapacity(pending.count + bytes.count)
    for byte in bytes {
      pending.append(byte)
      if byte == Self.escape { pending.append(byte) }
    }
  }

  mutating func addEnd() {
    compact()
    pending += [Self.escape, Self.end]
  }

  /// Notes that `count` bytes of `next` were sent.
  mutating func didSend(_ count: Int) {
    sent += count
  }

  private mutating func compact() {
    pending.removeFirst(sent)
    sent = 0
  }
}
