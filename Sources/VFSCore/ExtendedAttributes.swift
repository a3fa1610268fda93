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
    case .accessList, .defaultList: if inode.isSymbolicLink { throw .EOPNOTSUPP }
    default: throw .EOPNOTSUPP
    }
    for attribute in self where attribute.name == name { return attribute.value }
    throw .ENODATA
  }

  /// An access control list that says more than a mode, or a default one.
  func list(isDefault: Bool) -> AccessControlList? {
    let name = Self.listName(isDefault)
    for attribute in self where attribute.name == name { return AccessControlList(attribute.value) }
    return nil
  }

  /// Sets or removes a list. They stand in front of the other attributes.
  mutating func setList(_ list: AccessControlList?, isDefault: Bool) {
    let name = Self.listName(isDefault)
    removeAll { $0.name == name }
    guard let list else { return }
    let isSecond = isDefault && first?.name == Self.listName(false)
    insert(ExtendedAttribute(name: name, value: list.bytes), at: isSecond ? 1 : 0)
  }

  private static func listName(_ isDefault: Bool) -> [UInt8] {
    (isDefault ? "system.posix_acl_default" as StaticString : "system.posix_acl_access").bytes
  }

  /// - Throws: `EINVAL` for a name with nothing behind its only dot.
  private static func checkEnd(_ name: [UInt8]) throws(Errno) {
    if name.firstIndex(of: UInt8(ascii: ".")) == name.count - 1 { throw .EINVAL }
  }

  /// See `Inode.setAttribute`.
  mutating func set(
    _ name: [UInt8], _ value: [UInt8]?, _ flags: ExtendedAttributeFlags, of inode: Inode
  ) throws(Errno) {
    let kind = AttributeKind(name)
    switch kind {
    case .user, .trusted, .security: try Self.checkEnd(name)
    case .accessList, .defaultList:
      if inode.isSymbolicLink { throw .EOPNOTSUPP }
      let isDefault = kind == .defaultList
      // One without entries is none.
      var list = try AccessControlList(checking: value ?? [])
      if isDefault, !inode.isDirectory {
        if list != nil { throw .EACCES }
        return
      }
      if !isDefault {
        list?.agree(with: &inode.mode, by: .list)
        if list?.saysMore == false { list = nil }
      }
      setList(list, isDefault: isDefault)
      inode.didChange()
      return
    default: throw .EOPNOTSUPP
    }
    let present = firstIndex { $0.name == name }
    if let present {
      if flags.contains(.XATTR_CREATE) { throw .EEXIST }
      if let value { self[present].value = value } else { remove(at: present) }
    } else {
      guard let value, !flags.contains(.XATTR_REPLACE) else { throw .ENODATA }
      // By descending name, as tmpfs lists them since Linux 6.6, which also brought it the user's attributes.
      let place = firstIndex { !$0.name.begins(with: "system.") && $0.name.lexicographicallyPrecedes(name) } ?? count
      insert(ExtendedAttribute(name: name, value: value), at: place)
    }
    inode.didChange()
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
    let inode = place.inode
    try inode.setAttribute(name, value, flags)
    if AttributeKind(name) == .accessList, inode.mode.contains(.S_ISGID), !credentials.isPrivileged,
      !credentials.isMember(of: inode.gid)
    {
      var change = AttributeChange()
      change.permissions = inode.mode.permissions.subtracting(.S_ISGID)
      try inode.setAttributes(change)
    }
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
