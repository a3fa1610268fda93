internal import Kernel
internal import LinuxABI
internal import VFSCore

/// A file of a share.
final class NinePInode: Inode {
  /// A name that leads here.
  struct Place {
    let directory: NinePInode
    var name: [UInt8]
  }

  let share: NinePFileSystem
  var client: NinePClient { share.client }
  /// The names that were seen. The root has none.
  var places: [Place] = []
  /// Stands for the name, not for an open file.
  var pathFid: NinePFid?
  /// The fid that reads stands for a name that there is, too.
  var readFidHasName = false
  /// Of a directory, opened.
  var directoryFid: NinePFid?
  /// Holds the locks at the server while there are any.
  var lockFid: NinePFid?
  /// Of a regular file.
  let content: NinePContent?
  /// It has no name any more.
  private(set) var isUnlinked = false
  /// The open descriptions, and those of them that write.
  private(set) var openCount = 0
  private var writingCount = 0
  /// Of a symbolic link, once it was asked for.
  private var target: [UInt8]?
  /// Of a directory: names that are not there.
  private var missing = MissingNames()
  /// Of a directory: what is in it for this guest only.
  private var local: [(name: [UInt8], inode: Inode)] = []
  /// When and how large the file was when the server was asked last: whether it has changed since, by somebody else.
  private var seenTime: Int64 = 0
  private var seenSize: Int64 = 0
  /// For `NinePInodeTable` and `NinePFileSystem`.
  var isListed = false
  var reclaimHand: UInt64 = 0

  init(_ share: NinePFileSystem, _ attributes: NinePAttributes) {
    self.share = share
    let mode = FileMode(rawValue: attributes.mode)
    content = mode.type == .S_IFREG ? NinePContent(share.client, share.environment.dirtyPages) : nil
    super.init(share, number: attributes.qid.path, mode: mode)
    ownSize = attributes.size
    update(attributes)
    share.inodes.insert(self)
  }

  deinit { (isUnlinked ? share.nameless : share.inodes).remove(self) }

  // MARK: Attributes

  /// Takes over what the server says.
  func update(_ attributes: NinePAttributes) {
    mode = FileMode(rawValue: mode.rawValue & 0o170000 | attributes.mode & 0o7777)
    uid = attributes.uid
    gid = attributes.gid
    // With room to count on, whatever a server says.
    linkCount = min(UInt32(clamping: attributes.linkCount), UInt32.max / 2)
    device = DeviceNumber(encoded: attributes.device)
    storedBlocks = attributes.blocks
    accessTime = max(accessTime, attributes.accessTime)
    // With changes on their way, what is known here is newer.
    if hasChanges { return }
    modificationTime = attributes.modificationTime
    changeTime = attributes.changeTime
    ownSize = attributes.size
    if let pageCache, pageCache.size != attributes.size { pageCache.invalidate(size: attributes.size) }
    seenTime = attributes.modificationTime
    seenSize = attributes.size
  }

  /// Whether something was written that the server may not have yet.
  var hasChanges: Bool {
    guard let pageCache else { return false }
    return pageCache.dirtyCount > 0 || pageCache.isBeingWritten
  }

  override func refresh() {
    // What is known of a file with changes is newer than the server's; the end of the changes is the time to ask.
    if isUnlinked || hasChanges { return }
    isStale = share.cache == .none
    guard let fid = try? fid(), let attributes = try? client.attributes(of: fid) else { return }
    update(attributes)
  }

  /// Asks whether somebody else has changed the file, and forgets its pages if so.
  func revalidate() throws(Errno) {
    if isUnlinked { return }
    let time = seenTime
    let size = seenSize
    let attributes = try client.attributes(of: try fid())
    if let pageCache, attributes.modificationTime != time || attributes.size != size || share.cache == .none {
      pageCache.invalidate(size: attributes.size)
    }
    update(attributes)
  }

