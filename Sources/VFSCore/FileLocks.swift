public import Kernel
public import LinuxABI

/// Who holds a lock.
public enum LockOwner: Equatable {
  /// A process, by its descriptor table: POSIX record locks of fcntl(2).
  case table(ObjectIdentifier)
  /// An open file description: flock(2), and F_OFD_SETLK of fcntl(2).
  case description(ObjectIdentifier)
}

/// Who keeps a file's locks besides this kernel, for other machines: a server. What is asked of it is for all processes here
/// together, between which `FileLocks` has decided before.
public protocol LockKeeper: AnyObject {
  /// Takes a lock on behalf of whoever has one here now, or gives bytes back on which nobody here has one any more.
  ///
  /// - Throws: `EAGAIN` when another machine's is in the way, unless `waits`; `ERESTARTSYS`, `ENOLCK`, what the server says.
  func lock(_ type: RecordLockType, _ start: Int64, _ last: Int64, waits: Bool) throws(Errno)
  /// Gives bytes back without waiting for that: nothing may block.
  func startUnlock(_ start: Int64, _ last: Int64)
  /// Tells in `request` which lock of another machine's would be in the way, if there is one.
  func test(_ request: inout Flock, _ type: RecordLockType, _ start: Int64, _ last: Int64) throws(Errno)
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
  /// Those of whole files, whose range says nothing.
  private var whole: [Lock] = []
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
      Self.remove(owner, from: &whole)
      whole.append(Lock(owner: owner, processID: 0, isExclusive: exclusive, start: 0, last: .max))
    } else {
      Self.remove(owner, from: &whole)
    }
    waitQueue.wakeAll()
  }

  @inline(never)
  private static func remove(_ owner: LockOwner, from locks: inout [Lock]) {
    var kept: [Lock] = []
    for lock in locks where lock.owner != owner { kept.append(lock) }
    locks = kept
  }

  /// Gives back everything that an owner holds, and says whether that was anything.
  func release(ownedBy owner: LockOwner) -> Bool {
    let before = records.count + whole.count
    Self.remove(owner, from: &records)
    Self.remove(owner, from: &whole)
    if records.count + whole.count == before { return false }
    waitQueue.wakeAll()
    return true
  }

  /// Gives the bytes of a range back to a server on which nobody here has a lock of any kind.
  func give(_ first: Int64, _ last: Int64, to keeper: any LockKeeper, waits: Bool) throws(Errno) {
    if !whole.isEmpty { return }
    // Who has nothing gives everything back: then the server's end of it can go.
    var start = records.isEmpty ? 0 : first
    let last = records.isEmpty ? .max : last
    while true {
      // Where the locks that cover the start end, else where the next one begins.
      var end = last
      var covered = start - 1
      for lock in records {
        if lock.start <= start { covered = max(covered, lock.last) } else { end = min(end, lock.start - 1) }
      }
      if covered < start {
        if waits { try keeper.lock(.F_UNLCK, start, end, waits: false) } else { keeper.startUnlock(start, end) }
        covered = end
      }
      if covered >= last { return }
      start = covered + 1
    }
  }
}

extension Inode {
  /// Gives back the locks that an owner holds.
  ///
  /// - Parameter waits: Whether a server that keeps them too is waited for; else nothing blocks.
  final func releaseLocks(ownedBy owner: LockOwner, waits: Bool) {
    guard let locks, locks.release(ownedBy: owner), let lockKeeper else { return }
    try? locks.give(0, .max, to: lockKeeper, waits: waits)
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
    if isOfDescription ? request.l_pid != 0 : command == .F_GETLK && type == .F_UNLCK { throw .EINVAL }
    let origin: Int64
    switch SeekWhence(rawValue: UInt32(truncatingIfNeeded: request.l_whence)) {
    case .SEEK_SET: origin = 0
    case .SEEK_CUR: origin = offset
    case .SEEK_END: origin = inode.stat().st_size
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
      locks.test(&request, wanted, ownedOnly: type == .F_UNLCK)
      if type != .F_UNLCK, request.l_type == RecordLockType.F_UNLCK.rawValue {
        try inode.lockKeeper?.test(&request, type, start, last)
      }
    case .F_SETLK, .F_OFD_SETLK, .F_SETLKW, .F_OFD_SETLKW:
      if type == .F_RDLCK, !isReadable { throw .EBADF }
      if type == .F_WRLCK, !isWritable { throw .EBADF }
      let waits = command == .F_SETLKW || command == .F_OFD_SETLKW
      while true {
        do throws(Errno) {
          try locks.set(wanted, type: type)
          break
        } catch {
          if !waits { throw error }
        }
        if locks.waitQueue.sleep() == .interrupted { throw .ERESTARTSYS }
      }
      guard let keeper = inode.lockKeeper else { return }
      if type == .F_UNLCK { return try locks.give(start, last, to: keeper, waits: true) }
      do throws(Errno) { try keeper.lock(type, start, last, waits: waits) } catch {
        // As Linux does it, whatever the owner had there before.
        try? locks.set(wanted, type: .F_UNLCK)
        try? locks.give(start, last, to: keeper, waits: true)
        throw error
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
      do throws(Errno) {
        try locks.flock(owner, exclusive: exclusive)
        break
      } catch {
        if operation.contains(.LOCK_NB) { throw error }
      }
      if locks.waitQueue.sleep() == .interrupted { throw .ERESTARTSYS }
    }
    guard let keeper = inode.lockKeeper else { return }
    guard let exclusive else { return try locks.give(0, .max, to: keeper, waits: true) }
    do throws(Errno) {
      try keeper.lock(exclusive ? .F_WRLCK : .F_RDLCK, 0, .max, waits: !operation.contains(.LOCK_NB))
    } catch {
      inode.releaseLocks(ownedBy: owner, waits: true)
      throw error
    }
  }
}
