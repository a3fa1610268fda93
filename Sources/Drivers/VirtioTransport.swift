public import Kernel
public import LinuxABI

/// Feature bits that concern the rings and transports. VirtIO 1.2, chapter 6.
public enum VirtioFeature {
  public static var indirectDescriptors: UInt64 { 1 << 28 }
  public static var eventIndex: UInt64 { 1 << 29 }
  public static var version1: UInt64 { 1 << 32 }
}

/// What a virtio device is. VirtIO 1.2, chapter 5.
public enum VirtioDeviceKind {
  public static var network: UInt32 { 1 }
  public static var block: UInt32 { 2 }
  public static var console: UInt32 { 3 }
  public static var entropy: UInt32 { 4 }
  public static var balloon: UInt32 { 5 }
  public static var ninePTransport: UInt32 { 9 }
  public static var socket: UInt32 { 19 }
  public static var fileSystem: UInt32 { 26 }
}

/// The device's status bits. VirtIO 1.2, 2.1.
public enum VirtioStatus {
  static var acknowledge: UInt8 { 1 }
  static var driver: UInt8 { 2 }
  static var driverOK: UInt8 { 4 }
  static var featuresOK: UInt8 { 8 }
  static var failed: UInt8 { 128 }
}

/// How a virtio device is reached: PCI, modern or legacy, or registers in memory. VirtIO 1.2, chapter 4.
///
/// A driver calls `negotiate`, `makeQueue` for each queue, and `start`; from then on `notify` when `Virtqueue.publish`
/// says so. Handlers run in the interrupt.
public protocol VirtioTransport: AnyObject {
  /// One of `VirtioDeviceKind`.
  var kind: UInt32 { get }
  /// Whether the device follows the rules from before VirtIO 1.0: no VERSION_1, structures in the guest's byte order.
  var isLegacy: Bool { get }

  var status: UInt8 { get set }
  /// Sets the status to 0 and waits until the device has forgotten all.
  func reset()
  var offeredFeatures: UInt64 { get }
  func acceptFeatures(_ features: UInt64)

  /// The most descriptors that queue `index` can have, 0 when there is no such queue.
  func queueLimit(_ index: Int) -> Int
  /// Tells the device where a queue lies, and has `handler` called when it has finished something.
  ///
  /// - Throws: `ENXIO` when the device refuses, `ENOSPC` when no interrupt vector is left.
  func enableQueue(_ index: Int, _ queue: Virtqueue, _ handler: @escaping InterruptTable.Handler) throws(Errno)
  /// Tells the device that queue `index` has something new.
  func notify(_ index: Int)

  /// Bytes of the device's own configuration; 0 beyond its end.
  func configuration8(_ offset: Int) -> UInt8
  func configuration16(_ offset: Int) -> UInt16
  func configuration32(_ offset: Int) -> UInt32
  /// Called when the device changed its configuration.
  var onConfigurationChange: InterruptTable.Handler? { get set }
}

extension VirtioTransport {
  /// Brings the device to where queues are set up, with those of the `wanted` features that it offers.
  ///
  /// - Returns: The features that hold.
  /// - Throws: `ENXIO` when the device refuses them.
  public func negotiate(_ wanted: UInt64) throws(Errno) -> UInt64 {
    reset()
    status = VirtioStatus.acknowledge
    status = VirtioStatus.acknowledge | VirtioStatus.driver
    let offered = offeredFeatures
    let version1 = isLegacy ? 0 : VirtioFeature.version1
    guard offered & version1 == version1 else {
      fail()
      throw .ENXIO
    }
    let features = offered & (wanted | version1)
    acceptFeatures(features)
    if !isLegacy {
      status = VirtioStatus.acknowledge | VirtioStatus.driver | VirtioStatus.featuresOK
      guard status & VirtioStatus.featuresOK != 0 else {
        fail()
        throw .ENXIO
      }
    }
    return features
  }

  /// Makes queue `index` in fresh memory.
  ///
  /// - Parameters:
  ///   - size: Wanted descriptors, a power of two; the device may have fewer. A legacy device has the number it has.
  ///   - features: What `negotiate` returned.
  ///   - indirectLimit: Segments of the longest chain, when they are to go through indirect tables.
  /// - Throws: `ENXIO` when there is no such queue, `ENOMEM`, `ENOSPC`.
  public func makeQueue(
    _ index: Int, size: Int, features: UInt64, indirectLimit: Int = 0, _ frames: FrameAllocator,
    _ handler: @escaping InterruptTable.Handler
  ) throws(Errno) -> Virtqueue {
    let limit = queueLimit(index)
    guard limit > 0, limit <= 32768 else { throw .ENXIO }
    var actual = isLegacy ? limit : min(size, limit)
    // Only legacy and MMIO limits need be no power of two; a smaller ring is allowed everywhere but on legacy devices.
    if actual & (actual - 1) != 0 {
      if isLegacy { throw .ENXIO }
      actual = 1 << (Int.bitWidth - 1 - actual.leadingZeroBitCount)
    }
    let indirect = features & VirtioFeature.indirectDescriptors != 0 ? indirectLimit : 0
    let bytes = Virtqueue.byteCount(size: actual, indirectLimit: indirect)
    let pages = (bytes + pageSize - 1) / pageSize
    let order = pages <= 1 ? 0 : Int.bitWidth - (pages - 1).leadingZeroBitCount
    let block = try frames.allocateBlock(order: order)
    for i in 0..<UInt32(1 << order) { PageFrame(number: block.number + i).zero() }
    let queue = Virtqueue(
      size: actual, at: block.physical, indirectLimit: indirect,
      usesEventIndex: features & VirtioFeature.eventIndex != 0)
    do throws(Errno) {
      try enableQueue(index, queue, handler)
    } catch {
      frames.release(block)
      throw error
    }
    return queue
  }

  /// Lets the device work.
  public func start() { status = status | VirtioStatus.driverOK }

  /// Tells the device that its driver has given up.
  public func fail() { status = status | VirtioStatus.failed }
}

/// Stands between a queue, which is made with a handler, and the object that serves it, which needs the queue.
final class InterruptRelay {
  var handler: InterruptTable.Handler = {}
}