  override func setAttributes(_ change: AttributeChange) throws(Errno) {
    if !isUnlinked {
      // What is written later would change the time.
      if change.modificationTime != nil { try flush() }
      var values = NinePClient.AttributeValues()
      if let permissions = change.permissions {
        values.valid |= NinePChange.mode
        values.mode = permissions.rawValue & 0o7777
      }
      if let uid = change.uid {
        values.valid |= NinePChange.uid
        values.uid = uid
      }
      if let gid = change.gid {
        values.valid |= NinePChange.gid
        values.gid = gid
      }
      if let time = change.accessTime {
        values.valid |= NinePChange.accessTime
        values.accessTime = time
        accessTime = time
      }
      if let time = change.modificationTime {
        values.valid |= NinePChange.modificationTime
        values.modificationTime = time
      }
      try client.setAttributes(of: try fid(), values)
      isStale = true
    }
    apply(change)
  }

  override func readLink() throws(Errno) -> [UInt8] {
    guard isSymbolicLink else { throw .EINVAL }
    if let target { return target }
    let found = try client.readLink(try fid())
    if share.cache == .loose { target = found }
    return found
  }

  override func attribute(_ name: [UInt8]) throws(Errno) -> [UInt8] {
    try client.attribute(of: try fid(), name)
  }
  override func setAttribute(
    _ name: [UInt8], _ value: [UInt8]?, _ flags: ExtendedAttributeFlags
  ) throws(Errno) {
    try client.setAttribute(of: try fid(), name, value ?? [], flags)
    isStale = true
  }
  override func attributeNames() throws(Errno) -> [[UInt8]] {
    try client.attribute(of: try fid(), []).split(separator: 0).map { [UInt8]($0) }
  }

  // MARK: Content

  /// Where the guest is the only one who changes files, it is the only one who locks them, too.
  override var lockKeeper: (any LockKeeper)? { share.cache == .none && content != nil ? self : nil }

  override func contents() throws(Errno) -> PageCache {
    if let pageCache { return pageCache }
    guard let content else { throw .EINVAL }
    let made = PageCache(frames: share.environment.frames, store: content, size: ownSize)
    pageCache = made
    return made
  }

  override func open(_ path: Path, _ flags: OpenFlags) throws(Errno) -> OpenFile {
    if isDirectory {
      _ = try openedDirectory()
      return try super.open(path, flags)
    }
    guard isRegularFile else { return try super.open(path, flags) }
    if share.cache != .loose { try revalidate() }
    try openContent(flags.accessMode)
    return NinePFile(path, flags, try contents(), self)
  }

  /// Sees to it that the server has the file open in the wanted way.
  private func openContent(_ access: OpenFlags) throws(Errno) {
    guard let content else { return }
    let reads = access != .O_WRONLY
    if access != .O_RDONLY, content.writeFid == nil {
      let fid = try client.walk(try nameFid(), [])
      do throws(Errno) {
        try client.open(fid, [.O_RDWR, .O_LARGEFILE])
        content.writeFidReads = true
      } catch {
        // Parts of pages are read before they are written, unless the server does not allow it.
        if reads || error != .EACCES { throw error }
        try client.open(fid, [.O_WRONLY, .O_LARGEFILE])
        content.writeFidReads = false
      }
      content.writeFid = fid
    }
    if reads, content.readFid == nil, content.writeFid == nil || !content.writeFidReads {
      // The fid that the look-up brought becomes the open file: nothing is walked from a file.
      let fid = try nameFid()
      pathFid = nil
      try client.open(fid, [.O_RDONLY, .O_LARGEFILE])
      content.readFid = fid
      readFidHasName = !isUnlinked
    }
  }

  func didOpen(writes: Bool) {
    openCount += 1
    if writes { writingCount += 1 }
  }
  /// The last reference to an open description is gone. Nothing may block here.
  func didClose(writes: Bool) {
    openCount -= 1
    guard writes else { return }
    writingCount -= 1
    if hasChanges {
      if !isUnlinked { share.keep(self) }
    } else if writingCount == 0 {
      closeWriteFid()
    }
  }

