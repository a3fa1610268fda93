internal import Kernel
internal import LinuxABI
internal import VFSCore

/// tmpfs's mount options: those that were given.
struct RamFSOptions {
  /// Without a limit: `.max`.
  var pageLimit: Int?
  var inodeLimit: Int?
  var mode: FileMode?
  var uid: UInt32?
  var gid: UInt32?

  private enum Key: Int {
    case size, blocks, inodes, mode, uid, gid
  }

  init(_ text: [UInt8], _ environment: FileSystemEnvironment) throws(Errno) {
    var options = MountOptions(
      text, "size=%p nr_blocks=%k nr_inodes=%k mode=%o uid=%u gid=%u inode64 inode32 noswap huge=never", environment)
    while try options.next() {
      // tmpfs takes 0 as no limit.
      let number = options.number == 0 || options.number == -1 ? Int.max : options.number
      switch Key(rawValue: options.place) {
      case .size where number < 0:
        let (product, overflow) = environment.frames.totalFrames.multipliedReportingOverflow(by: ~number)
        if overflow { throw .EINVAL }
        pageLimit = product / 100
      case .size: pageLimit = number == .max ? number : number / pageSize + (number % pageSize == 0 ? 0 : 1)
      case .blocks: pageLimit = number
      case .inodes: inodeLimit = number
      case .mode: mode = FileMode(rawValue: UInt32(options.number & 0o7777))
      case .uid: uid = UInt32(options.number)
      case .gid: gid = UInt32(options.number)
      // Inode numbers have 64 bits, and there are no large pages and no swap.
      case nil: break
      }
    }
  }
}
