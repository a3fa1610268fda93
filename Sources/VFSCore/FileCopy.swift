internal import Kernel
public import LinuxABI
internal import Platform

extension OpenFile {
  /// Bytes that pass through the kernel at a time, as a block of frames.
  private final var copyOrder: Int { 4 }

  /// Copies from `position` on to another description, until this file ends, the other takes no more, or a signal comes.
  /// See sendfile(2) and copy_file_range(2).
  ///
  /// - Parameters:
  ///   - position: Where to read; moves by what was written.
  ///   - targetPosition: Where to write, or nil for the target's own offset, which moves.
  /// - Returns: Bytes written.
  /// - Throws: What the first piece met, `ERESTARTSYS` for a signal before it; later errors end the copy.
  public final func copy(
    to target: OpenFile, from position: inout Int64, at targetPosition: Int64?, count: Int
  ) throws(Errno) -> Int {
    if count == 0 { return 0 }
    let frames = inode.fileSystem.environment.frames
    let order = count <= pageSize ? 0 : copyOrder
    let block: PageFrame
    var capacity = pageSize << order
    if let whole = try? frames.allocateBlock(order: order, .user) {
      block = whole
    } else {
      block = try frames.allocate(.user)
      capacity = pageSize
    }
    defer { frames.release(block) }
    let buffer = AddressLayout.kernelBase + block.physical
    var total = 0
    while total < count {
      if total > 0 {
        CPU.interruptWindow()
        if Task.current.hasInterrupt { break }
      }
      do throws(Errno) {
        var writer = UserWriter(kernel: buffer, count: min(capacity, count - total))
        let read = try self.read(into: &writer, at: position)
        if read == 0 { break }
        var reader = UserReader(kernel: buffer, count: read)
        let written = try target.write(from: &reader, at: targetPosition.map { $0 &+ Int64(total) })
        position &+= Int64(written)
        total += written
        if written < read { break }
      } catch {
        if total == 0 { throw error }
        break
      }
    }
    return total
  }
}
