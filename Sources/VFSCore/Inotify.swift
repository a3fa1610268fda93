public import Kernel
public import LinuxABI
public import Support

/// What inotify_init(2) makes: a set of watched files, and the events that nobody has read yet.
public final class InotifyFile: OpenFile {
  private let events: InotifyQueue

  /// - Throws: `EMFILE` when there are too many.
  public init(_ context: FileSystemContext, isNonBlocking: Bool) throws(Errno) {
    events = try InotifyQueue(context.namespace.environment)
    let path = context.namespace.makeAnonymousPath(
      mode: FileMode(rawValue: 0o600), name: [UInt8]("inotify"), credentials: context.credentials)
    super.init(path, isNonBlocking ? [.O_RDONLY, .O_NONBLOCK] : .O_RDONLY)
  }

  // The marks hold the queue, not the file.
  deinit { events.close() }

  /// Watches a file, or changes for what. See inotify_add_watch(2).
  ///
  /// - Returns: The number of the watch.
  /// - Throws: `EEXIST` with IN_MASK_CREATE, `ENOSPC` when there are too many.
  public func watch(_ inode: Inode, _ mask: InotifyEvents) throws(Errno) -> Int32 { try events.watch(inode, mask) }

  /// Watches no longer. See inotify_rm_watch(2).
  ///
  /// - Throws: `EINVAL`.
  public func removeWatch(_ number: Int32) throws(Errno) { try events.removeWatch(number) }

  override public func read(into writer: inout UserWriter, at position: Int64?) throws(Errno) -> Int {
    if position != nil { throw .ESPIPE }
    var total = 0
    while true {
      while let event = events.first {
        guard event.size <= writer.remaining else {
          if total == 0 { throw .EINVAL }
          return total
        }
        events.removeFirst()
        do throws(Errno) {
          let bytes = event.bytes
          guard try writer.write(bytes.rawBytes) == bytes.count else { throw .EFAULT }
        } catch {
          if total == 0 { throw error }
          return total
        }
        total += event.size
      }
      if total > 0 { return total }
      if isNonBlocking { throw .EAGAIN }
      if events.queue.sleep() == .interrupted { throw .ERESTARTSYS }
    }
  }

  override public var readiness: PollEvents { events.first == nil ? [] : [.POLLIN, .POLLRDNORM] }
  override public var waitQueue: WaitQueue? { events.queue }

  override public func control(_ request: IoctlRequest, _ argument: UInt) throws(Errno) -> Int {
    guard request == .FIONREAD else { throw .ENOTTY }
    try UserMemory.store(Int32(clamping: events.byteCount), at: argument)
    return 0
  }

  override public func writeInformation(_ text: inout TextBuffer) {
    events.forEachMark { mark in
      text.append("inotify wd:")
      text.append(hex: UInt(bitPattern: Int(mark.number)))
      text.append(" ino:")
      text.append(hex: UInt(mark.inode.number))
      text.append(" sdev:")
      text.append(hex: UInt(mark.inode.fileSystem.device.encoded))
      text.append(" mask:")
      text.append(hex: UInt(mark.mask.intersection(.events).rawValue))
      text.append(" ignored_mask:0\n")
    }
  }
}

/// A watched file. It keeps the inode.
final class InotifyMark {
  let inode: Inode
  let number: Int32
  fileprivate(set) var mask: InotifyEvents
  fileprivate let events: InotifyQueue

  fileprivate init(_ events: InotifyQueue, _ inode: Inode, _ number: Int32, _ mask: InotifyEvents) {
    self.events = events
    self.inode = inode
    self.number = number
    self.mask = mask
  }

  /// Puts an event into the queue if it is asked for.
  func report(_ happened: InotifyEvents, name: [UInt8] = [], cookie: UInt32 = 0) {
    // The end of a file system everybody hears of.
    guard !mask.union(.IN_UNMOUNT).intersection(.events).isDisjoint(with: happened) else { return }
    events.append(InotifyRecord(number: number, mask: happened, cookie: cookie, name: name))
    if mask.contains(.IN_ONESHOT) { end() }
  }

  /// Ends the watch, and says so.
  func end() { events.end(self) }
}

/// One event that waits to be read.
struct InotifyRecord: Equatable {
  let number: Int32
  let mask: InotifyEvents
  let cookie: UInt32
  let name: [UInt8]