  /// Nobody writes any more: who reads goes on with what was opened for both.
  private func closeWriteFid() {
    guard let content else { return }
    if openCount > 0, content.readFid == nil, content.writeFidReads { content.readFid = content.writeFid }
    content.writeFid = nil
  }

  /// Writes changes to the server and waits for it.
  ///
  /// - Throws: What the server says, or said to earlier writes.
  func flush() throws(Errno) {
    // What has no name does not outlive the guest.
    guard let pageCache, content != nil, !isUnlinked else { return }
    if hasChanges { isStale = true }
    try pageCache.writeBack()
    if writingCount == 0, pageCache.dirtyCount == 0 { closeWriteFid() }
  }

  /// See `PageCache.startWriteBack(of:)`.
  func startWriteBack(of time: UInt64) -> Bool {
    guard let pageCache, pageCache.dirtyCount > 0 else { return false }
    // The server's times count from then on.
    if !isUnlinked { isStale = true }
    return pageCache.startWriteBack(of: time)
  }

  override func synchronize(dataOnly: Bool) throws(Errno) {
    try flush()
    if isUnlinked { return }
    if let fid = content?.writeFid ?? content?.readFid ?? directoryFid {
      try client.synchronize(fid, dataOnly: dataOnly)
    }
  }

  override func truncate(to size: Int64) throws(Errno) {
    let cache = try contents()
    // What is on its way must not come after the cut.
    try cache.waitForWrites()
    var isNamed = !isUnlinked
    if isNamed {
      var values = NinePClient.AttributeValues()
      values.valid = NinePChange.size
      values.size = size
      do throws(Errno) {
        try client.setAttributes(of: try fid(), values)
        isStale = true
      } catch {
        // The name may have gone in the meantime.
        guard isUnlinked else { throw error }
        isNamed = false
      }
    }
    if !isNamed { try cutNameless(cache, to: size) }
    cache.truncate(to: size)
    ownSize = size
    didModify()
  }

  /// Makes the server's file read as zeroes from `size` on: it can be told to cut by a name only, which this one lacks.
  /// Where that does not work, what is written from here on stays in memory.
  private func cutNameless(_ cache: PageCache, to size: Int64) throws(Errno) {
    guard let content, !content.keepsChanges, size < cache.storedSize else { return }
    // Nothing may be written meanwhile that the zeroes would fall upon.
    content.keepsChanges = true
    try cache.waitForWrites()
    guard let fid = content.writeFid else { return }
    do throws(Errno) {
      try client.zero(fid, from: size, to: cache.storedSize)
      content.keepsChanges = false
    } catch {
      if error == .EINTR { throw error }
    }
  }

  // MARK: Names

  /// Enters what the server does not have: a place to mount on, or a node that it refuses.
  override func addLocal(_ name: [UInt8], _ inode: Inode) { local.append((name, inode)) }

  private func localInode(_ name: [UInt8]) -> Inode? {
    for entry in local where entry.name == name { return entry.inode }
    return nil
  }

  override func lookup(_ name: [UInt8]) throws(Errno) -> Inode? {
    if let found = localInode(name) { return found }
    if missing.contains(name) { return nil }
    share.limitNames()
    let found: NinePFid
    do throws(Errno) {
      found = try client.walk(try nameFid(), [name])
    } catch {
      guard error == .ENOENT else { throw error }
      if share.cache == .loose { missing.insert(name) }
      return nil
    }
    let inode = share.inode(try client.attributes(of: found))
    inode.adopt(found)
    inode.addPlace(self, name)
    return inode
  }

