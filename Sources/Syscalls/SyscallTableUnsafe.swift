internal import Kernel
internal import LinuxABI
public import Platform
public import Process
internal import Support

/// Finds the row of a number, runs it, and turns what it throws into the negative number that the program sees.
@safe public final class SyscallTable {
  /// A row in an object: a closure that a constant of an object holds is called without taking a reference to it.
  private final class Entry {
    let row: Syscall
    init(_ row: Syscall) { self.row = row }
  }
  /// The rows by number, for good.
  private let table: [Unmanaged<Entry>?]
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
  public init() {
    // SAFETY: no entry is ever given back: the table stands as long as the machine.
    var table = unsafe [Unmanaged<Entry>?](repeating: nil, count: 460)
    for rows in Self.families {
      for row in rows { unsafe table[row.number] = Unmanaged.passRetained(Entry(row)) }
    }
    unsafe self.table = table
  }

  /// Serves the system call in `registers`; returns what goes into RAX.
  @inline(__always)
  public func dispatch(_ thread: Thread, _ registers: SavedRegisters) -> Int {
    // Linux looks at the lower half of RAX only.
    let number = Int(UInt32(truncatingIfNeeded: registers.frame.error))
    // SAFETY: as in `init`.
    guard unsafe number < table.count, let entry = unsafe table[number] else { return missing(thread, number) }
    // SAFETY: as in `init`.
    return unsafe entry._withUnsafeGuaranteedRef { entry in
      do throws(Errno) { return try entry.row.invoke(thread, registers) } catch { return -Int(error.rawValue) }
    }
  }

  /// As `dispatch`, writing a trace line when the call has returned.
  public func dispatchTraced(_ thread: Thread, _ registers: SavedRegisters) -> Int {
    let frame = registers.frame
    let number = Int(UInt32(truncatingIfNeeded: frame.error))
    // SAFETY: as in `init`.
    let row = unsafe number < table.count ? table[number]?.takeUnretainedValue().row : nil
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

  @inline(never)
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
