internal import Drivers
internal import Kernel
internal import LinuxABI
internal import Platform
internal import Support
internal import VFSCore

/// Writes trees as a cpio archive to the debug console at port 0x503, so that a test can see what a program left behind.
struct TreeExport {
  private let power: PowerControl
  private var writer = CPIOWriter()

  init(_ power: PowerControl) { self.power = power }

  /// Writes the trees at `paths`; what does not exist is left out.
  mutating func write(_ paths: [[UInt8]], _ context: FileSystemContext) {
    for path in paths {
      guard let place = try? context.resolve(path, follow: false) else { continue }
      var name = path
      while name.first == UInt8(ascii: "/") { name.removeFirst() }
      write(place.dentry, name)
    }
    let trailer = writer.trailer()
    power.export(trailer.rawBytes)
  }

  private mutating func write(_ root: Dentry, _ rootName: [UInt8]) {
    var pending = [(root, rootName)]
    while let (dentry, name) = pending.popLast() {
      writeMember(dentry.inode, name)
      for child in children(dentry) { pending.append((child, name + [UInt8(ascii: "/")] + child.name)) }
    }
  }

  private func children(_ directory: Dentry) -> [Dentry] {
    var children: [Dentry] = []
    if directory.inode.fileSystem.childPolicy == .complete || !directory.inode.isDirectory {
      directory.forEachChild { children.append($0) }
      return children
    }
    var names: [[UInt8]] = []
    try? directory.inode.readDirectory(from: 2) { name, _, _, _ in
      names.append(name)
      return true
    }
    for name in names {
      if let child = try? directory.lookup(name) { children.append(child) }
    }
    return children
  }

  private mutating func writeMember(_ inode: Inode, _ name: [UInt8]) {
    let status = inode.stat()
    var size = 0
    var target: [UInt8] = []
    if inode.isRegularFile { size = Int(inode.size) }
    if inode.isSymbolicLink, let text = try? inode.readLink() {
      target = text
      size = target.count
    }
    // The format has 32 bits; an overlay tells its layers apart in the highest.
    let number = UInt32(truncatingIfNeeded: status.st_ino) ^ UInt32(status.st_ino >> 56) << 24
    let metadata = CPIOMetadata(
      inode: number, mode: inode.mode.rawValue, uid: inode.uid, gid: inode.gid,
      linkCount: inode.linkCount, modificationTime: UInt32(truncatingIfNeeded: inode.modificationTime / 1_000_000_000),
      specialMajor: inode.device.major, specialMinor: inode.device.minor)
    // What the format cannot hold (a name or a file too long) is left out.
    guard let header = try? writer.header(name.isEmpty ? [UInt8(ascii: ".")] : name, metadata, dataSize: size) else {
      return
    }
    power.export(header.rawBytes)
    if !target.isEmpty { power.export(target.rawBytes) }
    if size > 0, target.isEmpty { writeContents(inode, size) }
  }

  private func writeContents(_ inode: Inode, _ size: Int) {
    let zeroes = [UInt8](repeating: 0, count: pageSize)
    var done = 0
    while done < size {
      let count = min(pageSize, size - done)
      if let frame = try? inode.contents().frame(at: UInt64(done) >> UInt64(pageShift), forWriting: false) {
        power.export(frame, count: count)
      } else {
        power.export(zeroes.rawBytes.extracting(0..<count))
      }
      done += count
    }
  }
}
