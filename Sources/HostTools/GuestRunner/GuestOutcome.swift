internal import HostSystem

/// How the guest's program ended, as the kernel reports it through port 0x502.
enum GuestOutcome: Equatable {
  case exited(Int32)
  case killed(signal: Int32)
  case panicked
  case reset
  /// The kernel said nothing that could be understood.
  case unknown

  /// Reads the kernel's report; the last line that means something counts, if it was written to its end.
  init(report: [UInt8]) {
    self = .unknown
    for line in report.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).dropLast() {
      let text = String(decoding: line, as: UTF8.self)
      let words = text.split(separator: "=", maxSplits: 1).map(String.init)
      let number = words.count == 2 ? Int32(words[1]) : nil
      switch (words.first, number) {
      case ("exit", let number?) where 0...255 ~= number: self = .exited(number)
      case ("signal", let number?) where 1...127 ~= number: self = .killed(signal: number)
      case ("panic", _): self = .panicked
      case ("reset", _): self = .reset
      default: break
      }
    }
  }

  /// The exit status of the runner, and what it says on standard error when that is not the program's own.
  func status(qemu end: ProcessEnd) -> (Int32, message: String?) {
    switch self {
    case .exited(let status): (status, nil)
    case .killed(let signal): (128 + signal, nil)
    case .panicked: (runnerFailureStatus, "the kernel panicked")
    case .reset: (runnerFailureStatus, "the guest asked for a reset before its program ended")
    case .unknown:
      switch end {
      case .killed(let signal): (runnerFailureStatus, "QEMU was killed by \(Signal.name(signal))")
      case .exited(0):
        (runnerFailureStatus, "the guest stopped without a status: QEMU was told to quit, or the machine was reset")
      case .exited(1): (runnerFailureStatus, "QEMU failed")
      case .exited(let code): (runnerFailureStatus, "the guest stopped without a status (QEMU's is \(code))")
      }
    }
  }
}
