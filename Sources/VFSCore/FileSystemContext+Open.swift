internal import Kernel
public import LinuxABI
internal import Support

extension FileSystemContext {
  /// Opens a path. See open(2) and openat2(2).
  ///
  /// - Parameters:
  ///   - mode: The permissions of a file that O_CREAT or O_TMPFILE makes; the umask is taken off here.
  /// - Throws: What open(2) lists. `ERESTARTSYS` when a signal ends the wait for the other end of a FIFO.
  public func open(
    _ path: [UInt8], at base: OpenFile? = nil, _ flags: OpenFlags, mode: FileMode = [], resolve: ResolveFlags = []
  ) throws(Errno) -> OpenFile {
    var flags = flags.intersection(.known)
    if flags.contains(.O_PATH) {
      flags.formIntersection(.allowedWithPath)
    } else {
      flags.insert(.O_LARGEFILE)
    }
    if flags.contains(.__O_TMPFILE) {
      guard flags.isSuperset(of: .O_TMPFILE), flags.isWritable, !flags.contains(.O_CREAT) else { throw .EINVAL }
      return try openTemporary(path, at: base, flags, mode, resolve)
    }
    let follows = !flags.contains(.O_NOFOLLOW)
    var walk = PathWalk(self, path, at: base, resolve)
    if !flags.contains(.O_CREAT) {
      try walk.run(followLast: follows)
      let place = walk.finish()
      if flags.contains(.O_DIRECTORY), !place.inode.isDirectory { throw .ENOTDIR }
      return try open(place, flags)
    }
    if flags.contains(.O_DIRECTORY) { throw .EINVAL }
    let isExclusive = flags.contains(.O_EXCL)
    while true {
      try walk.runToParent()
      if walk.last != .name { return try openExisting(walk.path, flags) }
      if walk.hasTrailingSlash { throw .EISDIR }
      var found = try walk.child()
      if found == nil {
        do throws(Errno) { return try openNew(walk.path, walk.lastName, flags, mode) } catch {
          // Somebody else may have made it while the server was asked.
          guard error == .EEXIST, !isExclusive else { throw error }
          found = try walk.child()
        }
      }
      guard let child = found else { throw .ENOENT }
      if isExclusive { throw .EEXIST }
      if child.inode.isSymbolicLink {
        if !follows {
          try checkSticky(walk.path.inode, child.inode)
          throw .ELOOP
        }
        if try walk.follow(child) { return try openExisting(walk.path, flags) }
        continue
      }
      let directory = walk.path.inode
      try walk.step(to: child)
      let place = walk.path
      if place.dentry === child, !child.inode.isDirectory { try checkSticky(directory, child.inode) }
      return try openExisting(place, flags)
    }
  }

  /// Keeps O_CREAT from opening what somebody else put into a directory such as /tmp. Regular files and FIFOs are open to
  /// it as long as fs.protected_regular and fs.protected_fifos are 0.
  private func checkSticky(_ directory: Inode, _ inode: Inode) throws(Errno) {
    if directory.mode.rawValue & 0o1002 == 0o1002, !inode.isRegularFile, inode.type != .S_IFIFO,
      inode.uid != directory.uid, inode.uid != credentials.userID
    {
      throw .EACCES
    }
  }

  /// Opens what O_CREAT found to be there.
  private func openExisting(_ path: Path, _ flags: OpenFlags) throws(Errno) -> OpenFile {
    if flags.contains(.O_EXCL) { throw .EEXIST }
    let inode = path.inode
    if inode.isDirectory { throw .EISDIR }
    return try open(path, flags)
  }

  private func openNew(
    _ directory: Path, _ name: [UInt8], _ flags: OpenFlags, _ mode: FileMode
  ) throws(Errno) -> OpenFile {
    let dentry = try create(directory, name, FileMode(.S_IFREG, mode.permissions))
    // Not checked: who makes a file may open it, even if its mode says otherwise.
    return opened(try dentry.inode.open(Path(directory.mount, dentry), flags))
  }

  private func openTemporary(
    _ path: [UInt8], at base: OpenFile?, _ flags: OpenFlags, _ mode: FileMode, _ resolve: ResolveFlags
  ) throws(Errno) -> OpenFile {
    let place = try self.resolve(path, at: base, follow: !flags.contains(.O_NOFOLLOW), resolve)
    guard place.inode.isDirectory else { throw .ENOTDIR }
    try checkWritable(place)
    let node = newNode(in: place.inode, FileMode(.S_IFREG, mode.permissions))
    let inode = try place.inode.createUnnamed(node)
    inode.isLinkable = !flags.contains(.O_EXCL)
    var name = TextBuffer()
    name.append("#")
    name.append(decimal: UInt(inode.number))
    let dentry = Dentry(name.bytes, inode, parent: place.dentry)
    dentry.isDetached = true
    return opened(try inode.open(Path(place.mount, dentry), flags))
  }

  /// Opens a place: the checks behind open(2), without the look-up.
  public func open(_ path: Path, _ flags: OpenFlags) throws(Errno) -> OpenFile {
    let inode = path.inode
    if flags.contains(.O_PATH) { return PathOnlyFile(path, flags) }
    let isWriting = flags.accessMode != .O_RDONLY || flags.contains(.O_TRUNC)
    switch inode.type {
    case .S_IFLNK: throw .ELOOP
    case .S_IFDIR: if isWriting { throw .EISDIR }
    case .S_IFCHR, .S_IFBLK: if path.mount.flags.contains(.ST_NODEV) { throw .EACCES }
    default: break
    }
    if !credentials.isPrivileged {
      var access = AccessMode()
      if flags.accessMode != .O_WRONLY { access.insert(.R_OK) }
      if isWriting { access.insert(.W_OK) }
      if !inode.allows(access, credentials) { throw .EACCES }
      if flags.contains(.O_NOATIME), credentials.userID != inode.uid { throw .EPERM }
    }
    if isWriting, inode.isRegularFile {
      if path.mount.isReadOnly { throw .EROFS }
      if inode.writerCount < 0 { throw .ETXTBSY }
    }
    let file = try inode.open(path, flags)
    _ = opened(file)
    if flags.contains(.O_TRUNC), inode.isRegularFile {
      try inode.truncate(to: 0)
      path.note(try removePrivileges(of: inode).union(.IN_MODIFY))
    }
    return file
  }

  /// Opens a file for execve(2): it must be a regular file that may be executed, and is not open for writing.
  ///
  /// - Throws: `EACCES`, `ETXTBSY`, and what the look-up throws.
  public func openExecutable(
    _ path: [UInt8], at base: OpenFile? = nil, _ flags: AtFlags = [], requiresPermission: Bool = true
  ) throws(Errno) -> OpenFile {
    let place = try resolve(path, at: base, flags)
    let inode = place.inode
    if inode.isSymbolicLink { throw .ELOOP }
    guard inode.isRegularFile, !place.mount.flags.contains(.ST_NOEXEC) else { throw .EACCES }
    if requiresPermission, !inode.allows(.X_OK, credentials) { throw .EACCES }
    if inode.writerCount > 0 { throw .ETXTBSY }
    return opened(try inode.open(place, [.O_RDONLY, .O_LARGEFILE]))
  }

  private func opened(_ file: OpenFile) -> OpenFile {
    file.path.note(.IN_OPEN)
    return file
  }
}
