internal import Kernel
public import LinuxABI

extension FileSystemContext {
  // MARK: Checks

  /// Whether entries of a directory may be made and removed.
  ///
  /// - Throws: `EROFS`, `EACCES`.
  func checkWritable(_ directory: Path) throws(Errno) {
    if directory.mount.isReadOnly { throw .EROFS }
    if !credentials.isPrivileged, !directory.inode.allows([.W_OK, .X_OK], credentials) { throw .EACCES }
  }

  /// Whether the entry of a directory may be removed: not others' in a sticky one, not a mount point.
  private func checkRemovable(_ directory: Path, _ child: Dentry) throws(Errno) {
    try checkWritable(directory)
    if directory.inode.mode.contains(.S_ISVTX), !credentials.isPrivileged,
      credentials.userID != child.inode.uid, credentials.userID != directory.inode.uid
    {
      throw .EPERM
    }
  }

  /// A node to be made in `directory`, owned as Linux has it: by the maker, in the group of a set-group-id directory. The
  /// directory's default access control list takes the place of the umask.
  func newNode(in directory: Inode, _ mode: FileMode) -> NewNode {
    var mode = mode
    var gid = credentials.groupID
    if directory.mode.contains(.S_ISGID) {
      gid = directory.gid
      if mode.type == .S_IFDIR {
        mode.insert(.S_ISGID)
      } else if mode.isSuperset(of: [.S_ISGID, .S_IXGRP]), !credentials.isPrivileged, !credentials.isMember(of: gid) {
        mode.remove(.S_ISGID)
      }
    }
    var node = NewNode(mode: mode, uid: credentials.userID, gid: gid)
    if mode.type == .S_IFLNK { return node }
    guard var list = directory.accessControlList(isDefault: true) else {
      node.mode.subtract(umask)
      return node
    }
    if mode.type == .S_IFDIR { node.attributes.setList(list, isDefault: true) }
    list.agree(with: &node.mode, by: .both)
    if list.saysMore { node.attributes.setList(list, isDefault: false) }
    return node
  }

  /// Makes a node that is not there.
  func create(
    _ directory: Path, _ name: [UInt8], _ mode: FileMode, device: DeviceNumber? = nil, target: [UInt8] = []
  ) throws(Errno) -> Dentry {
    if directory.dentry.isDetached { throw .ENOENT }
    try checkWritable(directory)
    var node = newNode(in: directory.inode, mode)
    if let device { node.device = device }
    node.target = target
    let inode = try directory.inode.create(name, node)
    let child = Dentry(name, inode, parent: directory.dentry)
    if inode.fileSystem.childPolicy != .transient { directory.dentry.add(child) }
    let notifier = inode.fileSystem.environment.notifier
    if notifier.isActive { notifier.note(directory.inode, .IN_CREATE, name, of: inode) }
    return child
  }

  /// Walks to where something new shall be.
  ///
  /// - Throws: `EEXIST` when something is there.
  private func walkToNew(
    _ path: [UInt8], at base: OpenFile?, isDirectory: Bool = false
  ) throws(Errno) -> (directory: Path, name: [UInt8]) {
    var walk = PathWalk(self, path, at: base)
    try walk.runToParent()
    guard walk.last == .name, try walk.child() == nil else { throw .EEXIST }
    // A slash behind a name is only right for what will be a directory.
    if walk.hasTrailingSlash, !isDirectory { throw .ENOENT }
    return (walk.path, walk.lastName)
  }

  // MARK: Making

  /// See mkdir(2).
  public func makeDirectory(_ path: [UInt8], at base: OpenFile? = nil, mode: FileMode) throws(Errno) {
    let (directory, name) = try walkToNew(path, at: base, isDirectory: true)
    _ = try create(directory, name, FileMode(.S_IFDIR, FileMode(rawValue: mode.rawValue & 0o1777)))
  }

  /// Makes a file of any type but a directory and a symbolic link. See mknod(2).
  public func makeNode(
    _ path: [UInt8], at base: OpenFile? = nil, mode: FileMode, device: DeviceNumber
  ) throws(Errno) {
    let type: FileType
    switch mode.rawValue & 0o170000 {
    case 0: type = .S_IFREG
    default:
      guard let given = mode.type, given != .S_IFLNK else { throw .EINVAL }
      if given == .S_IFDIR { throw .EPERM }
      type = given
    }
    let (directory, name) = try walkToNew(path, at: base)
    let isDevice = type == .S_IFCHR || type == .S_IFBLK
    // What stands for a name that is gone is everybody's to make.
    if isDevice, !credentials.isPrivileged, type == .S_IFBLK || device.encoded != 0 {
      try checkWritable(directory)
      throw .EPERM
    }
    _ = try create(
      directory, name, FileMode(type, mode.permissions), device: isDevice ? device : nil)
  }

