public import Kernel
public import LinuxABI

/// Who holds a lock.
public enum LockOwner: Equatable {
  /// A process, by its descriptor table: POSIX record locks of fcntl(2).
  case table(ObjectIdentifier)
  /// An open file description: flock(2), and F_OFD_SETLK of fcntl(2).
  case description(ObjectIdentifier)
}

/// The locks on an inode: record locks of fcntl(2) and whole-file locks of flock(2), which do not see each other.
public final class FileLocks {
  struct Lock {
    var owner: LockOwner
    /// What F_GETLK reports; -1 for a description's.
    var processID: Int32
    var isExclusive: Bool
    var start: Int64
    /// The last byte, `Int64.max` for up to the end whatever it is.
    var last: Int64
  }
  private var records: [Lock] = []
  private var whole: [(owner: LockOwner, isExclusive: Bool)] = []
  /// Woken when a lock goes.
  public let waitQueue = WaitQueue()

  init() {}

  /// The lock of somebody else's that keeps this one from being set.
  private func conflict(_ wanted: Lock) -> Lock? {
    for lock in records where lock.owner != wanted.owner {
      if lock.start <= wanted.last, wanted.start <= lock.last, lock.isExclusive || wanted.isExclusive { return lock }
    }
    return nil
  }

  /// Tells in `request` which lock stands in the way, or F_UNLCK. See F_GETLK.
  ///
  /// - Parameter ownedOnly: Asks for any lock that this owner has itself: F_OFD_GETLK with F_UNLCK.
  func test(_ request: inout Flock, _ wanted: Lock, ownedOnly: Bool) {
    let own = records.first { $0.owner == wanted.owner && $0.start <= wanted.last && wanted.start <= $0.last }
    guard let other = ownedOnly ? own : conflict(wanted) else {
      request.l_type = RecordLockType.F_UNLCK.rawValue
      return
    }
    request.l_type = (other.isExclusive ? RecordLockType.F_WRLCK : .F_RDLCK).rawValue
    request.l_whence = Int16(SeekWhence.SEEK_SET.rawValue)
    request.l_start = other.start
    request.l_len = other.last == .max ? 0 : other.last - other.start + 1
    request.l_pid = other.processID
  }

  /// Sets or, for nil, removes the owner's lock on a range.
  ///
  /// - Throws: `EAGAIN` when somebody else's is in the way.
  func set(_ wanted: Lock, type: RecordLockType) throws(Errno) {
    if type != .F_UNLCK, conflict(wanted) != nil { throw .EAGAIN }
    var kept: [Lock] = []
    var wanted = wanted
    for lock in records {
      guard lock.owner == wanted.owner, lock.start <= wanted.last &+ (wanted.last == .max ? 0 : 1),
        wanted.start <= lock.last &+ (lock.last == .max ? 0 : 1)
      else {
        kept.append(lock)
        continue
      }
      // Locks of one kind that touch are one lock.
      if type != .F_UNLCK, lock.isExclusive == wanted.isExclusive {
        wanted.start = min(wanted.start, lock.start)
        wanted.last = max(wanted.last, lock.last)
        continue
      }
      // What of the owner's lock lies outside the range stays.
      if lock.start < wanted.start {
        var before = lock
        before.last = wanted.start - 1
        kept.append(before)
      }
      if lock.last > wanted.last {
        var after = lock
        after.start = wanted.last + 1
        kept.append(after)
      }
    }
    if type != .F_UNLCK {
      // An owner's locks stand together, by their start: so F_GETLK tells Linux's.
      let owner = wanted.owner
      let start = wanted.start
      let before = kept.lastIndex { $0.owner == owner && $0.start < start }
      kept.insert(wanted, at: before.map { $0 + 1 } ?? kept.firstIndex { $0.owner == owner } ?? kept.count)
    }
    records = kept
    waitQueue.wakeAll()
  }

  /// Takes, converts or gives back a whole-file lock. See flock(2).
  ///
  /// - Throws: `EWOULDBLOCK`.
  func flock(_ owner: LockOwner, exclusive: Bool?) throws(Errno) {
    if let exclusive {
      for lock in whole where lock.owner != owner && (lock.isExclusive || exclusive) { throw .EAGAIN }
      whole.removeAll { $0.owner == owner }
      whole.append((owner, exclusive))
    } else {
      whole.removeAll { $0.owner == owner }
    }
    waitQueue.wakeAll()
  }

