import FileSystemTesting
import Kernel
import LinuxABI
import Platform
import ProcessTesting
import Testing

@testable import Process

/// Restartable sequences in the fake machine's memory: an area, a section, and room for the code.
@Suite struct SequenceTests {
  private static let signature: UInt32 = 0x5305_3053

  private let test: TestProcess
  private let memory = UserBuffer(count: 4096)
  private var thread: Thread { test.thread }
  private var area: UInt { memory.address }
  private var section: UInt { memory.address + 64 }
  private var code: UInt64 { UInt64(memory.address) + 1024 }

  init() throws {
    test = try TestProcess()
    thread.registers.frame = RegisterFrame()
  }

  /// Registers the area, with 32 bytes of code and the abort handler behind them, and enters the section there.
  private func enter(at offset: UInt64, abort: UInt64 = 100, signature: UInt32 = Self.signature) throws {
    if thread.restartableSequence.address == 0 {
      try thread.registerSequence(area, length: 32, flags: 0, signature: Self.signature)
    }
    var description = RSeqCriticalSection()
    description.start_ip = code
    description.post_commit_offset = 32
    description.abort_ip = code + abort
    try UserMemory.store(description, at: section)
    try UserMemory.store(signature, at: UInt(code + abort - 4))
    try UserMemory.store(UInt64(section), at: area + 8)
    thread.registers.frame.rip = code + offset
  }
  private var pointer: UInt64 { get throws { try UserMemory.load(UInt64.self, at: area + 8) } }

  @Test func registrationIsForOneArea() throws {
    func register(_ address: UInt, _ length: UInt32 = 32, _ flags: UInt32 = 0, _ signature: UInt32 = Self.signature)
      throws
    {
      try thread.registerSequence(address, length: length, flags: flags, signature: signature)
    }
    #expect(throws: Errno.EINVAL) { try register(area + 8) }
    #expect(throws: Errno.EINVAL) { try register(area, 31) }
    #expect(throws: Errno.EINVAL) { try register(area, 32, 2) }
    #expect(throws: Errno.EINVAL) { try register(area, 32, 1) }
    #expect(throws: Errno.EFAULT) { try register(AddressLayout.kernelBase) }
    try UserMemory.store(UInt32.max, at: area + 4)
    try register(area)
    #expect(try UserMemory.load(UInt32.self, at: area + 4) == 0)
    #expect(throws: Errno.EBUSY) { try register(area) }
    #expect(throws: Errno.EPERM) { try register(area, 32, 0, 1) }
    #expect(throws: Errno.EINVAL) { try register(area + 32) }
    #expect(throws: Errno.EPERM) { try register(area, 32, 1, 1) }
    try register(area, 32, 1)
    #expect(try UserMemory.load(UInt32.self, at: area + 4) == .max)
    #expect(thread.restartableSequence.address == 0)
  }

  @Test func insideIsSentToTheHandler() throws {
    for offset: UInt64 in [0, 31] {
      try enter(at: offset)
      thread.restartSequence()
      #expect(thread.registers.frame.rip == code + 100)
      #expect(try pointer == 0)
    }
    // Nothing is announced any more.
    thread.registers.frame.rip = code
    thread.restartSequence()
    #expect(thread.registers.frame.rip == code)
  }

  @Test func outsideGoesOn() throws {
    for offset: UInt64 in [32, 4000, .max] {
      try enter(at: 0)
      thread.registers.frame.rip = code &+ offset
      thread.restartSequence()
      #expect(thread.registers.frame.rip == code &+ offset)
      #expect(try pointer == 0)
    }
  }

  @Test func whatIsWrongIsTheProgramsFault() throws {
    func isFault(_ body: () throws -> Void) throws -> Bool {
      try body()
      thread.restartSequence()
      return thread.signals.pending.set.contains(.SIGSEGV) || test.process.pendingExit == .killed(.SIGSEGV)
    }
    #expect(try !isFault { try enter(at: 0) })
    #expect(try isFault { try enter(at: 0, signature: 1) })
  }

  @Test func handlersWithinTheSectionAreRefused() throws {
    try enter(at: 0, abort: 16)
    thread.restartSequence()
    #expect(thread.registers.frame.rip == code)
  }
}

/// Locks with priority inheritance, as far as one thread can have them.
@Suite struct LockTests {
  private let test: TestProcess
  private let word = UserBuffer(count: 4)
  private var thread: Thread { test.thread }

  init() throws { test = try TestProcess() }

  private var value: UInt32 { get throws { try UserMemory.load(UInt32.self, at: word.address) } }
  private func lock(waits: Bool = true) throws {
    try thread.lockFutex(word.address, isPrivate: true, waits: waits, until: nil)
  }

  @Test func theWordHoldsTheOwner() throws {
    let tid = UInt32(bitPattern: thread.tid)
    try lock()
    #expect(try value == tid)
    #expect(throws: Errno.EDEADLK) { try lock() }
    try thread.unlockFutex(word.address, isPrivate: true)
    #expect(try value == 0)
    #expect(throws: Errno.EPERM) { try thread.unlockFutex(word.address, isPrivate: true) }
    // What its owner's death left is taken, and still says so.
    try UserMemory.store(FutexWord.FUTEX_OWNER_DIED, at: word.address)
    try lock(waits: false)
    #expect(try value == tid | FutexWord.FUTEX_OWNER_DIED)
  }

  @Test func othersLocksAreNotTaken() throws {
    let other = TestProcess.addThread(test.process)
    try UserMemory.store(UInt32(bitPattern: other.tid), at: word.address)
    #expect(throws: Errno.EAGAIN) { try lock(waits: false) }
    try UserMemory.store(UInt32(999_999), at: word.address)
    #expect(throws: Errno.ESRCH) { try lock() }
    #expect(throws: Errno.EINVAL) {
      try thread.lockFutex(word.address + 1, isPrivate: true, waits: false, until: nil)
    }
    #expect(throws: Errno.EFAULT) {
      try thread.lockFutex(AddressLayout.kernelBase, isPrivate: true, waits: false, until: nil)
    }
  }
}

@Suite struct CPUSamplesTests {
  @Test func timeIsDividedAsTheSamplesAre() {
    var samples = CPUSamples()
    // Without a sample all is the program's.
    #expect(samples.divide(1000).user == 1000)
    for index in 0..<4 { samples.add(inKernel: index == 0) }
    let times = samples.divide(9000)
    #expect(times.system == 2250 && times.user == 6750)
  }

  @Test func neitherPartShrinks() {
    var samples = CPUSamples()
    samples.add(inKernel: true)
    #expect(samples.divide(1000).system == 1000)
    for _ in 0..<9 { samples.add(inKernel: false) }
    // A tenth of 2000 is less than what was said to be the kernel's.
    let times = samples.divide(2000)
    #expect(times.system == 1000 && times.user == 1000)
    #expect(samples.divide(1500).user == 1000)
    let later = samples.divide(100_000)
    #expect(later.system == 10000 && later.user == 90000)
  }
}
