internal import Kernel
public import LinuxABI
internal import Platform

// Restartable sequences: a piece of the program's code that starts afresh, at its abort handler, when another thread may
// have run in the middle of it, or a signal's handler. See rseq(2) and Linux's kernel/rseq.c.

/// What a thread has registered by rseq(2).
struct SequenceRegistration {
  /// Where the program's `RSeq` is; 0 for none.
  var address: UInt = 0
  /// Bytes of it.
  var length: UInt32 = 0
  /// What stands in front of every abort handler.
  var signature: UInt32 = 0
}

extension Thread {
  /// Registers an area, or takes the registration back. See rseq(2).
  ///
  /// - Throws: `EINVAL`, `EPERM` for another signature, `EBUSY`, `EFAULT`.
  public func registerSequence(_ address: UInt, length: UInt32, flags: UInt32, signature: UInt32) throws(Errno) {
    let old = restartableSequence
    if flags == RSeq.RSEQ_FLAG_UNREGISTER {
      guard old.address != 0, old.address == address, old.length == length else { throw .EINVAL }
      guard old.signature == signature else { throw .EPERM }
      try storeNumbers(at: address, RSeq.RSEQ_CPU_ID_UNINITIALIZED)
      restartableSequence = SequenceRegistration()
      return
    }
    guard flags == 0 else { throw .EINVAL }
    if old.address != 0 {
      guard old.address == address, old.length == length else { throw .EINVAL }
      throw old.signature == signature ? .EBUSY : .EPERM
    }
    let size = MemoryLayout<RSeq>.size
    guard address & UInt(size - 1) == 0, length == UInt32(size) else { throw .EINVAL }
    guard address != 0, UserAddress.isValid(address, size) else { throw .EFAULT }
    try storeNumbers(at: address, 0)
    restartableSequence = SequenceRegistration(address: address, length: length, signature: signature)
  }

  /// Stores the number of the CPU, of which there is one.
  private func storeNumbers(at address: UInt, _ cpu: UInt32) throws(Errno) {
    try UserMemory.store(UInt32(0), at: address)
    try UserMemory.store(cpu, at: address + 4)
  }

  /// Whether the thread was in the program, and not in a system call, which no sequence makes, when others ran.
  var needsSequenceCheck: Bool {
    restartableSequence.address != 0 && registers.frame.vector != RegisterFrame.systemCall
  }

  /// Sends the program to the abort handler if it is in a sequence. What the program has written there and is wrong is
  /// its SIGSEGV.
  func restartSequence() {
    guard restartableSequence.address != 0 else { return }
    do throws(Errno) { try tryRestartSequence() } catch {
      force(.kill(.SIGSEGV, code: SignalCode.SI_KERNEL, pid: 0, uid: 0))
    }
  }

  private func tryRestartSequence() throws(Errno) {
    let place = restartableSequence.address + 8
    let pointer = UInt(try UserMemory.load(UInt64.self, at: place))
    guard pointer != 0 else { return }
    let section = try UserMemory.load(RSeqCriticalSection.self, at: pointer)
    let limit = UInt64(UserAddress.limit)
    let (end, overflow) = section.start_ip.addingReportingOverflow(section.post_commit_offset)
    guard section.version == 0, section.start_ip < limit, !overflow, end < limit, section.abort_ip < limit,
      section.abort_ip &- section.start_ip >= section.post_commit_offset
    else { throw .EINVAL }
    guard try UserMemory.load(UInt32.self, at: UInt(section.abort_ip &- 4)) == restartableSequence.signature else {
      throw .EINVAL
    }
    let isInside = registers.frame.rip &- section.start_ip < section.post_commit_offset
    try UserMemory.store(UInt64(0), at: place)
    if isInside { registers.frame.rip = section.abort_ip }
  }
}
