internal import Kernel
public import LinuxABI

extension FileSystemContext {
  // MARK: Reading

  /// See stat(2), lstat(2) and newfstatat(2).
  @inline(__always)
  public func stat(_ path: [UInt8], at base: OpenFile? = nil, _ flags: AtFlags = []) throws(Errno) -> Stat {
    try resolve(path, at: base, flags).inode.stat()
  }

  /// See statx(2).
  public func statx(_ path: [UInt8], at base: OpenFile? = nil, _ flags: AtFlags = []) throws(Errno) -> Statx {
    let place = try resolve(path, at: base, flags)
    return place.inode.statx(mountID: place.mount.id, isMountRoot: place.dentry === place.mount.root)
  }

  /// Checks whether the process may access a file. See faccessat2(2).
  ///
  /// - Parameter identity: Whose permission: that of the real ids, unless AT_EACCESS says otherwise.
  public func access(
    _ path: [UInt8], at base: OpenFile? = nil, _ mode: AccessMode, _ flags: AtFlags = [],
    as identity: Credentials? = nil
  ) throws(Errno) {
    // The look-up too goes by the ids that were asked for.
    let own = credentials
    if let identity { credentials = identity }
    defer { credentials = own }
    let place = try resolve(path, at: base, flags)
    if mode.isEmpty { return }
    let inode = place.inode
    if mode.contains(.X_OK), inode.isRegularFile, place.mount.flags.contains(.ST_NOEXEC) { throw .EACCES }
    if !inode.allows(mode, credentials) { throw .EACCES }
    if mode.contains(.W_OK), place.mount.isReadOnly, inode.isRegularFile || inode.isDirectory { throw .EROFS }
  }

  /// See statfs(2).
  public func statfs(_ path: [UInt8]) throws(Errno) -> Statfs { try statfs(try resolve(path)) }

  /// See fstatfs(2).
  public func statfs(_ place: Path) throws(Errno) -> Statfs {
    var result = try place.inode.fileSystem.statfs()
    // These two have the same bits.
    let own = place.inode.fileSystem.flags.intersection([.MS_SYNCHRONOUS, .MS_MANDLOCK])
    result.f_flags = place.mount.flags.union(place.mount.isReadOnly ? [.ST_VALID, .ST_RDONLY] : .ST_VALID)
      .union(StatfsFlags(rawValue: own.rawValue))
    return result
  }

  // MARK: Changing

  /// Changes permissions. See chmod(2) and fchmod(2).
  public func setMode(_ place: Path, _ mode: FileMode) throws(Errno) {
    try checkOwner(place)
    var permissions = mode.permissions
    let inode = place.inode
    if inode.isSymbolicLink { throw .EOPNOTSUPP }
    if !credentials.isPrivileged, !credentials.isMember(of: inode.gid) { permissions.remove(.S_ISGID) }
    var change = AttributeChange()
    change.permissions = permissions
    try inode.setAttributes(change)
    place.note(.IN_ATTRIB)
  }

  /// Changes owner and group; nil leaves one alone. See chown(2).
  public func setOwner(_ place: Path, uid: UInt32?, gid: UInt32?) throws(Errno) {
    if place.mount.isReadOnly { throw .EROFS }
    let inode = place.inode
    if !credentials.isPrivileged {
      if let uid, uid != inode.uid || credentials.userID != inode.uid { throw .EPERM }
      if let gid, credentials.userID != inode.uid || gid != inode.gid && !credentials.isMember(of: gid) {
        throw .EPERM
      }
    }
    var change = AttributeChange()
    change.uid = uid
    change.gid = gid
    // What runs with its owner's rights must not do so with another's.
    if !inode.isDirectory { change.permissions = permissionsWithoutPrivileges(inode) }
    // Even where neither id is to change.
    if change.permissions != nil { try checkOwner(place) }
    try inode.setAttributes(change)
    if uid != nil || gid != nil || change.permissions != nil { place.note(.IN_ATTRIB) }
  }

  /// The permissions without set-user-id, and without set-group-id where that lets the file run as the group or this
  /// user could not set it; nil when they say so already.
  private func permissionsWithoutPrivileges(_ inode: Inode) -> FileMode? {
    let old = inode.mode.permissions
    var new = old.subtracting(.S_ISUID)
    if old.contains(.S_IXGRP) || !credentials.isPrivileged && !credentials.isMember(of: inode.gid) {
      new.remove(.S_ISGID)
    }
    return new == old ? nil : new
  }