  /// Gives back everything that an owner holds.
  func release(ownedBy owner: LockOwner) {
    let before = records.count + whole.count
    records.removeAll { $0.owner == owner }
    whole.removeAll { $0.owner == owner }
    if records.count + whole.count != before { waitQueue.wakeAll() }
  }
}

extension OpenFile {
  private final func inodeLocks() -> FileLocks {
    if let locks = inode.locks { return locks }
    let locks = FileLocks()
    inode.locks = locks
    return locks
  }

  /// The record lock commands of fcntl(2): F_GETLK, F_SETLK, F_SETLKW and their F_OFD_ forms.
  ///
  /// - Parameters:
  ///   - table: The descriptor table that owns locks of processes.
  ///   - processID: What F_GETLK tells others.
  /// - Throws: `EINVAL`, `EBADF` when the file is not open the right way, `EAGAIN`, `ERESTARTSYS`, `EOVERFLOW`.
  public final func recordLock(
    _ command: FcntlCommand, _ request: inout Flock, table: FileDescriptorTable, processID: Int32
  ) throws(Errno) {
    guard let type = RecordLockType(rawValue: request.l_type) else { throw .EINVAL }
    let isOfDescription = command == .F_OFD_GETLK || command == .F_OFD_SETLK || command == .F_OFD_SETLKW
    if isOfDescription, request.l_pid != 0 { throw .EINVAL }
    let origin: Int64
    switch SeekWhence(rawValue: UInt32(truncatingIfNeeded: request.l_whence)) {
    case .SEEK_SET: origin = 0
    case .SEEK_CUR: origin = offset
    case .SEEK_END: origin = inode.size
    default: throw .EINVAL
    }
    var (start, overflow) = origin.addingReportingOverflow(request.l_start)
    if overflow { throw .EOVERFLOW }
    guard start >= 0 else { throw .EINVAL }
    var last = Int64.max
    if request.l_len > 0 {
      (last, overflow) = start.addingReportingOverflow(request.l_len - 1)
      if overflow { throw .EOVERFLOW }
    } else if request.l_len < 0 {
      // The range lies in front of the start.
      guard start + request.l_len >= 0 else { throw .EINVAL }
      last = start - 1
      start += request.l_len
    }
    let wanted = FileLocks.Lock(
      owner: isOfDescription ? .description(ObjectIdentifier(self)) : .table(ObjectIdentifier(table)),
      processID: isOfDescription ? -1 : processID, isExclusive: type == .F_WRLCK, start: start, last: last)
    let locks = inodeLocks()
    switch command {
    case .F_GETLK, .F_OFD_GETLK:
      if type == .F_UNLCK, !isOfDescription { throw .EINVAL }
      locks.test(&request, wanted, ownedOnly: type == .F_UNLCK)
    case .F_SETLK, .F_OFD_SETLK, .F_SETLKW, .F_OFD_SETLKW:
      if type == .F_RDLCK, !isReadable { throw .EBADF }
      if type == .F_WRLCK, !isWritable { throw .EBADF }
      while true {
        do throws(Errno) { return try locks.set(wanted, type: type) } catch {
          guard command == .F_SETLKW || command == .F_OFD_SETLKW else { throw error }
        }
        if locks.waitQueue.sleep() == .interrupted { throw .ERESTARTSYS }
      }
    default: throw .EINVAL
    }
  }

  /// See flock(2).
  ///
  /// - Throws: `EINVAL`, `EAGAIN` (EWOULDBLOCK), `ERESTARTSYS`.
  public final func flock(_ operation: FlockOperation) throws(Errno) {
    let exclusive: Bool?
    switch operation.subtracting(.LOCK_NB) {
    case .LOCK_SH: exclusive = false
    case .LOCK_EX: exclusive = true
    case .LOCK_UN: exclusive = nil
    default: throw .EINVAL
    }
    let locks = inodeLocks()
    let owner = LockOwner.description(ObjectIdentifier(self))
    while true {
      do throws(Errno) { return try locks.flock(owner, exclusive: exclusive) } catch {
        if operation.contains(.LOCK_NB) { throw error }
      }
      if locks.waitQueue.sleep() == .interrupted { throw .ERESTARTSYS }
    }
  }
}
