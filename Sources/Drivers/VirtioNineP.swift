public import Kernel
public import LinuxABI

/// The 9P transport device, as Linux and QEMU have it: one queue, whose chains are a message and room for the reply.
public final class VirtioNineP: NinePChannel {
  /// VIRTIO_9P_MOUNT_TAG: the configuration has the tag.
  private static var mountTagFeature: UInt64 { 1 }
  private static var queueSize: Int { 32 }
  /// Besides the request and the reply. Frames that follow each other are one.
  public var segmentLimit: Int { 66 }
  public var exchangeLimit: Int { min(Self.queueSize, queue.size) }

  public let tag: [UInt8]
  private let transport: any VirtioTransport
  private let queue: Virtqueue
  /// The exchanges that the device has, by their tags.
  private var exchanges: [NinePExchange?]
  /// Requests that found no free descriptors: those of a queue without indirect tables run out early.
  private var waiting: [NinePExchange] = []
  private var hasFailed = false
  /// For the next chain, so that its memory is not asked for each time.
  private var spare: [VirtqueueSegment] = []

  /// Starts the device.
  ///
  /// - Throws: `ENXIO`, `ENOMEM`, `ENOSPC`.
  public init(_ transport: any VirtioTransport, _ frames: FrameAllocator) throws(Errno) {
    self.transport = transport
    let features = try transport.negotiate(
      Self.mountTagFeature | VirtioFeature.indirectDescriptors | VirtioFeature.eventIndex)
    let interrupt = InterruptRelay()
    queue = try transport.makeQueue(0, size: Self.queueSize, features: features, indirectLimit: 68, frames) {
      interrupt.handler()
    }
    var tag: [UInt8] = []
    if features & Self.mountTagFeature != 0 {
      for i in 0..<Int(transport.configuration16(0)) { tag.append(transport.configuration8(2 + i)) }
    }
    self.tag = tag
    exchanges = [NinePExchange?](repeating: nil, count: Self.queueSize)
    interrupt.handler = { [self] in handleInterrupt() }
    transport.start()
  }

  public func send(_ exchange: NinePExchange) throws(Errno) {
    if hasFailed || Int(exchange.tag) >= exchanges.count { throw .EIO }
    if !waiting.isEmpty || !add(exchange) { waiting.append(exchange) }
  }

  /// Hands a request to the device; false when the queue is full.
  private func add(_ exchange: NinePExchange) -> Bool {
    var segments = spare
    spare = []
    segments.removeAll(keepingCapacity: true)
    defer { spare = segments }
    let isDataRead = exchange.data.first?.isDeviceWritable == false
    segments.append(
      VirtqueueSegment(physical: exchange.request, count: UInt32(exchange.requestCount), isDeviceWritable: false))
    if isDataRead { segments.append(contentsOf: exchange.data) }
    segments.append(
      VirtqueueSegment(physical: exchange.reply, count: UInt32(exchange.replyLimit), isDeviceWritable: true))
    if !isDataRead { segments.append(contentsOf: exchange.data) }
    do throws(VirtqueueFault) {
      try queue.add(segments.span, token: UInt(exchange.tag))
    } catch {
      if error == .full, queue.inFlight > 0 { return false }
      exchange.finish(0)
      return true
    }
    exchanges[Int(exchange.tag)] = exchange
    if queue.publish() { transport.notify(0) }
    return true
  }

  public func wait(on queue: WaitQueue) -> Bool { queue.waitUnlessKilled() }

  /// Nothing: the device has the memory until it says otherwise, and it does for a request that was flushed too.
  public func didFlush(_ exchange: NinePExchange) {}

  private func handleInterrupt() {
    if hasFailed { return }
    do throws(VirtqueueFault) {
      repeat {
        while let completion = try queue.next() {
          let tag = Int(completion.token)
          guard let exchange = exchanges[tag] else { continue }
          exchanges[tag] = nil
          exchange.finish(Int(completion.written))
        }
      } while queue.enableInterrupts()
    } catch {
      fail()
      return
    }
    while !waiting.isEmpty {
      if !add(waiting[0]) { break }
      waiting.removeFirst()
    }
  }

  /// Gives the device up: what is under way ends without a reply.
  private func fail() {
    hasFailed = true
    transport.fail()
    let pending = waiting
    waiting = []
    for tag in exchanges.indices {
      guard let exchange = exchanges[tag] else { continue }
      exchanges[tag] = nil
      exchange.finish(0)
    }
    for exchange in pending { exchange.finish(0) }
  }
}

extension VirtioNineP: PolledDevice {
  public var isBusy: Bool { !hasFailed && queue.inFlight > 0 }
  public func beginPolling() { queue.disableInterrupts() }
  public func poll() {
    guard queue.hasFinished else { return }
    handleInterrupt()
    queue.disableInterrupts()
  }
  public func endPolling() { handleInterrupt() }
}
