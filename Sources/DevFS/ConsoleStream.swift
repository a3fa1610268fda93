public import Kernel
public import LinuxABI
internal import Support
public import VFSCore

/// Where a console that is a pipe reads from.
public protocol StreamSource: AnyObject {
  /// Bytes to be read.
  var count: Int { get }
  /// Reads return what is left, then nothing.
  var isAtEnd: Bool { get }
  /// Woken when input or the end comes.
  var waitQueue: WaitQueue { get }
  /// - Throws: `EAGAIN`, `ERESTARTSYS`, `EFAULT`.
  func read(into writer: inout UserWriter, wait: Bool) throws(Errno) -> Int
}

/// Where a console that is a pipe writes to.
public protocol StreamSink: AnyObject {
  /// A write would not wait.
  var hasRoom: Bool { get }
  /// Woken when there is room.
  var waitQueue: WaitQueue { get }
  /// - Throws: `EAGAIN`, `ERESTARTSYS`, `EFAULT`, `EIO`.
  func write(from reader: inout UserReader, wait: Bool) throws(Errno) -> Int
}

/// Input of a console whose other side is a pipe: bytes as they are, and an end.
///
/// The serial line has no end of file, so the other side stuffs bytes: DLE (0x10) DLE is one DLE, DLE 0x04 is the end.
public final class PipeInput: StreamSource {
  private let device: any ConsoleDevice
  private var bytes = ByteQueue()
  private var isEscaped = false
  private var isPaused = false
  /// The end has come: reads return what is left, then nothing.
  public private(set) var isAtEnd = false
  /// Woken when input or the end comes.
  public let waitQueue = WaitQueue()

  private static var escape: UInt8 { 0x10 }
  private static var end: UInt8 { 0x04 }
  /// The device is held up above this and asked again below a quarter of it.
  private static var highWater: Int { 65536 }

  public init(_ device: any ConsoleDevice) { self.device = device }

  /// Takes what the device received. Called from the interrupt handler.
  public func receive(_ received: [UInt8]) {
    for byte in received where !isAtEnd {
      if isEscaped {
        isEscaped = false
        if byte == Self.end { isAtEnd = true } else { bytes.append(byte) }
      } else if byte == Self.escape {
        isEscaped = true
      } else {
        bytes.append(byte)
      }
    }
    if !isPaused, bytes.count > Self.highWater {
      isPaused = true
      device.setInputEnabled(false)
    }
    waitQueue.wakeAll()
  }

  /// Bytes to be read.
  public var count: Int { bytes.count }

  public func read(into writer: inout UserWriter, wait: Bool) throws(Errno) -> Int {
    if writer.remaining == 0 { return 0 }
    while bytes.isEmpty {
      if isAtEnd { return 0 }
      if !wait { throw .EAGAIN }
      if waitQueue.sleep() == .interrupted { throw .ERESTARTSYS }
    }
    var total = 0
    while writer.remaining > 0, !bytes.isEmpty {
      let taken = bytes.take(min(writer.remaining, pageSize))
      let done = try writer.write(taken.rawBytes)
      total += done
      if done < taken.count { break }
    }
    if isPaused, bytes.count < Self.highWater / 4 {
      isPaused = false
      device.setInputEnabled(true)
    }
    return total
  }
}

/// Output that a device takes at once.
public final class PipeOutput: StreamSink {
  private let device: any ConsoleDevice
  public let waitQueue = WaitQueue()

  public init(_ device: any ConsoleDevice) { self.device = device }

  public var hasRoom: Bool { true }

  public func write(from reader: inout UserReader, wait: Bool) throws(Errno) -> Int {
    var total = 0
    while reader.remaining > 0 {
      let count = try writePiece(from: &reader)
      if count == 0 { break }
      total += count
    }
    return total
  }

  /// Writes some bytes; 0 at a fault after others.
  public func writePiece(from reader: inout UserReader) throws(Errno) -> Int {
    let bytes = try reader.read(4 * pageSize)
    device.write(bytes.rawBytes)
    return bytes.count
  }
}

/// A console that is no terminal: fstat(2) says FIFO, ioctls say `ENOTTY`, bytes pass as they are.
public final class ConsoleStream {
  let input: (any StreamSource)?
  let output: (any StreamSink)?
  /// For those who poll what has no queue of its own.
  let idleQueue = WaitQueue()

  /// - Parameters:
  ///   - input: Where reads come from; nil for output only.
  ///   - output: Where writes go.
  public init(input: (any StreamSource)?, output: (any StreamSink)?) {
    self.input = input
    self.output = output
  }

  /// Opens it: `O_RDONLY` for standard input, `O_WRONLY` for standard output and error.
  public func open(_ flags: OpenFlags, in namespace: Namespace) -> OpenFile {
    let fileSystem = namespace.anonymous.fileSystem
    let path = namespace.anonymousPath(ConsoleStreamInode(fileSystem, self))
    return ConsoleStreamFile(path, flags, self)
  }
}

/// So that /dev/stdin and /proc/self/fd lead to the stream again.
final class ConsoleStreamInode: Inode {
  private let stream: ConsoleStream

  init(_ fileSystem: FileSystem, _ stream: ConsoleStream) {
    self.stream = stream
    super.init(
      fileSystem, number: fileSystem.makeInodeNumber(), mode: FileMode(.S_IFIFO, FileMode(rawValue: 0o600)))
  }

  override func open(_ path: Path, _ flags: OpenFlags) throws(Errno) -> OpenFile {
    ConsoleStreamFile(path, flags, stream)
  }
}

final class ConsoleStreamFile: OpenFile {
  private let stream: ConsoleStream

  init(_ path: Path, _ flags: OpenFlags, _ stream: ConsoleStream) {
    self.stream = stream
    super.init(path, flags)
  }

  override func read(into writer: inout UserWriter, at position: Int64?) throws(Errno) -> Int {
    if position != nil { throw .ESPIPE }
    guard isReadable else { throw .EBADF }
    guard let input = stream.input else { return 0 }
    return try input.read(into: &writer, wait: !isNonBlocking)
  }
  override func write(from reader: inout UserReader, at position: Int64?) throws(Errno) -> Int {
    if position != nil { throw .ESPIPE }
    guard isWritable else { throw .EBADF }
    guard let output = stream.output else { throw .EBADF }
    return try output.write(from: &reader, wait: !isNonBlocking)
  }

  override var readiness: PollEvents {
    var events: PollEvents = []
    if isWritable, stream.output?.hasRoom ?? true { events.formUnion([.POLLOUT, .POLLWRNORM]) }
    if isReadable {
      guard let input = stream.input else { return events.union(.POLLHUP) }
      if input.count > 0 { events.formUnion([.POLLIN, .POLLRDNORM]) }
      if input.isAtEnd { events.insert(.POLLHUP) }
    }
    return events
  }
  override var waitQueue: WaitQueue? {
    (isReadable ? stream.input?.waitQueue : stream.output?.waitQueue) ?? stream.idleQueue
  }

  override func control(_ request: IoctlRequest, _ argument: UInt) throws(Errno) -> Int {
    guard request == .FIONREAD else { throw .ENOTTY }
    try UserMemory.store(Int32(clamping: stream.input?.count ?? 0), at: argument)
    return 0
  }
}
