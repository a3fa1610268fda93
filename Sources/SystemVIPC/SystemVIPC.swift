// SystemVIPC: shared memory, semaphores and message queues of System V. See sysvipc(7).
//
// - `IPCNamespace`: the three tables and their limits, one for the machine.
// - `IPCObject`: what is in a table: an identifier, a key, an owner, permissions.
// - `SharedSegment`, `SemaphoreSet`, `MessageQueue`: the objects.
// - `IPCCaller`: on whose behalf something is done. What a process is, this module does not know.
//
// The kernel is not preempted, and only the calls that say so sleep: everything else is one step.
//
// Reference: Linux 6.1, ipc/util.c, shm.c, sem.c, msg.c.
public import Kernel
public import LinuxABI
internal import Support
internal import VFSCore

/// The thread on whose behalf something is done.
public struct IPCCaller {
  public var pid: Int32
  public var user: UInt32
  public var group: UInt32
  public var groups: [UInt32]
  /// Capabilities that override permissions: CAP_IPC_OWNER, CAP_SYS_ADMIN, CAP_SYS_RESOURCE and CAP_IPC_LOCK.
  public var ownsAll: Bool
  public var administers: Bool
  public var exceedsLimits: Bool
  public var locksMemory: Bool

  public init(
    pid: Int32, user: UInt32, group: UInt32, groups: [UInt32], ownsAll: Bool, administers: Bool, exceedsLimits: Bool,
    locksMemory: Bool
  ) {
    self.pid = pid
    self.user = user
    self.group = group
    self.groups = groups
    self.ownsAll = ownsAll
    self.administers = administers
    self.exceedsLimits = exceedsLimits
    self.locksMemory = locksMemory
  }

  func isMember(of other: UInt32) -> Bool { group == other || groups.contains(other) }
}

/// What a table holds.
public class IPCObject {
  public internal(set) var id: Int32 = -1
  /// IPC_PRIVATE, 0, for what no key finds.
  var key: Int32
  var user: UInt32
  var group: UInt32
  let creatorUser: UInt32
  let creatorGroup: UInt32
  /// Nine permission bits, and those of `SharedSegment`.
  var mode: UInt32
  /// Taken out of its table: whoever sleeps with it wakes to `EIDRM`.
  var isRemoved = false
  /// Seconds since 1970.
  var changeTime: Int64

  init(key: Int32, mode: UInt32, _ caller: IPCCaller, _ now: Int64) {
    self.key = key
    self.mode = mode & 0o777
    user = caller.user
    group = caller.group
    creatorUser = caller.user
    creatorGroup = caller.group
    changeTime = now
  }

  var permissions: IPC64Perm {
    var result = IPC64Perm()
    result.key = key
    result.uid = user
    result.gid = group
    result.cuid = creatorUser
    result.cgid = creatorGroup
    result.mode = mode
    result.seq = UInt16(truncatingIfNeeded: id >> IPCTable.indexBits)
    return result
  }

  /// Checks that the caller may do all that `wanted` says: permission bits of the owner, the group or others.
  ///
  /// - Throws: `EACCES`.
  func check(_ caller: IPCCaller, _ wanted: UInt32) throws(Errno) {
    var granted = mode
    if caller.user == creatorUser || caller.user == user {
      granted >>= 6
    } else if caller.isMember(of: creatorGroup) || caller.isMember(of: group) {
      granted >>= 3
    }
    let requested = wanted >> 6 | wanted >> 3 | wanted
    if requested & ~granted & 7 != 0, !caller.ownsAll { throw .EACCES }
  }

  static var read: UInt32 { 0o444 }
  static var write: UInt32 { 0o222 }
  static var execute: UInt32 { 0o111 }

  /// - Throws: `EPERM` unless the caller owns the object or administers the machine.
  func checkOwner(_ caller: IPCCaller) throws(Errno) {
    guard caller.user == creatorUser || caller.user == user || caller.administers else { throw .EPERM }
  }

