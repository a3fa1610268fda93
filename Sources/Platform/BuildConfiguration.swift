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
  /// The built-in program's path, or nil when the first word of the command line names the program.
  public static var program: [UInt8]? {
    // SAFETY: the build makes it null or a string literal, which ends with a NUL.
    guard let path = unsafe cshims_get_config_program() else { return nil }
    var bytes: [UInt8] = []
    var index = 0
    while case let byte = unsafe UInt8(bitPattern: path[index]), byte != 0 {
      bytes.append(byte)
      index += 1
    }
    return bytes
  }
}
