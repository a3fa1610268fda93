// NinePFS: files of a host, over 9P2000.L. `NinePClient` speaks the protocol over a `NinePChannel` of Drivers (virtio, or a
// socket in tests); `NinePFileSystem`, `NinePInode` and `NinePFile` are VFSCore's file system on it; `NinePContent` is what
// brings and takes the pages of VFSCore's page cache.
//
// What QEMU's server (hw/9pfs/9p.c, 9p-local.c) has of its own, and what follows here:
// - A fid is a path there, kept right by renames through the same server; only an opened one is a file as well. So what
//   was unlinked is reached by fids that were opened before, for reading and writing and nothing else: its attributes
//   are kept here.
// - Each request costs a switch to a thread and back, tens of microseconds: names, attributes, pages and opened fids are
//   kept, so that what was seen once is not asked for again.
public import Drivers
internal import Kernel
public import LinuxABI
internal import Support
public import VFSCore

/// What is kept of a share, and for how long.
public enum NinePCachePolicy: Sendable {
  /// Nothing: every call asks the server, and writes go there before the call ends.
  case none
  /// An open asks whether the file has changed; the last close of a writer writes back.
  case close
  /// What was seen stays right, because only this guest changes the share. As with `close`, a close writes back.
  case loose
}

/// The mount options that are the file system's own. See mount.9p of Linux.
struct NinePOptions {
  var cache = NinePCachePolicy.loose
  var messageSize: UInt32 = 1 << 20
  var attachName: [UInt8] = []

  private enum Key: Int {
    case cache, msize, aname
  }

  /// - Throws: `EINVAL` for an option that there is not.
  init(_ text: [UInt8], _ environment: FileSystemEnvironment) throws(Errno) {
    // Permissions are checked here, and the server acts as whoever runs it: `access` and `uname` say nothing.
    let table: StaticString =
      "cache=none|close|loose|fscache msize=%u aname=* trans=virtio version=9p2000.L access=* uname=*"
    var options = MountOptions(text, table, environment)
    while try options.next() {
      let number = options.number
      switch Key(rawValue: options.place) {
      case .cache: cache = number == 0 ? .none : number == 1 ? .close : .loose
      case .msize:
        guard number >= 4096, number <= 1 << 30 else { throw .EINVAL }
        messageSize = UInt32(number)
      case .aname: attachName = Array(options.value)
      case nil: break
      }
    }
  }
}

/// A share of a 9P server.
public final class NinePFileSystem: FileSystem {
  let client: NinePClient
  let cache: NinePCachePolicy
  let inodes = NinePInodeTable()
  /// Those that lost their last name and are still open.
  let nameless = NinePInodeTable()
  /// Files with changes that nobody has open: they must not go before their changes are at the server.
  private var unwritten: [NinePInode] = []
  /// Fids that could be had again, and how many may be kept: giving one up is a request more, and one more when it is
  /// wanted again; but the server pays for each, and goes through all at a rename.
  private var fidCount = 0
  private let fidLimit: Int
  /// It was unmounted: its fids are given back.
  public private(set) var isClosed = false
  /// Where the search for something to give back goes on.
  private var reclaimHand = 0
  private var fidHand = 0
  private var pruneParity: UInt32 = 0

  /// Begins a session.
  ///
  /// - Parameters:
  ///   - channel: Carries messages to the server, for this file system alone.
  ///   - options: Of mount(2): `cache=none|close|loose`, `msize=`, `aname=`.
  /// - Throws: `EINVAL`, `EIO`, `EPROTONOSUPPORT`, and what the server says.
  public init(
    _ environment: FileSystemEnvironment, _ channel: any NinePChannel, options: [UInt8] = []
  ) throws(Errno) {
    let options = try NinePOptions(options, environment)
    client = try NinePClient(channel, environment.frames, messageSize: options.messageSize)
    cache = options.cache
    fidLimit = min(max(environment.frames.totalFrames / 4, 2048), 32768)
    let fid = try client.attach(name: options.attachName)
    let attributes = try client.attributes(of: fid)
    super.init(
      environment, typeName: "9p", magic: FilesystemMagic.V9FS_MAGIC,
      childPolicy: options.cache == .none ? .transient : .cached)
    var text = TextBuffer()
    text.append("trans=virtio,cache=")
    text.append(cache == .loose ? "loose" : cache == .close ? "close" : "none")
    text.append(",msize=")
    text.append(decimal: UInt(client.messageSize))
    optionText = text.bytes
    text = TextBuffer()
    text.append(decimal: UInt(bitPattern: Int(environment.now)))
    client.lockOwner = text.bytes
    let root = NinePInode(self, attributes)
    root.adopt(fid)
    setRoot(root)
    environment.addCaching(self)
  }

