internal import LinuxABI
internal import Support
internal import VFSCore

/// The texts of /proc/PID/mounts and mountinfo.
enum MountReport {
  static func mounts(_ namespace: Namespace, _ root: Path, _ text: inout TextBuffer) {
    for mount in namespace.mounts {
      guard let place = place(mount, root) else { continue }
      escape(source(mount), &text)
      text.append(" ")
      escape(place, &text)
      text.append(" ")
      text.append(mount.fileSystem.typeName)
      text.append(" ")
      text.append(mount.isReadOnly ? "ro" : "rw")
      if mount.flags.contains(.ST_SYNCHRONOUS) { text.append(",sync") }
      flags(mount, &text)
      options(mount, &text)
      text.append(" 0 0\n")
    }
  }

  static func information(_ namespace: Namespace, _ root: Path, _ text: inout TextBuffer) {
    for mount in namespace.mounts {
      guard let place = place(mount, root) else { continue }
      text.append(decimal: UInt(mount.id))
      text.append(" ")
      text.append(decimal: UInt(mount.parent?.mount.id ?? 1))
      text.append(" ")
      text.append(decimal: UInt(mount.fileSystem.device.major))
      text.append(":")
      text.append(decimal: UInt(mount.fileSystem.device.minor))
      text.append(" ")
      escape(inner(mount), &text)
      text.append(" ")
      escape(place, &text)
      text.append(" ")
      text.append(mount.flags.contains(.ST_RDONLY) ? "ro" : "rw")
      flags(mount, &text)
      number(" shared:", mount.group, &text)
      number(" master:", mount.master, &text)
      if mount.isUnbindable { text.append(" unbindable") }
      text.append(" - ")
      text.append(mount.fileSystem.typeName)
      text.append(" ")
      escape(source(mount), &text)
      text.append(mount.fileSystem.isReadOnly ? " ro" : " rw")
      if mount.flags.contains(.ST_SYNCHRONOUS) { text.append(",sync") }
      options(mount, &text)
      text.append("\n")
    }
  }

  /// Where a mount is as seen from a root; nil when it lies outside.
  private static func place(_ mount: Mount, _ root: Path) -> [UInt8]? {
    let path = Path(mount, mount.root).text(root: root, marksUnreachable: true)
    return path.first == UInt8(ascii: "/") ? path : nil
  }

  /// What of the file system is mounted.
  private static func inner(_ mount: Mount) -> [UInt8] {
    var parts: [[UInt8]] = []
    var dentry: Dentry = mount.root
    let isRemoved = dentry.isDetached
    while let parent = dentry.parent {
      parts.append(dentry.name)
      dentry = parent
    }
    var path: [UInt8] = []
    for part in parts.reversed() {
      path.append(UInt8(ascii: "/"))
      path.append(contentsOf: part)
    }
    if isRemoved { path.append(contentsOf: [UInt8](("//deleted" as StaticString).bytes)) }
    return path.isEmpty ? [UInt8(ascii: "/")] : path
  }

  private static func source(_ mount: Mount) -> [UInt8] {
    if !mount.source.isEmpty { return mount.source }
    let none: StaticString = "none"
    return none.bytes
  }

  private static func flags(_ mount: Mount, _ text: inout TextBuffer) {
    let flags = mount.flags
    if flags.contains(.ST_NOSUID) { text.append(",nosuid") }
    if flags.contains(.ST_NODEV) { text.append(",nodev") }
    if flags.contains(.ST_NOEXEC) { text.append(",noexec") }
    if flags.contains(.ST_NOATIME) { text.append(",noatime") }
    if flags.contains(.ST_NODIRATIME) { text.append(",nodiratime") }
    if flags.contains(.ST_RELATIME) { text.append(",relatime") }
    if flags.contains(.ST_NOSYMFOLLOW) { text.append(",nosymfollow") }
  }

  private static func options(_ mount: Mount, _ text: inout TextBuffer) {
    if mount.fileSystem.optionText.isEmpty { return }
    text.append(",")
    text.append(bytes: mount.fileSystem.optionText)
  }

  private static func number(_ name: StaticString, _ group: UInt32, _ text: inout TextBuffer) {
    if group == 0 { return }
    text.append(name)
    text.append(decimal: UInt(group))
  }

  /// Writes what would break the columns as octal: blanks, line ends, the backslash and `#`.
  private static func escape(_ bytes: [UInt8], _ text: inout TextBuffer) {
    for byte in bytes {
      switch byte {
      case 0x20, 0x09, 0x0a, 0x5c, 0x23:
        text.append("\\")
        text.append(octal: UInt(byte), width: 3)
      default: text.append(byte: byte)
      }
    }
  }
}
