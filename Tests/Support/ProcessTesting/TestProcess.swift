// A process with a thread over the fake machine, that no scheduler runs.
import FileSystemTesting
import Kernel
import LinuxABI
import Mmap
import Platform
import Support
import VFSCore

@testable import Process

public struct TestProcess {
  public let system: System
  public let process: UserProcess
  public let thread: Thread
  public let log: LogLines
  private let namespace: Namespace

  public final class LogLines {
    public var text: [String] = []
    public func contains(_ part: String) -> Bool { text.contains { $0.contains(part) } }
  }

  public init() throws {
    let machine = TestMachine()
    let frames = machine.frames
    let table = PageTable(root: try frames.allocate(.kernel, zeroed: true).physical)
    let clock = machine.environment.clock
    let log = LogLines()
    system = System(
      frames: frames, kernelTable: table, scheduler: Scheduler(timers: TimerQueue(clock: clock)), clock: clock,
      stacks: KernelStacks(table, frames), log: Log { log.text.append(String(decoding: $0.bytes, as: UTF8.self)) },
      random: RandomSource(), zeroFrame: try frames.allocate(.kernel, zeroed: true), vdso: [],
      randomization: .never, defaultStackLimit: 8 << 20)
    self.log = log
    let root = MemoryFileSystem(machine.environment, typeName: "rootfs")
    namespace = Namespace(machine.environment, root: root, source: Array("rootfs".utf8))
    process = try Self.makeProcess(system, namespace)
    thread = Self.addThread(process)
  }

  /// Another process of the same system.
  public func addProcess() throws -> UserProcess {
    let process = try Self.makeProcess(system, namespace)
    Self.addThread(process)
    return process
  }

  private static func makeProcess(_ system: System, _ namespace: Namespace) throws -> UserProcess {
    let memory = try AddressSpace(
      system.frames, kernelTable: system.kernelTable, zeroFrame: system.zeroFrame,
      layout: AddressLayoutPlan(random: nil, stackLimit: 8 << 20), stackLimit: 8 << 20)
    let process = UserProcess(
      system, pid: system.nextPID(), memory: memory, files: FileDescriptorTable(),
      fileSystem: FileSystemContext(namespace), limits: ResourceLimits(stack: 8 << 20, memory: 64 << 20))
    system.register(process)
    return process
  }

  @discardableResult
  public static func addThread(_ process: UserProcess) -> Thread {
    let stack = AddressLayout.kernelBase + FakeMachine.reserve(bytes: 16384)
    let tid = process.threads.isEmpty ? process.pid : process.system.nextPID()
    let thread = Thread(process, tid: tid, stackTop: stack + 16384, name: [UInt8]("test".utf8))
    process.add(thread)
    return thread
  }
}
