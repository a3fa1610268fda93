/// The identity that a permission check looks at: the file system's ids and the groups of credentials(7).
public struct Credentials: Sendable {
  public var userID: UInt32
  public var groupID: UInt32
  public var groups: [UInt32]
  /// CAP_DAC_OVERRIDE, CAP_FOWNER and the like, which uid 0 has.
  public var isPrivileged: Bool

  public init(userID: UInt32, groupID: UInt32, groups: [UInt32] = [], isPrivileged: Bool) {
    self.userID = userID
    self.groupID = groupID
    self.groups = groups
    self.isPrivileged = isPrivileged
  }

  /// uid 0, gid 0, all capabilities.
  public static var root: Credentials { Credentials(userID: 0, groupID: 0, isPrivileged: true) }

  public func isMember(of group: UInt32) -> Bool {
    if group == groupID { return true }
    for other in groups where other == group { return true }
    return false
  }
}
