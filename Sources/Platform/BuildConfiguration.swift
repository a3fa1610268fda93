internal import CShims

/// What `.config` chose when the image was built. See docs/configuration.md.
public enum BuildConfiguration {
  /// Whether system calls are traced unless the command line says otherwise.
  public static var tracesSystemCalls: Bool { cshims_get_config().strace }
  /// The least grave message that is printed unless the command line says otherwise: 0 error, 1 warning,
  /// 2 information, 3 debugging.
  public static var logLevel: Int { Int(cshims_get_config().log_level) }
  /// Whether a program without a slash in its name is looked up in `$PATH`.
  public static var searchesPath: Bool { cshims_get_config().search_path }
  /// Whether the program starts in `$PWD`.
  public static var startsInPWD: Bool { cshims_get_config().change_to_pwd }
  /// The soft limit of the program's stack, in bytes.
  public static var stackSize: UInt { UInt(cshims_get_config().stack_size) }
  /// Whether there is a root where `vfs.fstab` names none.
  public static var mountsRoot: Bool { cshims_get_config().mount_root }
  /// Whether a share is the root rather than the initrd, where there are both.
  public static var prefersShare: Bool { cshims_get_config().prefer_share }
  /// The tag of the share that is the root.
  // SAFETY: the build makes it null or a string literal.
  public static var rootDevice: [UInt8] { unsafe bytes(cshims_get_config_root_device()) ?? [] }
  /// The built-in program's path, or nil when the first word of the command line names the program.
  // SAFETY: as above.
  public static var program: [UInt8]? { unsafe bytes(cshims_get_config_program()) }

  private static func bytes(_ text: UnsafePointer<CChar>?) -> [UInt8]? {
    // SAFETY: the callers pass null or a string literal, which ends with a NUL.
    guard let text = unsafe text else { return nil }
    var bytes: [UInt8] = []
    var index = 0
    // SAFETY: as above.
    while case let byte = unsafe UInt8(bitPattern: text[index]), byte != 0 {
      bytes.append(byte)
      index += 1
    }
    return bytes
  }
}
