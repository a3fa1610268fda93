internal import CShims

/// What `.config` chose when the image was built. See docs/configuration.md.
public enum BuildConfiguration {
  /// Whether system calls are traced unless the command line says otherwise.
  public static var tracesSystemCalls: Bool { configuration.strace }
  /// The least grave message that is printed unless the command line says otherwise: 0 error, 1 warning,
  /// 2 information, 3 debugging.
  public static var logLevel: Int { Int(configuration.log_level) }
  /// Whether a program without a slash in its name is looked up in `$PATH`.
  public static var searchesPath: Bool { configuration.search_path }
  /// Whether the program starts in `$PWD`.
  public static var startsInPWD: Bool { configuration.change_to_pwd }
  /// Whether a program without execute permission is refused.
  public static var requiresExecutePermission: Bool { configuration.require_execute_permission }
  /// The soft limit of the program's stack, in bytes.
  public static var stackSize: UInt { UInt(configuration.stack_size) }
  /// The built-in program's path, or nil when the first word of the command line names the program.
  public static var program: [UInt8]? {
    guard let path = unsafe configuration.program else { return nil }
    var bytes: [UInt8] = []
    var index = 0
    // SAFETY: the build makes it a string literal, which ends with a NUL.
    while case let byte = unsafe UInt8(bitPattern: path[index]), byte != 0 {
      bytes.append(byte)
      index += 1
    }
    return bytes
  }

  private static var configuration: cshims_config {
    // SAFETY: a constant of the image.
    unsafe cshims_get_config().pointee
  }
}
