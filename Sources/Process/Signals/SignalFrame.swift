internal import Kernel
internal import LinuxABI
internal import Platform

// The frame of a handler on the program's stack, laid out as Linux x86_64 does (arch/x86/kernel/signal.c), for unwinders
// and language run times look into it:
//
//     handler's RSP → return address (the restorer), ucontext, siginfo, room up to a multiple of 64, XSAVE area, magic.

extension Thread {
  /// Bytes below the stack pointer that leaf functions use: System V ABI, 3.2.2.
  private static var redZone: UInt64 { 128 }
  private static var usesXSave: Bool { FloatingPoint.stateMask != 0 }
  /// Bytes of the saved floating point state, and of the magic number after it.
  private static var stateSize: UInt64 { UInt64(FloatingPointState.size) }
  private static var trailerSize: UInt64 { usesXSave ? 4 : 0 }
  /// Flags that a handler starts without: trap, direction, resume.
  private static var clearedFlags: UInt64 { 0x100 | 0x400 | 0x10000 }
  /// Flags that a program may set: AC, OF, DF, TF, SF, ZF, AF, PF, CF, RF.
  private static var changeableFlags: UInt64 { 0x50dd5 }

  /// Makes the program enter a handler when it next runs; false where the stack cannot take the frame.
  func pushSignalFrame(_ signal: Signal, _ info: SigInfo, _ action: SigactionKernel) -> Bool {
    // Linux x86_64 has no return code of its own to offer.
    guard action.sa_flags.contains(.SA_RESTORER) else { return false }
    let old = registers.frame
    guard let place = placeFrame(old.rsp, action), store(place, signal, info, action, old) else { return false }
    // The handler starts with a clean floating point unit; what was there is in the frame.
    floatingPoint.reset()
    floatingPoint.restore()
    var new = old
    new.rdi = UInt64(UInt32(bitPattern: signal.rawValue))
    new.rsi = place.frame + UInt64(MemoryLayout<UInt64>.size + MemoryLayout<UContext>.size)
    new.rdx = place.frame + UInt64(MemoryLayout<UInt64>.size)
    new.rax = 0
    new.rsp = place.frame
    new.rip = action.sa_handler
    new.cs = RegisterFrame.userCodeSegment
    new.ss = RegisterFrame.userStackSegment
    new.rflags = old.rflags & ~Self.clearedFlags
    guard new.rip.isCanonical else { return false }
    if signals.alternativeStack.ss_flags.contains(.SS_AUTODISARM) {
      signals.alternativeStack = StackT()
      signals.alternativeStack.ss_flags = .SS_DISABLE
    }
    registers.frame = new
    return true
  }

  private struct FramePlace {
    let frame: UInt64
    let state: UInt64
  }

  /// Where the frame goes, or nil if it would overrun the alternative stack.
  private func placeFrame(_ stackPointer: UInt64, _ action: SigactionKernel) -> FramePlace? {
    var at = stackPointer &- Self.redZone
    var mustStay = signals.isOnAlternativeStack(at)
    if action.sa_flags.contains(.SA_ONSTACK), signals.alternativeStackState(at).isEmpty {
      at = signals.alternativeStack.ss_sp &+ signals.alternativeStack.ss_size
      mustStay = true
    }
    let state = (at &- (Self.stateSize + Self.trailerSize)) & ~63
    let frame = ((state &- UInt64(MemoryLayout<RTSignalFrame>.size)) & ~15) &- 8
    if mustStay, !signals.alternativeStack.holds(frame) { return nil }
    return FramePlace(frame: frame, state: state)
  }

  private func store(
    _ place: FramePlace, _ signal: Signal, _ info: SigInfo, _ action: SigactionKernel, _ old: RegisterFrame
  ) -> Bool {
    var content = RTSignalFrame()
    content.pretcode = action.sa_restorer
    content.uc.uc_flags = [.UC_SIGCONTEXT_SS, .UC_STRICT_RESTORE_SS]
    if Self.usesXSave { content.uc.uc_flags.insert(.UC_FP_XSTATE) }
    content.uc.uc_stack = signals.alternativeStack
    content.uc.uc_mcontext = SigContext(old)
    content.uc.uc_mcontext.err = signals.faultError
    content.uc.uc_mcontext.trapno = signals.faultVector
    content.uc.uc_mcontext.cr2 = signals.faultAddress
    let mask = signals.savedMask ?? signals.mask
    content.uc.uc_mcontext.oldmask = mask.rawValue
    content.uc.uc_mcontext.fpstate = place.state
    content.uc.uc_sigmask = mask
    content.info = info

    let state = UInt(place.state)
    guard UserAddress.isValid(state, Int(Self.stateSize + Self.trailerSize)), floatingPoint.saveToUser(state) else {
      return false
    }
    do throws(Errno) {
      if Self.usesXSave {
        var software = FPXSoftwareBytes()
        software.magic1 = FPXSoftwareBytes.FP_XSTATE_MAGIC1
        software.extended_size = UInt32(Self.stateSize + Self.trailerSize)
        software.xfeatures = FloatingPoint.stateMask
        software.xstate_size = UInt32(Self.stateSize)
        try UserMemory.store(software, at: state + UInt(FPXSoftwareBytes.offset))
        try UserMemory.store(FPXSoftwareBytes.FP_XSTATE_MAGIC2, at: state + UInt(Self.stateSize))
      }
      try UserMemory.store(content, at: UInt(place.frame))
    } catch {
      return false
    }
    return true
  }

