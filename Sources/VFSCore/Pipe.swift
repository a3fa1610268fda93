public import Kernel
public import LinuxABI
internal import Support

/// The buffer behind pipe(2) and FIFOs: a ring of page frames that are there only while they hold bytes.
///
/// As in Linux its capacity is one of frames: a write begins a new one, unless what it has beyond whole pages fits behind
/// the bytes of the last.
public final class Pipe {
  /// What a new pipe holds, and the most that F_SETPIPE_SZ gives the unprivileged.
  public static var defaultCapacity: Int { 65536 }
  public static var maximumCapacity: Int { 1 << 20 }

  /// Bytes in a frame.
  struct Slot {
    var frame: UInt32 = 0
    var start: UInt16 = 0
    var count: UInt16 = 0
    /// A write may put more bytes behind these.
    var takesMore = false
    /// A read ends with it, and takes all of it. See O_DIRECT of pipe(2).
    var isPacket = false
  }

  let frames: FrameAllocator
  /// A power of two; those from `tail` to `head`, modulo their number, have bytes.
  private var slots = [Slot](repeating: Slot(), count: defaultCapacity / pageSize)
  private var head = 0
  private var tail = 0
  /// Bytes to be read.
  public private(set) var count = 0
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
    for slot in slots where slot.frame != 0 { frames.release(PageFrame(number: slot.frame)) }
    if spare != 0 { frames.release(PageFrame(number: spare)) }
  }

  @inline(__always)
  public var capacity: Int { slots.count * pageSize }
  /// Slots with bytes, and slots without.
  @inline(__always)
  var usedSlots: Int { head - tail }
  @inline(__always)
  var freeSlots: Int { slots.count - usedSlots }

  var readiness: (read: PollEvents, write: PollEvents) {
    var read: PollEvents = usedSlots > 0 ? [.POLLIN, .POLLRDNORM] : []
    if writers == 0 { read.insert(.POLLHUP) }
    var write: PollEvents = freeSlots > 0 ? [.POLLOUT, .POLLWRNORM] : []
    if readers == 0 { write.insert(.POLLERR) }
    return (read, write)
  }

  // MARK: Slots

  /// The slot of the `position`th from the first with bytes.
  @inline(__always)
  func slot(_ position: Int) -> Slot { slots[(tail + position) & (slots.count - 1)] }

  /// A frame for a new slot.
  ///
  /// - Throws: `ENOMEM`.
  func takeFrame() throws(Errno) -> PageFrame {
    if spare == 0 { return try frames.allocate(.user) }
    defer { spare = 0 }
    return PageFrame(number: spare)
  }

  /// Gives a frame back, which another pipe may have too.
  func give(_ frame: PageFrame) {
    if spare == 0, !frames.isShared(frame) { spare = frame.number } else { frames.release(frame) }
  }

  /// Adds bytes behind the others. There is a free slot.
  func append(_ slot: Slot) {
    slots[head & (slots.count - 1)] = slot
    head += 1
    count += Int(slot.count)
  }

  /// Takes the first slot out, with its frame.
  func removeFirst() {
    let at = tail & (slots.count - 1)
    count -= Int(slots[at].count)
    slots[at] = Slot()
    tail += 1
  }

  /// Takes bytes out of the first slot, which has as many.
  func consume(_ bytes: Int) {
    let at = tail & (slots.count - 1)
    if bytes < Int(slots[at].count) {
      slots[at].start += UInt16(bytes)
      slots[at].count -= UInt16(bytes)
      count -= bytes
    } else {
      give(PageFrame(number: slots[at].frame))
      removeFirst()
    }
  }

  /// The slot that takes what a write has beyond whole pages.
  private func lastSlot(for bytes: Int) -> Int? {
    let excess = bytes & (pageSize - 1)
    if excess == 0 || usedSlots == 0 { return nil }
    let at = (head - 1) & (slots.count - 1)
    return slots[at].takesMore && Int(slots[at].start) + Int(slots[at].count) + excess <= pageSize ? at : nil
  }

  // MARK: Reading and writing

  /// Waits for bytes to read.
  ///
  /// - Returns: False when there are none and no writer.
  /// - Throws: `EAGAIN`, `ERESTARTSYS`.
  func waitForBytes(_ wait: Bool) throws(Errno) -> Bool {
    while usedSlots == 0 {
      if writers == 0 { return false }
      if !wait { throw .EAGAIN }
      if waitQueue.sleep() == .interrupted { throw .ERESTARTSYS }
    }
    return true
  }

  /// - Throws: `EAGAIN`, `ERESTARTSYS`, `EFAULT`.
  func read(into writer: inout UserWriter, wait: Bool) throws(Errno) -> Int {
    if writer.remaining == 0 { return 0 }
    while try waitForBytes(wait) {
      lock.lock()
      defer { lock.unlock() }
      if usedSlots == 0 { continue }
      var total = 0
      defer { if total > 0 { waitQueue.wakeAll() } }
      while writer.remaining > 0, usedSlots > 0 {
        let slot = slot(0)
        let wanted = min(writer.remaining, Int(slot.count))
        let done = try writer.write(
          physical: PageFrame(number: slot.frame).physical &+ UInt(slot.start), count: wanted)
        total += done
        consume(slot.isPacket ? Int(slot.count) : done)
        if done < wanted || slot.isPacket { break }
      }
      return total
    }
    return 0
  }

  /// - Throws: `EPIPE`, `EAGAIN`, `ERESTARTSYS`, `EFAULT`, `ENOMEM`.
  func write(from reader: inout UserReader, isPacket: Bool = false, wait: Bool) throws(Errno) -> Int {
    if reader.remaining == 0 { return 0 }
    var total = 0
    while true {
      while true {
        if readers == 0 {
          if total > 0 { return total }
          throw .EPIPE
        }
        if freeSlots > 0 || total == 0 && lastSlot(for: reader.remaining) != nil { break }
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
      do throws(Errno) { try fill(from: &reader, &total, isPacket) } catch {
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
  private func fill(from reader: inout UserReader, _ total: inout Int, _ isPacket: Bool) throws(Errno) {
    if total == 0, let at = lastSlot(for: reader.remaining) {
      let wanted = reader.remaining & (pageSize - 1)
      let end = UInt(slots[at].start + slots[at].count)
      total = try reader.read(physical: PageFrame(number: slots[at].frame).physical &+ end, count: wanted)
      slots[at].count += UInt16(total)
      count += total
      if total < wanted { return }
    }
    while reader.remaining > 0, freeSlots > 0 {
      let frame = try takeFrame()
      let wanted = min(reader.remaining, pageSize)
      let done: Int
      do throws(Errno) { done = try reader.read(physical: frame.physical, count: wanted) } catch {
        give(frame)
        throw error
      }
      append(Slot(frame: frame.number, count: UInt16(done), takesMore: !isPacket, isPacket: isPacket))
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
    let used = usedSlots
    if used > wanted { throw .EBUSY }
    var new = [Slot](repeating: Slot(), count: wanted)
    for position in 0..<used { new[position] = slot(position) }
    slots = new
    (tail, head) = (0, used)
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
    let count = try pipe.read(into: &writer, wait: !isNonBlocking)
    if count > 0, !flags.contains(.O_NOATIME), !path.mount.isAnonymous { inode.didAccess(on: path.mount) }
    return count
  }
  override public func write(from reader: inout UserReader, at position: Int64?) throws(Errno) -> Int {
    if position != nil { throw .ESPIPE }
    guard isWritable else { throw .EBADF }
    let count = try pipe.write(from: &reader, isPacket: flags.contains(.O_DIRECT), wait: !isNonBlocking)
    // What has no path keeps the time of its beginning, and overlays do not hear of it.
    if count > 0, !path.mount.isAnonymous, inode.fileSystem.childPolicy == .complete { inode.didModify() }
    return count
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
