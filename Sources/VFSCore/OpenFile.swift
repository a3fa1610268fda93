public import Kernel
public import LinuxABI
public import Support

/// An open file description: what open(2) makes, and what descriptors, mappings and running calls hold.
///
/// Whoever holds a reference keeps it open; the last one gone is what Linux calls `release`, and a subclass does its
/// part of it in `deinit`. Sharing after fork(2) or dup(2) is sharing the reference.
open class OpenFile {
  public final let path: Path
  public final let inode: Inode
  /// Access mode and status flags, as F_GETFL returns them.
  public final private(set) var flags: OpenFlags
  /// Where read(2) and write(2) go on.
  public final var offset: Int64 = 0
  /// Holds the inode's right to be written.
  private final let isWriter: Bool
  /// Who is sent a signal when input or output becomes possible, and what waits for that on behalf of O_ASYNC.
  public final var owner = FileOwner()
  final var readinessSignal: ReadinessSignal?
  /// Who is told when the last reference is gone.
  fileprivate final var watches: FileWatch?

  /// Makes a description of `path`'s inode with the flags of open(2).
  public init(_ path: Path, _ flags: OpenFlags) {
    self.path = path
    inode = path.dentry.inode
    self.flags = flags.subtracting([.O_CREAT, .O_EXCL, .O_NOCTTY, .O_TRUNC, .O_CLOEXEC])
    path.mount.holderCount &+= 1
    isWriter = flags.isWritable && inode.isRegularFile && !flags.contains(.O_PATH)
    if isWriter {
      inode.writerCount += 1
      path.mount.writerCount += 1
    }
    if !flags.contains(.O_PATH) { inode.openCount += 1 }
  }

  deinit {
    path.mount.holderCount &-= 1
    readinessSignal?.remove()
    while let watch = watches {
      removeWatch(watch)
      watch.fileClosed()
    }
    if isWriter {
      inode.writerCount -= 1
      path.mount.writerCount -= 1
    }
    if !flags.contains(.O_PATH) {
      inode.openCount -= 1
      let notifier = inode.fileSystem.environment.notifier
      if notifier.isActive {
        notifier.note(path.dentry, flags.isWritable ? .IN_CLOSE_WRITE : .IN_CLOSE_NOWRITE)
        notifier.noteEnd(of: inode)
      }
    }
    inode.releaseLocks(ownedBy: .description(ObjectIdentifier(self)), waits: false)
  }

  @inline(__always)
  public final var isReadable: Bool { flags.isReadable }
  @inline(__always)
  public final var isWritable: Bool { flags.isWritable }
  /// Whether pread(2) and the like work on it.
  public final var hasPositions: Bool { inode.isRegularFile || inode.isDirectory }
  /// Whether calls fail with `EAGAIN` instead of waiting.
  @inline(__always)
  public final var isNonBlocking: Bool { flags.contains(.O_NONBLOCK) }
  /// Opened with O_PATH: good for naming a place, not for the file's content.
  @inline(__always)
  public final var isPathOnly: Bool { flags.contains(.O_PATH) }

  /// Changes the flags that F_SETFL may.
  open func setStatusFlags(_ new: OpenFlags) throws(Errno) {
    flags = flags.subtracting(.changeable).union(new.intersection(.changeable))
  }

  /// Reads. `position` is that of pread(2), or nil to read at `offset` and move it.
  ///
  /// - Returns: Bytes read; 0 at the end.
  /// - Throws: `EBADF` when not open for reading, `EINVAL`, `EISDIR`, `EAGAIN`, `ERESTARTSYS`, `EFAULT`, `ESPIPE`, `EIO`.
  open func read(into writer: inout UserWriter, at position: Int64? = nil) throws(Errno) -> Int { throw .EINVAL }

  /// Writes. `position` is that of pwrite(2), or nil to write at `offset` (or the end with O_APPEND) and move it.
  ///
  /// - Throws: `EBADF` when not open for writing, `EINVAL`, `EFBIG`, `ENOSPC`, `EAGAIN`, `ERESTARTSYS`, `EFAULT`, `EPIPE`
  ///   (the caller sends SIGPIPE), `ESPIPE`.
  open func write(from reader: inout UserReader, at position: Int64? = nil) throws(Errno) -> Int {
    throw isWritable ? .EINVAL : .EBADF
  }

  /// Whether a write that fails with `EPIPE` raises SIGPIPE.
  open var signalsBrokenPipe: Bool { true }

  /// Moves `offset`. See lseek(2).
  ///
  /// - Throws: `ESPIPE`, `EINVAL`, `ENXIO`, `EOVERFLOW`.
  open func seek(_ distance: Int64, _ whence: SeekWhence) throws(Errno) -> Int64 { throw .ESPIPE }

