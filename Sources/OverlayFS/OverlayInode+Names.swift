internal import Kernel
internal import LinuxABI
internal import VFSCore

/// The names in a directory. Each operation does first what may sleep, then checks that the names are still what the
/// caller saw, and changes the upper layer.
extension OverlayInode {
  /// The directory in the upper layer, to be changed at once.
  ///
  /// - Throws: `ENOENT` when it was removed.
  private func upperDirectory() throws(Errno) -> Dentry {
    guard let upper, !isUnlinked else { throw .ENOENT }
    return upper
  }

  /// Whether a lower layer has something of this name.
  private func lowersHave(_ name: [UInt8]) throws(Errno) -> Bool {
    for lower in lowers {
      if let child = try lower.dentry.lookup(name) { return !child.inode.isWhiteout }
    }
    return false
  }

  /// Whether `inode` still has this name here.
  private func has(_ name: [UInt8], _ inode: OverlayInode) -> Bool {
    if inode.isUnlinked { return false }
    if inode.upper == nil || inode.isDirectory { return inode.directory === self && inode.name == name }
    return upper?.child(name)?.inode === inode.upper?.inode
  }

  func find(_ name: [UInt8]) throws(Errno) -> Inode? {
    overlay.limitNames()
    while true {
      let above = upper
      let upperChild = above?.child(name)
      var found: [OverlayPlace] = []
      if let upperChild {
        if upperChild.inode.isWhiteout { return nil }
        if !upperChild.inode.isDirectory { return overlay.inode(ofUpper: upperChild, in: self, name) }
      }
      if upperChild == nil || !OverlayAttribute.isOpaque(upperChild!.inode) {
        for index in lowers.indices {
          guard let child = try lowers[index].dentry.lookup(name) else { continue }
          if child.inode.isWhiteout { break }
          if !child.inode.isDirectory {
            if upperChild == nil, found.isEmpty { found.append(OverlayPlace(lowers[index].layer, child)) }
            break
          }
          found.append(OverlayPlace(lowers[index].layer, child))
          // Nothing is below the last layer, so its servers need not be asked.
          if index + 1 < lowers.count, OverlayAttribute.isOpaque(child.inode) { break }
        }
      }
      // A lower layer may have slept, and the name been made or removed meanwhile.
      if upper !== above || upper?.child(name) !== upperChild { continue }
      if upperChild == nil, found.isEmpty { return nil }
      return OverlayInode(overlay, upperChild, found, in: self, name)
    }
  }

  // MARK: Making

  /// Enters an inode of the upper layer under a name that nothing, or a whiteout, has.
  private func enter(_ name: [UInt8], _ inode: Inode, in directory: Dentry) -> Dentry {
    if let whiteout = directory.child(name) {
      try? directory.inode.unlink(name, whiteout.inode)
      directory.remove(whiteout)
    }
    let dentry = Dentry(name, inode, parent: directory)
    directory.add(dentry)
    return dentry
  }

  func make(_ name: [UInt8], _ node: NewNode) throws(Errno) -> Inode {
    if node.mode.type == .S_IFCHR, node.device.major == 0, node.device.minor == 0 { throw .EPERM }
    try copyUp()
    let directory = try upperDirectory()
    let present = directory.child(name)
    if let present, !present.inode.isWhiteout { throw .EEXIST }
    let inode = try directory.inode.create(name, node)
    let dentry = enter(name, inode, in: directory)
    // What lies below must not show through.
    if inode.isDirectory, isMerged || present != nil { makeOpaque(inode) }
    didChangeEntries()
    return OverlayInode(overlay, dentry, [], in: self, name)
  }

  private func makeOpaque(_ inode: Inode) {
    let time = inode.changeTime
    try? inode.setAttribute(OverlayAttribute.opaque, [UInt8(ascii: "y")], [])
    inode.changeTime = time
  }

  /// Takes over what a change of its entries did to the directory.
  private func didChangeEntries() { refresh() }

  func makeUnnamed(_ node: NewNode) throws(Errno) -> Inode {
    try copyUp()
    let directory = try upperDirectory()
    let inode = OverlayInode(
      overlay, Dentry(root: try directory.inode.createUnnamed(node)), [], in: self, [])
    inode.startWithoutName()
    return inode
  }

  func addName(_ name: [UInt8], to inode: OverlayInode) throws(Errno) {
    try copyUp()
    try inode.copyUp()
    let directory = try upperDirectory()
    guard let target = inode.upper?.inode else { throw .EROFS }
    if let present = directory.child(name), !present.inode.isWhiteout { throw .EEXIST }
    try directory.inode.link(name, to: target)
    inode.didGainName(enter(name, target, in: directory))
    didChangeEntries()
  }

