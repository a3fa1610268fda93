public import Kernel
public import LinuxABI

/// What every file system gets from the machine: frames, the time, the drivers of device nodes, device numbers.
public final class FileSystemEnvironment {
  public let frames: FrameAllocator
  public let clock: Clock
  public let devices = DeviceRegistry()
  public let notifier = FileNotifier()
  /// Sends a signal to whom an open file tells of input and output; the personality sets it.
  public var signalOwner: ((FileOwner, SigInfo) -> Void)?
  /// What of all files is not in its store yet.
  public let dirtyPages: DirtyPages
  private var nextMinor: UInt32 = 1
  /// The option of mount(2) that was last found to be wrong.
  public var rejectedOption: [UInt8] = []

  public init(frames: FrameAllocator, clock: Clock) {
    self.frames = frames
    self.clock = clock
    dirtyPages = DirtyPages(frames)
    dirtyPages.startWriteBack = { [self] in for fileSystem in caching { fileSystem.startWriteBack() } }
    dirtyPages.startWriteBackOf = { [self] time in
      var isLeft = false
      for fileSystem in caching where fileSystem.startWriteBack(of: time) { isLeft = true }
      return isLeft
    }
  }

  /// File systems that keep copies of what is elsewhere.
  private var caching: [FileSystem] = []

  /// Has `fileSystem` asked for frames when memory is short, until `removeCaching`.
  public func addCaching(_ fileSystem: FileSystem) {
    caching.append(fileSystem)
    frames.reclaimer = { [self] count, takesMapped in
      var freed = 0
      for fileSystem in caching where freed < count {
        freed += fileSystem.reclaim(count - freed, takesMapped: takesMapped)
      }
      return freed
    }
  }
  public func removeCaching(_ fileSystem: FileSystem) { caching.removeAll { $0 === fileSystem } }

  /// Pages that these keep.
  public var cachedPages: Int { caching.reduce(0) { $0 + $1.cachedPages } }

  /// The wall clock in nanoseconds since 1970, as inodes keep times.
  @inline(__always)
  public var now: Int64 { Int64(truncatingIfNeeded: clock.realtime) }

  /// A device number for a file system without a device, as Linux's anonymous ones: major 0.
  public func makeDeviceNumber() -> DeviceNumber {
    defer { nextMinor += 1 }
    return DeviceNumber(major: 0, minor: nextMinor)
  }
}
