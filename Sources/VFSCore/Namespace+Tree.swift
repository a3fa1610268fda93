internal import Kernel
public import LinuxABI

// How the tree of mounts changes. What happens below a shared mount happens below its peers and those that hear of them
// too: mount_namespaces(7).
extension Namespace {
  /// A mount and what is mounted below `root` of it, each behind the one that it is on.
  private func subtree(of mount: Mount, below root: Dentry, isForCopy: Bool = false) -> [Mount] {
    var tree = [mount]
    for other in mounts {
      guard let place = other.parent, tree.contains(where: { $0 === place.mount }),
        place.mount !== mount || root.isAncestor(of: place.dentry), !(isForCopy && other.isUnbindable)
      else { continue }
      tree.append(other)
    }
    return tree
  }

  /// Copies a mount from `root` on, with `isRecursive` together with what is mounted below: a tree to attach.
  func copyTree(_ mount: Mount, _ root: Dentry, isRecursive: Bool) -> [Mount] {
    copies(of: isRecursive ? subtree(of: mount, below: root, isForCopy: true) : [mount], root)
  }

  private func copies(of tree: [Mount], _ root: Dentry) -> [Mount] {
    var copies: [Mount] = []
    for original in tree {
      let copy = makeMount(
        original.fileSystem, root: copies.isEmpty ? root : original.root, source: original.source,
        flags: original.flags)
      copy.group = original.group
      copy.master = original.master
      if let place = original.parent, let at = tree.firstIndex(where: { $0 === place.mount }), !copies.isEmpty {
        copy.parent = Path(copies[at], place.dentry)
      }
      copies.append(copy)
    }
    return copies
  }

  /// The mount of a place and who hears of what happens there, each with the position of the one he hears it from.
  private func listeners(_ place: Path) -> [(mount: Mount, source: Int)] {
    var found = [(mount: place.mount, source: 0)]
    var at = 0
    while at < found.count {
      let group = found[at].mount.group
      for mount in mounts where group != 0 && (mount.group == group || mount.master == group) {
        if found.contains(where: { $0.mount === mount }) || !mount.root.isAncestor(of: place.dentry) { continue }
        let peer = mount.group == 0 ? nil : found.firstIndex { $0.mount.group == mount.group }
        found.append((mount, peer ?? at))
      }
      at += 1
    }
    return found
  }

  /// - Throws: `ENOSPC` when there cannot be as many mounts more.
  private func checkRoom(_ count: Int) throws(Errno) {
    guard mounts.count + count <= Self.mostMounts, environment.frames.hasRoom(forBytes: count * 1024) else {
      throw .ENOSPC
    }
  }

  /// Mounts a tree of mounts, which is not in the namespace, at a place.
  ///
  /// - Throws: `ENOTDIR` when one of the two is a directory and the other is none, `ENOSPC`.
  func attach(_ tree: [Mount], at place: Path) throws(Errno) {
    guard tree[0].root.inode.isDirectory == place.inode.isDirectory else { throw .ENOTDIR }
    if place.mount.group != 0 { for mount in tree where mount.group == 0 { mount.group = makeGroup() } }
    let listeners = listeners(place)
    try checkRoom(tree.count * listeners.count)
    var trees = [tree]
    for listener in listeners.dropFirst() {
      let originals = trees[listener.source]
      let copies = copies(of: originals, tree[0].root)
      let own = listener.mount.group
      if own == 0 || own != listeners[listener.source].mount.group {
        for at in copies.indices {
          copies[at].master = originals[at].group
          copies[at].group = own == 0 ? 0 : makeGroup()
        }
      }
      trees.append(copies)
    }
    for at in trees.indices { enter(trees[at], at: Path(listeners[at].mount, place.dentry)) }
  }

  /// Enters a tree of mounts at a place, below what is mounted there already.
  func enter(_ tree: [Mount], at place: Path) {
    let covering = place.mounted
    tree[0].parent = place
    for mount in tree {
      mount.link()
      mounts.append(mount)
    }
    if let covering {
      covering.unlink()
      covering.parent = Path(tree[0], tree[0].root)
      covering.link()
      for mount in subtree(of: covering, below: covering.root) {
        mounts.removeAll { $0 === mount }
        mounts.append(mount)
      }
    }
    // A dentry that the file system would make anew each time must be the one that the walk finds.
    let dentry = place.dentry
    if let directory = dentry.parent, !dentry.isDetached, directory.child(dentry.name) == nil { directory.add(dentry) }
  }

