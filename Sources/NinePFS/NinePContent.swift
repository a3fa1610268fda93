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
  /// What was written stays here: the file has no name any more, and was cut, which the server cannot be told.
  var keepsChanges = false
  let dirtyLimit: Int

  init(_ client: NinePClient, _ frames: FrameAllocator) {
    self.client = client
    dirtyLimit = max(frames.totalFrames / 8, 64)
  }

  var acceptsWrites: Bool { !keepsChanges && writeFid != nil }

  func wait(on queue: WaitQueue) { client.wait(on: queue) }

  func startRead(_ transfer: PageTransfer) {
    guard let fid = readFid ?? (writeFidReads ? writeFid : nil) else { return transfer.finish(.EIO) }
    let skip = transfer.done % pageSize
    client.startRead(
      fid, at: transfer.position, into: transfer.pages[(transfer.done / pageSize)...], skip: skip,
      count: transfer.byteCount - transfer.done
    ) { [self] count, error in
      transfer.done += count
      // Nothing means the end of the file; less than was asked for may be more to come.
      if error != nil || count == 0 || transfer.done == transfer.byteCount {
        transfer.finish(error)
      } else if transfer.done % pageSize != 0, transfer.isAtEnd {
        transfer.finish()
      } else {
        startRead(transfer)
      }
    }
  }

  func startWrite(_ transfer: PageTransfer) {
    guard let fid = writeFid else { return transfer.finish(.EIO) }
    let skip = transfer.done % pageSize
    client.startWrite(
      fid, at: transfer.position, from: transfer.pages[(transfer.done / pageSize)...], skip: skip,
      count: transfer.byteCount - transfer.done
    ) { [self] count, error in
      transfer.done += count
      if error != nil || transfer.done == transfer.byteCount {
        transfer.finish(error)
      } else if count == 0 {
        transfer.finish(.EIO)
      } else {
        startWrite(transfer)
      }
    }
  }
}