  /// Changes the object as IPC_SET does.
  ///
  /// - Parameter queueBytes: What a message queue may hold; nothing else looks at it.
  /// - Throws: `EINVAL`, `EPERM`.
  func set(_ permissions: IPC64Perm, queueBytes: UInt64, _ caller: IPCCaller, _ now: Int64) throws(Errno) {
    try update(permissions, now)
  }

  /// Takes the object out of its table, or sees to it that its last user does: IPC_RMID.
  func remove() {}

  /// Writes the object's status, a `shmid64_ds` or its like, to the program's memory: IPC_STAT.
  ///
  /// - Throws: `EFAULT`.
  public func storeStatus(at address: UInt) throws(Errno) { throw .EINVAL }

  /// Gives the object another owner and other permissions.
  ///
  /// - Throws: `EINVAL` for -1, which is nobody.
  final func update(_ new: IPC64Perm, _ now: Int64) throws(Errno) {
    guard new.uid != .max, new.gid != .max else { throw .EINVAL }
    user = new.uid
    group = new.gid
    mode = mode & ~0o777 | new.mode & 0o777
    changeTime = now
  }
}

/// The objects of one kind by identifier: an index and, above it, a number that tells those apart which had the index
/// one after the other.
final class IPCTable {
  static var indexBits: Int32 { 15 }
  /// IPCMNI
  static var mostObjects: Int { 1 << 15 }

  private var slots: [IPCObject?] = []
  private(set) var count = 0
  private var sequence: Int32 = 0
  private var lastIndex = -1

  /// The highest index in use, or 0.
  var highestIndex: Int { max(slots.count - 1, 0) }

  var objects: [IPCObject] { slots.compactMap { $0 } }

  /// The object with this identifier.
  ///
  /// - Throws: `EINVAL`.
  func object(_ id: Int32) throws(Errno) -> IPCObject {
    let object = try object(atIndexOf: id)
    guard object.id == id else { throw .EINVAL }
    return object
  }

  /// The object at the index that an identifier has, whatever its sequence number: SHM_STAT and its like.
  ///
  /// - Throws: `EINVAL`.
  func object(atIndexOf id: Int32) throws(Errno) -> IPCObject {
    let index = Int(id) & (Self.mostObjects - 1)
    guard id >= 0, index < slots.count, let object = slots[index] else { throw .EINVAL }
    return object
  }

  func object(withKey key: Int32) -> IPCObject? {
    for case let object? in slots where object.key == key { return object }
    return nil
  }

  /// Enters an object and gives it its identifier.
  ///
  /// - Throws: `ENOSPC` when there are `limit` already.
  func add(_ object: IPCObject, limit: Int) throws(Errno) {
    guard count < min(limit, Self.mostObjects) else { throw .ENOSPC }
    var index = 0
    while index < slots.count, slots[index] != nil { index += 1 }
    if index == slots.count { slots.append(object) } else { slots[index] = object }
    if index <= lastIndex { sequence = (sequence + 1) & (1 << (31 - Self.indexBits) - 1) }
    lastIndex = index
    count += 1
    object.id = sequence << Self.indexBits | Int32(index)
  }

  func remove(_ object: IPCObject) {
    let index = Int(object.id) & (Self.mostObjects - 1)
    guard index < slots.count, slots[index] === object else { return }
    slots[index] = nil
    while let last = slots.last, last == nil { slots.removeLast() }
    count -= 1
    object.isRemoved = true
  }

  /// Finds an object by its key, or makes one, as shmget(2) and its like do.
  ///
  /// - Parameters:
  ///   - flags: IPC_CREAT, IPC_EXCL, and the permissions that the caller wants, or gives to what is made.
  ///   - suits: Whether an object that was found is large enough.
  ///   - make: Makes an object and enters it.
  /// - Throws: `ENOENT`, `EEXIST`, `EINVAL`, `EACCES`, and what `make` throws.
  func get(
    _ key: Int32, _ flags: UInt32, _ caller: IPCCaller, suits: (IPCObject) -> Bool,
    make: () throws(Errno) -> IPCObject
  ) throws(Errno) -> Int32 {
    if key != 0, let object = object(withKey: key) {
      let flags = IPCFlags(rawValue: flags)
      if flags.isSuperset(of: [.IPC_CREAT, .IPC_EXCL]) { throw .EEXIST }
      guard suits(object) else { throw .EINVAL }
      try object.check(caller, flags.rawValue)
      return object.id
    }
    if key != 0, !IPCFlags(rawValue: flags).contains(.IPC_CREAT) { throw .ENOENT }
    return try make().id
  }
}

