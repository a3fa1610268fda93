// Process: programs and their threads. A `System` is what they share, a `UserProcess` what its threads share, a
// `Thread` what the scheduler runs. Neighbours: Mmap and VFSCore beside, ELFLoader for the plans, Kernel below,
// Syscalls above.
public import Kernel
public import LinuxABI
internal import Mmap
internal import VFSCore

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
  /// Whether addresses are randomised; `aslr=off` turns it off.
  public let randomizesAddresses: Bool
  /// Limits that the first process starts with.
  public let defaultStackLimit: UInt

  /// Every process that has not been waited for, by ascending PID.
  public internal(set) var processes: [UserProcess] = []
  private var lastPID: Int32 = 0
  /// Called when the first process has ended: the machine's end.
  public var machineExit: ((ExitStatus) -> Void)?
  public let futexes = FutexTable()
  /// uname(2)'s release, which C libraries compare with what they need, and version.
  public static let release: StaticString = "6.1.0"
  public static let version: StaticString = "#1 elfloader"
  /// uname(2)'s node and domain names.
  public var hostName: [UInt8] = [UInt8]("(none)".utf8)
  public var domainName: [UInt8] = [UInt8]("(none)".utf8)

  public init(
    frames: FrameAllocator, kernelTable: PageTable, scheduler: Scheduler, clock: Clock, stacks: KernelStacks, log: Log,
    random: RandomSource, zeroFrame: PageFrame, vdso: [PageFrame], randomizesAddresses: Bool, defaultStackLimit: UInt
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
    self.randomizesAddresses = randomizesAddresses
    self.defaultStackLimit = defaultStackLimit
  }

  /// A number that no process and no thread has.
  func nextPID() -> Int32 {
    lastPID = lastPID == 4_194_303 ? 300 : lastPID + 1
    return lastPID
  }

  public func process(_ pid: Int32) -> UserProcess? { processes.first { $0.pid == pid } }

  /// The thread with this number, in any process.
  public func thread(_ tid: Int32) -> Thread? {
    for process in processes {
      for thread in process.threads where thread.tid == tid { return thread }
    }
    return nil
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
