internal import HostSystem

/// What `support/qemu-guest` was asked for; one property for each option of its command line.
public struct GuestOptions: Sendable {
  /// The machine types of `-t`.
  public enum Machine: String, CaseIterable, Sendable {
    case x86pc
    case x86q35
    case microvm
  }

  /// A disk image and its format.
  public struct Disk: Sendable {
    public enum Format: String, Sendable {
      case raw
      case qcow2
    }

    public let path: String
    public let format: Format

    public init(path: String, format: Format) {
      self.path = path
      self.format = format
    }
  }

  public var kernel: String?
  public var initrd: String?
  public var arguments: String?
  public var machine = Machine.x86pc
  public var name: String?
  public var memory = "64"
  public var sockets = 1
  public var cores = 1
  public var processors: String?
  public var forcesEmulation = false
  public var runsInBackground = false
  public var startsPaused = false
  public var ignoresInterrupt = false
  public var isDryRun = false
  /// Pipes go through the serial port, as for a kernel that knows no virtio console.
  public var usesSerialPort = false
  public var qemu: String?
  public var monitorCommands: [String] = []
  public var debuggerPort: UInt16?
  public var traceLog: String?
  public var displayPort: UInt16?
  public var addressTranslatedCards = 0
  public var forwards: [String] = []
  public var bridges: [String] = []
  public var interfaces: [String] = []
  public var passedThroughDevices: [String] = []
  public var disks: [Disk] = []
  public var opticalDiscs: [String] = []
  public var shares: [String] = []
  /// Which of them the guest cannot change, by their places.
  public var unchangedShares: Set<Int> = []
  public var serialSockets: [String] = []
  public var hasBalloon = false
  public var hasEntropyDevice = false
  /// Further arguments for QEMU itself.
  public var extraArguments: [String] = []

  public init() {}

  /// Checks what can be checked without the host.
  ///
  /// - Throws: `ToolError` that names the option.
  func validate() throws {
    if kernel == nil {
      if initrd != nil { throw ToolError("-i needs a kernel: add -k IMAGE") }
      if arguments != nil { throw ToolError("-a needs a kernel: add -k IMAGE") }
      if disks.isEmpty && opticalDiscs.isEmpty && extraArguments.isEmpty {
        throw ToolError("nothing to boot: add -k IMAGE (see -h)")
      }
    }
    let digits = memory.utf8.prefix { UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 }
    guard !digits.isEmpty, ["", "m", "M", "g", "G", "k", "K"].contains(String(memory.dropFirst(digits.count))) else {
      throw ToolError("-m \(memory): not an amount of memory (64, 512M, 2G)")
    }
    guard 1...255 ~= sockets, 1...255 ~= cores else { throw ToolError("-s and -c take numbers from 1 to 255") }
    if let processors { _ = try processorList(processors) }
    for forward in forwards { _ = try PortForward.list(forward) }
    if let displayPort, displayPort < 5900 { throw ToolError("-v \(displayPort): VNC ports begin at 5900") }
    if machine == .microvm {
      if displayPort != nil { throw ToolError("-v needs a display adapter, which microvm has not") }
      if !opticalDiscs.isEmpty { throw ToolError("-I needs an IDE bus, which microvm has not") }
      if !passedThroughDevices.isEmpty { throw ToolError("-f needs a PCI bus, which microvm has not") }
    }
    if opticalDiscs.count > 4 { throw ToolError("-I can be given four times at most") }
  }
}

extension GuestOptions {
  /// Checks the files that QEMU will open; its own messages do not always name them.
  ///
  /// - Throws: `ToolError` or `SystemError` that names the file.
  func checkFiles() throws {
    for (file, option) in [(kernel, "-k"), (initrd, "-i")] {
      guard let file else { continue }
      if try FileStatus(of: Path(file)).kind == .directory { throw ToolError("\(option) \(file) is a directory") }
      _ = try openFile(Path(file))
    }
    for share in shares where try FileStatus(of: Path(share)).kind != .directory {
      throw ToolError("-e \(share) is not a directory")
    }
  }
}

/// Reads a list of processors: `2,4-7,0`.
func processorList(_ text: String) throws -> [Int32] {
  var result: [Int32] = []
  for part in text.split(separator: ",", omittingEmptySubsequences: false) {
    let ends = part.split(separator: "-", omittingEmptySubsequences: false).map { Int32($0) }
    guard let first = ends[0], first >= 0, ends.count <= 2, let last = ends[ends.count - 1], last >= first,
      last < 1024
    else { throw ToolError("-p \(text): not a list of processors (2,4-7,0)") }
    result += first...last
  }
  return result
}

/// A forwarded port of `-N`: `[tcp:|udp:]PORT[:GUEST]`.
struct PortForward: Equatable {
  let transport: String
  let hostPort: UInt16
  let guestPort: UInt16

  /// Reads a list of forwards with commas between them.
  static func list(_ text: String) throws -> [PortForward] {
    try text.split(separator: ",", omittingEmptySubsequences: false).map { part in
      var fields = part.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
      var transport = "tcp"
      if fields.count > 1, ["tcp", "udp"].contains(fields[0]) { transport = fields.removeFirst() }
      let ports = fields.compactMap { UInt16($0) }.filter { $0 > 0 }
      guard ports.count == fields.count, 1...2 ~= ports.count else {
        throw ToolError("-N \(text): not a port forward ([udp:]PORT[:GUEST-PORT])")
      }
      return PortForward(transport: transport, hostPort: ports[0], guestPort: ports[ports.count - 1])
    }
  }
}
