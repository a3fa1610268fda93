public import Kernel
public import LinuxABI
internal import VFSCore

/// The thread on whose behalf a socket works.
public struct SocketCaller {
  public var pid: Int32
  /// The real ids, which messages carry.
  public var real: UCred
  /// The effective ids, which connections carry.
  public var effective: UCred
  /// RLIMIT_NOFILE, which bounds descriptors under way; nil for the privileged.
  public var fileLimit: Int?

  public init(pid: Int32, real: UCred, effective: UCred, fileLimit: Int?) {
    self.pid = pid
    self.real = real
    self.effective = effective
    self.fileLimit = fileLimit
  }
}

/// What all sockets share: their names, and the descriptors that are under way in messages.
public final class SocketNamespace {
  let frames: FrameAllocator
  /// Says who calls.
  public let currentCaller: () -> SocketCaller
  /// Makes sockets of other families than AF_UNIX: `EAFNOSUPPORT` for those that there are not.
  public var makeOther: ((AddressFamily, Int32, _ protocolNumber: Int32) throws(Errno) -> Socket)?
  /// Answers ioctl(2) about interfaces, which every socket can be asked.
  public var controlInterfaces: ((IoctlRequest, UInt) throws(Errno) -> Int)?
  /// Named sockets of AF_UNIX, by a hash of the name.
  private var buckets = [[UnixSocket]](repeating: [], count: 64)
  private var lastAbstractName: UInt32 = 0
  /// Sockets that are under way in some message.
  private var flying: [UnixSocket] = []
  /// Descriptors under way, by user.
  private var flightCounts: [(uid: UInt32, count: Int)] = []
  /// Sockets to be closed. One that closes may be the last that another was under way in, and so on without end.
  private var toRelease: [UnixSocket] = []
  private var isReleasing = false

  public init(_ frames: FrameAllocator, currentCaller: @escaping () -> SocketCaller) {
    self.frames = frames
    self.currentCaller = currentCaller
  }

  // MARK: Making

  /// Makes a socket. See socket(2).
  ///
  /// - Throws: `EAFNOSUPPORT`, `ESOCKTNOSUPPORT`, `EPROTONOSUPPORT`, `EINVAL`.
  public func make(_ family: Int32, _ type: Int32, protocolNumber: Int32) throws(Errno) -> Socket {
    guard family >= 0, family < AddressFamily.count else { throw .EAFNOSUPPORT }
    guard type >= 0, type < SocketType.count else { throw .EINVAL }
    guard family == AddressFamily.AF_UNIX.rawValue else {
      guard let makeOther, let family = AddressFamily(rawValue: family) else { throw .EAFNOSUPPORT }
      return try makeOther(family, type, protocolNumber)
    }
    return try makeUnix(type, protocolNumber)
  }

  /// Makes two connected sockets. See socketpair(2).
  ///
  /// - Throws: As `make`.
  public func makePair(_ family: Int32, _ type: Int32, protocolNumber: Int32) throws(Errno) -> (Socket, Socket) {
    guard family >= 0, family < AddressFamily.count else { throw .EAFNOSUPPORT }
    guard type >= 0, type < SocketType.count else { throw .EINVAL }
    guard family == AddressFamily.AF_UNIX.rawValue else {
      // A family that there is has no pairs.
      _ = try make(family, type, protocolNumber: protocolNumber)
      throw .EOPNOTSUPP
    }
    let first = try makeUnix(type, protocolNumber)
    let second = try makeUnix(type, protocolNumber)
    first.pair(with: second)
    return (first, second)
  }

  private func makeUnix(_ type: Int32, _ protocolNumber: Int32) throws(Errno) -> UnixSocket {
    guard protocolNumber == 0 || protocolNumber == AddressFamily.AF_UNIX.rawValue else { throw .EPROTONOSUPPORT }
    switch SocketType(rawValue: type) {
    case .SOCK_STREAM: return UnixSocket(self, .SOCK_STREAM)
    case .SOCK_SEQPACKET: return UnixSocket(self, .SOCK_SEQPACKET)
    // Linux believes that BSD has it.
    case .SOCK_DGRAM, .SOCK_RAW: return UnixSocket(self, .SOCK_DGRAM)
    default: throw .ESOCKTNOSUPPORT
    }
  }

  // MARK: Names

  private func bucket(_ address: UnixAddress) -> Int {
    if let path = address.path { return bucket(path.inode) }
    return Int(UnixAddress.hash(address.bytes) % UInt(buckets.count))
  }
  private func bucket(_ inode: Inode) -> Int { Int(inode.number % UInt64(buckets.count)) }

  func enter(_ socket: UnixSocket) {
    if let address = socket.address { buckets[bucket(address)].append(socket) }
  }
  func remove(_ socket: UnixSocket) {
    if let address = socket.address { buckets[bucket(address)].removeAll { $0 === socket } }
  }

