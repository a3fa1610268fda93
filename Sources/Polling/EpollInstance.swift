public import Kernel
public import LinuxABI
public import Support
public import VFSCore

/// What epoll_create(2) makes: a set of watched files, and a list of those that may be ready. See epoll(7).
///
/// A wake-up of a file's queue puts its item on the list; epoll_wait(2) looks at the list alone, so it costs as much as
/// there are ready files.
public final class EpollInstance: OpenFile {
  /// Items by descriptor number; items of the same number are chained.
  private var items: [EpollItem?] = []
  private var firstListed: EpollItem?
  private var lastListed: EpollItem?
  private let queue = WaitQueue()
  /// Instances within instances go no deeper than this; Linux's EP_MAX_NESTS.
  private static var maximumDepth: Int { 4 }

  public init(_ context: FileSystemContext) {
    let path = context.namespace.makeAnonymousPath(
      mode: FileMode(rawValue: 0o600), name: [UInt8]("[eventpoll]"), credentials: context.credentials)
    super.init(path, .O_RDWR)
  }

  deinit {
    for first in items {
      var next = first
      while let item = next {
        next = item.sameDescriptor
        item.sameDescriptor = nil
        item.detach()
      }
    }
    while let item = firstListed { unlist(item) }
  }

  // MARK: The watched files

  /// Watches a file.
  ///
  /// - Throws: `EEXIST`, `EPERM` for what has no readiness, `EINVAL` for the instance itself, `ELOOP` when instances watch
  ///   each other or are nested too deep.
  public func add(_ file: OpenFile, _ descriptor: Int32, _ event: EpollEvent) throws(Errno) {
    guard file.isPollable else { throw .EPERM }
    if file === self { throw .EINVAL }
    let events = event.events
    if events.contains(.EPOLLEXCLUSIVE) {
      let allowed: EpollEvents = [
        .EPOLLIN, .EPOLLRDNORM, .EPOLLRDBAND, .EPOLLOUT, .EPOLLWRNORM, .EPOLLWRBAND, .EPOLLERR, .EPOLLHUP,
        .EPOLLWAKEUP, .EPOLLET, .EPOLLEXCLUSIVE,
      ]
      if !events.isSubset(of: allowed) || file is EpollInstance { throw .EINVAL }
    }
    if let other = file as? EpollInstance, !other.canNest(in: self, depth: 1) { throw .ELOOP }
    if find(file, descriptor) != nil { throw .EEXIST }
    let index = Int(descriptor)
    while items.count <= index { items.append(nil) }
    let item = EpollItem(self, file, descriptor, Self.always(events), data: event.data)
    item.sameDescriptor = items[index]
    items[index] = item
    item.attach()
    checkNow(item)
  }

  /// Changes what is waited for, and arms a one-shot again.
  ///
  /// - Throws: `ENOENT`, `EINVAL`.
  public func modify(_ file: OpenFile, _ descriptor: Int32, _ event: EpollEvent) throws(Errno) {
    if file === self || event.events.contains(.EPOLLEXCLUSIVE) { throw .EINVAL }
    guard let item = find(file, descriptor) else { throw .ENOENT }
    if item.events.contains(.EPOLLEXCLUSIVE) { throw .EINVAL }
    item.events = Self.always(event.events)
    item.data = event.data
    checkNow(item)
  }

  /// Watches a file no longer.
  ///
  /// - Throws: `ENOENT`, `EINVAL`.
  public func remove(_ file: OpenFile, _ descriptor: Int32) throws(Errno) {
    if file === self { throw .EINVAL }
    guard let item = find(file, descriptor) else { throw .ENOENT }
    item.detach()
    forget(item)
  }

  /// Errors and hang-ups are always reported.
  private static func always(_ events: EpollEvents) -> EpollEvents {
    events.union([.EPOLLERR, .EPOLLHUP]).subtracting(.EPOLLWAKEUP)
  }

  private func find(_ file: OpenFile, _ descriptor: Int32) -> EpollItem? {
    guard descriptor >= 0, Int(descriptor) < items.count else { return nil }
    var next = items[Int(descriptor)]
    while let item = next {
      if item.isFor(file) { return item }
      next = item.sameDescriptor
    }
    return nil
  }

  /// The file that was added under a number, the one at `place` where there are several; nil for none.
  public func file(addedAs descriptor: Int32, _ place: UInt32) -> OpenFile? {
    guard descriptor >= 0, Int(descriptor) < items.count else { return nil }
    var next = items[Int(descriptor)]
    var left = place
    while left > 0, let item = next {
      next = item.sameDescriptor
      left -= 1
    }
    return next?.file
  }

  /// Takes an item out of the tables; it no longer hears of its file.
  func forget(_ item: EpollItem) {
    unlist(item)
    item.isForgotten = true
    let index = Int(item.descriptor)
    if items[index] === item {
      items[index] = item.sameDescriptor
    } else {
      var previous = items[index]
      while let at = previous, at.sameDescriptor !== item { previous = at.sameDescriptor }
      previous?.sameDescriptor = item.sameDescriptor
    }
    item.sameDescriptor = nil
  }

