public import Kernel
public import LinuxABI
public import Support

/// A counter that programs add to and wait for. See eventfd(2).
public final class EventFD: OpenFile {
  private var count: UInt64
  private let isSemaphore: Bool
  private let queue = WaitQueue()

  /// The highest count; one more is what an overflow would be.
  private static var maximum: UInt64 { .max - 1 }

  /// Makes a counter that starts at `count`; a read of a semaphore takes one, of another counter all.
  public init(_ context: FileSystemContext, count: UInt64, isSemaphore: Bool, isNonBlocking: Bool) {
    self.count = count
    self.isSemaphore = isSemaphore
    let path = context.namespace.makeAnonymousPath(
      mode: FileMode(rawValue: 0o600), name: [UInt8]("[eventfd]"), credentials: context.credentials)
    super.init(path, isNonBlocking ? [.O_RDWR, .O_NONBLOCK] : .O_RDWR)
  }

  override public func read(into writer: inout UserWriter, at position: Int64?) throws(Errno) -> Int {
    if position != nil { throw .ESPIPE }
    guard writer.remaining >= 8 else { throw .EINVAL }
    while count == 0 {
      if isNonBlocking { throw .EAGAIN }
      if queue.sleep() == .interrupted { throw .ERESTARTSYS }
    }
    let taken = isSemaphore ? 1 : count
    count -= taken
    queue.wakeAll()
    var bytes: [UInt8] = []
    for shift in stride(from: UInt64(0), to: 64, by: 8) { bytes.append(UInt8(truncatingIfNeeded: taken >> shift)) }
    return try writer.write(bytes.rawBytes)
  }

  override public func write(from reader: inout UserReader, at position: Int64?) throws(Errno) -> Int {
    if position != nil { throw .ESPIPE }
    guard reader.remaining >= 8 else { throw .EINVAL }
    let bytes = try reader.read(8)
    guard bytes.count == 8 else { throw .EFAULT }
    var added: UInt64 = 0
    for byte in bytes.reversed() { added = added << 8 | UInt64(byte) }
    if added == .max { throw .EINVAL }
    while added > Self.maximum - count {
      if isNonBlocking { throw .EAGAIN }
      if queue.sleep() == .interrupted { throw .ERESTARTSYS }
    }
    count += added
    queue.wakeAll()
    return 8
  }

  override public var readiness: PollEvents {
    var events: PollEvents = []
    if count > 0 { events.formUnion([.POLLIN, .POLLRDNORM]) }
    if count < Self.maximum { events.formUnion([.POLLOUT, .POLLWRNORM]) }
    return events
  }
  override public var waitQueue: WaitQueue? { queue }

  override public func writeInformation(_ text: inout TextBuffer) {
    text.append("eventfd-count: ")
    var value = TextBuffer()
    value.append(hex: UInt(count))
    for _ in value.count..<max(16, value.count) { text.append(byte: UInt8(ascii: " ")) }
    text.append(bytes: value.bytes)
    text.append("\n")
  }
}
