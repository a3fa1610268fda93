// Calls of the C library on processes, signals, poll and the terminal.
internal import CHostShims
internal import Glibc

/// The signals that the tools treat.
public enum Signal {
  public static let hangUp = SIGHUP
  public static let interrupt = SIGINT
  public static let quit = SIGQUIT
  public static let kill = SIGKILL
  public static let brokenPipe = SIGPIPE
  public static let terminate = SIGTERM
  public static let child = SIGCHLD

  /// The name of a signal: `SIGSEGV`.
  public static func name(_ number: Int32) -> String {
    // SAFETY: the shim returns a static string, or null for a number that is no signal.
    guard let text = unsafe chost_signal_name(number) else { return "signal \(number)" }
    return unsafe "SIG" + String(cString: text)
  }
}

/// How a child process ended.
public enum ProcessEnd: Equatable, Sendable {
  case exited(Int32)
  case killed(signal: Int32)
}

/// A running child process.
public struct ChildProcess: Sendable {
  /// Which signals of the terminal reach the child.
  public enum Group: Sendable {
    case same, new, session
  }

  public let identifier: Int32

  /// Starts the program at `arguments[0]`, which is a path.
  ///
  /// - Parameters:
  ///   - descriptors: the child's numbers and the caller's descriptors behind them, at most 16.
  ///   - deathSignal: what the child gets when this process dies.
  /// - Throws: `SystemError`, also when the program cannot be executed.
  public init(
    _ arguments: [String], descriptors: [(child: Int32, own: Descriptor)] = [], group: Group = .same,
    deathSignal: Int32? = nil
  ) throws(SystemError) {
    precondition(!arguments.isEmpty)
    let wanted = descriptors.map { chost_descriptor(source: $0.own.number, target: $0.child) }
    let group = [Group.same: CHOST_GROUP_SAME, .new: CHOST_GROUP_NEW, .session: CHOST_GROUP_SESSION][group]!
    // SAFETY: the strings and the array of pointers live until the call returns; the child has its own copy then.
    var strings: [UnsafeMutablePointer<CChar>?] = unsafe arguments.map { unsafe strdup($0) } + [nil]
    defer { for index in unsafe strings.indices { unsafe free(strings[index]) } }
    let pid = unsafe strings.withUnsafeMutableBufferPointer { argv in
      unsafe wanted.withUnsafeBufferPointer { list in
        unsafe chost_spawn(argv[0], argv.baseAddress, list.baseAddress, list.count, group, deathSignal ?? 0)
      }
    }
    // The files stay open until here, also those that only the array holds.
    withExtendedLifetime(descriptors) {}
    guard pid > 0 else { throw SystemError("cannot run \(arguments[0])", -pid) }
    identifier = pid
  }

  /// Sends a signal; a child that has ended is fine.
  public func send(_ signal: Int32) {
    _ = Glibc.kill(identifier, signal)
  }

  /// Waits for the end of the child.
  public func wait() -> ProcessEnd {
    var status: Int32 = 0
    // SAFETY: waitpid writes one integer.
    while unsafe waitpid(identifier, &status, 0) < 0 {
      if errno != EINTR { return .exited(127) }
    }
    let signal = status & 0x7f
    return signal == 0 ? .exited(status >> 8 & 0xff) : .killed(signal: signal)
  }

  /// A descriptor that polls as readable when the child has ended.
  public func endDescriptor() throws(SystemError) -> Descriptor {
    let number = chost_pidfd_open(identifier)
    guard number >= 0 else { throw SystemError("cannot watch process \(identifier)", -number) }
    return Descriptor(owning: number)
  }
}

/// Signals that are blocked from now on and read one by one.
public struct SignalQueue {
  /// The descriptor to poll.
  public let descriptor: Descriptor

