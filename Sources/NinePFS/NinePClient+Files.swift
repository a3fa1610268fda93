internal import Drivers
internal import Kernel
internal import LinuxABI
internal import Platform

/// What setattr changes. See `Tsetattr`.
struct NinePChange {
  static var mode: UInt32 { 1 }
  static var uid: UInt32 { 2 }
  static var gid: UInt32 { 4 }
  static var size: UInt32 { 8 }
  static var accessTime: UInt32 { 0x10 | 0x80 }
  static var modificationTime: UInt32 { 0x20 | 0x100 }
}

extension NinePClient {
  // MARK: Attributes

  func attributes(of fid: NinePFid) throws(Errno) -> NinePAttributes {
    let exchange = try begin()
    defer { end(exchange) }
    var message = writer(exchange)
    message.put32(fid.number)
    message.put64(NineP.basicAttributes)
    var reply = try transact(exchange, .getattr, message)
    return try NinePAttributes(&reply)
  }

  func setAttributes(of fid: NinePFid, _ change: AttributeValues) throws(Errno) {
    try perform(.setattr) {
      $0.put32(fid.number)
      $0.put32(change.valid)
      $0.put32(change.mode)
      $0.put32(change.uid)
      $0.put32(change.gid)
      $0.put64(UInt64(bitPattern: change.size))
      for time in [change.accessTime, change.modificationTime] {
        // The nanoseconds are never negative.
        let (seconds, rest) = time.quotientAndRemainder(dividingBy: 1_000_000_000)
        $0.put64(UInt64(bitPattern: rest < 0 ? seconds - 1 : seconds))
        $0.put64(UInt64(rest < 0 ? rest + 1_000_000_000 : rest))
      }
    }
  }

  /// The operands of setattr; `valid` says which of them count.
  struct AttributeValues {
    var valid: UInt32 = 0
    var mode: UInt32 = 0
    var uid = NineP.noID
    var gid = NineP.noID
    var size: Int64 = 0
    var accessTime: Int64 = 0
    var modificationTime: Int64 = 0
  }

  func statfs(_ fid: UInt32, device: DeviceNumber) throws(Errno) -> Statfs {
    let exchange = try begin()
    defer { end(exchange) }
    var message = writer(exchange)
    message.put32(fid)
    var reply = try transact(exchange, .statfs, message)
    var result = Statfs()
    result.f_type = Int64(reply.take32())
    result.f_bsize = Int64(reply.take32())
    result.f_blocks = reply.take64()
    result.f_bfree = reply.take64()
    result.f_bavail = reply.take64()
    result.f_files = reply.take64()
    result.f_ffree = reply.take64()
    result.f_fsid = reply.take64()
    result.f_namelen = Int64(reply.take32())
    result.f_frsize = result.f_bsize
    if reply.isMalformed { throw .EIO }
    return result
  }

  // MARK: Content

  /// Opens the file that a fid names. The fid stays as it was when that fails.
  func open(_ fid: NinePFid, _ flags: OpenFlags) throws(Errno) {
    try perform(.lopen) {
      $0.put32(fid.number)
      $0.put32(flags.rawValue)
    }
  }

  func synchronize(_ fid: NinePFid, dataOnly: Bool) throws(Errno) {
    try perform(.fsync) {
      $0.put32(fid.number)
      $0.put32(dataOnly ? 1 : 0)
    }
  }

