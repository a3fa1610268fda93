internal import HostSystem

/// The output file of an archive.
///
/// The bytes go into a file beside the output, which gets its name in `finish`: whoever looks at the output sees the
/// old archive or the new one. An output that exists and is no regular file (`/dev/stdout`, a fifo) is written in
/// place; `-` is the standard output. A name that ends with `.gz` sends the bytes through `gzip -n`.
final class ArchiveOutput: ByteSink {
  private enum Destination {
    case inPlace
    case rename(from: Path, to: Path)
  }

  private let name: Path
  private let destination: Destination
  private let file: Descriptor
  private var compressor: ChildProcess?
  /// Where the compressor reads; closed to tell it that the archive ends.
  private var compressorInput: Descriptor?
  private let signals: SignalQueue
  private var buffer: [UInt8] = []
  private var isFinished = false

  /// How many bytes are collected before they are written.
  private static let bufferSize = 1 << 20

  init(_ name: Path) throws {
    self.name = name
    signals = try SignalQueue([Signal.interrupt, Signal.terminate, Signal.hangUp])
    ignoreBrokenPipes()
    if name == "-" {
      destination = .inPlace
      file = try openFile("/dev/stdout", .write)
    } else if let status = try? FileStatus(of: name), status.kind != .regular {
      guard status.kind != .directory else { throw ToolError("\(name) is a directory") }
      destination = .inPlace
      file = try openFile(name, .write)
    } else {
      // The archive replaces the file that a link leads to, not the link.
      let target = (try? resolvedPath(name)) ?? name
      let temporary = try TemporaryFile(in: target.directory, prefix: [UInt8(ascii: ".")] + target.lastComponent)
      destination = .rename(from: temporary.path, to: target)
      file = temporary.descriptor
    }
    buffer.reserveCapacity(Self.bufferSize)
    if name.bytes.suffix(3).elementsEqual(".gz".utf8) { try startCompressor() }
  }

  deinit {
    if !isFinished { abandon() }
  }

  private func startCompressor() throws {
    guard let gzip = findProgram("gzip") else { throw ToolError("gzip is needed to write \(name)") }
    let pipe = try DescriptorPair.pipe()
    compressor = try ChildProcess(
      [gzip.description, "-n", "-c"],
      descriptors: [(child: 0, own: pipe.first), (child: 1, own: file)],
      deathSignal: Signal.terminate)
    compressorInput = pipe.second
  }

  func write(_ bytes: ArraySlice<UInt8>) throws {
    buffer += bytes
    if buffer.count >= Self.bufferSize { try flush() }
  }

  private func flush() throws {
    if let signal = signals.next() {
      abandon()
      die(bySignal: signal)
    }
    try writeAll(buffer, to: compressorInput ?? file, named: name.description)
    buffer.removeAll(keepingCapacity: true)
  }

  /// Writes what is left and gives the file its name.
  func finish() throws {
    try flush()
    compressorInput = nil
    if let compressor, compressor.wait() != .exited(0) {
      throw ToolError("gzip failed while writing \(name)")
    }
    if case .rename(let temporary, let target) = destination { try renameFile(temporary, to: target) }
    isFinished = true
  }

  private func abandon() {
    if case .rename(let temporary, _) = destination { removeFile(temporary) }
    isFinished = true
  }
}
