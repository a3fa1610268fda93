internal import Kernel
public import LinuxABI
public import Support
internal import VFSCore

/// Values by path, which programs read and some of which they write: /proc/sys (see sysctl(2) and proc(5)) and /sys.
public final class SystemControls {
  /// What a value is made of.
  public enum Value {
    /// A text that never changes, without its line end.
    case constant(StaticString)
    /// A number that root may write, from a smallest to a largest value, and that the kernel does not look at.
    case number(Int, ClosedRange<Int>)
    /// A number that the kernel does look at: `set` takes what root writes.
    case setting(get: () -> Int, set: (Int) throws(Errno) -> Void)
    /// Written into the buffer at each read, without a line end; `set`, where there is one, takes what is written.
    case dynamic(get: (inout TextBuffer) -> Void, set: (([UInt8]) throws(Errno) -> Void)?)
  }

  struct Entry {
    /// Components with slashes between them, such as `kernel/hostname`. With a slash at the end: an empty directory.
    let path: [UInt8]
    var value: Value
  }
  /// Made when they are first asked for: most programs never look.
  var entries: [Entry] {
    makeOnce()
    return made
  }
  private var made: [Entry] = []
  private var isMade = false
  /// Adds the values of other modules to those that are there already; called when they are first asked for.
  public var complete: ((SystemControls) -> Void)?
  private let makeEntries: () -> [Entry]
  /// The inode number of the top directory; those of the others follow.
  let firstNumber: UInt64
  /// What making a file fails with.
  let creationError: Errno
  /// The size that stat(2) shows for a file.
  let fileSize: Int64

  init(firstNumber: UInt64, creationError: Errno, fileSize: Int64 = 0, _ makeEntries: @escaping () -> [Entry]) {
    self.firstNumber = firstNumber
    self.creationError = creationError
    self.fileSize = fileSize
    self.makeEntries = makeEntries
  }

  /// Adds a value, or replaces it. See `complete`.
  public func add(_ path: StaticString, _ value: Value) {
    makeOnce()
    let bytes = path.bytes
    for index in made.indices where made[index].path == bytes {
      made[index].value = value
      return
    }
    made.append(Entry(path: bytes, value: value))
  }

  private func makeOnce() {
    if isMade { return }
    isMade = true
    made = makeEntries()
    complete?(self)
    complete = nil
  }

  /// The present value of a number; nil for what is none.
  public func number(_ path: StaticString) -> Int? {
    let bytes = path.bytes
    for entry in entries where entry.path == bytes {
      if case .number(let value, _) = entry.value { return value }
    }
    return nil
  }

  func set(_ index: Int, _ value: Value) { made[index].value = value }

  /// The top directory.
  func root(of fileSystem: FileSystem) -> Inode { ControlDirectory(fileSystem, self, []) }

