public import Kernel
public import LinuxABI
internal import Platform

// Copies from and to pipes inside the kernel: splice(2), tee(2), vmsplice(2).

extension Pipe {
  /// Waits for room to write.
  ///
  /// - Throws: `EPIPE`, `EAGAIN`, `ERESTARTSYS`.
  fileprivate func waitForRoom(_ wait: Bool) throws(Errno) {
    while true {
      if readers == 0 { throw .EPIPE }
      if freeSlots > 0 { return }
      if !wait { throw .EAGAIN }
      if waitQueue.sleep() == .interrupted { throw .ERESTARTSYS }
    }
  }

  /// Writes bytes to a file and takes those out that were written; the pipe stays locked, as in Linux.
  fileprivate func drain(
    to target: OpenFile, at position: Int64?, _ limit: Int, wait: Bool
  ) throws(Errno) -> Int {
    while try waitForBytes(wait) {
      lock.lock()
      defer { lock.unlock() }
      if usedSlots == 0 { continue }
      var total = 0
      defer { if total > 0 { waitQueue.wakeAll() } }
      while total < limit, usedSlots > 0 {
        let slot = slot(0)
        let wanted = min(Int(slot.count), limit - total)
        do throws(Errno) {
          var reader = UserReader(kernel: slot.address, count: wanted)
          let written = try target.write(from: &reader, at: position.map { $0 &+ Int64(total) })
          consume(written)
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

  /// Reads pages of a file, each into a slot of its own; `position` moves by what was read. The pipe stays locked, as in
  /// Linux.
  fileprivate func fill(
    from source: OpenFile, _ position: inout Int64, _ limit: Int, wait: Bool
  ) throws(Errno) -> Int {
    while true {
      try waitForRoom(wait)
      lock.lock()
      defer { lock.unlock() }
      if freeSlots == 0 { continue }
      var total = 0
      defer { if total > 0 { waitQueue.wakeAll() } }
      while total < limit, freeSlots > 0 {
        let wanted = min(pageSize - Int(position & Int64(pageSize - 1)), limit - total)
        let frame = try takeFrame()
        var slot = Slot(frame: frame.number)
        do throws(Errno) {
          var writer = UserWriter(kernel: slot.address, count: wanted)
          slot.count = UInt16(try source.read(into: &writer, at: position))
        } catch {
          give(frame)
          if total == 0 { throw error }
          return total
        }
        let read = Int(slot.count)
        if read == 0 { give(frame) } else { append(slot) }
        position &+= Int64(read)
        total += read
        if read < wanted { break }
      }
      return total
    }
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
      if usedSlots == 0 || other.freeSlots == 0 { continue }
      var total = 0
      var position = 0
      while total < limit, position < usedSlots, other.freeSlots > 0 {
        var slot = slot(position)
        let piece = min(Int(slot.count), limit - total)
        // Both have the frame, if only for a moment; what stays there takes no more here.
        frames.retain(PageFrame(number: slot.frame))
        if !takes || piece < slot.count { slot.takesMore = false }
        slot.count = UInt16(piece)
        other.append(slot)
        if takes { consume(piece) } else { position += 1 }
        total += piece
      }
      if takes { waitQueue.wakeAll() }
      other.waitQueue.wakeAll()
      return total
    }
  }
}

extension Pipe.Slot {
  /// The kernel's address of the first byte.
  fileprivate var address: UInt { AddressLayout.kernelBase &+ PageFrame(number: frame).physical &+ UInt(start) }
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
    if position == nil, !inode.isRegularFile {
      try pipe.waitForRoom(wait)
      return try moveStream(to: target, count)
    }
    var start = position ?? offset
    let copied = try pipe.fill(from: self, &start, count, wait: wait)
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
    reader.limit(to: pipe.freeSlots * pageSize)
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
