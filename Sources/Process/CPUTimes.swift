internal import Kernel
internal import LinuxABI
internal import Platform

/// CPU time in nanoseconds: in the program, and in the kernel for it.
public struct CPUTimes: Sendable {
  public var user: UInt64 = 0
  public var system: UInt64 = 0

  public init() {}

  public static func += (left: inout CPUTimes, right: CPUTimes) {
    left.user &+= right.user
    left.system &+= right.system
  }
}

/// How often a thread was met in the program and in the kernel.
///
/// What a thread has run for is exact; how it divides is not measured, which would cost two looks at the clock for each
/// system call, but sampled, and the sum divided in the proportion of the samples, as Linux does.
struct CPUSamples {
  private var user: UInt64 = 0
  private var system: UInt64 = 0
  /// What was said last: neither part ever shrinks.
  private var reported = CPUTimes()

  init() {}

  mutating func add(inKernel: Bool) { if inKernel { system += 1 } else { user += 1 } }

  /// Divides the time that was run for. See `cputime_adjust` of Linux's kernel/sched/cputime.c.
  mutating func divide(_ total: UInt64) -> CPUTimes {
    let said = reported.user &+ reported.system
    guard total > said else { return reported }
    var times = CPUTimes()
    if system > 0 {
      // There are fewer than 2^32 samples in a year, so the second product fits too.
      let (quotient, remainder) = total.quotientAndRemainder(dividingBy: user + system)
      times.system = quotient &* system &+ remainder &* system / (user + system)
    }
    times.system = min(max(times.system, reported.system), total - reported.user)
    times.user = total - times.system
    reported = times
    return times
  }
}

extension Thread {
  /// Meets the thread at an interrupt: whether the kernel was at work for it just before. Interrupts are off in the
  /// kernel, so one that came meanwhile arrives at the program's next instruction: the one behind a system call, where
  /// the processor has left its address in RCX and the flags in R11, or the one that an exception starts again.
  func sample() {
    let frame = registers.frame
    let isBehindCall = frame.rcx == frame.rip && frame.r11 == frame.rflags
    let inKernel = isBehindCall || frame.rip == lastException
    samples.add(inKernel: inKernel)
    process.samples.add(inKernel: inKernel)
    process.system.samples.add(inKernel: inKernel)
  }

  /// CPU time.
  public var times: CPUTimes { samples.divide(cpuTime) }
}

extension UserProcess {
  /// CPU time of all threads, ended ones too.
  public var times: CPUTimes { samples.divide(cpuTime) }
}

extension System {
  /// The time in which anything ran.
  public var times: CPUTimes { samples.divide(clock.now &- scheduler.idleTime) }
}