  /// The inode of what was just made here.
  private func made(_ name: [UInt8], _ qid: NinePQid, _ node: NewNode) throws(Errno) -> NinePInode {
    missing.remove(name)
    var attributes = NinePAttributes(qid: qid, mode: node.mode.rawValue)
    attributes.uid = node.uid
    attributes.gid = node.gid
    let now = share.environment.now
    attributes.accessTime = now
    attributes.modificationTime = now
    attributes.changeTime = now
    attributes.device = node.device.encoded
    if node.mode.type == .S_IFDIR { attributes.linkCount = 2 }
    attributes.size = Int64(node.target.count)
    let inode = share.inode(attributes)
    inode.addPlace(self, name)
    if node.mode.type == .S_IFLNK { inode.target = node.target }
    // The server makes things for whoever attached: root.
    if node.uid != 0 {
      var values = NinePClient.AttributeValues()
      values.valid = NinePChange.uid
      values.uid = node.uid
      try? client.setAttributes(of: try inode.fid(), values)
      // With the owner went what lets a file run as its owner.
      if node.mode.rawValue & 0o6000 != 0, inode.isRegularFile {
        values.valid = NinePChange.mode
        values.mode = node.mode.rawValue & 0o7777
        try? client.setAttributes(of: try inode.fid(), values)
      }
    }
    inode.isStale = true
    didChangeEntries()
    if inode.isDirectory { linkCount += 1 }
    return inode
  }

  private func didChangeEntries() {
    didModify()
    isStale = true
  }

  override func create(_ name: [UInt8], _ node: NewNode) throws(Errno) -> Inode {
    let directory = try nameFid()
    // Whatever comes of it, the name may be there afterwards.
    missing.remove(name)
    switch node.mode.type {
    case .S_IFREG:
      let fid = try client.walk(directory, [])
      let qid = try client.create(
        fid, name, [.O_RDWR, .O_CREAT, .O_EXCL, .O_LARGEFILE], mode: node.mode, gid: node.gid)
      let inode = try made(name, qid, node)
      inode.content?.writeFid = fid
      inode.content?.writeFidReads = true
      return inode
    case .S_IFDIR:
      return try made(
        name, try client.makeDirectory(directory, name, mode: node.mode.permissions, gid: node.gid), node)
    case .S_IFLNK:
      return try made(
        name, try client.makeSymbolicLink(directory, name, target: node.target, gid: node.gid), node)
    default:
      do throws(Errno) {
        return try made(
          name, try client.makeNode(directory, name, mode: node.mode, node.device, gid: node.gid), node)
      } catch {
        // QEMU refuses to touch what is neither file nor directory. FIFOs and sockets mean something to this guest only.
        guard error == .ENXIO, node.mode.type == .S_IFIFO || node.mode.type == .S_IFSOCK else { throw error }
        let inode = Inode(share, number: .max - share.makeInodeNumber(), mode: node.mode, uid: node.uid, gid: node.gid)
        missing.remove(name)
        addLocal(name, inode)
        didModify()
        return inode
      }
    }
  }

  override func link(_ name: [UInt8], to inode: Inode) throws(Errno) {
    guard let inode = inode as? NinePInode else { throw .EXDEV }
    try client.link(try nameFid(), name, to: try inode.fid())
    missing.remove(name)
    inode.addPlace(self, name)
    inode.linkCount += 1
    inode.didChange()
    inode.isStale = true
    didChangeEntries()
  }

  /// Notes that `inode` has lost a name in this directory.
  private func didRemove(_ name: [UInt8], _ inode: NinePInode) {
    inode.removePlace(self, name)
    if share.cache == .loose { missing.insert(name) }
    if inode.isDirectory || inode.linkCount <= 1 {
      inode.linkCount = 0
      if !inode.isUnlinked {
        share.inodes.remove(inode)
        share.nameless.insert(inode)
      }
      inode.isUnlinked = true
      inode.isStale = false
      if inode.isDirectory { linkCount = max(linkCount, 3) - 1 }
    } else {
      inode.linkCount -= 1
      inode.isStale = true
    }
    inode.didChange()
    didChangeEntries()
  }

