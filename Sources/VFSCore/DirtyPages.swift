public import Kernel
public import LinuxABI

/// The pages that wait to be written to their stores or are on their way, over all files: how many there may be, and when
/// they are written by themselves. The limits are Linux's, under its names in /proc/sys/vm, with its defaults.
public final class DirtyPages {
  /// What /proc/sys/vm has, there with `dirty_` in front. A ratio and its bytes stand side by side.
  public enum Setting: Int {
    case ratio, bytes, backgroundRatio, backgroundBytes, expireCentiseconds, writeBackCentiseconds
  }

  public private(set) var count = 0
  /// Transfers to stores that have not ended.
  var writesInFlight = 0
  let waitQueue = WaitQueue()
  /// Starts to write what all files have.
  var startWriteBack: () -> Void = {}
  /// The same for files with changes from before a time; says whether some could not be started at once.
  var startWriteBackOf: (_ time: UInt64) -> Bool = { _ in false }

  private let frames: FrameAllocator
  private var values: InlineArray<6, Int> = [20, 0, 10, 0, 3000, 500]
  /// Pages that the settings allow, before writers wait and before writing starts.
  private var allowed = 0
  private var allowedInBackground = 0
  /// Fires while anything is dirty. An idle machine has nothing that is.
  private var timers: TimerQueue?
  private var timer = TimerEntry {}
  private static var nanosecondsPerCentisecond: UInt64 { 10_000_000 }
  /// When to go on where not everything could be started.
  private static var pause: UInt64 { 20_000_000 }

  init(_ frames: FrameAllocator) {
    self.frames = frames
    adjust()
  }

  /// Has what is old written by itself from here on.
  public func start(_ timers: TimerQueue) {
    self.timers = timers
    timer = TimerEntry { [self] in expire() }
  }

  /// Monotonic, in nanoseconds.
  public var now: UInt64 { timers?.now() ?? 0 }

  /// Pages that there may be before writers wait: of what is free no more than half, as they cannot be given back.
  public var limit: Int { max(min(allowed, (frames.freeFrames + count) / 2), 64) }
  /// Pages from which on they are written.
  var backgroundLimit: Int { min(allowedInBackground, limit / 2) }

  @inline(__always)
  func add() {
    count &+= 1
    if count == 1 { arm() }
  }
  func remove(_ pages: Int) { count -= pages }

  // MARK: The timer

  private func arm() {
    guard let timers, count > 0, !timer.isPending, self[.writeBackCentiseconds] > 0 else { return }
    timers.add(timer, at: timers.now() &+ UInt64(self[.writeBackCentiseconds]) &* Self.nanosecondsPerCentisecond)
  }

  private func expire() {
    guard let timers, count > 0 else { return }
    let age = UInt64(self[.expireCentiseconds]) &* Self.nanosecondsPerCentisecond
    let now = timers.now()
    if age <= now, startWriteBackOf(now &- age) {
      timers.add(timer, at: now &+ Self.pause)
    } else {
      arm()
    }
  }

  // MARK: Settings

  public subscript(setting: Setting) -> Int { values[setting.rawValue] }

  /// Changes a setting. A number of bytes takes the place of a ratio, and the other way round.
  ///
  /// - Throws: `EINVAL` for what Linux does not take.
  public func set(_ setting: Setting, _ value: Int) throws(Errno) {
    let range: ClosedRange<Int>
    switch setting {
    case .ratio, .backgroundRatio: range = 0...100
    case .bytes: range = 2 * pageSize ... .max
    case .backgroundBytes: range = 1 ... .max
    case .expireCentiseconds, .writeBackCentiseconds: range = 0...Int(Int32.max)
    }
    guard range.contains(value) else { throw .EINVAL }
    values[setting.rawValue] = value
    switch setting {
    case .ratio, .backgroundRatio: values[setting.rawValue + 1] = 0
    case .bytes, .backgroundBytes: values[setting.rawValue - 1] = 0
    case .expireCentiseconds: break
    case .writeBackCentiseconds:
      timers?.cancel(timer)
      arm()
    }
    adjust()
  }

  private func adjust() {
    allowed = pages(.ratio, .bytes)
    allowedInBackground = pages(.backgroundRatio, .backgroundBytes)
  }
  private func pages(_ ratio: Setting, _ bytes: Setting) -> Int {
    self[bytes] != 0 ? self[bytes] / pageSize : frames.totalFrames * self[ratio] / 100
  }
}
