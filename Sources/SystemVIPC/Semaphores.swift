public import LinuxABI

extension IPCNamespace {
  /// Finds or makes a set. See semget(2).
  ///
  /// - Throws: `EINVAL`, `ENOENT`, `EEXIST`, `EACCES`, `ENOSPC`.
  public func getSemaphores(_ key: Int32, count: Int32, flags: UInt32, _ caller: IPCCaller) throws(Errno) -> Int32 {
    guard count >= 0, Int(count) <= limits.semmsl else { throw .EINVAL }
    return try sets.get(
      key, flags, caller,
      suits: { Int(count) <= ($0 as? SemaphoreSet)?.semaphores.count ?? 0 },
      make: { () throws(Errno) in
        guard count > 0 else { throw .EINVAL }
        guard semaphoreCount + Int(count) <= limits.semmns else { throw .ENOSPC }
        try checkRoom(bytes: Int(count) * 8)
        let set = SemaphoreSet(self, key: key, count: Int(count), mode: flags, caller)
        try sets.add(set, limit: limits.semmni)
        semaphoreCount += Int(count)
        return set
      })
  }

  private func set(_ id: Int32) throws(Errno) -> SemaphoreSet {
    guard let set = try sets.object(id) as? SemaphoreSet else { throw .EINVAL }
    return set
  }

  /// The most operations of one call: SEMOPM.
  public var mostOperations: Int { limits.semopm }

  /// Does operations on a set, and sleeps until all can be done. See semtimedop(2).
  ///
  /// - Parameters:
  ///   - undo: Makes or finds the caller's list of what to undo.
  ///   - deadline: Monotonic nanoseconds, or nil.
  /// - Throws: `EINVAL`, `EFBIG`, `EACCES`, `ERANGE`, `EAGAIN`, `EIDRM`, `EINTR`.
  public func operate(
    _ id: Int32, _ operations: [Sembuf], _ caller: IPCCaller, undo: () -> SemaphoreUndo, until deadline: UInt64?
  ) throws(Errno) {
    try set(id).operate(operations, caller, undo: undo, until: deadline)
  }

  /// A figure of one semaphore. See GETVAL, GETPID, GETNCNT and GETZCNT of semctl(2).
  ///
  /// - Throws: `EINVAL`, `EACCES`.
  public func semaphore(_ id: Int32, _ number: Int32, _ command: Int32, _ caller: IPCCaller) throws(Errno) -> Int {
    let set = try set(id)
    try set.check(caller, IPCObject.read)
    guard number >= 0, Int(number) < set.semaphores.count else { throw .EINVAL }
    let semaphore = set.semaphores[Int(number)]
    return switch command {
    case SemaphoreCommand.GETVAL: Int(semaphore.value)
    case SemaphoreCommand.GETPID: Int(semaphore.pid)
    default: set.waitingCount(Int(number), forZero: command == SemaphoreCommand.GETZCNT)
    }
  }

  /// All values of a set. See GETALL of semctl(2).
  ///
  /// - Throws: `EINVAL`, `EACCES`.
  public func semaphoreValues(_ id: Int32, _ caller: IPCCaller) throws(Errno) -> [UInt16] {
    let set = try set(id)
    try set.check(caller, IPCObject.read)
    return set.semaphores.map { UInt16($0.value) }
  }

  /// How many semaphores a set has that the caller may write.
  ///
  /// - Throws: `EINVAL`, `EACCES`.
  public func writableCount(_ id: Int32, _ caller: IPCCaller) throws(Errno) -> Int {
    let set = try set(id)
    try set.check(caller, IPCObject.write)
    return set.semaphores.count
  }

  /// Sets all values of a set: the copy from the program's memory may have slept since `writableCount`. See SETALL.
  ///
  /// - Throws: `EIDRM`, `ERANGE`.
  public func setSemaphores(_ id: Int32, _ values: [UInt16], _ caller: IPCCaller) throws(Errno) {
    guard let set = try? set(id), set.semaphores.count == values.count else { throw .EIDRM }
    for value in values where Int32(value) > IPCLimits.semvmx { throw .ERANGE }
    set.set(values.map { Int32($0) }, from: 0, caller.pid)
  }

  /// Sets one value. See SETVAL of semctl(2).
  ///
  /// - Throws: `ERANGE`, `EINVAL`, `EACCES`.
  public func setSemaphore(_ id: Int32, _ number: Int32, _ value: Int32, _ caller: IPCCaller) throws(Errno) {
    guard value >= 0, value <= IPCLimits.semvmx else { throw .ERANGE }
    let set = try set(id)
    guard number >= 0, Int(number) < set.semaphores.count else { throw .EINVAL }
    try set.check(caller, IPCObject.write)
    set.set([value], from: Int(number), caller.pid)
  }

  /// The limits or, for SEM_INFO, with what is used in two of the fields, and the highest index in use. See semctl(2).
  public func setLimits(usage: Bool) -> (Seminfo, Int) {
    var result = Seminfo()
    result.semmap = Int32(clamping: limits.semmns)
    result.semmni = Int32(clamping: limits.semmni)
    result.semmns = Int32(clamping: limits.semmns)
    result.semmnu = Int32(clamping: limits.semmns)
    result.semmsl = Int32(clamping: limits.semmsl)
    result.semopm = Int32(clamping: limits.semopm)
    result.semume = Int32(clamping: limits.semopm)
    result.semvmx = IPCLimits.semvmx
    result.semusz = usage ? Int32(sets.count) : 20
    result.semaem = usage ? Int32(clamping: semaphoreCount) : IPCLimits.semaem
    return (result, sets.highestIndex)
  }
}
