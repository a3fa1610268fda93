internal import Support

/// A remark on the command line: what was written, and what is wrong with it.
public struct CommandLineDiagnostic: Sendable {
  public enum Severity: Sendable {
    /// The parameter was ignored and everything else holds.
    case warning
    /// The line cannot mean what its author wanted: the machine should say so and stop.
    case error
  }

  public let severity: Severity

  /// The words that the remark is about, without quotes and escapes.
  public let token: [UInt8]

  /// What is wrong with them.
  public let reason: [UInt8]

  /// One line for the console: `kernel command line: 'aslr=maybe': not a boolean (…)`.
  public var message: [UInt8] {
    ("kernel command line: '" as StaticString).bytes + token + ("': " as StaticString).bytes + reason
  }
}

/// What the kernel command line says.
public struct ParsedCommandLine {
  enum Value {
    case boolean(Bool)
    case integer(Int64)
    case choice(Int)
    case text([UInt8])
    case list([[UInt8]])
  }

  let declarations: [ParameterDeclaration]
  var values: [Value?]

  /// The program and its arguments. Empty when the line names none.
  public internal(set) var programArguments: [[UInt8]] = []

  /// Remarks, in the order of the line.
  public internal(set) var diagnostics: [CommandLineDiagnostic] = []

  init(declarations: [ParameterDeclaration]) {
    self.declarations = declarations
    values = [Value?](repeating: nil, count: declarations.count)
  }

  /// Whether any remark is an error.
  public var hasErrors: Bool {
    diagnostics.contains { $0.severity == .error }
  }

  /// The value of a boolean parameter, or nil when the line does not set it.
  public func boolean(_ parameter: ParameterDeclaration) -> Bool? {
    if case .boolean(let value) = value(of: parameter) { value } else { nil }
  }

  /// The value of an integer parameter, or nil when the line does not set it.
  public func integer(_ parameter: ParameterDeclaration) -> Int64? {
    if case .integer(let value) = value(of: parameter) { value } else { nil }
  }

  /// The position of the chosen word in the declaration's list, or nil when the line does not set the parameter.
  public func choice(_ parameter: ParameterDeclaration) -> Int? {
    if case .choice(let value) = value(of: parameter) { value } else { nil }
  }

  /// The value of a text parameter, or nil when the line does not set it.
  public func text(_ parameter: ParameterDeclaration) -> [UInt8]? {
    if case .text(let value) = value(of: parameter) { value } else { nil }
  }

  /// The values of a list parameter in the order of the line; none when the line does not set it.
  public func list(_ parameter: ParameterDeclaration) -> [[UInt8]] {
    if case .list(let value) = value(of: parameter) { value } else { [] }
  }

  private func value(of parameter: ParameterDeclaration) -> Value? {
    let name = parameter.name.bytes
    for index in declarations.indices where declarations[index].name.bytes == name {
      return values[index]
    }
    return nil
  }
}

/// The grammar of the kernel command line: `[kernel parameters] -- program args…`.
///
/// It is Unikraft's (uklibparam), with its rough edges taken off: an empty argument survives, and a quoted `]`, `[` or
/// `--` is a value. Without a `--` outside of lists, everything is the program and its arguments. Words
/// `virtio_mmio.device=…` at the very end come from the virtual machine monitor, which appends them to whatever the user
/// wrote, and are always the kernel's.
public enum CommandLine {
  /// Parses the line. Nothing on it is fatal here: see ``ParsedCommandLine/diagnostics``.
  ///
  /// - Parameters:
  ///   - line: the bytes, up to their end or the first NUL.
  ///   - declarations: every parameter there is. The first of two with the same name wins.
  public static func parse(_ line: [UInt8], declarations: [ParameterDeclaration]) -> ParsedCommandLine {
    var parser = CommandLineParser(declarations: declarations)
    parser.parse(line)
    return parser.result
  }

  /// The text that the parameter `help` asks for: one line per parameter.
  public static func helpText(_ declarations: [ParameterDeclaration]) -> [UInt8] {
    let usage: StaticString = "Kernel command line: [PARAMETER[=VALUE]]... -- PROGRAM [ARGUMENT]...\n\nParameters:\n"
    let width = declarations.reduce(0) { max($0, $1.name.utf8CodeUnitCount + $1.kind.placeholder.count) }
    var text = usage.bytes
    for declaration in declarations {
      let head = declaration.name.bytes + declaration.kind.placeholder
      text += ("  " as StaticString).bytes + head
      text += [UInt8](repeating: UInt8(ascii: " "), count: width - head.count + 2)
      text += declaration.help.bytes
      if let alias = declaration.alias {
        text += (" (also: " as StaticString).bytes + alias.bytes + (")" as StaticString).bytes
      }
      text.append(UInt8(ascii: "\n"))
    }
    return text
  }
}

extension ParameterKind {
  /// What stands behind the name in the `help` listing.
  fileprivate var placeholder: [UInt8] {
    switch self {
    case .boolean: ("[=on|off]" as StaticString).bytes
    case .integer: ("=NUMBER" as StaticString).bytes
    case .choice(let words): ("=" as StaticString).bytes + words.alternatives
    case .text: ("=VALUE" as StaticString).bytes
    case .list: ("=[ VALUE... ]" as StaticString).bytes
    }
  }
}

extension [StaticString] {
  /// The words with `|` between them.
  var alternatives: [UInt8] {
    var text: [UInt8] = []
    for word in self {
      if !text.isEmpty { text.append(UInt8(ascii: "|")) }
      text += word.bytes
    }
    return text
  }
}
