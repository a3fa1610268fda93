public import Kernel
public import LinuxABI

/// What every file system gets from the machine: frames, the time, the drivers of device nodes, device numbers.
public final class FileSystemEnvironment {
  public let frames: FrameAllocator
  public let clock: Clock
  public let devices = DeviceRegistry()
  private var nextMinor: UInt32 = 1

  public init(frames: FrameAllocator, clock: Clock) {
    self.frames = frames
    self.clock = clock
  }

  /// The wall clock in nanoseconds since 1970, as inodes keep times.
  @inline(__always)
  public var now: Int64 { Int64(truncatingIfNeeded: clock.realtime) }

  /// A device number for a file system without a device, as Linux's anonymous ones: major 0.
  public func makeDeviceNumber() -> DeviceNumber {
    defer { nextMinor += 1 }
    return DeviceNumber(major: 0, minor: nextMinor)
  }
}
