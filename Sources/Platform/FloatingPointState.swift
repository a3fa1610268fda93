internal import CShims

/// A thread's x87, SSE and AVX registers while it does not run.
@safe public final class FloatingPointState {
  private let area: UnsafeMutableRawPointer

  /// Bytes of the area; the form is that of XSAVE, or of FXSAVE where the machine has nothing else.
  public static var size: Int { FloatingPoint.areaSize }

  /// The state of a program that has just been started.
  public init() {
    // SAFETY: as large and as aligned as XSAVE asks (Intel SDM volume 1, 13.4); the zeroed header means initial state.
    unsafe area = .allocate(byteCount: FloatingPoint.areaSize, alignment: 64)
    unsafe area.initializeMemory(as: UInt8.self, repeating: 0, count: FloatingPoint.areaSize)
    reset()
  }
  // SAFETY: allocated by init, and this is the last use.
  deinit { unsafe area.deallocate() }

  /// Puts the initial state into the area: FCW 0x37f, MXCSR 0x1f80, the rest zero.
  public func reset() {
    // SAFETY: as large as init made it.
    unsafe area.initializeMemory(as: UInt8.self, repeating: 0, count: FloatingPoint.areaSize)
    // SAFETY: both lie in the legacy region of 512 bytes.
    unsafe area.storeBytes(of: 0x37f, toByteOffset: 0, as: UInt16.self)
    unsafe area.storeBytes(of: 0x1f80, toByteOffset: 24, as: UInt32.self)
  }

  /// Saves the CPU's registers here.
  // SAFETY: the area is as `FloatingPoint` asks; see init.
  public func save() { unsafe FloatingPoint.save(area) }
  /// Loads the CPU's registers from here.
  public func restore() { unsafe FloatingPoint.restore(area) }
  /// As `save` and `restore`, for a switch from or to the thread whose state this is.
  public func switchOut() { unsafe FloatingPoint.switchOut(area) }
  public func switchIn() { unsafe FloatingPoint.switchIn(area) }
  public func copy(from other: FloatingPointState) {
    unsafe area.copyMemory(from: other.area, byteCount: FloatingPoint.areaSize)
  }

  /// The exceptions of the saved state that are both pending and unmasked, as bits of the x87 status word and of MXCSR.
  public var exceptionStatus: (x87: UInt32, sse: UInt32) {
    // SAFETY: control and status word, and MXCSR, lie in the legacy region.
    let control = unsafe UInt32(area.load(fromByteOffset: 0, as: UInt16.self))
    let status = unsafe UInt32(area.load(fromByteOffset: 2, as: UInt16.self))
    let mxcsr = unsafe area.load(fromByteOffset: 24, as: UInt32.self)
    return (status & ~control & 0x3f, mxcsr & ~(mxcsr >> 7) & 0x3f)
  }

  /// Saves the CPU's registers and writes them to the program's memory; false at a fault.
  public func saveToUser(_ address: UInt) -> Bool {
    switchOut()
    // SAFETY: as large as init made it.
    return unsafe UserCopy.copyOut(address, from: area, count: FloatingPoint.areaSize) == 0
  }
  /// Overwrites a word of the saved area: the software bytes of a signal frame.
  public func store<T: BitwiseCopyable>(_ value: T, at offset: Int) {
    precondition(offset >= 0 && offset + MemoryLayout<T>.size <= FloatingPoint.areaSize)
    // SAFETY: the precondition keeps the value in the area.
    unsafe area.storeBytes(of: value, toByteOffset: offset, as: T.self)
  }
  /// Reads the program's bytes and loads the CPU's registers from them; false at a fault or where the CPU refuses them.
  /// Of a frame without extended state only the first 512 bytes are read, and the rest starts afresh.
  public func restoreFromUser(_ address: UInt, count: Int) -> Bool {
    if count < FloatingPoint.areaSize { reset() }
    let count = min(count, FloatingPoint.areaSize)
    // SAFETY: no more than the area holds.
    guard unsafe UserCopy.copyIn(area, from: address, count: count) == 0 else { return false }
    if FloatingPoint.stateMask != 0 {
      // SAFETY: the XSAVE header at 512; reserved fields must be zero and unknown components absent.
      let present = count > 512 ? unsafe area.load(fromByteOffset: 512, as: UInt64.self) : 3
      unsafe area.storeBytes(of: present & FloatingPoint.stateMask, toByteOffset: 512, as: UInt64.self)
      unsafe (area + 520).initializeMemory(as: UInt8.self, repeating: 0, count: 56)
    }
    // SAFETY: MXCSR lies in the legacy region.
    if unsafe area.load(fromByteOffset: 24, as: UInt32.self) < 0x10000 {
      switchIn()
      return true
    }
    // SAFETY: reserved fields and unknown components were cleared above.
    return unsafe FloatingPoint.restoreChecked(area)
  }
}
