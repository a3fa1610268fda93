// Names are those that assembly and C call.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

internal import Kernel
internal import Platform

// The kernel heap behind the C allocation functions, whose own names Swift keeps for its runtime: CShims/src/heap.c.

// SAFETY: one CPU, and no interrupt handler runs while the kernel allocates.
nonisolated(unsafe) var heap = KernelHeap()

@c public func kernel_allocate(_ count: Int) -> UnsafeMutableRawPointer? {
  // SAFETY: see `heap`.
  unsafe heap.allocate(count)
}

@c public func kernel_allocate_aligned(_ alignment: Int, _ count: Int) -> UnsafeMutableRawPointer? {
  // SAFETY: see `heap`.
  unsafe heap.allocate(count, alignment: alignment)
}

@c public func kernel_free(_ pointer: UnsafeMutableRawPointer?) {
  // SAFETY: the pointer came from one of the functions above.
  if let pointer = unsafe pointer { unsafe heap.free(pointer) }
}

/// Bytes of the frames that the heap holds.
func heapBytes() -> UInt64 {
  // SAFETY: as for the heap itself.
  UInt64(unsafe heap.frameCount * pageSize)
}
