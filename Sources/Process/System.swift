// Process: programs and their threads. A `System` is what they share, a `UserProcess` what its threads share, a
// `Thread` what the scheduler runs. Neighbours: Mmap and VFSCore beside, ELFLoader for the plans, Kernel below,
// Syscalls above.
public import Kernel
public import LinuxABI
public import MessageQueues
internal import Mmap
public import Sockets
internal import Support
public import SystemVIPC
internal import VFSCore

/// When the parts of a program's address space get new random places.
public enum AddressRandomization: Sendable {
  /// Never: `aslr=off`.
  case never
  /// Once, from this seed, for all programs of this boot. QEMU's translator knows code by its address too, and translates
  /// all of a program again that comes back at another: that is nine tenths of what a shell's command costs there.
  case eachBoot(seed: UInt64)
  /// With each execve(2), as Linux does.
  case eachProgram
}

/// What all processes share: the Linux personality's one object, made by `Boot`.
public final class System {
  public let frames: FrameAllocator
  public let kernelTable: PageTable
  public let scheduler: Scheduler
  public let clock: Clock
  public let stacks: KernelStacks
  public let log: Log
  public let random: RandomSource
  /// The frame that reads of untouched memory see.
  public let zeroFrame: PageFrame
  /// The vDSO's data page, then its code.
  public let vdso: [PageFrame]
  public let randomization: AddressRandomization
  /// Limits that the first process starts with.
  public let defaultStackLimit: UInt

  /// Every process that has not been waited for, by ascending PID.
  public internal(set) var processes: [UserProcess] = []
  private var threadsByID = OrderedMap<Thread>()
  public private(set) var lastPID: Int32 = 0
  private var hasWrapped = false
  /// Processes and threads made since boot.
  public private(set) var forkCount: UInt64 = 0
  /// Called when the first process has ended: the machine's end.
  public var machineExit: ((ExitStatus) -> Void)?
  public let futexes = FutexTable()
  /// What a process has that has ended: no memory of its own, and no files.
  let emptyMemory: AddressSpace
  let emptyFiles = FileDescriptorTable()
  /// threads-max: the stacks of as many fill an eighth of memory.
  public var mostThreads: Int { max(frames.totalFrames / (8 * Task.stackPages), 32) }
  /// Where the CPU was met at interrupts.
  var samples = CPUSamples()
  public let sockets: SocketNamespace
  /// Shared memory, semaphores and message queues of System V.
  public let ipc: IPCNamespace
  /// Message queues of POSIX; nil until `Boot` has mounted them.
  public var messageQueues: MessageQueueMount?
  /// uname(2)'s release, which C libraries compare with what they need, and version.
  public static let release: StaticString = "6.1.0"
  public static let version: StaticString = "#1 elfloader"
  /// uname(2)'s node and domain names.
  public var hostName: [UInt8] = [UInt8]("(none)")
  public var domainName: [UInt8] = [UInt8]("(none)")

  public init(
    frames: FrameAllocator, kernelTable: PageTable, scheduler: Scheduler, clock: Clock, stacks: KernelStacks, log: Log,
    random: RandomSource, zeroFrame: PageFrame, vdso: [PageFrame], randomization: AddressRandomization,
    defaultStackLimit: UInt
  ) {
    self.frames = frames
    self.kernelTable = kernelTable
    self.scheduler = scheduler
    self.clock = clock
    self.stacks = stacks
    self.log = log
    self.random = random
    self.zeroFrame = zeroFrame
    self.vdso = vdso
    self.randomization = randomization
    self.defaultStackLimit = defaultStackLimit
    emptyMemory = AddressSpace(kernelTable: kernelTable, frames, zeroFrame: zeroFrame)
    scheduler.reap = { stacks.free($0.stackTop) }
    scheduler.sample = { Thread.withCurrent { $0.sample() } }
    sockets = SocketNamespace(frames) { SocketCaller(Thread.currentThread) }
    ipc = IPCNamespace(frames, clock) { Thread.currentThread.process.pid }
    frames.lastResort = { [self] in relieveMemory() }
  }

  /// pid_max: numbers stay below it.
  static var mostPIDs: Int32 { 4_194_304 }

