import Drivers
import Kernel
import LinuxABI
import Platform

/// A 9P2000.L server in memory, and the channel to it. It can be told to misbehave.
final class FakeServer: NinePChannel {
  final class Node {
    let path: UInt64
    var mode: UInt32
    var uid: UInt32 = 0
    var gid: UInt32 = 0
    var linkCount: UInt64 = 1
    var content: [UInt8] = []
    var target: [UInt8] = []
    var entries: [(name: [UInt8], node: Node)] = []
    var attributes: [(name: [UInt8], value: [UInt8])] = []
    var modification: UInt64 = 1_700_000_000
    /// What this client has locked, byte by byte, with the types of Tlock; and what another one has.
    var locked: [UInt64: UInt8] = [:]
    var foreign: (type: UInt8, start: UInt64, length: UInt64)?
    init(_ path: UInt64, _ mode: UInt32) {
      self.path = path
      self.mode = mode
    }
    var isDirectory: Bool { mode & 0o170000 == 0o040000 }
    func child(_ name: [UInt8]) -> Node? { entries.first { $0.name == name }?.node }
  }

  let tag: [UInt8] = Array("fs0".utf8)
  var exchangeLimit = 8
  var segmentLimit = 66
  let root = Node(1, 0o040755)
  private var nextPath: UInt64 = 2
  private var fids: [UInt32: Node] = [:]
  private var attributeFids: [UInt32: [UInt8]] = [:]
  private var openFids: Set<UInt32> = []

  /// How many requests of each type came.
  private(set) var counts: [UInt8: Int] = [:]
  /// Most bytes of one read or write.
  var countLimit = Int.max
  /// Replies are kept until somebody waits, and then come in the reverse order.
  var isLate = false
  /// Nothing is answered until `speakAgain`.
  var isSilent = false
  /// It forgets what it was silent about when it is asked to, as a server may.
  var honoursFlush = false
  private(set) var killCount = 0
  private(set) var flushed = 0
  /// Tags of requests that came while another of the same tag had no answer yet.
  private(set) var tagsInUse = 0
  /// The answers to the next Tlock, in place of the server's.
  var lockStatuses: [UInt8] = []
  /// Flags of the last Tlock.
  private(set) var lockFlags: UInt32 = 0
  /// Looks at a request (type and body), and may answer in the server's place.
  var interceptor: ((UInt8, [UInt8]) -> [UInt8]?)?
  private var pending: [(exchange: NinePExchange, reply: [UInt8])] = []

  var requestCount: Int { counts.values.reduce(0, +) }
  var fidCount: Int { fids.count + attributeFids.count }
  func resetCounts() { counts = [:] }

  func makeNode(_ mode: UInt32) -> Node {
    defer { nextPath += 1 }
    return Node(nextPath, mode)
  }
  @discardableResult
  func add(_ name: String, _ mode: UInt32 = 0o100644, content: [UInt8] = [], to directory: Node? = nil) -> Node {
    let node = makeNode(mode)
    node.content = content
    (directory ?? root).entries.append((Array(name.utf8), node))
    return node
  }

  // MARK: The channel

  func send(_ exchange: NinePExchange) throws(Errno) {
    var message = load(exchange.request, exchange.requestCount)
    for segment in exchange.data where !segment.isDeviceWritable {
      message += load(segment.physical, Int(segment.count))
    }
    let type = message[4]
    counts[type, default: 0] += 1
    let tag = Array(message[5..<7])
    let body = Array(message[7...])
    var reply: [UInt8]
    if let answer = interceptor?(type, body) {
      reply = answer
    } else {
      let (replyType, answer) = serve(type, Body(body))
      reply = Self.little(UInt32(7 + answer.count)) + [replyType] + tag + answer
    }
    if type == 108 {
      let old = body[0]
      if honoursFlush { pending.removeAll { $0.exchange.tag == UInt16(old) } }
    }
    if pending.contains(where: { $0.exchange.tag == exchange.tag }) { tagsInUse += 1 }
    pending.append((exchange, reply))
    if !isLate, !isSilent { deliver() }
  }

