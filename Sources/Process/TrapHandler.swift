internal import Kernel
internal import LinuxABI
internal import Mmap
public import Platform
internal import Support

/// The exceptions of Intel SDM volume 3, 6.3.1, by vector.
enum ExceptionVector {
  static var divideError: UInt64 { 0 }
  static var debug: UInt64 { 1 }
  static var breakpoint: UInt64 { 3 }
  static var invalidOpcode: UInt64 { 6 }
  static var segmentNotPresent: UInt64 { 11 }
  static var stackFault: UInt64 { 12 }
  static var generalProtection: UInt64 { 13 }
  static var pageFault: UInt64 { 14 }
  static var floatingPoint: UInt64 { 16 }
  static var alignmentCheck: UInt64 { 17 }
  static var simd: UInt64 { 19 }
}

/// The error code of a page fault. See Intel SDM volume 3, 4.7.
enum PageFaultError {
  static var isPresent: UInt64 { 1 }
  static var isWrite: UInt64 { 2 }
  static var isUser: UInt64 { 4 }
  static var isFetch: UInt64 { 16 }

  static func access(_ error: UInt64) -> MemoryAccess {
    if error & isFetch != 0 { return .execute }
    return error & isWrite != 0 ? .write : .read
  }
}

extension Thread {
  /// Serves an exception that the program's code raised: pages come in, everything else becomes a signal.
  ///
  /// - Parameters:
  ///   - registers: The frame of the exception, from ring 3, vector 0 to 31.
  ///   - faultAddress: CR2 as the entry found it.
  public func handleTrap(_ registers: SavedRegisters, faultAddress: UInt) {
    let frame = registers.frame
    lastException = frame.rip
    if frame.vector == ExceptionVector.pageFault {
      handlePageFault(faultAddress, error: frame.error)
    } else {
      raiseFault(vector: frame.vector, error: frame.error, address: frame.rip)
    }
  }

  private func handlePageFault(_ address: UInt, error: UInt64) {
    var error = error
    let code: Int32
    if error & (PageFaultError.isPresent | PageFaultError.isUser) == PageFaultError.isPresent {
      // The page is there, and SMAP stopped an access that the CPU made for the program with its own rights: QEMU's TCG
      // reads the stack so for iret in ring 3. Trying again would never end; the instruction is not allowed anyway.
      raiseFault(vector: ExceptionVector.generalProtection, error: 0, address: registers.frame.rip)
      return
    }
    if address >= UserAddress.limit {
      // Linux hides whether the kernel has something there.
      error |= PageFaultError.isPresent
      code = SignalCode.SEGV_MAPERR
    } else {
      switch process.memory.handleFault(address, PageFaultError.access(error)) {
      case .resolved: return
      case .noArea: code = SignalCode.SEGV_MAPERR
      case .accessError: code = SignalCode.SEGV_ACCERR
      case .beyondEnd:
        note(ExceptionVector.pageFault, error, UInt64(address))
        force(.fault(.SIGBUS, code: SignalCode.BUS_ADRERR, address: UInt64(address)))
        return
      case .outOfMemory: return
      }
    }
    note(ExceptionVector.pageFault, error, UInt64(address))
    force(.fault(.SIGSEGV, code: code, address: UInt64(address)))
  }

  private func note(_ vector: UInt64, _ error: UInt64, _ address: UInt64?) {
    signals.faultVector = vector
    signals.faultError = error
    if let address { signals.faultAddress = address }
  }

  /// Sends the signal that Linux x86_64 sends for an exception other than a page fault.
  ///
  /// - Parameter address: That of the instruction.
  public func raiseFault(vector: UInt64, error: UInt64, address: UInt64) {
    note(vector, error, nil)
    switch vector {
    case ExceptionVector.divideError: force(.fault(.SIGFPE, code: SignalCode.FPE_INTDIV, address: address))
    case ExceptionVector.debug: force(.fault(.SIGTRAP, code: SignalCode.TRAP_TRACE, address: address))
    case ExceptionVector.breakpoint: force(.fault(.SIGTRAP, code: SignalCode.SI_KERNEL, address: 0))
    case ExceptionVector.invalidOpcode: force(.fault(.SIGILL, code: SignalCode.ILL_ILLOPN, address: address))
    case ExceptionVector.segmentNotPresent, ExceptionVector.stackFault:
      force(.fault(.SIGBUS, code: SignalCode.SI_KERNEL, address: 0))
    case ExceptionVector.alignmentCheck: force(.fault(.SIGBUS, code: SignalCode.BUS_ADRALN, address: 0))
    case ExceptionVector.floatingPoint, ExceptionVector.simd:
      floatingPoint.save()
      let status = floatingPoint.exceptionStatus
      let isX87 = vector == ExceptionVector.floatingPoint
      if let code = FloatingPointFault.code(isX87 ? status.x87 : status.sse) {
        force(.fault(.SIGFPE, code: code, address: address))
      }
    default: force(.fault(.SIGSEGV, code: SignalCode.SI_KERNEL, address: 0))
    }
  }
}

/// What an x87 or SSE exception was about.
enum FloatingPointFault {
  /// The `si_code` for the exceptions that are both pending and unmasked; nil when none is.
  static func code(_ exceptions: UInt32) -> Int32? {
    if exceptions & 0x01 != 0 { return SignalCode.FPE_FLTINV }
    if exceptions & 0x04 != 0 { return SignalCode.FPE_FLTDIV }
    if exceptions & 0x08 != 0 { return SignalCode.FPE_FLTOVF }
    // A denormal operand counts as underflow.
    if exceptions & 0x12 != 0 { return SignalCode.FPE_FLTUND }
    if exceptions & 0x20 != 0 { return SignalCode.FPE_FLTRES }
    return nil
  }
}
