public import LinuxABI
internal import Platform

/// The bounds of the program's addresses.
public enum UserAddress {
  /// The first address that is not the program's.
  public static var limit: UInt { AddressLayout.kernelBase }

  /// Whether `count` bytes at `address` lie below the kernel.
  @inline(__always)
  public static func isValid(_ address: UInt, _ count: Int) -> Bool {
    count >= 0 && UInt(bitPattern: count) <= limit && address <= limit &- UInt(bitPattern: count)
  }
}

/// A pointer argument that the kernel reads through. Null is a value like any other; nothing is checked before access.
@frozen
public struct UserPointer<Pointee: BitwiseCopyable>: BitwiseCopyable {
  public let address: UInt

  @inline(__always)
  public init(_ address: UInt) { self.address = address }

  public var isNull: Bool { address == 0 }

  /// Reads the value.
  ///
  /// - Throws: `EFAULT`.
  @inline(__always)
  public func load() throws(Errno) -> Pointee { try UserMemory.load(Pointee.self, at: address) }

  /// The pointer `index` elements on.
  @inline(__always)
  public func advanced(by index: Int) -> UserPointer {
    UserPointer(address &+ UInt(bitPattern: index &* MemoryLayout<Pointee>.stride))
  }
}

/// A pointer argument that the kernel writes through, and may read.
@frozen
public struct UserMutablePointer<Pointee: BitwiseCopyable>: BitwiseCopyable {
  public let address: UInt

  @inline(__always)
  public init(_ address: UInt) { self.address = address }

  public var isNull: Bool { address == 0 }

  /// Reads the value.
  ///
  /// - Throws: `EFAULT`.
  @inline(__always)
  public func load() throws(Errno) -> Pointee { try UserMemory.load(Pointee.self, at: address) }

  /// Writes the value.
  ///
  /// - Throws: `EFAULT`.
  @inline(__always)
  public func store(_ value: Pointee) throws(Errno) { try UserMemory.store(value, at: address) }

  @inline(__always)
  public func advanced(by index: Int) -> UserMutablePointer {
    UserMutablePointer(address &+ UInt(bitPattern: index &* MemoryLayout<Pointee>.stride))
  }
}

/// Where the bytes of a read go: the program's buffers, or the kernel's own when it reads a file for itself.
///
/// A fault after some bytes ends the transfer with what was copied, as read(2) does; a fault at the first is `EFAULT`.
public struct UserWriter: ~Copyable {
  private var address: UInt
  private var segmentEnd: UInt
  private var segments: [IOVec]
  private var nextSegment = 0
  private let isKernel: Bool
  /// Bytes that still fit.
  public private(set) var remaining: Int
  /// Bytes transferred so far.
  public private(set) var transferred = 0
  /// Set by a fault: nothing more can be transferred.
  public private(set) var faulted = false

  /// One buffer of the program's.
  @inline(__always)
  public init(_ address: UInt, count: Int) {
    self.address = address
    segmentEnd = address &+ UInt(bitPattern: count)
    segments = []
    isKernel = false
    remaining = count
    if !UserAddress.isValid(address, count) { faulted = true }
  }
  /// Several buffers, as readv(2) takes them. The sum of the lengths was checked by `IOVector.load`.
  public init(_ vector: [IOVec], total: Int) {
    address = 0
    segmentEnd = 0
    segments = vector
    isKernel = false
    remaining = total
  }
  /// A buffer of the kernel's, at a kernel address.
  public init(kernel address: UInt, count: Int) {
    self.address = address
    segmentEnd = address &+ UInt(bitPattern: count)
    segments = []
    isKernel = true
    remaining = count
  }