  func wait(on queue: WaitQueue) -> Bool {
    if isSilent {
      // The task is killed: nothing else would end this.
      killCount += 1
      return false
    }
    precondition(!pending.isEmpty, "a wait that nothing would end")
    deliver()
    return true
  }

  func didFlush(_ exchange: NinePExchange) {
    flushed += 1
    pending.removeAll { $0.exchange === exchange }
    exchange.finish(0)
  }

  /// Answers what it was silent about, flushes too.
  func speakAgain() {
    while !pending.isEmpty {
      let (exchange, reply) = pending.removeFirst()
      deliver(reply, to: exchange)
    }
    isSilent = false
  }

  private func deliver() {
    let replies = pending.reversed()
    pending = []
    for (exchange, reply) in replies { deliver(reply, to: exchange) }
  }

  private func deliver(_ reply: [UInt8], to exchange: NinePExchange) {
    var rest = reply[...]
    store(rest.prefix(exchange.replyLimit), at: exchange.reply)
    rest = rest.dropFirst(exchange.replyLimit)
    for segment in exchange.data where segment.isDeviceWritable {
      store(rest.prefix(Int(segment.count)), at: segment.physical)
      rest = rest.dropFirst(Int(segment.count))
    }
    exchange.finish(reply.count - rest.count)
  }

  private func load(_ physical: UInt, _ count: Int) -> [UInt8] {
    (0..<count).map { PhysicalMemory.load(at: physical + UInt($0)) }
  }
  private func store(_ bytes: ArraySlice<UInt8>, at physical: UInt) {
    for (i, byte) in bytes.enumerated() { PhysicalMemory.store(byte, at: physical + UInt(i)) }
  }

  // MARK: The server

  static func little<T: FixedWidthInteger>(_ value: T) -> [UInt8] {
    (0..<T.bitWidth / 8).map { UInt8(truncatingIfNeeded: value >> (T($0) * 8)) }
  }
  static func text(_ bytes: [UInt8]) -> [UInt8] { little(UInt16(bytes.count)) + bytes }
  static func error(_ errno: Errno, tag: UInt16 = 0) -> [UInt8] {
    little(UInt32(11)) + [7] + little(tag) + little(UInt32(errno.rawValue))
  }

  struct Body {
    var bytes: ArraySlice<UInt8>
    init(_ bytes: [UInt8]) { self.bytes = bytes[...] }
    mutating func take<T: FixedWidthInteger>(_ type: T.Type = T.self) -> T {
      var value: T = 0
      for i in 0..<T.bitWidth / 8 { value |= T(truncatingIfNeeded: bytes.removeFirst()) << (T(i) * 8) }
      return value
    }
    mutating func text() -> [UInt8] {
      let count = Int(take(UInt16.self))
      defer { bytes = bytes.dropFirst(count) }
      return Array(bytes.prefix(count))
    }
  }

  private func qid(_ node: Node) -> [UInt8] {
    [node.isDirectory ? 0x80 : 0] + Self.little(UInt32(0)) + Self.little(node.path)
  }

  private func serve(_ type: UInt8, _ body: Body) -> (UInt8, [UInt8]) {
    do throws(Errno) {
      return (type + 1, try answer(type, body))
    } catch {
      return (7, Self.little(UInt32(error.rawValue)))
    }
  }

  private func node(_ fid: UInt32) throws(Errno) -> Node {
    guard let node = fids[fid] else { throw .EBADF }
    return node
  }

