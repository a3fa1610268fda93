public import Kernel
public import LinuxABI
internal import Support

/// The buffer behind pipe(2) and FIFOs: a ring of page frames that are there only while they hold bytes.
public final class Pipe {
  /// What a new pipe holds, and the most that F_SETPIPE_SZ gives the unprivileged.
  public static var defaultCapacity: Int { 65536 }
  public static var maximumCapacity: Int { 1 << 20 }
  /// Writes up to this size are not mixed with others'.
  public static var atomicSize: Int { 4096 }

  let frames: FrameAllocator
  /// Frame numbers by slot, 0 where there is none. A power of two of slots, and twice as many as the capacity takes: a
  /// full pipe that begins within a page ends within another, which must have a frame of its own.
  var slots = [UInt32](repeating: 0, count: 2 * defaultCapacity / pageSize)
  /// Bytes ever read and written; their difference is what the pipe holds.
  var readTotal: UInt64 = 0
  var writeTotal: UInt64 = 0
  /// A drained frame kept for the next write.
  private var spare: UInt32 = 0
  let lock = SleepLock()

  /// Woken whenever bytes or room come, or an end closes.
  public let waitQueue = WaitQueue()
  public fileprivate(set) var readers = 0
  public fileprivate(set) var writers = 0
  /// How often each end was opened, so that a FIFO's open(2) sees a peer that is already gone again.
  fileprivate var readerOpens = 0
  fileprivate var writerOpens = 0

  public init(frames: FrameAllocator) { self.frames = frames }

  deinit {
    for slot in slots where slot != 0 { frames.release(PageFrame(number: slot)) }
    if spare != 0 { frames.release(PageFrame(number: spare)) }
  }

  /// Bytes to be read.
  @inline(__always)
  public var count: Int { Int(writeTotal &- readTotal) }
  @inline(__always)
  public var capacity: Int { slots.count / 2 * pageSize }
  @inline(__always)
  var room: Int { capacity - count }

  var readiness: (read: PollEvents, write: PollEvents) {
    var read: PollEvents = count > 0 ? [.POLLIN, .POLLRDNORM] : []
    if writers == 0 { read.insert(.POLLHUP) }
    var write: PollEvents = room >= Self.atomicSize ? [.POLLOUT, .POLLWRNORM] : []
    if readers == 0 { write.insert(.POLLERR) }
    return (read, write)
  }

  /// - Throws: `EAGAIN`, `ERESTARTSYS`, `EFAULT`.
  func read(into writer: inout UserWriter, wait: Bool) throws(Errno) -> Int {
    if writer.remaining == 0 { return 0 }
    while true {
      while count == 0 {
        if writers == 0 { return 0 }
        if !wait { throw .EAGAIN }
        if waitQueue.sleep() == .interrupted { throw .ERESTARTSYS }
      }
      lock.lock()
      defer { lock.unlock() }
      if count == 0 { continue }
      var total = 0
      defer { if total > 0 { waitQueue.wakeAll() } }
      while writer.remaining > 0, count > 0 {
        let inPage = UInt(readTotal & 4095)
        let wanted = min(writer.remaining, count, pageSize - Int(inPage))
        let slot = Int(truncatingIfNeeded: readTotal >> 12) & (slots.count - 1)
        let done = try writer.write(physical: PageFrame(number: slots[slot]).physical &+ inPage, count: wanted)
        total += done
        readTotal &+= UInt64(done)
        if readTotal & 4095 == 0 || count == 0, done > 0 { drain(slot) }
        if done < wanted { break }
      }
      return total
    }
  }

  /// Gives back the frame of a slot whose bytes are read.
  func drain(_ slot: Int) {
    if count == 0 {
      // Start at the beginning of a page again, so that the next write fits one.
      readTotal = (readTotal &+ 4095) & ~4095
      writeTotal = readTotal
    }
    if spare == 0 { spare = slots[slot] } else { frames.release(PageFrame(number: slots[slot])) }
    slots[slot] = 0
  }

