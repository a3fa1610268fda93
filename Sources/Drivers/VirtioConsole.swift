public import Kernel
public import LinuxABI
internal import Platform
internal import Support

/// The console device with several ports, each a stream of bytes with an end. VirtIO 1.2, 5.3.
///
/// Two ports are used, by what the host calls them: one to read from and one to write to.
public final class VirtioConsole {
  private enum Event {
    static var deviceReady: UInt16 { 0 }
    static var portAdd: UInt16 { 1 }
    static var portReady: UInt16 { 3 }
    static var portOpen: UInt16 { 6 }
    static var portName: UInt16 { 7 }
  }
  /// VIRTIO_CONSOLE_F_MULTIPORT
  private static var multiport: UInt64 { 2 }
  private static var controlReceive: Int { 2 }
  private static var controlSend: Int { 3 }
  /// Bytes of `struct virtio_console_control`, and what a buffer for one with a name takes.
  private static var messageSize: Int { 8 }
  private static var slotSize: Int { 256 }
  private static var slots: Int { pageSize / slotSize }

  private let transport: any VirtioTransport
  private let receiveQueue: Virtqueue
  private let sendQueue: Virtqueue
  private let received: PageFrame
  private let sent: PageFrame
  public let input: VirtioConsoleInput
  public let output: VirtioConsoleOutput
  private let inputName: StaticString
  private let outputName: StaticString

  /// Starts the device. Its ports open when the host has told their names.
  ///
  /// - Throws: `ENXIO` for a device without such ports, `ENOMEM`, `ENOSPC`.
  public init(
    _ transport: any VirtioTransport, _ frames: FrameAllocator, input inputName: StaticString,
    output outputName: StaticString
  ) throws(Errno) {
    self.transport = transport
    self.inputName = inputName
    self.outputName = outputName
    let features = try transport.negotiate(Self.multiport)
    // The one that the runner of the guest adds has these two ports, beside port 0; others may be of other use.
    guard features & Self.multiport != 0, transport.configuration32(4) == 3 else {
      transport.fail()
      throw .ENXIO
    }
    received = try frames.allocate(.kernel, zeroed: true)
    sent = try frames.allocate(.kernel, zeroed: true)
    let interrupt = InterruptRelay()
    receiveQueue = try transport.makeQueue(Self.controlReceive, size: Self.slots, features: features, frames) {
      interrupt.handler()
    }
    sendQueue = try transport.makeQueue(Self.controlSend, size: Self.slots, features: features, frames) {}
    input = try VirtioConsoleInput(transport, port: 1, features, frames)
    output = try VirtioConsoleOutput(transport, port: 2, features, frames)
    interrupt.handler = { [self] in poll() }
    transport.start()
    for slot in 0..<min(Self.slots, receiveQueue.size) { offer(slot) }
    if receiveQueue.publish() { transport.notify(Self.controlReceive) }
    send(0, Event.deviceReady, 1)
  }

  private func offer(_ slot: Int) {
    let segments: InlineArray<1, VirtqueueSegment> = [
      VirtqueueSegment(
        physical: received.physical + UInt(slot * Self.slotSize), count: UInt32(Self.slotSize), isDeviceWritable: true)
    ]
    do throws(VirtqueueFault) { try receiveQueue.add(segments.span, token: UInt(slot)) } catch {}
  }

  private func send(_ port: UInt32, _ event: UInt16, _ value: UInt16) {
    do throws(VirtqueueFault) {
      while try sendQueue.next() != nil {}
      // The host takes these at once; one that found all slots in use would be lost, and the ports stay closed.
      guard sendQueue.inFlight < Self.slots else { return }
      let slot = UInt(nextSlot)
      nextSlot = (nextSlot + 1) % Self.slots
      let at = sent.physical + slot * UInt(Self.slotSize)
      SharedMemory.store32(port, at: at)
      SharedMemory.store16(event, at: at + 4)
      SharedMemory.store16(value, at: at + 6)
      let segments: InlineArray<1, VirtqueueSegment> = [
        VirtqueueSegment(physical: at, count: UInt32(Self.messageSize), isDeviceWritable: false)
      ]
      try sendQueue.add(segments.span, token: slot)
    } catch { return }
    if sendQueue.publish() { transport.notify(Self.controlSend) }
  }
  private var nextSlot = 0

