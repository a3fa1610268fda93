internal import Kernel
internal import LinuxABI
public import Platform
public import Process
internal import Support

/// Finds the row of a number, runs it, and turns what it throws into the negative number that the program sees.
public final class SyscallTable {
  private let rows: [Syscall]
  /// Row index by number, or -1.
  private let index: [Int16]
  /// Numbers that were reported as missing.
  private var reported: [Int] = []

  /// The rows that the system serves, by family and there by number.
  static var families: [[Syscall]] {
    [
      memorySyscalls, signalSyscalls, timeSyscalls, systemSyscalls, identitySyscalls, threadSyscalls, processSyscalls,
      executeSyscalls,
      readWriteSyscalls, openSyscalls, descriptorSyscalls, statusSyscalls, nameSyscalls, directorySyscalls,
      attributeSyscalls, storageSyscalls, transferSyscalls, extendedAttributeSyscalls, mountSyscalls, socketSyscalls,
      messageSyscalls,
      pollSyscalls, epollSyscalls, eventFileSyscalls, spliceSyscalls, inotifySyscalls,
      systemVSyscalls, messageQueueSyscalls, otherProcessSyscalls, schedulingAttributeSyscalls,
    ]
  }

  /// The table of all rows that the system serves.
  public convenience init() {
    self.init(rows: Self.families.flatMap { $0 })
  }

  init(rows: [Syscall]) {
    self.rows = rows
    var index = [Int16](repeating: -1, count: 460)
    for i in rows.indices { index[rows[i].number] = Int16(i) }
    self.index = index
  }

  /// Serves the system call in `registers`; returns what goes into RAX.
  @inline(__always)
  public func dispatch(_ thread: Thread, _ registers: SavedRegisters) -> Int {
    // Linux looks at the lower half of RAX only.
    let number = Int(UInt32(truncatingIfNeeded: registers.frame.error))
    guard number < index.count, index[number] >= 0 else { return missing(thread, number) }
    do throws(Errno) {
      return try rows[Int(index[number])].invoke(thread, registers)
    } catch {
      return -Int(error.rawValue)
    }
  }

  /// As `dispatch`, writing a trace line when the call has returned.
  public func dispatchTraced(_ thread: Thread, _ registers: SavedRegisters) -> Int {
    let frame = registers.frame
    let number = Int(UInt32(truncatingIfNeeded: frame.error))
    let row = number < index.count && index[number] >= 0 ? rows[Int(index[number])] : nil
    // The program does not see these come back.
    let returns = !(number == 60 || number == 231)
    let result = dispatch(thread, registers)
    if !returns, let row {
      trace(thread, row, frame, nil)
      return result
    }
    if let row {
      trace(thread, row, frame, result)
    } else {
      thread.process.system.log.trace { line in
        if let name = syscallName(number) {
          line.append(name)
        } else {
          line.append("syscall_")
          line.append(decimal: number)
        }
        line.append("() = Function not implemented (-38)")
      }
    }
    return result
  }

  private func trace(_ thread: Thread, _ row: Syscall, _ frame: RegisterFrame, _ result: Int?) {
    thread.process.system.log.trace { line in
      line.append(row.name)
      line.append("(")
      row.describe(
        TraceContext(
          result: result ?? 0, registers: [frame.rdi, frame.rsi, frame.rdx, frame.r10, frame.r8, frame.r9], index: 0),
        &line)
      line.append(") = ")
      guard let result else {
        line.append("?")
        return
      }
      if result < 0, result >= -4095 {
        if let error = Errno(rawValue: Int32(-result)) { line.append(error.text) } else { line.append("Error") }
        line.append(" (")
        line.append(decimal: result)
        line.append(")")
        return
      }
      switch row.result {
      case .number: line.append(decimal: result)
      case .none: line.append("OK")
      case .descriptor:
        line.append("fd:")
        line.append(decimal: result)
      case .address:
        line.append("va:")
        line.append(address: UInt(bitPattern: result))
      }
    }
  }

  private func missing(_ thread: Thread, _ number: Int) -> Int {
    if !reported.contains(number), reported.count < 512 {
      reported.append(number)
      // What Linux has no call for either is nobody's loss.
      thread.process.system.log(Self.isServedByLinux(number) ? .warn : .info) { line in
        line.append("system call ")
        if let name = syscallName(number) {
          line.append(name)
        } else {
          line.append("number ")
          line.append(decimal: number)
        }
        line.append(" is not implemented")
      }
    }
    return -Int(Errno.ENOSYS.rawValue)
  }

  /// Whether Linux serves this number, or only reserves it: tuxcall, vserver, create_module and the like.
  private static func isServedByLinux(_ number: Int) -> Bool {
    switch number {
    case 134, 156, 174, 177, 178, 180...185, 214, 215, 236: false
    default: syscallName(number) != nil
    }
  }
}
