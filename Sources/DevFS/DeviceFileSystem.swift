internal import LinuxABI
internal import Support
public import VFSCore

/// /dev: a tree in memory with the nodes of the devices that there are. Programs may add others with mknod(2).
public final class DeviceFileSystem: MemoryFileSystem {
  public init(_ environment: FileSystemEnvironment) {
    super.init(environment, typeName: "devtmpfs")
    populate()
  }

  private func populate() {
    addDevice("null", 1, 3, mode: 0o666)
    addDevice("zero", 1, 5, mode: 0o666)
    addDevice("full", 1, 7, mode: 0o666)
    addDevice("random", 1, 8, mode: 0o666)
    addDevice("urandom", 1, 9, mode: 0o666)
    addDevice("kmsg", 1, 11, mode: 0o644)
    addDevice("tty", 5, 0, mode: 0o666)
    addDevice("console", 5, 1, mode: 0o600)
    addDevice("ptmx", 5, 2, mode: 0o666)
    addDevice("ttyS0", 4, 64, mode: 0o600)
    addLink("fd", to: "/proc/self/fd")
    addLink("stdin", to: "/proc/self/fd/0")
    addLink("stdout", to: "/proc/self/fd/1")
    addLink("stderr", to: "/proc/self/fd/2")
    addDirectory("shm", mode: 0o1777)
    addDirectory("pts", mode: 0o755)
  }

  /// Adds a character device's node.
  public func addDevice(_ name: StaticString, _ major: UInt32, _ minor: UInt32, mode: UInt32) {
    var node = NewNode(mode: FileMode(.S_IFCHR, FileMode(rawValue: mode)), uid: 0, gid: 0)
    node.device = DeviceNumber(major: major, minor: minor)
    enter(name, node)
  }
  private func addLink(_ name: StaticString, to target: StaticString) {
    var node = NewNode(mode: FileMode(.S_IFLNK, FileMode(rawValue: 0o777)), uid: 0, gid: 0)
    node.target = target.bytes
    enter(name, node)
  }
  private func addDirectory(_ name: StaticString, mode: UInt32) {
    enter(name, NewNode(mode: FileMode(.S_IFDIR, FileMode(rawValue: mode)), uid: 0, gid: 0))
  }

  private func enter(_ name: StaticString, _ node: NewNode) {
    // A machine that has no memory for a dozen nodes at boot stops soon anyway, and says so better than this could.
    _ = try? add(name.bytes, node, to: root)
  }
}