  /// Goes back to where a handler's frame says. See sigreturn(2).
  ///
  /// - Returns: What RAX holds then.
  public func returnFromSignal() -> Int {
    let stackPointer = registers.frame.rsp
    registers.frame.vector = 0
    // All registers change, so the way back must be the one that loads them all.
    defer { scheduler.interrupt(self) }
    guard restore(from: stackPointer &- 8) else {
      force(.kill(.SIGSEGV, code: SignalCode.SI_KERNEL, pid: 0, uid: 0))
      return 0
    }
    return Int(truncatingIfNeeded: Int64(bitPattern: registers.frame.rax))
  }

  private func restore(from address: UInt64) -> Bool {
    guard let at = UInt(exactly: address), let content = try? UserMemory.load(UContext.self, at: at &+ 8) else {
      return false
    }
    setSignalMask(content.uc_sigmask)
    let context = content.uc_mcontext
    // Segments that iret would refuse are refused here.
    guard context.rip.isCanonical, UInt64(context.cs) | 3 == RegisterFrame.userCodeSegment else { return false }
    if content.uc_flags.contains(.UC_STRICT_RESTORE_SS), UInt64(context.ss) | 3 != RegisterFrame.userStackSegment {
      return false
    }
    guard restoreFloatingPoint(context.fpstate) else { return false }
    var new = RegisterFrame(context)
    new.rflags = registers.frame.rflags & ~Self.changeableFlags | context.eflags & Self.changeableFlags
    registers.frame = new
    signals.restart = nil
    // Linux takes over everything but a fault.
    try? signals.setAlternativeStack(
      content.uc_stack, stackPointer: new.rsp, minimum: SignalStackSize.MINSIGSTKSZ)
    return true
  }

  private func restoreFloatingPoint(_ address: UInt64) -> Bool {
    if address == 0 {
      floatingPoint.reset()
      floatingPoint.restore()
      return true
    }
    guard let at = UInt(exactly: address), UserAddress.isValid(at, 512) else { return false }
    var count: UInt64 = 512
    if Self.usesXSave {
      guard let software = try? UserMemory.load(FPXSoftwareBytes.self, at: at + UInt(FPXSoftwareBytes.offset)) else {
        return false
      }
      let size = UInt64(software.xstate_size)
      // The legacy area and the XSAVE header are the least; without the magic numbers the rest does not count.
      if software.magic1 == FPXSoftwareBytes.FP_XSTATE_MAGIC1, size >= 576, size <= Self.stateSize,
        size <= UInt64(software.extended_size),
        let magic = try? UserMemory.load(UInt32.self, at: at &+ UInt(size)), magic == FPXSoftwareBytes.FP_XSTATE_MAGIC2
      {
        count = size
      }
    }
    guard UserAddress.isValid(at, Int(count)) else { return false }
    // Not this thread's own area: copying may put the thread to sleep, which saves the registers there.
    let state = FloatingPointState()
    guard state.restoreFromUser(at, count: Int(count)) else {
      floatingPoint.reset()
      floatingPoint.restore()
      return false
    }
    return true
  }
}

extension RegisterFrame {
  /// The selectors of the program's segments, as Linux has them.
  static var userCodeSegment: UInt64 { 0x33 }
  static var userStackSegment: UInt64 { 0x2b }

  /// The registers that a signal frame holds; the flags are the caller's to filter.
  init(_ context: SigContext) {
    self.init()
    r8 = context.r8
    r9 = context.r9
    r10 = context.r10
    r11 = context.r11
    r12 = context.r12
    r13 = context.r13
    r14 = context.r14
    r15 = context.r15
    rdi = context.rdi
    rsi = context.rsi
    rbp = context.rbp
    rbx = context.rbx
    rdx = context.rdx
    rax = context.rax
    rcx = context.rcx
    rsp = context.rsp
    rip = context.rip
    cs = Self.userCodeSegment
    ss = Self.userStackSegment
  }
}

extension SigContext {
  /// The registers of a frame.
  init(_ frame: RegisterFrame) {
    self.init()
    r8 = frame.r8
    r9 = frame.r9
    r10 = frame.r10
    r11 = frame.r11
    r12 = frame.r12
    r13 = frame.r13
    r14 = frame.r14
    r15 = frame.r15
    rdi = frame.rdi
    rsi = frame.rsi
    rbp = frame.rbp
    rbx = frame.rbx
    rdx = frame.rdx
    rax = frame.rax
    rcx = frame.rcx
    rsp = frame.rsp
    rip = frame.rip
    eflags = frame.rflags
    cs = UInt16(truncatingIfNeeded: frame.cs)
    ss = UInt16(truncatingIfNeeded: frame.ss)
  }
}

extension UInt64 {
  /// Whether bits 47 to 63 are alike, as iret demands of an instruction pointer.
  var isCanonical: Bool { self >> 47 == 0 || self >> 47 == 0x1ffff }
}
