internal import Kernel
internal import LinuxABI
internal import Mmap
internal import Platform
internal import Support
internal import VFSCore

// What is said when a program dies by a signal that means a defect: enough to find the place without a debugger.
// Nothing here may fail: the program's memory and registers are whatever the program made of them.

extension Thread {
  /// Writes the report of a death to the log.
  func reportDeath(_ signal: Signal, _ info: SigInfo) {
    let log = process.system.log
    let frame = registers.frame
    let memory = process.memory
    log(.error) { line in
      line.append(bytes: name)
      line.append("[")
      line.append(decimal: Int(tid))
      line.append("]: killed by ")
      Signal.writeName(of: signal.rawValue) { line.append(byte: $0) }
      line.append(" (")
      line.append(signal.text)
      line.append(")")
      describeCause(signal, info, into: &line)
    }
    log(.error) { line in
      line.append("  at ")
      line.append(address: UInt(frame.rip))
      line.append(" ")
      memory.describe(UInt(frame.rip), into: &line)
    }
    for row in frame.rows(fsBase: CPU.fsBase, gsBase: CPU.userGSBase) {
      log(.error) { line in
        line.append(" ")
        for (name, value) in row {
          line.append(" ")
          line.append(name)
          line.append(" ")
          line.append(hex: UInt(value), width: 16)
        }
      }
    }
    log(.error) { line in
      line.append("  code:")
      memory.describeCode(UInt(frame.rip), into: &line)
    }
    log(.error, "  backtrace:")
    for entry in Backtrace(memory, frame).entries {
      log(.error) { line in
        line.append("    ")
        line.append(address: entry.address)
        line.append(" ")
        memory.describe(entry.address, into: &line)
        if !entry.isCertain { line.append(" ?") }
      }
    }
  }

  /// Says what the program did, or who sent the signal.
  private func describeCause(_ signal: Signal, _ info: SigInfo, into line: inout TextBuffer) {
    if info.si_code <= 0 {
      line.append(info.si_code == SignalCode.SI_TIMER ? ", of a timer" : ", sent by ")
      if info.si_code == SignalCode.SI_TIMER { return }
      if info.si_pid == process.pid {
        line.append("itself")
      } else {
        line.append("process ")
        line.append(decimal: Int(info.si_pid))
      }
      return
    }
    switch signal {
    case .SIGSEGV, .SIGBUS:
      if signals.faultVector == ExceptionVector.pageFault, info.si_code != SignalCode.SI_KERNEL {
        describePageFault(signal, info, into: &line)
      } else if signal == .SIGBUS, info.si_code == SignalCode.BUS_ADRALN {
        line.append(": unaligned access")
      } else if info.si_code == SignalCode.SI_KERNEL {
        // Not told apart in siginfo: exceptions without an address, and signal frames that are unusable.
        if signals.faultVector == ExceptionVector.generalProtection {
          line.append(": privileged instruction, or an address that is not canonical")
        } else if signals.faultVector == ExceptionVector.stackFault {
          line.append(": stack address that is not canonical")
        } else {
          line.append(": the stack cannot take a signal frame, or does not hold one")
        }
      }
    case .SIGFPE:
      switch info.si_code {
      case SignalCode.FPE_INTDIV: line.append(": integer division by zero or overflow")
      case SignalCode.FPE_FLTDIV: line.append(": floating point division by zero")
      case SignalCode.FPE_FLTOVF: line.append(": floating point overflow")
      case SignalCode.FPE_FLTUND: line.append(": floating point underflow")
      case SignalCode.FPE_FLTRES: line.append(": inexact floating point result")
      default: line.append(": invalid floating point operation")
      }
    case .SIGILL: line.append(": invalid instruction")
    case .SIGTRAP: line.append(info.si_code == SignalCode.TRAP_TRACE ? ": single step" : ": breakpoint instruction")
    default: break
    }
  }

