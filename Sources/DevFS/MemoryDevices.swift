public import Kernel
public import LinuxABI
internal import Support
public import VFSCore

/// The devices of major number 1 that are no hardware: null(4), full(4) and random(4).
public final class MemoryDevices: DeviceDriver {
  private enum Minor {
    static var null: UInt32 { 3 }
    static var zero: UInt32 { 5 }
    static var full: UInt32 { 7 }
    static var random: UInt32 { 8 }
    static var urandom: UInt32 { 9 }
    static var kmsg: UInt32 { 11 }
  }
  private let random: RandomSource
  private let log: Log

  public init(_ random: RandomSource, _ log: Log) {
    self.random = random
    self.log = log
  }

  /// Makes the devices known.
  public func register(in devices: DeviceRegistry) {
    devices.register(self, .S_IFCHR, major: 1, minors: Minor.null...Minor.kmsg)
  }

  public func open(_ path: Path, _ flags: OpenFlags) throws(Errno) -> OpenFile {
    switch path.inode.device.minor {
    case Minor.null: return NullFile(path, flags)
    case Minor.zero: return ZeroFile(path, flags)
    case Minor.full: return FullFile(path, flags)
    case Minor.random, Minor.urandom: return RandomFile(path, flags, random)
    case Minor.kmsg: return KernelLogFile(path, flags, log)
    default: throw .ENXIO
    }
  }
}

/// What the memory devices have in common: always ready, seeking goes nowhere.
class MemoryDeviceFile: OpenFile {
  override func seek(_ distance: Int64, _ whence: SeekWhence) throws(Errno) -> Int64 {
    offset = 0
    return 0
  }
  override func write(from reader: inout UserReader, at position: Int64?) throws(Errno) -> Int {
    guard isWritable else { throw .EBADF }
    if let position, Int64(reader.remaining) > .max - position { throw .EINVAL }
    return reader.remaining
  }
  override var isPollable: Bool { false }
}

final class NullFile: MemoryDeviceFile {
  override func read(into writer: inout UserWriter, at position: Int64?) throws(Errno) -> Int {
    guard isReadable else { throw .EBADF }
    if let position, Int64(writer.remaining) > .max - position { throw .EINVAL }
    return 0
  }
}

final class ZeroFile: MemoryDeviceFile {
  override func read(into writer: inout UserWriter, at position: Int64?) throws(Errno) -> Int {
    guard isReadable else { throw .EBADF }
    return try writer.writeZeroes(writer.remaining)
  }
  override func mappingCache() throws(Errno) -> PageCache? { nil }
}

final class FullFile: MemoryDeviceFile {
  override func read(into writer: inout UserWriter, at position: Int64?) throws(Errno) -> Int {
    guard isReadable else { throw .EBADF }
    return try writer.writeZeroes(writer.remaining)
  }
  override func write(from reader: inout UserReader, at position: Int64?) throws(Errno) -> Int {
    guard isWritable else { throw .EBADF }
    throw .ENOSPC
  }
}

final class RandomFile: MemoryDeviceFile {
  private let random: RandomSource

  init(_ path: Path, _ flags: OpenFlags, _ random: RandomSource) {
    self.random = random
    super.init(path, flags)
  }

  override func read(into writer: inout UserWriter, at position: Int64?) throws(Errno) -> Int {
    guard isReadable else { throw .EBADF }
    let before = writer.transferred
    try random.fill(&writer)
    return writer.transferred - before
  }
  override func write(from reader: inout UserReader, at position: Int64?) throws(Errno) -> Int {
    guard isWritable else { throw .EBADF }
    var total = 0
    while reader.remaining > 0 {
      let bytes = try reader.read(pageSize)
      if bytes.isEmpty { break }
      for start in stride(from: 0, to: bytes.count, by: 8) {
        var word: UInt64 = 0
        for byte in bytes[start..<min(start + 8, bytes.count)] { word = word << 8 | UInt64(byte) }
        random.mix(word)
      }
      total += bytes.count
    }
    return total
  }
  override func control(_ request: IoctlRequest, _ argument: UInt) throws(Errno) -> Int {
    switch request {
    // What a generator that is always seeded reports.
    case .RNDGETENTCNT: try UserMemory.store(Int32(256), at: argument)
    case .RNDADDTOENTCNT, .RNDZAPENTCNT, .RNDCLEARPOOL, .RNDRESEEDCRNG: break
    case .RNDADDENTROPY:
      // struct rand_pool_info: entropy_count, buf_size, then the bytes.
      let count = try UserMemory.load(Int32.self, at: argument &+ 4)
      guard count >= 0, count <= 4096 else { throw .EINVAL }
      let bytes = try UserMemory.bytes(at: argument &+ 8, count: Int(count))
      for byte in bytes { random.mix(UInt64(byte)) }
    default: throw .ENOTTY
    }
    return 0
  }
}

/// /dev/kmsg for writing: a line of the kernel's log.
final class KernelLogFile: MemoryDeviceFile {
  private let log: Log

  init(_ path: Path, _ flags: OpenFlags, _ log: Log) {
    self.log = log
    super.init(path, flags)
  }

  override func write(from reader: inout UserReader, at position: Int64?) throws(Errno) -> Int {
    guard isWritable else { throw .EBADF }
    // The longest line that Linux takes.
    if reader.remaining > 1024 { throw .EINVAL }
    var bytes = try reader.read(1024)
    let count = bytes.count
    if bytes.last == UInt8(ascii: "\n") { bytes.removeLast() }
    log(.info) { $0.append(bytes: bytes) }
    return count
  }
  override func read(into writer: inout UserWriter, at position: Int64?) throws(Errno) -> Int {
    guard isReadable else { throw .EBADF }
    throw .EAGAIN
  }
}
