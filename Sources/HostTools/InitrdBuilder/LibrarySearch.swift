internal import HostSystem

/// A file that was found for the guest: where it is here, and where it will be there.
struct FoundFile {
  let source: Path
  let target: Path
}

/// A program or library whose needs are being resolved.
final class LoadedObject {
  let file: FoundFile
  let elf: ELFFile
  /// What asked for it.
  let loader: LoadedObject?

  init(_ file: FoundFile, _ elf: ELFFile, loader: LoadedObject?) {
    self.file = file
    self.elf = elf
    self.loader = loader
  }
}

/// Finds shared libraries as the dynamic linker of glibc (ld.so(8)) or musl does.
struct LibrarySearch {
  /// Which dynamic linker will run in the guest.
  enum Linker {
    case glibc
    case musl
  }

  /// Why a library could be used.
  enum Origin {
    case searchPath
    case defaultDirectory
    /// Only the cache names its directory, so the guest needs a cache.
    case cache
    /// Only /etc/ld.so.conf names its directory; the host itself lacks a cache.
    case configuration
  }

  private struct Directory {
    let source: Path
    let target: Path
    var origin: Origin = .searchPath
  }

  private let cache = LibraryCache()
  private let libraryPath: [Directory]
  /// What glibc searches last, with the multiarch directories of Debian first.
  static let defaultDirectories: [Path] = [
    "/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib64", "/usr/lib64", "/lib", "/usr/lib",
  ]
  static let muslPathFile: Path = "/etc/ld-musl-x86_64.path"

  init(libraryPath: String? = environmentValue("LD_LIBRARY_PATH")) {
    let entries = (libraryPath ?? "").utf8
      .split(omittingEmptySubsequences: true) { $0 == UInt8(ascii: ":") || $0 == UInt8(ascii: ";") }
    self.libraryPath = entries.map { entry in
      let path = absolutePath(Path(Array(entry)))
      return Directory(source: path, target: path)
    }
  }

  /// Finds the library `name` that `object` needs.
  ///
  /// - Throws: `ToolError` that names the library, who needs it, and where it was looked for.
  func find(_ name: [UInt8], for object: LoadedObject, linker: Linker) throws -> (FoundFile, ELFFile, Origin) {
    if name.contains(UInt8(ascii: "/")) {
      let place = expand(name, for: object)
      guard case .elf(let elf)? = try? ELFFile.kind(of: place.source) else {
        throw ToolError("\(object.file.source) needs \(place.source), which is no x86_64 library here")
      }
      return (FoundFile(source: place.source, target: place.target), elf, .searchPath)
    }
    var directories: [Directory]
    switch linker {
    case .glibc:
      directories = []
      if object.elf.runPath == nil { directories += inheritedDirectories(of: object) }
      directories += libraryPath
      directories += list(object.elf.runPath, for: object)
      if !object.elf.ignoresDefaultDirectories {
        directories += cache.places(of: name).map { place in
          let directory = place.directory
          let isDefault = Self.defaultDirectories.contains(directory)
          return Directory(source: directory, target: directory, origin: isDefault ? .defaultDirectory : .cache)
        }
        directories += Self.defaultDirectories.map { Directory(source: $0, target: $0, origin: .defaultDirectory) }
        directories += cache.configuredDirectories.map { Directory(source: $0, target: $0, origin: .configuration) }
      }
    case .musl:
      directories = libraryPath + inheritedDirectories(of: object)
      directories += muslDirectories().map { Directory(source: $0, target: $0, origin: .defaultDirectory) }
    }
    for directory in directories {
      let source = directory.source.appending(name)
      guard case .elf(let elf)? = try? ELFFile.kind(of: source) else { continue }
      return (FoundFile(source: source, target: directory.target.appending(name)), elf, directory.origin)
    }
    var seen: Set<Path> = []
    let searched = directories.map(\.source).filter { seen.insert($0).inserted }
    throw ToolError(
      "\(Path(name)), which \(object.file.source) needs, was not found (looked in "
        + searched.map(\.description).joined(separator: ", ") + ")")
  }

  /// The run paths that an object has from itself and from what loaded it.
  private func inheritedDirectories(of object: LoadedObject) -> [Directory] {
    var result: [Directory] = []
    var current: LoadedObject? = object
    while let loaded = current {
      // musl treats both kinds alike; with glibc a DT_RUNPATH is not inherited and hides the object's DT_RPATH.
      if let runPath = loaded.elf.runPath {
        if loaded === object { result += list(runPath, for: loaded) }
      } else {
        result += list(loaded.elf.inheritedRunPath, for: loaded)
      }
      current = loaded.loader
    }
    return result
  }

  private func list(_ path: [UInt8]?, for object: LoadedObject) -> [Directory] {
    (path ?? []).split(separator: UInt8(ascii: ":")).map { expand(Array($0), for: object) }
  }

  /// Replaces `$ORIGIN`, `$LIB` and `$PLATFORM`, also in braces.
  private func expand(_ text: [UInt8], for object: LoadedObject) -> Directory {
    var source: [UInt8] = []
    var target: [UInt8] = []
    var rest = text[...]
    let tokens: [([UInt8], Path, Path)] = [
      ("ORIGIN", object.file.source.directory, object.file.target.directory),
      ("LIB", "lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu"), ("PLATFORM", "x86_64", "x86_64"),
    ].map { (Array($0.0.utf8), $0.1, $0.2) }
    scan: while let byte = rest.first {
      if byte == UInt8(ascii: "$") {
        for (name, here, there) in tokens {
          let forms = [name, [UInt8(ascii: "{")] + name + [UInt8(ascii: "}")]]
          for form in forms where rest.dropFirst().starts(with: form) {
            source += here.bytes
            target += there.bytes
            rest = rest.dropFirst(1 + form.count)
            continue scan
          }
        }
      }
      source.append(byte)
      target.append(byte)
      rest = rest.dropFirst()
    }
    return Directory(source: absolutePath(Path(source)), target: absolutePath(Path(target)))
  }

  private func muslDirectories() -> [Path] {
    guard let file = try? openFile(Self.muslPathFile),
      let bytes = try? file.read(count: 1 << 16, at: 0, named: Self.muslPathFile)
    else { return ["/lib", "/usr/local/lib", "/usr/lib"] }
    return bytes.split { $0 == UInt8(ascii: ":") || $0 == UInt8(ascii: "\n") }.map { Path(Array($0)) }
  }
}

/// The path from the root; `.` and doubled slashes are dropped, `..` stays, for a link may stand before it.
func absolutePath(_ path: Path) -> Path {
  let whole = path.isAbsolute ? path : ((try? currentDirectory()) ?? "/").appending(path.bytes)
  return Path(absolute: whole.components)
}