  private func describePageFault(_ signal: Signal, _ info: SigInfo, into line: inout TextBuffer) {
    let address = UInt(info.si_addr)
    switch PageFaultError.access(signals.faultError) {
    case .read: line.append(": read of ")
    case .write: line.append(": write to ")
    case .execute: line.append(": jump to ")
    }
    line.append(address: address)
    if signal == .SIGBUS {
      line.append(", beyond the end of the mapped file ")
      process.memory.describe(address, into: &line)
      return
    }
    guard address < UserAddress.limit else {
      line.append(", which is not the program's")
      return
    }
    guard let area = process.memory.area(at: address) else {
      line.append(", where nothing is mapped")
      if let above = process.memory.firstArea(endingAbove: address), above.growsDown, above.start - address < 1 << 20 {
        line.append(" (the stack above may grow no further)")
      }
      return
    }
    line.append(", which is mapped ")
    line.append(area.protection.contains(.PROT_READ) ? "r" : "-")
    line.append(area.protection.contains(.PROT_WRITE) ? "w" : "-")
    line.append(area.protection.contains(.PROT_EXEC) ? "x" : "-")
    line.append(": ")
    process.memory.describe(address, into: &line)
  }
}

extension RegisterFrame {
  /// The registers in lines for a reader.
  fileprivate func rows(fsBase: UInt64, gsBase: UInt64) -> [[(StaticString, UInt64)]] {
    [
      [("rax", rax), ("rbx", rbx), ("rcx", rcx), ("rdx", rdx)],
      [("rsi", rsi), ("rdi", rdi), ("rbp", rbp), ("rsp", rsp)],
      [("r8 ", r8), ("r9 ", r9), ("r10", r10), ("r11", r11)],
      [("r12", r12), ("r13", r13), ("r14", r14), ("r15", r15)],
      [("rip", rip), ("flg", rflags), ("fs ", fsBase), ("gs ", gsBase)],
    ]
  }
}

extension AddressSpace {
  /// Writes `/lib/libc.so.6+0x2a3b0`: the mapping that holds an address, and the distance from where its file starts in
  /// memory, which is the address that tools know it by.
  func describe(_ address: UInt, into line: inout TextBuffer) {
    guard address < UserAddress.limit, let area = area(at: address) else {
      line.append("(not mapped)")
      return
    }
    guard case .pages(_, let file?, _) = area.backing else {
      if let name = area.name {
        line.append(name)
      } else if address >= heapStart, address < heapEnd {
        line.append("[heap]")
      } else {
        line.append("[anonymous]")
      }
      line.append("+")
      line.append(address: address - area.start)
      return
    }
    var base = area.start
    forEachArea { other in
      if other.start <= area.start, case .pages(_, let otherFile?, 0) = other.backing, otherFile.inode === file.inode {
        base = other.start
      }
    }
    line.append(bytes: file.path.text(root: nil))
    line.append("+")
    line.append(address: address - base)
  }

  /// As many of `count` bytes as can be read, up to the first that cannot.
  func readAvailable(_ address: UInt, count: Int) -> [UInt8] {
    var bytes: [UInt8] = []
    while bytes.count < count {
      let at = address &+ UInt(bytes.count)
      guard at >= address else { break }
      let piece = min(count - bytes.count, pageSize - Int(at & UInt(pageSize - 1)))
      guard let more = try? read(at, count: piece) else { break }
      bytes.append(contentsOf: more)
    }
    return bytes
  }

  func readWord(_ address: UInt) -> UInt? {
    let bytes = readAvailable(address, count: 8)
    guard bytes.count == 8 else { return nil }
    var word: UInt = 0
    for byte in bytes.reversed() { word = word << 8 | UInt(byte) }
    return word
  }

  /// Writes the bytes around an instruction, `<48>` being its first.
  fileprivate func describeCode(_ address: UInt, into line: inout TextBuffer) {
    let back = min(UInt(24), address & UInt(pageSize - 1))
    let before = back > 0 ? readAvailable(address - back, count: Int(back)) : []
    let after = readAvailable(address, count: 24)
    if after.isEmpty {
      line.append(" cannot be read")
      return
    }
    for byte in before {
      line.append(" ")
      line.append(hex: UInt(byte), width: 2)
    }
    for (index, byte) in after.enumerated() {
      line.append(index == 0 ? " <" : " ")
      line.append(hex: UInt(byte), width: 2)
      if index == 0 { line.append(">") }
    }
  }
}