  /// Makes the node of a socket that is bound to a path. See unix(7).
  ///
  /// - Throws: `EADDRINUSE` when something is there.
  public func makeSocketNode(_ path: [UInt8], mode: FileMode) throws(Errno) -> Path {
    do throws(Errno) {
      let (directory, name) = try walkToNew(path, at: nil)
      return Path(directory.mount, try create(directory, name, FileMode(.S_IFSOCK, mode.permissions)))
    } catch {
      throw error == .EEXIST ? .EADDRINUSE : error
    }
  }

  /// See symlink(2).
  public func makeSymbolicLink(_ path: [UInt8], at base: OpenFile? = nil, target: [UInt8]) throws(Errno) {
    if target.isEmpty { throw .ENOENT }
    if target.count >= PathLimits.PATH_MAX { throw .ENAMETOOLONG }
    let (directory, name) = try walkToNew(path, at: base)
    _ = try create(directory, name, FileMode(.S_IFLNK, FileMode(rawValue: 0o777)), target: target)
  }

  /// Gives a file another name. See linkat(2).
  public func link(
    _ oldPath: [UInt8], at oldBase: OpenFile? = nil, to path: [UInt8], at base: OpenFile? = nil, _ flags: AtFlags = []
  ) throws(Errno) {
    if !flags.isSubset(of: [.AT_SYMLINK_FOLLOW, .AT_EMPTY_PATH]) { throw .EINVAL }
    let old: Path
    if oldPath.isEmpty, flags.contains(.AT_EMPTY_PATH) {
      guard credentials.isPrivileged else { throw .ENOENT }
      old = oldBase?.path ?? workingDirectory
    } else {
      old = try resolve(oldPath, at: oldBase, follow: flags.contains(.AT_SYMLINK_FOLLOW))
    }
    let (directory, name) = try walkToNew(path, at: base)
    let inode = old.inode
    if old.mount !== directory.mount { throw .EXDEV }
    if directory.dentry.isDetached { throw .ENOENT }
    try checkWritable(directory)
    if inode.isDirectory { throw .EPERM }
    if inode.linkCount == 0, !inode.isLinkable { throw .ENOENT }
    try directory.inode.link(name, to: inode)
    inode.isLinkable = false
    directory.dentry.add(Dentry(name, inode, parent: directory.dentry))
    let notifier = inode.fileSystem.environment.notifier
    if notifier.isActive {
      notifier.note(inode, .IN_ATTRIB)
      notifier.note(directory.inode, .IN_CREATE, name, of: inode)
    }
  }

  // MARK: Removing

  /// Removes a name that is no directory's. See unlink(2).
  public func unlink(_ path: [UInt8], at base: OpenFile? = nil) throws(Errno) {
    var walk = PathWalk(self, path, at: base)
    try walk.runToParent()
    if walk.last != .name { throw .EISDIR }
    guard let child = try walk.child() else { throw .ENOENT }
    if walk.hasTrailingSlash { throw child.inode.isDirectory ? .EISDIR : .ENOTDIR }
    let directory = walk.path
    try checkRemovable(directory, child)
    if child.inode.isDirectory { throw .EISDIR }
    if child.isMountPoint { throw .EBUSY }
    try directory.inode.unlink(child.name, child.inode)
    directory.dentry.remove(child)
    noteRemoval(of: child, from: directory)
  }

  /// Removes an empty directory. See rmdir(2).
  public func removeDirectory(_ path: [UInt8], at base: OpenFile? = nil) throws(Errno) {
    var walk = PathWalk(self, path, at: base)
    try walk.runToParent()
    switch walk.last {
    case .name: break
    case .dot: throw .EINVAL
    case .dotDot: throw .ENOTEMPTY
    case .root: throw .EBUSY
    }
    guard let child = try walk.child() else { throw .ENOENT }
    let directory = walk.path
    try checkRemovable(directory, child)
    guard child.inode.isDirectory else { throw .ENOTDIR }
    if child.isMountPoint { throw .EBUSY }
    if child.inode.fileSystem.childPolicy == .complete, !child.hasNoChildren { throw .ENOTEMPTY }
    try directory.inode.rmdir(child.name, child.inode)
    directory.dentry.remove(child)
    noteRemoval(of: child, from: directory)
  }

  private func noteRemoval(of child: Dentry, from directory: Path) {
    let notifier = child.inode.fileSystem.environment.notifier
    if notifier.isActive { notifier.noteRemoval(of: child, from: directory.inode) }
  }

  // MARK: Moving

