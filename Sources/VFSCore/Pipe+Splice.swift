public import Kernel
public import LinuxABI
internal import Platform

// Copies from and to pipes inside the kernel: splice(2), tee(2), vmsplice(2).

extension Pipe {
  /// Waits for bytes to read.
  ///
  /// - Returns: False when there are none and no writer.
  /// - Throws: `EAGAIN`, `ERESTARTSYS`.
  fileprivate func waitForBytes(_ wait: Bool) throws(Errno) -> Bool {
    while count == 0 {
      if writers == 0 { return false }
      if !wait { throw .EAGAIN }
      if waitQueue.sleep() == .interrupted { throw .ERESTARTSYS }
    }
    return true
  }

  /// Waits for room to write.
  ///
  /// - Throws: `EPIPE`, `EAGAIN`, `ERESTARTSYS`.
  fileprivate func waitForRoom(_ wait: Bool) throws(Errno) {
    while true {
      if readers == 0 { throw .EPIPE }
      if room > 0 { return }
      if !wait { throw .EAGAIN }
      if waitQueue.sleep() == .interrupted { throw .ERESTARTSYS }
    }
  }

  /// The kernel's address of the byte `offset` after the first, and how many follow it in its page.
  private func bytes(after offset: Int) -> (address: UInt, count: Int) {
    let position = readTotal &+ UInt64(offset)
    let inPage = UInt(truncatingIfNeeded: position & 4095)
    let frame = PageFrame(number: slots[Int(truncatingIfNeeded: position >> 12) & (slots.count - 1)])
    return (AddressLayout.kernelBase &+ frame.physical &+ inPage, min(pageSize - Int(inPage), count - offset))
  }

  /// Takes the first bytes out. The lock is held.
  private func discard(_ wanted: Int) {
    var left = wanted
    while left > 0 {
      let piece = min(left, pageSize - Int(readTotal & 4095))
      let slot = Int(truncatingIfNeeded: readTotal >> 12) & (slots.count - 1)
      readTotal &+= UInt64(piece)
      left -= piece
      if readTotal & 4095 == 0 || count == 0 { drain(slot) }
    }
    if wanted > 0 { waitQueue.wakeAll() }
  }

  /// Writes bytes to a file and takes those out that were written; the pipe stays locked, as in Linux.
  fileprivate func drain(
    to target: OpenFile, at position: Int64?, _ limit: Int, wait: Bool
  ) throws(Errno) -> Int {
    while try waitForBytes(wait) {
      lock.lock()
      defer { lock.unlock() }
      if count == 0 { continue }
      var total = 0
      while total < limit, count > 0 {
        let piece = bytes(after: 0)
        let wanted = min(piece.count, limit - total)
        do throws(Errno) {
          var reader = UserReader(kernel: piece.address, count: wanted)
          let written = try target.write(from: &reader, at: position.map { $0 &+ Int64(total) })
          discard(written)
          total += written
          if written < wanted { break }
        } catch {
          if total == 0 { throw error }
          break
        }
      }
      return total
    }
    return 0
  }

  /// Copies or moves bytes to another pipe: what is there and fits, after a wait for the first.
  fileprivate func copy(to other: Pipe, _ limit: Int, takes: Bool, wait: Bool) throws(Errno) -> Int {
    guard self !== other else { throw .EINVAL }
    while true {
      guard try waitForBytes(wait) else { return 0 }
      try other.waitForRoom(wait)
      // In one order, whichever way bytes go.
      let (first, second) = ObjectIdentifier(self) < ObjectIdentifier(other) ? (self, other) : (other, self)
      first.lock.lock()
      second.lock.lock()
      defer {
        second.lock.unlock()
        first.lock.unlock()
      }
      if count == 0 || other.room == 0 { continue }
      var total = 0
      while total < limit, total < count, other.room > 0 {
        let piece = bytes(after: total)
        var reader = UserReader(kernel: piece.address, count: min(piece.count, limit - total))
        do throws(Errno) { try other.fill(from: &reader, &total, 1) } catch {
          if total == 0 { throw error }
          break
        }
      }
      if takes { discard(total) }
      if total > 0 { other.waitQueue.wakeAll() }
      return total
    }
  }
}

extension OpenFile {
  /// The pipe that it is an end of.
  private final var ownPipe: Pipe? { (self as? FIFOFile)?.pipe }
  public final var isPipe: Bool { ownPipe != nil }

  /// Moves bytes between a pipe and another file, or two pipes. See splice(2).
  ///
  /// - Parameters:
  ///   - position: Where to read, or nil for the file's own offset.
  ///   - targetPosition: Where to write, likewise.
  ///   - wait: Whether to wait for the pipe.
  /// - Throws: `EINVAL` when neither is a pipe, and what reading and writing throw.
  public final func splice(
    from position: Int64?, to target: OpenFile, at targetPosition: Int64?, _ count: Int, wait: Bool
  ) throws(Errno) -> Int {
    if let pipe = ownPipe {
      if let other = target.ownPipe { return try pipe.copy(to: other, count, takes: true, wait: wait) }
      return try pipe.drain(to: target, at: targetPosition, count, wait: wait)
    }
    guard let pipe = target.ownPipe else { throw .EINVAL }
    try pipe.waitForRoom(wait)
    var start = position ?? offset
    let limit = min(count, pipe.room)
    if position == nil, !inode.isRegularFile { return try moveStream(to: target, limit) }
    let copied = try copy(to: target, from: &start, at: nil, count: limit)
    if position == nil { offset = start }
    return copied
  }

  /// Moves bytes of what has no positions; those that were read must be written.
  private final func moveStream(to target: OpenFile, _ limit: Int) throws(Errno) -> Int {
    let frame = try inode.fileSystem.environment.frames.allocate(.user)
    defer { inode.fileSystem.environment.frames.release(frame) }
    let address = AddressLayout.kernelBase &+ frame.physical
    var writer = UserWriter(kernel: address, count: min(limit, pageSize))
    let read = try self.read(into: &writer, at: nil)
    if read == 0 { return 0 }
    var reader = UserReader(kernel: address, count: read)
    return try target.write(from: &reader, at: nil)
  }

  /// Copies bytes from one pipe to another. See tee(2).
  ///
  /// - Throws: `EINVAL` for what are not two pipes, `EAGAIN`, `EPIPE`, `ERESTARTSYS`.
  public final func tee(to target: OpenFile, _ count: Int, wait: Bool) throws(Errno) -> Int {
    guard let pipe = ownPipe, let other = target.ownPipe else { throw .EINVAL }
    return try pipe.copy(to: other, count, takes: false, wait: wait)
  }

  /// Writes as much as a pipe has room for, waiting for the first. See vmsplice(2).
  ///
  /// - Throws: `EBADF` for what is no pipe.
  public final func fillPipe(from reader: inout UserReader, wait: Bool) throws(Errno) -> Int {
    guard let pipe = ownPipe else { throw .EBADF }
    if reader.remaining == 0 { return 0 }
    try pipe.waitForRoom(wait)
    reader.limit(to: pipe.room)
    return try pipe.write(from: &reader, wait: wait)
  }

  /// Reads what a pipe holds, waiting for the first. See vmsplice(2).
  ///
  /// - Throws: `EBADF` for what is no pipe.
  public final func drainPipe(into writer: inout UserWriter, wait: Bool) throws(Errno) -> Int {
    guard let pipe = ownPipe else { throw .EBADF }
    return try pipe.read(into: &writer, wait: wait)
  }
}