  /// The inode behind what the server named, new or known.
  func inode(_ attributes: NinePAttributes) -> NinePInode {
    if let known = inodes.find(attributes.qid.path) {
      // The server's file system may have given the number of a removed file to another.
      if known.mode.rawValue & 0o170000 == attributes.mode & 0o170000 {
        known.update(attributes)
        return known
      }
      inodes.remove(known)
    }
    return NinePInode(self, attributes)
  }

  /// Lets go of names when there are many: an inode costs about a kilobyte. Only called where nobody relies on a dentry
  /// that he does not hold.
  func limitNames() {
    guard inodes.count > max(environment.frames.totalFrames / 2, 512) else { return }
    pruneParity ^= 1
    root.releaseUnused(parity: pruneParity)
  }

  // MARK: Fids

  /// Notes one more fid that can be had again, and gives some up when there are too many.
  func noteFid() {
    fidCount += 1
    if fidCount <= fidLimit { return }
    var kept = 0
    let wanted = fidLimit * 3 / 4
    var left = inodes.capacity
    fidCount = 0
    while left > 0 {
      left -= 1
      fidHand = (fidHand + 1) % inodes.capacity
      guard let inode = inodes[fidHand] else { continue }
      if kept >= wanted { inode.releaseFids() }
      kept += inode.fidCount
    }
    fidCount = min(kept, wanted)
  }

  /// Gives up a few fids where there are many, before a request for which the server goes through all of them: one that
  /// moves or removes a name.
  func thinFids() {
    var left = 512
    while fidCount > 2048, left > 0 {
      left -= 1
      fidHand = (fidHand + 1) % inodes.capacity
      guard let inode = inodes[fidHand] else { continue }
      fidCount -= inode.fidCount
      inode.releaseFids()
      fidCount += inode.fidCount
    }
  }

  // MARK: Writing back, giving back

  /// Keeps a file until its changes are written.
  func keep(_ inode: NinePInode) {
    for other in unwritten where other === inode { return }
    unwritten.append(inode)
  }

  /// Slots of both tables.
  private var slotCount: Int { inodes.capacity + nameless.capacity }
  /// The inode in one of them.
  private func inode(inSlot slot: Int) -> NinePInode? {
    slot < inodes.capacity ? inodes[slot] : nameless[slot - inodes.capacity]
  }

  override public func startWriteBack() {
    for at in 0..<slotCount {
      if let cache = inode(inSlot: at)?.pageCache, cache.dirtyCount > 0 { cache.startWriteBack() }
    }
  }

  override public func startWriteBack(of time: UInt64) -> Bool {
    var isLeft = false
    for at in 0..<slotCount {
      if let inode = inode(inSlot: at), inode.startWriteBack(of: time) { isLeft = true }
    }
    return isLeft
  }

  override public func synchronize() throws(Errno) {
    var failure: Errno?
    var at = 0
    while at < inodes.capacity {
      if let inode = inodes[at], inode.pageCache?.dirtyCount ?? 0 > 0 {
        do throws(Errno) { try inode.flush() } catch { failure = error }
      }
      at += 1
    }
    unwritten.removeAll { $0.pageCache?.dirtyCount ?? 0 == 0 }
    if let failure { throw failure }
  }

  override public var cachedPages: Int {
    var count = 0
    for slot in 0..<slotCount { count += inode(inSlot: slot)?.pageCache?.pageCount ?? 0 }
    return count
  }

  override public func reclaim(_ count: Int, takesMapped: Bool) -> Int {
    var freed = 0
    // Twice round: the first time may find nothing but pages that were used.
    let capacity = slotCount
    var left = capacity * 2
    while freed < count, left > 0 {
      if reclaimHand >= capacity { reclaimHand = 0 }
      guard let inode = inode(inSlot: reclaimHand), let cache = inode.pageCache, cache.pageCount > 0 else {
        reclaimHand += 1
        left -= 1
        continue
      }
      let (taken, next) = cache.reclaim(from: inode.reclaimHand, count - freed, takesMapped: takesMapped)
      freed += taken
      inode.reclaimHand = next ?? 0
      if next == nil {
        reclaimHand += 1
        left -= 1
      }
    }
    return freed
  }

  /// Gives the server's fids back, unless something is not written yet: then the next mount finds this session again.
  override public func didLoseLastMount() {
    for at in 0..<inodes.capacity where inodes[at]?.hasChanges == true { return }
    isClosed = true
    environment.removeCaching(self)
    for parity in 0..<UInt32(2) { root.releaseUnused(parity: parity) }
    for at in 0..<inodes.capacity { inodes[at]?.forgetFids() }
  }

  /// Ends the session of what `isClosed`, so that the channel can serve another one.
  ///
  /// - Throws: `EINTR` when the task was killed while it waited for the server.
  public func endSession() throws(Errno) { try client.close() }

  override public func statfs() throws(Errno) -> Statfs {
    guard let root = root.inode as? NinePInode else { throw .EIO }
    return try client.statfs(try root.fid().number, device: device)
  }
}
