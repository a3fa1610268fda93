public import LinuxABI
internal import Support

/// A name and a value of a file. See xattr(7).
struct ExtendedAttribute {
  let name: [UInt8]
  var value: [UInt8]
}

/// The kinds of attributes, by what stands in front of the first dot of a name.
private enum AttributeKind {
  case user, trusted, security
  /// system.posix_acl_access and system.posix_acl_default
  case accessList, defaultList

  init?(_ name: [UInt8]) {
    if name.begins(with: "user.") {
      self = .user
    } else if name.begins(with: "trusted.") {
      self = .trusted
    } else if name.begins(with: "security.") {
      self = .security
    } else if name.begins(with: "system.posix_acl_access"), name.count == 23 {
      self = .accessList
    } else if name.begins(with: "system.posix_acl_default"), name.count == 24 {
      self = .defaultList
    } else {
      return nil
    }
  }
}

extension [UInt8] {
  fileprivate func begins(with prefix: StaticString) -> Bool { starts(with: prefix.bytes) }
}

extension [ExtendedAttribute] {
  /// See `Inode.attribute`.
  func value(_ name: [UInt8], of inode: Inode) throws(Errno) -> [UInt8] {
    switch AttributeKind(name) {
    case .user, .trusted, .security:
      try Self.checkEnd(name)
      for attribute in self where attribute.name == name { return attribute.value }
      throw .ENODATA
    case .accessList, .defaultList: throw inode.isSymbolicLink ? .EOPNOTSUPP : .ENODATA
    default: throw .EOPNOTSUPP
    }
  }

  /// - Throws: `EINVAL` for a name with nothing behind its only dot.
  private static func checkEnd(_ name: [UInt8]) throws(Errno) {
    if name.firstIndex(of: UInt8(ascii: ".")) == name.count - 1 { throw .EINVAL }
  }

  /// See `Inode.setAttribute`.
  mutating func set(
    _ name: [UInt8], _ value: [UInt8]?, _ flags: ExtendedAttributeFlags, of inode: Inode
  ) throws(Errno) {
    switch AttributeKind(name) {
    case .user, .trusted, .security: try Self.checkEnd(name)
    case .accessList:
      if inode.isSymbolicLink { throw .EOPNOTSUPP }
      if let value, !value.isEmpty { try inode.setAccessList(value) }
      return
    case .defaultList:
      if inode.isSymbolicLink { throw .EOPNOTSUPP }
      guard let value, !value.isEmpty else { return }
      throw inode.isDirectory ? .EOPNOTSUPP : .EACCES
    default: throw .EOPNOTSUPP
    }
    let present = firstIndex { $0.name == name }
    if let present {
      if flags.contains(.XATTR_CREATE) { throw .EEXIST }
      if let value { self[present].value = value } else { remove(at: present) }
    } else {
      guard let value, !flags.contains(.XATTR_REPLACE) else { throw .ENODATA }
      // By descending name, as tmpfs lists them since Linux 6.6, which also brought it the user's attributes.
      let place = firstIndex { $0.name.lexicographicallyPrecedes(name) } ?? count
      insert(ExtendedAttribute(name: name, value: value), at: place)
    }
    inode.didChange()
  }
}

extension Inode {
  /// Sets the mode from an access control list that says no more than a mode can. See acl(5) and `linux/posix_acl_xattr.h`.
  ///
  /// - Throws: `EINVAL` when it is malformed, `EOPNOTSUPP` when it has entries for single users or groups.
  fileprivate final func setAccessList(_ value: [UInt8]) throws(Errno) {
    guard value.count >= 4, (value.count - 4) % 8 == 0, value[0] == 2, value[1] | value[2] | value[3] == 0 else {
      throw .EINVAL
    }
    var bits: [UInt32?] = [nil, nil, nil]
    for start in stride(from: 4, to: value.count, by: 8) {
      let permission = UInt32(value[start + 2]) | UInt32(value[start + 3]) << 8
      guard permission <= 7 else { throw .EINVAL }
      let position: Int
      switch UInt32(value[start]) | UInt32(value[start + 1]) << 8 {
      case 0x01: position = 0
      case 0x04: position = 1
      case 0x20: position = 2
      case 0x02, 0x08, 0x10: throw .EOPNOTSUPP
      default: throw .EINVAL
      }
      guard bits[position] == nil else { throw .EINVAL }
      bits[position] = permission
    }
    guard let user = bits[0], let group = bits[1], let other = bits[2] else { throw .EINVAL }
    var change = AttributeChange()
    change.permissions = FileMode(rawValue: mode.rawValue & 0o7000 | user << 6 | group << 3 | other)
    try setAttributes(change)
  }
}

extension FileSystemContext {
  // MARK: Extended attributes

  /// Gets an attribute. See getxattr(2).
  ///
  /// - Throws: `ENODATA`, `EOPNOTSUPP`, `EACCES`.
  public func attribute(_ place: Path, _ name: [UInt8]) throws(Errno) -> [UInt8] {
    try checkAttribute(place, name, isWriting: false)
    return try place.inode.attribute(name)
  }

  /// Sets an attribute. See setxattr(2).
  ///
  /// - Throws: `EEXIST`, `ENODATA`, `EPERM`, `EOPNOTSUPP`, `EROFS`, `ENOSPC`.
  public func setAttribute(
    _ place: Path, _ name: [UInt8], _ value: [UInt8], _ flags: ExtendedAttributeFlags
  ) throws(Errno) {
    try checkAttribute(place, name, isWriting: true)
    try place.inode.setAttribute(name, value, flags)
    place.note(.IN_ATTRIB)
  }

  /// Removes an attribute. See removexattr(2).
  ///
  /// - Throws: `ENODATA`, `EPERM`, `EOPNOTSUPP`, `EROFS`.
  public func removeAttribute(_ place: Path, _ name: [UInt8]) throws(Errno) {
    try checkAttribute(place, name, isWriting: true)
    try place.inode.setAttribute(name, nil, .XATTR_REPLACE)
    place.note(.IN_ATTRIB)
  }

  /// The names of the attributes that may be seen, each with a NUL. See listxattr(2).
  public func attributeNames(_ place: Path) throws(Errno) -> [UInt8] {
    var list: [UInt8] = []
    for name in try place.inode.attributeNames() {
      if !credentials.isPrivileged, name.begins(with: "trusted.") { continue }
      list.append(contentsOf: name)
      list.append(0)
    }
    return list
  }

  private func checkAttribute(_ place: Path, _ name: [UInt8], isWriting: Bool) throws(Errno) {
    if isWriting, place.mount.isReadOnly { throw .EROFS }
    let inode = place.inode
    switch AttributeKind(name) {
    case .trusted: if !credentials.isPrivileged { throw isWriting ? .EPERM : .ENODATA }
    case .security: if isWriting, !credentials.isPrivileged { throw .EPERM }
    case .accessList, .defaultList:
      if isWriting, !credentials.isPrivileged, credentials.userID != inode.uid { throw .EPERM }
    case .user:
      if !inode.isRegularFile, !inode.isDirectory { throw isWriting ? .EPERM : .ENODATA }
      // In a directory where only owners may delete, only they may set attributes of its own.
      if isWriting, inode.isDirectory, inode.mode.contains(.S_ISVTX), !credentials.isPrivileged,
        credentials.userID != inode.uid
      {
        throw .EPERM
      }
      if !inode.allows(isWriting ? .W_OK : .R_OK, credentials) { throw .EACCES }
    case nil: if !inode.allows(isWriting ? .W_OK : .R_OK, credentials) { throw .EACCES }
    }
  }
}
