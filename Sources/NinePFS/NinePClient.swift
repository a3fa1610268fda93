internal import Drivers
internal import Kernel
internal import LinuxABI
internal import Platform
internal import Support

/// A number of the server's for a file or a name. Whoever holds it keeps it; the last one gone gives it back, without
/// waiting for that.
final class NinePFid {
  let number: UInt32
  private let client: NinePClient
  /// Whether the server knows the number.
  var isKnown = false

  init(_ client: NinePClient) {
    self.client = client
    number = client.takeFidNumber()
  }
  deinit {
    if isKnown { client.clunk(number) } else { client.returnFidNumber(number) }
  }

  /// Gives the number back and waits for what the server says to that.
  func clunk() throws(Errno) {
    isKnown = false
    let number = number
    try client.perform(.clunk) { $0.put32(number) }
  }
}

/// A session with a 9P2000.L server. Calls block until their reply is there; many tasks may call at a time.
final class NinePClient {
  let channel: any NinePChannel
  let frames: FrameAllocator
  /// The longest message that both sides take.
  private(set) var messageSize: UInt32
  /// Bytes of data in one read or write.
  private(set) var dataLimit: Int
  /// The name by which a server tells this guest's locks from others'.
  var lockOwner: [UInt8] = []

  private var idle: [NinePExchange] = []
  private var exchangeCount = 0
  /// Where those wait who find every exchange in use.
  private let exchangeQueue = WaitQueue()
  private var freeFids: [UInt32] = []
  private var nextFid: UInt32 = 1
  /// Fids to be given back once an exchange is free.
  private var pendingClunks: [UInt32] = []

  /// Agrees on version and message size with the server.
  ///
  /// - Throws: `EPROTONOSUPPORT` when it speaks another version, `EIO`, `ENOMEM`.
  init(_ channel: any NinePChannel, _ frames: FrameAllocator, messageSize: UInt32) throws(Errno) {
    self.channel = channel
    self.frames = frames
    self.messageSize = messageSize
    dataLimit = 4096
    let exchange = try begin()
    defer { end(exchange) }
    var message = writer(exchange)
    message.put32(messageSize)
    message.put([UInt8]("9P2000.L"))
    var reply = try transact(exchange, .version, message)
    let agreed = reply.take32()
    let version = reply.takeString()
    if reply.isMalformed { throw .EIO }
    guard version == [UInt8]("9P2000.L") else { throw .EPROTONOSUPPORT }
    guard agreed >= 4096, agreed <= messageSize else { throw .EIO }
    self.messageSize = agreed
    // Whole pages where there is room for one besides the longest header.
    dataLimit = Int(agreed) - 24
    if dataLimit > pageSize { dataLimit &= ~(pageSize - 1) }
  }

  /// See `NinePChannel.wait`.
  func wait(on queue: WaitQueue) -> Bool { channel.wait(on: queue) }

  // MARK: Exchanges

  /// Takes an exchange that is not in use. `end` must follow.
  ///
  /// - Throws: `ENOMEM`; `EINTR` when the task was killed while it waited for one.
  func begin() throws(Errno) -> NinePExchange {
    while true {
      if let exchange = try takeFree() { return exchange }
      if !channel.wait(on: exchangeQueue) { throw .EINTR }
    }
  }
  /// Whether `begin` would not wait.
  var hasFreeExchange: Bool { !idle.isEmpty || exchangeCount < channel.exchangeLimit }

  /// An exchange that is not in use, or a new one; nil when there are too many.
  private func takeFree() throws(Errno) -> NinePExchange? {
    if let exchange = idle.popLast() {
      exchange.reset()
      return exchange
    }
    guard exchangeCount < channel.exchangeLimit else { return nil }
    let exchange = try NinePExchange(tag: UInt16(exchangeCount), frames)
    exchangeCount += 1
    return exchange
  }

  /// Gives an exchange back, unless it was abandoned: then its reply does.
  func end(_ exchange: NinePExchange) {
    if exchange.isAbandoned { return }
    end(exchange) {}
  }

  /// Gives an exchange back, calls `next`, which finds it free, and then lets others have it. So what goes on in an
  /// interrupt, where nothing may sleep, need not wait for an exchange.
  func end(_ exchange: NinePExchange, _ next: () -> Void) {
    idle.append(exchange)
    next()
    if idle.isEmpty { return }
    if let fid = pendingClunks.popLast() {
      clunk(fid)
    } else {
      exchangeQueue.wake()
    }
  }