  /// The piece of the current segment that is free, moving on to the next when it is full; zero at a fault.
  @inline(__always)
  private mutating func room() -> Int {
    if faulted { return 0 }
    while address == segmentEnd {
      guard nextSegment < segments.count else { return 0 }
      let segment = segments[nextSegment]
      nextSegment += 1
      address = UInt(segment.iov_base)
      segmentEnd = address &+ UInt(segment.iov_len)
      if !UserAddress.isValid(address, Int(truncatingIfNeeded: segment.iov_len)) {
        faulted = true
        return 0
      }
    }
    return Int(bitPattern: segmentEnd &- address)
  }

  @inline(__always)
  private mutating func advance(_ wanted: Int, _ notCopied: Int) throws(Errno) -> Bool {
    let copied = wanted - notCopied
    address &+= UInt(bitPattern: copied)
    remaining -= copied
    transferred += copied
    if notCopied > 0 {
      faulted = true
      if transferred == 0 { throw .EFAULT }
      return false
    }
    return true
  }

  /// Copies `count` bytes of physical memory, which must lie in one frame or block.
  ///
  /// - Returns: How many were taken: fewer than `count` when the buffers are full or a fault came after some bytes.
  /// - Throws: `EFAULT` when nothing at all has been transferred.
  @inline(__always)
  public mutating func write(physical: UInt, count: Int) throws(Errno) -> Int {
    try write(from: physical &+ AddressLayout.kernelBase, count)
  }

  private mutating func write(from kernel: UInt, _ count: Int) throws(Errno) -> Int {
    var done = 0
    while done < count {
      let piece = min(room(), count - done)
      if piece == 0 {
        if faulted && transferred == 0 { throw .EFAULT }
        break
      }
      let left = UserCopy.transfer(to: address, fromKernel: kernel &+ UInt(bitPattern: done), count: piece)
      done += piece - left
      if try !advance(piece, left) { break }
    }
    return done
  }

  /// Copies the bytes of a span. See `write(physical:count:)`.
  @discardableResult
  public mutating func write(_ bytes: RawSpan) throws(Errno) -> Int {
    let count = bytes.byteCount
    var done = 0
    while done < count {
      let piece = min(room(), count - done)
      if piece == 0 {
        if faulted && transferred == 0 { throw .EFAULT }
        break
      }
      let left = UserCopy.copyOut(address, from: bytes, at: done, count: piece)
      done += piece - left
      if try !advance(piece, left) { break }
    }
    return done
  }

  /// Writes `count` zeroes. See `write(physical:count:)`.
  @discardableResult
  public mutating func writeZeroes(_ count: Int) throws(Errno) -> Int {
    var done = 0
    while done < count {
      let piece = min(room(), count - done)
      if piece == 0 {
        if faulted && transferred == 0 { throw .EFAULT }
        break
      }
      let left = UserCopy.zero(address, count: piece)
      done += piece - left
      if try !advance(piece, left) { break }
    }
    return done
  }
}

/// Where the bytes of a write come from. The counterpart of `UserWriter`.
public struct UserReader: ~Copyable {
  private var address: UInt
  private var segmentEnd: UInt
  private var segments: [IOVec]
  private var nextSegment = 0
  /// Bytes that are still to come.
  public private(set) var remaining: Int
  /// Bytes transferred so far.
  public private(set) var transferred = 0
  /// Set by a fault: nothing more can be transferred.
  public private(set) var faulted = false

  /// One buffer of the program's.
  @inline(__always)
  public init(_ address: UInt, count: Int) {
    self.address = address
    segmentEnd = address &+ UInt(bitPattern: count)
    segments = []
    remaining = count
    if !UserAddress.isValid(address, count) { faulted = true }
  }
  /// Several buffers, as writev(2) takes them. The sum of the lengths was checked by `IOVector.load`.
  public init(_ vector: [IOVec], total: Int) {
    address = 0
    segmentEnd = 0
    segments = vector
    remaining = total
  }
  /// A buffer of the kernel's, at a kernel address.
  public init(kernel address: UInt, count: Int) {
    self.address = address
    segmentEnd = address &+ UInt(bitPattern: count)
    segments = []
    remaining = count
  }

