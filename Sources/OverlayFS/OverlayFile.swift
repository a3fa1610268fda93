internal import Kernel
internal import LinuxABI
internal import VFSCore

/// An open regular file of an overlay: the open file of the layer that has it.
///
/// One that was opened before the file was copied to the upper layer goes on with the copy, as Linux has it; what was
/// mapped before stays the lower file's.
final class OverlayFile: OpenFile {
  private let file: OverlayInode
  private var real: OpenFile

  init(_ path: Path, _ flags: OpenFlags, _ inode: OverlayInode, _ real: OpenFile) {
    file = inode
    self.real = real
    super.init(path, flags)
  }

  /// The open file that calls go to.
  private func current() throws(Errno) -> OpenFile {
    if real.inode === file.real { return real }
    let copy = try file.openReal(flags)
    if real.inode !== file.real { real = copy }
    return real
  }

  override func setStatusFlags(_ new: OpenFlags) throws(Errno) {
    try super.setStatusFlags(new)
    try real.setStatusFlags(new)
  }

  override func read(into writer: inout UserWriter, at position: Int64?) throws(Errno) -> Int {
    let file = try current()
    let start = position ?? offset
    // Nobody has accessed anything then.
    if writer.remaining == 0, isReadable, start >= 0 { return 0 }
    let count = try file.read(into: &writer, at: start)
    if position == nil { offset = start &+ Int64(count) }
    return count
  }

  override func write(from reader: inout UserReader, at position: Int64?) throws(Errno) -> Int {
    let file = try current()
    if position != nil { return try file.write(from: &reader, at: position) }
    // With O_APPEND the offset is where the file ends afterwards: the real file knows.
    file.offset = offset
    let count = try file.write(from: &reader, at: nil)
    offset = file.offset
    return count
  }

  override func seek(_ distance: Int64, _ whence: SeekWhence) throws(Errno) -> Int64 {
    let file = try current()
    file.offset = offset
    offset = try file.seek(distance, whence)
    return offset
  }

  override func control(_ request: IoctlRequest, _ argument: UInt) throws(Errno) -> Int {
    let file = try current()
    file.offset = offset
    return try file.control(request, argument)
  }

  override var isPollable: Bool { false }

  override func synchronize(dataOnly: Bool) throws(Errno) { try current().synchronize(dataOnly: dataOnly) }

  override func truncate(to size: Int64) throws(Errno) {
    guard isWritable, size >= 0 else { throw .EINVAL }
    try file.truncate(to: size)
  }

  override func allocate(_ mode: FallocateMode, offset: Int64, count: Int64) throws(Errno) {
    try current().allocate(mode, offset: offset, count: count)
  }

  override func mappingCache() throws(Errno) -> PageCache? { try current().mappingCache() }
  override var mappedFile: OpenFile { OverlayMapping(self, real) }

  override func closed() throws(Errno) { try real.closed() }
}

/// What a mapping of a file holds: not the description, whose locks end with its last descriptor as they do in Linux,
/// where a mapping holds the file of the layer.
private final class OverlayMapping: OpenFile {
  private let real: OpenFile

  init(_ file: OverlayFile, _ real: OpenFile) {
    self.real = real
    super.init(file.path, .O_PATH)
  }

  override func synchronize(dataOnly: Bool) throws(Errno) { try real.synchronize(dataOnly: dataOnly) }
}

/// An open directory of an overlay. What is in it is collected when it is read from the start, and stays the same until
/// then: so an entry that is removed meanwhile moves no other.
final class OverlayDirectoryFile: DirectoryFile {
  private let directory: OverlayInode
  private var entries: OverlayListing?

  init(_ path: Path, _ flags: OpenFlags, _ inode: OverlayInode) {
    directory = inode
    super.init(path, flags)
  }

  override func listEntries(
    from position: Int64, _ emit: (_ name: [UInt8], _ number: UInt64, _ type: UInt8, _ next: Int64) -> Bool
  ) throws(Errno) {
    let listing: OverlayListing
    if let entries, position > 2 {
      listing = entries
    } else {
      listing = OverlayListing()
      try listing.add(directory)
      entries = listing
    }
    listing.emit(from: position, emit)
  }
}

