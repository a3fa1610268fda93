public import LinuxABI
internal import Platform

/// The page of time data that the program reads through the vDSO: `struct vdso_data` of unikraft-glue/vdso/vdso_data.h.
///
/// One page serves all processes. It is written under a sequence number that is odd meanwhile, so a reader that was
/// interrupted in the middle tries again.
public final class VdsoData {
  private enum Offset {
    static var sequence: UInt { 0 }
    static var valid: UInt { 4 }
    static var timeStampBase: UInt { 8 }
    static var nanosecondBase: UInt { 16 }
    static var multiplier: UInt { 24 }
    static var realtimeOffset: UInt { 32 }
  }

  /// The page, to be mapped read-only right below the vDSO.
  public let frame: PageFrame
  private var sequence: UInt32 = 0

  /// Makes the page and keeps it at `clock`'s scale from here on.
  ///
  /// - Throws: `ENOMEM`.
  public init(following clock: Clock, _ frames: FrameAllocator) throws(Errno) {
    frame = try frames.allocate(.kernel, zeroed: true)
    // Address spaces map it and give it up as they come and go.
    frames.markReserved(frame.number, frame.number + 1)
    update(clock.scale)
    let previous = clock.scaleChanged
    clock.scaleChanged = { [self] scale in
      previous?(scale)
      update(scale)
    }
  }

  /// Writes `scale` into the page.
  public func update(_ scale: Clock.Scale) {
    let page = frame.physical
    sequence &+= 1
    PhysicalMemory.store(sequence, at: page + Offset.sequence)
    // x86 keeps stores in order; the barrier is for the compiler.
    CPU.memoryBarrier()
    PhysicalMemory.store(scale.tscBase, at: page + Offset.timeStampBase)
    PhysicalMemory.store(scale.nanosecondBase, at: page + Offset.nanosecondBase)
    PhysicalMemory.store(scale.multiplier, at: page + Offset.multiplier)
    PhysicalMemory.store(scale.realtimeOffset, at: page + Offset.realtimeOffset)
    PhysicalMemory.store(UInt32(1), at: page + Offset.valid)
    CPU.memoryBarrier()
    sequence &+= 1
    PhysicalMemory.store(sequence, at: page + Offset.sequence)
  }
}
