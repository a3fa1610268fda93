public import Kernel
public import LinuxABI

/// An open regular file, over its page cache.
open class RegularFile: OpenFile {
  public final let cache: PageCache

  public init(_ path: Path, _ flags: OpenFlags, _ cache: PageCache) {
    self.cache = cache
    super.init(path, flags)
  }

  override open func read(into writer: inout UserWriter, at position: Int64?) throws(Errno) -> Int {
    guard isReadable else { throw .EBADF }
    let start = position ?? offset
    guard start >= 0, Int64(writer.remaining) <= .max - start else { throw .EINVAL }
    let count = try cache.read(into: &writer, at: start)
    if position == nil { offset = start &+ Int64(count) }
    if !flags.contains(.O_NOATIME) { inode.didAccess(on: path.mount) }
    return count
  }

  override open func write(from reader: inout UserReader, at position: Int64?) throws(Errno) -> Int {
    guard isWritable else { throw .EBADF }
    var start = position ?? offset
    guard start >= 0, Int64(reader.remaining) <= .max - start else { throw .EINVAL }
    if reader.remaining == 0 { return 0 }
    if flags.contains(.O_APPEND) { start = cache.size }
    // The last byte that a file can have is at Int64.max - 1.
    guard start < .max else { throw .EFBIG }
    if Int64(reader.remaining) > .max - start { reader.limit(to: Int(.max - start)) }
    let count = try cache.write(from: &reader, at: start)
    inode.didModify()
    if position == nil { offset = start &+ Int64(count) }
    return count
  }

  override public func seek(_ distance: Int64, _ whence: SeekWhence) throws(Errno) -> Int64 {
    let origin: Int64
    switch whence {
    case .SEEK_SET: origin = 0
    case .SEEK_CUR: origin = offset
    case .SEEK_END: origin = cache.size
    case .SEEK_DATA:
      guard distance >= 0, distance < cache.size else { throw .ENXIO }
      guard let found = cache.nextData(from: distance) else { throw .ENXIO }
      offset = found
      return found
    case .SEEK_HOLE:
      guard distance >= 0, distance < cache.size else { throw .ENXIO }
      offset = cache.nextHole(from: distance)
      return offset
    }
    let (target, overflow) = origin.addingReportingOverflow(distance)
    guard !overflow, target >= 0 else { throw .EINVAL }
    offset = target
    return target
  }

  override public func control(_ request: IoctlRequest, _ argument: UInt) throws(Errno) -> Int {
    switch request {
    case .FIONREAD:
      let left = Int32(clamping: cache.size &- offset)
      try UserMemory.store(left, at: argument)
      return 0
    case .FIGETBSZ:
      try UserMemory.store(Int32(pageSize), at: argument)
      return 0
    default: throw .ENOTTY
    }
  }

  override public var isPollable: Bool { false }

  override public func synchronize(dataOnly: Bool) throws(Errno) { try inode.synchronize(dataOnly: dataOnly) }

  override public func truncate(to size: Int64) throws(Errno) {
    guard isWritable, size >= 0 else { throw .EINVAL }
    try inode.truncate(to: size)
  }

  override open func allocate(_ mode: FallocateMode, offset: Int64, count: Int64) throws(Errno) {
    guard isWritable else { throw .EBADF }
    guard offset >= 0, count > 0 else { throw .EINVAL }
    let (end, overflow) = offset.addingReportingOverflow(count)
    if overflow { throw .EFBIG }
    let keepsSize = mode.contains(.FALLOC_FL_KEEP_SIZE)
    switch mode.subtracting(.FALLOC_FL_KEEP_SIZE) {
    case []: try cache.allocate(offset, end)
    case .FALLOC_FL_PUNCH_HOLE:
      guard keepsSize else { throw .EOPNOTSUPP }
      try cache.punchHole(offset, end)
    default: throw .EOPNOTSUPP
    }
    if !keepsSize, end > cache.size { cache.truncate(to: end) }
    inode.didModify()
  }

  override public func mappingCache() throws(Errno) -> PageCache? { cache }
}
