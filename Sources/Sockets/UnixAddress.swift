// Names are spelled as in Linux, so that grep and the man pages work.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

internal import Kernel
internal import LinuxABI
internal import VFSCore

/// A name that a socket has, shared by those that were accepted under it.
final class UnixAddress {
  /// A `sockaddr_un`, as long as it is.
  let bytes: [UInt8]
  /// The node of a name in the file system.
  let path: Path?

  init(_ bytes: [UInt8], _ path: Path?) {
    self.bytes = bytes
    self.path = path
    path?.mount.holderCount += 1
  }

  deinit { path?.mount.holderCount -= 1 }

  /// Bytes of a whole `sockaddr_un`.
  static var maximumSize: Int { 110 }
  /// What getsockname(2) returns for a socket without a name: the family.
  static var unnamed: [UInt8] { [1, 0] }

  static func family(_ address: [UInt8]) -> Int32 { Int32(address[0]) | Int32(address[1]) << 8 }
  static func isAbstract(_ address: [UInt8]) -> Bool { address[2] == 0 }

  /// - Throws: `EINVAL`.
  static func validate(_ address: [UInt8]) throws(Errno) {
    guard address.count > 2, address.count <= maximumSize, family(address) == AddressFamily.AF_UNIX.rawValue else {
      throw .EINVAL
    }
  }

  /// The path in an address, up to its NUL or its end.
  static func path(of address: [UInt8]) -> [UInt8] {
    [UInt8](address[2...].prefix { $0 != 0 })
  }

  /// The address of a path, with a NUL behind it even where the program left no room for one.
  static func make(path: [UInt8]) -> [UInt8] { unnamed + path + [0] }

  /// The hash of an abstract name.
  static func hash(_ address: [UInt8]) -> UInt {
    var hash: UInt = 5381
    for byte in address { hash = hash &* 33 &+ UInt(byte) }
    return hash
  }
}
