internal import HostSystem

/// Adds programs to a tree together with what they need to start.
struct ProgramCollector {
  private let tree: ArchiveTree
  private let search = LibrarySearch()
  private var added: Set<Path> = []
  private var needsCache = false
  private var needsMuslPath = false
  /// What is odd but no error, one line each.
  private(set) var warnings: [String] = []

  init(tree: ArchiveTree) {
    self.tree = tree
  }

  /// Adds the program `name`, looked up as a shell does, with its interpreter and libraries.
  ///
  /// - Throws: `ToolError` when it is no program, or when something it needs is missing.
  mutating func addProgram(_ name: Path, at target: Path?) throws {
    guard let found = findProgram(name) else {
      if (try? FileStatus(of: name)) != nil { throw ToolError("\(name) is not an executable file") }
      throw ToolError("\(name): no such program")
    }
    try addProgram(FoundFile(source: absolutePath(found), target: target ?? absolutePath(found)), depth: 0)
  }

  private mutating func addProgram(_ file: FoundFile, depth: Int) throws {
    guard added.insert(file.target).inserted else { return }
    switch try ELFFile.kind(of: file.source) {
    case .elf(let elf):
      try tree.add(file.source, at: file.target)
      try addNeeds(of: file, elf)
    case .script(let interpreter, let argument):
      guard depth < 5 else { throw ToolError("\(file.source): too many interpreters of interpreters") }
      try tree.add(file.source, at: file.target)
      try addInterpreter(Path(interpreter), argument, of: file, depth: depth)
    case .foreign(let reason): throw ToolError("\(file.source) is \(reason)")
    case .other: throw ToolError("\(file.source) is neither an ELF program nor a script that starts with #!")
    }
  }

  private mutating func addInterpreter(_ path: Path, _ argument: [UInt8]?, of script: FoundFile, depth: Int) throws {
    guard !path.isEmpty, isExecutable(path) else {
      throw ToolError("the interpreter \(path) of the script \(script.source) is missing or not executable")
    }
    let absolute = absolutePath(path)
    try addProgram(FoundFile(source: absolute, target: absolute), depth: depth + 1)
    guard path.lastComponent.elementsEqual("env".utf8), let argument else { return }
    // `#!/usr/bin/env [-S] [NAME=VALUE] program …` looks the program up.
    let words = argument.split { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }
    guard let name = words.first(where: { $0.first != UInt8(ascii: "-") && !$0.contains(UInt8(ascii: "=")) }) else {
      return
    }
    guard let program = findProgram(Path(Array(name))) else {
      throw ToolError("\(Path(Array(name))), which the script \(script.source) runs, is not in PATH")
    }
    let found = absolutePath(program)
    try addProgram(FoundFile(source: found, target: found), depth: depth + 1)
  }

  /// Adds a file, or a directory with all that is below it, and the libraries that ELF files in it need.
  ///
  /// A plug-in may need what its program brings, so a library that is missing here is a warning.
  mutating func addFile(_ source: Path, at target: Path?) throws {
    let here = absolutePath(source)
    var files: [FoundFile] = []
    try tree.add(here, at: target ?? here) { source, target in
      files.append(FoundFile(source: source, target: target))
    }
    for file in files {
      guard case .elf(let elf)? = try? ELFFile.kind(of: file.source) else { continue }
      guard added.insert(file.target).inserted else { continue }
      do {
        try addNeeds(of: file, elf)
      } catch {
        warnings.append("\(error)")
      }
    }
  }

  /// Adds what can only be known at the end: the dynamic linker's own files, and the links of a merged /usr
  /// (`/bin` → `usr/bin`), so that `/bin/ls` names what was found as `/usr/bin/ls`.
  func finish() throws {
    for name in ["bin", "sbin", "lib", "lib64"] { try tree.addTopLevelLink(Array(name.utf8)) }
    if needsCache { try tree.add(LibraryCache.path, at: LibraryCache.path) }
    if needsMuslPath, (try? FileStatus(of: LibrarySearch.muslPathFile)) != nil {
      try tree.add(LibrarySearch.muslPathFile, at: LibrarySearch.muslPathFile)
    }
  }

  /// Adds the interpreter and, breadth first as the dynamic linker loads them, the libraries of an ELF file.
  private mutating func addNeeds(of file: FoundFile, _ elf: ELFFile) throws {
    var linker = LibrarySearch.Linker.glibc
    // Names that are loaded already, so that nothing is searched for twice.
    var known: Set<[UInt8]> = []
    if let interpreter = elf.interpreter {
      guard case .elf(let loader)? = try? ELFFile.kind(of: interpreter) else {
        throw ToolError("the program interpreter \(interpreter) of \(file.source) is missing or no x86_64 ELF file")
      }
      let absolute = absolutePath(interpreter)
      try tree.add(absolute, at: absolute)
      known.insert(interpreter.lastComponent)
      if let name = loader.name { known.insert(name) }
      if interpreter.lastComponent.starts(with: "ld-musl-".utf8) { linker = .musl }
    }
    if linker == .musl && !elf.needed.isEmpty { needsMuslPath = true }

    var queue = [LoadedObject(file, elf, loader: nil)]
    var next = 0
    while next < queue.count {
      let object = queue[next]
      next += 1
      for name in object.elf.needed where known.insert(name).inserted {
        if linker == .musl && Self.isPartOfMusl(name) { continue }
        let (library, libraryELF, origin) = try search.find(name, for: object, linker: linker)
        if let sharedName = libraryELF.name { known.insert(sharedName) }
        try tree.add(library.source, at: library.target)
        switch origin {
        case .cache: needsCache = true
        case .configuration:
          warnings.append("\(library.source): its directory is in /etc/ld.so.conf, but ldconfig did not run")
        case .searchPath, .defaultDirectory: break
        }
        queue.append(LoadedObject(library, libraryELF, loader: object))
      }
    }
  }

  /// True for the names that musl's dynamic linker takes for itself.
  private static func isPartOfMusl(_ name: [UInt8]) -> Bool {
    ["libc.", "libpthread.", "librt.", "libm.", "libdl.", "libutil.", "libxnet."].contains { prefix in
      name.starts(with: prefix.utf8)
    }
  }
}
