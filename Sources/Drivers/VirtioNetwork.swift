public import Kernel
public import LinuxABI
internal import Platform

/// The network device. VirtIO 1.2, 5.1.
///
/// Packets are copied: into a slot of half a page for each that is under way. What is sent is shown to the device by
/// `flush`, once for all that came together.
public final class VirtioNetwork {
  /// VIRTIO_NET_F_MTU, VIRTIO_NET_F_MAC, VIRTIO_NET_F_STATUS
  private static var mtuFeature: UInt64 { 1 << 3 }
  private static var macFeature: UInt64 { 1 << 5 }
  private static var statusFeature: UInt64 { 1 << 16 }
  private static var receiveQueue: Int { 0 }
  private static var sendQueue: Int { 1 }
  private static var slots: Int { 128 }
  private static var slotSize: UInt { 2048 }
  /// An Ethernet frame without its checksum.
  public static var largestPacket: Int { 1514 }

  private let transport: any VirtioTransport
  private let received: Virtqueue
  private let sent: Virtqueue
  private let receiveSlots: UInt
  private let sendSlots: UInt
  private var freeSlots: [UInt8]
  /// Bytes of `struct virtio_net_hdr`: a field more since VirtIO 1.0.
  private let headerSize: UInt
  /// The address of the card, its first byte the lowest.
  public let mac: UInt64
  public let mtu: UInt16
  private let hasStatus: Bool
  private var hasFailed = false
  /// Takes each packet, which lies at a physical address while it runs. Called in the interrupt.
  public var onPacket: (_ physical: UInt, _ count: Int) -> Void = { _, _ in }
  /// Called in the interrupt after the packets that came together.
  public var onEnd: () -> Void = {}
  /// The link went up or down.
  public var onLinkChange: (_ isUp: Bool) -> Void = { _ in }

  /// Starts the device.
  ///
  /// - Throws: `ENXIO`, `ENOMEM`, `ENOSPC`.
  public init(_ transport: any VirtioTransport, _ frames: FrameAllocator) throws(Errno) {
    self.transport = transport
    let features = try transport.negotiate(
      Self.mtuFeature | Self.macFeature | Self.statusFeature | VirtioFeature.eventIndex)
    headerSize = transport.isLegacy ? 10 : 12
    hasStatus = features & Self.statusFeature != 0
    if features & Self.macFeature != 0 {
      var mac: UInt64 = 0
      for i in 0..<6 { mac |= UInt64(transport.configuration8(i)) << UInt64(8 * i) }
      self.mac = mac
    } else {
      // One of its own choice, as a card without one gets from Linux: locally administered.
      mac = CPU.timeStampCounter << 16 & 0xffff_ffff_0000 | 0x0002
    }
    mtu = features & Self.mtuFeature != 0 ? min(max(transport.configuration16(10), 68), 1500) : 1500
    let interrupt = InterruptRelay()
    received = try transport.makeQueue(Self.receiveQueue, size: Self.slots, features: features, frames) {
      interrupt.handler()
    }
    sent = try transport.makeQueue(Self.sendQueue, size: Self.slots, features: features, frames) {
      interrupt.handler()
    }
    let order = Int.bitWidth - (Self.slots * Int(Self.slotSize) / pageSize - 1).leadingZeroBitCount
    receiveSlots = try frames.allocateBlock(order: order).physical
    sendSlots = try frames.allocateBlock(order: order).physical
    freeSlots = (0..<UInt8(min(Self.slots, sent.size))).map { $0 }
    sent.disableInterrupts()
    interrupt.handler = { [self] in handleInterrupt() }
    transport.onConfigurationChange = { [self] in onLinkChange(isLinkUp) }
    transport.start()
    for slot in 0..<min(Self.slots, received.size) { offer(UInt(slot)) }
    if received.publish() { transport.notify(Self.receiveQueue) }
  }

  public var isLinkUp: Bool { !hasStatus || transport.configuration16(6) & 1 != 0 }

  // MARK: Receiving

  private func offer(_ slot: UInt) {
    let segments: InlineArray<1, VirtqueueSegment> = [
      VirtqueueSegment(
        physical: receiveSlots + slot * Self.slotSize, count: UInt32(Self.slotSize), isDeviceWritable: true)
    ]
    do throws(VirtqueueFault) { try received.add(segments.span, token: slot) } catch {}
  }

  private func handleInterrupt() {
    do throws(VirtqueueFault) {
      repeat {
        while let completion = try received.next() {
          let count = Int(completion.written) - Int(headerSize)
          if count > 0 { onPacket(receiveSlots + completion.token * Self.slotSize + headerSize, count) }
          offer(completion.token)
        }
        if received.publish() { transport.notify(Self.receiveQueue) }
      } while received.enableInterrupts()
    } catch {
      hasFailed = true
      transport.fail()
      onLinkChange(false)
    }
    onEnd()
  }

  // MARK: Sending

  /// Hands a packet to the device, to be seen after `flush`.
  ///
  /// - Parameter fill: Writes the packet to a physical address.
  /// - Returns: False when the device has all slots: the packet is lost, as on a wire.
  public func send(_ count: Int, fill: (_ physical: UInt) -> Void) -> Bool {
    if freeSlots.count < Self.slots / 2 { takeBack() }
    guard !hasFailed, count <= Int(Self.slotSize - headerSize), !freeSlots.isEmpty else { return false }
    let slot = UInt(freeSlots.removeLast())
    let at = sendSlots + slot * Self.slotSize
    SharedMemory.store64(0, at: at)
    SharedMemory.store32(0, at: at + 8)
    fill(at + headerSize)
    let segments: InlineArray<1, VirtqueueSegment> = [
      VirtqueueSegment(physical: at, count: UInt32(headerSize) + UInt32(count), isDeviceWritable: false)
    ]
    do throws(VirtqueueFault) { try sent.add(segments.span, token: slot) } catch {
      freeSlots.append(UInt8(slot))
      return false
    }
    return true
  }

  /// Collects the slots of packets that have gone out.
  private func takeBack() {
    do throws(VirtqueueFault) {
      while let completion = try sent.next() { freeSlots.append(UInt8(truncatingIfNeeded: completion.token)) }
    } catch {
      hasFailed = true
      transport.fail()
    }
  }

  /// Shows the device what was sent.
  public func flush() {
    if sent.publish() { transport.notify(Self.sendQueue) }
  }

  /// Whether the device has not yet sent something; `onEnd` is called when it has.
  public func awaitsSending() -> Bool {
    repeat { takeBack() } while !hasFailed && sent.inFlight > 0 && sent.enableInterrupts()
    return !hasFailed && sent.inFlight > 0
  }
}