  /// A number that no process, thread, group or session has.
  func nextPID() -> Int32 {
    repeat {
      lastPID += 1
      if lastPID >= Self.mostPIDs {
        lastPID = 300
        hasWrapped = true
      }
    } while hasWrapped && isUsed(lastPID)
    forkCount += 1
    return lastPID
  }

  private func isUsed(_ number: Int32) -> Bool {
    thread(number) != nil || processes.contains { $0.pid == number || $0.group == number || $0.session == number }
  }

  /// Where the process with this number stands, or would stand.
  private func index(of pid: Int32) -> Int {
    var low = 0
    var high = processes.count
    while low < high {
      let middle = (low + high) / 2
      if processes[middle].pid < pid { low = middle + 1 } else { high = middle }
    }
    return low
  }

  public func process(_ pid: Int32) -> UserProcess? {
    let index = index(of: pid)
    return index < processes.count && processes[index].pid == pid ? processes[index] : nil
  }

  func register(_ process: UserProcess) { processes.insert(process, at: index(of: process.pid)) }
  func unregister(_ process: UserProcess) {
    let index = index(of: process.pid)
    if index < processes.count, processes[index] === process { processes.remove(at: index) }
  }

  /// The thread with this number, in any process.
  public func thread(_ tid: Int32) -> Thread? {
    guard tid > 0, let position = threadsByID.last(atMost: UInt(tid)), threadsByID.key(position) == UInt(tid) else {
      return nil
    }
    return threadsByID[position]
  }
  /// Threads of all processes.
  public var threadCount: Int { threadsByID.count }

  func register(_ thread: Thread) { threadsByID.insert(UInt(thread.tid), thread) }
  func unregister(_ thread: Thread) {
    guard let position = threadsByID.last(atMost: UInt(thread.tid)), threadsByID[position] === thread else { return }
    threadsByID.remove(at: position)
  }
}

/// How a process ended.
public enum ExitStatus: Equatable, Sendable {
  /// exit(2) with this status, 0 to 255.
  case exited(UInt8)
  /// Death by a signal.
  case killed(Signal)

  /// The status as wait(2) reports it.
  public var waitStatus: Int32 {
    switch self {
    case .exited(let code): Int32(code) << 8
    case .killed(let signal): signal.rawValue
    }
  }
}

extension System {
  /// What queues of messages ask of processes.
  public var messageQueueEnvironment: MessageQueueEnvironment {
    MessageQueueEnvironment(
      caller: {
        let process = Thread.currentThread.process
        return MessageQueueCaller(
          pid: process.pid, user: process.identity.user.real,
          byteLimit: process.limits[ResourceLimits.messageQueueBytes]?.rlim_cur ?? 0,
          exceedsLimits: process.identity.has(Identity.Capability.CAP_SYS_RESOURCE))
      },
      send: { [self] pid, information in process(pid)?.send(information) },
      isAlive: { [self] pid in process(pid).map { $0.exitStatus == nil } ?? false })
  }
}

extension Thread {
  /// On whose behalf System V IPC is done.
  public var ipcCaller: IPCCaller {
    let identity = process.identity
    return IPCCaller(
      pid: process.pid, user: identity.user.effective, group: identity.group.effective, groups: identity.groups,
      ownsAll: identity.has(Identity.Capability.CAP_IPC_OWNER),
      administers: identity.has(Identity.Capability.CAP_SYS_ADMIN),
      exceedsLimits: identity.has(Identity.Capability.CAP_SYS_RESOURCE),
      locksMemory: identity.has(Identity.Capability.CAP_IPC_LOCK))
  }
}

extension SocketCaller {
  init(_ thread: Thread) {
    let process = thread.process
    let identity = process.identity
    let isPrivileged =
      identity.has(Identity.Capability.CAP_SYS_RESOURCE) || identity.has(Identity.Capability.CAP_SYS_ADMIN)
    self.init(
      pid: process.pid,
      real: UCred(pid: process.pid, uid: identity.user.real, gid: identity.group.real),
      effective: UCred(pid: process.pid, uid: identity.user.effective, gid: identity.group.effective),
      fileLimit: isPrivileged ? nil : process.files.limit)
  }
}