  override func unlink(_ name: [UInt8], _ inode: Inode) throws(Errno) {
    try remove(name, inode, isDirectory: false)
  }
  override func rmdir(_ name: [UInt8], _ inode: Inode) throws(Errno) {
    try remove(name, inode, isDirectory: true)
  }
  private func remove(_ name: [UInt8], _ inode: Inode, isDirectory: Bool) throws(Errno) {
    guard let inode = inode as? NinePInode else {
      if inode.isDirectory { throw .EBUSY }
      local.removeAll { $0.name == name }
      inode.linkCount = 0
      inode.didChange()
      didModify()
      return
    }
    // Others may have changed how many names there are.
    if inode.isStale, !isDirectory, inode.openCount > 0 { inode.refresh() }
    share.thinFids()
    try client.remove(try nameFid(), name, isDirectory: isDirectory)
    didRemove(name, inode)
  }

  override func rename(
    _ name: [UInt8], _ inode: Inode, to directory: Inode, _ newName: [UInt8], replacing replaced: Inode?,
    exchange: Bool
  ) throws(Errno) {
    guard let directory = directory as? NinePInode, let inode = inode as? NinePInode,
      replaced == nil || replaced is NinePInode
    else { throw .EXDEV }
    // The protocol has no such request.
    if exchange { throw .EINVAL }
    share.thinFids()
    try client.rename(try nameFid(), name, to: try directory.nameFid(), newName)
    if let replaced = replaced as? NinePInode { directory.didRemove(newName, replaced) }
    directory.missing.remove(newName)
    if share.cache == .loose { missing.insert(name) }
    // The server has put its fids right.
    for i in inode.places.indices where inode.places[i].directory === self && inode.places[i].name == name {
      inode.places[i] = Place(directory: directory, name: newName)
    }
    if inode.isDirectory, directory !== self {
      linkCount = max(linkCount, 3) - 1
      directory.linkCount += 1
    }
    inode.didChange()
    inode.isStale = true
    didChangeEntries()
    directory.didChangeEntries()
  }

  // MARK: Listing

  private func openedDirectory() throws(Errno) -> NinePFid {
    if let directoryFid { return directoryFid }
    let fid = try client.walk(try nameFid(), [])
    try client.open(fid, [.O_RDONLY, .O_DIRECTORY, .O_LARGEFILE])
    directoryFid = fid
    share.noteFid()
    return fid
  }

  /// Bytes of entries that are asked for at a time; one getdents(2) gives as much.
  private static var listingOrder: Int { 3 }

  override func readDirectory(
    from position: Int64, _ emit: (_ name: [UInt8], _ number: UInt64, _ type: UInt8, _ next: Int64) -> Bool
  ) throws(Errno) {
    // Positions 0 to 2 are the caller's, so the server's begin behind them. The last one of ext4 is the highest number
    // that there is, and nothing comes behind it; what is local does.
    if position < Self.firstLocal {
      var offset = position <= 2 ? 0 : UInt64(position - 3)
      let frames = share.environment.frames
      let block = try frames.allocateBlock(order: Self.listingOrder)
      defer { frames.release(block) }
      while true {
        let count = try client.read(
          .readdir, try openedDirectory().number, at: offset, into: block.physical,
          count: pageSize << Self.listingOrder)
        if count == 0 { break }
        var reader = NinePReader(at: block.physical, count: count)
        while let entry = try NinePEntry.next(&reader) {
          offset = entry.next
          if entry.name == [UInt8(ascii: ".")] || entry.name == [UInt8(ascii: "."), UInt8(ascii: ".")] { continue }
          if !local.isEmpty, localInode(entry.name) != nil { continue }
          let next = entry.next >= UInt64(Self.firstLocal - 3) ? Self.firstLocal : Int64(entry.next) + 3
          if !emit(entry.name, entry.qid.path, entry.type, next) { return }
        }
        if offset >= UInt64(Self.firstLocal - 3) { break }
      }
    }
    var index = Int(max(position - Self.firstLocal, 0))
    while index < local.count {
      let (name, inode) = local[index]
      index += 1
      if !emit(name, inode.number, inode.type.directoryEntryType, Self.firstLocal + Int64(index)) { return }
    }
  }

  /// Where the positions of what is local begin.
  private static var firstLocal: Int64 { .max - 65536 }
}