/// The entries of a directory of an overlay, in the order of its layers.
final class OverlayListing {
  struct Entry {
    let name: [UInt8]
    var number: UInt64
    let type: UInt8
    let isWhiteout: Bool
    /// A directory of the upper layer, which goes by the number of one below, if there is one.
    var awaitsNumber: Bool
  }
  private(set) var entries: [Entry] = []
  /// Whether whiteouts are listed: where there is one layer only, Linux lists its directory as it is.
  private var showsWhiteouts = false
  /// Positions in `entries`, counted from 1, by the hash of the name; only where several layers are merged.
  private var index: [UInt32] = []

  /// Whether nothing is in it.
  var isEmpty: Bool {
    for entry in entries where !entry.isWhiteout { return false }
    return true
  }

  /// Lists the entries behind `position`, as `Inode.readDirectory` has it.
  func emit(
    from position: Int64, _ emit: (_ name: [UInt8], _ number: UInt64, _ type: UInt8, _ next: Int64) -> Bool
  ) {
    var index = Int(clamping: max(position, 2) - 2)
    while index < entries.count {
      let entry = entries[index]
      index += 1
      if entry.isWhiteout, !showsWhiteouts { continue }
      if !emit(entry.name, entry.number, entry.type, Int64(index) + 2) { return }
    }
  }

  /// Collects what is in a directory.
  func add(_ directory: OverlayInode) throws(Errno) {
    let overlay = directory.overlay
    let isMerged = directory.isMerged
    showsWhiteouts = !isMerged
    if let upper = directory.upper, let layer = overlay.upper {
      upper.forEachChild { child in
        let inode = child.inode
        let isOpen = inode.isDirectory && isMerged && !OverlayAttribute.isOpaque(inode)
        let known = inode.isDirectory ? nil : overlay.pinned.find(inode)?.number
        add(
          Entry(
            name: child.name, number: known ?? layer.number(inode.number), type: inode.type.directoryEntryType,
            isWhiteout: inode.isWhiteout, awaitsNumber: isOpen), isMerged)
      }
    }
    for lower in directory.lowers {
      let real = lower.dentry
      if real.inode.fileSystem.childPolicy == .complete {
        real.forEachChild { child in
          let inode = child.inode
          add(
            Entry(
              name: child.name, number: lower.layer.number(inode.number), type: inode.type.directoryEntryType,
              isWhiteout: inode.isWhiteout, awaitsNumber: false), isMerged)
        }
        continue
      }
      var devices: [Entry] = []
      try real.inode.readDirectory(from: 2) { name, number, type, _ in
        let entry = Entry(
          name: name, number: lower.layer.number(number), type: type, isWhiteout: false, awaitsNumber: false)
        if type == DirectoryEntryType.DT_CHR { devices.append(entry) } else { add(entry, isMerged) }
        return true
      }
      for device in devices {
        let isWhiteout = try real.lookup(device.name)?.inode.isWhiteout ?? true
        add(
          Entry(
            name: device.name, number: device.number, type: device.type, isWhiteout: isWhiteout,
            awaitsNumber: false), isMerged)
      }
    }
  }

  /// Adds an entry, unless a layer above has the name.
  private func add(_ entry: Entry, _ isMerged: Bool) {
    if isMerged {
      if (entries.count + 1) * 2 > index.count { grow() }
      var slot = Int(truncatingIfNeeded: Self.hash(entry.name)) & (index.count - 1)
      while index[slot] != 0 {
        let at = Int(index[slot]) - 1
        if entries[at].name == entry.name {
          if entries[at].awaitsNumber, entry.type == DirectoryEntryType.DT_DIR { entries[at].number = entry.number }
          entries[at].awaitsNumber = false
          return
        }
        slot = (slot + 1) & (index.count - 1)
      }
      index[slot] = UInt32(entries.count + 1)
    }
    entries.append(entry)
  }

  private func grow() {
    index = [UInt32](repeating: 0, count: max(index.count * 2, 32))
    for at in entries.indices {
      var slot = Int(truncatingIfNeeded: Self.hash(entries[at].name)) & (index.count - 1)
      while index[slot] != 0 { slot = (slot + 1) & (index.count - 1) }
      index[slot] = UInt32(at + 1)
    }
  }

  private static func hash(_ name: [UInt8]) -> UInt32 {
    var hash: UInt32 = 2_166_136_261
    for byte in name { hash = (hash ^ UInt32(byte)) &* 16_777_619 }
    return hash ^ hash >> 16
  }
}
