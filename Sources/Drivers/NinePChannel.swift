public import Kernel
public import LinuxABI

/// What carries 9P messages to a server and back: virtio, or a socket in tests.
public protocol NinePChannel: AnyObject {
  /// The name of the share.
  var tag: [UInt8] { get }
  /// Exchanges that may be under way at a time.
  var exchangeLimit: Int { get }
  /// Segments of data that one exchange may have.
  var segmentLimit: Int { get }
  /// Sends a request. `exchange.finish` tells the end, from an interrupt or before this returns.
  ///
  /// - Throws: `EIO` when the server is of no use any more.
  func send(_ exchange: NinePExchange) throws(Errno)
  /// Sleeps until the queue is woken, or may have been: the caller looks again.
  ///
  /// - Returns: False when the task is to die, and gives up what it waits for.
  func wait(on queue: WaitQueue) -> Bool
  /// The server will not answer this request any more: what is not finished now can be, unless the channel gives the
  /// memory back by itself.
  func didFlush(_ exchange: NinePExchange)
}

/// A request and its reply, in memory that the device reads and writes. It is used again and again.
public final class NinePExchange {
  /// Bytes that a request, and a reply without its data, can have.
  public static let areaSize = 8192
  private static var blockOrder: Int { 2 }

  /// What the message is numbered with.
  public let tag: UInt16
  private let frames: FrameAllocator
  private let block: PageFrame
  /// Where the request and the reply are, as physical addresses.
  public var request: UInt { block.physical }
  public var reply: UInt { block.physical + UInt(Self.areaSize) }

  /// Bytes of the request in front of its data.
  public var requestCount = 0
  /// Bytes of the reply in front of its data.
  public var replyLimit = NinePExchange.areaSize
  /// The data behind the request, if the device reads it, or behind the reply.
  public var data: [VirtqueueSegment] = []
  /// Bytes that the server has written: to the reply, then to the data.
  public private(set) var replyCount = 0
  public private(set) var isFinished = false
  /// Nobody waits for the reply any more.
  public var isAbandoned = false
  /// Called at the end, perhaps in an interrupt, in place of waking those who wait.
  public var completion: ((NinePExchange) -> Void)?
  public let waitQueue = WaitQueue()

  /// - Throws: `ENOMEM`.
  public init(tag: UInt16, _ frames: FrameAllocator) throws(Errno) {
    self.tag = tag
    self.frames = frames
    block = try frames.allocateBlock(order: Self.blockOrder)
  }
  deinit { frames.release(block) }

  /// Makes it ready for another request.
  public func reset() {
    requestCount = 0
    replyLimit = Self.areaSize
    data.removeAll(keepingCapacity: true)
    completion = nil
    isFinished = false
    replyCount = 0
  }

  /// The reply is there, with `count` bytes; 0 when the channel failed.
  public func finish(_ count: Int) {
    replyCount = count
    isFinished = true
    if let completion {
      self.completion = nil
      completion(self)
    } else {
      waitQueue.wakeAll()
    }
  }
}