  /// Takes what the host has said of the ports. The interrupt does so; a writer may, so as not to wait for it.
  public func poll() {
    do throws(VirtqueueFault) {
      while let completion = try receiveQueue.next() {
        let slot = Int(completion.token)
        handle(received.physical + UInt(slot * Self.slotSize), Int(completion.written))
        offer(slot)
      }
    } catch {
      transport.fail()
      input.end()
      return
    }
    if receiveQueue.publish() { transport.notify(Self.controlReceive) }
  }

  private func handle(_ at: UInt, _ count: Int) {
    guard count >= Self.messageSize else { return }
    let port = SharedMemory.load32(at: at)
    let value = SharedMemory.load16(at: at + 6)
    guard port == 1 || port == 2 else { return }
    switch SharedMemory.load16(at: at + 4) {
    case Event.portAdd: send(port, Event.portReady, 1)
    case Event.portName:
      let expected = (port == 1 ? inputName : outputName).bytes
      for index in expected.indices {
        let offset = UInt(Self.messageSize + index)
        guard offset < UInt(count), PhysicalMemory.load(UInt8.self, at: at + offset) == expected[index] else { return }
      }
      if port == 1 { input.open() } else { output.open() }
      send(port, Event.portOpen, 1)
    case Event.portOpen: if port == 1, value == 0 { input.end() }
    default: break
    }
  }
}

/// A port that is read from.
public final class VirtioConsoleInput {
  /// QEMU reads its side in pieces of this size.
  private static var bufferCount: Int { 16 }

  private let transport: any VirtioTransport
  private let index: Int
  private let queue: Virtqueue
  private var buffers: [PageFrame] = []
  /// What has arrived: which buffer, and where in it the bytes begin and end.
  private var filled: [(buffer: Int, start: Int, end: Int)] = []
  private var hasEnded = false
  private var isOpen = false
  /// Bytes to be read.
  public private(set) var count = 0
  /// Woken when input or the end comes.
  public let waitQueue = WaitQueue()

  fileprivate init(
    _ transport: any VirtioTransport, port: Int, _ features: UInt64, _ frames: FrameAllocator
  ) throws(Errno) {
    self.transport = transport
    index = 2 + 2 * port
    let interrupt = InterruptRelay()
    queue = try transport.makeQueue(index, size: Self.bufferCount, features: features, frames) { interrupt.handler() }
    for _ in 0..<min(Self.bufferCount, queue.size) { buffers.append(try frames.allocate(.kernel, zeroed: true)) }
    interrupt.handler = { [self] in receive() }
  }

  fileprivate func open() {
    if isOpen { return }
    isOpen = true
    for buffer in buffers.indices { offer(buffer) }
    if queue.publish() { transport.notify(index) }
  }

  private func offer(_ buffer: Int) {
    let segments: InlineArray<1, VirtqueueSegment> = [
      VirtqueueSegment(physical: buffers[buffer].physical, count: UInt32(pageSize), isDeviceWritable: true)
    ]
    do throws(VirtqueueFault) { try queue.add(segments.span, token: UInt(buffer)) } catch {}
  }

  private func receive() {
    do throws(VirtqueueFault) {
      while let completion = try queue.next() {
        let written = Int(completion.written)
        filled.append((Int(completion.token), 0, written))
        count += written
      }
    } catch {
      transport.fail()
      hasEnded = true
    }
    waitQueue.wakeAll()
  }

  /// The other side is closed: what has arrived is all there is.
  public func end() {
    receive()
    hasEnded = true
    waitQueue.wakeAll()
  }

  /// Everything is read and no more comes.
  public var isAtEnd: Bool { hasEnded && filled.isEmpty }