  /// See renameat2(2).
  public func rename(
    _ oldPath: [UInt8], at oldBase: OpenFile? = nil, to newPath: [UInt8], at newBase: OpenFile? = nil,
    _ flags: RenameFlags = []
  ) throws(Errno) {
    let known: RenameFlags = [.RENAME_NOREPLACE, .RENAME_EXCHANGE, .RENAME_WHITEOUT]
    guard flags.isSubset(of: known), !flags.contains(.RENAME_EXCHANGE) || flags == .RENAME_EXCHANGE else {
      throw .EINVAL
    }
    let exchange = flags.contains(.RENAME_EXCHANGE)
    var old = PathWalk(self, oldPath, at: oldBase)
    try old.runToParent()
    var new = PathWalk(self, newPath, at: newBase)
    try new.runToParent()
    let from = old.path
    let to = new.path
    if from.mount !== to.mount { throw .EXDEV }
    if old.last != .name { throw .EBUSY }
    if new.last != .name { throw flags.contains(.RENAME_NOREPLACE) ? .EEXIST : .EBUSY }
    guard let child = try old.child() else { throw .ENOENT }
    let target = try new.child()
    if target != nil, flags.contains(.RENAME_NOREPLACE) { throw .EEXIST }
    if exchange {
      guard let target else { throw .ENOENT }
      if new.hasTrailingSlash, !target.inode.isDirectory { throw .ENOTDIR }
    }
    if !child.inode.isDirectory, old.hasTrailingSlash || !exchange && new.hasTrailingSlash { throw .ENOTDIR }
    // A directory cannot go into itself, nor replace one that it is in.
    if child.isAncestor(of: to.dentry) { throw .EINVAL }
    if let target, target.isAncestor(of: from.dentry) { throw exchange ? .EINVAL : .ENOTEMPTY }
    if let target, target.inode === child.inode { return }

    try checkRemovable(from, child)
    if let target {
      try checkRemovable(to, target)
      if !exchange {
        if child.inode.isDirectory, !target.inode.isDirectory { throw .ENOTDIR }
        if !child.inode.isDirectory, target.inode.isDirectory { throw .EISDIR }
      }
    } else {
      if to.dentry.isDetached { throw .ENOENT }
      try checkWritable(to)
    }
    if from.dentry !== to.dentry, !credentials.isPrivileged {
      // The `..` of a directory that moves is rewritten.
      if child.inode.isDirectory, !child.inode.allows(.W_OK, credentials) { throw .EACCES }
      if exchange, let target, target.inode.isDirectory, !target.inode.allows(.W_OK, credentials) { throw .EACCES }
    }
    if child.isMountPoint { throw .EBUSY }
    if let target {
      if target.isMountPoint { throw .EBUSY }
      if !exchange, target.inode.isDirectory, target.inode.fileSystem.childPolicy == .complete,
        !target.hasNoChildren
      {
        throw .ENOTEMPTY
      }
    }
    let newName = new.lastName
    let oldName = child.name
    var whiteout: Inode?
    if flags.contains(.RENAME_WHITEOUT) {
      // Where the tree is the kernel's own; other file systems have no request that would do both at once.
      guard from.inode.fileSystem.childPolicy == .complete else { throw .EINVAL }
      whiteout = try from.inode.create(oldName, newNode(in: from.inode, FileMode(.S_IFCHR, [])))
    }
    try from.inode.rename(oldName, child.inode, to: to.inode, newName, replacing: target?.inode, exchange: exchange)
    from.dentry.remove(child)
    if let target { to.dentry.remove(target) }
    child.move(to: to.dentry, newName)
    if exchange, let target { target.move(to: from.dentry, oldName) }
    if let whiteout { from.dentry.add(Dentry(oldName, whiteout, parent: from.dentry)) }
    let notifier = child.inode.fileSystem.environment.notifier
    guard notifier.isActive else { return }
    notifier.noteMove(
      of: child.inode, from: from.inode, oldName, to: to.inode, newName, replacing: exchange ? nil : target?.inode)
    if exchange, let target {
      notifier.noteMove(of: target.inode, from: to.inode, newName, to: from.inode, oldName, replacing: nil)
    }
  }

  // MARK: Reading links

  /// Where a symbolic link leads. See readlink(2).
  ///
  /// - Throws: `EINVAL` when it is none.
  public func readLink(_ path: [UInt8], at base: OpenFile? = nil) throws(Errno) -> [UInt8] {
    let place: Path
    if path.isEmpty, let base {
      // An O_PATH descriptor of the link itself.
      guard base.inode.isSymbolicLink else { throw .ENOENT }
      place = base.path
    } else {
      place = try resolve(path, at: base, follow: false)
    }
    guard place.inode.isSymbolicLink else { throw .EINVAL }
    let target = try place.inode.readLink()
    // Only a path in /proc can be that long.
    guard target.count < PathLimits.PATH_MAX else { throw .ENAMETOOLONG }
    place.inode.didAccess(on: place.mount)
    return target
  }
}

extension Dentry {
  /// Whether `other` is this one or lies below it.
  public func isAncestor(of other: Dentry) -> Bool {
    var at: Dentry? = other
    while let dentry = at {
      if dentry === self { return true }
      at = dentry.parent
    }
    return false
  }

  /// Enters this dentry, which is in no table, in a directory under a name.
  public func move(to directory: Dentry, _ name: [UInt8]) {
    self.name = name
    nameHash = NameBytes.hash(name, 0, name.count)
    parent = directory
    isDetached = false
    directory.add(self)
  }
}