  /// Fills `records` with directory entries from `offset` on, and moves it. See getdents64(2).
  open func readDirectory(into records: inout DirectoryRecords) throws(Errno) { throw .ENOTDIR }

  /// A request of ioctl(2) that is this file's own. FIONBIO, FIOCLEX and the like are the caller's.
  open func control(_ request: IoctlRequest, _ argument: UInt) throws(Errno) -> Int { throw .ENOTTY }

  /// Opens the other side of a pseudo-terminal's master. See TIOCGPTPEER of ioctl_tty(2).
  open func openPeer(_ flags: OpenFlags) throws(Errno) -> OpenFile { throw .ENOTTY }

  /// What poll(2) would report now. Files that are always ready need no `waitQueue`.
  open var readiness: PollEvents { [.POLLIN, .POLLOUT, .POLLRDNORM, .POLLWRNORM] }
  /// What is woken when `readiness` may have changed; nil where it never does.
  open var waitQueue: WaitQueue? { nil }
  /// Whether epoll_ctl(2) takes it: regular files and directories have no readiness, so `EPERM`.
  open var isPollable: Bool { waitQueue != nil }

  /// Writes content back. See fsync(2).
  open func synchronize(dataOnly: Bool = false) throws(Errno) { throw .EINVAL }

  /// See ftruncate(2).
  open func truncate(to size: Int64) throws(Errno) { throw .EINVAL }

  /// See fallocate(2).
  open func allocate(_ mode: FallocateMode, offset: Int64, count: Int64) throws(Errno) { throw .ENODEV }

  /// The page cache that mmap(2) maps; nil for /dev/zero, which maps fresh memory.
  ///
  /// - Throws: `ENODEV` for what cannot be mapped.
  open func mappingCache() throws(Errno) -> PageCache? { throw .ENODEV }
  /// What such a mapping holds and /proc shows.
  open var mappedFile: OpenFile { self }

  /// The capacity of a pipe, for F_GETPIPE_SZ; nil for what is none.
  open var pipeCapacity: Int? { nil }
  /// Changes the capacity of a pipe and returns what it is then. See F_SETPIPE_SZ.
  open func setPipeCapacity(_ bytes: Int) throws(Errno) -> Int { throw .EBADF }

  /// What must not happen to a file of memfd_create(2), for F_GET_SEALS; nil for others.
  open var seals: FileSeals? { nil }
  /// Forbids more. See F_ADD_SEALS.
  ///
  /// - Throws: `EPERM` when sealing is over, `EBUSY`; `EINVAL` for what cannot be sealed.
  open func addSeals(_ new: FileSeals) throws(Errno) { throw .EINVAL }

  /// Called by each close(2) of a descriptor of this description; `close` reports what it throws.
  open func closed() throws(Errno) {}

  /// What /proc/self/fd shows: the path, or the like of `pipe:[12]`.
  open func describe(root: Path?) -> [UInt8] {
    if path.mount.isAnonymous { return describeAnonymous() }
    return path.text(root: root)
  }

  private final func describeAnonymous() -> [UInt8] {
    var text = TextBuffer()
    switch inode.mode.type {
    case .S_IFIFO: text.append("pipe:[")
    case .S_IFSOCK: text.append("socket:[")
    default:
      text.append("anon_inode:")
      text.append(bytes: path.dentry.name)
      return text.bytes
    }
    text.append(decimal: UInt(inode.number))
    text.append("]")
    return text.bytes
  }

  /// Lines of /proc/self/fdinfo that are this file's own, after pos, flags, mnt_id and ino.
  open func writeInformation(_ text: inout TextBuffer) {}
}

/// What O_PATH opens: a place, whatever is there.
public final class PathOnlyFile: OpenFile {
  override public func synchronize(dataOnly: Bool) throws(Errno) { throw .EBADF }
  override public func truncate(to size: Int64) throws(Errno) { throw .EBADF }
  override public func mappingCache() throws(Errno) -> PageCache? { throw .EBADF }
  override public func seek(_ distance: Int64, _ whence: SeekWhence) throws(Errno) -> Int64 { throw .EBADF }
}

/// Somebody who wants to hear of a description's end without keeping it open: an epoll instance.
open class FileWatch {
  fileprivate final var next: FileWatch?
  fileprivate final var previous: FileWatch?

  public init() {}

  /// The description is closed for good. It must not be used any more.
  open func fileClosed() {}
}

extension OpenFile {
  /// Enters a watch, which must be with no file.
  public final func addWatch(_ watch: FileWatch) {
    watch.next = watches
    watches?.previous = watch
    watches = watch
  }

  /// Takes a watch out.
  public final func removeWatch(_ watch: FileWatch) {
    watch.next?.previous = watch.previous
    if let previous = watch.previous { previous.next = watch.next } else { watches = watch.next }
    watch.next = nil
    watch.previous = nil
  }
}
