internal import Kernel
internal import LinuxABI
internal import Platform

/// The types of requests; a reply's is one more. 9P2000.L, in the numbers of Linux's include/net/9p/9p.h.
enum NinePType: UInt8 {
  case statfs = 8
  case lopen = 12
  case lcreate = 14
  case symlink = 16
  case mknod = 18
  case rename = 20
  case readlink = 22
  case getattr = 24
  case setattr = 26
  case xattrwalk = 30
  case xattrcreate = 32
  case readdir = 40
  case fsync = 50
  case lock = 52
  case getlock = 54
  case link = 70
  case mkdir = 72
  case renameat = 74
  case unlinkat = 76
  case version = 100
  case attach = 104
  case flush = 108
  case walk = 110
  case read = 116
  case write = 118
  case clunk = 120
  case remove = 122

  /// The reply that brings an errno.
  static var error: UInt8 { 7 }
}

/// Numbers of the protocol.
enum NineP {
  static var noTag: UInt16 { .max }
  static var noFid: UInt32 { .max }
  static var noID: UInt32 { .max }
  /// size[4] type[1] tag[2]
  static var headerSize: Int { 7 }
  /// The header and the count in front of what read and readdir bring.
  static var dataHeaderSize: Int { 11 }
  /// The header, fid[4], offset[8] and count[4] in front of what write takes.
  static var writeHeaderSize: Int { 23 }
  /// Names of one walk.
  static var walkLimit: Int { 16 }
  /// Everything that getattr can tell without looking inside of the file.
  static var basicAttributes: UInt64 { 0x7ff }
}

/// Writes a message. What does not fit is left out and noted.
struct NinePWriter {
  private let base: UInt
  private let capacity: Int
  private(set) var count = NineP.headerSize
  private(set) var isFull = false

  /// - Parameter base: A physical address with room for `capacity` bytes.
  init(at base: UInt, capacity: Int) {
    self.base = base
    self.capacity = capacity
  }

  /// Writes the header in front of what there is, with `dataCount` more bytes to come behind it.
  func finish(_ type: UInt8, tag: UInt16, dataCount: Int) {
    PhysicalMemory.store(UInt32(count + dataCount), at: base)
    PhysicalMemory.store(type, at: base + 4)
    PhysicalMemory.store(tag, at: base + 5)
  }

  private mutating func put<T: FixedWidthInteger & BitwiseCopyable>(_ value: T, size: Int) {
    guard capacity - count >= size else {
      isFull = true
      return
    }
    PhysicalMemory.store(value, at: base + UInt(count))
    count += size
  }
  mutating func put8(_ value: UInt8) { put(value, size: 1) }
  mutating func put16(_ value: UInt16) { put(value, size: 2) }
  mutating func put32(_ value: UInt32) { put(value, size: 4) }
  mutating func put64(_ value: UInt64) { put(value, size: 8) }
  mutating func put(_ text: [UInt8]) {
    guard text.count <= Int(UInt16.max), capacity - count >= text.count + 2 else {
      isFull = true
      return
    }
    put16(UInt16(text.count))
    for byte in text {
      PhysicalMemory.store(byte, at: base + UInt(count))
      count += 1
    }
  }
}

/// Reads a message that nobody has checked. Beyond its end everything is 0, and `isMalformed`.
struct NinePReader {
  private let base: UInt
  private let end: Int
  private(set) var position: Int
  private(set) var isMalformed = false

  /// - Parameter base: A physical address with `count` bytes.
  init(at base: UInt, count: Int, from position: Int = 0) {
    self.base = base
    end = count
    self.position = position
  }

  var remaining: Int { max(end - position, 0) }

  private mutating func take<T: FixedWidthInteger & BitwiseCopyable>(_ type: T.Type, size: Int) -> T {
    guard remaining >= size else {
      isMalformed = true
      position = end
      return 0
    }
    defer { position += size }
    return PhysicalMemory.load(T.self, at: base + UInt(position))
  }
  mutating func take8() -> UInt8 { take(UInt8.self, size: 1) }
  mutating func take16() -> UInt16 { take(UInt16.self, size: 2) }
  mutating func take32() -> UInt32 { take(UInt32.self, size: 4) }
  mutating func take64() -> UInt64 { take(UInt64.self, size: 8) }
  mutating func takeBytes(_ count: Int) -> [UInt8] {
    guard count >= 0, remaining >= count else {
      isMalformed = true
      position = end
      return []
    }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(count)
    for i in 0..<count { bytes.append(PhysicalMemory.load(at: base + UInt(position + i))) }
    position += count
    return bytes
  }
  mutating func takeString() -> [UInt8] { takeBytes(Int(take16())) }
  mutating func takeQid() -> NinePQid { NinePQid(type: take8(), version: take32(), path: take64()) }
  /// Seconds and nanoseconds, as nanoseconds; what is out of range becomes the nearest that is not.
  mutating func takeTime() -> Int64 {
    let seconds = Int64(bitPattern: take64())
    let nanoseconds = take64()
    let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
    let (sum, carry) = product.addingReportingOverflow(Int64(truncatingIfNeeded: nanoseconds % 1_000_000_000))
    return overflow || carry ? (seconds < 0 ? .min : .max) : sum
  }
}

/// What the server identifies a file by.
struct NinePQid: Equatable {
  var type: UInt8
  var version: UInt32
  var path: UInt64
}

/// What getattr tells.
struct NinePAttributes {
  var qid: NinePQid
  var mode: UInt32 = 0
  var uid: UInt32 = 0
  var gid: UInt32 = 0
  var linkCount: UInt64 = 1
  var device: UInt64 = 0
  var size: Int64 = 0
  var blocks: Int64 = 0
  var accessTime: Int64 = 0
  var modificationTime: Int64 = 0
  var changeTime: Int64 = 0

  init(qid: NinePQid, mode: UInt32) {
    self.qid = qid
    self.mode = mode
  }

  /// - Throws: `EIO` for what is no reply of getattr.
  init(_ reader: inout NinePReader) throws(Errno) {
    _ = reader.take64()
    qid = reader.takeQid()
    mode = reader.take32()
    uid = reader.take32()
    gid = reader.take32()
    linkCount = reader.take64()
    device = reader.take64()
    let size = reader.take64()
    _ = reader.take64()
    let blocks = reader.take64()
    accessTime = reader.takeTime()
    modificationTime = reader.takeTime()
    changeTime = reader.takeTime()
    guard !reader.isMalformed, let size = Int64(exactly: size) else { throw .EIO }
    self.size = size
    self.blocks = Int64(clamping: blocks)
    // What has no type cannot be used.
    guard FileMode(rawValue: mode).type != nil else { throw .EIO }
  }
}

/// An entry of a directory.
struct NinePEntry {
  var qid: NinePQid
  var next: UInt64
  var type: UInt8
  var name: [UInt8]

  /// The next entry of a readdir's data; nil at its end.
  ///
  /// - Throws: `EIO` for what is none.
  static func next(_ reader: inout NinePReader) throws(Errno) -> NinePEntry? {
    if reader.remaining == 0 { return nil }
    let entry = NinePEntry(
      qid: reader.takeQid(), next: reader.take64(), type: reader.take8(), name: reader.takeString())
    guard !reader.isMalformed, !entry.name.isEmpty, entry.name.count <= PathLimits.NAME_MAX,
      !entry.name.contains(0), !entry.name.contains(UInt8(ascii: "/"))
    else { throw .EIO }
    return entry
  }
}
