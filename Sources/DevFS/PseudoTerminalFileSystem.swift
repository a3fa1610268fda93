internal import Kernel
public import LinuxABI
internal import Support
public import VFSCore

/// What a devpts is mounted with: owners and permissions of the nodes that appear in it.
struct PseudoTerminalOptions {
  var uid: UInt32?
  var gid: UInt32?
  var mode: UInt32 = 0o600
  var ptmxMode: UInt32 = 0
  /// As /proc/mounts shows them.
  var text: [UInt8] = []

  /// As Debian mounts it: group 5 is tty.
  static var debian: Self { Self(gid: 5, mode: 0o620, text: [UInt8]("gid=5,mode=620,ptmxmode=000")) }
}

extension PseudoTerminalOptions {
  /// Reads what mount(2) takes: `uid=`, `gid=`, `mode=`, `ptmxmode=`, `newinstance`.
  ///
  /// - Throws: `EINVAL`.
  init(_ given: [UInt8], _ environment: FileSystemEnvironment) throws(Errno) {
    var options = MountOptions(given, "uid=%u gid=%u mode=%o ptmxmode=%o newinstance", environment)
    while try options.next() {
      let value = UInt32(options.number)
      switch options.place {
      case 0: uid = value
      case 1: gid = value
      case 2: mode = value & 0o7777
      case 3: ptmxMode = value & 0o7777
      default: break
      }
    }
    var text = TextBuffer()
    if let uid {
      text.append("uid=")
      text.append(decimal: UInt(uid))
      text.append(",")
    }
    if let gid {
      text.append("gid=")
      text.append(decimal: UInt(gid))
      text.append(",")
    }
    text.append("mode=")
    text.append(octal: UInt(mode), width: 3)
    text.append(",ptmxmode=")
    text.append(octal: UInt(ptmxMode), width: 3)
    self.text = text.bytes
  }
}

/// devpts: a directory with a node for each pseudo-terminal whose master is open, and `ptmx`, which makes them. See
/// pts(4).
public final class PseudoTerminalFileSystem: FileSystem {
  private let options: PseudoTerminalOptions
  fileprivate let registry: PseudoTerminals
  /// Which numbers are in use, a bit for each.
  private var used: [UInt64] = []

  init(_ registry: PseudoTerminals, _ environment: FileSystemEnvironment, _ options: PseudoTerminalOptions) {
    self.registry = registry
    self.options = options
    super.init(
      environment, typeName: "devpts", magic: FilesystemMagic.DEVPTS_SUPER_MAGIC, childPolicy: .complete)
    optionText = options.text
    let top = Inode(self, number: 1, mode: FileMode(.S_IFDIR, FileMode(rawValue: 0o755)))
    top.linkCount = 2
    setRoot(top)
    let ptmx = Inode(self, number: 2, mode: FileMode(.S_IFCHR, FileMode(rawValue: options.ptmxMode)))
    ptmx.device = PseudoTerminals.multiplexer
    root.add(Dentry([UInt8]("ptmx"), ptmx, parent: root))
  }

  /// Makes a pseudo-terminal and its node. See ptmx(4).
  ///
  /// - Throws: `ENOSPC` when there are too many, `ENOMEM`.
  fileprivate func open(_ path: Path, _ flags: OpenFlags) throws(Errno) -> OpenFile {
    let frames = environment.frames
    guard registry.count < registry.limit else { throw .ENOSPC }
    guard frames.hasRoom() else { throw .ENOMEM }
    var word = 0
    while word < used.count, used[word] == .max { word += 1 }
    if word == used.count { used.append(0) }
    let bit = (~used[word]).trailingZeroBitCount
    used[word] |= 1 << UInt64(bit)
    registry.count += 1

    let pseudoTerminal = PseudoTerminal(word << 6 + bit, clock: environment.clock, processes: registry.processes)
    guard let terminal = pseudoTerminal.terminal else { throw .EIO }
    let inode = PseudoTerminalInode(
      self, pseudoTerminal, mode: options.mode, uid: options.uid ?? registry.processes?.fileSystemUser ?? 0,
      gid: options.gid ?? 0)
    inode.device = terminal.number
    var name = TextBuffer()
    name.append(decimal: UInt(pseudoTerminal.index))
    let dentry = Dentry(name.bytes, inode, parent: root)
    root.add(dentry)
    return PseudoTerminalMaster(path, flags, pseudoTerminal, terminal, node: Path(mount(for: path), dentry), self)
  }

