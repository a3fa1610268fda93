// CpioFS: the root file system over the initrd. Nothing is unpacked: a regular file is a slice of the archive, which its
// page cache has as base, and a page gets a frame of its own when somebody writes to it.
//
// The tree is VFSCore's `MemoryFileSystem`, so the root can be written like a tmpfs. The archive is read by Support's
// `CPIOReader`.
internal import Kernel
internal import LinuxABI
public import Support
public import VFSCore

/// A file system whose first content is a `newc` cpio archive in memory.
public final class CpioFileSystem: MemoryFileSystem {
  /// Makes an empty one; `load` brings the archive's members in.
  public init(_ environment: FileSystemEnvironment, pageLimit: Int? = nil) {
    super.init(environment, typeName: "rootfs", pageLimit: pageLimit)
  }

  /// Enters the members of an archive.
  ///
  /// As Linux's unpacker has it: a member replaces what an earlier one of the same name was, a directory keeps what is
  /// in it, and members with the same inode are one file. Unlike there, directories that the archive lacks are made.
  ///
  /// - Parameters:
  ///   - archive: The bytes, which must stay where they are.
  ///   - physical: The physical address of the first.
  /// - Throws: Why the archive cannot be read. What stood in front of the fault has been entered.
  public func load(_ archive: RawSpan, at physical: UInt) throws(CPIOError) {
    var importer = CpioImporter(self, physical)
    var reader = CPIOReader()
    while let entry = try reader.next(in: archive) { importer.add(entry, in: archive) }
    importer.finish()
    outOfSpace = importer.outOfSpace
  }

  /// Members could not be entered because memory ran out.
  public private(set) var outOfSpace = false
}
