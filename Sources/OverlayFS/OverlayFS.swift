// OverlayFS: a tree that can be written over trees that stay as they are, such as the initrd or a directory of the host.
// The semantics are those of Linux's overlayfs (Documentation/filesystems/overlayfs.rst) with its default options.
//
// `OverlayFileSystem` has the layers, `OverlayInode` is a file as seen through them, `OverlayFile` and
// `OverlayDirectoryFile` are open ones. The layers are dentries of other file systems, whichever those are; the upper
// one is in memory. So nothing sleeps between two changes there, and what may sleep, a lower layer, never changes:
// every operation first does what may sleep, looks again whether the names are still what they were, and then changes
// the upper layer in one go.
internal import Kernel
public import LinuxABI
public import VFSCore

/// A tree of a file system that an overlay is made of, and the mount that its files are opened through.
public final class OverlayLayer {
  let root: Dentry
  let mount: Mount
  /// What inode numbers of this layer's file system are told apart by.
  fileprivate(set) var numberSpace: UInt64 = 0

  /// Makes a layer of what lies below `root`.
  ///
  /// - Parameter isUpper: Whether it takes changes.
  public init(_ root: Dentry, isUpper: Bool) {
    self.root = root
    mount = Mount(layer: root, flags: isUpper ? .ST_RELATIME : [.ST_RDONLY, .ST_NOATIME])
  }

  /// The number in the overlay of an inode of this layer: another one for each file of each file system, as with
  /// Linux's `xino`, and the file's own where all layers are of one file system or the number is the bottom's.
  func number(_ own: UInt64) -> UInt64 { own ^ numberSpace << 56 }
}

/// An overlay.
public final class OverlayFileSystem: FileSystem {
  let upper: OverlayLayer?
  /// From the topmost to the bottom.
  let lowers: [OverlayLayer]
  /// Files that are known by more than their dentry.
  let pinned = OverlayInodeTable()
  /// Inodes that there are.
  var inodeCount = 0
  private var pruneParity: UInt32 = 0

  /// Lays `upper`, which must be in memory, over `lowers`.
  public init(
    _ environment: FileSystemEnvironment, upper: OverlayLayer?, lowers: [OverlayLayer], optionText: [UInt8] = []
  ) {
    self.upper = upper
    self.lowers = lowers
    super.init(
      environment, typeName: "overlay", magic: FilesystemMagic.OVERLAYFS_SUPER_MAGIC, childPolicy: .cached)
    self.optionText = optionText
    var spaces: [FileSystem] = []
    for layer in lowers.reversed() + (upper.map { [$0] } ?? []) {
      let fileSystem = layer.mount.fileSystem
      var space = 0
      while space < spaces.count, spaces[space] !== fileSystem { space += 1 }
      if space == spaces.count { spaces.append(fileSystem) }
      layer.numberSpace = UInt64(space)
    }
    setRoot(OverlayInode(self, upper?.root, lowers.map { OverlayPlace($0, $0.root) }, in: nil, []))
  }

  override public var takesMountPoints: Bool { upper != nil }
  override public var isAlwaysReadOnly: Bool { upper == nil }

  override public func didLoseLastMount() {
    releaseNames()
    pinned.removeAll()
  }

  /// The layers that tell how much room there is.
  override public func statfs() throws(Errno) -> Statfs {
    guard let layer = upper ?? lowers.first else { throw .EIO }
    var result = try layer.mount.fileSystem.statfs()
    result.f_type = magic
    result.f_fsid = device.encoded
    return result
  }

  /// The inode for a file, but no directory, of the upper layer.
  func inode(ofUpper dentry: Dentry, in directory: OverlayInode, _ name: [UInt8]) -> OverlayInode {
    if let known = pinned.find(dentry.inode) { return known }
    let inode = OverlayInode(self, dentry, [], in: directory, name)
    if dentry.inode.linkCount > 1 { pinned.insert(inode) }
    return inode
  }

  /// Lets go of names when there are many, as each keeps those of the layers. Whoever watches a file knows its inode only.
  func limitNames() {
    guard inodeCount > max(environment.frames.totalFrames / 2, 512), !environment.notifier.isActive else { return }
    pruneParity ^= 1
    root.releaseUnused(parity: pruneParity)
  }
}

/// Files of an overlay whose identity is more than their name: those with several names in the upper layer, and copies,
/// which keep the number that they had below. They stay until their last name is gone.
final class OverlayInodeTable {
  /// By the number of the upper inode, with linear probing.
  private var slots = [OverlayInode?](repeating: nil, count: 16)
  private var count = 0

  private func home(_ inode: Inode) -> Int {
    Int(truncatingIfNeeded: (inode.number &* 0x9e37_79b9_7f4a_7c15) >> 32) & (slots.count - 1)
  }

  func find(_ upper: Inode) -> OverlayInode? {
    var slot = home(upper)
    while let inode = slots[slot] {
      if inode.upper?.inode === upper { return inode }
      slot = (slot + 1) & (slots.count - 1)
    }
    return nil
  }

  func insert(_ inode: OverlayInode) {
    guard let upper = inode.upper?.inode, find(upper) == nil else { return }
    if (count + 1) * 2 > slots.count {
      let old = slots
      slots = [OverlayInode?](repeating: nil, count: old.count * 2)
      for case let inode? in old { place(inode) }
    }
    place(inode)
    count += 1
  }

  private func place(_ inode: OverlayInode) {
    guard let upper = inode.upper?.inode else { return }
    var slot = home(upper)
    while slots[slot] != nil { slot = (slot + 1) & (slots.count - 1) }
    slots[slot] = inode
  }

  func removeAll() { slots = [OverlayInode?](repeating: nil, count: 16) }

  func remove(_ inode: OverlayInode) {
    guard let upper = inode.upper?.inode else { return }
    let mask = slots.count - 1
    var hole = home(upper)
    while let other = slots[hole], other !== inode { hole = (hole + 1) & mask }
    guard slots[hole] != nil else { return }
    count -= 1
    var slot = hole
    while true {
      slot = (slot + 1) & mask
      guard let other = slots[slot], let upper = other.upper?.inode else { break }
      // It may move to the hole unless its home lies cyclically behind the hole.
      if (slot - home(upper)) & mask >= (slot - hole) & mask {
        slots[hole] = other
        hole = slot
      }
    }
    slots[hole] = nil
  }
}