  /// The values of /proc/sys.
  static func processEntries(_ machine: any MachineInformation, _ random: RandomSource) -> [Entry] {
    var entries: [Entry] = []
    @inline(never)
    func add(_ path: StaticString, _ value: Value) { entries.append(Entry(path: path.bytes, value: value)) }
    @inline(never)
    func text(_ path: StaticString, _ get: @escaping () -> [UInt8]) {
      add(path, .dynamic(get: { $0.append(bytes: get()) }, set: nil))
    }
    let id = (random.next(), random.next())
    text("kernel/ostype") { machine.operatingSystem }
    text("kernel/osrelease") { machine.release }
    text("kernel/version") { machine.version }
    add(
      "kernel/hostname",
      .dynamic(
        get: { $0.append(bytes: machine.hostName) },
        set: { (bytes) throws(Errno) in machine.hostName = try Self.name(bytes) }))
    add(
      "kernel/domainname",
      .dynamic(
        get: { $0.append(bytes: machine.domainName) },
        set: { (bytes) throws(Errno) in machine.domainName = try Self.name(bytes) }))
    add("kernel/random/uuid", .dynamic(get: { Self.uuid((random.next(), random.next()), &$0) }, set: nil))
    add("kernel/random/boot_id", .dynamic(get: { Self.uuid(id, &$0) }, set: nil))
    add("kernel/random/entropy_avail", .constant("256"))
    add("kernel/random/poolsize", .constant("256"))
    add("kernel/pid_max", .number(4_194_304, 301...4_194_304))
    add("kernel/threads-max", .number(127_000, 20...536_870_911))
    add("kernel/ngroups_max", .constant("65536"))
    add("kernel/cap_last_cap", .constant("40"))
    add("kernel/overflowuid", .number(65534, 0...65535))
    add("kernel/overflowgid", .number(65534, 0...65535))
    add("kernel/core_pattern", .constant("core"))
    add("kernel/core_uses_pid", .number(0, 0...1))
    add("kernel/randomize_va_space", .number(2, 0...2))
    add("kernel/panic", .number(0, .min ... .max))
    add("kernel/tainted", .constant("0"))
    add("kernel/dmesg_restrict", .number(0, 0...1))
    add("kernel/kptr_restrict", .number(0, 0...2))
    add("kernel/perf_event_paranoid", .number(2, -1...4))
    add("kernel/sched_child_runs_first", .number(0, 0...1))
    add("vm/overcommit_memory", .number(0, 0...2))
    add("vm/overcommit_ratio", .number(50, 0 ... .max))
    add("vm/max_map_count", .number(65530, 0 ... .max))
    add("vm/mmap_min_addr", .number(65536, 0 ... .max))
    add("vm/swappiness", .number(60, 0...200))
    add("vm/nr_hugepages", .number(0, 0...0))
    add("fs/file-max", .number(9_223_372_036_854_775_807, 0 ... .max))
    add("fs/mount-max", .number(Namespace.mostMounts, Namespace.mostMounts...Namespace.mostMounts))
    add("fs/nr_open", .number(1_048_576, 8...1_073_741_816))
    add("fs/pipe-max-size", .number(1_048_576, 4096...2_147_483_647))
    add("fs/aio-max-nr", .number(65536, 0 ... .max))
    add("fs/protected_hardlinks", .number(0, 0...1))
    add("fs/protected_symlinks", .number(0, 0...1))
    add("fs/suid_dumpable", .number(0, 0...2))
    add("fs/inotify/max_queued_events", .number(16384, 0 ... .max))
    add("fs/inotify/max_user_instances", .number(128, 0 ... .max))
    add("fs/inotify/max_user_watches", .number(65536, 0 ... .max))
    add("fs/epoll/max_user_watches", .number(200_000, 0 ... .max))
    add("net/core/somaxconn", .number(4096, 0...2_147_483_647))
    add("net/core/rmem_default", .number(212_992, 2304...2_147_483_647))
    add("net/core/rmem_max", .number(212_992, 2304...2_147_483_647))
    add("net/core/wmem_default", .number(212_992, 4608...2_147_483_647))
    add("net/core/wmem_max", .number(212_992, 4608...2_147_483_647))
    add("net/ipv4/ip_local_port_range", .constant("32768\t60999"))
    add("net/ipv4/tcp_max_syn_backlog", .number(128, 0 ... .max))
    return entries
  }

  /// A host or domain name: at most 64 bytes, without a line end.
  private static func name(_ bytes: [UInt8]) throws(Errno) -> [UInt8] {
    Array(bytes.prefix { $0 != UInt8(ascii: "\n") && $0 != 0 }.prefix(64))
  }

  /// A random UUID of version 4. RFC 9562, 5.4.
  private static func uuid(_ words: (UInt64, UInt64), _ text: inout TextBuffer) {
    let high = words.0 & ~0xf000 | 0x4000
    let low = words.1 & ~(3 << 62) | 1 << 63
    text.append(hex: UInt(high >> 32), width: 8)
    text.append("-")
    text.append(hex: UInt(high >> 16 & 0xffff), width: 4)
    text.append("-")
    text.append(hex: UInt(high & 0xffff), width: 4)
    text.append("-")
    text.append(hex: UInt(low >> 48), width: 4)
    text.append("-")
    text.append(hex: UInt(low & 0xffff_ffff_ffff), width: 12)
  }
}

/// A directory: the first components of paths.
final class ControlDirectory: Inode {
  private let controls: SystemControls
  /// With a slash at the end, or empty.
  private let prefix: [UInt8]

  init(_ fileSystem: FileSystem, _ controls: SystemControls, _ prefix: [UInt8], index: Int = 0) {
    self.controls = controls
    self.prefix = prefix
    super.init(
      fileSystem, number: Self.number(controls, prefix, index), mode: FileMode(.S_IFDIR, FileMode(rawValue: 0o555)))
    linkCount = 2
  }

  /// A directory's number: by its first entry, and by how deep it lies, as it and its parent may begin with the same.
  private static func number(_ controls: SystemControls, _ prefix: [UInt8], _ index: Int) -> UInt64 {
    let depth = prefix.reduce(0) { $1 == UInt8(ascii: "/") ? $0 + 1 : $0 }
    return controls.firstNumber + 1024 * UInt64(depth) + UInt64(index)
  }

