internal import HostSystem

/// Where the host's dynamic linker has its libraries: `/etc/ld.so.cache`, else the directories of
/// `/etc/ld.so.conf` (ldconfig(8)).
struct LibraryCache {
  static let path: Path = "/etc/ld.so.cache"

  /// The places of a library by its name, in the order of the cache.
  private var places: [[UInt8]: [Path]] = [:]
  /// What ldconfig would search, when there is no cache.
  let configuredDirectories: [Path]

  /// Reads the host's cache and configuration; what is missing or damaged is as good as empty.
  init() {
    if let file = try? openFile(Self.path),
      let status = try? FileStatus(of: file, named: Self.path), status.size <= 64 << 20,
      let bytes = try? file.read(count: Int(status.size), at: 0, named: Self.path)
    {
      places = Self.parse(bytes)
    }
    var seen: Set<Path> = []
    configuredDirectories = places.isEmpty ? Self.directories(in: "/etc/ld.so.conf", seen: &seen) : []
  }

  func places(of name: [UInt8]) -> [Path] {
    places[name] ?? []
  }

  /// Takes a cache apart (glibc, sysdeps/generic/dl-cache.h), alone or behind one in the old format.
  ///
  /// Entries for machines with certain extensions (glibc-hwcaps) are left out: the guest may lack them, and the
  /// plain library always exists.
  static func parse(_ bytes: [UInt8]) -> [[UInt8]: [Path]] {
    let magic = Array("glibc-ld.so.cache1.1".utf8)
    var start = 0
    if bytes.starts(with: "ld.so-1.7.0".utf8) {
      start = (16 + Int(word32(bytes, 12)) * 12).aligned(to: 8)
    }
    guard start <= bytes.count, bytes[start...].starts(with: magic) else { return [:] }
    func string(at offset: UInt32) -> [UInt8]? {
      let (place, overflow) = start.addingReportingOverflow(Int(offset))
      guard !overflow, place < bytes.count else { return nil }
      return Array(bytes[place...].prefix { $0 != 0 })
    }
    var result: [[UInt8]: [Path]] = [:]
    let count = Int(word32(bytes, start + 20))
    for index in 0..<min(count, bytes.count / 24) {
      let entry = start + 48 + index * 24
      let isForThisMachine = word32(bytes, entry) & 0xffff == 0x0303
      guard isForThisMachine, word64(bytes, entry + 16) == 0,
        let name = string(at: word32(bytes, entry + 4)), let place = string(at: word32(bytes, entry + 8))
      else { continue }
      result[name, default: []].append(Path(place))
    }
    return result
  }

  /// The directories that a configuration file names, `include` lines followed.
  static func directories(in file: Path, seen: inout Set<Path>) -> [Path] {
    guard seen.insert(file).inserted, let descriptor = try? openFile(file),
      let bytes = try? descriptor.read(count: 1 << 20, at: 0, named: file)
    else { return [] }
    var result: [Path] = []
    for line in bytes.split(separator: UInt8(ascii: "\n")) {
      let words = line.prefix { $0 != UInt8(ascii: "#") }
        .split { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") || $0 == UInt8(ascii: ",") }
      guard let first = words.first else { continue }
      if first.elementsEqual("include".utf8) {
        for pattern in words.dropFirst() {
          for included in matches(Path(Array(pattern)), from: file.directory) {
            result += directories(in: included, seen: &seen)
          }
        }
      } else if !first.elementsEqual("hwcap".utf8) {
        result += words.map { Path(Array($0)) }.filter(\.isAbsolute)
      }
    }
    return result
  }

  /// The files that a pattern with `*` in its last component names.
  private static func matches(_ pattern: Path, from directory: Path) -> [Path] {
    let pattern = pattern.isAbsolute ? pattern : directory.appending(pattern.bytes)
    let parts = pattern.lastComponent.split(
      separator: UInt8(ascii: "*"), maxSplits: 1, omittingEmptySubsequences: false)
    guard parts.count == 2 else { return [pattern] }
    let names = (try? directoryNames(pattern.directory)) ?? []
    return names.filter { name in
      name.count >= parts[0].count + parts[1].count && name.starts(with: parts[0])
        && name.suffix(parts[1].count).elementsEqual(parts[1])
    }.map { pattern.directory.appending($0) }
  }
}
