import ToolTesting

/// One entry of a `newc` archive, read by the book (cpio(5)) and by nothing of the writer.
struct ReadEntry {
  let name: String
  /// `ino mode uid gid nlink mtime filesize devmajor devminor rdevmajor rdevminor namesize check`.
  let fields: [Int]
  let dataOffset: Int
  let data: ArraySlice<UInt8>

  var inode: Int { fields[0] }
  var mode: Int { fields[1] }
  var linkCount: Int { fields[4] }
  var nameSize: Int { fields[11] }
  var isRegular: Bool { mode & 0o170000 == 0o100000 }
}

/// Reads all entries of an archive before its trailer; an archive that breaks the format ends the list early.
func readArchive(_ path: String) throws -> [ReadEntry] {
  let bytes = try content(ofFile: path)
  var entries: [ReadEntry] = []
  var offset = 0
  while offset + 110 <= bytes.count, bytes[offset..<(offset + 6)].elementsEqual("070701".utf8) {
    let fields = (0..<13).map { index in
      let start = offset + 6 + 8 * index
      return Int(String(decoding: bytes[start..<(start + 8)], as: UTF8.self), radix: 16) ?? -1
    }
    let name = String(decoding: bytes[(offset + 110)..<(offset + 110 + fields[11])].prefix { $0 != 0 }, as: UTF8.self)
    if name == "TRAILER!!!" { return entries }
    let dataOffset = (offset + 110 + fields[11] + 3) / 4 * 4
    let end = dataOffset + fields[6]
    entries.append(ReadEntry(name: name, fields: fields, dataOffset: dataOffset, data: bytes[dataOffset..<end]))
    offset = (end + 3) / 4 * 4
  }
  return entries
}