  private func answer(_ type: UInt8, _ request: Body) throws(Errno) -> [UInt8] {
    var body = request
    switch type {
    case 100:
      let size = body.take(UInt32.self)
      return Self.little(size) + Self.text(body.text())
    case 104:
      fids[body.take(UInt32.self)] = root
      return qid(root)
    case 110:
      var at = try node(body.take())
      let new = body.take(UInt32.self)
      let count = body.take(UInt16.self)
      var walked: [UInt8] = []
      var found: UInt16 = 0
      for _ in 0..<count {
        guard let next = at.child(body.text()) else {
          if found == 0 { throw .ENOENT }
          return Self.little(found) + walked
        }
        at = next
        found += 1
        walked += qid(at)
      }
      fids[new] = at
      return Self.little(found) + walked
    case 120:
      let fid = body.take(UInt32.self)
      if attributeFids.removeValue(forKey: fid) != nil { return [] }
      _ = try node(fid)
      fids[fid] = nil
      openFids.remove(fid)
      return []
    case 12:
      let fid = body.take(UInt32.self)
      let node = try node(fid)
      openFids.insert(fid)
      return qid(node) + Self.little(UInt32(0))
    case 24: return attributes(try node(body.take()))
    case 26:
      let node = try node(body.take())
      let valid = body.take(UInt32.self)
      let (mode, uid, gid) = (body.take(UInt32.self), body.take(UInt32.self), body.take(UInt32.self))
      let size = Int(body.take(UInt64.self))
      _ = body.take(UInt64.self)
      _ = body.take(UInt64.self)
      let time = body.take(UInt64.self)
      if valid & 1 != 0 { node.mode = node.mode & 0o170000 | mode }
      if valid & 2 != 0 { node.uid = uid }
      if valid & 4 != 0 { node.gid = gid }
      if valid & 8 != 0 {
        node.content =
          Array(node.content.prefix(size)) + [UInt8](repeating: 0, count: max(size - node.content.count, 0))
      }
      if valid & 0x100 != 0 { node.modification = time }
      return []
    case 14:
      let fid = body.take(UInt32.self)
      let directory = try node(fid)
      let name = body.text()
      _ = body.take(UInt32.self)
      let made = try make(directory, name, 0o100000 | body.take(UInt32.self) & 0o7777)
      fids[fid] = made
      openFids.insert(fid)
      return qid(made) + Self.little(UInt32(0))
    case 72:
      let directory = try node(body.take())
      let name = body.text()
      return qid(try make(directory, name, 0o040000 | body.take(UInt32.self)))
    case 16:
      let directory = try node(body.take())
      let made = try make(directory, body.text(), 0o120777)
      made.target = body.text()
      return qid(made)
    case 22: return Self.text(try node(body.take()).target)
    case 70:
      let directory = try node(body.take())
      let node = try node(body.take())
      directory.entries.append((body.text(), node))
      node.linkCount += 1
      return []
    case 76:
      let directory = try node(body.take())
      let name = body.text()
      guard let node = directory.child(name) else { throw .ENOENT }
      if body.take(UInt32.self) != 0, !node.entries.isEmpty { throw .ENOTEMPTY }
      directory.entries.removeAll { $0.name == name }
      node.linkCount -= 1
      return []
    case 74:
      let directory = try node(body.take())
      let name = body.text()
      let target = try node(body.take())
      let newName = body.text()
      guard let node = directory.child(name) else { throw .ENOENT }
      directory.entries.removeAll { $0.name == name }
      target.entries.removeAll { $0.name == newName }
      target.entries.append((newName, node))
      return []
    case 40:
      let node = try node(body.take())
      let start = body.take(UInt64.self)
      let limit = Int(body.take(UInt32.self))
      var data: [UInt8] = []
      for (index, entry) in node.entries.enumerated() where index >= start {
        let record =
          qid(entry.node) + Self.little(UInt64(index + 1)) + [UInt8(entry.node.mode >> 12)] + Self.text(entry.name)
        if data.count + record.count > limit { break }
        data += record
      }
      return Self.little(UInt32(data.count)) + data
    case 116:
      let fid = body.take(UInt32.self)
      let start = body.take(UInt64.self)
      let count = min(Int(body.take(UInt32.self)), countLimit)
      if let value = attributeFids[fid] {
        let data = Array(value.dropFirst(Int(start)).prefix(count))
        return Self.little(UInt32(data.count)) + data
      }
      guard openFids.contains(fid) else { throw .EBADF }
      let data = Array(try node(fid).content.dropFirst(Int(clamping: start)).prefix(count))
      return Self.little(UInt32(data.count)) + data
    case 118:
      let fid = body.take(UInt32.self)
      let node = try node(fid)
      guard openFids.contains(fid) else { throw .EBADF }
      let start = Int(body.take(UInt64.self))
      let count = min(Int(body.take(UInt32.self)), countLimit)
      if node.content.count < start + count {
        node.content += [UInt8](repeating: 0, count: start + count - node.content.count)
      }
      for (i, byte) in body.bytes.prefix(count).enumerated() { node.content[start + i] = byte }
      node.modification += 1
      return Self.little(UInt32(count))
    case 30:
      let node = try node(body.take())
      let new = body.take(UInt32.self)
      let name = body.text()
      let value: [UInt8]
      if name.isEmpty {
        value = node.attributes.flatMap { $0.name + [0] }
      } else {
        guard let found = node.attributes.first(where: { $0.name == name }) else { throw .ENODATA }
        value = found.value
      }
      attributeFids[new] = value
      return Self.little(UInt64(value.count))
    case 50:
      _ = try node(body.take())
      return []
    case 52:
      let node = try node(body.take())
      let type = body.take(UInt8.self)
      lockFlags = body.take()
      let (start, length) = (body.take(UInt64.self), body.take(UInt64.self))
      if !lockStatuses.isEmpty, lockStatuses[0] != 0 { return [lockStatuses.removeFirst()] }
      if !lockStatuses.isEmpty { lockStatuses.removeFirst() }
      if type != 2, isForeign(node, type, start, length) { return [1] }
      // The tests' ranges end before 100, or nowhere.
      for byte in start..<(length == 0 ? 100 : start + length) { node.locked[byte] = type == 2 ? nil : type }
      return [0]
    case 54:
      let node = try node(body.take())
      let type = body.take(UInt8.self)
      let (start, length) = (body.take(UInt64.self), body.take(UInt64.self))
      guard isForeign(node, type, start, length), let lock = node.foreign else {
        return [2] + Self.little(start) + Self.little(length) + Self.little(UInt32(1)) + [0, 0]
      }
      let other = Self.little(UInt32(77)) + Self.text(Array("other".utf8))
      return [lock.type] + Self.little(lock.start) + Self.little(lock.length) + other
    case 108: return []
    default: throw .EOPNOTSUPP
    }
  }

  private func isForeign(_ node: Node, _ type: UInt8, _ start: UInt64, _ length: UInt64) -> Bool {
    guard let lock = node.foreign, lock.type == 1 || type == 1 else { return false }
    return (length == 0 || lock.start < start + length) && (lock.length == 0 || start < lock.start + lock.length)
  }

  private func make(_ directory: Node, _ name: [UInt8], _ mode: UInt32) throws(Errno) -> Node {
    if directory.child(name) != nil { throw .EEXIST }
    let node = makeNode(mode)
    directory.entries.append((name, node))
    return node
  }

  private func attributes(_ node: Node) -> [UInt8] {
    var data = Self.little(UInt64(0x7ff)) + qid(node) + Self.little(node.mode) + Self.little(node.uid)
    data += Self.little(node.gid) + Self.little(node.linkCount) + Self.little(UInt64(0))
    data += Self.little(UInt64(node.isDirectory ? 4096 : node.content.count + node.target.count))
    data += Self.little(UInt64(4096)) + Self.little(UInt64((node.content.count + 511) / 512))
    for _ in 0..<3 { data += Self.little(node.modification) + Self.little(UInt64(0)) }
    return data + [UInt8](repeating: 0, count: 32)
  }
}