/// The tables of a namespace.
public enum IPCKind {
  case segments
  case semaphores
  case queues
}

/// The shared memory, semaphores and message queues of the machine.
public final class IPCNamespace {
  let frames: FrameAllocator
  let clock: Clock
  /// The number of the process that runs now: whose memory maps a segment, or does not any more.
  let currentPID: () -> Int32
  let segments = IPCTable()
  let sets = IPCTable()
  let queues = IPCTable()
  public internal(set) var limits = IPCLimits()
  /// Pages of all segments.
  var segmentPages: UInt = 0
  /// Semaphores of all sets.
  var semaphoreCount = 0
  /// Messages in all queues, and their bytes.
  var messageCount = 0
  var messageBytes = 0

  public init(_ frames: FrameAllocator, _ clock: Clock, currentPID: @escaping () -> Int32) {
    self.frames = frames
    self.clock = clock
    self.currentPID = currentPID
  }

  /// Refuses what the kernel would hold for programs when that would touch its own reserve.
  ///
  /// - Throws: `ENOMEM`.
  func checkRoom(bytes: Int) throws(Errno) {
    guard frames.hasRoom(forBytes: bytes + 32 * pageSize) else { throw .ENOMEM }
  }

  private func table(_ kind: IPCKind) -> IPCTable {
    switch kind {
    case .segments: segments
    case .semaphores: sets
    case .queues: queues
    }
  }

  /// The object that IPC_STAT, or SHM_STAT and its like, tell about.
  ///
  /// - Parameters:
  ///   - byIndex: By the index that is part of the identifier alone.
  ///   - checked: Whether the caller must be allowed to read it.
  /// - Throws: `EINVAL`, `EACCES`.
  public func object(
    _ kind: IPCKind, _ id: Int32, byIndex: Bool, checked: Bool, _ caller: IPCCaller
  ) throws(Errno) -> IPCObject {
    let object = try byIndex ? table(kind).object(atIndexOf: id) : table(kind).object(id)
    if checked { try object.check(caller, IPCObject.read) }
    return object
  }

  /// Changes an object as IPC_SET does.
  ///
  /// - Throws: `EINVAL`, `EPERM`.
  public func set(
    _ kind: IPCKind, _ id: Int32, _ permissions: IPC64Perm, queueBytes: UInt64 = 0, _ caller: IPCCaller
  ) throws(Errno) {
    let object = try table(kind).object(id)
    try object.checkOwner(caller)
    try object.set(permissions, queueBytes: queueBytes, caller, now)
  }

  /// Takes an object away as IPC_RMID does.
  ///
  /// - Throws: `EINVAL`, `EPERM`.
  public func remove(_ kind: IPCKind, _ id: Int32, _ caller: IPCCaller) throws(Errno) {
    let object = try table(kind).object(id)
    try object.checkOwner(caller)
    object.remove()
  }

  /// Seconds since 1970.
  var now: Int64 { Int64(clock.realtime / 1_000_000_000) }
}

/// What /proc/sys/kernel sets.
public struct IPCLimits {
  var shmmax = UInt.max - 1 << 24
  var shmall = UInt.max - 1 << 24
  var shmmni = 4096
  var semmsl = 32000
  var semmns = 1_024_000_000
  var semopm = 500
  var semmni = 32000
  var msgmax = 8192
  var msgmnb = 16384
  var msgmni = 32000

  static var semvmx: Int32 { 32767 }
  static var semaem: Int32 { 32767 }
}
