/// A name in a directory, with the inode behind it. See `FileSystem.ChildPolicy` for who makes and keeps dentries.
///
/// A dentry holds its parent, and a directory's table holds its children: removal from the table is what lets go.
public final class Dentry {
  /// The last component of its path; empty for the root of a file system and for what has no name.
  public internal(set) var name: [UInt8]
  /// The directory; nil for the root of a file system.
  public internal(set) var parent: Dentry?
  public let inode: Inode
  var nameHash: UInt32
  /// Removed, or never entered: getcwd(2) fails and /proc shows `(deleted)`.
  public internal(set) var isDetached = false
  /// What is mounted here, the latest first, in whichever mounts of this file system.
  var mountedHere: Mount?
  var children = DirectoryTable()

  /// Makes a name in `parent`, which `parent`'s table does not hold yet.
  public init(_ name: [UInt8], _ inode: Inode, parent: Dentry) {
    self.name = name
    self.inode = inode
    self.parent = parent
    nameHash = NameBytes.hash(name, 0, name.count)
  }

  /// Makes the root of a file system, or the dentry of what has no path (a pipe).
  public init(root inode: Inode, name: [UInt8] = []) {
    self.name = name
    self.inode = inode
    nameHash = 0
  }

  deinit {
    // Ancestors that only this one holds go one by one: a deep tree must not recurse.
    var next = parent
    parent = nil
    while next != nil, isKnownUniquelyReferenced(&next) {
      let up = next?.parent
      next?.parent = nil
      next = up
    }
  }

  /// The child of this name that the table holds.
  public func child(_ name: [UInt8]) -> Dentry? {
    children.find(NameBytes.hash(name, 0, name.count), name, 0, name.count)
  }

  /// Whether the table holds no child.
  public var hasNoChildren: Bool { children.count == 0 }

  /// Enters a child in the table.
  public func add(_ child: Dentry) { children.insert(child) }

  /// Takes a child out of the table; its `parent` stays, for those who hold it.
  public func remove(_ child: Dentry) {
    children.remove(child)
    child.isDetached = true
  }

  /// The children that the table holds, newest first.
  public func forEachChild(_ body: (Dentry) -> Void) {
    var cursor = Int64.max
    while let (child, cookie) = children.entry(before: cursor) {
      body(child)
      cursor = cookie
    }
  }

  /// Lets go of the whole tree below, without recursion: children hold their parents, so nothing else would.
  public func releaseTree() {
    var pending: [Dentry] = [self]
    while let dentry = pending.popLast() {
      dentry.forEachChild { pending.append($0) }
      dentry.children = DirectoryTable()
    }
  }

  /// Lets go of about half of the names below that nobody uses; the file system can find them again.
  public func releaseUnused(parity: UInt32) {
    var directories: [Dentry] = [self]
    var at = 0
    while at < directories.count {
      directories[at].forEachChild { if $0.inode.isDirectory { directories.append($0) } }
      at += 1
    }
    // Subdirectories come first, so that nothing but their parent's table holds them when its turn comes.
    while let directory = directories.popLast() { directory.children.removeUnused(parity: parity) }
  }
}
