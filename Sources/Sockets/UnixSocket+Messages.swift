internal import Kernel
internal import LinuxABI
internal import VFSCore

extension UnixSocket {
  /// The most that Linux puts into one buffer of a stream.
  static var largestPiece: Int { 36544 }

  // MARK: The short way, for bytes of a stream with nothing besides

  /// Whether bytes that are sent here need no mark and have a reader.
  @inline(__always)
  var takesPlainBytes: Bool {
    !isReleased && !isReceiveShut && handle.isSet && !options.passesCredentials && !ring.lock.isTaken
  }

  /// Takes bytes that fit. The lock is free.
  func take(plain reader: inout UserReader) throws(Errno) -> Int {
    let count = reader.remaining
    if count == 0 { return 0 }
    var cargo: Cargo?
    try take(count, from: &reader, nil, &cargo)
    return count
  }

  /// Hands over bytes that are there. The lock is free.
  func receive(plain writer: inout UserWriter) throws(Errno) -> Int {
    ring.lock.lock()
    defer { ring.lock.unlock() }
    let count = min(writer.remaining, ring.count)
    guard try ring.copy(to: &writer, offset: 0, count) == count else { throw .EFAULT }
    ring.consume(count)
    if let peer, ring.count <= peer.options.sendBuffer / 4 { peer.queue.wakeAll() }
    return count
  }

  func sendMessage(
    from reader: inout UserReader, _ message: borrowing OutgoingMessage, wait: Bool
  ) throws(Errno) -> Int {
    if message.flags.contains(.MSG_OOB) { throw .EOPNOTSUPP }
    if message.files.isEmpty {
      var cargo: Cargo?
      return try type == .SOCK_STREAM
        ? sendBytes(from: &reader, message, &cargo, wait: wait)
        : sendDatagram(from: &reader, message, &cargo, wait: wait)
    }
    var cargo: Cargo? = try namespace.load(message.files)
    // What did not become part of a message is under way no longer.
    defer { if let cargo { namespace.drop(cargo) } }
    return try type == .SOCK_STREAM
      ? sendBytes(from: &reader, message, &cargo, wait: wait)
      : sendDatagram(from: &reader, message, &cargo, wait: wait)
  }

  /// What the receiver shall learn of the sender: what it said itself, or the truth where either asks for it.
  private func credentials(_ message: borrowing OutgoingMessage, for other: UnixSocket) -> UCred? {
    if let own = message.credentials { return own }
    // A connection that was not accepted yet may ask later.
    guard options.passesCredentials || other.options.passesCredentials || !other.handle.isSet else { return nil }
    return namespace.currentCaller().real
  }

  // MARK: Streams

  private func sendBytes(
    from reader: inout UserReader, _ message: borrowing OutgoingMessage, _ cargo: inout Cargo?, wait: Bool
  ) throws(Errno) -> Int {
    if message.address != nil { throw state == .connected ? .EISCONN : .EOPNOTSUPP }
    guard let peer else { throw .ENOTCONN }
    if isSendShut { throw .EPIPE }
    var sent = 0
    do throws(Errno) {
      let deadline = Self.deadline(options.sendTimeout)
      while reader.remaining > 0 {
        while peer.ring.count >= options.sendBuffer {
          try throwPendingError()
          if isSendShut { throw .EPIPE }
          if !wait { throw .EAGAIN }
          try Self.sleep(on: queue, until: deadline)
        }
        if peer.isReleased || peer.isReceiveShut { throw .EPIPE }
        let count = min(reader.remaining, options.sendBuffer / 2 - 64, Self.largestPiece)
        try peer.take(count, from: &reader, credentials(message, for: peer), &cargo)
        sent += count
      }
    } catch {
      if sent > 0 { return sent }
      throw error
    }
    return sent
  }

  /// Takes bytes that the other end sends: all of them, or none.
  private func take(
    _ count: Int, from reader: inout UserReader, _ credentials: UCred?, _ cargo: inout Cargo?
  ) throws(Errno) {
    ring.lock.lock()
    defer { ring.lock.unlock() }
    let copied = try ring.append(from: &reader, count)
    // The copy may have slept.
    if isReleased {
      ring.clear()
      throw .EPIPE
    }
    guard copied == count else { throw .EFAULT }
    if credentials != nil || cargo != nil {
      marks.extend(Mark(start: ring.tail, length: count, credentials: credentials, cargo: cargo))
      cargo = nil
    }
    ring.commit(count)
    queue.wakeAll()
  }