  override func create(_ name: [UInt8], _ node: NewNode) throws(Errno) -> Inode { throw controls.creationError }

  /// The component that an entry has in this directory, and whether it is a directory; nil for others' entries.
  private func component(_ path: [UInt8]) -> (name: ArraySlice<UInt8>, isDirectory: Bool)? {
    guard path.count > prefix.count, path.starts(with: prefix) else { return nil }
    let rest = path[prefix.count...]
    if let slash = rest.firstIndex(of: UInt8(ascii: "/")) { return (rest[..<slash], true) }
    return (rest, false)
  }

  override func lookup(_ name: [UInt8]) throws(Errno) -> Inode? {
    let entries = controls.entries
    for index in entries.indices {
      guard let part = component(entries[index].path), part.name.elementsEqual(name) else { continue }
      if part.isDirectory {
        return ControlDirectory(fileSystem, controls, prefix + name + [UInt8(ascii: "/")], index: index)
      }
      return ControlText(fileSystem, controls, index)
    }
    return nil
  }

  override func readDirectory(
    from position: Int64, _ emit: (_ name: [UInt8], _ number: UInt64, _ type: UInt8, _ next: Int64) -> Bool
  ) throws(Errno) {
    let entries = controls.entries
    var index = Int(clamping: position - 2)
    while index >= 0, index < entries.count {
      defer { index += 1 }
      guard let part = component(entries[index].path) else { continue }
      if part.isDirectory {
        // Only its first entry stands for a directory.
        let isFirst = !entries[..<index].contains { component($0.path)?.name.elementsEqual(part.name) ?? false }
        if !isFirst { continue }
      }
      let type = part.isDirectory ? DirectoryEntryType.DT_DIR : DirectoryEntryType.DT_REG
      let name = Array(part.name)
      let number =
        part.isDirectory
        ? Self.number(controls, prefix + name + [UInt8(ascii: "/")], index)
        : ControlText.number(controls, index)
      guard emit(name, number, type, Int64(index) + 3) else { return }
    }
  }
}

/// A value.
final class ControlText: TextInode {
  private let controls: SystemControls
  private let index: Int

  init(_ fileSystem: FileSystem, _ controls: SystemControls, _ index: Int) {
    self.controls = controls
    self.index = index
    let isWritable: Bool
    switch controls.entries[index].value {
    case .constant: isWritable = false
    case .number, .setting: isWritable = true
    case .dynamic(_, let set): isWritable = set != nil
    }
    super.init(fileSystem, number: Self.number(controls, index), isWritable ? 0o644 : 0o444)
    ownSize = controls.fileSize
  }

  static func number(_ controls: SystemControls, _ index: Int) -> UInt64 { controls.firstNumber + 1 + UInt64(index) }

  override func write(into text: inout TextBuffer) throws(Errno) {
    switch controls.entries[index].value {
    case .constant(let value): text.append(value)
    case .number(let value, _): text.append(decimal: value)
    case .setting(let get, _): text.append(decimal: get())
    case .dynamic(let get, _): get(&text)
    }
    text.append("\n")
  }

  override func receive(_ bytes: [UInt8]) throws(Errno) {
    switch controls.entries[index].value {
    case .constant: throw .EACCES
    case .dynamic(_, let set):
      guard let set else { throw .EACCES }
      try set(bytes)
    case .setting(_, let set): try set(try Self.number(bytes))
    case .number(_, let range):
      let value = try Self.number(bytes)
      guard range.contains(value) else { throw .EINVAL }
      controls.set(index, .number(value, range))
    }
  }

  /// The decimal number that a text begins with.
  ///
  /// - Throws: `EINVAL` when it is none.
  private static func number(_ bytes: [UInt8]) throws(Errno) -> Int {
    let isNegative = bytes.first == UInt8(ascii: "-")
    var value = 0
    var count = 0
    for byte in bytes.dropFirst(isNegative ? 1 : 0) {
      guard byte >= 0x30, byte <= 0x39 else {
        if byte == UInt8(ascii: "\n") || byte == UInt8(ascii: " ") || byte == 0 { break }
        throw .EINVAL
      }
      let (product, overflow) = value.multipliedReportingOverflow(by: 10)
      let (sum, carry) = product.addingReportingOverflow(Int(byte - 0x30))
      if overflow || carry { throw .EINVAL }
      value = sum
      count += 1
    }
    guard count > 0 else { throw .EINVAL }
    return isNegative ? -value : value
  }
}
