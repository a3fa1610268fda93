internal import ELFLoader
internal import Kernel
internal import LinuxABI
internal import Mmap
internal import Platform
internal import Support
public import VFSCore

extension UserProcess {
  /// Replaces the program. The new memory is complete before the old one goes, so a failure leaves everything as it was.
  /// See execve(2).
  ///
  /// - Parameter thread: The one thread that goes on, with the new program's registers.
  public func execute(
    _ path: [UInt8], arguments: [[UInt8]], environment: [[UInt8]], opened: OpenFile? = nil, on thread: Thread
  ) throws(ExecutionError) {
    let image = try ProgramImage(path, arguments, opened: opened, in: fileSystem)
    let loaded: LoadedProgram
    do throws(Errno) {
      loaded = try LoadedProgram(
        image, path: path, environment: environment, system: system, credentials: fileSystem.credentials,
        stackLimit: UInt(truncatingIfNeeded: limits[ResourceLimits.stack]?.rlim_cur ?? 8 << 20))
    } catch {
      throw ExecutionError(error, path)
    }
    // The point of no return is where the other threads end: then nothing fails any more.
    do throws(Errno) {
      try unshareFiles()
      try endOtherThreads(thread)
    } catch { throw ExecutionError(error, path) }
    thread.releaseFutexes()
    memory = loaded.memory
    memory.addressSpaceLimit = UInt(truncatingIfNeeded: limits[ResourceLimits.addressSpace]?.rlim_cur ?? .max)
    if thread.state == .running { memory.activate() }
    returnBorrowedMemory()
    exitSignal = Signal.SIGCHLD.rawValue
    executable = image.program.file.path
    argumentStrings = loaded.stack.argumentStrings
    environmentStrings = loaded.stack.environmentStrings
    auxiliaryVector = loaded.auxiliaryVector
    codeRange = loaded.codeRange
    stackStart = loaded.stack.stackPointer
    files.closeOnExec()
    signals.resetForExecute()
    timers.removeAll(keepingIntervalTimers: true)
    thread.signals.resetForExecute()
    thread.clearChildTID = 0
    thread.robustList = 0
    thread.restartableSequence = SequenceRegistration()
    let start = path.lastIndex(of: UInt8(ascii: "/")).map { $0 + 1 } ?? 0
    thread.name = [UInt8](path[start...].prefix(15))
    thread.resetRegisters(entry: loaded.entry, stackPointer: loaded.stack.stackPointer)
    system.log(.info) { line in
      line.append(bytes: thread.name)
      line.append(": ELF program loaded to ")
      line.append(address: UInt(loaded.span.lowerBound))
      line.append("-")
      line.append(address: UInt(loaded.span.upperBound))
      line.append(" (")
      line.append(decimal: UInt(loaded.span.upperBound - loaded.span.lowerBound))
      line.append(" B), entry at ")
      line.append(address: UInt(loaded.programEntry))
    }
  }
}

/// A program in a new address space.
struct LoadedProgram {
  let memory: AddressSpace
  let stack: InitialStack
  let auxiliaryVector: [UInt8]
  /// Where execution starts: the interpreter's entry if there is one.
  let entry: UInt64
  let programEntry: UInt64
  let span: Range<UInt64>
  let codeRange: Range<UInt64>

