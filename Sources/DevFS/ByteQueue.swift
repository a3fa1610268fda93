/// Bytes that wait to be read.
struct ByteQueue {
  private var bytes: [UInt8] = []
  private var head = 0

  var count: Int { bytes.count - head }
  var isEmpty: Bool { count == 0 }

  mutating func append(_ byte: UInt8) { bytes.append(byte) }

  /// Takes at most `limit` bytes out of the front.
  mutating func take(_ limit: Int) -> [UInt8] {
    let taken = Array(bytes[head..<min(head + limit, bytes.count)])
    head += taken.count
    if head == bytes.count {
      bytes.removeAll(keepingCapacity: true)
      head = 0
    } else if head >= 4096 {
      bytes.removeFirst(head)
      head = 0
    }
    return taken
  }

  /// Drops what is behind the first `limit` bytes.
  mutating func truncate(to limit: Int) {
    if count > limit { bytes.removeLast(count - limit) }
  }
}
