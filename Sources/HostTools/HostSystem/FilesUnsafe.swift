// Calls of the C library on files and descriptors. Every pointer passed here is valid for the call alone.
internal import CHostShims
internal import Glibc

/// An open file descriptor, closed when its last owner goes, or earlier by `close`.
///
/// Calls take the descriptor itself and not its number, which would not keep the file open.
public final class Descriptor {
  /// The number; -1 when it is closed.
  var number: Int32
  private let isOwned: Bool

  /// Takes ownership of an open descriptor.
  init(owning number: Int32) {
    self.number = number
    isOwned = true
  }

  private init(standard number: Int32) {
    self.number = number
    isOwned = false
  }

  public static var standardInput: Descriptor { Descriptor(standard: 0) }
  public static var standardOutput: Descriptor { Descriptor(standard: 1) }
  public static var standardError: Descriptor { Descriptor(standard: 2) }
  /// Standard input, output and error.
  public static var standard: [Descriptor] { [standardInput, standardOutput, standardError] }

  deinit {
    close()
  }

  /// Closes the file; closing it twice is harmless, and the standard descriptors stay open.
  public func close() {
    if number >= 0 && isOwned { _ = Glibc.close(number) }
    number = -1
  }

  public var isOpen: Bool { number >= 0 }
}

/// How a file is opened.
public enum OpenMode: Sendable {
  case read
  case write
  case readWrite
}

/// The text of an errno.
public func errorText(_ code: Int32) -> String {
  // SAFETY: strerror returns a C string, copied before another call could overwrite it; the tools have one thread.
  unsafe String(cString: strerror(code))
}

extension Path {
  /// Calls `body` with the path as a C string.
  @unsafe func withCString<Result>(_ body: (UnsafePointer<CChar>) -> Result) -> Result {
    // SAFETY: the array outlives the call and ends with NUL; UInt8 and CChar have the same layout.
    unsafe (bytes + [0]).withUnsafeBytes { buffer in
      unsafe body(buffer.bindMemory(to: CChar.self).baseAddress!)
    }
  }
}

/// Opens an existing file, close-on-exec.
///
/// - Throws: `SystemError` with the errno of open(2).
public func openFile(_ path: Path, _ mode: OpenMode = .read) throws(SystemError) -> Descriptor {
  let access =
    switch mode {
    case .read: O_RDONLY
    case .write: O_WRONLY
    case .readWrite: O_RDWR
    }
  let flags = O_CLOEXEC | O_NOCTTY | access
  // SAFETY: see withCString.
  let number = unsafe path.withCString { unsafe open($0, flags) }
  guard number >= 0 else { throw SystemError("cannot open \(path)", errno) }
  return Descriptor(owning: number)
}

/// Creates the file `path`, which must not exist, for this user alone.
public func createFile(_ path: Path) throws(SystemError) -> Descriptor {
  // SAFETY: see withCString.
  let number = unsafe path.withCString { unsafe open($0, O_CLOEXEC | O_CREAT | O_EXCL | O_RDWR, 0o600) }
  guard number >= 0 else { throw SystemError("cannot create \(path)", errno) }
  return Descriptor(owning: number)
}

/// Opens /dev/null in the place of each standard descriptor that is closed, so that no other file gets its number.
public func openMissingStandardDescriptors() {
  for number in Int32(0)...2 where fcntl(number, F_GETFD) < 0 {
    // SAFETY: the path is a literal. The lowest free number is the missing one.
    _ = unsafe open("/dev/null", O_RDWR)
  }
}

/// Returns the working directory.
public func currentDirectory() throws(SystemError) -> Path {
  // SAFETY: with a null buffer glibc allocates the result, which is freed after it was copied.
  guard let text = unsafe getcwd(nil, 0) else { throw SystemError("cannot read the working directory", errno) }
  defer { unsafe free(text) }
  return Path(unsafe Array(UnsafeBufferPointer(start: text, count: strlen(text)).lazy.map { UInt8(bitPattern: $0) }))
}

