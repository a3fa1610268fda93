internal import LinuxABI

/// An access control list, in the form that extended attributes have. See acl(5) and `linux/posix_acl_xattr.h`.
///
/// Behind four bytes of a version there are eight for each entry: a tag, permissions and an id. What of it says no more
/// than a mode does is in the mode.
public struct AccessControlList {
  private(set) var bytes: [UInt8]

  private enum Tag {
    static var userObject: UInt8 { 0x01 }
    static var user: UInt8 { 0x02 }
    static var groupObject: UInt8 { 0x04 }
    static var group: UInt8 { 0x08 }
    static var mask: UInt8 { 0x10 }
    static var other: UInt8 { 0x20 }
  }

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  /// Checks what a program wrote: the entries are there in their order, and a mask where somebody is named. Nil for what
  /// has no entries.
  ///
  /// - Throws: `EINVAL`, `EOPNOTSUPP` for another version.
  init?(checking value: [UInt8]) throws(Errno) {
    if value.isEmpty { return nil }
    guard value.count >= 4 else { throw .EINVAL }
    guard value[0] == 2, value[1] | value[2] | value[3] == 0 else { throw .EOPNOTSUPP }
    guard value.count % 8 == 4 else { throw .EINVAL }
    bytes = value
    if value.count == 4 { return nil }
    // What may come next: an entry of the last one's kind, or of a later one.
    var state = Tag.userObject
    var needsMask = false
    for at in starts {
      guard bytes[at + 1] == 0, bytes[at + 2] <= 7, bytes[at + 3] == 0 else { throw .EINVAL }
      let tag = bytes[at]
      let isNamed = tag == Tag.user || tag == Tag.group
      switch (tag, state) {
      case (Tag.userObject, Tag.userObject): state = Tag.user
      case (Tag.user, Tag.user), (Tag.group, Tag.group):
        needsMask = true
        if id(at) == .max { throw .EINVAL }
      case (Tag.groupObject, Tag.user): state = Tag.group
      case (Tag.mask, Tag.group): state = Tag.other
      case (Tag.other, Tag.other): state = 0
      case (Tag.other, Tag.group) where !needsMask: state = 0
      default: throw .EINVAL
      }
      if !isNamed { for byte in 4..<8 { bytes[at + byte] = 0xff } }
    }
    if state != 0 { throw .EINVAL }
  }

  /// Where entries begin.
  private var starts: StrideTo<Int> { stride(from: 4, to: bytes.count, by: 8) }

  private func id(_ at: Int) -> UInt32 {
    UInt32(bytes[at + 4]) | UInt32(bytes[at + 5]) << 8 | UInt32(bytes[at + 6]) << 16 | UInt32(bytes[at + 7]) << 24
  }

  /// Where the entry is that the group's bits of a mode stand for: the mask's, or that of the owning group.
  private var groupStart: Int {
    var found = 4
    for at in starts where bytes[at] == Tag.mask || bytes[at] == Tag.groupObject { found = at }
    return found
  }

  /// Whether it says more than a mode can.
  var saysMore: Bool { bytes.count > 4 + 3 * 8 }

  /// What `agree` goes by.
  enum Authority {
    case mode, list, both
  }

  /// Lets a mode and the list say the same: what the one says, or what both allow.
  mutating func agree(with mode: inout FileMode, by authority: Authority) {
    var bits = mode.rawValue & ~0o777
    var shift: UInt32 = 6
    for at in [4, groupStart, bytes.count - 8] {
      let given = UInt8(truncatingIfNeeded: mode.rawValue >> shift & 7)
      if authority != .list { bytes[at + 2] = authority == .mode ? given : given & bytes[at + 2] }
      bits |= UInt32(bytes[at + 2]) << shift
      shift &-= 3
    }
    mode = FileMode(rawValue: bits)
  }

  /// Whether somebody who is not the owner may do all of `access`.
  func allows(_ access: UInt32, _ credentials: Credentials, group: UInt32) -> Bool {
    let last = groupStart
    let mask = bytes[last] == Tag.mask ? bytes[last + 2] : 7
    var isMember = false
    for at in starts {
      let given = UInt32(bytes[at + 2])
      switch bytes[at] {
      case Tag.user where id(at) == credentials.userID: return access & ~(given & UInt32(mask)) == 0
      case Tag.groupObject where credentials.isMember(of: group), Tag.group where credentials.isMember(of: id(at)):
        isMember = true
        if access & ~given == 0 { return access & ~UInt32(mask) == 0 }
      case Tag.other: return !isMember && access & ~given == 0
      default: break
      }
    }
    return false
  }
}
