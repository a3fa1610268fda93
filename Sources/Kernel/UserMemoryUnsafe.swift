public import LinuxABI
internal import Platform

/// Typed access to the program's memory.
public enum UserMemory {
  /// - Throws: `EFAULT`.
  @inline(__always)
  public static func load<T: BitwiseCopyable>(_ type: T.Type = T.self, at address: UInt) throws(Errno) -> T {
    guard UserAddress.isValid(address, MemoryLayout<T>.size) else { throw .EFAULT }
    if MemoryLayout<T>.size == 8 {
      guard let value = UserCopy.load64(address) else { throw .EFAULT }
      // SAFETY: both are eight bytes of plain data.
      return unsafe unsafeBitCast(value, to: T.self)
    }
    if MemoryLayout<T>.size == 4 {
      guard let value = UserCopy.load32(address) else { throw .EFAULT }
      // SAFETY: both are four bytes of plain data.
      return unsafe unsafeBitCast(value, to: T.self)
    }
    // SAFETY: T is plain data, so any bytes are a value; the buffer is as large as what is copied, and fully
    // written when the copy reports no rest.
    return unsafe try withUnsafeTemporaryAllocation(
      byteCount: MemoryLayout<T>.size, alignment: MemoryLayout<T>.alignment
    ) {
      buffer throws(Errno) in
      guard unsafe UserCopy.copyIn(buffer.baseAddress!, from: address, count: buffer.count) == 0 else { throw .EFAULT }
      return unsafe buffer.load(as: T.self)
    }
  }

  /// - Throws: `EFAULT`.
  @inline(__always)
  public static func store<T: BitwiseCopyable>(_ value: T, at address: UInt) throws(Errno) {
    guard UserAddress.isValid(address, MemoryLayout<T>.size) else { throw .EFAULT }
    if MemoryLayout<T>.size == 8 {
      // SAFETY: both are eight bytes of plain data.
      guard UserCopy.store64(address, unsafe unsafeBitCast(value, to: UInt64.self)) else { throw .EFAULT }
      return
    }
    if MemoryLayout<T>.size == 4 {
      // SAFETY: both are four bytes of plain data.
      guard UserCopy.store32(address, unsafe unsafeBitCast(value, to: UInt32.self)) else { throw .EFAULT }
      return
    }
    // SAFETY: the bytes of a plain value.
    let left = unsafe withUnsafeBytes(of: value) {
      unsafe UserCopy.copyOut(address, from: $0.baseAddress!, count: $0.count)
    }
    if left != 0 { throw .EFAULT }
  }

  /// Replaces a word by what `body`, which must not sleep, makes of it: nothing else runs in between. The page is made
  /// writable first, which may sleep.
  ///
  /// - Throws: `EFAULT`, and what `body` throws.
  public static func update(at address: UInt, _ body: (UInt32) throws(Errno) -> UInt32) throws(Errno) {
    guard UserAddress.isValid(address, 4), UserCopy.touch32(address) else { throw .EFAULT }
    try store(try body(try load(at: address)), at: address)
  }