  /// Starts to read up to `count` bytes into pages, or to write as many from them, the first byte at `skip` bytes from the
  /// start of the first page. `completion` gets how many it were; it may run in an interrupt.
  ///
  /// - Parameter type: `read` or `write`.
  func start(
    _ type: NinePType, _ fid: NinePFid, at position: UInt64, _ pages: ArraySlice<PageFrame>, skip: Int, count: Int,
    _ completion: @escaping (Int, Errno?) -> Void
  ) {
    let isRead = type == .read
    let exchange: NinePExchange
    do throws(Errno) { exchange = try begin() } catch { return completion(0, error) }
    let count = addData(exchange, pages, skip: skip, count: min(count, dataLimit), isDeviceWritable: isRead)
    var message = writer(exchange)
    message.put32(fid.number)
    message.put64(position)
    message.put32(UInt32(count))
    if isRead { exchange.replyLimit = NineP.dataHeaderSize }
    exchange.completion = { [self] exchange in
      var done = 0
      var failure: Errno?
      do throws(Errno) {
        var reply = try reply(exchange, type)
        done = Int(reply.take32())
        // More than was asked for, or more than came.
        if reply.isMalformed || done > count || isRead && done > exchange.replyCount - NineP.dataHeaderSize {
          done = 0
          throw .EIO
        }
      } catch {
        failure = error
      }
      end(exchange) { completion(done, failure) }
    }
    do throws(Errno) { try send(exchange, type, message, dataCount: isRead ? 0 : count) } catch {
      exchange.completion = nil
      end(exchange)
      completion(0, error)
    }
  }

  /// Adds the pieces of memory that the data lies in, joining those that follow each other.
  ///
  /// - Returns: How many bytes an exchange has room for.
  private func addData(
    _ exchange: NinePExchange, _ pages: ArraySlice<PageFrame>, skip: Int, count: Int, isDeviceWritable: Bool
  ) -> Int {
    var left = count
    var skip = skip
    var physical: UInt = 0
    var length = 0
    let limit = channel.segmentLimit
    for page in pages where left > 0 {
      let piece = min(left, pageSize - skip)
      let start = page.physical + UInt(skip)
      if length > 0, start == physical + UInt(length) {
        length += piece
      } else {
        if length > 0 {
          exchange.add(physical, length, isDeviceWritable)
          length = 0
          if exchange.data.count >= limit { break }
        }
        physical = start
        length = piece
      }
      left -= piece
      skip = 0
    }
    if length > 0 { exchange.add(physical, length, isDeviceWritable) }
    return count - left
  }

  /// Reads into one block of memory, and waits for it: directories and extended attributes.
  func read(
    _ type: NinePType, _ fid: UInt32, at position: UInt64, into physical: UInt, count: Int
  ) throws(Errno) -> Int {
    let exchange = try begin()
    defer { end(exchange) }
    let count = min(count, dataLimit)
    var message = writer(exchange)
    message.put32(fid)
    message.put64(position)
    message.put32(UInt32(count))
    exchange.replyLimit = NineP.dataHeaderSize
    exchange.add(physical, count, true)
    var reply = try transact(exchange, type, message)
    let done = Int(reply.take32())
    if reply.isMalformed || done > count || done > exchange.replyCount - NineP.dataHeaderSize { throw .EIO }
    return done
  }

  /// Writes zeroes over bytes of a file.
  func zero(_ fid: NinePFid, from start: Int64, to limit: Int64) throws(Errno) {
    let order = 4
    let block = try frames.allocateBlock(order: order)
    defer { frames.release(block) }
    for i in 0..<UInt32(1 << order) { PageFrame(number: block.number + i).zero() }
    var position = start
    while position < limit {
      let exchange = try begin()
      defer { end(exchange) }
      let count = Int(min(limit - position, Int64(min(pageSize << order, dataLimit))))
      var message = writer(exchange)
      message.put32(fid.number)
      message.put64(UInt64(position))
      message.put32(UInt32(count))
      exchange.add(block.physical, count, false)
      var reply = try transact(exchange, .write, message, dataCount: count)
      let done = reply.take32()
      guard !reply.isMalformed, done > 0, done <= UInt32(count) else { throw .EIO }
      position += Int64(done)
    }
  }
}

extension NinePExchange {
  fileprivate func add(_ physical: UInt, _ count: Int, _ isDeviceWritable: Bool) {
    data.append(
      VirtqueueSegment(physical: physical, count: UInt32(count), isDeviceWritable: isDeviceWritable))
  }
}
