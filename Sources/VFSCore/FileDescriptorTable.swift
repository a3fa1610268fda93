public import Kernel
public import LinuxABI

/// The numbers by which a process, or several with CLONE_FILES, know their open files.
public final class FileDescriptorTable {
  private var files: [OpenFile?] = []
  /// Numbers in use, and those that execve(2) closes.
  private var used: [UInt64] = []
  private var closesOnExec: [UInt64] = []
  /// No word of `used` below this one has a free bit.
  private var firstFreeWord = 0
  /// The soft limit RLIMIT_NOFILE: numbers from here on are not given out.
  public var limit: Int

  /// Processes that use the table: more than one with CLONE_FILES.
  private var holders = 1
  public var isShared: Bool { holders > 1 }

  /// Whose reserve a table leaves alone when it grows.
  private let frames: FrameAllocator?

  public init(_ frames: FrameAllocator? = nil, limit: Int = 1024) {
    self.frames = frames
    self.limit = limit
  }

  /// Another process uses this table too.
  public func join() { holders += 1 }
  /// A process does not use the table any more; the last one closes everything.
  public func leave() {
    holders -= 1
    if holders == 0 { closeAll() }
  }

  /// A copy that shares the descriptions, as fork(2) makes it.
  ///
  /// - Throws: `ENOMEM`.
  public init(copying other: FileDescriptorTable) throws(Errno) {
    if let frames = other.frames, !frames.hasRoom(forBytes: Self.bytes(other.files.count)) { throw .ENOMEM }
    frames = other.frames
    files = other.files
    used = other.used
    closesOnExec = other.closesOnExec
    firstFreeWord = other.firstFreeWord
    limit = other.limit
    // Numbers that a call in progress reserved are not the child's.
    for word in used.indices {
      var rest = used[word]
      while rest != 0 {
        let fd = word << 6 + rest.trailingZeroBitCount
        rest &= rest &- 1
        if files[fd] == nil { clear(fd) }
      }
    }
  }

  // MARK: Look-up

  /// The description behind a number, for whatever works on a file's content.
  ///
  /// - Throws: `EBADF`, also for what was opened with O_PATH.
  @inline(__always)
  public func file(at fd: Int32) throws(Errno) -> OpenFile {
    let index = Int(fd)
    guard index >= 0, index < files.count, let file = files[index], !file.isPathOnly else { throw .EBADF }
    return file
  }

  /// The description behind a number, opened with O_PATH or not: for fstat(2), fchdir(2), dup(2), close(2) and the like.
  ///
  /// - Throws: `EBADF`.
  public func anyFile(at fd: Int32) throws(Errno) -> OpenFile {
    let index = Int(fd)
    guard index >= 0, index < files.count, let file = files[index] else { throw .EBADF }
    return file
  }

  /// What the directory argument of an `…at` system call stands for: nil for AT_FDCWD, and where `path` is absolute.
  ///
  /// - Throws: `EBADF`.
  public func base(_ fd: Int32, for path: [UInt8]) throws(Errno) -> OpenFile? {
    if fd == AT_FDCWD || path.first == UInt8(ascii: "/") { return nil }
    return try anyFile(at: fd)
  }

  /// Numbers that the table has room for without growing: FDSize in /proc/PID/status.
  public var capacity: Int { max(files.count, 64) }
  /// Numbers in use.
  public var count: Int { used.reduce(0) { $0 + $1.nonzeroBitCount } }

  /// The lowest number in use from `fd` on, or nil. For /proc/self/fd and the like.
  public func nextDescriptor(from fd: Int32) -> Int32? {
    var index = max(Int(fd), 0)
    while index < files.count {
      if files[index] != nil { return Int32(index) }
      index += 1
    }
    return nil
  }

  public func closesOnExec(_ fd: Int32) -> Bool {
    let word = Int(fd) >> 6
    return word >= 0 && word < closesOnExec.count && closesOnExec[word] >> UInt64(fd & 63) & 1 != 0
  }

  // MARK: Giving out numbers

  /// Reserves the lowest free number from `lowest` on. `install` or `abandon` must follow.
  ///
  /// - Throws: `EMFILE`; `EINVAL` when `lowest` lies at or above the limit; `ENOMEM`.
  public func reserve(closeOnExec: Bool, from lowest: Int32 = 0) throws(Errno) -> Int32 {
    guard lowest >= 0, Int(lowest) < limit else { throw lowest == 0 ? .EMFILE : .EINVAL }
    var word = max(firstFreeWord, Int(lowest) >> 6)
    var mask: UInt64 = word == Int(lowest) >> 6 ? .max << UInt64(lowest & 63) : .max
    while word < used.count {
      let free = ~used[word] & mask
      if free != 0 { break }
      word += 1
      mask = .max
    }
    let bits = word < used.count ? ~used[word] & mask : mask
    let fd = word << 6 + bits.trailingZeroBitCount
    guard fd < limit else { throw .EMFILE }
    try grow(toHold: fd)
    used[word] |= 1 << UInt64(fd & 63)
    setCloseOnExec(fd, closeOnExec)
    if lowest == 0 { firstFreeWord = word }
    return Int32(fd)
  }