/// The callers of a place, as far as the stack tells.
struct Backtrace {
  struct Entry {
    let address: UInt
    /// Found through frame pointers; else a word on the stack that looks like a return address.
    let isCertain: Bool
  }
  private(set) var entries: [Entry] = []

  private static var maximumEntries: Int { 32 }
  /// Bytes of the stack that are searched for return addresses.
  private static var searchedBytes: Int { 16384 }

  init(_ memory: AddressSpace, _ frame: RegisterFrame) {
    entries.append(Entry(address: UInt(frame.rip), isCertain: true))
    let stackPointer = UInt(frame.rsp) & ~7
    guard stackPointer < UserAddress.limit, let stack = memory.area(at: stackPointer) else { return }
    let chain = Self.frameChain(memory, UInt(frame.rbp), stackPointer, stack)
    let bytes = memory.readAvailable(stackPointer, count: min(Self.searchedBytes, Int(stack.end - stackPointer)))
    // Words below the first frame of the chain are only guesses: code without frame pointers pushed them, or they are
    // left over. Beyond the chain's start, the chain is believed.
    let searchEnd = chain.first?.slot ?? stackPointer + UInt(bytes.count)
    var offset = 0
    while offset + 8 <= bytes.count, stackPointer + UInt(offset) < searchEnd, entries.count < Self.maximumEntries {
      var word: UInt = 0
      for index in 0..<8 { word |= UInt(bytes[offset + index]) << UInt(index * 8) }
      if Self.followsCall(memory, word) { entries.append(Entry(address: word, isCertain: false)) }
      offset += 8
    }
    for link in chain where entries.count < Self.maximumEntries {
      entries.append(Entry(address: link.address, isCertain: true))
    }
  }

  /// The return addresses that frame pointers lead to, and where they lie.
  private static func frameChain(
    _ memory: AddressSpace, _ start: UInt, _ stackPointer: UInt, _ stack: MemoryArea
  ) -> [(address: UInt, slot: UInt)] {
    var chain: [(address: UInt, slot: UInt)] = []
    var pointer = start
    var floor = stackPointer
    while chain.count < maximumEntries, pointer & 7 == 0, pointer >= floor, pointer < stack.end,
      stack.end - pointer >= 16
    {
      guard let next = memory.readWord(pointer), let address = memory.readWord(pointer + 8),
        followsCall(memory, address)
      else { break }
      chain.append((address, pointer + 8))
      floor = pointer + 16
      pointer = next
    }
    return chain
  }

  /// Whether an address lies in code right behind a call instruction.
  private static func followsCall(_ memory: AddressSpace, _ address: UInt) -> Bool {
    guard address >= AddressSpace.minimumAddress + 8, address < UserAddress.limit,
      let area = memory.area(at: address), area.protection.contains(.PROT_EXEC), address - area.start >= 7
    else { return false }
    let code = memory.readAvailable(address - 7, count: 7)
    return code.count == 7 && endsInCall(code)
  }

  /// Whether seven bytes of code end in a near call: E8 with four bytes, or FF /2 of two to seven bytes.
  static func endsInCall(_ code: [UInt8]) -> Bool {
    guard code.count == 7 else { return false }
    if code[2] == 0xe8 { return true }
    for length in 2...7 {
      let at = 7 - length
      guard code[at] == 0xff, code[at + 1] & 0x38 == 0x10 else { continue }
      if length == operandLength(code, at + 1) + 1 { return true }
    }
    return false
  }

  /// Bytes of a ModRM byte with what follows it. See Intel SDM volume 2, 2.1.5.
  private static func operandLength(_ code: [UInt8], _ at: Int) -> Int {
    let mode = code[at] >> 6
    let register = code[at] & 7
    var length = 1
    if mode != 3, register == 4 {
      length += 1
      if mode == 0, at + 1 < code.count, code[at + 1] & 7 == 5 { length += 4 }
    }
    switch mode {
    case 0: if register == 5 { length += 4 }
    case 1: length += 1
    case 2: length += 4
    default: break
    }
    return length
  }
}
