/// Encodes an input for the guest.
struct InputEncoder {
  /// What the input is.
  enum Form {
    /// Bytes and an end, of which a serial line has none: 0x10 is sent twice, and the end is 0x10 0x04.
    case pipe
    /// Bytes as they are, or keys.
    case plain
    /// Keys but for the escape Ctrl-A: Ctrl-A X asks for the guest's end, Ctrl-A Ctrl-A is one Ctrl-A.
    case terminalWithEscape
  }
  static let escape: UInt8 = 0x10
  static let end: UInt8 = 0x04
  private static let key: UInt8 = 0x01

  let form: Form
  private var isEscaped = false
  /// Ctrl-A X was typed.
  private(set) var isQuitting = false

  init(_ form: Form) { self.form = form }

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
      if form == .terminalWithEscape, addKey(byte) { continue }
      pending.append(byte)
      if form == .pipe, byte == Self.escape { pending.append(byte) }
    }
  }

  /// Returns true when the key is not for the guest.
  private mutating func addKey(_ byte: UInt8) -> Bool {
    guard isEscaped else {
      isEscaped = byte == Self.key
      return isEscaped
    }
    isEscaped = false
    if byte | 0x20 == UInt8(ascii: "x") { isQuitting = true }
    return byte != Self.key
  }

  mutating func addEnd() {
    guard form == .pipe else { return }
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
