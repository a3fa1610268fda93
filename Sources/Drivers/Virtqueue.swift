internal import Platform

/// A piece of memory that a request gives to the device.
@frozen
public struct VirtqueueSegment: BitwiseCopyable, Equatable, Sendable {
  public var physical: UInt
  public var count: UInt32
  /// Whether the device writes it; else it reads it.
  public var isDeviceWritable: Bool

  @inline(__always)
  public init(physical: UInt, count: UInt32, isDeviceWritable: Bool) {
    self.physical = physical
    self.count = count
    self.isDeviceWritable = isDeviceWritable
  }
}

/// What went wrong with a queue. After the last three, which are the device's lies, the queue is of no more use.
public enum VirtqueueFault: Error, Equatable {
  /// No descriptors are left: wait for a completion.
  case full
  /// A chain that is empty, longer than the queue, or has a segment for reading behind one for writing.
  case badChain
  /// The device says that it finished more requests than there were.
  case badIndex
  /// The device finished something that it had not been given.
  case badIdentifier
  /// The device wrote more than there was room for.
  case badLength
}

/// A split virtqueue, the driver's side. VirtIO 1.2, 2.7.
///
/// It knows the ring's memory and nothing else: the transport tells the device where the ring lies, `publish` says
/// whether to notify, and whoever serves the interrupt calls `next`. What the device may write is never trusted: chains,
/// their lengths and what is in flight are kept outside of the shared memory.
public final class Virtqueue {
  private static var nextFlag: UInt16 { 1 }
  private static var writeFlag: UInt16 { 2 }
  private static var indirectFlag: UInt16 { 4 }
  /// The used ring starts on a page of its own, as the legacy transports want it.
  private static var alignment: UInt { 4096 }

  /// A request that the device has finished.
  public struct Completion: Equatable, Sendable {
    /// What the request was added with.
    public let token: UInt
    /// How many bytes the device says to have written, from the first writable segment on.
    public let written: UInt32
  }

  /// What is known of the chain that starts at a descriptor.
  private struct Chain {
    /// The next free descriptor, when this one is free.
    var nextFree: UInt16
    /// Descriptors of the chain, 0 when none starts here.
    var length: UInt16 = 0
    /// Bytes that the device may write; chains may be longer than 4 GiB in theory.
    var capacity: UInt64 = 0
    var token: UInt = 0
  }

  /// Descriptors in the ring, a power of two.
  public let size: Int
  /// Physical addresses of the three parts.
  public let descriptorTable: UInt
  public let availableRing: UInt
  public let usedRing: UInt
  /// Descriptors of each indirect table, 0 without indirect descriptors.
  public let indirectLimit: Int
  private let indirectTables: UInt
  private let usesEventIndex: Bool

  private var chains: [Chain]
  private var firstFree: UInt16 = 0
  /// Descriptors that are free.
  public private(set) var freeCount: Int
  /// Requests that the device has.
  public private(set) var inFlight = 0
  private var available: UInt16 = 0
  private var published: UInt16 = 0
  private var used: UInt16 = 0
  /// The lie after which the queue was given up.
  public private(set) var fault: VirtqueueFault?

  /// Makes a queue in zeroed memory at `physical`, which is page-aligned and `byteCount(size:indirectLimit:)` long.
  ///
  /// - Parameters:
  ///   - size: A power of two, up to 32768.
  ///   - indirectLimit: Segments of the longest chain that goes through an indirect table; 0 unless the feature was
  ///     negotiated.
  ///   - usesEventIndex: Whether VIRTIO_F_EVENT_IDX was negotiated.
  public init(size: Int, at physical: UInt, indirectLimit: Int = 0, usesEventIndex: Bool = false) {
    precondition(size > 0 && size <= 32768 && size & (size - 1) == 0)
    self.size = size
    self.usesEventIndex = usesEventIndex
    self.indirectLimit = indirectLimit
    descriptorTable = physical
    availableRing = physical + UInt(size) * 16
    usedRing = Self.usedOffset(size) + physical
    indirectTables = physical + UInt(Self.byteCount(size: size, indirectLimit: 0))
    chains = (0..<size).map { Chain(nextFree: UInt16($0 + 1)) }
    freeCount = size
    if !usesEventIndex { SharedMemory.store16(0, at: availableRing) }
  }

  private static func usedOffset(_ size: Int) -> UInt {
    (UInt(size) * 18 + 6 + alignment - 1) & ~(alignment - 1)
  }

  /// Bytes of a queue's memory.
  public static func byteCount(size: Int, indirectLimit: Int = 0) -> Int {
    let used = (UInt(size) * 8 + 6 + 15) & ~15
    return Int(usedOffset(size) + used) + size * indirectLimit * 16
  }

  // MARK: The driver's side

