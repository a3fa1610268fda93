// System calls made through the table, as a program would.
import FileSystemTesting
import Kernel
import LinuxABI
import Platform
import Process
import ProcessTesting
import Testing
import VFSCore

@testable import Syscalls

/// A process that makes system calls.
struct TestCalls {
  let test: TestProcess
  private let table = SyscallTable()

  var thread: Thread { test.thread }
  var process: UserProcess { test.process }
  /// The lines of the trace and of the log.
  var lines: [String] { test.log.text }

  init() throws { test = try TestProcess() }

  private func setRegisters(_ number: Int, _ arguments: [any BinaryInteger]) {
    var frame = thread.registers.frame
    let values = arguments.map { UInt64(truncatingIfNeeded: $0) } + [0, 0, 0, 0, 0, 0]
    frame.error = UInt64(number)
    frame.rdi = values[0]
    frame.rsi = values[1]
    frame.rdx = values[2]
    frame.r10 = values[3]
    frame.r8 = values[4]
    frame.r9 = values[5]
    thread.registers.frame = frame
    // No scheduler runs the thread, so it is made the current one by hand.
    CPU.thread = Unmanaged.passUnretained(thread).toOpaque()
  }

  /// Makes a call; returns what the program would see.
  @discardableResult
  func call(_ number: Int, _ arguments: any BinaryInteger...) -> Int {
    setRegisters(number, arguments)
    return table.dispatch(thread, thread.registers)
  }

  /// Makes a call; returns its line in the trace.
  func trace(_ number: Int, _ arguments: any BinaryInteger...) -> String {
    setRegisters(number, arguments)
    test.log.text.removeAll()
    _ = table.dispatchTraced(thread, thread.registers)
    return (test.log.text.last ?? "").trimmingSuffix("\n")
  }

  /// The address of a string in the program's memory.
  func string(_ text: String) -> UInt { UserBuffer(Array(text.utf8) + [0]).address }
}

extension String {
  fileprivate func trimmingSuffix(_ suffix: String) -> String {
    hasSuffix(suffix) ? String(dropLast(suffix.count)) : self
  }
}

/// What a call returns for an error.
prefix operator -
prefix func - (error: Errno) -> Int { -Int(error.rawValue) }
