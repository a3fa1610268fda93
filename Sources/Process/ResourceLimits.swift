public import LinuxABI
internal import Mmap
internal import VFSCore

/// The limits of getrlimit(2), by resource number.
public struct ResourceLimits {
  private var soft: InlineArray<16, UInt64>
  private var hard: InlineArray<16, UInt64>

  /// RLIM_INFINITY
  public static let infinity: UInt64 = .max

  /// What Linux gives the first process of a machine with this many bytes of memory.
  public init(stack: UInt64, memory: UInt64) {
    soft = InlineArray(repeating: Self.infinity)
    hard = InlineArray(repeating: Self.infinity)
    soft[ResourceLimits.stack] = stack
    soft[ResourceLimits.core] = 0
    soft[ResourceLimits.openFiles] = 1024
    hard[ResourceLimits.openFiles] = Self.mostOpenFiles
    soft[ResourceLimits.lockedMemory] = 8 << 20
    hard[ResourceLimits.lockedMemory] = 8 << 20
    // One stack of 16 KiB in an eighth of memory makes the most threads; half of them may be one user's.
    let threads = memory / (16384 * 8) / 2
    soft[ResourceLimits.processes] = threads
    hard[ResourceLimits.processes] = threads
    soft[ResourceLimits.pendingSignals] = threads
    hard[ResourceLimits.pendingSignals] = threads
    soft[ResourceLimits.messageQueueBytes] = 819_200
    hard[ResourceLimits.messageQueueBytes] = 819_200
    soft[ResourceLimits.nice] = 0
    hard[ResourceLimits.nice] = 0
    soft[ResourceLimits.realTimePriority] = 0
    hard[ResourceLimits.realTimePriority] = 0
  }

  static let fileBytes = 1
  static let mostOpenFiles: UInt64 = 1_048_576
  static let data = 2
  static let stack = 3
  static let core = 4
  static let processes = 6
  static let openFiles = 7
  static let lockedMemory = 8
  static let addressSpace = 9
  static let messageQueueBytes = 12
  static let pendingSignals = 11
  static let nice = 13
  static let realTimePriority = 14

  /// RLIMIT_FSIZE in bytes; nil for none.
  @inline(__always)
  public var fileSize: UInt64? { soft[Self.fileBytes] == Self.infinity ? nil : soft[Self.fileBytes] }

  /// The soft and the hard limit of a resource; nil for a number that is none.
  public subscript(resource: Int) -> Rlimit? {
    get {
      guard resource >= 0, resource < 16 else { return nil }
      var limit = Rlimit()
      limit.rlim_cur = soft[resource]
      limit.rlim_max = hard[resource]
      return limit
    }
    set {
      guard resource >= 0, resource < 16, let newValue else { return }
      soft[resource] = newValue.rlim_cur
      hard[resource] = newValue.rlim_max
    }
  }
}

extension UserProcess {
  /// Changes a limit; memory and descriptors follow. See setrlimit(2).
  ///
  /// - Throws: `EINVAL`, `EPERM` for a higher hard limit without CAP_SYS_RESOURCE.
  public func setLimit(_ resource: Int, _ limit: Rlimit) throws(Errno) {
    guard let old = limits[resource], limit.rlim_cur <= limit.rlim_max else { throw .EINVAL }
    // fs.nr_open
    if resource == ResourceLimits.openFiles, limit.rlim_max > ResourceLimits.mostOpenFiles { throw .EPERM }
    if limit.rlim_max > old.rlim_max, !identity.has(Identity.Capability.CAP_SYS_RESOURCE) { throw .EPERM }
    limits[resource] = limit
    let soft = UInt(limit.rlim_cur)
    switch resource {
    case ResourceLimits.openFiles: files.limit = Int(clamping: soft)
    case ResourceLimits.stack: memory.stackLimit = soft
    case ResourceLimits.addressSpace: memory.addressSpaceLimit = soft
    case ResourceLimits.data: memory.dataLimit = soft
    default: break
    }
  }
}