  /// Takes set-user-id and set-group-id from a regular file whose content this user is about to change, unless the user
  /// may set them (CAP_FSETID). See write(2).
  ///
  /// - Returns: What that is for inotify(7), if they had to be taken.
  public func removePrivileges(of inode: Inode) throws(Errno) -> InotifyEvents {
    if credentials.isPrivileged || !inode.isRegularFile { return [] }
    var change = AttributeChange()
    change.permissions = permissionsWithoutPrivileges(inode)
    if change.permissions == nil { return [] }
    try inode.setAttributes(change)
    return .IN_ATTRIB
  }

  /// Changes access and modification time; both to now for nil. `tv_nsec` may be UTIME_NOW or UTIME_OMIT. See
  /// utimensat(2).
  public func setTimes(_ place: Path, _ times: (access: Timespec, modification: Timespec)?) throws(Errno) {
    let inode = place.inode
    let now = inode.fileSystem.environment.now
    var change = AttributeChange()
    // A file that is touched has one time, as its time of access must not lie before that of its change.
    change.changeTime = now
    var setsToNow = true
    if let times {
      change.accessTime = try time(times.access, now)
      change.modificationTime = try time(times.modification, now)
      if change.accessTime == nil, change.modificationTime == nil { return }
      setsToNow =
        times.access.tv_nsec == UtimeNanoseconds.UTIME_NOW && times.modification.tv_nsec == UtimeNanoseconds.UTIME_NOW
    } else {
      change.accessTime = now
      change.modificationTime = now
    }
    if place.mount.isReadOnly { throw .EROFS }
    if !credentials.isPrivileged, credentials.userID != inode.uid {
      // Whoever may write may touch, but only the owner sets a time of choice.
      if !setsToNow { throw .EPERM }
      if !inode.allows(.W_OK, credentials) { throw .EACCES }
    }
    try inode.setAttributes(change)
    // One time alone looks like a use of the content.
    place.note(change.modificationTime == nil ? .IN_ACCESS : change.accessTime == nil ? .IN_MODIFY : .IN_ATTRIB)
  }

  /// Nanoseconds since 1970, or nil for UTIME_OMIT. Years beyond 1677 and 2262 become the nearest that fits.
  private func time(_ time: Timespec, _ now: Int64) throws(Errno) -> Int64? {
    if time.tv_nsec == UtimeNanoseconds.UTIME_NOW { return now }
    if time.tv_nsec == UtimeNanoseconds.UTIME_OMIT { return nil }
    guard time.tv_nsec >= 0, time.tv_nsec < 1_000_000_000 else { throw .EINVAL }
    let (seconds, overflow) = time.tv_sec.multipliedReportingOverflow(by: 1_000_000_000)
    let (sum, carry) = seconds.addingReportingOverflow(time.tv_nsec)
    return overflow || carry ? (time.tv_sec < 0 ? .min : .max) : sum
  }

  /// Cuts or extends a file by path. See truncate(2).
  public func truncate(_ path: [UInt8], to size: Int64) throws(Errno) {
    if size < 0 { throw .EINVAL }
    let place = try resolve(path)
    let inode = place.inode
    if inode.isDirectory { throw .EISDIR }
    guard inode.isRegularFile else { throw .EINVAL }
    if place.mount.isReadOnly { throw .EROFS }
    if !inode.allows(.W_OK, credentials) { throw .EACCES }
    if inode.writerCount < 0 { throw .ETXTBSY }
    // A file without a page that has the size already stays as it was; by descriptor and with O_TRUNC its times change.
    if inode.size != size || inode.fileSystem.childPolicy != .complete || inode.pageCache?.pageCount != 0 {
      try inode.truncate(to: size)
    }
    place.note(try removePrivileges(of: inode).union(.IN_MODIFY))
  }

  private func checkOwner(_ place: Path) throws(Errno) {
    if place.mount.isReadOnly { throw .EROFS }
    if !credentials.isPrivileged, credentials.userID != place.inode.uid { throw .EPERM }
  }
}
