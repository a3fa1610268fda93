internal import Kernel
internal import LinuxABI
internal import Support
internal import VFSCore

extension Terminal {
  /// Applies output processing to a byte. See `c_oflag` of termios(3).
  func process(_ byte: UInt8, into bytes: inout [UInt8]) {
    guard output(.OPOST) else {
      bytes.append(byte)
      return
    }
    switch byte {
    case UInt8(ascii: "\n"):
      if output(.ONLRET) { column = 0 }
      if output(.ONLCR) {
        bytes.append(UInt8(ascii: "\r"))
        column = 0
      }
      bytes.append(byte)
    case UInt8(ascii: "\r"):
      if output(.ONOCR), column == 0 { return }
      if output(.OCRNL) {
        bytes.append(UInt8(ascii: "\n"))
        if output(.ONLRET) { column = 0 }
      } else {
        bytes.append(byte)
        column = 0
      }
    case UInt8(ascii: "\t"):
      let count = 8 - column & 7
      if output(.XTABS) {
        for _ in 0..<count { bytes.append(UInt8(ascii: " ")) }
      } else {
        bytes.append(byte)
      }
      column += count
    case 8:
      if column > 0 { column -= 1 }
      bytes.append(byte)
    default:
      if byte >= 0x20, byte != 0x7f {
        bytes.append(output(.OLCUC) && byte >= 0x61 && byte <= 0x7a ? byte & ~0x20 : byte)
        if !(input(.IUTF8) && byte & 0xc0 == 0x80) { column += 1 }
      } else {
        bytes.append(byte)
      }
    }
  }

  /// Writes a program's output.
  ///
  /// - Throws: `EIO` after a hang-up, `EAGAIN` and `ERESTARTSYS` while output is stopped, `EFAULT`.
  func write(from reader: inout UserReader, _ file: TerminalFile) throws(Errno) -> Int {
    while isWriting {
      if file.isNonBlocking { throw .EAGAIN }
      if writers.sleep() == .interrupted { throw .ERESTARTSYS }
    }
    isWriting = true
    defer {
      isWriting = false
      wakeWriters()
    }
    var total = 0
    var processed: [UInt8] = []
    while reader.remaining > 0 {
      flushEcho()
      while isStopped || device.room <= 0, !file.isHungUp {
        if file.isNonBlocking {
          if total > 0 { return total }
          throw .EAGAIN
        }
        if writers.sleep() == .interrupted {
          if total > 0 { return total }
          throw .ERESTARTSYS
        }
      }
      if file.isHungUp {
        if total > 0 { return total }
        throw .EIO
      }
      let bytes = try reader.read(min(pageSize, device.room))
      if bytes.isEmpty { break }
      if output(.OPOST) {
        processed.removeAll(keepingCapacity: true)
        processed.reserveCapacity(bytes.count + 64)
        for byte in bytes { process(byte, into: &processed) }
        device.write(processed.rawBytes)
      } else {
        device.write(bytes.rawBytes)
      }
      total += bytes.count
    }
    return total
  }

  /// Reads input. See "Canonical and noncanonical mode" of termios(3).
  ///
  /// - Throws: `EAGAIN`, `ERESTARTSYS`, `EFAULT`.
  func read(into writer: inout UserWriter, _ file: TerminalFile) throws(Errno) -> Int {
    if writer.remaining == 0 { return 0 }
    defer { resumeInput() }
    if isCanonical {
      while lineCount == 0 {
        if file.isHungUp { return 0 }
        if !isCanonical { return try read(into: &writer, file) }
        if file.isNonBlocking { throw .EAGAIN }
        if readers.sleep() == .interrupted { throw .ERESTARTSYS }
      }
      let taken = takeLine(writer.remaining)
      if taken.isEmpty { return 0 }
      return try writer.write(taken.rawBytes)
    }
    let time = UInt64(control(ControlCharacter.VTIME)) * 100_000_000
    let minimum = min(Int(control(ControlCharacter.VMIN)), writer.remaining)
    // Without a minimum the time runs from the start; with one, anew from each byte.
    var deadline: UInt64? = minimum == 0 ? clock.now + time : nil
    var seen = readyCount
    if minimum > 0, time > 0, seen > 0 { deadline = clock.now + time }
    while readyCount < max(minimum, 1) {
      if file.isHungUp || minimum == 0 && time == 0 { break }
      if file.isNonBlocking {
        if readyCount > 0 { break }
        throw .EAGAIN
      }
      let reason = readers.sleep(until: deadline)
      if reason == .timedOut { break }
      if reason == .interrupted {
        if readyCount > 0 { break }
        throw .ERESTARTSYS
      }
      if minimum > 0, time > 0, readyCount != seen {
        seen = readyCount
        deadline = clock.now + time
      }
      if isCanonical { return try read(into: &writer, file) }
    }
    let count = min(readyCount, writer.remaining)
    if count == 0 { return 0 }
    let taken = take(count)
    return try writer.write(taken.rawBytes)
  }

  private func take(_ count: Int) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(count)
    for _ in 0..<count {
      bytes.append(UInt8(truncatingIfNeeded: ready[readyHead]))
      readyHead += 1
    }
    compact()
    return bytes
  }

  /// Takes at most `limit` bytes of the first line. The mark of a VEOF right behind them goes with them.
  private func takeLine(_ limit: Int) -> [UInt8] {
    var bytes: [UInt8] = []
    while readyHead < ready.count {
      let entry = ready[readyHead]
      if bytes.count == limit, entry & Self.endOfFile == 0 { break }
      readyHead += 1
      if entry & Self.endOfFile == 0 { bytes.append(UInt8(truncatingIfNeeded: entry)) }
      if entry & Self.delimiter != 0 {
        lineCount -= 1
        break
      }
    }
    compact()
    return bytes
  }

  private func compact() {
    if readyHead == ready.count {
      ready.removeAll(keepingCapacity: true)
      readyHead = 0
    } else if readyHead > 2048 {
      ready.removeFirst(readyHead)
      readyHead = 0
    }
  }

  /// Bytes that a read would get at once. See FIONREAD.
  var availableCount: Int {
    var count = 0
    var lines = lineCount
    for entry in ready[readyHead...] {
      if isCanonical, lines == 0 { break }
      if entry & Self.endOfFile == 0 { count += 1 }
      if entry & Self.delimiter != 0 { lines -= 1 }
    }
    return count
  }
}
