import Foundation
import LinuxABI
import Testing

/// Every constant of the module's sources, read from the sources themselves so that none is left out, has the value
/// that the C headers give it.
@Suite struct ConstantTests {
  struct Constant {
    let type: String
    let name: String
    let value: String
  }

  /// The types whose names only glibc's headers have.
  static let libcTypes: Set<String> = [
    "AccessMode", "AddressFamily", "ControlMessageType", "DirectoryEntryType", "EventFDFlags", "IPOption", "IPv6Option",
    "InternetProtocol", "MessageFlags", "ResourceUsageWho", "ShutdownHow", "SignalFDFlags", "SocketLevel",
    "SocketOption", "SocketType", "SocketTypeArgument", "SpliceFlags", "StatfsFlags", "TCPOption", "TCPState",
    "TimerFDFlags", "TimerFDSetFlags", "UnmountFlags", "UtimeNanoseconds",
  ]

  /// Names that no header for programs has, or that are newer than Debian 12's headers.
  static let withoutHeader: Set<String> = [
    "ERESTARTSYS", "ERESTARTNOINTR", "ERESTARTNOHAND", "ERESTART_RESTARTBLOCK", "SYMLINK_MAX", "ST_VALID",
    "ST_NOSYMFOLLOW", "MFD_NOEXEC_SEAL", "MFD_EXEC", "PR_SET_MDWE", "PR_GET_MDWE", "ARCH_CET_STATUS",
    "AT_RSEQ_FEATURE_SIZE", "AT_RSEQ_ALIGN", "_POSIX_VDISABLE", "SIGRTMAX", "SCM_MAX_FD",
  ]

  static func constants() throws -> [Constant] {
    let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .appendingPathComponent("../../Sources/LinuxABI").standardizedFileURL
    let files = try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
      .filter { $0.pathExtension == "swift" }
    var constants: [Constant] = []
    for file in files {
      var type = "-"
      for line in try String(contentsOf: file, encoding: .utf8).split(separator: "\n") {
        if let match = line.firstMatch(of: /^public (?:struct|enum|let) (\w+)/) { type = String(match.1) }
        let stored = line.wholeMatch(of: /\s*case ([A-Z_]\w*) = (-?\w+)/)
        let global = line.wholeMatch(of: /public let ([A-Z_]\w*): \w+ = (-?\w+)/)
        let computed = line.wholeMatch(
          of: /\s*public static var ([A-Z_]\w*): \w+ \{ (?:Self\(\w+: )?(-?[0-9]\w*)\)? \}/)
        if let match = stored ?? global ?? computed {
          let value = String(match.2).replacing("_", with: "").replacing("0o", with: "0")
          constants.append(Constant(type: type, name: String(match.1), value: value))
        }
      }
    }
    return constants
  }

  @Test(arguments: CHeaders.Family.allCases) func constantsAreThoseOfTheHeaders(family: CHeaders.Family) throws {
    let checked = try Self.constants().filter {
      !Self.withoutHeader.contains($0.name) && (family == .libc) == Self.libcTypes.contains($0.type)
    }
    #expect(checked.count >= (family == .kernel ? 700 : 40))
    let assertions = checked.map {
      let kind = $0.value.hasPrefix("-") || ($0.value.count < 10 && !$0.value.hasPrefix("0x")) ? "int" : "unsigned"
      let width = $0.value.count > 10 || ["MountFlags", "CloneFlags"].contains($0.type) ? "unsigned long" : kind
      return "_Static_assert((\(width))(\($0.name)) == (\(width))(\($0.value)), \"\($0.type).\($0.name)\");\n"
    }
    try CHeaders.expectValid(family, assertions.joined())
  }

  @Test func systemCallNamesAreThoseOfTheHeader() throws {
    var assertions = ""
    var count = 0
    for number in -1...600 {
      guard let name = syscallName(number) else { continue }
      count += 1
      // Newer than Debian 12's header.
      if number >= 451 { continue }
      assertions += "_Static_assert(__NR_\(name) == \(number), \"\(name)\");\n"
    }
    #expect(count == 335 + 28)
    try CHeaders.expectValid(.kernel, assertions)
  }
}
