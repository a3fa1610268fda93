internal import Kernel
public import LinuxABI
public import VFSCore

/// A segment of shared memory. Areas that map its pages hold it, and tell it of their beginning and their end.
public final class SharedSegment: IPCObject, MappingCounter {
  private let namespace: IPCNamespace
  /// In bytes, as it was asked for.
  public let size: UInt
  /// Its pages.
  public let cache: PageCache
  private let creatorPID: Int32
  private let mappedKey: UInt32
  private var lastPID: Int32 = 0
  private var attachTime: Int64 = 0
  private var detachTime: Int64 = 0
  /// Areas that map it.
  private(set) var attachCount = 0

  /// SHM_DEST and SHM_LOCKED
  private static var isDoomed: UInt32 { 0o1000 }
  private static var isLocked: UInt32 { 0o2000 }

  init(_ namespace: IPCNamespace, key: Int32, size: UInt, mode: UInt32, _ caller: IPCCaller) {
    self.namespace = namespace
    self.size = size
    cache = PageCache(frames: namespace.frames, quota: nil)
    cache.truncate(to: Int64(clamping: size))
    creatorPID = caller.pid
    mappedKey = UInt32(bitPattern: key)
    super.init(key: key, mode: mode, caller, namespace.now)
  }

  var pages: UInt { (size &+ 4095) >> 12 }
  var residentPages: UInt { UInt(cache.pageCount) }

  public var mappedName: (key: UInt32, number: UInt64) { (mappedKey, UInt64(UInt32(bitPattern: id))) }

  public func areaOpened() {
    attachCount += 1
    attachTime = namespace.now
    lastPID = namespace.currentPID()
  }

  public func areaClosed() {
    attachCount -= 1
    detachTime = namespace.now
    lastPID = namespace.currentPID()
    if attachCount == 0, mode & Self.isDoomed != 0 { namespace.destroy(self) }
  }

  /// Takes the segment away, or dooms it as long as somebody has it mapped. Its key finds it no more.
  override func remove() {
    if attachCount == 0 {
      namespace.destroy(self)
    } else {
      mode |= Self.isDoomed
      key = 0
    }
  }

  func setLocked(_ locked: Bool) { mode = locked ? mode | Self.isLocked : mode & ~Self.isLocked }

  override public func storeStatus(at address: UInt) throws(Errno) { try UserMemory.store(status, at: address) }

  var status: Shmid64DS {
    var result = Shmid64DS()
    result.shm_perm = permissions
    result.shm_segsz = UInt64(size)
    result.shm_atime = attachTime
    result.shm_dtime = detachTime
    result.shm_ctime = changeTime
    result.shm_cpid = creatorPID
    result.shm_lpid = lastPID
    result.shm_nattch = UInt64(attachCount)
    return result
  }
}

extension IPCNamespace {
  fileprivate func destroy(_ segment: SharedSegment) {
    guard !segment.isRemoved else { return }
    segmentPages -= segment.pages
    segments.remove(segment)
  }

  /// Finds or makes a segment. See shmget(2).
  ///
  /// - Throws: `EINVAL`, `ENOENT`, `EEXIST`, `EACCES`, `EPERM`, `ENOSPC`, `ENOMEM`.
  public func getSegment(_ key: Int32, size: UInt, flags: UInt32, _ caller: IPCCaller) throws(Errno) -> Int32 {
    try segments.get(
      key, flags, caller,
      suits: { size <= ($0 as? SharedSegment)?.size ?? 0 },
      make: { () throws(Errno) in
        guard size > 0, size <= limits.shmmax else { throw .EINVAL }
        guard let pages = pageCeiling(size).map({ $0 >> pageShift }), pages <= limits.shmall,
          segmentPages <= limits.shmall - pages
        else { throw .ENOSPC }
        if SharedMemoryFlags(rawValue: flags).contains(.SHM_HUGETLB) {
          // The pool of huge pages is empty, and there is none of other sizes than 2 MiB.
          let sizeBits = flags >> 26 & 63
          if sizeBits != 0, sizeBits != 21 { throw .EINVAL }
          guard caller.locksMemory else { throw .EPERM }
          throw .ENOMEM
        }
        // vm.overcommit_memory 0: what can never be had is refused.
        if !SharedMemoryFlags(rawValue: flags).contains(.SHM_NORESERVE), pages > UInt(frames.totalFrames) {
          throw .ENOMEM
        }
        try checkRoom(bytes: 0)
        let segment = SharedSegment(self, key: key, size: size, mode: flags, caller)
        try segments.add(segment, limit: limits.shmmni)
        segmentPages += pages
        return segment
      })
  }

  private func segment(_ id: Int32) throws(Errno) -> SharedSegment {
    guard let segment = try segments.object(id) as? SharedSegment else { throw .EINVAL }
    return segment
  }

  /// The segment that shmat(2) maps.
  ///
  /// - Throws: `EINVAL`, `EACCES`.
  public func attachableSegment(_ id: Int32, _ flags: AttachFlags, _ caller: IPCCaller) throws(Errno) -> SharedSegment {
    let segment = try segment(id)
    var wanted = IPCObject.read
    if !flags.contains(.SHM_RDONLY) { wanted |= IPCObject.write }
    if flags.contains(.SHM_EXEC) { wanted |= IPCObject.execute }
    try segment.check(caller, wanted)
    return segment
  }

  /// Locks a segment in memory, where it is anyway. See SHM_LOCK of shmctl(2).
  ///
  /// - Parameter mayLock: Whether RLIMIT_MEMLOCK allows it.
  /// - Throws: `EINVAL`, `EPERM`.
  public func lockSegment(_ id: Int32, _ locked: Bool, mayLock: Bool, _ caller: IPCCaller) throws(Errno) {
    let segment = try segment(id)
    if !caller.locksMemory {
      guard caller.user == segment.user || caller.user == segment.creatorUser, !locked || mayLock else { throw .EPERM }
    }
    segment.setLocked(locked)
  }

  /// The limits, and the highest index in use. See IPC_INFO of shmctl(2).
  public func segmentLimits() -> (Shminfo64, Int) {
    var result = Shminfo64()
    result.shmmax = UInt64(limits.shmmax)
    result.shmmin = 1
    result.shmmni = UInt64(limits.shmmni)
    result.shmseg = result.shmmni
    result.shmall = UInt64(limits.shmall)
    return (result, segments.highestIndex)
  }

  /// What is used, and the highest index in use. See SHM_INFO of shmctl(2).
  public func segmentUsage() -> (ShmInfo, Int) {
    var result = ShmInfo()
    result.used_ids = Int32(segments.count)
    result.shm_tot = UInt64(segmentPages)
    var resident: UInt = 0
    for object in segments.objects { resident += (object as? SharedSegment)?.residentPages ?? 0 }
    result.shm_rss = UInt64(resident)
    return (result, segments.highestIndex)
  }
}