  func receiveMessage(
    into writer: inout UserWriter, _ message: inout IncomingMessage, _ flags: MessageFlags, wait: Bool
  ) throws(Errno) -> Int {
    if flags.contains(.MSG_OOB) { throw type == .SOCK_STREAM ? .EINVAL : .EOPNOTSUPP }
    return try type == .SOCK_STREAM
      ? receiveBytes(into: &writer, &message, flags, wait: wait)
      : receiveDatagram(into: &writer, &message, flags, wait: wait)
  }

  private func receiveBytes(
    into writer: inout UserWriter, _ message: inout IncomingMessage, _ flags: MessageFlags, wait: Bool
  ) throws(Errno) -> Int {
    guard state == .connected else { throw .EINVAL }
    let target = max(
      flags.contains(.MSG_WAITALL) ? writer.remaining : min(Int(options.receiveLowWater), writer.remaining), 1)
    let deadline = Self.deadline(options.receiveTimeout)
    let peeks = flags.contains(.MSG_PEEK)
    var copied = 0
    if message.wantsAddress { message.address = peer?.address?.bytes ?? [] }
    while true {
      if ring.count == (peeks ? copied : 0) {
        if copied >= target || peeks && copied > 0 { break }
        do throws(Errno) {
          try throwPendingError()
          if isReceiveShut { break }
          if !wait { throw .EAGAIN }
          try Self.sleep(on: queue, until: deadline)
        } catch {
          if copied > 0 { break }
          throw error
        }
        continue
      }
      let goesOn: Bool
      do throws(Errno) { goesOn = try receivePiece(into: &writer, &message, &copied, peeks: peeks) } catch {
        if copied > 0 { break }
        throw error
      }
      if !goesOn || writer.remaining == 0 { break }
    }
    return copied
  }

  /// Receives what belongs together of the bytes that are there.
  ///
  /// - Returns: Whether more may follow in the same call.
  private func receivePiece(
    into writer: inout UserWriter, _ message: inout IncomingMessage, _ copied: inout Int, peeks: Bool
  ) throws(Errno) -> Bool {
    ring.lock.lock()
    defer { ring.lock.unlock() }
    let offset = peeks ? copied : 0
    var available = ring.count - offset
    if available <= 0 { return true }
    var index = 0
    var isMarked = false
    let position = ring.head &+ UInt64(offset)
    if !marks.isEmpty {
      while index < marks.count, marks[index].end <= position { index += 1 }
      if index < marks.count {
        isMarked = marks[index].start <= position
        available = Int(truncatingIfNeeded: (isMarked ? marks[index].end : marks[index].start) &- position)
      }
    }
    if options.passesCredentials {
      // Bytes of different senders are not mixed.
      let credentials = (isMarked ? marks[index].credentials : nil) ?? Mark.nobody
      if let before = message.credentials, before != credentials { return false }
      message.credentials = credentials
    }
    let count = min(writer.remaining, available)
    guard try ring.copy(to: &writer, offset: offset, count) == count else { throw .EFAULT }
    copied += count
    var carries = false
    if isMarked, let cargo = marks[index].cargo {
      carries = true
      if peeks {
        message.files = namespace.look(at: cargo)
      } else {
        message.files = namespace.unload(cargo)
        marks[index].cargo = nil
      }
    }
    if peeks { return !carries }
    if isMarked, marks[index].end == position &+ UInt64(count) { _ = marks.popFirst() }
    ring.consume(count)
    if let peer, ring.count <= peer.options.sendBuffer / 4 { peer.queue.wakeAll() }
    return !carries
  }

  // MARK: Datagrams

