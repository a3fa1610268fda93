internal import Kernel
internal import LinuxABI
internal import VFSCore

/// Bytes in the order in which they came, in page frames that are there only while they hold some. Appending and reading
/// happen under `lock`, as both may sleep over the program's memory.
final class ByteRing {
  private let frames: FrameAllocator
  /// Frame numbers by page, modulo their count, a power of two; 0 where there is none.
  private var slots: [UInt32] = [0, 0]
  /// Positions in the stream of all bytes.
  private(set) var head: UInt64 = 0
  private(set) var tail: UInt64 = 0
  /// A drained frame kept for the next bytes.
  private var spare: UInt32 = 0
  let lock = SleepLock()

  init(_ frames: FrameAllocator) { self.frames = frames }

  deinit { clear() }

  @inline(__always)
  var count: Int { Int(truncatingIfNeeded: tail &- head) }

  @inline(__always)
  private func slot(_ position: UInt64) -> Int { Int(truncatingIfNeeded: position >> 12) & (slots.count - 1) }

  /// Copies `count` bytes behind the last; `commit` makes them part of the ring.
  ///
  /// - Returns: How many bytes were copied: fewer than `count` at a fault.
  /// - Throws: `EFAULT`, `ENOMEM`.
  func append(from reader: inout UserReader, _ count: Int) throws(Errno) -> Int {
    var position = tail
    var done = 0
    while done < count {
      let inPage = UInt(truncatingIfNeeded: position & 4095)
      let piece = min(count - done, pageSize - Int(inPage))
      let frame = try frameForAppending(position)
      let copied = try reader.read(physical: frame.physical &+ inPage, count: piece)
      position &+= UInt64(copied)
      done += copied
      if copied < piece { break }
    }
    return done
  }

  @inline(__always)
  private func frameForAppending(_ position: UInt64) throws(Errno) -> PageFrame {
    let number = slots[slot(position)]
    // A slot may hold the frame of a page that lies a whole turn before: the one that is read now.
    if number != 0, (position >> 12) &- (head >> 12) < UInt64(slots.count) { return PageFrame(number: number) }
    return try addFrame(position)
  }

  private func addFrame(_ position: UInt64) throws(Errno) -> PageFrame {
    while (position >> 12) &- (head >> 12) >= UInt64(slots.count) { grow() }
    if spare != 0 {
      slots[slot(position)] = spare
      spare = 0
    } else {
      slots[slot(position)] = try frames.allocate(.user).number
    }
    return PageFrame(number: slots[slot(position)])
  }

  private func grow() {
    var new = [UInt32](repeating: 0, count: slots.count * 2)
    let first = head >> 12
    for index in 0..<UInt64(slots.count) {
      let page = first &+ index
      new[Int(truncatingIfNeeded: page) & (new.count - 1)] = slots[Int(truncatingIfNeeded: page) & (slots.count - 1)]
    }
    slots = new
  }

  /// Makes bytes that `append` copied part of the ring.
  @inline(__always)
  func commit(_ count: Int) { tail &+= UInt64(count) }

  /// Copies bytes out, from `offset` after the first on. They stay in the ring.
  ///
  /// - Returns: How many bytes were copied: fewer than `count` at a fault, or when the writer is full.
  /// - Throws: `EFAULT`.
  func copy(to writer: inout UserWriter, offset: Int, _ count: Int) throws(Errno) -> Int {
    var position = head &+ UInt64(offset)
    var done = 0
    while done < count {
      let inPage = UInt(truncatingIfNeeded: position & 4095)
      let piece = min(count - done, pageSize - Int(inPage))
      let frame = PageFrame(number: slots[slot(position)])
      let copied = try writer.write(physical: frame.physical &+ inPage, count: piece)
      position &+= UInt64(copied)
      done += copied
      if copied < piece { break }
    }
    return done
  }

  /// Takes the first bytes out.
  @inline(__always)
  func consume(_ count: Int) {
    let old = head
    head &+= UInt64(count)
    if head == tail {
      // Begin at the start of a page again, so that the next bytes fit one. What lies there is read.
      if old >> 12 == head >> 12 {
        head &= ~4095
        tail = head
        return
      }
      dropPages(old >> 12, head >> 12)
      if head & 4095 != 0 {
        head &= ~4095
        tail = head
      }
      return
    }
    if old >> 12 != head >> 12 { dropPages(old >> 12, head >> 12) }
  }

  private func dropPages(_ first: UInt64, _ end: UInt64) {
    var page = first
    while page < end {
      let index = Int(truncatingIfNeeded: page) & (slots.count - 1)
      if slots[index] != 0 {
        if spare == 0 { spare = slots[index] } else { frames.release(PageFrame(number: slots[index])) }
        slots[index] = 0
      }
      page += 1
    }
  }

  /// Throws everything away. Nobody is within the lock.
  func clear() {
    for slot in slots where slot != 0 { frames.release(PageFrame(number: slot)) }
    if spare != 0 { frames.release(PageFrame(number: spare)) }
    slots = [0, 0]
    spare = 0
    head = 0
    tail = 0
  }
}
