internal import Kernel
internal import LinuxABI
internal import VFSCore

/// An open regular file of a share.
final class NinePFile: RegularFile {
  private let file: NinePInode
  private let writes: Bool

  init(_ path: Path, _ flags: OpenFlags, _ cache: PageCache, _ inode: NinePInode) {
    file = inode
    writes = flags.isWritable
    super.init(path, flags, cache)
    inode.didOpen(writes: writes)
  }

  deinit { file.didClose(writes: writes) }

  private var isCached: Bool { file.share.cache != .none }

  override func read(into writer: inout UserWriter, at position: Int64?) throws(Errno) -> Int {
    if !isCached { try file.revalidate() }
    return try super.read(into: &writer, at: position)
  }

  override func write(from reader: inout UserReader, at position: Int64?) throws(Errno) -> Int {
    if !isCached { try file.revalidate() }
    let count = try super.write(from: &reader, at: position)
    if !isCached || !flags.isDisjoint(with: .O_SYNC) || file.share.flags.contains(.MS_SYNCHRONOUS) { try file.flush() }
    return count
  }

  /// The protocol has no request for it.
  override func allocate(_ mode: FallocateMode, offset: Int64, count: Int64) throws(Errno) { throw .EOPNOTSUPP }

  override func closed() throws(Errno) {
    if writes { try file.flush() }
  }
}
