internal import Kernel
internal import LinuxABI

/// A thread that sleeps until its operations can all be done, which whoever changes a value does in its place.
final class SemaphoreWaiter {
  let operations: [Sembuf]
  let caller: IPCCaller
  let undo: SemaphoreUndo?
  let task: Task
  /// The operation that could not be done at the last try.
  var blocked: Int
  /// How it ended; nil while it sleeps.
  var result: Result<Void, Errno>?

  init(_ operations: [Sembuf], _ caller: IPCCaller, _ undo: SemaphoreUndo?, blocked: Int) {
    self.operations = operations
    self.caller = caller
    self.undo = undo
    self.blocked = blocked
    task = Task.current
  }

  func finish(_ result: Result<Void, Errno>) {
    self.result = result
    task.scheduler.wake(task, .woken)
  }
}

/// What becomes of the semaphores that threads have changed with SEM_UNDO when the last of them ends. Threads have one
/// in common after CLONE_SYSVSEM. See semop(2).
public final class SemaphoreUndo {
  private var sets: [SemaphoreSet] = []
  private var holders = 1

  public init() {}

  /// One more thread has it.
  public func join() { holders += 1 }

  func note(_ set: SemaphoreSet) {
    sets.removeAll { $0.isRemoved }
    for other in sets where other === set { return }
    sets.append(set)
  }

  /// A thread does not have it any more: the last one's changes are undone.
  ///
  /// - Parameter pid: The thread's process.
  public func leave(pid: Int32) {
    holders -= 1
    guard holders == 0 else { return }
    let touched = sets
    sets = []
    for set in touched where !set.isRemoved { set.undo(self, pid) }
  }
}

/// A set of semaphores.
final class SemaphoreSet: IPCObject {
  struct Semaphore {
    var value: Int32 = 0
    /// The process that changed it last.
    var pid: Int32 = 0
  }

  private let namespace: IPCNamespace
  var semaphores: [Semaphore]
  private var operationTime: Int64 = 0
  /// By the time of their coming.
  private var waiters: [SemaphoreWaiter] = []
  /// What is to be added to each value at the end of a list's last thread.
  private var adjustments: [(owner: SemaphoreUndo, values: [Int32])] = []

  init(_ namespace: IPCNamespace, key: Int32, count: Int, mode: UInt32, _ caller: IPCCaller) {
    self.namespace = namespace
    semaphores = [Semaphore](repeating: Semaphore(), count: count)
    super.init(key: key, mode: mode, caller, namespace.now)
  }

  override func storeStatus(at address: UInt) throws(Errno) { try UserMemory.store(status, at: address) }

  var status: Semid64DS {
    var result = Semid64DS()
    result.sem_perm = permissions
    result.sem_otime = operationTime
    result.sem_ctime = changeTime
    result.sem_nsems = UInt64(semaphores.count)
    return result
  }

  // MARK: Operations

  private enum Attempt {
    case done(changed: Bool)
    /// Which operation has to wait.
    case blocked(Int)
    case failed(Errno)
  }

  /// Does all operations or none.
  private func attempt(_ operations: [Sembuf], _ caller: IPCCaller, _ undo: SemaphoreUndo?) -> Attempt {
    var values: [(number: Int, value: Int32)] = []
    var changed = false
    var entry: Int?
    if let undo { entry = adjustmentIndex(undo) }
    var undone: [(number: Int, value: Int32)] = []
    for (index, operation) in operations.enumerated() {
      let number = Int(operation.sem_num)
      let change = Int32(operation.sem_op)
      let known = values.firstIndex { $0.number == number }
      let old = known.map { values[$0].value } ?? semaphores[number].value
      let new = old + change
      if change == 0 ? old != 0 : new < 0 {
        let waits = operation.sem_flg & UInt16(IPCFlags.IPC_NOWAIT.rawValue) == 0
        return waits ? .blocked(index) : .failed(.EAGAIN)
      }
      if new > IPCLimits.semvmx { return .failed(.ERANGE) }
      if operation.sem_flg & SemaphoreSet.semUndo != 0, let entry {
        let at = undone.firstIndex { $0.number == number }
        let adjustment = (at.map { undone[$0].value } ?? adjustments[entry].values[number]) - change
        if adjustment < -IPCLimits.semaem - 1 || adjustment > IPCLimits.semaem { return .failed(.ERANGE) }
        if let at { undone[at].value = adjustment } else { undone.append((number, adjustment)) }
      }
      if let known { values[known].value = new } else { values.append((number, new)) }
      if change != 0 { changed = true }
    }
    for (number, value) in values { semaphores[number] = Semaphore(value: value, pid: caller.pid) }
    if let entry { for (number, value) in undone { adjustments[entry].values[number] = value } }
    return .done(changed: changed)
  }

