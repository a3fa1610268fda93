internal import ELFLoader
public import LinuxABI
internal import Support

/// Why a program was not started: the errno that execve(2) gives, and a line for whoever has only the console.
public struct ExecutionError: Error {
  public let errno: Errno
  /// `FILE: what is wrong`, without the line's end.
  public let message: [UInt8]

  init(_ errno: Errno, _ file: [UInt8]) {
    self.init(errno, file, reason: [])
  }
  init(_ errno: Errno, _ file: [UInt8], reason: [UInt8]) {
    self.errno = errno
    message = file + [UInt8](": ") + (reason.isEmpty ? errno.text.bytes : reason)
  }
  init(_ error: ELFError, _ file: [UInt8], _ role: ELFError.Role) {
    errno = error.errno(for: role)
    message = error.message(file: file)
  }
}
