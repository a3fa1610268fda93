// The fake hardware that the host tests run on: the declarations of Sources/Platform that modules use on the host.
//
// Physical memory is a large reservation of the host's address space that costs nothing until it is touched; the
// program's memory is another, below it, so that one comparison tells them apart as it does in the kernel. What needs
// a real machine ends the test run with "no hardware".
public import LinuxABI

/// The kernel's end of the address space, in bytes.
public enum AddressLayout {
  /// The first address that is not the program's, and the direct map of physical memory.
  public static var kernelBase: UInt { 0x2000_0000_0000 }
  public static var stackBase: UInt { 0x3000_0000_0000 }
  public static var heapBase: UInt { 0x3400_0000_0000 }
  public static var deviceBase: UInt { 0x3800_0000_0000 }
  public static var kernelSlot: Int { 255 }
}

/// The machine's memory by physical address.
public enum PhysicalMemory {
  @inline(__always)
  public static func pointer(_ physical: UInt) -> UnsafeMutableRawPointer {
    // SAFETY: not null; `FakeMachine.reserve` has mapped what tests use.
    unsafe UnsafeMutableRawPointer(bitPattern: AddressLayout.kernelBase &+ physical).unsafelyUnwrapped
  }
  @inline(__always)
  public static func load<T: BitwiseCopyable>(_ type: T.Type = T.self, at physical: UInt) -> T {
    // SAFETY: see `pointer`.
    unsafe pointer(physical).loadUnaligned(as: T.self)
  }
  @inline(__always)
  public static func store<T: BitwiseCopyable>(_ value: T, at physical: UInt) {
    // SAFETY: see `pointer`.
    unsafe pointer(physical).storeBytes(of: value, as: T.self)
  }
  public static func zero(_ physical: UInt, count: Int) {
    // SAFETY: see `pointer`.
    unsafe pointer(physical).initializeMemory(as: UInt8.self, repeating: 0, count: count)
  }
  public static func copy(to destination: UInt, from source: UInt, count: Int) {
    // SAFETY: see `pointer`.
    unsafe pointer(destination).copyMemory(from: pointer(source), byteCount: count)
  }
  /// Writes `count` bytes of a span from `offset` on.
  public static func store(_ bytes: RawSpan, from offset: Int, count: Int, at physical: UInt) {
    precondition(offset >= 0 && count >= 0 && count <= bytes.byteCount - offset)
    // SAFETY: the range lies within the span; see `pointer`.
    unsafe bytes.withUnsafeBytes {
      unsafe pointer(physical).copyMemory(from: $0.baseAddress.unsafelyUnwrapped + offset, byteCount: count)
    }
  }
}

/// Copies between the kernel and the program's memory, of which `FakeMachine` knows what is mapped.
public enum UserCopy {
  public static func copyIn(_ destination: UnsafeMutableRawPointer, from user: UInt, count: Int) -> Int {
    let readable = FakeMachine.accessible(user, count)
    // SAFETY: `readable` bytes of the source are mapped; the destination is the caller's.
    if readable > 0 {
      unsafe destination.copyMemory(from: UnsafeRawPointer(bitPattern: user).unsafelyUnwrapped, byteCount: readable)
    }
    return count - readable
  }
  public static func copyOut(_ user: UInt, from source: UnsafeRawPointer, count: Int) -> Int {
    let writable = FakeMachine.accessible(user, count)
    // SAFETY: `writable` bytes of the destination are mapped; the source is the caller's.
    if writable > 0 {
      unsafe UnsafeMutableRawPointer(bitPattern: user).unsafelyUnwrapped.copyMemory(from: source, byteCount: writable)
    }
    return count - writable
  }
  public static func zero(_ user: UInt, count: Int) -> Int {
    let writable = FakeMachine.accessible(user, count)
    if writable > 0 {
      // SAFETY: `writable` bytes are mapped.
      unsafe UnsafeMutableRawPointer(bitPattern: user).unsafelyUnwrapped.initializeMemory(
        as: UInt8.self, repeating: 0, count: writable)
    }
    return count - writable
  }
  public static func copyString(_ destination: UnsafeMutableRawPointer, from user: UInt, limit: Int) -> Int {
    for index in 0..<limit {
      guard FakeMachine.accessible(user &+ UInt(index), 1) == 1 else { return -1 }
      // SAFETY: the byte is mapped; the destination has room for `limit`.
      let byte = unsafe UnsafeRawPointer(bitPattern: user &+ UInt(index)).unsafelyUnwrapped.load(as: UInt8.self)
      if byte == 0 { return index }
      unsafe destination.storeBytes(of: byte, toByteOffset: index, as: UInt8.self)
    }
    return limit
  }
  public static func load32(_ user: UInt) -> UInt32? { load(user) }
  public static func load64(_ user: UInt) -> UInt64? { load(user) }
  public static func store32(_ user: UInt, _ value: UInt32) -> Bool { store(user, value) }
  public static func touch32(_ user: UInt) -> Bool {
    guard let value = load32(user) else { return false }
    return store32(user, value)
  }
  public static func store64(_ user: UInt, _ value: UInt64) -> Bool { store(user, value) }