  init(
    _ image: ProgramImage, path: [UInt8], environment: [[UInt8]], system: System, credentials: Credentials,
    stackLimit: UInt
  ) throws(Errno) {
    let random = system.random
    let layout: AddressLayoutPlan
    let gap: UInt64
    switch system.randomization {
    case .never:
      layout = AddressLayoutPlan(random: nil, stackLimit: stackLimit)
      gap = 0
    case .eachBoot(var state):
      // Of the same state come the same places. Reference: Steele, Lea and Flood, Fast splittable pseudorandom number
      // generators (SplitMix64).
      let next: () -> UInt64 = {
        state &+= 0x9e37_79b9_7f4a_7c15
        var word = state
        word = (word ^ word >> 30) &* 0xbf58_476d_1ce4_e5b9
        word = (word ^ word >> 27) &* 0x94d0_49bb_1331_11eb
        return word ^ word >> 31
      }
      layout = AddressLayoutPlan(random: next, stackLimit: stackLimit)
      gap = random.next() & 0x1ff0
    case .eachProgram:
      layout = AddressLayoutPlan(random: { random.next() }, stackLimit: stackLimit)
      gap = random.next() & 0x1ff0
    }
    let memory = try AddressSpace(
      system.frames, kernelTable: system.kernelTable, zeroFrame: system.zeroFrame, layout: layout,
      stackLimit: stackLimit)
    self.memory = memory

    let plan = image.program.plan
    var bias: UInt64 = 0
    if plan.isPositionIndependent {
      // A program without an interpreter is often the interpreter itself: it goes where libraries go.
      if image.interpreter == nil, plan.span.lowerBound == 0 {
        let length = UInt(plan.span.upperBound - plan.span.lowerBound)
        bias = try Self.bias(plan, near: UInt64(try memory.reserveRange(length, alignment: UInt(plan.alignment))))
      } else {
        bias = try Self.bias(plan, near: UInt64(layout.executableBase))
      }
    }
    try Self.map(image.program, bias, memory)
    span = (plan.segments[0].virtualAddress + bias)..<(plan.end + bias)
    programEntry = plan.entry + bias
    let code = plan.segments.first { $0.protection.contains(.PROT_EXEC) } ?? plan.segments[0]
    codeRange = (code.virtualAddress + bias)..<(code.virtualAddress + bias + code.memorySize)

    var interpreterBase: UInt64 = 0
    if let interpreter = image.interpreter {
      let other = interpreter.plan
      if other.isPositionIndependent {
        let length = UInt(other.span.upperBound - other.span.lowerBound)
        interpreterBase = try Self.bias(
          other, near: UInt64(try memory.reserveRange(length, alignment: UInt(other.alignment))))
      }
      try Self.map(interpreter, interpreterBase, memory)
      entry = other.entry + interpreterBase
    } else {
      entry = programEntry
    }

    let heap = (UInt(plan.end + bias) + 4095) & ~4095
    // A static PIE that went where libraries go has its heap beside the executables.
    memory.setHeap(
      start: (bias > UInt64(layout.executableBase) + (1 << 41) ? layout.executableBase : heap)
        + layout.heapGapPages * UInt(pageSize))

    let vdso = try memory.reserveRange(UInt(system.vdso.count * pageSize))
    if system.vdso.count > 1 {
      try memory.mapKernelFrames([system.vdso[0]], at: vdso, .PROT_READ, name: "[vvar]")
      try memory.mapKernelFrames(
        [PageFrame](system.vdso[1...]), at: vdso + UInt(pageSize), [.PROT_READ, .PROT_EXEC], name: "[vdso]")
    }

    let cpu = CPU.cpuid(1)
    // One literal: without calls it is one block of code.
    let vector = [
      AuxiliaryEntry(
        system.vdso.count > 1 ? AuxiliaryVector.AT_SYSINFO_EHDR : AuxiliaryVector.AT_IGNORE, UInt64(vdso) + 4096),
      AuxiliaryEntry(AuxiliaryVector.AT_MINSIGSTKSZ, UInt64(FloatingPointState.size) + 1232),
      AuxiliaryEntry(AuxiliaryVector.AT_HWCAP, UInt64(cpu.edx)),
      AuxiliaryEntry(AuxiliaryVector.AT_PAGESZ, UInt64(pageSize)),
      AuxiliaryEntry(AuxiliaryVector.AT_CLKTCK, 100),
      AuxiliaryEntry(AuxiliaryVector.AT_PHDR, plan.programHeaderAddress.map { $0 + bias } ?? 0),
      AuxiliaryEntry(AuxiliaryVector.AT_PHENT, UInt64(ELFFileHeader.programHeaderSize)),
      AuxiliaryEntry(AuxiliaryVector.AT_PHNUM, UInt64(plan.programHeaderCount)),
      AuxiliaryEntry(AuxiliaryVector.AT_BASE, interpreterBase),
      AuxiliaryEntry(AuxiliaryVector.AT_FLAGS, 0),
      AuxiliaryEntry(AuxiliaryVector.AT_ENTRY, programEntry),
      AuxiliaryEntry(AuxiliaryVector.AT_UID, UInt64(credentials.userID)),
      AuxiliaryEntry(AuxiliaryVector.AT_EUID, UInt64(credentials.userID)),
      AuxiliaryEntry(AuxiliaryVector.AT_GID, UInt64(credentials.groupID)),
      AuxiliaryEntry(AuxiliaryVector.AT_EGID, UInt64(credentials.groupID)),
      AuxiliaryEntry(AuxiliaryVector.AT_SECURE, 0),
      AuxiliaryEntry(AuxiliaryVector.AT_RANDOM, .randomBytes),
      AuxiliaryEntry(AuxiliaryVector.AT_HWCAP2, CPU.has(.fsgsbase) ? AuxiliaryVector.HWCAP2_FSGSBASE : 0),
      AuxiliaryEntry(AuxiliaryVector.AT_EXECFN, .executablePath),
      AuxiliaryEntry(AuxiliaryVector.AT_PLATFORM, .platform),
    ]

    var randomBytes: [UInt8] = []
    for _ in 0..<2 {
      let word = random.next()
      for shift in stride(from: UInt64(0), to: 64, by: 8) {
        randomBytes.append(UInt8(truncatingIfNeeded: word >> shift))
      }
    }
    let top = UInt64(layout.stackTop)
    stack = try InitialStack(
      InitialStack.Contents(
        arguments: image.arguments, environment: environment, executablePath: path, platform: [UInt8]("x86_64"),
        auxiliaryVector: vector, randomBytes: randomBytes, gap: gap),
      top: top, limit: min(UInt64(stackLimit / 4), 6 << 20))
    try memory.makeStack(
      size: UInt(top - stack.stackPointer) + 32 * UInt(pageSize), executable: plan.hasExecutableStack)
    try memory.write(stack.bytes, at: UInt(stack.stackPointer))
    let vectorStart = Int(stack.auxiliaryVector.lowerBound - stack.stackPointer)
    auxiliaryVector = [UInt8](stack.bytes[vectorStart..<(vectorStart + stack.auxiliaryVector.count)])
  }

