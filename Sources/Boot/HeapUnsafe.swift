internal import Kernel
internal import Platform

// The kernel heap behind the C allocation functions, whose own names Swift keeps for its runtime: CShims/src/heap.c.

// SAFETY: one CPU, and no interrupt handler runs while the kernel allocates.
nonisolated(unsafe) var heap = KernelHeap()

@c public func kernel_allocate(_ count: Int) -> UnsafeMutableRawPointer? {
  unsafe heap.allocate(count)
}

@c public func kernel_allocate_zeroed(_ count: Int, _ size: Int) -> UnsafeMutableRawPointer? {
  let (bytes, overflow) = count.multipliedReportingOverflow(by: size)
  guard !overflow, let pointer = unsafe heap.allocate(bytes) else { return nil }
  // SAFETY: the allocation is at least that long.
  unsafe pointer.initializeMemory(as: UInt8.self, repeating: 0, count: bytes)
  return unsafe pointer
}

@c public func kernel_reallocate(_ old: UnsafeMutableRawPointer?, _ count: Int) -> UnsafeMutableRawPointer? {
  guard let old = unsafe old else { return unsafe heap.allocate(count) }
  let had = unsafe heap.size(of: old)
  if had >= count { return unsafe old }
  guard let new = unsafe heap.allocate(count) else { return nil }
  // SAFETY: both are allocations of at least `had` bytes.
  unsafe new.copyMemory(from: old, byteCount: had)
  unsafe heap.free(old)
  return unsafe new
}

@c public func kernel_allocate_aligned(_ alignment: Int, _ count: Int) -> UnsafeMutableRawPointer? {
  unsafe heap.allocate(count, alignment: alignment)
}

@c public func kernel_free(_ pointer: UnsafeMutableRawPointer?) {
  // SAFETY: the pointer came from one of the functions above.
  if let pointer = unsafe pointer { unsafe heap.free(pointer) }
}
