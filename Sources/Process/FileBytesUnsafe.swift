internal import Kernel
internal import LinuxABI
internal import VFSCore

extension OpenFile {
  /// Reads bytes of the file into an array: fewer than `count` at its end.
  func readBytes(at offset: Int64, count: Int) throws(Errno) -> [UInt8] {
    var failure: Errno?
    // SAFETY: the writer is given the array's own storage and its length; what it did not write is cut off.
    let bytes = unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
      var writer = UserWriter(kernel: UInt(bitPattern: buffer.baseAddress), count: count)
      do throws(Errno) {
        while writer.remaining > 0 {
          if try read(into: &writer, at: offset + Int64(writer.transferred)) == 0 { break }
        }
      } catch {
        failure = error
      }
      initialized = writer.transferred
    }
    if let failure { throw failure }
    return bytes
  }
}
