public import LinuxABI

/// What stands behind device nodes of one number or several.
public protocol DeviceDriver: AnyObject {
  /// Makes an open file description for a node. Permissions have been checked.
  func open(_ path: Path, _ flags: OpenFlags) throws(Errno) -> OpenFile
}

/// The drivers by type and number, so that a node means the same in whatever file system it lies.
public final class DeviceRegistry {
  private struct Entry {
    let type: FileType
    let major: UInt32
    let minors: ClosedRange<UInt32>
    let driver: any DeviceDriver
  }
  private var entries: [Entry] = []

  init() {}

  /// Makes a driver known. `type` is `S_IFCHR` or `S_IFBLK`.
  public func register(_ driver: any DeviceDriver, _ type: FileType, major: UInt32, minors: ClosedRange<UInt32>) {
    entries.append(Entry(type: type, major: major, minors: minors, driver: driver))
  }

  public func driver(_ type: FileType, _ device: DeviceNumber) -> (any DeviceDriver)? {
    for entry in entries where entry.type == type && entry.major == device.major {
      if entry.minors.contains(device.minor) { return entry.driver }
    }
    return nil
  }
}