  /// Bytes of the name with NULs up to a multiple of the structure's size; nothing without a name.
  private var nameSize: Int { name.isEmpty ? 0 : (name.count + 16) & ~15 }
  var size: Int { 16 + nameSize }

  /// `struct inotify_event` with the name behind it.
  var bytes: [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(size)
    for word in [UInt32(bitPattern: number), mask.rawValue, cookie, UInt32(nameSize)] {
      for shift: UInt32 in [0, 8, 16, 24] { bytes.append(UInt8(truncatingIfNeeded: word >> shift)) }
    }
    bytes += name
    while bytes.count < size { bytes.append(0) }
    return bytes
  }
}

/// The events and marks of an instance.
private final class InotifyQueue {
  private let notifier: FileNotifier
  private let frames: FrameAllocator
  /// By number.
  private var marks = OrderedMap<InotifyMark>()
  private var records: [InotifyRecord] = []
  private var firstIndex = 0
  let queue = WaitQueue()
  private var lastNumber: Int32 = 0

  /// The limits of /proc/sys/fs/inotify.
  private static var maximumInstances: Int { 128 }
  private static var maximumEvents: Int { 16384 }
  private static var maximumMarks: Int { 65536 }

  init(_ environment: FileSystemEnvironment) throws(Errno) {
    notifier = environment.notifier
    frames = environment.frames
    if notifier.instanceCount >= Self.maximumInstances { throw .EMFILE }
    notifier.instanceCount += 1
  }

  func close() {
    forEachMark { notifier.remove($0) }
    marks = OrderedMap()
    notifier.instanceCount -= 1
  }

  func forEachMark(_ body: (InotifyMark) -> Void) {
    var position = marks.first
    while let at = position {
      body(marks[at])
      position = marks.position(after: at)
    }
  }

  private func position(_ number: Int32) -> OrderedMap<InotifyMark>.Position? {
    guard number > 0, let position = marks.last(atMost: UInt(number)), marks.key(position) == UInt(number) else {
      return nil
    }
    return position
  }

  func watch(_ inode: Inode, _ mask: InotifyEvents) throws(Errno) -> Int32 {
    let kept = mask.intersection(InotifyEvents.events.union([.IN_ONESHOT, .IN_EXCL_UNLINK]))
    for mark in inode.marks where mark.events === self {
      if mask.contains(.IN_MASK_CREATE) { throw .EEXIST }
      mark.mask = mask.contains(.IN_MASK_ADD) ? mark.mask.union(kept) : kept
      return mark.number
    }
    if marks.count >= Self.maximumMarks { throw .ENOSPC }
    repeat { lastNumber = lastNumber == .max ? 1 : lastNumber + 1 } while position(lastNumber) != nil
    let mark = InotifyMark(self, inode, lastNumber, kept)
    marks.insert(UInt(lastNumber), mark)
    notifier.add(mark)
    return lastNumber
  }

  func removeWatch(_ number: Int32) throws(Errno) {
    guard let position = position(number) else { throw .EINVAL }
    end(marks[position])
  }

  func end(_ mark: InotifyMark) {
    guard let position = position(mark.number), marks[position] === mark else { return }
    marks.remove(at: position)
    notifier.remove(mark)
    append(InotifyRecord(number: mark.number, mask: .IN_IGNORED, cookie: 0, name: []))
  }

  // MARK: Events

  private var count: Int { records.count - firstIndex }
  var first: InotifyRecord? { count == 0 ? nil : records[firstIndex] }
  var byteCount: Int { records[firstIndex...].reduce(0) { $0 + $1.size } }

  func append(_ record: InotifyRecord) {
    // The same again says nothing.
    if let last = records.last, count > 0, last == record { return }
    let hasRoom = frames.hasRoom(forBytes: 2 * records.count * MemoryLayout<InotifyRecord>.stride)
    if count >= Self.maximumEvents || !hasRoom {
      let overflow = InotifyRecord(number: -1, mask: .IN_Q_OVERFLOW, cookie: 0, name: [])
      if records.last == overflow { return }
      if hasRoom || count == 0 { records.append(overflow) } else { records[records.count - 1] = overflow }
    } else {
      records.append(record)
    }
    queue.wakeAll()
  }

  func removeFirst() {
    firstIndex += 1
    if firstIndex == records.count {
      records.removeAll()
      firstIndex = 0
    } else if firstIndex >= 64, firstIndex > records.count / 2 {
      records.removeFirst(firstIndex)
      firstIndex = 0
    }
  }
}