  /// Whether an instance may watch this one: not if this one, at whatever depth, watches it, or it gets too deep.
  private func canNest(in other: EpollInstance, depth: Int) -> Bool {
    if depth > Self.maximumDepth { return false }
    for first in items {
      var next = first
      while let item = next {
        next = item.sameDescriptor
        guard let inner = item.file as? EpollInstance else { continue }
        if inner === other || !inner.canNest(in: other, depth: depth + 1) { return false }
      }
    }
    return true
  }

  // MARK: The list of what may be ready

  private func list(_ item: EpollItem) {
    if item.isListed || item.isForgotten { return }
    item.isListed = true
    item.previousListed = lastListed
    if let lastListed { lastListed.nextListed = item } else { firstListed = item }
    lastListed = item
  }

  private func unlist(_ item: EpollItem) {
    if !item.isListed { return }
    item.isListed = false
    let next = item.nextListed
    let previous = item.previousListed
    if let next { next.previousListed = previous } else { lastListed = previous }
    if let previous { previous.nextListed = next } else { firstListed = next }
    item.nextListed = nil
    item.previousListed = nil
  }

  /// A file was woken.
  func mayBeReady(_ item: EpollItem) {
    list(item)
    queue.wakeAll()
  }

  private func checkNow(_ item: EpollItem) {
    if !ready(item).isEmpty { mayBeReady(item) }
  }

  @inline(__always)
  private func ready(_ item: EpollItem) -> PollEvents {
    item.file.readiness.intersection(item.events.pollEvents)
  }

  // MARK: Waiting

  /// Whether certainly no event is ready.
  @inline(__always)
  public var isQuiet: Bool { firstListed == nil }

  /// Hands over ready events, at most `limit`, waiting for the first if there are none.
  ///
  /// - Parameters:
  ///   - deadline: Monotonic nanoseconds, 0 not to wait; nil to wait for ever.
  ///   - emit: Stores an event as the one of this index.
  /// - Returns: How many events; 0 when the time is over.
  /// - Throws: `EINTR` for a signal; what `emit` throws, if it does so for the first event.
  public func wait(
    limit: Int, until deadline: UInt64?, _ emit: (Int, EpollEvent) throws(Errno) -> Void
  ) throws(Errno) -> Int {
    while true {
      let count = try collect(limit, emit)
      if count > 0 { return count }
      if let deadline, deadline == 0 || deadline <= Task.current.scheduler.timers.now() { return 0 }
      if queue.sleep(until: deadline) == .interrupted, firstListed == nil { throw .EINTR }
    }
  }

  private func collect(_ limit: Int, _ emit: (Int, EpollEvent) throws(Errno) -> Void) throws(Errno) -> Int {
    guard let last = lastListed else { return 0 }
    var count = 0
    // Level-triggered items go back to the end of the list, and are not looked at twice. Storing may sleep, so the list
    // may be another afterwards: `last` may be gone from it.
    while count < limit, let item = firstListed {
      unlist(item)
      let isLast = item === last
      let events = ready(item)
      if !events.isEmpty {
        do throws(Errno) {
          try emit(count, EpollEvent(events: EpollEvents(rawValue: UInt32(events.rawValue)), data: item.data))
        } catch {
          list(item)
          if count == 0 { throw error }
          return count
        }
        count += 1
        if item.events.contains(.EPOLLONESHOT) {
          item.events.formIntersection([.EPOLLWAKEUP, .EPOLLONESHOT, .EPOLLET, .EPOLLEXCLUSIVE])
        } else if !item.events.contains(.EPOLLET) {
          list(item)
        }
      }
      if isLast { break }
    }
    return count
  }

  override public var readiness: PollEvents {
    // Whatever turns out not to be ready leaves the list.
    var next = firstListed
    while let item = next {
      next = item.nextListed
      if !ready(item).isEmpty { return [.POLLIN, .POLLRDNORM] }
      unlist(item)
    }
    return []
  }
  override public var waitQueue: WaitQueue? { queue }

  override public func writeInformation(_ text: inout TextBuffer) {
    for first in items {
      var next = first
      while let item = next {
        next = item.sameDescriptor
        text.append("tfd: ")
        text.append(decimal: Int(item.descriptor), width: 8)
        text.append(" events: ")
        var events = TextBuffer()
        events.append(hex: UInt(item.events.rawValue))
        for _ in events.count..<max(8, events.count) { text.append(byte: UInt8(ascii: " ")) }
        text.append(bytes: events.bytes)
        text.append(" data: ")
        var data = TextBuffer()
        data.append(hex: UInt(item.data))
        for _ in data.count..<max(16, data.count) { text.append(byte: UInt8(ascii: " ")) }
        text.append(bytes: data.bytes)
        text.append("\n")
      }
    }
  }
}