  func find(abstract address: [UInt8], _ type: SocketType) -> UnixSocket? {
    for socket in buckets[Int(UnixAddress.hash(address) % UInt(buckets.count))] where socket.type == type {
      if let found = socket.address, found.path == nil, found.bytes == address { return socket }
    }
    return nil
  }
  func find(_ inode: Inode) -> UnixSocket? {
    for socket in buckets[bucket(inode)] {
      if let path = socket.address?.path, path.inode === inode { return socket }
    }
    return nil
  }

  /// An abstract name of five hexadecimal digits that no socket of the type has.
  ///
  /// - Throws: `ENOSPC`.
  func makeAbstractName(_ type: SocketType) throws(Errno) -> [UInt8] {
    for _ in 0..<(1 << 20) {
      lastAbstractName = (lastAbstractName + 1) & 0xfffff
      var name = UnixAddress.unnamed + [0]
      for shift in stride(from: UInt32(16), through: 0, by: -4) {
        let digit = UInt8(truncatingIfNeeded: lastAbstractName >> shift & 15)
        name.append(digit < 10 ? 0x30 + digit : 0x57 + digit)
      }
      if find(abstract: name, type) == nil { return name }
    }
    throw .ENOSPC
  }

  // MARK: Descriptors under way

  /// Makes descriptors part of a message.
  ///
  /// - Throws: `ETOOMANYREFS` when too many of the user's are under way.
  func load(_ files: [OpenFile]) throws(Errno) -> Cargo {
    let caller = currentCaller()
    let index = flightCounts.firstIndex { $0.uid == caller.real.uid } ?? flightCounts.count
    if index == flightCounts.count { flightCounts.append((caller.real.uid, 0)) }
    if let limit = caller.fileLimit, flightCounts[index].count > limit { throw .ETOOMANYREFS }
    flightCounts[index].count += files.count
    var items: [Cargo.Item] = []
    for file in files {
      if let file = file as? SocketFile, let socket = file.socket as? UnixSocket {
        if socket.flights == 0 { flying.append(socket) }
        socket.flights += 1
        items.append(.socket(socket))
      } else {
        items.append(.file(file))
      }
    }
    return Cargo(items, uid: caller.real.uid)
  }

  /// The files of a message that stays where it is.
  func look(at cargo: Cargo) -> [OpenFile] {
    var files: [OpenFile] = []
    for item in cargo.items {
      switch item {
      case .file(let file): files.append(file)
      case .socket(let socket): if let file = socket.openFile() { files.append(file) }
      }
    }
    return files
  }

  /// The files of a message that has arrived.
  func unload(_ cargo: Cargo) -> [OpenFile] {
    let files = look(at: cargo)
    land(cargo)
    return files
  }

  /// Throws the descriptors of a message away.
  func drop(_ cargo: Cargo) {
    let items = cargo.items
    land(cargo)
    for item in items {
      if case .socket(let socket) = item, socket.flights == 0, socket.handle.file == nil { release(socket) }
    }
  }

  private func land(_ cargo: Cargo) {
    if let index = flightCounts.firstIndex(where: { $0.uid == cargo.uid }) {
      flightCounts[index].count -= cargo.items.count
    }
    for item in cargo.items {
      guard case .socket(let socket) = item else { continue }
      socket.flights -= 1
      if socket.flights == 0 { flying.removeAll { $0 === socket } }
    }
    cargo.items = []
  }

  // MARK: The end of sockets

  /// Closes a socket, now or as soon as the one that is being closed is done with.
  func release(_ socket: UnixSocket) {
    toRelease.append(socket)
    if isReleasing { return }
    isReleasing = true
    while let next = toRelease.popLast() { next.release() }
    isReleasing = false
    if !flying.isEmpty { collect() }
  }

  /// Closes sockets without an open file that are under way only to one another: no program can ever receive them.
  ///
  /// The candidates are those without a file. One that is in more messages than lie with candidates is in a message
  /// that can be received, and so is everything that was sent to it.
  func collect() {
    if isReleasing { return }
    let candidates = flying.filter { $0.handle.file == nil }
    if candidates.isEmpty { return }
    for socket in candidates {
      socket.flightsFromCandidates = 0
      socket.isReachable = false
    }
    for socket in candidates {
      forEachPassenger(of: socket) { if $0.handle.file == nil { $0.flightsFromCandidates += 1 } }
    }
    var reached = candidates.filter { $0.flights > $0.flightsFromCandidates }
    for socket in reached { socket.isReachable = true }
    while let socket = reached.popLast() {
      forEachPassenger(of: socket) {
        if $0.handle.file == nil, !$0.isReachable {
          $0.isReachable = true
          reached.append($0)
        }
      }
    }
    isReleasing = true
    for socket in candidates where !socket.isReachable { toRelease.append(socket) }
    while let next = toRelease.popLast() { next.release() }
    isReleasing = false
  }

  /// Calls `body` with each socket that is under way to `socket`, or to what waits there to be accepted.
  private func forEachPassenger(of socket: UnixSocket, _ body: (UnixSocket) -> Void) {
    for index in 0..<socket.marks.count {
      guard let cargo = socket.marks[index].cargo else { continue }
      for item in cargo.items { if case .socket(let passenger) = item { body(passenger) } }
    }
    for waiting in socket.pending { forEachPassenger(of: waiting, body) }
  }
}