  /// - Throws: `EAGAIN`, `ERESTARTSYS`, `EFAULT`.
  public func read(into writer: inout UserWriter, wait: Bool) throws(Errno) -> Int {
    if writer.remaining == 0 { return 0 }
    while filled.isEmpty {
      if hasEnded { return 0 }
      if !wait { throw .EAGAIN }
      if waitQueue.sleep() == .interrupted { throw .ERESTARTSYS }
    }
    var total = 0
    while writer.remaining > 0, !filled.isEmpty {
      // Another reader must not take the same bytes while this copy sleeps in a page fault.
      var piece = filled.removeFirst()
      let wanted = piece.end - piece.start
      let done: Int
      do throws(Errno) {
        done = try writer.write(physical: buffers[piece.buffer].physical + UInt(piece.start), count: wanted)
      } catch {
        filled.insert(piece, at: 0)
        throw error
      }
      total += done
      count -= done
      if done < wanted {
        piece.start += done
        filled.insert(piece, at: 0)
        break
      }
      offer(piece.buffer)
    }
    if queue.publish() { transport.notify(index) }
    return total
  }
}

/// A port that is written to.
public final class VirtioConsoleOutput {
  /// Pieces of 32 KiB, so that one is filled while the host takes another.
  private static var bufferCount: Int { 4 }
  private static var bufferOrder: Int { 3 }
  private static var bufferSize: Int { pageSize << bufferOrder }

  private let transport: any VirtioTransport
  private let index: Int
  private let queue: Virtqueue
  private var buffers: [PageFrame] = []
  private var free: [Int] = []
  /// The host has said that this is the port to write to.
  public private(set) var isOpen = false
  /// Woken when there is room.
  public let waitQueue = WaitQueue()

  fileprivate init(
    _ transport: any VirtioTransport, port: Int, _ features: UInt64, _ frames: FrameAllocator
  ) throws(Errno) {
    self.transport = transport
    index = 3 + 2 * port
    let waitQueue = waitQueue
    queue = try transport.makeQueue(index, size: 2 * Self.bufferCount, features: features, frames) {
      waitQueue.wakeAll()
    }
    for buffer in 0..<Self.bufferCount {
      buffers.append(try frames.allocateBlock(order: Self.bufferOrder))
      free.append(buffer)
    }
    queue.disableInterrupts()
  }

  fileprivate func open() { isOpen = true }

  /// Whether a write would not wait.
  public var hasRoom: Bool {
    reclaim()
    if free.isEmpty, queue.enableInterrupts() { reclaim() }
    return !free.isEmpty
  }

  private func reclaim() {
    do throws(VirtqueueFault) {
      while let completion = try queue.next() { free.append(Int(completion.token)) }
    } catch {
      transport.fail()
    }
  }

  /// - Throws: `EIO` when the device does not keep to the rules; `EAGAIN`, `ERESTARTSYS`, `EFAULT`.
  public func write(from reader: inout UserReader, wait: Bool) throws(Errno) -> Int {
    var total = 0
    while reader.remaining > 0 {
      while !hasRoom {
        if queue.fault != nil { throw .EIO }
        if !wait {
          if total > 0 { return total }
          throw .EAGAIN
        }
        if waitQueue.sleep() == .interrupted {
          if total > 0 { return total }
          throw .ERESTARTSYS
        }
      }
      queue.disableInterrupts()
      // Taken before the copy, which may sleep.
      let buffer = free.removeLast()
      let physical = buffers[buffer].physical
      let count: Int
      do throws(Errno) {
        count = try reader.read(physical: physical, count: min(reader.remaining, Self.bufferSize))
      } catch {
        free.append(buffer)
        throw error
      }
      let segments: InlineArray<1, VirtqueueSegment> = [
        VirtqueueSegment(physical: physical, count: UInt32(count), isDeviceWritable: false)
      ]
      do throws(VirtqueueFault) { try queue.add(segments.span, token: UInt(buffer)) } catch { throw .EIO }
      if queue.publish() { transport.notify(index) }
      total += count
      if reader.faulted { break }
    }
    return total
  }

  /// Waits, without sleeping, until the host has taken everything.
  public func drain() {
    while queue.inFlight > 0, queue.fault == nil {
      reclaim()
      CPU.pause()
    }
  }
}