  /// The mount through which a slave is reached from its master.
  private func mount(for path: Path) -> Mount {
    path.mount.fileSystem === self ? path.mount : registry.mount ?? path.mount
  }

  /// Takes a node away.
  func remove(_ pseudoTerminal: PseudoTerminal, _ dentry: Dentry) {
    root.remove(dentry)
    dentry.inode.linkCount = 0
    used[pseudoTerminal.index >> 6] &= ~(1 << UInt64(pseudoTerminal.index & 63))
    registry.count -= 1
  }
}

/// The node of a slave.
final class PseudoTerminalInode: Inode {
  private let pseudoTerminal: PseudoTerminal

  init(_ fileSystem: FileSystem, _ pseudoTerminal: PseudoTerminal, mode: UInt32, uid: UInt32, gid: UInt32) {
    self.pseudoTerminal = pseudoTerminal
    super.init(
      fileSystem, number: UInt64(pseudoTerminal.index) + 3, mode: FileMode(.S_IFCHR, FileMode(rawValue: mode)),
      uid: uid, gid: gid)
  }

  override func open(_ path: Path, _ flags: OpenFlags) throws(Errno) -> OpenFile {
    guard let terminal = pseudoTerminal.terminal, !pseudoTerminal.isLocked else { throw .EIO }
    return try terminal.open(path, flags)
  }
}

/// The driver of /dev/ptmx, and what all devpts of the machine have in common.
public final class PseudoTerminals: DeviceDriver {
  fileprivate let processes: (any TerminalProcesses)?
  /// Pseudo-terminals that there are, and that there may be: they take some of the kernel's memory.
  public fileprivate(set) var count = 0
  public let limit: Int
  /// Where /dev/ptmx makes its nodes: the first devpts that was mounted.
  private var main: PseudoTerminalFileSystem?
  public var mount: Mount?

  static var multiplexer: DeviceNumber { DeviceNumber(major: 5, minor: 2) }

  public init(_ environment: FileSystemEnvironment, processes: (any TerminalProcesses)?) {
    self.processes = processes
    limit = min(4096, max(environment.frames.totalFrames / 64, 16))
  }

  /// Makes a devpts.
  ///
  /// - Parameter options: As mount(2) takes them; nil for Debian's.
  /// - Throws: `EINVAL` for an option that it does not have.
  public func makeFileSystem(
    _ environment: FileSystemEnvironment, options: [UInt8]? = nil
  ) throws(Errno) -> PseudoTerminalFileSystem {
    var parsed = PseudoTerminalOptions.debian
    if let options { parsed = try PseudoTerminalOptions(options, environment) }
    let made = PseudoTerminalFileSystem(self, environment, parsed)
    if main == nil { main = made }
    return made
  }

  /// The type for mount(2) and /proc/filesystems.
  public func type(_ environment: FileSystemEnvironment) -> FileSystemType {
    FileSystemType(name: [UInt8]("devpts")) { [self] (_, _, options) throws(Errno) in
      try makeFileSystem(environment, options: options)
    }
  }

  public func open(_ path: Path, _ flags: OpenFlags) throws(Errno) -> OpenFile {
    guard let fileSystem = path.inode.fileSystem as? PseudoTerminalFileSystem ?? main else { throw .ENODEV }
    return try fileSystem.open(path, flags)
  }

  /// Makes /dev/ptmx known.
  public func register(in devices: DeviceRegistry) {
    let number = Self.multiplexer
    devices.register(self, .S_IFCHR, major: number.major, minors: number.minor...number.minor)
  }
}