private func fileStatus(_ action: @autoclosure () -> String, _ call: (inout stat) -> Int32) throws(SystemError)
  -> FileStatus
{
  var raw = stat()
  guard call(&raw) == 0 else { throw SystemError(action(), errno) }
  return FileStatus(
    identity: .init(device: UInt64(raw.st_dev), inode: UInt64(raw.st_ino)), mode: raw.st_mode,
    linkCount: UInt64(raw.st_nlink), user: raw.st_uid, group: raw.st_gid, specialDevice: UInt64(raw.st_rdev),
    size: UInt64(max(0, raw.st_size)), modificationTime: Int64(raw.st_mtim.tv_sec))
}

extension FileStatus {
  /// Looks at the file itself: a symbolic link is not followed.
  public init(ofLink path: Path) throws(SystemError) {
    self = try fileStatus("cannot look at \(path)") { raw in
      // SAFETY: see withCString; `raw` is a valid stat to write.
      unsafe path.withCString { unsafe lstat($0, &raw) }
    }
  }

  /// Looks at the file that `path` leads to.
  public init(of path: Path) throws(SystemError) {
    self = try fileStatus("cannot look at \(path)") { raw in
      // SAFETY: as above.
      unsafe path.withCString { unsafe stat($0, &raw) }
    }
  }

  /// Looks at the open file behind `descriptor`.
  public init(of descriptor: Descriptor, named path: Path) throws(SystemError) {
    let number = descriptor.number
    self = try fileStatus("cannot look at \(path)") { raw in
      // SAFETY: as above.
      unsafe fstat(number, &raw)
    }
  }
}

/// True when this process may execute the regular file that `path` leads to.
public func isExecutable(_ path: Path) -> Bool {
  guard let status = try? FileStatus(of: path), status.kind == .regular else { return false }
  // SAFETY: see withCString.
  return unsafe path.withCString { unsafe access($0, X_OK) } == 0
}

/// Finds a program as a shell does: a name with a slash is a path, another is looked up in `PATH`.
public func findProgram(_ name: Path) -> Path? {
  if name.bytes.contains(UInt8(ascii: "/")) { return isExecutable(name) ? name : nil }
  let search = environmentValue("PATH") ?? "/usr/local/bin:/usr/bin:/bin"
  for directory in search.utf8.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false) {
    let candidate = (directory.isEmpty ? "." : Path(Array(directory))).appending(name.bytes)
    if isExecutable(candidate) { return candidate }
  }
  return nil
}

/// The value of an environment variable.
public func environmentValue(_ name: String) -> String? {
  // SAFETY: the result is copied at once; nothing in the tools changes the environment.
  guard let value = unsafe getenv(name) else { return nil }
  return unsafe String(cString: value)
}

/// Reads where a symbolic link leads.
public func linkTarget(_ path: Path) throws(SystemError) -> [UInt8] {
  var buffer = [UInt8](repeating: 0, count: 4096)
  // SAFETY: see withCString; readlink writes at most `count` bytes.
  let length = unsafe buffer.withUnsafeMutableBytes { target in
    unsafe path.withCString { name in
      unsafe readlink(name, target.bindMemory(to: CChar.self).baseAddress!, target.count)
    }
  }
  guard length >= 0 else { throw SystemError("cannot read the link \(path)", errno) }
  return Array(buffer[..<length])
}

/// Resolves every symbolic link in `path` (realpath(3)).
public func resolvedPath(_ path: Path) throws(SystemError) -> Path {
  // SAFETY: with a null buffer glibc allocates the result, which is freed after it was copied.
  guard let text = unsafe path.withCString({ unsafe realpath($0, nil) }) else {
    throw SystemError("cannot resolve \(path)", errno)
  }
  defer { unsafe free(text) }
  return Path(unsafe Array(UnsafeBufferPointer(start: text, count: strlen(text)).lazy.map { UInt8(bitPattern: $0) }))
}

/// The names in a directory, sorted by their bytes, without `.` and `..`.
public func directoryNames(_ path: Path) throws(SystemError) -> [[UInt8]] {
  // SAFETY: see withCString.
  guard let stream = unsafe path.withCString({ unsafe opendir($0) }) else {
    throw SystemError("cannot read the directory \(path)", errno)
  }
  // SAFETY: `stream` is open until here, and is used by nothing else.
  defer { unsafe closedir(stream) }
  var names: [[UInt8]] = []
  while true {
    errno = 0
    // SAFETY: the entry is valid until the next call; its name is copied before that.
    guard let entry = unsafe readdir(stream) else { break }
    let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
      unsafe Array(bytes.prefix { $0 != 0 })
    }
    if name != Array(".".utf8) && name != Array("..".utf8) { names.append(name) }
  }
  guard errno == 0 else { throw SystemError("cannot read the directory \(path)", errno) }
  return names.sorted { $0.lexicographicallyPrecedes($1) }
}