  func writer(_ exchange: NinePExchange) -> NinePWriter {
    NinePWriter(at: exchange.request, capacity: NinePExchange.areaSize)
  }

  /// Sends a request; `exchange.finish` will be called.
  ///
  /// - Throws: `ENAMETOOLONG` when it is longer than a message can be, `EIO`.
  func send(
    _ exchange: NinePExchange, _ type: NinePType, _ message: NinePWriter, dataCount: Int = 0
  ) throws(Errno) {
    if message.isFull { throw .ENAMETOOLONG }
    message.finish(type.rawValue, tag: type == .version ? NineP.noTag : exchange.tag, dataCount: dataCount)
    exchange.requestCount = message.count
    try channel.send(exchange)
  }

  /// Sends a request and waits for its reply.
  ///
  /// - Parameter fid: A fid that the request makes the server know.
  /// - Throws: What the server says; `EIO` for what is no reply; `EINTR` when the task was killed: the server is asked to
  ///   forget the request.
  func transact(
    _ exchange: NinePExchange, _ type: NinePType, _ message: NinePWriter, making fid: NinePFid? = nil,
    dataCount: Int = 0
  ) throws(Errno) -> NinePReader {
    try send(exchange, type, message, dataCount: dataCount)
    while !exchange.isFinished {
      if !channel.wait(on: exchange.waitQueue), !exchange.isFinished {
        abandon(exchange, type, fid)
        throw .EINTR
      }
    }
    return try reply(exchange, type)
  }

  /// Leaves a request to itself, whose reply nobody waits for any more. Its tag is free when the reply is there, or was
  /// given up by the server, and the reply to the request to do so is there too. See flush of 9P2000: the server may have
  /// done what was asked for all the same.
  ///
  /// - Parameter fid: A fid that stands for something, or for nothing, only once that is known.
  private func abandon(_ exchange: NinePExchange, _ type: NinePType, _ fid: NinePFid?) {
    exchange.isAbandoned = true
    // The caller gives its memory back, which the server may still write to.
    let blocks = exchange.data.map { PageFrame(physical: $0.physical) }
    for block in blocks { frames.retain(block) }
    var pending = 1
    let release = { [self] in
      pending -= 1
      if pending > 0 { return }
      exchange.isAbandoned = false
      end(exchange)
    }
    exchange.completion = { [self] exchange in
      if let fid, (try? reply(exchange, type)) != nil { fid.isKnown = true }
      for block in blocks { frames.release(block) }
      release()
    }
    guard let flush = try? takeFree() else { return }
    var message = writer(flush)
    message.put16(exchange.tag)
    flush.completion = { [self] flush in
      if !exchange.isFinished { channel.didFlush(exchange) }
      end(flush)
      release()
    }
    pending += 1
    do throws(Errno) { try send(flush, .flush, message) } catch {
      flush.completion = nil
      end(flush)
      release()
    }
  }

  /// Checks the header of a reply, and returns what is behind it.
  ///
  /// - Throws: What the server says; `EIO` for what is no reply to this request.
  func reply(_ exchange: NinePExchange, _ type: NinePType) throws(Errno) -> NinePReader {
    var reader = NinePReader(at: exchange.reply, count: min(exchange.replyCount, exchange.replyLimit))
    let size = reader.take32()
    let replyType = reader.take8()
    let tag = reader.take16()
    guard !reader.isMalformed, size >= UInt32(NineP.headerSize), Int(size) <= exchange.replyCount,
      tag == (type == .version ? NineP.noTag : exchange.tag)
    else { throw .EIO }
    reader = NinePReader(
      at: exchange.reply, count: min(Int(size), exchange.replyLimit), from: NineP.headerSize)
    if replyType == NinePType.error {
      let number = reader.take32()
      // What cannot leave a system call cannot come from a server.
      guard !reader.isMalformed, number > 0, number < 512, let error = Errno(rawValue: Int32(number)) else {
        throw .EIO
      }
      throw error
    }
    guard replyType == type.rawValue + 1 else { throw .EIO }
    return reader
  }

