internal import Kernel
internal import LinuxABI
internal import VFSCore

/// What a file's pages come from and go to: the fids under which the server has it open. It does not hold the inode, as
/// the page cache, which holds this, is the inode's.
final class NinePContent: PageStore {
  private let client: NinePClient
  /// Opened for reading, and for writing and perhaps reading too.
  var readFid: NinePFid?
  var writeFid: NinePFid?
  var writeFidReads = false
  /// What was written stays here: the file has no name any more, and was cut, of which the server could not be told.
  var keepsChanges = false
  let dirtyPages: DirtyPages

  init(_ client: NinePClient, _ dirtyPages: DirtyPages) {
    self.client = client
    self.dirtyPages = dirtyPages
  }

  var acceptsWrites: Bool { !keepsChanges && writeFid != nil }

  var startsAtOnce: Bool { client.hasFreeExchange }

  func wait(on queue: WaitQueue) -> Bool { client.wait(on: queue) }

  func startRead(_ transfer: PageTransfer) {
    start(transfer, .read, readFid ?? (writeFidReads ? writeFid : nil))
  }

  func startWrite(_ transfer: PageTransfer) { start(transfer, .write, writeFid) }

  /// Goes on with a transfer. The server may do less at a time than it is asked for.
  private func start(_ transfer: PageTransfer, _ type: NinePType, _ fid: NinePFid?) {
    guard let fid else { return transfer.finish(.EIO) }
    client.start(
      type, fid, at: transfer.position, transfer.pages[(transfer.done / pageSize)...], skip: transfer.done % pageSize,
      count: transfer.byteCount - transfer.done
    ) { [self] count, error in
      transfer.done += count
      if error != nil || transfer.done == transfer.byteCount {
        transfer.finish(error)
      } else if count == 0 {
        // Nothing to read is the end of the file.
        transfer.finish(type == .read ? nil : .EIO)
      } else if type == .read, transfer.done % pageSize != 0, transfer.isAtEnd {
        transfer.finish()
      } else {
        start(transfer, type, fid)
      }
    }
  }
}
