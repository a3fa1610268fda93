internal import Kernel
internal import LinuxABI
internal import Support
internal import VFSCore

/// A file in a lower layer.
struct OverlayPlace {
  let layer: OverlayLayer
  let dentry: Dentry

  init(_ layer: OverlayLayer, _ dentry: Dentry) {
    self.layer = layer
    self.dentry = dentry
  }
  var number: UInt64 { layer.number(dentry.inode.number) }
}

/// A file as it is seen through the layers.
///
/// Its attributes are those of the real inode, the upper one where there is one: `refresh` takes them over. A directory
/// may be in several layers; of anything else only the topmost counts, and what lies below is where it was copied from.
final class OverlayInode: Inode {
  let overlay: OverlayFileSystem
  /// Where it is in the upper layer. Of a file with several names, one of them, or one that it had.
  private(set) var upper: Dentry?
  /// Where it is in lower layers: of a directory all, of others one at the most.
  let lowers: [OverlayPlace]
  /// Where it is, as long as it is in no upper layer or a directory: these have one name.
  var directory: OverlayInode?
  var name: [UInt8]
  /// It has no name any more.
  private(set) var isUnlinked = false

  init(
    _ overlay: OverlayFileSystem, _ upper: Dentry?, _ lowers: [OverlayPlace], in directory: OverlayInode?,
    _ name: [UInt8]
  ) {
    self.overlay = overlay
    self.upper = upper
    self.lowers = lowers
    self.directory = directory
    self.name = name
    let real = (upper ?? lowers[0].dentry).inode
    let number: UInt64
    if let lower = lowers.first {
      number = lower.number
    } else {
      number = overlay.upper?.number(real.number) ?? real.number
    }
    super.init(overlay, number: number, mode: real.mode)
    overlay.inodeCount += 1
    device = real.device
    birthTime = real.birthTime
    takeAttributes()
    isStale = true
  }

  deinit { overlay.inodeCount -= 1 }

  /// The inode that has the content and the attributes.
  var real: Inode { (upper ?? lowers[0].dentry).inode }
  /// A directory whose entries come from several layers.
  var isMerged: Bool { isDirectory && !lowers.isEmpty && (upper != nil || lowers.count > 1) }

  // MARK: Attributes

  override func refresh() {
    passTimesOn()
    let real = real
    if real.isStale { real.refresh() }
    takeAttributes()
  }

  /// Tells the upper inode what was noted here: a directory that was listed, a page that was changed through a mapping.
  private func passTimesOn() {
    guard let real = upper?.inode else { return }
    real.accessTime = max(real.accessTime, accessTime)
    real.modificationTime = max(real.modificationTime, modificationTime)
    real.changeTime = max(real.changeTime, changeTime)
  }

  /// Takes over what the real inode has.
  private func takeAttributes() {
    let real = real
    mode = real.mode
    uid = real.uid
    gid = real.gid
    if !isUnlinked { linkCount = isMerged ? 1 : real.linkCount }
    accessTime = real.accessTime
    modificationTime = real.modificationTime
    changeTime = real.changeTime
    ownSize = real.ownSize
    storedBlocks = real.storedBlocks
    pageCache = real.pageCache
  }

  /// Changes the file in the upper layer, to which it is copied first, and takes over what it is then.
  private func change(_ body: (Inode) throws(Errno) -> Void) throws(Errno) {
    try copyUp()
    passTimesOn()
    let real = real
    try body(real)
    takeAttributes()
  }

  override var shownLinkCount: UInt32 { isMerged ? 1 : real.linkCount }

  override func setAttributes(_ change: AttributeChange) throws(Errno) {
    try self.change { (real) throws(Errno) in try real.setAttributes(change) }
  }

  override func readLink() throws(Errno) -> [UInt8] { try real.readLink() }

  // MARK: Extended attributes

  override func accessControlList(isDefault: Bool) -> AccessControlList? {
    real.accessControlList(isDefault: isDefault)
  }
  override func attribute(_ name: [UInt8]) throws(Errno) -> [UInt8] {
    try real.attribute(OverlayAttribute.escaped(name))
  }
  override func setAttribute(
    _ name: [UInt8], _ value: [UInt8]?, _ flags: ExtendedAttributeFlags
  ) throws(Errno) {
    // Linux copies nothing for an attribute that is not there.
    if value == nil, upper == nil { _ = try attribute(name) }
    try change { (real) throws(Errno) in
      try real.setAttribute(OverlayAttribute.escaped(name), value, flags)
    }
  }
  override func attributeNames() throws(Errno) -> [[UInt8]] {
    try real.attributeNames().compactMap { OverlayAttribute.unescaped($0) }
  }

  // MARK: Content

  override func open(_ path: Path, _ flags: OpenFlags) throws(Errno) -> OpenFile {
    if isDirectory { return OverlayDirectoryFile(path, flags, self) }
    guard isRegularFile else { return try super.open(path, flags) }
    if flags.isWritable || flags.contains(.O_TRUNC) { try copyUp(withContent: !flags.contains(.O_TRUNC)) }
    return OverlayFile(path, flags, self, try openReal(flags))
  }

