internal import Kernel
public import LinuxABI

extension FileSystemContext {
  /// Mounts a file system by the name of its type, binds, moves or changes a mount. See mount(2).
  ///
  /// - Parameters:
  ///   - source: Nil for a null pointer, as `type`.
  public func mount(
    source: [UInt8]?, at path: [UInt8], type: [UInt8]?, _ flags: MountFlags, options: [UInt8]
  ) throws(Errno) {
    var place = try resolve(path)
    // Linux's MS_NOUSER is bit 31 of a signed number.
    if flags.rawValue >> 31 != 0 { throw .EINVAL }
    guard credentials.isPrivileged else { throw .EPERM }
    if flags.contains(.MS_REMOUNT) { return try remount(place, flags, options) }
    if flags.contains(.MS_BIND) {
      let from = try resolve(mountSource: source)
      try enterMountPoint(&place)
      let mount = from.mount
      guard mount.isAttached, !mount.isUnbindable else { throw .EINVAL }
      return try namespace.attach(
        namespace.copyTree(mount, from.dentry, isRecursive: flags.contains(.MS_REC)), at: place)
    }
    let propagation: MountFlags = [.MS_SHARED, .MS_PRIVATE, .MS_SLAVE, .MS_UNBINDABLE]
    if !flags.isDisjoint(with: propagation) {
      let kind = flags.subtracting([.MS_REC, .MS_SILENT])
      guard place.isMountRoot, kind.isSubset(of: propagation), kind.rawValue.nonzeroBitCount == 1 else { throw .EINVAL }
      return namespace.setPropagation(place.mount, kind, isRecursive: flags.contains(.MS_REC))
    }
    if flags.contains(.MS_MOVE) {
      let from = try resolve(mountSource: source)
      try enterMountPoint(&place)
      let mount = from.mount
      guard mount.isAttached, from.isMountRoot, let parent = mount.parent?.mount, parent.group == 0,
        from.inode.isDirectory == place.inode.isDirectory
      else { throw .EINVAL }
      return try namespace.move(mount, to: place)
    }
    guard let type else { throw .EINVAL }
    guard let kind = namespace.fileSystemType(type) else { throw .ENODEV }
    let fileSystem = try kind.make(self, source ?? [], options)
    let own = StatfsFlags(flags)
    // One that is mounted elsewhere already stays there what it is.
    if fileSystem.mountCount == 0 {
      fileSystem.isReadOnly = own.contains(.ST_RDONLY) || fileSystem.isAlwaysReadOnly
      fileSystem.flags = flags.intersection([.MS_DIRSYNC, .remountable])
    }
    let mount = namespace.makeMount(fileSystem, root: fileSystem.root, source: source ?? [], flags: own)
    // What is wrong with the place comes after what is wrong with the file system.
    try enterMountPoint(&place)
    // Each mount of a proc is another one in Linux.
    if place.isMountRoot, place.mount.fileSystem === fileSystem, fileSystem.magic != FilesystemMagic.PROC_SUPER_MAGIC {
      throw .EBUSY
    }
    try namespace.attach([mount], at: place)
  }

  private func resolve(mountSource source: [UInt8]?) throws(Errno) -> Path {
    guard let source, !source.isEmpty else { throw .EINVAL }
    return try resolve(source)
  }

  /// Goes to the top of what is mounted at a place, which may be `.`, and checks that something can be mounted there.
  private func enterMountPoint(_ place: inout Path) throws(Errno) {
    place.followMounts()
    if place.dentry.isDetached { throw .ENOENT }
    if !place.mount.isAttached { throw .EINVAL }
  }

  /// Changes the flags of a mount, and without MS_BIND its file system's too.
  private func remount(_ place: Path, _ flags: MountFlags, _ options: [UInt8]) throws(Errno) {
    let mount = place.mount
    let fileSystem = mount.fileSystem
    guard place.isMountRoot, mount.isAttached else { throw .EINVAL }
    var new = StatfsFlags(flags)
    if flags.isDisjoint(with: [.MS_NOATIME, .MS_NODIRATIME, .MS_RELATIME, .MS_STRICTATIME]) {
      let atime: StatfsFlags = [.ST_NOATIME, .ST_NODIRATIME, .ST_RELATIME]
      new = new.subtracting(atime).union(mount.flags.intersection(atime))
    }
    let isReadOnly = new.contains(.ST_RDONLY)
    if flags.contains(.MS_BIND) {
      if isReadOnly, mount.writerCount > 0 { throw .EBUSY }
      mount.flags = new
      return
    }
    if fileSystem.isAlwaysReadOnly, !isReadOnly { throw .EROFS }
    try fileSystem.reconfigure(options, isBusy: isReadOnly && !fileSystem.isReadOnly && hasWriters(fileSystem))
    if isReadOnly { try fileSystem.synchronize() }
    fileSystem.isReadOnly = isReadOnly
    fileSystem.flags = fileSystem.flags.intersection(.MS_DIRSYNC).union(flags.intersection(.remountable))
    mount.flags = new
  }

