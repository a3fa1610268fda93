internal import Kernel
internal import LinuxABI
internal import Support
internal import VFSCore

extension NetworkConfiguration {
  /// Writes /etc/resolv.conf with the name servers, where the program's files have none.
  func writeResolver(_ context: FileSystemContext) {
    if nameServers.isEmpty { return }
    var text = TextBuffer()
    if !domain.isEmpty {
      text.append("search ")
      text.append(bytes: domain)
      text.append("\n")
    }
    for server in nameServers {
      text.append("nameserver ")
      for index in UInt32(0)..<4 {
        if index > 0 { text.append(".") }
        text.append(decimal: UInt(server >> (8 * index) & 0xff))
      }
      text.append("\n")
    }
    if (try? context.resolve([UInt8]("/etc"))) == nil {
      try? context.makeDirectory([UInt8]("/etc"), mode: FileMode(rawValue: 0o755))
    }
    guard
      let file = try? context.open(
        [UInt8]("/etc/resolv.conf"), [.O_CREAT, .O_EXCL, .O_WRONLY], mode: FileMode(rawValue: 0o644))
    else { return }
    // SAFETY: the array's own bytes, while the call runs.
    unsafe text.bytes.withUnsafeBytes { bytes in
      var reader = UserReader(kernel: UInt(bitPattern: bytes.baseAddress), count: bytes.count)
      _ = try? file.write(from: &reader, at: nil)
    }
    try? file.closed()
  }
}