  /// Moves a mount with all on it. See MS_MOVE of mount(2).
  ///
  /// - Throws: `ELOOP` when the place is on it; `EINVAL`, `ENOSPC`.
  func move(_ mount: Mount, to place: Path) throws(Errno) {
    let tree = subtree(of: mount, below: mount.root)
    if tree.contains(where: { $0 === place.mount }) { throw .ELOOP }
    if place.mount.group != 0, tree.contains(where: { $0.isUnbindable }) { throw .EINVAL }
    // From here on nothing may fail.
    try checkRoom(tree.count * (listeners(place).count - 1))
    for mount in tree {
      mount.unlink()
      mounts.removeAll { $0 === mount }
    }
    try attach(tree, at: place)
  }

  /// See mount_namespaces(7), "Shared subtrees".
  func setPropagation(_ mount: Mount, _ kind: MountFlags, isRecursive: Bool) {
    for mount in isRecursive ? subtree(of: mount, below: mount.root) : [mount] {
      if kind == .MS_SHARED {
        if mount.group == 0 { mount.group = makeGroup() }
        mount.isUnbindable = false
        continue
      }
      let group = mount.group
      mount.group = 0
      if mounts.contains(where: { $0.group == group && group != 0 }) {
        mount.master = group
      } else {
        for other in mounts where other.master == group && group != 0 { other.master = mount.master }
      }
      if kind == .MS_SLAVE { continue }
      mount.master = 0
      mount.isUnbindable = kind == .MS_UNBINDABLE
    }
  }

  /// Takes a mount away. Files that are open stay usable.
  ///
  /// - Throws: `EINVAL` for the root; `EBUSY` when it is used, or something is mounted on it; `EAGAIN` for the first
  ///   MNT_EXPIRE since its last use.
  public func unmount(_ mount: Mount, _ flags: UnmountFlags = []) throws(Errno) {
    if flags.contains(.MNT_DETACH) {
      if mount.isTop { throw .EINVAL }
      for mount in subtree(of: mount, below: mount.root).reversed() { takeAway(mount) }
      return
    }
    try mount.fileSystem.synchronize()
    // That may have slept.
    guard let place = mount.parent else { throw .EINVAL }
    if mount.holderCount > 0 || hasMounts(mount) { throw .EBUSY }
    if flags.contains(.MNT_EXPIRE), mount.expiryMark != mount.useCount &- 1 {
      // This call itself came through once.
      mount.expiryMark = mount.useCount
      throw .EAGAIN
    }
    for listener in listeners(place).dropFirst() {
      if let copy = Path(listener.mount, place.dentry).mounted, copy.holderCount > 0, !hasMounts(copy) { throw .EBUSY }
    }
    takeAway(mount)
  }

  private func hasMounts(_ mount: Mount) -> Bool { mounts.contains { $0.parent?.mount === mount } }

  /// Takes a mount out of the tree, and its copies below those who hear of it.
  private func takeAway(_ mount: Mount) {
    guard let place = mount.parent else { return }
    for listener in listeners(place).reversed() {
      let copy = listener.mount === place.mount ? mount : Path(listener.mount, place.dentry).mounted
      guard let copy, copy === mount || !hasMounts(copy) else { continue }
      setPropagation(copy, .MS_PRIVATE, isRecursive: false)
      mounts.removeAll { $0 === copy }
      copy.unlink()
      copy.parent = nil
    }
    let dentry = place.dentry
    if dentry.mountedHere == nil, place.mount.fileSystem.childPolicy == .transient {
      dentry.parent?.children.remove(dentry)
    }
  }
}

extension Mount {
  /// Enters it in the list of its place's dentry, or takes it out.
  func link() {
    guard let dentry = parent?.dentry else { return }
    nextHere = dentry.mountedHere
    dentry.mountedHere = self
  }
  func unlink() { parent?.dentry.removeMount(self) }
}