  private func sendDatagram(
    from reader: inout UserReader, _ message: borrowing OutgoingMessage, _ cargo: inout Cargo?, wait: Bool
  ) throws(Errno) -> Int {
    var named: [UInt8]?
    if type == .SOCK_SEQPACKET {
      guard state == .connected else { throw .ENOTCONN }
    } else if let address = message.address {
      try UnixAddress.validate(address)
      named = address
    }
    guard named != nil || peer != nil else { throw .ENOTCONN }
    if options.passesCredentials, type == .SOCK_DGRAM { try autobind() }
    let count = reader.remaining
    guard count <= options.sendBuffer - 32 else { throw .EMSGSIZE }
    let deadline = Self.deadline(options.sendTimeout)
    while true {
      try throwPendingError()
      if isSendShut { throw .EPIPE }
      if outstanding >= options.sendBuffer {
        if !wait { throw .EAGAIN }
        try Self.sleep(on: queue, until: deadline)
        continue
      }
      let other: UnixSocket
      if let named, let context = message.context {
        other = try find(named, context)
      } else if let peer {
        other = peer
      } else {
        throw .ECONNRESET
      }
      guard other.accepts(from: self) || other.isReleased else { throw .EPERM }
      if other.isReleased {
        if type == .SOCK_SEQPACKET { throw .EPIPE }
        if peer === other { forgetPeer() }
        throw .ECONNREFUSED
      }
      if other.isReceiveShut { throw .EPIPE }
      if other.isFull(for: self) {
        if !wait { throw .EAGAIN }
        try Self.sleep(on: other.room, until: deadline)
        continue
      }
      if try other.takeMessage(count, from: &reader, credentials(message, for: other), &cargo, self) { return count }
    }
  }

  /// Takes a message that another socket sends.
  ///
  /// - Returns: False when somebody else's came first and there may be no room any more.
  private func takeMessage(
    _ count: Int, from reader: inout UserReader, _ credentials: UCred?, _ cargo: inout Cargo?, _ sender: UnixSocket
  ) throws(Errno) -> Bool {
    ring.lock.lock()
    defer { ring.lock.unlock() }
    if isReleased || isFull(for: sender) { return false }
    let copied = try ring.append(from: &reader, count)
    if isReleased {
      ring.clear()
      throw sender.type == .SOCK_SEQPACKET ? .EPIPE : .ECONNREFUSED
    }
    guard copied == count else { throw .EFAULT }
    marks.append(Mark(start: ring.tail, length: count, credentials: credentials, cargo: cargo, sender: sender))
    cargo = nil
    sender.outstanding += count + Mark.overhead
    ring.commit(count)
    queue.wakeAll()
    return true
  }

  private func receiveDatagram(
    into writer: inout UserWriter, _ message: inout IncomingMessage, _ flags: MessageFlags, wait: Bool
  ) throws(Errno) -> Int {
    if type == .SOCK_SEQPACKET, state != .connected { throw .ENOTCONN }
    let deadline = Self.deadline(options.receiveTimeout)
    while true {
      try throwPendingError()
      if marks.isEmpty {
        if !wait {
          if type == .SOCK_SEQPACKET, isReceiveShut { return 0 }
          throw .EAGAIN
        }
        if isReceiveShut { return 0 }
        try Self.sleep(on: queue, until: deadline)
        continue
      }
      if let count = try receiveFirst(into: &writer, &message, flags) { return count }
    }
  }

  /// Receives the first message; nil when somebody else was faster.
  private func receiveFirst(
    into writer: inout UserWriter, _ message: inout IncomingMessage, _ flags: MessageFlags
  ) throws(Errno) -> Int? {
    ring.lock.lock()
    defer { ring.lock.unlock() }
    guard let mark = marks.first else { return nil }
    let peeks = flags.contains(.MSG_PEEK)
    let count = min(writer.remaining, mark.length)
    if count < mark.length { message.flags.insert(.MSG_TRUNC) }
    // A message that does not fit the program's memory is lost all the same.
    defer { if !peeks { finishMessage(mark.length) } }
    guard try ring.copy(to: &writer, offset: 0, count) == count else { throw .EFAULT }
    if message.wantsAddress { message.address = mark.sender?.address?.bytes ?? [] }
    if options.passesCredentials { message.credentials = mark.credentials ?? Mark.nobody }
    if let cargo = mark.cargo {
      if peeks {
        message.files = namespace.look(at: cargo)
      } else {
        message.files = namespace.unload(cargo)
        marks[0].cargo = nil
      }
    }
    return flags.contains(.MSG_TRUNC) ? mark.length : count
  }

  /// Takes the first message out of the queue.
  private func finishMessage(_ length: Int) {
    guard let mark = marks.popFirst() else { return }
    ring.consume(length)
    if let cargo = mark.cargo { namespace.drop(cargo) }
    mark.sender?.uncharge(length)
    room.wakeAll()
  }
}
