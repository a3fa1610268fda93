public import Kernel
public import LinuxABI

/// An open directory. `offset` is the position in it, as `d_off` gives it.
open class DirectoryFile: OpenFile {
  /// Lists the entries of a directory whose dentries are not all of it. See `Inode.readDirectory`.
  open func listEntries(
    from position: Int64, _ emit: (_ name: [UInt8], _ number: UInt64, _ type: UInt8, _ next: Int64) -> Bool
  ) throws(Errno) {
    try inode.readDirectory(from: position, emit)
  }

  override public func read(into writer: inout UserWriter, at position: Int64?) throws(Errno) -> Int {
    throw Int64(writer.remaining) > .max - max(position ?? 0, 0) ? .EINVAL : .EISDIR
  }

  override public func readDirectory(into records: inout DirectoryRecords) throws(Errno) {
    let dentry = path.dentry
    if dentry.isDetached { throw .ENOENT }
    defer { if !flags.contains(.O_NOATIME) { inode.didAccess(on: path.mount) } }
    if offset == 0 {
      guard records.append([UInt8(ascii: ".")], inode.number, DirectoryEntryType.DT_DIR, next: 1) else { return }
      offset = 1
    }
    if offset == 1 {
      let parent = dentry === path.mount.root ? path.mount.parent?.dentry.parent : dentry.parent
      let number = (parent ?? dentry).inode.number
      let name = [UInt8(ascii: "."), UInt8(ascii: ".")]
      guard records.append(name, number, DirectoryEntryType.DT_DIR, next: 2) else { return }
      offset = 2
    }
    if inode.fileSystem.childPolicy != .complete {
      var position = offset
      try listEntries(from: position) { name, number, type, next in
        guard records.append(name, number, type, next: next) else { return false }
        position = next
        return true
      }
      offset = position
      return
    }
    // From the newest to the oldest; a position is the cookie of the entry in front of it.
    var cookie = offset == 2 ? Int64.max : offset
    while let (child, next) = dentry.children.entry(before: cookie) {
      guard records.append(child.name, child.inode.number, child.inode.type.directoryEntryType, next: next) else {
        return
      }
      cookie = next
      offset = next
    }
    if offset == 2 { offset = DirectoryTable.firstCookie }
  }

  override public func seek(_ distance: Int64, _ whence: SeekWhence) throws(Errno) -> Int64 {
    let origin: Int64
    switch whence {
    case .SEEK_SET: origin = 0
    case .SEEK_CUR: origin = offset
    default: throw .EINVAL
    }
    let (target, overflow) = origin.addingReportingOverflow(distance)
    guard !overflow, target >= 0 else { throw .EINVAL }
    offset = target
    return target
  }

  override public var isPollable: Bool { false }
  override public func synchronize(dataOnly: Bool) throws(Errno) { try inode.synchronize(dataOnly: dataOnly) }
}

/// The buffer of getdents(2) being filled.
public struct DirectoryRecords {
  /// How records are laid out: `struct linux_dirent64`, or getdents(2)'s `struct linux_dirent` with the type at the end.
  public enum Format: Sendable { case dirent64, dirent }

  /// The records so far, ready to be copied out.
  public private(set) var bytes: [UInt8] = []
  private let capacity: Int
  private let format: Format
  /// An entry did not fit.
  public private(set) var isFull = false

  /// Makes room for records of `capacity` bytes in all.
  public init(capacity: Int, format: Format = .dirent64) {
    // One call hands over at most this much; the program calls again.
    self.capacity = min(capacity, 32768)
    self.format = format
    bytes.reserveCapacity(min(self.capacity, 2048))
  }

  /// No entry fits although there is one: `EINVAL`.
  public var isTooSmall: Bool { isFull && bytes.isEmpty }

  /// Appends a record; false when there is no room for it.
  public mutating func append(_ name: [UInt8], _ number: UInt64, _ type: UInt8, next: Int64) -> Bool {
    let nameOffset = format == .dirent64 ? 19 : 18
    // The old layout ends with the type, behind the name's NUL.
    let length = (nameOffset + name.count + (format == .dirent64 ? 1 : 2) + 7) & ~7
    guard length <= capacity - bytes.count else {
      isFull = true
      return false
    }
    let end = bytes.count + length
    append(number)
    append(UInt64(bitPattern: next))
    bytes.append(UInt8(truncatingIfNeeded: length))
    bytes.append(UInt8(truncatingIfNeeded: length >> 8))
    if format == .dirent64 { bytes.append(type) }
    bytes.append(contentsOf: name)
    while bytes.count < end { bytes.append(0) }
    if format == .dirent { bytes[end - 1] = type }
    return true
  }

  private mutating func append(_ value: UInt64) {
    for shift in stride(from: UInt64(0), to: 64, by: 8) { bytes.append(UInt8(truncatingIfNeeded: value >> shift)) }
  }
}
