internal import Kernel
public import LinuxABI

/// One look-up of a path. See path_resolution(7).
///
/// A symbolic link is followed by putting its target in front of what is left of the path, so nothing recurses.
struct PathWalk: ~Copyable {
  /// What the last component is, when the walk stops at the directory that it is in.
  enum Last { case name, dot, dotDot, root }

  private let context: FileSystemContext
  private let resolve: ResolveFlags
  /// Where the walk began, for RESOLVE_BENEATH and RESOLVE_IN_ROOT; nil for others, to spare them the references.
  private let start: Path?
  private(set) var path: Path
  private var text: [UInt8]
  private var position = 0
  private var linkCount = 0

  /// The last component, when the walk stopped in front of it.
  private(set) var last = Last.root
  private var nameStart = 0
  private var nameEnd = 0
  /// Slashes follow the last component: it must be a directory.
  private(set) var hasTrailingSlash = false

  /// What is wrong with `text` itself, `run` and `runToParent` say: an initialiser that throws makes a copy.
  init(_ context: FileSystemContext, _ text: [UInt8], at base: OpenFile?, _ resolve: ResolveFlags = []) {
    let isAbsolute = text.first == UInt8(ascii: "/")
    self.context = context
    self.text = text
    self.resolve = resolve
    if resolve.contains(.RESOLVE_BENEATH) || resolve.contains(.RESOLVE_IN_ROOT) {
      let begin = base?.path ?? context.workingDirectory
      start = begin
      path = begin
    } else {
      start = nil
      if isAbsolute {
        path = context.root
      } else if let base {
        path = base.path
      } else {
        path = context.workingDirectory
      }
    }
  }

  /// `..` stops here.
  private var root: Path {
    if resolve.contains(.RESOLVE_IN_ROOT), let start { return start }
    return context.root
  }

  /// The end of the walk.
  consuming func finish() -> Path { path }

  var lastName: [UInt8] { Array(text[nameStart..<nameEnd]) }

  private func checkText() throws(Errno) {
    if text.isEmpty { throw .ENOENT }
    if text.count >= PathLimits.PATH_MAX { throw .ENAMETOOLONG }
    if resolve.contains(.RESOLVE_BENEATH), text[0] == UInt8(ascii: "/") { throw .EXDEV }
  }

  /// Walks to the end. A symbolic link there is followed if `followLast`, or if slashes come after it.
  @inline(never)
  mutating func run(followLast: Bool) throws(Errno) {
    try checkText()
    while try next() {
      let isEnd = position == text.count
      if last != .name {
        if isEnd { return }
        continue
      }
      guard let child = try child() else { throw .ENOENT }
      if child.inode.isSymbolicLink, !isEnd || followLast || hasTrailingSlash {
        if try follow(child) { return }
        continue
      }
      try step(to: child)
      if isEnd {
        if hasTrailingSlash, !path.inode.isDirectory { throw .ENOTDIR }
        return
      }
    }
  }

  /// Walks to the directory of the last component, which `last` and `lastName` tell.
  @inline(never)
  mutating func runToParent() throws(Errno) {
    if linkCount == 0 { try checkText() }
    while try next() {
      if position == text.count { return }
      if last != .name { continue }
      guard let child = try child() else { throw .ENOENT }
      if child.inode.isSymbolicLink {
        if try follow(child) {
          last = .root
          return
        }
        continue
      }
      try step(to: child)
    }
  }

  /// Takes the next component, and goes to where `.` and `..` lead. False when there is none.
  @inline(never)
  private mutating func next() throws(Errno) -> Bool {
    let count = text.count
    while position < count, text[position] == UInt8(ascii: "/") { position &+= 1 }
    if position == count {
      last = .root
      return false
    }
    let inode = path.dentry.inode
    if !inode.isDirectory { throw .ENOTDIR }
    if !context.credentials.isPrivileged, !inode.allows(.X_OK, context.credentials) { throw .EACCES }
    nameStart = position
    var end = position
    while end < count, text[end] != UInt8(ascii: "/") { end &+= 1 }
    nameEnd = end
    let length = end &- nameStart
    if length > PathLimits.NAME_MAX { throw .ENAMETOOLONG }
    position = end
    while position < count, text[position] == UInt8(ascii: "/") { position &+= 1 }
    hasTrailingSlash = position != end
    if text[nameStart] == UInt8(ascii: "."), length <= 2 {
      if length == 1 {
        last = .dot
        return true
      }
      if text[nameStart &+ 1] == UInt8(ascii: ".") {
        last = .dotDot
        try goUp()
        return true
      }
    }
    last = .name
    return true
  }

