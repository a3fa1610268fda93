internal import Glibc
internal import Synchronization

/// The tests' side of the fake hardware: memory to work in, and faults at chosen addresses.
///
/// Tests run side by side in one process, so each takes memory of its own and gives none back.
public enum FakeMachine {
  private static let physicalSize: UInt = 1 << 38
  private static let userBase: UInt = 0x1000_0000_0000
  private static let userSize: UInt = 1 << 38

  private struct State {
    var physicalNext: UInt = 1 << 22
    var userNext: UInt = 0
    /// Pages behind the buffers that were handed out.
    var guards: Set<UInt> = []
    var faults: [Range<UInt>] = []
  }
  private static let state = Mutex(State())

  private static let isMapped: Bool = {
    map(AddressLayout.kernelBase, physicalSize)
    map(userBase, userSize)
    return true
  }()

  private static func map(_ address: UInt, _ size: UInt) {
    // SAFETY: a fresh mapping at an address that the host does not use; failure ends the run.
    let fixedNoReplace: Int32 = 0x100000
    let result = unsafe mmap(
      UnsafeMutableRawPointer(bitPattern: address), Int(size), PROT_READ | PROT_WRITE,
      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | fixedNoReplace, -1, 0)
    guard UInt(bitPattern: result) == address else { fatalError("cannot reserve the fake machine's memory") }
  }

  /// Takes physical memory, zeroed, aligned to 4 MiB; returns its physical address.
  public static func reserve(bytes: Int) -> UInt {
    precondition(isMapped)
    return state.withLock { state in
      let start = state.physicalNext
      state.physicalNext += (UInt(bytes) + (1 << 22) - 1) & ~((1 << 22) - 1)
      precondition(state.physicalNext <= physicalSize, "the fake machine's memory is used up")
      return start
    }
  }

  /// Takes memory of the program's, zeroed, with an unmapped page behind it; returns its address.
  public static func reserveUser(bytes: Int) -> UInt {
    precondition(isMapped)
    return state.withLock { state in
      let start = userBase + state.userNext
      let size = (UInt(bytes) + 4095) & ~4095
      state.guards.insert((start + size) / 4096)
      state.userNext += size + 4096
      precondition(state.userNext <= userSize, "the fake machine's user memory is used up")
      return start
    }
  }

  /// Makes every access to these addresses of the program's fault.
  public static func addFault(_ range: Range<UInt>) { state.withLock { $0.faults.append(range) } }

  /// How many bytes from `address` on can be accessed before a fault.
  static func accessible(_ address: UInt, _ count: Int) -> Int {
    // The kernel's own buffers: the fake physical memory and the host's heap both lie above.
    if address >= AddressLayout.kernelBase { return count }
    guard address >= userBase, address < userBase + userSize else { return 0 }
    return state.withLock { state in
      var end = min(address + UInt(count), userBase + userSize)
      for page in address / 4096..<(end + 4095) / 4096 where state.guards.contains(page) {
        end = max(page * 4096, address)
        break
      }
      for fault in state.faults where fault.lowerBound < end && fault.upperBound > address {
        end = max(fault.lowerBound, address)
      }
      return Int(end - address)
    }
  }

  private static let start = ContinuousClock.now
  static var nanoseconds: UInt64 {
    // `start` is made at its first use, which must not come after this reading of the clock.
    let start = start
    let elapsed = (ContinuousClock.now - start).components
    return UInt64(elapsed.seconds) * 1_000_000_000 + UInt64(elapsed.attoseconds / 1_000_000_000)
  }

  private static let exitWorkFlag = Atomic<Bool>(false)
  static var exitWork: Bool {
    get { exitWorkFlag.load(ordering: .relaxed) }
    set { exitWorkFlag.store(newValue, ordering: .relaxed) }
  }

  private static let threadKey: pthread_key_t = {
    var key = pthread_key_t()
    // SAFETY: one key out.
    guard unsafe pthread_key_create(&key, nil) == 0 else { fatalError("no thread-local storage") }
    return key
  }()
  static var currentThread: UnsafeMutableRawPointer? {
    get { unsafe pthread_getspecific(threadKey) }
    set { unsafe pthread_setspecific(threadKey, newValue) }
  }
}
