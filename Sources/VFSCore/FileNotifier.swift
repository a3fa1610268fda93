public import LinuxABI

/// Passes what happens to files on to those who watch them. See inotify(7).
///
/// Whoever makes something happen asks `isActive` first: while nobody watches anything, that is all it costs.
public final class FileNotifier {
  /// Whether anything is watched.
  public private(set) var isActive = false
  private var markCount = 0
  private var lastCookie: UInt32 = 0
  /// Open instances of inotify.
  var instanceCount = 0

  init() {}

  func add(_ mark: InotifyMark) {
    mark.inode.marks.append(mark)
    markCount += 1
    isActive = true
  }

  func remove(_ mark: InotifyMark) {
    mark.inode.marks.removeAll { $0 === mark }
    markCount -= 1
    isActive = markCount > 0
  }

  /// A number that ties the two events of a move together.
  private func makeCookie() -> UInt32 {
    lastCookie &+= 1
    return lastCookie
  }

  // MARK: What happens

  /// Something happened to a file: its own marks hear of it, and those of its directory, with the name.
  @inline(never)
  func note(_ dentry: Dentry, _ events: InotifyEvents) {
    let inode = dentry.inode
    let events = inode.isDirectory ? events.union(.IN_ISDIR) : events
    if let directory = dentry.parent {
      // Linux leaves out what happens by an open file, and attributes are not the open file's.
      let isOpenFile = !events.contains(.IN_ATTRIB)
      for mark in directory.inode.marks
      where !(isOpenFile && dentry.isDetached && mark.mask.contains(.IN_EXCL_UNLINK)) {
        mark.report(events, name: dentry.name)
      }
    }
    for mark in inode.marks { mark.report(events) }
  }

  /// Something happened to an inode, by whatever name.
  @inline(never)
  func note(_ inode: Inode, _ events: InotifyEvents) {
    let events = inode.isDirectory && events != .IN_MOVE_SELF ? events.union(.IN_ISDIR) : events
    for mark in inode.marks { mark.report(events) }
  }

  /// An entry of a directory came or went.
  @inline(never)
  func note(_ directory: Inode, _ events: InotifyEvents, _ name: [UInt8], of inode: Inode, cookie: UInt32 = 0) {
    let events = inode.isDirectory ? events.union(.IN_ISDIR) : events
    for mark in directory.marks { mark.report(events, name: name, cookie: cookie) }
  }

  /// A name of a file was removed.
  func noteRemoval(of dentry: Dentry, from directory: Inode) {
    let inode = dentry.inode
    if !inode.isDirectory { note(inode, .IN_ATTRIB) }
    noteEnd(of: inode)
    note(directory, .IN_DELETE, dentry.name, of: inode)
  }

  /// A file moved, perhaps in the place of another.
  func noteMove(
    of inode: Inode, from: Inode, _ oldName: [UInt8], to: Inode, _ newName: [UInt8], replacing target: Inode?
  ) {
    let cookie = makeCookie()
    note(from, .IN_MOVED_FROM, oldName, of: inode, cookie: cookie)
    note(to, .IN_MOVED_TO, newName, of: inode, cookie: cookie)
    if let target { note(target, .IN_ATTRIB) }
    note(inode, .IN_MOVE_SELF)
    if let target { noteEnd(of: target) }
  }

  /// A file system is gone: whoever watches something in it hears so.
  func noteUnmount(of root: Dentry) {
    var pending = [root]
    while let dentry = pending.popLast() {
      for mark in dentry.inode.marks {
        mark.report(.IN_UNMOUNT)
        mark.end()
      }
      dentry.forEachChild { pending.append($0) }
    }
  }

  /// Looks whether an inode is gone: without a name, and not open.
  func noteEnd(of inode: Inode) {
    guard inode.linkCount == 0, inode.openCount == 0 else { return }
    for mark in inode.marks {
      mark.report(.IN_DELETE_SELF)
      mark.end()
    }
  }
}

extension OpenFile {
  @inline(__always)
  private final var notifier: FileNotifier { inode.fileSystem.environment.notifier }

  /// Notes that bytes were read, or by a call with several buffers none; returns their count.
  @inline(__always)
  public final func didRead(_ count: Int, notesNothing: Bool = false) -> Int {
    if count > 0 || notesNothing, notifier.isActive { notifier.note(path.dentry, .IN_ACCESS) }
    return count
  }

  /// Notes that bytes were written; returns their count.
  @inline(__always)
  public final func didWrite(_ count: Int) -> Int {
    if count > 0, notifier.isActive { notifier.note(path.dentry, .IN_MODIFY) }
    return count
  }

  /// Notes that a directory was listed.
  public final func didList() {
    if notifier.isActive { notifier.note(path.dentry, .IN_ACCESS) }
  }
}

extension Path {
  /// Notes what happened to a file.
  @inline(__always)
  public func note(_ events: InotifyEvents) {
    let notifier = dentry.inode.fileSystem.environment.notifier
    if notifier.isActive { notifier.note(dentry, events) }
  }
}