  /// Whether a file is open for writing, or goes when it is closed.
  private func hasWriters(_ fileSystem: FileSystem) -> Bool {
    fileSystem.namelessCount > 0
      || namespace.mounts.contains { $0.fileSystem === fileSystem && $0.writerCount > 0 }
  }

  /// A directory to mount on: the one of this path, or one that is made there. Where the file system is not the
  /// kernel's own memory, what is made stands in the tree only, and the file system does not hear of it.
  ///
  /// - Throws: What the look-up of the directory above throws, `EEXIST`.
  public func makeMountPoint(_ path: [UInt8]) throws(Errno) -> Path {
    var walk = PathWalk(self, path, at: nil)
    try walk.runToParent()
    guard walk.last == .name else { throw .EEXIST }
    let directory = walk.path
    let mode = FileMode(.S_IFDIR, FileMode(rawValue: 0o755))
    if directory.inode.fileSystem.takesMountPoints {
      return Path(directory.mount, try create(directory, walk.lastName, mode))
    }
    let inode = MemoryInode(namespace.memoryFiles, NewNode(mode: mode, uid: 0, gid: 0))
    let child = Dentry(walk.lastName, inode, parent: directory.dentry)
    directory.dentry.add(child)
    directory.inode.addLocal(walk.lastName, inode)
    return Path(directory.mount, child)
  }

  /// See umount2(2).
  public func unmount(_ path: [UInt8], _ flags: UnmountFlags) throws(Errno) {
    var place = try resolve(path, follow: !flags.contains(.UMOUNT_NOFOLLOW))
    place.followMounts()
    guard credentials.isPrivileged else { throw .EPERM }
    let mount = place.mount
    guard place.isMountRoot, mount.isAttached else { throw .EINVAL }
    if flags.contains(.MNT_EXPIRE), !flags.isDisjoint(with: [.MNT_FORCE, .MNT_DETACH]) { throw .EINVAL }
    if mount === root.mount {
      if flags.contains(.MNT_EXPIRE) { throw .EINVAL }
      if !flags.contains(.MNT_DETACH) {
        // Linux's way of taking away what cannot be: nothing is written to it any more.
        if mount.fileSystem.isReadOnly { return }
        if hasWriters(mount.fileSystem) { throw .EBUSY }
        try mount.fileSystem.synchronize()
        mount.fileSystem.isReadOnly = true
        return
      }
    }
    try namespace.unmount(mount, flags)
  }
}

extension MountFlags {
  /// What a file system, and not a mount of it, is told at first and by a remount.
  fileprivate static var remountable: Self { [.MS_SYNCHRONOUS, .MS_MANDLOCK, .MS_LAZYTIME] }
}

extension StatfsFlags {
  /// The flags of a mount that mount(2) was asked for.
  public init(_ flags: MountFlags) {
    var result: StatfsFlags = []
    if flags.contains(.MS_RDONLY) { result.insert(.ST_RDONLY) }
    if flags.contains(.MS_NOSUID) { result.insert(.ST_NOSUID) }
    if flags.contains(.MS_NODEV) { result.insert(.ST_NODEV) }
    if flags.contains(.MS_NOEXEC) { result.insert(.ST_NOEXEC) }
    if flags.contains(.MS_NODIRATIME) { result.insert(.ST_NODIRATIME) }
    if flags.contains(.MS_NOSYMFOLLOW) { result.insert(.ST_NOSYMFOLLOW) }
    if !flags.contains(.MS_STRICTATIME) {
      result.insert(flags.contains(.MS_NOATIME) ? .ST_NOATIME : .ST_RELATIME)
    }
    self = result
  }
}