  private static func bias(_ plan: LoadPlan, near address: UInt64) throws(Errno) -> UInt64 {
    do {
      return try plan.bias(near: address)
    } catch {
      throw error.errno(for: .program)
    }
  }

  /// Maps every segment of a file, and clears what lies past its bytes.
  private static func map(_ part: ProgramImage.Part, _ bias: UInt64, _ memory: AddressSpace) throws(Errno) {
    for segment in part.plan.segments {
      let fileRange = segment.fileMapping
      if !fileRange.isEmpty {
        _ = try memory.map(
          UInt(fileRange.lowerBound + bias), length: UInt(fileRange.upperBound - fileRange.lowerBound),
          segment.protection,
          [.MAP_PRIVATE, .MAP_FIXED], file: (part.file, segment.fileMappingOffset))
        let tail = segment.zeroTail
        if !tail.isEmpty, segment.protection.contains(.PROT_WRITE) {
          try memory.zero(UInt(tail.lowerBound + bias), count: UInt(tail.upperBound - tail.lowerBound))
        }
      }
      let rest = segment.anonymousMapping
      if !rest.isEmpty {
        // Linux counts these pages whatever their protection, and refuses what can never be had.
        if UInt64(rest.count) >> UInt64(pageShift) > UInt64(memory.frames.totalFrames) { throw .ENOMEM }
        _ = try memory.map(
          UInt(rest.lowerBound + bias), length: UInt(rest.upperBound - rest.lowerBound), segment.protection,
          [.MAP_PRIVATE, .MAP_FIXED, .MAP_ANONYMOUS])
      }
    }
  }
}
