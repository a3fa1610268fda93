public import Kernel
public import LinuxABI
internal import Platform
internal import Support

/// The entropy device: true randomness from the host, to seed the kernel's generator with. VirtIO 1.2, 5.4.
public final class VirtioEntropy {
  private static var requestSize: Int { 64 }

  private let transport: any VirtioTransport
  private let queue: Virtqueue
  private let buffer: PageFrame
  private let onEntropy: (RawSpan) -> Void

  /// Starts the device.
  ///
  /// - Parameter onEntropy: Takes the bytes of each request, from the interrupt handler.
  /// - Throws: `ENXIO`, `ENOMEM`, `ENOSPC`.
  public init(
    _ transport: any VirtioTransport, _ frames: FrameAllocator, onEntropy: @escaping (RawSpan) -> Void
  ) throws(Errno) {
    self.transport = transport
    self.onEntropy = onEntropy
    let features = try transport.negotiate(0)
    buffer = try frames.allocate(.kernel, zeroed: true)
    let interrupt = InterruptRelay()
    queue = try transport.makeQueue(0, size: 8, features: features, frames) { interrupt.handler() }
    interrupt.handler = { [self] in handleInterrupt() }
    transport.start()
  }

  /// Asks the host for bytes; they come later. One request at a time is under way.
  public func request() {
    guard queue.inFlight == 0 else { return }
    let segments: InlineArray<1, VirtqueueSegment> = [
      VirtqueueSegment(physical: buffer.physical, count: UInt32(Self.requestSize), isDeviceWritable: true)
    ]
    do throws(VirtqueueFault) { try queue.add(segments.span, token: 0) } catch { return }
    if queue.publish() { transport.notify(0) }
  }

  private func handleInterrupt() {
    do throws(VirtqueueFault) {
      while let completion = try queue.next() {
        let count = Int(completion.written)
        let bytes = (0..<count).map { PhysicalMemory.load(UInt8.self, at: buffer.physical + UInt($0)) }
        buffer.zero()
        if !bytes.isEmpty { onEntropy(bytes.rawBytes) }
      }
    } catch {
      transport.fail()
    }
  }
}