  /// Reads bytes.
  ///
  /// - Throws: `EFAULT`, also when only a part can be read.
  public static func bytes(at address: UInt, count: Int) throws(Errno) -> [UInt8] {
    guard UserAddress.isValid(address, count) else { throw .EFAULT }
    var left = 0
    // SAFETY: the array's own storage; what a fault left unwritten is not returned.
    let result = unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
      if count > 0 {
        left = unsafe UserCopy.copyIn(UnsafeMutableRawPointer(buffer.baseAddress!), from: address, count: count)
      }
      initialized = count - left
    }
    if left != 0 { throw .EFAULT }
    return result
  }

  /// Writes bytes.
  ///
  /// - Throws: `EFAULT`, also when only a part can be written.
  public static func store(_ bytes: RawSpan, at address: UInt) throws(Errno) {
    guard UserAddress.isValid(address, bytes.byteCount) else { throw .EFAULT }
    if bytes.byteCount > 0, UserCopy.copyOut(address, from: bytes, at: 0, count: bytes.byteCount) != 0 { throw .EFAULT }
  }

  /// Reads a string without its NUL, of at most `limit` bytes.
  ///
  /// - Returns: The bytes, or nil when no NUL is among the first `limit`.
  /// - Throws: `EFAULT`.
  public static func string(at address: UInt, limit: Int) throws(Errno) -> [UInt8]? {
    guard address < UserAddress.limit else { throw .EFAULT }
    let room = min(limit, Int(bitPattern: UserAddress.limit &- address))
    var length = 0
    // SAFETY: the array's own storage; the shim writes at most `capacity` bytes and says how many.
    var chunk = unsafe [UInt8](unsafeUninitializedCapacity: min(room, 120)) { buffer, initialized in
      length = unsafe UserCopy.copyString(
        UnsafeMutableRawPointer(buffer.baseAddress!), from: address, limit: min(room, 120))
      initialized = max(length, 0)
    }
    if length < 0 { throw .EFAULT }
    if length < min(room, 120) { return chunk }
    // SAFETY: as above.
    chunk = unsafe [UInt8](unsafeUninitializedCapacity: room) { buffer, initialized in
      length = unsafe UserCopy.copyString(UnsafeMutableRawPointer(buffer.baseAddress!), from: address, limit: room)
      initialized = max(length, 0)
    }
    if length < 0 { throw .EFAULT }
    if length < room { return chunk }
    if room < limit { throw .EFAULT }
    return nil
  }

  /// Reads a path: a string shorter than PATH_MAX.
  ///
  /// - Throws: `EFAULT`, `ENAMETOOLONG`.
  public static func path(at address: UInt) throws(Errno) -> [UInt8] {
    guard let path = try string(at: address, limit: 4096) else { throw .ENAMETOOLONG }
    return path
  }
}

extension UserCopy {
  /// Copies kernel memory to an address of either side; returns how many bytes were not copied.
  @inline(__always)
  static func transfer(to address: UInt, fromKernel kernel: UInt, count: Int) -> Int {
    // SAFETY: the kernel's side is memory that the caller holds; the other side is under the fault table.
    unsafe copyOut(address, from: UnsafeRawPointer(bitPattern: kernel).unsafelyUnwrapped, count: count)
  }
  /// Copies to kernel memory from an address of either side; returns how many bytes were not copied.
  @inline(__always)
  static func transfer(toKernel kernel: UInt, from address: UInt, count: Int) -> Int {
    // SAFETY: the kernel's side is memory that the caller holds; the other side is under the fault table.
    unsafe copyIn(UnsafeMutableRawPointer(bitPattern: kernel).unsafelyUnwrapped, from: address, count: count)
  }
  @inline(__always)
  static func copyOut(_ address: UInt, from bytes: RawSpan, at offset: Int, count: Int) -> Int {
    // SAFETY: the caller keeps offset + count within the span.
    unsafe bytes.withUnsafeBytes { unsafe copyOut(address, from: $0.baseAddress! + offset, count: count) }
  }
  @inline(__always)
  static func copyIn(_ span: inout MutableSpan<UInt8>, at offset: Int, from address: UInt, count: Int) -> Int {
    // SAFETY: the caller keeps offset + count within the span.
    unsafe span.withUnsafeMutableBytes { unsafe copyIn($0.baseAddress! + offset, from: address, count: count) }
  }
}

extension UserWriter {
  /// Writes the bytes of a plain value. See `write(physical:count:)`.
  @inline(__always)
  public mutating func write<T: BitwiseCopyable>(value: T) throws(Errno) -> Int {
    // SAFETY: the bytes of a plain value, read while the closure runs.
    unsafe try withUnsafeBytes(of: value) { (bytes) throws(Errno) in unsafe try write(bytes.bytes) }
  }
}