extension Descriptor {
  /// Reads up to `buffer.count` bytes from where the file stands; 0 at its end. Where a non-blocking descriptor has
  /// nothing yet, it waits.
  public func read(into buffer: inout [UInt8], named path: Path) throws(SystemError) -> Int {
    while true {
      // SAFETY: read writes at most `count` bytes of the array.
      let got = unsafe buffer.withUnsafeMutableBytes { unsafe Glibc.read(number, $0.baseAddress, $0.count) }
      if got >= 0 { return got }
      switch errno {
      case EINTR: continue
      case EAGAIN: _ = waitFor([Interest(self, .read)], milliseconds: nil)
      default: throw SystemError("cannot read \(path)", errno)
      }
    }
  }

  /// Reads up to `count` bytes at `offset`; fewer only where the file ends.
  public func read(count: Int, at offset: UInt64, named path: Path) throws(SystemError) -> [UInt8] {
    guard let start = Int64(exactly: offset) else { return [] }
    var bytes = [UInt8](repeating: 0, count: count)
    var filled = 0
    while filled < count {
      // SAFETY: pread writes at most the `count - filled` bytes behind `filled`.
      let got = unsafe bytes.withUnsafeMutableBytes { buffer in
        unsafe pread(number, buffer.baseAddress! + filled, count - filled, off_t(start &+ Int64(filled)))
      }
      if got == 0 { break }
      if got > 0 { filled += got } else if errno != EINTR { throw SystemError("cannot read \(path)", errno) }
    }
    bytes.removeLast(count - filled)
    return bytes
  }
}

/// Writes all of `bytes`, waiting where a non-blocking descriptor is full.
public func writeAll(_ bytes: some Collection<UInt8>, to descriptor: Descriptor, named name: @autoclosure () -> String)
  throws(SystemError)
{
  let bytes = Array(bytes)
  var written = 0
  while written < bytes.count {
    switch writeSome(bytes[written...], to: descriptor) {
    case .wrote(let count): written += count
    case .wouldBlock: _ = waitFor([Interest(descriptor, .write)], milliseconds: nil)
    case .failed(let code): throw SystemError("cannot write \(name())", code)
    }
  }
}

/// What one write(2) did.
public enum WriteOutcome {
  case wrote(Int)
  case wouldBlock
  case failed(Int32)
}

/// Writes as much of `bytes` as the descriptor takes now.
public func writeSome(_ bytes: ArraySlice<UInt8>, to descriptor: Descriptor) -> WriteOutcome {
  while true {
    // SAFETY: write reads the slice's own bytes.
    let count = unsafe bytes.withUnsafeBytes { unsafe write(descriptor.number, $0.baseAddress, $0.count) }
    if count >= 0 { return .wrote(count) }
    if errno == EAGAIN { return .wouldBlock }
    if errno != EINTR { return .failed(errno) }
  }
}

/// Writes `text` to standard error; a failure there is nobody's to hear.
public func printError(_ text: String) {
  try? writeAll((text + "\n").utf8, to: .standardError, named: "standard error")
}

/// Writes `text` and a line end to standard output.
public func printLine(_ text: String) throws(SystemError) {
  try writeAll((text + "\n").utf8, to: .standardOutput, named: "standard output")
}

/// A new file, to be renamed or removed.
public struct TemporaryFile {
  public let path: Path
  public let descriptor: Descriptor

  /// Creates a file in `directory` with a fresh name that starts with `prefix`; its mode is 0666 under the umask.
  public init(in directory: Path, prefix: [UInt8]) throws(SystemError) {
    var template = directory.appending(prefix + Array(".XXXXXX".utf8)).bytes + [0]
    // SAFETY: mkstemp changes the six X of the array, which ends with NUL.
    let number = unsafe template.withUnsafeMutableBytes { buffer in
      unsafe mkstemp(buffer.bindMemory(to: CChar.self).baseAddress!)
    }
    guard number >= 0 else { throw SystemError("cannot create a file in \(directory)", errno) }
    _ = fcntl(number, F_SETFD, FD_CLOEXEC)
    let mask = umask(0)
    _ = umask(mask)
    _ = fchmod(number, 0o666 & ~mask)
    descriptor = Descriptor(owning: number)
    path = Path(Array(template.dropLast()))
  }
}

