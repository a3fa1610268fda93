internal import LinuxABI
internal import Support
internal import VFSCore

/// The texts of /proc/PID/mounts, mountinfo and mountstats.
enum MountReport {
  static func write(_ file: ProcessFile, _ namespace: Namespace, _ root: Path, _ text: inout TextBuffer) {
    for mount in namespace.mounts {
      guard let place = place(mount, root) else { continue }
      if file == .mountinfo {
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
        text.append(mount.flags.contains(.ST_RDONLY) ? " ro" : " rw")
        flags(mount, &text)
        number(" shared:", mount.group, &text)
        number(" master:", mount.master, &text)
        if mount.isUnbindable { text.append(" unbindable") }
        text.append(" - ")
        text.append(mount.fileSystem.typeName)
        text.append(" ")
        source(mount, &text)
        text.append(mount.fileSystem.isReadOnly ? " ro" : " rw")
        superFlags(mount, &text)
        options(mount, &text)
        text.append("\n")
        continue
      }
      let isStatistics = file == .mountstats
      if isStatistics { text.append("device ") }
      source(mount, &text)
      text.append(isStatistics ? " mounted on " : " ")
      escape(place, &text)
      text.append(isStatistics ? " with fstype " : " ")
      text.append(mount.fileSystem.typeName)
      if !isStatistics {
        text.append(mount.isReadOnly ? " ro" : " rw")
        superFlags(mount, &text)
        flags(mount, &text)
        options(mount, &text)
        text.append(" 0 0")
      }
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

  private static func source(_ mount: Mount, _ text: inout TextBuffer) {
    if mount.source.isEmpty { text.append("none") } else { escape(mount.source, isSource: true, &text) }
  }

  private static func superFlags(_ mount: Mount, _ text: inout TextBuffer) {
    let flags = mount.fileSystem.flags
    if flags.contains(.MS_SYNCHRONOUS) { text.append(",sync") }
    if flags.contains(.MS_DIRSYNC) { text.append(",dirsync") }
    if flags.contains(.MS_MANDLOCK) { text.append(",mand") }
    if flags.contains(.MS_LAZYTIME) { text.append(",lazytime") }
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

  /// Writes what would break the columns as octal: blanks, line ends, the backslash, and `#` of a source.
  private static func escape(_ bytes: [UInt8], isSource: Bool = false, _ text: inout TextBuffer) {
    for byte in bytes {
      if byte == 0x20 || byte == 0x09 || byte == 0x0a || byte == 0x5c || (byte == 0x23 && isSource) {
        text.append("\\")
        text.append(octal: UInt(byte), width: 3)
      } else {
        text.append(byte: byte)
      }
    }
  }
}
