internal import HostSystem

/// What the dynamic linker would read of an ELF file: its interpreter and its dynamic section (elf(5), ld.so(8)).
struct ELFFile {
  /// PT_INTERP.
  let interpreter: Path?
  /// DT_NEEDED, in order.
  let needed: [[UInt8]]
  /// DT_SONAME.
  let name: [UInt8]?
  /// DT_RPATH; ignored when there is a `runPath`.
  let inheritedRunPath: [UInt8]?
  /// DT_RUNPATH.
  let runPath: [UInt8]?
  /// DF_1_NODEFLIB: neither the cache nor the default directories are searched.
  let ignoresDefaultDirectories: Bool

  /// What a file is, as execve(2) sees it.
  enum Kind {
    case elf(ELFFile)
    /// `#!`: the interpreter and, where there is one, its argument.
    case script(interpreter: [UInt8], argument: [UInt8]?)
    /// An ELF file that no x86_64 machine runs, with the reason.
    case foreign(String)
    case other
  }

  /// Looks at the file `path`.
  ///
  /// - Throws: `ToolError` for a damaged ELF file, `SystemError` for one that cannot be read.
  static func kind(of path: Path) throws -> Kind {
    let file = try openFile(path)
    let start = try file.read(count: 512, at: 0, named: path)
    if start.starts(with: "#!".utf8) { return script(start) }
    guard start.starts(with: [0x7f, 0x45, 0x4c, 0x46]) else { return .other }
    guard start.count >= 64 else { throw ToolError("\(path): the ELF header is cut off") }
    guard start[4] == 2 else { return .foreign("not a 64-bit ELF file") }
    guard start[5] == 1, word16(start, 18) == 62 else {
      return .foreign("an ELF file for another machine (e_machine \(word16(start, 18)))")
    }
    return .elf(try ELFFile(file, header: start, path))
  }

  /// Takes a `#!` line apart as Linux does: one argument at most, blanks at the ends dropped.
  private static func script(_ start: [UInt8]) -> Kind {
    let isBlank: (UInt8) -> Bool = { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }
    let line = start.dropFirst(2).prefix { $0 != UInt8(ascii: "\n") }.drop(while: isBlank)
    let interpreter = line.prefix { !isBlank($0) }
    var rest = line.dropFirst(interpreter.count).drop(while: isBlank)
    while let last = rest.last, isBlank(last) { rest.removeLast() }
    return .script(interpreter: Array(interpreter), argument: rest.isEmpty ? nil : Array(rest))
  }

  /// A PT_LOAD segment: what lies where.
  private struct Segment {
    let address: UInt64
    let offset: UInt64
    let size: UInt64
  }

  /// A larger table than any real file has is a sign of damage.
  private static let largestTable: UInt64 = 1 << 20
  private static let longestString = 4096

  private init(_ file: Descriptor, header: [UInt8], _ path: Path) throws {
    let tableOffset = word64(header, 32)
    let entrySize = UInt64(word16(header, 54))
    let count = UInt64(word16(header, 56))
    var interpreter: Path?
    var segments: [Segment] = []
    var dynamic: (offset: UInt64, size: UInt64)?
    if count > 0 {
      guard entrySize == 56 else { throw ToolError("\(path): e_phentsize is \(entrySize), not 56") }
      let size = Int(count * entrySize)
      let table = try file.read(count: size, at: tableOffset, named: path)
      guard table.count == size else { throw ToolError("\(path): the program headers lie outside the file") }
      for start in stride(from: 0, to: size, by: 56) {
        let offset = word64(table, start + 8)
        let fileSize = word64(table, start + 32)
        switch word32(table, start) {
        case 1: segments.append(Segment(address: word64(table, start + 16), offset: offset, size: fileSize))
        case 2: dynamic = (offset, fileSize)
        case 3:
          guard fileSize > 1, fileSize <= UInt64(Self.longestString) else {
            throw ToolError("\(path): the interpreter's name has \(fileSize) bytes")
          }
          let name = try file.read(count: Int(fileSize), at: offset, named: path).prefix { $0 != 0 }
          guard !name.isEmpty else { throw ToolError("\(path): the interpreter's name lies outside the file") }
          interpreter = Path(Array(name))
        default: break
        }
      }
    }
    self.interpreter = interpreter
    guard let dynamic else {
      needed = []
      name = nil
      inheritedRunPath = nil
      runPath = nil
      ignoresDefaultDirectories = false
      return
    }

    guard dynamic.size <= Self.largestTable else { throw ToolError("\(path): the dynamic section is damaged") }
    let section = try file.read(count: Int(dynamic.size), at: dynamic.offset, named: path)
    var neededOffsets: [UInt64] = []
    var single: [UInt64: UInt64] = [:]
    for start in stride(from: 0, to: section.count - 15, by: 16) {
      let tag = word64(section, start)
      let value = word64(section, start + 8)
      if tag == Tag.null { break }
      if tag == Tag.needed { neededOffsets.append(value) } else { single[tag] = value }
    }
    let stringsAddress = single[Tag.stringTable] ?? 0
    let strings = segments.first { $0.address <= stringsAddress && stringsAddress - $0.address < $0.size }
    func string(_ index: UInt64) throws -> [UInt8] {
      guard let strings, let place = sum(stringsAddress - strings.address, strings.offset, index) else {
        throw ToolError("\(path): the dynamic string table lies outside the file")
      }
      let bytes = try file.read(count: Self.longestString, at: place, named: path)
      guard let end = bytes.firstIndex(of: 0) else { throw ToolError("\(path): a dynamic string has no end") }
      return Array(bytes[..<end])
    }
    needed = try neededOffsets.map(string)
    name = try single[Tag.sharedObjectName].map(string)
    inheritedRunPath = try single[Tag.inheritedRunPath].map(string)
    runPath = try single[Tag.runPath].map(string)
    ignoresDefaultDirectories = (single[Tag.flags1] ?? 0) & 0x800 != 0
  }

  private enum Tag {
    static let null: UInt64 = 0
    static let needed: UInt64 = 1
    static let stringTable: UInt64 = 5
    static let sharedObjectName: UInt64 = 14
    static let inheritedRunPath: UInt64 = 15
    static let runPath: UInt64 = 29
    static let flags1: UInt64 = 0x6fff_fffb
  }
}

/// Adds numbers from a file; `nil` when the sum does not fit.
private func sum(_ values: UInt64...) -> UInt64? {
  var total: UInt64 = 0
  for value in values {
    let (partial, overflow) = total.addingReportingOverflow(value)
    guard !overflow else { return nil }
    total = partial
  }
  return total
}

/// Reads a little-endian integer; bytes behind the end count as zero.
func word(_ bytes: [UInt8], _ offset: Int, size: Int) -> UInt64 {
  var value: UInt64 = 0
  for index in 0..<size where offset >= 0 && offset < bytes.count - index {
    value |= UInt64(bytes[offset + index]) << UInt64(8 * index)
  }
  return value
}

func word16(_ bytes: [UInt8], _ offset: Int) -> UInt16 { UInt16(word(bytes, offset, size: 2)) }
func word32(_ bytes: [UInt8], _ offset: Int) -> UInt32 { UInt32(word(bytes, offset, size: 4)) }
func word64(_ bytes: [UInt8], _ offset: Int) -> UInt64 { word(bytes, offset, size: 8) }