  /// Sends a request whose reply says nothing but that it is done.
  func perform(
    _ type: NinePType, making fid: NinePFid? = nil, _ write: (inout NinePWriter) -> Void
  ) throws(Errno) {
    let exchange = try begin()
    defer { end(exchange) }
    var message = writer(exchange)
    write(&message)
    _ = try transact(exchange, type, message, making: fid)
  }

  /// Ends the session: waits until nothing is under way, and gives the memory of the exchanges back. Nobody may use it
  /// any more.
  ///
  /// - Throws: `EINTR` when the task was killed meanwhile.
  func close() throws(Errno) {
    while idle.count < exchangeCount || !pendingClunks.isEmpty {
      if !channel.wait(on: exchangeQueue) { throw .EINTR }
    }
    idle = []
    exchangeCount = 0
  }

  // MARK: Fids

  func takeFidNumber() -> UInt32 {
    if let number = freeFids.popLast() { return number }
    defer { nextFid += 1 }
    return nextFid
  }

  func returnFidNumber(_ number: UInt32) { freeFids.append(number) }

  /// Gives a fid back to the server; its number is free once the reply is there.
  func clunk(_ fid: UInt32) {
    if !startIfFree(.clunk, clunked: fid, { $0.put32(fid) }) { pendingClunks.append(fid) }
  }

  /// Sends a request whose reply nobody waits for, if an exchange is free: this blocks nowhere.
  ///
  /// - Parameter clunked: A fid whose number is free with the reply.
  @discardableResult
  func startIfFree(_ type: NinePType, clunked: UInt32?, _ write: (inout NinePWriter) -> Void) -> Bool {
    guard let exchange = try? takeFree() else { return false }
    var message = writer(exchange)
    write(&message)
    exchange.completion = { [self] exchange in
      if let clunked { freeFids.append(clunked) }
      end(exchange)
    }
    do throws(Errno) { try send(exchange, type, message) } catch {
      exchange.completion = nil
      idle.append(exchange)
    }
    return true
  }

  /// Names the root of the share.
  func attach(name: [UInt8]) throws(Errno) -> NinePFid {
    let fid = NinePFid(self)
    try perform(.attach, making: fid) {
      $0.put32(fid.number)
      $0.put32(NineP.noFid)
      $0.put([UInt8]("root"))
      $0.put(name)
      $0.put32(0)
    }
    fid.isKnown = true
    return fid
  }

  /// A fid for what the names lead to from `start`; without names, for the same file.
  ///
  /// - Throws: `ENOENT` when a name is not there.
  func walk(_ start: NinePFid, _ names: ArraySlice<[UInt8]>) throws(Errno) -> NinePFid {
    var from = start
    var rest = names
    repeat {
      let fid = NinePFid(self)
      let exchange = try begin()
      defer { end(exchange) }
      var message = writer(exchange)
      message.put32(from.number)
      message.put32(fid.number)
      var count = 0
      var length = 0
      for name in rest.prefix(NineP.walkLimit) {
        length += name.count + 2
        if length > NinePExchange.areaSize - 64 { break }
        count += 1
      }
      message.put16(UInt16(count))
      for name in rest.prefix(count) { message.put(name) }
      var reply = try transact(exchange, .walk, message, making: fid)
      let walked = Int(reply.take16())
      guard !reply.isMalformed, walked <= count else { throw .EIO }
      if walked < count { throw .ENOENT }
      fid.isKnown = true
      for _ in 0..<walked { _ = reply.takeQid() }
      if reply.isMalformed { throw .EIO }
      from = fid
      rest = rest.dropFirst(count)
    } while !rest.isEmpty
    return from
  }

  /// Reads `count` bytes from the start of what a fid stands for.
  func bytes(_ fid: NinePFid, count: Int) throws(Errno) -> [UInt8] {
    var bytes: [UInt8] = []
    if count == 0 { return bytes }
    var order = 0
    while pageSize << order < count { order += 1 }
    let block = try frames.allocateBlock(order: order)
    defer { frames.release(block) }
    while bytes.count < count {
      let done = try read(
        .read, fid.number, at: UInt64(bytes.count), into: block.physical, count: count - bytes.count)
      if done == 0 { break }
      for i in 0..<done { bytes.append(PhysicalMemory.load(at: block.physical + UInt(i))) }
    }
    return bytes
  }
}