  /// - Throws: `EPIPE`, `EAGAIN`, `ERESTARTSYS`, `EFAULT`, `ENOMEM`.
  func write(from reader: inout UserReader, wait: Bool) throws(Errno) -> Int {
    if reader.remaining == 0 { return 0 }
    let needed = reader.remaining <= Self.atomicSize ? reader.remaining : 1
    var total = 0
    while true {
      while true {
        if readers == 0 {
          if total > 0 { return total }
          throw .EPIPE
        }
        if room >= needed || total > 0 && room > 0 { break }
        if !wait {
          if total > 0 { return total }
          throw .EAGAIN
        }
        if waitQueue.sleep() == .interrupted {
          if total > 0 { return total }
          throw .ERESTARTSYS
        }
      }
      lock.lock()
      let before = total
      do throws(Errno) { try fill(from: &reader, &total, needed) } catch {
        lock.unlock()
        if total > before { waitQueue.wakeAll() }
        if total > 0 { return total }
        throw error
      }
      lock.unlock()
      if total > before { waitQueue.wakeAll() }
      if reader.remaining == 0 || reader.faulted { return total }
    }
  }

  /// Copies what fits. The lock is held.
  func fill(from reader: inout UserReader, _ total: inout Int, _ needed: Int) throws(Errno) {
    if total == 0, room < needed { return }
    while reader.remaining > 0, room > 0 {
      let inPage = UInt(writeTotal & 4095)
      let slot = Int(truncatingIfNeeded: writeTotal >> 12) & (slots.count - 1)
      let wanted = min(reader.remaining, room, pageSize - Int(inPage))
      if slots[slot] == 0 {
        if spare != 0 {
          slots[slot] = spare
          spare = 0
        } else {
          slots[slot] = try frames.allocate(.user).number
        }
      }
      let done = try reader.read(physical: PageFrame(number: slots[slot]).physical &+ inPage, count: wanted)
      writeTotal &+= UInt64(done)
      total += done
      if done < wanted { return }
    }
  }

  /// Changes the capacity to at least `bytes`. See F_SETPIPE_SZ.
  ///
  /// - Throws: `EINVAL`, `EBUSY` when it holds more, `EPERM`.
  func setCapacity(_ bytes: Int) throws(Errno) {
    guard bytes >= 0, bytes <= 1 << 31 else { throw .EINVAL }
    if bytes > Self.maximumCapacity { throw .EPERM }
    var wanted = 1
    while wanted * pageSize < bytes { wanted *= 2 }
    lock.lock()
    defer { lock.unlock() }
    // Slots are taken modulo their number: those in use move to where the new number puts them.
    let firstPage = readTotal >> 12
    let pages = count == 0 ? 0 : Int(((writeTotal &- 1) >> 12) &- firstPage) + 1
    guard count <= wanted * pageSize else { throw .EBUSY }
    let size = 2 * wanted
    var new = [UInt32](repeating: 0, count: size)
    for index in 0..<pages {
      let page = firstPage &+ UInt64(index)
      let old = Int(truncatingIfNeeded: page) & (slots.count - 1)
      new[Int(truncatingIfNeeded: page) & (size - 1)] = slots[old]
      slots[old] = 0
    }
    for slot in slots where slot != 0 { frames.release(PageFrame(number: slot)) }
    slots = new
    waitQueue.wakeAll()
  }
}

/// An end of a pipe, or of a FIFO; both ends with O_RDWR.
public final class FIFOFile: OpenFile {
  let pipe: Pipe

  private init(_ path: Path, _ flags: OpenFlags, _ pipe: Pipe) {
    self.pipe = pipe
    super.init(path, flags)
    if isReadable {
      pipe.readers += 1
      pipe.readerOpens += 1
    }
    if isWritable {
      pipe.writers += 1
      pipe.writerOpens += 1
    }
    pipe.waitQueue.wakeAll()
  }