  @inline(never)
  private mutating func goUp() throws(Errno) {
    if resolve.contains(.RESOLVE_BENEATH), let start, path.isSame(as: start) { throw .EXDEV }
    let root = root
    if path.isSame(as: root) { return }
    while path.dentry === path.mount.root {
      guard let parent = path.mount.parent else { return }
      if resolve.contains(.RESOLVE_NO_XDEV) { throw .EXDEV }
      path = parent
      if path.isSame(as: root) { return }
    }
    if let parent = path.dentry.parent { path.dentry = parent }
    path.followMounts()
  }

  /// The child that the last component names, or nil. The walk stays where it is.
  mutating func child() throws(Errno) -> Dentry? {
    try path.dentry.lookup(text, nameStart, nameEnd)
  }

  /// Goes to a child, and through what is mounted on it.
  @inline(never)
  mutating func step(to child: Dentry) throws(Errno) {
    path.dentry = child
    if child.isMountPoint {
      let mount = path.mount
      path.followMounts()
      if resolve.contains(.RESOLVE_NO_XDEV), mount !== path.mount { throw .EXDEV }
    }
  }

  /// Goes on where the link that is a child of the present directory leads. True when the walk is at its end: the
  /// path's last component was a link that leads by itself.
  @inline(never)
  mutating func follow(_ link: Dentry) throws(Errno) -> Bool {
    linkCount += 1
    if linkCount > PathLimits.SYMLINK_MAX { throw .ELOOP }
    if resolve.contains(.RESOLVE_NO_SYMLINKS) || path.mount.flags.contains(.ST_NOSYMFOLLOW) { throw .ELOOP }
    if let target = try link.inode.magicLink() {
      if resolve.contains(.RESOLVE_NO_MAGICLINKS) { throw .ELOOP }
      if start != nil { throw .EXDEV }
      path = target
      let isDone = position == text.count
      if hasTrailingSlash, isDone, !path.inode.isDirectory { throw .ENOTDIR }
      return isDone
    }
    var target = try link.inode.readLink()
    guard let first = target.first else { throw .ENOENT }
    link.inode.didAccess(on: path.mount)
    if first == UInt8(ascii: "/") {
      if resolve.contains(.RESOLVE_BENEATH) { throw .EXDEV }
      let root = root
      if resolve.contains(.RESOLVE_NO_XDEV), path.mount !== root.mount { throw .EXDEV }
      path = root
    }
    if nameEnd < text.count { target.append(contentsOf: text[nameEnd...]) }
    text = target
    position = 0
    return false
  }
}

extension Dentry {
  /// The child of this name, without any check of permissions; nil when there is none.
  public func lookup(_ name: [UInt8]) throws(Errno) -> Dentry? { try lookup(name, 0, name.count) }

  /// The child whose name is part of a path, asking the file system where the table does not know. Nil: there is none.
  func lookup(_ text: [UInt8], _ start: Int, _ end: Int) throws(Errno) -> Dentry? {
    let hash = NameBytes.hash(text, start, end)
    if let child = children.find(hash, text, start, end) { return child }
    let policy = inode.fileSystem.childPolicy
    if policy == .complete { return nil }
    let name = Array(text[start..<end])
    guard let found = try inode.lookup(name) else { return nil }
    // The file system may have slept, and somebody else may have entered the name, who knows better.
    if let child = children.find(hash, text, start, end), child.inode === found || policy == .cached { return child }
    let child = Dentry(name, found, parent: self)
    if policy == .cached { add(child) }
    return child
  }
}
