//===----------------------------------------------------------------------===//
// HostSystem: what the host tools need of Linux, as safe Swift.
//
// Key types: `Path` (bytes, as the kernel sees them), `Descriptor` (owned, closed when it goes), `FileStatus`,
// `ChildProcess`, `SignalQueue`, `SystemError`. Foundation is left out on purpose: a tool starts in some 5 ms
// without it, and its paths are Strings, which cannot hold every file name.
//
// Neighbours: `CHostShims` below; `GuestRunner`, `InitrdBuilder` and `Symbolization` above.
//===----------------------------------------------------------------------===//

/// A failed system call: what was tried, and the errno.
public struct SystemError: Error, CustomStringConvertible {
  /// What was tried, as the start of a sentence: `cannot open /x`.
  public let action: String
  /// The errno.
  public let code: Int32

  public init(_ action: String, _ code: Int32) {
    self.action = action
    self.code = code
  }

  public var description: String { "\(action): \(errorText(code))" }
}

/// A fault that a tool reports in one line and that ends it.
public struct ToolError: Error, CustomStringConvertible {
  public let description: String

  public init(_ description: String) {
    self.description = description
  }
}

extension FixedWidthInteger {
  /// Rounds up to the next multiple of `alignment`, a power of two.
  ///
  /// - Precondition: The result fits the type.
  public func aligned(to alignment: Self) -> Self {
    (self + (alignment - 1)) & ~(alignment - 1)
  }
}

/// Quotes `argument` for a POSIX shell; what needs no quotes gets none.
public func shellQuoted(_ argument: String) -> String {
  let plain = argument.utf8.allSatisfy { byte in
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."),
      UInt8(ascii: "/"), UInt8(ascii: ","), UInt8(ascii: "="), UInt8(ascii: ":"), UInt8(ascii: "+"),
      UInt8(ascii: "@"), UInt8(ascii: "%"):
      true
    default: false
    }
  }
  if plain && !argument.isEmpty { return argument }
  var quoted = "'"
  for scalar in argument.unicodeScalars {
    if scalar == "'" { quoted += #"'\''"# } else { quoted.unicodeScalars.append(scalar) }
  }
  return quoted + "'"
}
