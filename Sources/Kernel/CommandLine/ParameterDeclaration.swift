/// Why a parameter's value cannot be used, in words that complete «'name=value': …».
public struct ParameterFault: Error {
  public let reason: StaticString

  public init(_ reason: StaticString) {
    self.reason = reason
  }
}

/// Looks at one value of a parameter and throws when it is malformed, so that the fault is reported with the token.
public typealias ParameterCheck = @Sendable ([UInt8]) throws(ParameterFault) -> Void

/// What a parameter takes as its value.
public enum ParameterKind: Sendable {
  /// true, on, yes, 1 or no value at all; false, off, no, 0.
  case boolean

  /// A number in decimal, octal (`0…`) or hexadecimal (`0x…`), within the range.
  case integer(ClosedRange<Int64>)

  /// One of these words.
  case choice([StaticString])

  /// Any bytes that the check accepts.
  case text(ParameterCheck?)

  /// Any number of values, each accepted by the check: `name=[ a b ]`, or `name=a name=b`, or both.
  case list(ParameterCheck?)
}

/// One parameter of the kernel command line, as the module that reads it declares it.
///
/// `Boot` puts the declarations of all modules into one list and hands that to ``CommandLine/parse(_:declarations:)``.
/// Declare a parameter as a static computed property in an extension of this type, and look its value up with it.
public struct ParameterDeclaration: Sendable {
  /// The name as written on the command line, such as `vfs.fstab`.
  public let name: StaticString

  /// A second name for the same parameter.
  public let alias: StaticString?

  /// One line for the `help` listing.
  public let help: StaticString

  public let kind: ParameterKind

  public init(_ name: StaticString, alias: StaticString? = nil, _ kind: ParameterKind, help: StaticString) {
    self.name = name
    self.alias = alias
    self.kind = kind
    self.help = help
  }
}