  @inline(__always)
  private mutating func available() -> Int {
    if faulted { return 0 }
    while address == segmentEnd {
      guard nextSegment < segments.count else { return 0 }
      let segment = segments[nextSegment]
      nextSegment += 1
      address = UInt(segment.iov_base)
      segmentEnd = address &+ UInt(segment.iov_len)
      if !UserAddress.isValid(address, Int(truncatingIfNeeded: segment.iov_len)) {
        faulted = true
        return 0
      }
    }
    return Int(bitPattern: segmentEnd &- address)
  }

  @inline(__always)
  private mutating func advance(_ wanted: Int, _ notCopied: Int) throws(Errno) -> Bool {
    let copied = wanted - notCopied
    address &+= UInt(bitPattern: copied)
    remaining -= copied
    transferred += copied
    if notCopied > 0 {
      faulted = true
      if transferred == 0 { throw .EFAULT }
      return false
    }
    return true
  }

  /// Takes no more than `count` bytes from here on.
  public mutating func limit(to count: Int) { remaining = min(remaining, count) }

  /// Fills `count` bytes of physical memory, which must lie in one frame or block.
  ///
  /// - Returns: How many were filled: fewer than `count` when the source ends or a fault came after some bytes.
  /// - Throws: `EFAULT` when nothing at all has been transferred.
  public mutating func read(physical: UInt, count: Int) throws(Errno) -> Int {
    var done = 0
    let kernel = physical &+ AddressLayout.kernelBase
    while done < count {
      let piece = min(available(), count - done)
      if piece == 0 {
        if faulted && transferred == 0 { throw .EFAULT }
        break
      }
      let left = UserCopy.transfer(toKernel: kernel &+ UInt(bitPattern: done), from: address, count: piece)
      done += piece - left
      if try !advance(piece, left) { break }
    }
    return done
  }

  /// Reads at most `limit` bytes into an array.
  ///
  /// - Throws: `EFAULT` when nothing at all has been transferred.
  public mutating func read(_ limit: Int) throws(Errno) -> [UInt8] {
    let wanted = min(limit, remaining)
    var bytes = [UInt8](repeating: 0, count: wanted)
    var done = 0
    while done < wanted {
      let piece = min(available(), wanted - done)
      if piece == 0 {
        if faulted && transferred == 0 { throw .EFAULT }
        break
      }
      var span = bytes.mutableSpan
      let left = UserCopy.copyIn(&span, at: done, from: address, count: piece)
      done += piece - left
      if try !advance(piece, left) { break }
    }
    if done < wanted { bytes.removeLast(wanted - done) }
    return bytes
  }
}

/// Loads and checks the buffers of readv(2) and its family.
public enum IOVector {
  /// UIO_MAXIOV.
  public static let maximumCount = 1024
  /// MAX_RW_COUNT: what one call transfers at the most.
  public static let maximumTransfer = 0x7fff_f000

  /// - Returns: The segments, with lengths cut so that the sum stays within `maximumTransfer`, and the sum.
  /// - Throws: `EINVAL` for a bad count or a negative length, `EFAULT`.
  public static func load(_ pointer: UInt, count: Int) throws(Errno) -> (segments: [IOVec], total: Int) {
    guard count >= 0, count <= maximumCount else { throw .EINVAL }
    var segments: [IOVec] = []
    segments.reserveCapacity(count)
    var total = 0
    for i in 0..<count {
      var segment = try UserMemory.load(IOVec.self, at: pointer &+ UInt(i) &* UInt(MemoryLayout<IOVec>.stride))
      guard let length = Int(exactly: segment.iov_len) else { throw .EINVAL }
      let kept = min(length, maximumTransfer - total)
      segment.iov_len = UInt64(kept)
      total += kept
      segments.append(segment)
    }
    return (segments, total)
  }
}