  private static func load<T: FixedWidthInteger & BitwiseCopyable>(_ user: UInt) -> T? {
    var value: T = 0
    // SAFETY: the bytes of a plain value.
    let left = unsafe withUnsafeMutableBytes(of: &value) {
      unsafe copyIn($0.baseAddress.unsafelyUnwrapped, from: user, count: $0.count)
    }
    return left == 0 ? value : nil
  }
  private static func store<T: FixedWidthInteger & BitwiseCopyable>(_ user: UInt, _ value: T) -> Bool {
    var copy = value
    // SAFETY: the bytes of a plain value.
    return unsafe withUnsafeBytes(of: &copy) {
      unsafe copyOut(user, from: $0.baseAddress.unsafelyUnwrapped, count: $0.count)
    } == 0
  }
}

/// The processor this code runs on.
public enum CPU {
  public enum Feature { case xsave, fsgsbase, smap, pages1G, tscDeadline, hypervisor, rdrand, x2apic }

  public static func has(_ feature: Feature) -> Bool { false }
  public static var hardwareRandom: UInt64? { nil }
  /// Nanoseconds since the first use.
  public static var timeStampCounter: UInt64 { FakeMachine.nanoseconds }
  public static var pageTableRoot: UInt {
    get { noHardware() }
    set { noHardware() }
  }
  public static func invalidate(_ address: UInt) {}
  public static func invalidateAll() {}

  /// The thread that runs: one for each thread of the host.
  public static var thread: UnsafeMutableRawPointer? {
    get { unsafe FakeMachine.currentThread }
    set { unsafe FakeMachine.currentThread = newValue }
  }
  public static var exitWork: Bool {
    get { FakeMachine.exitWork }
    set { FakeMachine.exitWork = newValue }
  }
  public static func setKernelStack(top: UInt) {}
  public static func setTracing(_ on: Bool) {}
  public static func switchStack(save: UnsafeMutablePointer<UInt64>, load: UInt64) { noHardware() }
  public static func prepareStack(
    top: UInt, entry: @convention(c) (UnsafeMutableRawPointer?) -> Void, argument: UnsafeMutableRawPointer?
  ) -> UInt64 { 0 }
  public static func returnToUser(_ registers: SavedRegisters) -> Never { noHardware() }
  public static var fsBase: UInt64 {
    get { 0 }
    set {}
  }
  public static var userGSBase: UInt64 {
    get { 0 }
    set {}
  }
  public static func idle() { noHardware() }
  public static func interruptWindow() {}
  public static func halt() -> Never { noHardware() }
  public static func pause() {}
  public static func memoryBarrier() {}

  private static func noHardware() -> Never { fatalError("no hardware") }
}

/// The registers of the program, where the entry saved them on the thread's kernel stack.
@safe public struct SavedRegisters: BitwiseCopyable {
  private let pointer: UnsafeMutablePointer<RegisterFrame>

  public init(_ pointer: UnsafeMutableRawPointer) {
    // SAFETY: a test passes room for a RegisterFrame.
    unsafe self.pointer = pointer.assumingMemoryBound(to: RegisterFrame.self)
  }
  public init(stackTop: UInt) {
    // SAFETY: the caller owns the stack.
    unsafe self.init(
      UnsafeMutableRawPointer(bitPattern: stackTop - UInt(MemoryLayout<RegisterFrame>.size)).unsafelyUnwrapped)
  }
  public var frame: RegisterFrame {
    get { unsafe pointer.pointee }
    nonmutating set { unsafe pointer.pointee = newValue }
    nonmutating _modify { yield unsafe &pointer.pointee }
  }
}

/// x87, SSE, AVX and whatever else CPUID names, saved as one area.
public enum FloatingPoint {
  public static var areaSize: Int { 512 }
  public static var stateMask: UInt64 { 0 }
  public static func save(_ area: UnsafeMutableRawPointer) {}
  public static func restore(_ area: UnsafeRawPointer) {}
  public static func restoreChecked(_ area: UnsafeRawPointer) -> Bool { true }
  public static func reset() {}
}

/// Where the kernel itself lies: nowhere, on the host.
public enum Image {
  public static var start: UInt { 0 }
  public static var textEnd: UInt { 0 }
  public static var readOnlyEnd: UInt { 0 }
  public static var end: UInt { 0 }
  public static var bootPageTable: UInt { 0 }
  public static var bootStackTop: UInt { 0 }
  public static var vdsoStart: UInt { 0 }
  public static var vdsoEnd: UInt { 0 }
  public static var entryTimeStamp: UInt64 { 0 }
}