  // MARK: Removing

  /// Takes a name out of the upper layer, if it is there, and puts a whiteout in its place where one is wanted.
  private func take(_ name: [UInt8], from directory: Dentry, leavesWhiteout: Bool) throws(Errno) {
    // It is made first: without room for it, nothing has happened.
    let whiteout = leavesWhiteout ? try makeWhiteout(name, in: directory) : nil
    if let present = directory.child(name) {
      if present.inode.isDirectory {
        present.releaseTree()
        try directory.inode.rmdir(name, present.inode)
      } else {
        try directory.inode.unlink(name, present.inode)
      }
      directory.remove(present)
    }
    if let whiteout { directory.add(Dentry(name, whiteout, parent: directory)) }
  }

  private func makeWhiteout(_ name: [UInt8], in directory: Dentry) throws(Errno) -> Inode {
    let mode = FileMode(.S_IFCHR, [])
    return try directory.inode.create(name, NewNode(mode: mode, uid: 0, gid: 0))
  }

  func removeName(_ name: [UInt8], _ inode: OverlayInode) throws(Errno) {
    if inode.isDirectory { try inode.checkEmpty() }
    let leavesWhiteout = try lowersHave(name)
    try copyUp()
    let directory = try upperDirectory()
    guard has(name, inode) else { throw .ENOENT }
    // What was made in it since is in the upper layer.
    if inode.isDirectory, !(inode.upper?.hasOnlyWhiteouts ?? true) { throw .ENOTEMPTY }
    try take(name, from: directory, leavesWhiteout: leavesWhiteout)
    inode.didLoseName()
    didChangeEntries()
  }

  /// - Throws: `ENOTEMPTY`.
  private func checkEmpty() throws(Errno) {
    let listing = OverlayListing()
    try listing.add(self)
    if !listing.isEmpty { throw .ENOTEMPTY }
  }

  // MARK: Moving

  func moveName(
    _ name: [UInt8], _ inode: OverlayInode, to target: OverlayInode, _ newName: [UInt8],
    replacing replaced: OverlayInode?, exchange: Bool
  ) throws(Errno) {
    // Without redirects a directory cannot take along what a lower layer has of it: programs copy it then.
    if inode.isDirectory, !inode.lowers.isEmpty { throw .EXDEV }
    if exchange, let replaced, replaced.isDirectory, !replaced.lowers.isEmpty { throw .EXDEV }
    if !exchange, let replaced, replaced.isDirectory { try replaced.checkEmpty() }
    try inode.copyUp()
    try target.copyUp()
    if exchange { try replaced?.copyUp() }
    let isBelow = try lowersHave(name)
    let leavesWhiteout = isBelow && !exchange
    let coversLower = try target.lowersHave(newName)

    let from = try upperDirectory()
    let to = try target.upperDirectory()
    guard has(name, inode), let moved = from.child(name) else { throw .ENOENT }
    if let replaced {
      guard target.has(newName, replaced) else { throw .ENOENT }
      if !exchange, replaced.isDirectory, !(replaced.upper?.hasOnlyWhiteouts ?? true) { throw .ENOTEMPTY }
    } else if let present = to.child(newName), !present.inode.isWhiteout {
      throw .EEXIST
    }
    let whiteout = leavesWhiteout ? try makeWhiteout(name, in: from) : nil
    let present = to.child(newName)
    if moved.inode.isDirectory, coversLower || target.isMerged { makeOpaque(moved.inode) }
    if exchange, let present, present.inode.isDirectory, isBelow || isMerged { makeOpaque(present.inode) }
    try from.inode.rename(
      name, moved.inode, to: to.inode, newName, replacing: present?.inode, exchange: exchange)
    from.remove(moved)
    if let present {
      to.remove(present)
      if !exchange { present.releaseTree() }
    }
    moved.move(to: to, newName)
    if exchange, let present { present.move(to: from, name) }
    if let whiteout { from.add(Dentry(name, whiteout, parent: from)) }

    (inode.directory, inode.name) = (target, newName)
    if let replaced {
      if exchange {
        (replaced.directory, replaced.name) = (self, name)
        replaced.refresh()
      } else {
        replaced.didLoseName()
      }
    }
    inode.refresh()
    didChangeEntries()
    if target !== self { target.didChangeEntries() }
  }
}

extension Dentry {
  /// Whether a directory of an upper layer has nothing that is seen.
  fileprivate var hasOnlyWhiteouts: Bool {
    var result = true
    forEachChild { if !$0.inode.isWhiteout { result = false } }
    return result
  }
}
