/// A thread's floating point registers while it does not run: on the host, 512 bytes in the form of FXSAVE that no CPU
/// ever loads.
public final class FloatingPointState {
  private var area = [UInt8](repeating: 0, count: FloatingPointState.size)

  public static var size: Int { FloatingPoint.areaSize }

  public init() { reset() }

  public func reset() {
    area = [UInt8](repeating: 0, count: Self.size)
    area[0] = 0x7f
    area[1] = 0x03
    area[24] = 0x80
    area[25] = 0x1f
  }
  public func save() {}
  public func restore() {}
  public func switchOut() {}
  public func switchIn() {}
  public func copy(from other: FloatingPointState) { area = other.area }

  public var exceptionStatus: (x87: UInt32, sse: UInt32) { (0, 0) }

  public func saveToUser(_ address: UInt) -> Bool {
    // SAFETY: the array's own bytes.
    unsafe area.withUnsafeBytes {
      unsafe UserCopy.copyOut(address, from: $0.baseAddress.unsafelyUnwrapped, count: $0.count) == 0
    }
  }
  public func restoreFromUser(_ address: UInt, count: Int) -> Bool {
    let count = min(count, Self.size)
    // SAFETY: the array's own bytes.
    return unsafe area.withUnsafeMutableBytes {
      unsafe UserCopy.copyIn($0.baseAddress.unsafelyUnwrapped, from: address, count: count) == 0
    }
  }
}