  public init(_ signals: [Int32]) throws(SystemError) {
    // SAFETY: the array is read during the call.
    let number = unsafe signals.withUnsafeBufferPointer { list in
      unsafe chost_signal_descriptor(list.baseAddress, list.count)
    }
    guard number >= 0 else { throw SystemError("cannot watch signals", -number) }
    descriptor = Descriptor(owning: number)
  }

  /// The next signal that has arrived.
  public func next() -> Int32? {
    let signal = chost_next_signal(descriptor.number)
    return signal > 0 ? signal : nil
  }
}

/// Ends this process by `signal`, so that a shell sees what happened; else exits with 128 + `signal`.
public func die(bySignal signal: Int32) -> Never {
  chost_die_by_signal(signal)
  _exit(128 + signal)
}

/// Ends this process.
public func exitProcess(_ status: Int32) -> Never {
  exit(status)
}

/// Lets writes to a closed pipe fail with EPIPE.
public func ignoreBrokenPipes() {
  _ = Glibc.signal(SIGPIPE, SIG_IGN)
}

/// What to wait for on a descriptor.
public struct Interest {
  /// `hangUp` waits for the other side's end alone, which every interest reports too.
  public enum Event: Sendable {
    case read, write, hangUp
  }

  public let descriptor: Descriptor
  public let event: Event

  public init(_ descriptor: Descriptor, _ event: Event) {
    self.descriptor = descriptor
    self.event = event
  }
}

/// What poll(2) found for one descriptor.
public struct Readiness {
  /// The event that was waited for is there.
  public let ready: Bool
  /// The other side is gone, or the descriptor is in error.
  public let gone: Bool
}

/// Waits until one of `interests` is ready, or until the time has passed. A signal ends the wait early.
public func waitFor(_ interests: [Interest], milliseconds: Int32?) -> [Readiness] {
  var list = interests.map { interest in
    let events =
      switch interest.event {
      case .read: POLLIN
      case .write: POLLOUT
      case .hangUp: Int32(0)
      }
    return pollfd(fd: interest.descriptor.number, events: Int16(events), revents: 0)
  }
  // SAFETY: poll changes the elements of the array alone.
  let count = unsafe poll(&list, nfds_t(list.count), milliseconds ?? -1)
  withExtendedLifetime(interests) {}
  guard count > 0 else { return interests.map { _ in Readiness(ready: false, gone: false) } }
  return list.map { entry in
    let gone = Int32(entry.revents) & (POLLERR | POLLHUP | POLLNVAL) != 0
    return Readiness(ready: Int32(entry.revents) & (POLLIN | POLLOUT) != 0, gone: gone)
  }
}

/// Milliseconds of a clock that never jumps.
public func monotonicMilliseconds() -> Int64 {
  var now = timespec()
  // SAFETY: clock_gettime writes one timespec.
  _ = unsafe clock_gettime(CLOCK_MONOTONIC, &now)
  return Int64(now.tv_sec) * 1000 + Int64(now.tv_nsec) / 1_000_000
}

/// Pauses this process.
public func sleep(milliseconds: Int32) {
  _ = waitFor([], milliseconds: milliseconds)
}

/// This process's identifier.
public var processIdentifier: Int32 { getpid() }

/// True when this process can create a virtual machine with KVM.
public func isKVMUsable() -> Bool {
  chost_kvm_usable() == 1
}

/// Lets the thread run on one processor only.
public func pinThread(_ thread: Int32, to processor: Int32) throws(SystemError) {
  let result = chost_pin_thread(thread, processor)
  guard result == 0 else { throw SystemError("cannot pin thread \(thread) to processor \(processor)", -result) }
}

/// Demangles a Swift symbol; `nil` when it is none.
public func demangledSwiftName(_ symbol: String) -> String? {
  // SAFETY: the runtime allocates the result with malloc; it is freed after it was copied.
  guard let text = unsafe swift_demangle(symbol, symbol.utf8.count, nil, nil, 0) else { return nil }
  defer { unsafe free(text) }
  return unsafe String(cString: text)
}