  /// Hands a chain of segments to the device, to be seen after `publish`.
  ///
  /// - Parameters:
  ///   - segments: First what the device reads, then what it writes.
  ///   - token: What the completion brings back.
  /// - Throws: `full`, `badChain`; or the fault after which the queue was given up.
  public func add(_ segments: Span<VirtqueueSegment>, token: UInt) throws(VirtqueueFault) {
    if let fault { throw fault }
    let count = segments.count
    guard count > 0 else { throw .badChain }
    var capacity: UInt64 = 0
    var isWriting = false
    for i in 0..<count {
      if segments[i].isDeviceWritable {
        isWriting = true
        capacity += UInt64(segments[i].count)
      } else if isWriting {
        throw .badChain
      }
    }
    let indirect = count > 1 && count <= indirectLimit
    let needed = indirect ? 1 : count
    guard needed <= size else { throw .badChain }
    guard needed <= freeCount else { throw .full }

    let head = firstFree
    if indirect {
      let table = indirectTables + UInt(head) * UInt(indirectLimit) * 16
      for i in 0..<count {
        write(segments[i], at: table + UInt(i) * 16, next: i + 1 < count ? UInt16(i + 1) : nil)
      }
      firstFree = chains[Int(head)].nextFree
      let descriptor = descriptorTable + UInt(head) * 16
      SharedMemory.store64(UInt64(table), at: descriptor)
      SharedMemory.store32(UInt32(count * 16), at: descriptor + 8)
      SharedMemory.store16(Self.indirectFlag, at: descriptor + 12)
    } else {
      var at = head
      for i in 0..<count {
        let next = chains[Int(at)].nextFree
        write(segments[i], at: descriptorTable + UInt(at) * 16, next: i + 1 < count ? next : nil)
        if i + 1 < count { at = next } else { firstFree = next }
      }
    }
    freeCount -= needed
    inFlight += 1
    chains[Int(head)].length = UInt16(needed)
    chains[Int(head)].capacity = capacity
    chains[Int(head)].token = token
    SharedMemory.store16(head, at: availableRing + 4 + UInt(available & UInt16(size - 1)) * 2)
    available &+= 1
  }

  @inline(__always)
  private func write(_ segment: VirtqueueSegment, at descriptor: UInt, next: UInt16?) {
    SharedMemory.store64(UInt64(segment.physical), at: descriptor)
    SharedMemory.store32(segment.count, at: descriptor + 8)
    SharedMemory.store16(
      (segment.isDeviceWritable ? Self.writeFlag : 0) | (next != nil ? Self.nextFlag : 0), at: descriptor + 12)
    SharedMemory.store16(next ?? 0, at: descriptor + 14)
  }

  /// Shows the device what was added. Returns whether it wants to be notified.
  public func publish() -> Bool {
    guard available != published else { return false }
    let old = published
    published = available
    // The chain is written before the index that makes it visible: x86 keeps stores in order.
    SharedMemory.store16(available, at: availableRing + 2)
    // And the index before the device's wish is read; this order the CPU does not keep by itself.
    CPU.memoryBarrier()
    if usesEventIndex {
      let event = SharedMemory.load16(at: usedRing + 4 + UInt(size) * 8)
      return published &- event &- 1 < published &- old
    }
    return SharedMemory.load16(at: usedRing) & 1 == 0
  }

  /// Whether `next` would find something.
  public var hasFinished: Bool { SharedMemory.load16(at: usedRing + 2) != used }

  /// Takes the next request that the device has finished; nil when there is none.
  ///
  /// - Throws: What the device lied about. From then on it is thrown again.
  public func next() throws(VirtqueueFault) -> Completion? {
    if let fault { throw fault }
    let index = SharedMemory.load16(at: usedRing + 2)
    let finished = index &- used
    if finished == 0 { return nil }
    guard Int(finished) <= inFlight else { throw giveUp(.badIndex) }
    let element = usedRing + 4 + UInt(used & UInt16(size - 1)) * 8
    let identifier = SharedMemory.load32(at: element)
    let written = SharedMemory.load32(at: element + 4)
    guard identifier < UInt32(size), chains[Int(identifier)].length > 0 else { throw giveUp(.badIdentifier) }
    let head = Int(identifier)
    let chain = chains[head]
    guard UInt64(written) <= chain.capacity else { throw giveUp(.badLength) }
    // The chain's descriptors are linked in the shadow as they were taken, so the last one's link is put right.
    var last = head
    for _ in 1..<Int(chain.length) { last = Int(chains[last].nextFree) }
    chains[last].nextFree = firstFree
    chains[head].length = 0
    firstFree = UInt16(head)
    freeCount += Int(chain.length)
    inFlight -= 1
    used &+= 1
    return Completion(token: chain.token, written: written)
  }

  private func giveUp(_ reason: VirtqueueFault) -> VirtqueueFault {
    fault = reason
    return reason
  }

  /// Asks for an interrupt at the next completion. Returns whether one is there already: then call `next` again, as no
  /// interrupt will come for it. With the event index an interrupt comes once; without, until `disableInterrupts`.
  public func enableInterrupts() -> Bool {
    if usesEventIndex {
      SharedMemory.store16(used, at: availableRing + 4 + UInt(size) * 2)
    } else {
      SharedMemory.store16(0, at: availableRing)
    }
    CPU.memoryBarrier()
    return SharedMemory.load16(at: usedRing + 2) != used
  }

  /// Asks for no interrupts. The device may interrupt all the same.
  public func disableInterrupts() {
    if usesEventIndex {
      // As far from the next completion as can be.
      SharedMemory.store16(used &- 1, at: availableRing + 4 + UInt(size) * 2)
    } else {
      SharedMemory.store16(1, at: availableRing)
    }
  }
}