  /// Opens the file in the layer that has it.
  func openReal(_ flags: OpenFlags) throws(Errno) -> OpenFile {
    let flags = flags.subtracting([.O_CREAT, .O_EXCL, .O_TRUNC, .O_NOFOLLOW])
    if let upper, let layer = overlay.upper { return try upper.inode.open(Path(layer.mount, upper), flags) }
    let lower = lowers[0]
    return try lower.dentry.inode.open(Path(lower.layer.mount, lower.dentry), flags)
  }

  override func contents() throws(Errno) -> PageCache {
    let cache = try real.contents()
    pageCache = cache
    return cache
  }

  override func truncate(to size: Int64) throws(Errno) {
    try copyUp(withContent: size > 0)
    passTimesOn()
    try real.truncate(to: size)
    takeAttributes()
  }

  // MARK: Names: see OverlayInode+Names.swift

  override func lookup(_ name: [UInt8]) throws(Errno) -> Inode? { try find(name) }
  override func create(_ name: [UInt8], _ node: NewNode) throws(Errno) -> Inode { try make(name, node) }
  /// For an overlay that this one is a layer of. Others list through `OverlayDirectoryFile`.
  override func readDirectory(
    from position: Int64, _ emit: (_ name: [UInt8], _ number: UInt64, _ type: UInt8, _ next: Int64) -> Bool
  ) throws(Errno) {
    let listing = OverlayListing()
    try listing.add(self)
    listing.emit(from: position, emit)
  }
  override func createUnnamed(_ node: NewNode) throws(Errno) -> Inode { try makeUnnamed(node) }
  override func link(_ name: [UInt8], to inode: Inode) throws(Errno) { try addName(name, to: try own(inode)) }
  override func unlink(_ name: [UInt8], _ inode: Inode) throws(Errno) { try removeName(name, try own(inode)) }
  override func rmdir(_ name: [UInt8], _ inode: Inode) throws(Errno) { try removeName(name, try own(inode)) }
  override func rename(
    _ name: [UInt8], _ inode: Inode, to directory: Inode, _ newName: [UInt8], replacing replaced: Inode?,
    exchange: Bool
  ) throws(Errno) {
    var target: OverlayInode?
    if let replaced { target = try own(replaced) }
    try moveName(
      name, try own(inode), to: try own(directory), newName, replacing: target, exchange: exchange)
  }
  private func own(_ inode: Inode) throws(Errno) -> OverlayInode {
    guard let inode = inode as? OverlayInode else { throw .EXDEV }
    return inode
  }

  // MARK: For the parts of this type in other files

  /// Notes that the file is in the upper layer now.
  func didCopyUp(to dentry: Dentry) {
    let hadSeveralNames = real.linkCount > 1 && !isDirectory
    upper = dentry
    // The names that it had together with this one lead to another file now.
    if hadSeveralNames { number = overlay.upper?.number(dentry.inode.number) ?? number }
    if !isDirectory, !isUnlinked { overlay.pinned.insert(self) }
    takeAttributes()
  }

  /// Notes that a name is gone.
  func didLoseName() {
    if let upper, !isDirectory {
      linkCount = upper.inode.linkCount
    } else {
      linkCount = 0
    }
    changeTime = fileSystem.environment.now
    if linkCount > 0 { return }
    isUnlinked = true
    overlay.pinned.remove(self)
  }

  /// Notes that a file without a name has got one.
  func didGainName(_ dentry: Dentry) {
    isUnlinked = false
    upper = dentry
    overlay.pinned.insert(self)
    takeAttributes()
  }

  /// Notes that it was made without a name.
  func startWithoutName() {
    isUnlinked = true
    linkCount = 0
  }
}

/// What overlayfs keeps in extended attributes: `trusted.overlay.`. A program's own of such names are stored under longer
/// ones, so that overlays can be nested.
enum OverlayAttribute {
  static var prefix: [UInt8] { ("trusted.overlay." as StaticString).bytes }
  static var opaque: [UInt8] { ("trusted.overlay.opaque" as StaticString).bytes }

  static func escaped(_ name: [UInt8]) -> [UInt8] {
    name.starts(with: prefix) ? prefix + ("overlay." as StaticString).bytes + name[prefix.count...] : name
  }

  /// The name as it is seen through the overlay; nil for what is the overlay's own.
  static func unescaped(_ name: [UInt8]) -> [UInt8]? {
    guard name.starts(with: prefix) else { return name }
    let rest = name[prefix.count...]
    let nested = ("overlay." as StaticString).bytes
    return rest.starts(with: nested) ? prefix + rest.dropFirst(nested.count) : nil
  }

  /// Whether nothing below a directory of this name is seen.
  static func isOpaque(_ directory: Inode) -> Bool {
    guard let value = try? directory.attribute(opaque) else { return false }
    return value == [UInt8(ascii: "y")]
  }
}

extension Inode {
  /// Whether it says that there is nothing of this name: a character device that no driver has.
  var isWhiteout: Bool {
    type == .S_IFCHR && device.major == 0 && device.minor == 0
  }
}
