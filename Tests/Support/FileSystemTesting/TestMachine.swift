// What tests of file systems start from: frames over fake memory, a clock, and buffers of the program's.
import Kernel
import LinuxABI
import Platform
import VFSCore

/// Frames, a clock and an environment of a test's own.
public struct TestMachine {
  public let frames: FrameAllocator
  public let environment: FileSystemEnvironment
  /// Where the frames begin, as a physical address.
  public let memory: UInt

  public init(megabytes: Int = 16) {
    let size = megabytes << 20
    let start = FakeMachine.reserve(bytes: size + (1 << 22))
    let first = UInt32(start >> 12)
    let end = first + UInt32(size >> 12)
    // The records lie behind the frames, and begin with that of the first frame.
    let records = start + UInt(size) &- UInt(first) * 16
    frames = FrameAllocator(records: records, frameLimit: end)
    frames.add(first, end)
    memory = start
    let clock = Clock(tscBase: 0, ticksPerSecond: 1_000_000_000)
    clock.setRealtime(1_700_000_000_000_000_000)
    environment = FileSystemEnvironment(frames: frames, clock: clock)
  }
}

/// A buffer in the program's memory.
public struct UserBuffer {
  public let address: UInt
  public let count: Int

  public init(count: Int) {
    address = FakeMachine.reserveUser(bytes: count)
    self.count = count
  }
  public init(_ bytes: [UInt8]) {
    self.init(count: max(bytes.count, 1))
    try! UserMemory.store(bytes.span.bytes, at: address)
  }

  public var bytes: [UInt8] { try! UserMemory.bytes(at: address, count: count) }
}

extension OpenFile {
  /// Reads up to `count` bytes, as read(2) or pread(2).
  public func read(_ count: Int, at position: Int64? = nil) throws(Errno) -> [UInt8] {
    let buffer = UserBuffer(count: max(count, 1))
    var writer = UserWriter(buffer.address, count: count)
    let done = try read(into: &writer, at: position)
    return Array(buffer.bytes[..<done])
  }
  /// Writes bytes, as write(2) or pwrite(2).
  @discardableResult
  public func write(_ bytes: [UInt8], at position: Int64? = nil) throws(Errno) -> Int {
    let buffer = UserBuffer(bytes)
    var reader = UserReader(buffer.address, count: bytes.count)
    return try write(from: &reader, at: position)
  }
  @discardableResult
  public func write(_ text: String, at position: Int64? = nil) throws(Errno) -> Int {
    try write(Array(text.utf8), at: position)
  }
  /// The names that getdents64(2) gives from the present offset on, `perCall` bytes at a time.
  public func names(perCall: Int = 4096) throws(Errno) -> [String] {
    var names: [String] = []
    while true {
      let batch = try entries(perCall: perCall)
      if batch.isEmpty { return names }
      names += batch.map(\.name)
    }
  }
  /// The records of one getdents64(2).
  public func entries(perCall: Int = 4096) throws(Errno) -> [(name: String, number: UInt64, type: UInt8, next: Int64)] {
    var records = DirectoryRecords(capacity: perCall)
    try readDirectory(into: &records)
    if records.isTooSmall { throw .EINVAL }
    var result: [(name: String, number: UInt64, type: UInt8, next: Int64)] = []
    var rest = records.bytes[...]
    func word(_ offset: Int) -> UInt64 {
      (0..<8).reduce(0) { $0 | UInt64(rest[rest.startIndex + offset + $1]) << UInt64(8 * $1) }
    }
    while !rest.isEmpty {
      let length = Int(rest[rest.startIndex + 16]) | Int(rest[rest.startIndex + 17]) << 8
      let record = rest.prefix(length)
      let name = record.dropFirst(19).prefix { $0 != 0 }
      result.append(
        (
          String(decoding: name, as: UTF8.self), word(0), record[record.startIndex + 18], Int64(bitPattern: word(8))
        ))
      rest = rest.dropFirst(length)
    }
    return result
  }
}

extension FileSystemContext {
  public func open(_ path: String, _ flags: OpenFlags = .O_RDONLY, mode: UInt32 = 0o644) throws(Errno) -> OpenFile {
    try open(Array(path.utf8), flags, mode: FileMode(rawValue: mode))
  }
  public func stat(_ path: String, _ flags: AtFlags = []) throws(Errno) -> Stat { try stat(Array(path.utf8), flags) }
  public func mkdir(_ path: String, mode: UInt32 = 0o755) throws(Errno) {
    try makeDirectory(Array(path.utf8), mode: FileMode(rawValue: mode))
  }
  public func unlink(_ path: String) throws(Errno) { try unlink(Array(path.utf8)) }
  public func rmdir(_ path: String) throws(Errno) { try removeDirectory(Array(path.utf8)) }
  public func symlink(_ target: String, _ path: String) throws(Errno) {
    try makeSymbolicLink(Array(path.utf8), target: Array(target.utf8))
  }
  public func link(_ old: String, _ new: String) throws(Errno) { try link(Array(old.utf8), to: Array(new.utf8)) }
  public func rename(_ old: String, _ new: String, _ flags: RenameFlags = []) throws(Errno) {
    try rename(Array(old.utf8), to: Array(new.utf8), flags)
  }
  public func readlink(_ path: String) throws(Errno) -> String {
    String(decoding: try readLink(Array(path.utf8)), as: UTF8.self)
  }
  public func getcwd() throws(Errno) -> String { String(decoding: try currentDirectory(), as: UTF8.self) }
  public func chdir(_ path: String) throws(Errno) { try changeDirectory(Array(path.utf8)) }
  /// Makes a file with this content.
  public func make(_ path: String, _ content: String = "") throws(Errno) {
    try open(path, [.O_WRONLY, .O_CREAT, .O_TRUNC]).write(content)
  }
  /// The whole content of a file.
  public func content(_ path: String) throws(Errno) -> String {
    let file = try open(path)
    var bytes: [UInt8] = []
    while true {
      let more = try file.read(65536)
      if more.isEmpty { return String(decoding: bytes, as: UTF8.self) }
      bytes += more
    }
  }
}
