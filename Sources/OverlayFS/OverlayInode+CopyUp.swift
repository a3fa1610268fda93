internal import Kernel
internal import LinuxABI
internal import VFSCore

extension OverlayInode {
  /// Sees to it that the file is in the upper layer, with the directories above it. Blocks.
  ///
  /// - Parameter withContent: Whether a regular file's content goes along; it is about to be cut otherwise.
  /// - Throws: `EROFS` when there is no upper layer, `ENOSPC`, `ENOMEM`, and what a lower layer says.
  func copyUp(withContent: Bool = true) throws(Errno) {
    if upper != nil { return }
    guard overlay.upper != nil else { throw .EROFS }
    var pending: [OverlayInode] = []
    var at = self
    while at.upper == nil {
      pending.append(at)
      guard !at.isUnlinked, let directory = at.directory else { break }
      at = directory
    }
    while let next = pending.popLast() {
      if next.upper == nil { try next.copyItself(withContent: withContent || next !== self) }
    }
  }

  /// Copies this file to the directory above it, which is in the upper layer already.
  ///
  /// The copy has no name until it is complete. Two tasks may make one at a time: the first to be ready is the one that
  /// counts, as nobody can have changed anything before.
  private func copyItself(withContent: Bool) throws(Errno) {
    if isUnlinked { try checkCopyWithoutName() }
    let lower = lowers[0].dentry.inode
    if lower.isStale { lower.refresh() }
    var node = NewNode(mode: lower.mode, uid: lower.uid, gid: lower.gid)
    node.device = lower.device
    if lower.isSymbolicLink { node.target = try lower.readLink() }
    let attributes = try lower.copiedAttributes()
    guard let start = isUnlinked ? overlay.upper?.root : directory?.upper else { throw .ENOENT }

    var copy: Inode?
    if !isDirectory {
      let made = try start.inode.createUnnamed(node)
      if withContent, isRegularFile { try copyContent(to: made) }
      copy = made
    }
    // Nothing blocks from here on.
    if upper != nil { return }
    guard let parent = isUnlinked ? start : directory?.upper else { throw .ENOENT }
    let times = (parent.inode.modificationTime, parent.inode.changeTime, parent.inode.accessTime)
    let dentry: Dentry
    if isUnlinked {
      guard let copy else { throw .ENOENT }
      dentry = Dentry(root: copy)
    } else {
      if parent.child(name) != nil { throw .EEXIST }
      if let copy {
        try parent.inode.link(name, to: copy)
      } else {
        copy = try parent.inode.create(name, node)
      }
      guard let copy else { throw .EIO }
      dentry = Dentry(name, copy, parent: parent)
      parent.add(dentry)
    }
    for attribute in attributes { try? dentry.inode.setAttribute(attribute.name, attribute.value, []) }
    dentry.inode.accessTime = lower.accessTime
    dentry.inode.modificationTime = lower.modificationTime
    // The directory above has not changed as seen through the overlay.
    (parent.inode.modificationTime, parent.inode.changeTime, parent.inode.accessTime) = times
    didCopyUp(to: dentry)
  }

  /// Whether a file that lost its name is copied. Linux gives the copy the name that the file had, and fails where that
  /// cannot be. Where it can, for what is neither a regular file nor a directory, the copy here has no name instead: in
  /// Linux the removed file is back, or has taken the place of what has its name now.
  private func checkCopyWithoutName() throws(Errno) {
    guard let directory, !directory.isUnlinked else { throw isRegularFile ? .ENOENT : .EIO }
    if isRegularFile { throw .EEXIST }
    let isReplacedByDirectory = directory.upper?.child(name)?.inode.isDirectory ?? false
    if isDirectory { throw isReplacedByDirectory ? .ENOTEMPTY : .ENOTDIR }
    if isReplacedByDirectory { throw .EISDIR }
  }

  /// Copies the content of the lower file. As Linux does, it goes over a hole where a piece of up to 1 MiB would begin
  /// in one, and fills the others.
  private func copyContent(to copy: Inode) throws(Errno) {
    guard let layer = overlay.upper else { throw .EROFS }
    let source = try openReal([.O_RDONLY, .O_LARGEFILE])
    let target = try copy.open(Path(layer.mount, Dentry(root: copy)), [.O_RDWR, .O_LARGEFILE])
    let size = try source.seek(0, .SEEK_END)
    var position: Int64 = 0
    while position < size {
      do throws(Errno) {
        position = try source.seek(position, .SEEK_DATA)
      } catch {
        if error == .ENXIO { break }
        throw error
      }
      // A signal ends one call early, and not the copy: there is no call to be restarted.
      let done = try source.copy(
        to: target, from: &position, at: position, count: Int(min(size - position, 1 << 20)))
      // Shorter than it said.
      if done == 0 { break }
    }
    if copy.size < size { try copy.truncate(to: size) }
  }
}

extension Inode {
  /// The extended attributes that a copy gets.
  fileprivate func copiedAttributes() throws(Errno) -> [(name: [UInt8], value: [UInt8])] {
    var result: [(name: [UInt8], value: [UInt8])] = []
    let names: [[UInt8]]
    do throws(Errno) { names = try attributeNames() } catch {
      if error == .EOPNOTSUPP || error == .ENXIO || error == .EPERM { return result }
      throw error
    }
    for name in names where OverlayAttribute.unescaped(name) == name {
      // One that is gone since it was listed, or that the server does not let us read.
      if let value = try? attribute(name) { result.append((name, value)) }
    }
    return result
  }
}
