/// A file's path as the kernel sees it: bytes without NUL, in no particular encoding.
public struct Path: Hashable, Sendable, ExpressibleByStringLiteral, CustomStringConvertible {
  /// The bytes, without a terminating NUL.
  public let bytes: [UInt8]

  public init(_ bytes: [UInt8]) {
    self.bytes = bytes
  }

  public init(_ text: String) {
    bytes = Array(text.utf8)
  }

  public init(stringLiteral text: String) {
    self.init(text)
  }

  /// Joins `components` with slashes below the root.
  public init(absolute components: some Sequence<[UInt8]>) {
    var bytes: [UInt8] = []
    for component in components {
      bytes.append(UInt8(ascii: "/"))
      bytes += component
    }
    self.bytes = bytes.isEmpty ? [UInt8(ascii: "/")] : bytes
  }

  /// The path for messages: bytes that are not UTF-8 are replaced.
  public var description: String { String(decoding: bytes, as: UTF8.self) }

  public var isAbsolute: Bool { bytes.first == UInt8(ascii: "/") }

  public var isEmpty: Bool { bytes.isEmpty }

  /// The names between the slashes, without empty ones and `.`; `..` is kept.
  public var components: [[UInt8]] {
    bytes.split(separator: UInt8(ascii: "/")).filter { !$0.elementsEqual([UInt8(ascii: ".")]) }.map(Array.init)
  }

  /// The part after the last slash, or the whole path.
  public var lastComponent: [UInt8] {
    guard let slash = bytes.lastIndex(of: UInt8(ascii: "/")) else { return bytes }
    return Array(bytes[(slash + 1)...])
  }

  /// The part before the last slash: `/` for `/x`, `.` for `x`.
  public var directory: Path {
    guard let slash = bytes.lastIndex(of: UInt8(ascii: "/")) else { return "." }
    return slash == 0 ? "/" : Path(Array(bytes[..<slash]))
  }

  /// This path with `name` (which may hold slashes) below it.
  public func appending(_ name: some Sequence<UInt8>) -> Path {
    var joined = bytes
    if joined.last != UInt8(ascii: "/") { joined.append(UInt8(ascii: "/")) }
    joined += name
    return Path(joined)
  }
}
