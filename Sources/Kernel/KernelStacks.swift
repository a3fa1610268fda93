public import LinuxABI
internal import Platform

/// Kernel stacks: each in a slot of its own with an unmapped guard page below, so that an overflow is a double fault
/// with a report and never silent damage.
public final class KernelStacks {
  private let table: PageTable
  private let frames: FrameAllocator
  private var freeSlots: [UInt] = []
  private var nextSlot: UInt = 0
  private static var slotPages: UInt { 8 }

  public init(_ table: PageTable, _ frames: FrameAllocator) {
    self.table = table
    self.frames = frames
  }

  /// Maps a stack; returns one past its highest address.
  ///
  /// - Throws: `ENOMEM`.
  public func allocate() throws(Errno) -> UInt {
    let slot: UInt
    if let reused = freeSlots.popLast() {
      slot = reused
    } else {
      slot = nextSlot
      nextSlot += 1
    }
    let top = AddressLayout.stackBase + (slot + 1) * Self.slotPages * UInt(pageSize)
    for i in 1...Task.stackPages {
      do {
        let frame = try frames.allocate(.kernel)
        try table.map(
          top - UInt(i * pageSize),
          PageTableEntry(frame.physical, [.present, .writable, .accessed, .dirty, .global, .noExecute]), frames)
      } catch {
        free(top)
        throw error
      }
    }
    return top
  }

  /// Gives a stack back. Nothing may run on it.
  public func free(_ top: UInt) {
    let bottom = top - UInt(Task.stackPages * pageSize)
    table.update(bottom, top, frames) { address, entry, _ in
      frames.release(entry.frame)
      CPU.invalidate(address)
      return .empty
    }
    freeSlots.append((top - AddressLayout.stackBase) / (Self.slotPages * UInt(pageSize)) - 1)
  }

  /// Whether a fault at this address is a stack that ran over.
  public static func isGuard(_ address: UInt) -> Bool {
    guard address >= AddressLayout.stackBase, address < AddressLayout.heapBase else { return false }
    let offset = (address - AddressLayout.stackBase) % (slotPages * UInt(pageSize))
    return offset < (slotPages - UInt(Task.stackPages)) * UInt(pageSize)
  }
}
