// Names are spelled as in Linux, so that grep and the man pages work.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

public import LinuxABI
public import VFSCore

/// A process's user and group ids and its capabilities. See credentials(7) and capabilities(7).
public struct Identity: Sendable {
  /// Real, effective, saved and file system id.
  public struct IDs: Equatable, Sendable {
    public var real: UInt32
    public var effective: UInt32
    public var saved: UInt32
    public var fileSystem: UInt32

    init(_ id: UInt32) {
      real = id
      effective = id
      saved = id
      fileSystem = id
    }

    /// Whether one of the first three is `id`.
    public func hold(_ id: UInt32) -> Bool { id == real || id == effective || id == saved }
    var holdRoot: Bool { hold(0) }
  }

  /// The sets of a thread's capabilities; bit n stands for capability n.
  public struct Capabilities: Equatable, Sendable {
    public var effective: UInt64
    public var permitted: UInt64
    public var inheritable: UInt64
    public var bounding: UInt64

    /// Every capability there is.
    public static var all: UInt64 { (2 << UInt64(CapabilityVersion.CAP_LAST_CAP)) - 1 }
  }

  /// Numbers of capabilities that the kernel asks for.
  public enum Capability {
    public static var CAP_KILL: UInt64 { 5 }
    public static var CAP_SETGID: UInt64 { 6 }
    public static var CAP_SETUID: UInt64 { 7 }
    public static var CAP_SETPCAP: UInt64 { 8 }
    public static var CAP_NET_ADMIN: UInt64 { 12 }
    public static var CAP_NET_RAW: UInt64 { 13 }
    public static var CAP_IPC_LOCK: UInt64 { 14 }
    static var CAP_IPC_OWNER: UInt64 { 15 }
    public static var CAP_SYS_PTRACE: UInt64 { 19 }
    public static var CAP_SYS_ADMIN: UInt64 { 21 }
    public static var CAP_SYS_NICE: UInt64 { 23 }
    public static var CAP_SYS_RESOURCE: UInt64 { 24 }
    public static var CAP_SYS_TIME: UInt64 { 25 }
    public static var CAP_WAKE_ALARM: UInt64 { 35 }
    static var CAP_DAC_OVERRIDE: UInt64 { 1 }
    /// CHOWN, DAC_OVERRIDE, DAC_READ_SEARCH, FOWNER, FSETID, LINUX_IMMUTABLE, MKNOD, MAC_OVERRIDE: they follow the file
    /// system's user id.
    static var fileSystemSet: UInt64 { 0x1f | 1 << 9 | 1 << 27 | 1 << 32 }
  }

  public var user: IDs
  public var group: IDs
  public var groups: [UInt32] = []
  public var capabilities: Capabilities
  /// PR_SET_KEEPCAPS: permitted capabilities survive the change away from user 0.
  public var keepsCapabilities = false
  /// PR_SET_NO_NEW_PRIVS
  public var allowsNoNewPrivileges = false

  /// The superuser, with all capabilities.
  public static var root: Identity { Identity() }

  private init() {
    user = IDs(0)
    group = IDs(0)
    capabilities = Capabilities(
      effective: Capabilities.all, permitted: Capabilities.all, inheritable: 0, bounding: Capabilities.all)
  }

  public func has(_ capability: UInt64) -> Bool { capabilities.effective & 1 << capability != 0 }

  /// What permission checks of files look at.
  public var fileCredentials: Credentials {
    Credentials(
      userID: user.fileSystem, groupID: group.fileSystem, groups: groups, isPrivileged: has(Capability.CAP_DAC_OVERRIDE)
    )
  }

  // MARK: Changes

  /// Gives the user ids new values; capabilities follow as capabilities(7), "Effect of user ID changes" says.
  public mutating func changeUser(_ new: IDs) {
    let old = user
    user = new
    if old.holdRoot, !new.holdRoot, !keepsCapabilities {
      capabilities.permitted = 0
      capabilities.effective = 0
    }
    if old.effective == 0, new.effective != 0 { capabilities.effective = 0 }
    if old.effective != 0, new.effective == 0 { capabilities.effective = capabilities.permitted }
    followFileSystemUser(old.fileSystem)
  }

  /// See setfsuid(2).
  public mutating func changeFileSystemUser(_ id: UInt32) {
    let old = user.fileSystem
    user.fileSystem = id
    followFileSystemUser(old)
  }

  private mutating func followFileSystemUser(_ old: UInt32) {
    if old == 0, user.fileSystem != 0 { capabilities.effective &= ~Capability.fileSystemSet }
    if old != 0, user.fileSystem == 0 {
      capabilities.effective |= capabilities.permitted & Capability.fileSystemSet
    }
  }

  /// See setuid(2) and setgid(2).
  ///
  /// - Throws: `EPERM`.
  public static func set(_ ids: IDs, to id: UInt32, privileged: Bool) throws(Errno) -> IDs {
    var new = ids
    if privileged {
      new.real = id
      new.saved = id
    } else if id != ids.real, id != ids.saved {
      throw .EPERM
    }
    new.effective = id
    new.fileSystem = id
    return new
  }

  /// See setreuid(2) and setregid(2); nil leaves an id as it is.
  ///
  /// - Throws: `EPERM`.
  public static func set(_ ids: IDs, real: UInt32?, effective: UInt32?, privileged: Bool) throws(Errno) -> IDs {
    var new = ids
    if let real {
      guard privileged || real == ids.real || real == ids.effective else { throw .EPERM }
      new.real = real
    }
    if let effective {
      guard privileged || ids.hold(effective) else { throw .EPERM }
      new.effective = effective
    }
    if real != nil || (effective != nil && effective != ids.real) { new.saved = new.effective }
    new.fileSystem = new.effective
    return new
  }

  /// See setresuid(2) and setresgid(2); nil leaves an id as it is.
  ///
  /// - Throws: `EPERM`.
  public static func set(
    _ ids: IDs, real: UInt32?, effective: UInt32?, saved: UInt32?, privileged: Bool
  ) throws(Errno) -> IDs {
    var new = ids
    for id in [real, effective, saved] {
      if let id, !privileged, !ids.hold(id) { throw .EPERM }
    }
    if let real { new.real = real }
    if let effective { new.effective = effective }
    if let saved { new.saved = saved }
    new.fileSystem = new.effective
    return new
  }
}

extension UserProcess {
  /// Changes who the process is; its file accesses follow.
  public func changeIdentity(_ body: (inout Identity) throws(Errno) -> Void) throws(Errno) {
    var new = identity
    try body(&new)
    identity = new
    fileSystem.credentials = new.fileCredentials
  }
}

extension UserProcess {
  /// Puts this process or a child of it into a group. See setpgid(2).
  ///
  /// - Throws: `EPERM`, `ESRCH`.
  public func setGroup(of target: UserProcess, to group: Int32) throws(Errno) {
    guard target === self || target.parentPID == pid else { throw .ESRCH }
    guard target.session == session, target.session != target.pid else { throw .EPERM }
    if group != target.pid {
      guard system.processes.contains(where: { $0.group == group && $0.session == session }) else { throw .EPERM }
    }
    target.group = group
  }

  /// Makes this process the leader of a session and a group of its own. See setsid(2).
  ///
  /// - Throws: `EPERM` for the leader of a group.
  public func startSession() throws(Errno) {
    guard !system.processes.contains(where: { $0.group == pid }) else { throw .EPERM }
    session = pid
    group = pid
    controllingTerminal = nil
  }
}
