internal import Kernel
internal import LinuxABI
internal import VFSCore

/// A file that an epoll instance watches.
///
/// The file, its wait queue and the instance's table hold it; it holds neither the file, which must be able to close, nor
/// the instance. Both tell it before they go: the file through `FileWatch.fileClosed`, the instance in its `deinit`.
@safe final class EpollItem: FileWatch {
  /// The number under which it was added.
  let descriptor: Int32
  private let fileReference: Unmanaged<OpenFile>
  private let instanceReference: Unmanaged<EpollInstance>
  /// What is waited for, with the flags of epoll_ctl(2).
  var events: EpollEvents
  /// What epoll_wait(2) hands back.
  var data: UInt64
  /// The next item of the same number.
  var sameDescriptor: EpollItem?
  /// The instance no longer knows it.
  var isForgotten = false
  /// The place in the list of items that may be ready.
  var isListed = false
  var nextListed: EpollItem?
  var previousListed: EpollItem?
  private let waiter = EpollWaiter()

  init(_ instance: EpollInstance, _ file: OpenFile, _ descriptor: Int32, _ events: EpollEvents, data: UInt64) {
    self.descriptor = descriptor
    self.events = events
    self.data = data
    // SAFETY: both outlive the item: it is taken out of their tables before they go.
    unsafe fileReference = Unmanaged.passUnretained(file)
    unsafe instanceReference = Unmanaged.passUnretained(instance)
    super.init()
  }

  var file: OpenFile {
    // SAFETY: the item is in the tables of an instance only as long as the file has not told it of its end.
    unsafe fileReference.takeUnretainedValue()
  }
  private var instance: EpollInstance {
    // SAFETY: the instance takes every item out of queues and files before it goes.
    unsafe instanceReference.takeUnretainedValue()
  }

  func isFor(_ file: OpenFile) -> Bool {
    // SAFETY: an identity is compared; nothing is read.
    unsafe fileReference.toOpaque() == Unmanaged.passUnretained(file).toOpaque()
  }

  /// Starts to hear of the file.
  func attach() {
    let file = file
    file.addWatch(self)
    // SAFETY: `detach` clears the reference before the item goes.
    unsafe waiter.item = Unmanaged.passUnretained(self)
    file.waitQueue?.add(waiter)
  }

  /// Stops to hear of the file, which is still open.
  func detach() {
    file.removeWatch(self)
    waiter.remove()
  }

  override func fileClosed() {
    waiter.remove()
    instance.forget(self)
  }

  /// The file's readiness may have changed.
  fileprivate func notify() {
    // A one-shot that has fired waits to be armed again.
    if events.pollEvents.isEmpty { return }
    instance.mayBeReady(self)
  }
}

/// The item's entry in the file's wait queue.
@safe private final class EpollWaiter: Waiter {
  var item: Unmanaged<EpollItem>?

  override func notify() {
    // SAFETY: the entry leaves the queue before the item goes.
    if let item = unsafe item { unsafe item._withUnsafeGuaranteedRef { $0.notify() } }
  }
}
