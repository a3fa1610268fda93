internal import Kernel
internal import LinuxABI
internal import Support
internal import VFSCore

/// What the inodes of /proc have in common.
class ProcInode: Inode {
  let proc: ProcFileSystem

  init(_ proc: ProcFileSystem, number: UInt64, _ type: FileType, _ permissions: UInt32) {
    self.proc = proc
    super.init(proc, number: number, mode: FileMode(type, FileMode(rawValue: permissions)))
  }
}

/// A directory with names that are computed.
class ProcDirectory: ProcInode {
  init(_ proc: ProcFileSystem, number: UInt64, _ permissions: UInt32 = 0o555) {
    super.init(proc, number: number, .S_IFDIR, permissions)
    linkCount = 2
  }

  /// Nothing is made in /proc, and Linux says so in this way.
  override final func create(_ name: [UInt8], _ node: NewNode) throws(Errno) -> Inode { throw .ENOENT }
}

/// A text file of any file system. Subclasses write the text.
class TextInode: Inode {
  init(_ fileSystem: FileSystem, number: UInt64, _ permissions: UInt32) {
    super.init(fileSystem, number: number, mode: FileMode(.S_IFREG, FileMode(rawValue: permissions)))
  }

  /// Writes the file's text as it is now.
  func write(into text: inout TextBuffer) throws(Errno) {}
  /// Takes what a program writes.
  func receive(_ bytes: [UInt8]) throws(Errno) { throw .EIO }

  override func open(_ path: Path, _ flags: OpenFlags) throws(Errno) -> OpenFile { ProcTextFile(path, flags, self) }
  override func truncate(to size: Int64) throws(Errno) {}
}

/// A text file of /proc.
class ProcText: TextInode {
  let proc: ProcFileSystem

  init(_ proc: ProcFileSystem, number: UInt64, _ permissions: UInt32 = 0o444) {
    self.proc = proc
    super.init(proc, number: number, permissions)
  }
}

/// An open text file. The text is made when it is read from the start, and is the same until then.
final class ProcTextFile: OpenFile {
  private let source: TextInode
  private var text: [UInt8]?

  init(_ path: Path, _ flags: OpenFlags, _ source: TextInode) {
    self.source = source
    super.init(path, flags)
  }

  override func read(into writer: inout UserWriter, at position: Int64?) throws(Errno) -> Int {
    guard isReadable else { throw .EBADF }
    let start = position ?? offset
    guard start >= 0 else { throw .EINVAL }
    if start == 0 || text == nil {
      var buffer = TextBuffer()
      try source.write(into: &buffer)
      text = buffer.bytes
    }
    guard let text, start < Int64(text.count) else { return 0 }
    let end = min(Int(start) + writer.remaining, text.count)
    let done = try writer.write(text.rawBytes.extracting(Int(start)..<end))
    if position == nil { offset = start + Int64(done) }
    return done
  }

  override func write(from reader: inout UserReader, at position: Int64?) throws(Errno) -> Int {
    guard isWritable else { throw .EBADF }
    let bytes = try reader.read(pageSize)
    try source.receive(bytes)
    text = nil
    return bytes.count
  }

  override func seek(_ distance: Int64, _ whence: SeekWhence) throws(Errno) -> Int64 {
    let origin: Int64
    switch whence {
    case .SEEK_SET: origin = 0
    case .SEEK_CUR: origin = offset
    default: throw .EINVAL
    }
    let (target, overflow) = origin.addingReportingOverflow(distance)
    guard !overflow, target >= 0 else { throw .EINVAL }
    offset = target
    return target
  }

  override var isPollable: Bool { false }
}

/// A symbolic link. Subclasses say where to.
class ProcLink: ProcInode {
  init(_ proc: ProcFileSystem, number: UInt64, _ permissions: UInt32 = 0o777) {
    super.init(proc, number: number, .S_IFLNK, permissions)
  }
}

/// Names of files and decimal numbers in paths.
enum ProcName {
  static func equal(_ name: [UInt8], _ text: StaticString) -> Bool { name == text.bytes }

  /// The number that a name is, without leading zeroes.
  static func number(_ name: [UInt8]) -> Int32? {
    guard let first = name.first, first != UInt8(ascii: "0") || name.count == 1, name.count <= 10 else { return nil }
    var value: Int64 = 0
    for byte in name {
      guard byte >= 0x30, byte <= 0x39 else { return nil }
      value = value * 10 + Int64(byte - 0x30)
    }
    return Int32(exactly: value)
  }

  static func decimal(_ number: Int32) -> [UInt8] {
    var text = TextBuffer()
    text.append(decimal: Int(number))
    return text.bytes
  }
}