  static var semUndo: UInt16 { 0x1000 }

  private func adjustmentIndex(_ owner: SemaphoreUndo) -> Int {
    for index in adjustments.indices where adjustments[index].owner === owner { return index }
    adjustments.append((owner, [Int32](repeating: 0, count: semaphores.count)))
    owner.note(self)
    return adjustments.count - 1
  }

  /// Does the operations of those that wait, as far as the values now allow.
  private func serveWaiters() {
    var index = 0
    while index < waiters.count {
      let waiter = waiters[index]
      switch attempt(waiter.operations, waiter.caller, waiter.undo) {
      case .blocked(let at):
        waiter.blocked = at
        index += 1
      case .failed(let error):
        waiters.remove(at: index)
        waiter.finish(.failure(error))
      case .done(let changed):
        waiters.remove(at: index)
        operationTime = namespace.now
        waiter.finish(.success(()))
        // What waited before may go on now.
        if changed { index = 0 }
      }
    }
  }

  /// Does the operations, and sleeps until all can be done. See semtimedop(2).
  ///
  /// - Parameters:
  ///   - undo: Makes or finds the caller's list, for SEM_UNDO.
  ///   - deadline: Monotonic nanoseconds, or nil.
  /// - Throws: `EFBIG`, `EACCES`, `ERANGE`, `EAGAIN` also at the deadline, `EIDRM`, `EINTR`.
  func operate(
    _ operations: [Sembuf], _ caller: IPCCaller, undo: () -> SemaphoreUndo, until deadline: UInt64?
  ) throws(Errno) {
    var alters = false
    var undoes = false
    for operation in operations {
      if Int(operation.sem_num) >= semaphores.count { throw .EFBIG }
      if operation.sem_op != 0 { alters = true }
      if operation.sem_flg & Self.semUndo != 0 { undoes = true }
    }
    try check(caller, alters ? IPCObject.write : IPCObject.read)
    if undoes { try namespace.checkRoom(bytes: semaphores.count * 4) }
    let list = undoes ? undo() : nil
    let blocked: Int
    switch attempt(operations, caller, list) {
    case .done(let changed):
      operationTime = namespace.now
      if changed { serveWaiters() }
      return
    case .failed(let error): throw error
    case .blocked(let at): blocked = at
    }
    let waiter = SemaphoreWaiter(operations, caller, list, blocked: blocked)
    waiters.append(waiter)
    let reason = waiter.task.scheduler.sleep(until: deadline)
    if let result = waiter.result { return try result.get() }
    waiters.removeAll { $0 === waiter }
    throw reason == .timedOut ? .EAGAIN : .EINTR
  }

  /// Adds what a list holds for this set to the values, within their bounds.
  func undo(_ owner: SemaphoreUndo, _ pid: Int32) {
    guard let index = adjustments.firstIndex(where: { $0.owner === owner }) else { return }
    let values = adjustments.remove(at: index).values
    for number in values.indices where values[number] != 0 {
      let value = semaphores[number].value + values[number]
      semaphores[number] = Semaphore(value: min(max(value, 0), IPCLimits.semvmx), pid: pid)
    }
    operationTime = namespace.now
    serveWaiters()
  }

  /// How many wait for a value to grow, or to become zero.
  func waitingCount(_ number: Int, forZero: Bool) -> Int {
    var count = 0
    for waiter in waiters {
      let operation = waiter.operations[waiter.blocked]
      if Int(operation.sem_num) == number, (operation.sem_op == 0) == forZero { count += 1 }
    }
    return count
  }

  /// Sets values from `first` on, and forgets what was to be undone there.
  func set(_ values: [Int32], from first: Int, _ pid: Int32) {
    for (offset, value) in values.enumerated() {
      semaphores[first + offset] = Semaphore(value: value, pid: pid)
      for index in adjustments.indices { adjustments[index].values[first + offset] = 0 }
    }
    changeTime = namespace.now
    serveWaiters()
  }

  override func remove() {
    namespace.sets.remove(self)
    namespace.semaphoreCount -= semaphores.count
    adjustments = []
    let sleepers = waiters
    waiters = []
    for waiter in sleepers { waiter.finish(.failure(.EIDRM)) }
  }
}