  /// Puts a description behind a reserved number.
  @inline(__always)
  public func install(_ file: OpenFile, at fd: Int32) { files[Int(fd)] = file }

  /// Gives a reserved number back.
  public func abandon(_ fd: Int32) { clear(Int(fd)) }

  /// Gives a description the lowest free number from `lowest` on.
  ///
  /// - Throws: As `reserve`.
  public func insert(_ file: OpenFile, closeOnExec: Bool = false, from lowest: Int32 = 0) throws(Errno) -> Int32 {
    let fd = try reserve(closeOnExec: closeOnExec, from: lowest)
    files[Int(fd)] = file
    return fd
  }

  /// Puts a description behind a number of the caller's choice. See dup2(2).
  ///
  /// - Returns: What was there before: the caller calls `finishClosing` with it, and ignores errors.
  /// - Throws: `EBADF` beyond the limit; `EBUSY` when another thread is about to use the number.
  public func replace(_ fd: Int32, with file: OpenFile, closeOnExec: Bool) throws(Errno) -> OpenFile? {
    let index = Int(fd)
    guard index >= 0, index < limit else { throw .EBADF }
    try grow(toHold: index)
    let bit = UInt64(1) << UInt64(index & 63)
    let old = files[index]
    if old == nil, used[index >> 6] & bit != 0 { throw .EBUSY }
    used[index >> 6] |= bit
    setCloseOnExec(index, closeOnExec)
    files[index] = file
    return old
  }

  /// What a table for `count` numbers takes.
  private static func bytes(_ count: Int) -> Int { count * MemoryLayout<OpenFile?>.stride + count / 4 }

  private func grow(toHold fd: Int) throws(Errno) {
    if fd < files.count { return }
    var size = capacity
    while size <= fd { size *= 2 }
    if let frames, !frames.hasRoom(forBytes: Self.bytes(size)) { throw .ENOMEM }
    while used.count < size >> 6 {
      used.append(0)
      closesOnExec.append(0)
    }
    files.reserveCapacity(size)
    while files.count < size { files.append(nil) }
  }

  private func setCloseOnExec(_ fd: Int, _ on: Bool) {
    let bit = UInt64(1) << UInt64(fd & 63)
    if on { closesOnExec[fd >> 6] |= bit } else { closesOnExec[fd >> 6] &= ~bit }
  }

  /// See F_SETFD.
  ///
  /// - Throws: `EBADF`.
  public func setClosesOnExec(_ fd: Int32, _ on: Bool) throws(Errno) {
    _ = try anyFile(at: fd)
    setCloseOnExec(Int(fd), on)
  }

  // MARK: Closing

  private func clear(_ fd: Int) {
    files[fd] = nil
    used[fd >> 6] &= ~(1 << UInt64(fd & 63))
    closesOnExec[fd >> 6] &= ~(1 << UInt64(fd & 63))
    if fd >> 6 < firstFreeWord { firstFreeWord = fd >> 6 }
  }

  /// Takes a number out of use. See close(2).
  ///
  /// - Returns: The description: the caller calls `finishClosing` with it.
  /// - Throws: `EBADF`.
  public func remove(_ fd: Int32) throws(Errno) -> OpenFile {
    let file = try anyFile(at: fd)
    clear(Int(fd))
    return file
  }

  /// Closes a number, or throws what the file's last words are.
  ///
  /// - Throws: `EBADF`, and what `OpenFile.closed` throws.
  public func close(_ fd: Int32) throws(Errno) {
    try finishClosing(try remove(fd))
  }

  /// Does what belongs to the end of a number besides taking it out of use: releases the process's record locks, and
  /// tells the file.
  ///
  /// - Throws: What `OpenFile.closed` throws.
  public func finishClosing(_ file: OpenFile) throws(Errno) {
    file.inode.releaseLocks(ownedBy: .table(ObjectIdentifier(self)), waits: true)
    try file.closed()
  }

  /// Closes the numbers from `first` to `last` that are in use, or marks them to be closed by execve(2).
  public func closeRange(_ first: UInt32, _ last: UInt32, onlyMark: Bool) {
    var index = Int(first)
    while index < files.count, index <= Int(last) {
      if files[index] != nil {
        if onlyMark { setCloseOnExec(index, true) } else { try? close(Int32(index)) }
      }
      index += 1
    }
  }

  /// Closes what execve(2) closes.
  public func closeOnExec() {
    for word in closesOnExec.indices {
      while closesOnExec[word] != 0 {
        let fd = Int32(word << 6 + closesOnExec[word].trailingZeroBitCount)
        do throws(Errno) { try close(fd) } catch { if error == .EBADF { clear(Int(fd)) } }
      }
    }
  }

  /// Closes everything: the process ends.
  public func closeAll() {
    let all = files
    files = []
    used = []
    closesOnExec = []
    firstFreeWord = 0
    for file in all {
      if let file { try? finishClosing(file) }
    }
  }
}
