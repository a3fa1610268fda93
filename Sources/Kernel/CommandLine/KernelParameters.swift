internal import Support

extension ParameterDeclaration {
  /// `env.vars=[ NAME=VALUE ... ]`: the program's environment.
  public static var environment: Self {
    Self(
      "env.vars",
      .list { (value: [UInt8]) throws(ParameterFault) in
        guard let equals = value.firstIndex(of: UInt8(ascii: "=")), equals > 0 else {
          throw ParameterFault("must be NAME=VALUE")
        }
      }, help: "the program's environment, NAME=VALUE")
  }

  /// `vfs.fstab=[ device:path:fs[:flags[:options]] ... ]`: what to mount.
  public static var fileSystemTable: Self {
    Self(
      "vfs.fstab",
      .list { (value: [UInt8]) throws(ParameterFault) in _ = try FileSystemTableEntry(parsing: value) },
      help: "what to mount, device:path:fs[:flags[:options]]")
  }

  /// `aslr=off`: load programs at fixed addresses.
  public static var addressRandomization: Self {
    Self("aslr", .boolean, help: "randomise the program's addresses (on)")
  }

  /// `banner=off`: no banner at boot.
  public static var banner: Self {
    Self("banner", .boolean, help: "print the banner at boot (on)")
  }

  /// `strace`: print every system call.
  public static var strace: Self {
    Self("strace", .boolean, help: "print every system call (off)")
  }

  /// `loglevel=error|warn|info|debug`: the least grave message that is printed. See ``LogLevel``.
  public static var logLevel: Self {
    Self("loglevel", alias: "log", .choice(LogLevel.words), help: "the least grave message to print")
  }

  /// `console.stdin=tty|pipe`: what isatty(3) says of standard input. See ``ConsoleMode``.
  public static var standardInput: Self {
    Self("console.stdin", .choice(ConsoleMode.words), help: "what standard input is to the program")
  }

  /// `console.stdout=tty|pipe`: what isatty(3) says of standard output. See ``ConsoleMode``.
  public static var standardOutput: Self {
    Self("console.stdout", .choice(ConsoleMode.words), help: "what standard output is to the program")
  }

  /// `console.rows=N console.columns=N`: the size of the terminal's window.
  public static var consoleRows: Self {
    Self("console.rows", .integer(0...65535), help: "the height of the terminal's window")
  }
  public static var consoleColumns: Self {
    Self("console.columns", .integer(0...65535), help: "the width of the terminal's window")
  }

  /// `console.ports`: pipes go through the ports elfloader.stdin and elfloader.stdout of a virtio console.
  public static var consolePorts: Self {
    Self("console.ports", .boolean, help: "pipes are ports of a virtio console (off)")
  }

  /// `virtio_mmio.device=<size>@<base>:<irq>[:<id>]`: a device that the monitor announces.
  public static var virtioMMIODevice: Self {
    Self(
      "virtio_mmio.device",
      .list { (value: [UInt8]) throws(ParameterFault) in _ = try VirtioMMIODevice(parsing: value) },
      help: "a virtio device at <size>@<base>:<irq>[:<id>]")
  }

  /// `netdev.ip=cidr[:gateway[:dns0[:dns1[:hostname[:domain]]]]]`, one for each network card; DHCP for those without.
  public static var networkAddress: Self {
    Self(
      "netdev.ip", .list { (value: [UInt8]) throws(ParameterFault) in _ = try NetworkConfiguration(parsing: value) },
      help: "one per network card, cidr[:gateway[:dns0[:dns1[:hostname[:domain]]]]]")
  }

  /// `help`: print the parameters and stop.
  public static var help: Self {
    Self("help", .boolean, help: "print this list and stop")
  }

  /// The parameters that the kernel itself reads.
  public static var kernel: [Self] {
    [
      .environment, .fileSystemTable, .addressRandomization, .banner, .strace, .logLevel, .standardInput,
      .standardOutput, .consoleRows, .consoleColumns, .consolePorts, .virtioMMIODevice, .networkAddress, .help,
    ]
  }
}

/// How grave a message is.
public enum LogLevel: Int, Sendable {
  case error, warn, info, debug

  static let words: [StaticString] = ["error", "warn", "info", "debug"]
}

/// What a standard stream of the program is.
public enum ConsoleMode: Int, Sendable {
  case tty, pipe

  static let words: [StaticString] = ["tty", "pipe"]
}

extension ParsedCommandLine {
  /// The environment of the program, in the order of the line.
  public var environment: [[UInt8]] { list(.environment) }

  /// The mounts that the line asks for.
  public var fileSystemTable: [FileSystemTableEntry] {
    list(.fileSystemTable).compactMap { value in
      do throws(ParameterFault) { return try FileSystemTableEntry(parsing: value) } catch { return nil }
    }
  }

  /// The virtio devices on the memory bus.
  public var virtioMMIODevices: [VirtioMMIODevice] {
    list(.virtioMMIODevice).compactMap { value in
      do throws(ParameterFault) { return try VirtioMMIODevice(parsing: value) } catch { return nil }
    }
  }

  /// The addresses of network cards.
  public var networkConfigurations: [NetworkConfiguration] {
    list(.networkAddress).compactMap { value in
      do throws(ParameterFault) { return try NetworkConfiguration(parsing: value) } catch { return nil }
    }
  }

  /// The least grave message to print, or nil when the line leaves it to the build.
  public var logLevel: LogLevel? { choice(.logLevel).flatMap(LogLevel.init(rawValue:)) }

  /// What standard input is, or nil when the line does not say.
  public var standardInput: ConsoleMode? { choice(.standardInput).flatMap(ConsoleMode.init(rawValue:)) }

  /// What standard output is, or nil when the line does not say.
  public var standardOutput: ConsoleMode? { choice(.standardOutput).flatMap(ConsoleMode.init(rawValue:)) }

  /// The size of the console's window; zeroes when the line does not say.
  public var consoleSize: (rows: UInt16, columns: UInt16) {
    (UInt16(integer(.consoleRows) ?? 0), UInt16(integer(.consoleColumns) ?? 0))
  }
}