  deinit {
    if isReadable { pipe.readers -= 1 }
    if isWritable { pipe.writers -= 1 }
    if pipe.readers == 0, pipe.writers == 0 { inode.pipe = nil }
    pipe.waitQueue.wakeAll()
  }

  /// Opens a FIFO, waiting for the other end as fifo(7) says; also a pipe again through /proc/self/fd, whose other end
  /// was there once and is not waited for.
  ///
  /// - Throws: `ENXIO`, `ERESTARTSYS`.
  static func open(_ path: Path, _ flags: OpenFlags) throws(Errno) -> OpenFile {
    let inode = path.inode
    let pipe: Pipe
    if let present = inode.pipe {
      pipe = present
    } else {
      pipe = Pipe(frames: inode.fileSystem.environment.frames)
      inode.pipe = pipe
    }
    let isPipe = path.mount.isAnonymous
    if flags.accessMode == .O_WRONLY, flags.contains(.O_NONBLOCK), pipe.readers == 0, !isPipe {
      if pipe.writers == 0 { inode.pipe = nil }
      throw .ENXIO
    }
    let file = FIFOFile(path, flags, pipe)
    if flags.accessMode == .O_RDWR || flags.contains(.O_NONBLOCK) || isPipe { return file }
    let readerOpens = pipe.readerOpens
    let writerOpens = pipe.writerOpens
    if file.isReadable {
      while pipe.writers == 0, pipe.writerOpens == writerOpens {
        if pipe.waitQueue.sleep() == .interrupted { throw .ERESTARTSYS }
      }
    } else {
      while pipe.readers == 0, pipe.readerOpens == readerOpens {
        if pipe.waitQueue.sleep() == .interrupted { throw .ERESTARTSYS }
      }
    }
    return file
  }

  override public func read(into writer: inout UserWriter, at position: Int64?) throws(Errno) -> Int {
    if position != nil { throw .ESPIPE }
    guard isReadable else { throw .EBADF }
    return try pipe.read(into: &writer, wait: !isNonBlocking)
  }
  override public func write(from reader: inout UserReader, at position: Int64?) throws(Errno) -> Int {
    if position != nil { throw .ESPIPE }
    guard isWritable else { throw .EBADF }
    return try pipe.write(from: &reader, wait: !isNonBlocking)
  }

  override public var readiness: PollEvents {
    let both = pipe.readiness
    return (isReadable ? both.read : []).union(isWritable ? both.write : [])
  }
  override public var waitQueue: WaitQueue? { pipe.waitQueue }

  override public func control(_ request: IoctlRequest, _ argument: UInt) throws(Errno) -> Int {
    guard request == .FIONREAD else { throw .ENOTTY }
    try UserMemory.store(Int32(clamping: pipe.count), at: argument)
    return 0
  }

  override public var pipeCapacity: Int? { pipe.capacity }
  override public func setPipeCapacity(_ bytes: Int) throws(Errno) -> Int {
    try pipe.setCapacity(bytes)
    return pipe.capacity
  }

  fileprivate static func makeEnds(_ path: Path, _ flags: OpenFlags, _ pipe: Pipe) -> (read: OpenFile, write: OpenFile)
  {
    let status = flags.intersection([.O_NONBLOCK, .O_DIRECT])
    return (FIFOFile(path, status, pipe), FIFOFile(path, status.union(.O_WRONLY), pipe))
  }
}

extension FileSystemContext {
  /// Makes a pipe. `flags` may have O_NONBLOCK; O_CLOEXEC is the caller's. See pipe2(2).
  public func makePipe(_ flags: OpenFlags) -> (read: OpenFile, write: OpenFile) {
    let path = namespace.makeAnonymousPath(
      mode: FileMode(.S_IFIFO, FileMode(rawValue: 0o600)), credentials: credentials)
    let pipe = Pipe(frames: namespace.environment.frames)
    path.inode.pipe = pipe
    return FIFOFile.makeEnds(path, flags, pipe)
  }
}