extension Descriptor {
  /// Creates a nameless file in memory; it is gone with its last descriptor, however the process ends.
  public static func memoryFile(named name: String) throws(SystemError) -> Descriptor {
    // SAFETY: the name is a C string for the call.
    let number = unsafe chost_memory_file(name)
    guard number >= 0 else { throw SystemError("cannot create a file in memory", -number) }
    return Descriptor(owning: number)
  }
}

/// Two descriptors that belong together: a pipe's reading and writing end, or two connected sockets.
public struct DescriptorPair {
  public let first: Descriptor
  public let second: Descriptor

  private init(_ numbers: [Int32]) {
    first = Descriptor(owning: numbers[0])
    second = Descriptor(owning: numbers[1])
  }

  /// Creates a pipe, close-on-exec: `first` reads, `second` writes.
  public static func pipe() throws(SystemError) -> DescriptorPair {
    var numbers: [Int32] = [-1, -1]
    // SAFETY: pipe writes two numbers.
    guard unsafe Glibc.pipe(&numbers) == 0 else { throw SystemError("cannot create a pipe", errno) }
    for number in numbers { _ = fcntl(number, F_SETFD, FD_CLOEXEC) }
    return DescriptorPair(numbers)
  }

  /// Creates a connected pair of stream sockets, close-on-exec.
  public static func sockets() throws(SystemError) -> DescriptorPair {
    var numbers: [Int32] = [-1, -1]
    let kind = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
    // SAFETY: socketpair writes two numbers.
    guard unsafe socketpair(AF_UNIX, kind, 0, &numbers) == 0 else {
      throw SystemError("cannot create a socket pair", errno)
    }
    return DescriptorPair(numbers)
  }
}

extension Descriptor {
  /// Ends what a socket sends: the other side reads the end of file behind what was sent.
  public func endSending() {
    _ = shutdown(number, Int32(SHUT_WR))
  }

  /// Makes reads and writes of the open file return at once.
  public func setNonBlocking() {
    _ = fcntl(number, F_SETFL, fcntl(number, F_GETFL) | O_NONBLOCK)
  }

  /// The status flags of the open file (fcntl(2), F_GETFL), or `nil` when the descriptor is closed. Who shares the
  /// open file shares its flags.
  public var statusFlags: Int32? {
    get {
      let flags = fcntl(number, F_GETFL)
      return flags < 0 ? nil : flags
    }
    set {
      if let newValue { _ = fcntl(number, F_SETFL, newValue) }
    }
  }

  /// True when the descriptor is a terminal.
  public var isTerminal: Bool { isatty(number) == 1 }
}

/// Renames a file, replacing what `target` names.
public func renameFile(_ source: Path, to target: Path) throws(SystemError) {
  // SAFETY: see withCString.
  let result = unsafe source.withCString { old in unsafe target.withCString { unsafe rename(old, $0) } }
  guard result == 0 else { throw SystemError("cannot rename \(source) to \(target)", errno) }
}

/// Removes a file; one that is gone already is fine.
public func removeFile(_ path: Path) {
  // SAFETY: see withCString.
  _ = unsafe path.withCString { unsafe unlink($0) }
}

/// Creates a directory with a fresh name that starts with `prefix`, for this user alone.
public func makeTemporaryDirectory(prefix: String) throws(SystemError) -> Path {
  let parent = Path(environmentValue("TMPDIR") ?? "/tmp")
  var template = parent.appending(Array("\(prefix).XXXXXX".utf8)).bytes + [0]
  // SAFETY: mkdtemp changes the six X of the array, which ends with NUL.
  let made = unsafe template.withUnsafeMutableBytes { buffer in
    unsafe mkdtemp(buffer.bindMemory(to: CChar.self).baseAddress!) != nil
  }
  guard made else { throw SystemError("cannot create a directory in \(parent)", errno) }
  return Path(Array(template.dropLast()))
}

/// Removes an empty directory.
public func removeDirectory(_ path: Path) {
  // SAFETY: see withCString.
  _ = unsafe path.withCString { unsafe rmdir($0) }
}
