internal import Kernel
internal import LinuxABI
internal import VFSCore

// Locks at the server: Tlock and Tgetlock of 9P2000.L. The server sees one owner, this guest.
extension NinePInode: LockKeeper {
  /// The fid on which this guest's locks hang, whoever here closes the file in the meantime. Who locks has it open.
  private func fidForLocks() throws(Errno) -> NinePFid {
    if let lockFid { return lockFid }
    guard let fid = content?.writeFid ?? content?.readFid else { throw .ENOLCK }
    return fid
  }

  func lock(_ type: RecordLockType, _ start: Int64, _ last: Int64, waits: Bool) throws(Errno) {
    let fid = try fidForLocks()
    lockFid = fid
    var pause: UInt64 = 10_000_000
    while true {
      let status = try client.lock(.lock, fid, type, start, last, waits: waits).kind
      if status == 0 { break }
      // An error, or a server that has just started and knows its locks again only after a while.
      if status != 1 { throw .ENOLCK }
      if !waits { throw .EAGAIN }
      try share.pause(pause)
      pause = min(pause * 2, 1_000_000_000)
    }
    if type == .F_UNLCK, start == 0, last == .max { lockFid = nil }
  }

  func startUnlock(_ start: Int64, _ last: Int64) {
    guard let fid = lockFid else { return }
    if start == 0, last == .max { lockFid = nil }
    // If nothing can be sent, or the fid's end comes first, that tells the server.
    client.startIfFree(.lock, clunked: nil) { client.put(&$0, .lock, fid, .F_UNLCK, start, last, waits: false) }
  }

  func test(_ request: inout Flock, _ type: RecordLockType, _ start: Int64, _ last: Int64) throws(Errno) {
    let other = try client.lock(.getlock, try fidForLocks(), type, start, last, waits: false)
    if other.kind > 1 { return }
    request.l_type = Int16(other.kind)
    request.l_whence = Int16(SeekWhence.SEEK_SET.rawValue)
    request.l_start = Int64(bitPattern: other.start)
    request.l_len = Int64(bitPattern: other.length)
    // As Linux tells that the process is another machine's.
    request.l_pid = 0 &- Int32(bitPattern: other.processID)
  }
}

extension NinePFileSystem {
  /// Sleeps before the server is asked again.
  ///
  /// - Throws: `ERESTARTSYS` when a signal came.
  fileprivate func pause(_ nanoseconds: UInt64) throws(Errno) {
    guard Task.isRunning else { return }
    if WaitQueue().sleep(until: environment.dirtyPages.now + nanoseconds) == .interrupted { throw .ERESTARTSYS }
  }
}

extension NinePClient {
  /// Writes Tlock or Tgetlock. Flags and statuses are in Linux's include/net/9p/9p.h; the types are fcntl(2)'s.
  fileprivate func put(
    _ message: inout NinePWriter, _ request: NinePType, _ fid: NinePFid, _ type: RecordLockType, _ start: Int64,
    _ last: Int64, waits: Bool
  ) {
    message.put32(fid.number)
    message.put8(UInt8(truncatingIfNeeded: type.rawValue))
    if request == .lock { message.put32(waits ? 1 : 0) }
    message.put64(UInt64(bitPattern: start))
    // Up to the end, wherever that is, is 0.
    message.put64(last == .max ? 0 : UInt64(bitPattern: last - start + 1))
    message.put32(1)
    message.put(lockOwner)
  }

  /// Sets, removes or asks for a lock.
  ///
  /// - Returns: As `kind` the status, or the type of the lock that is in the way and the rest of it.
  fileprivate func lock(
    _ request: NinePType, _ fid: NinePFid, _ type: RecordLockType, _ start: Int64, _ last: Int64, waits: Bool
  ) throws(Errno) -> (kind: UInt8, start: UInt64, length: UInt64, processID: UInt32) {
    let exchange = try begin()
    defer { end(exchange) }
    var message = writer(exchange)
    put(&message, request, fid, type, start, last, waits: waits)
    var reply = try transact(exchange, request, message)
    let kind = reply.take8()
    if reply.isMalformed { throw .EIO }
    return (kind, reply.take64(), reply.take64(), reply.take32())
  }
}
