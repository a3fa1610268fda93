internal import Platform

/// Bytes of a page, and the base-2 logarithm of it.
public let pageSize = 4096
public let pageShift: UInt = 12
/// Bytes of a large page.
public let largePageSize = 2 << 20

/// One page of physical memory, by its number: the physical address divided by the page size.
@frozen
public struct PageFrame: Equatable, BitwiseCopyable, Sendable {
  public let number: UInt32

  @inline(__always)
  public init(number: UInt32) { self.number = number }
  @inline(__always)
  public init(physical: UInt) { number = UInt32(truncatingIfNeeded: physical >> pageShift) }

  /// The physical address of its first byte.
  @inline(__always)
  public var physical: UInt { UInt(number) << pageShift }

  public func zero() { PhysicalMemory.zero(physical, count: pageSize) }
  public func copy(from other: PageFrame) {
    PhysicalMemory.copy(to: physical, from: other.physical, count: pageSize)
  }
}

/// Notes of a page cache on a frame whose content is somewhere else too.
public struct FrameMarks: OptionSet, Sendable {
  public let rawValue: UInt16

  @inline(__always)
  public init(rawValue: UInt16) { self.rawValue = rawValue }

  /// The content is newer than what is elsewhere.
  public static var dirty: FrameMarks { FrameMarks(rawValue: 1) }
  /// The content is on its way there.
  public static var writing: FrameMarks { FrameMarks(rawValue: 2) }
  /// Somebody used it since it was last looked at.
  public static var referenced: FrameMarks { FrameMarks(rawValue: 4) }
  /// Who comes here will want the pages behind it.
  public static var readahead: FrameMarks { FrameMarks(rawValue: 8) }
}

/// Rounds down to a page.
@inline(__always)
public func pageFloor(_ address: UInt) -> UInt { address & ~UInt(pageSize - 1) }
/// Rounds up to a page; nil where that passes the end of the address space.
@inline(__always)
public func pageCeiling(_ address: UInt) -> UInt? {
  let (sum, overflow) = address.addingReportingOverflow(UInt(pageSize - 1))
  return overflow ? nil : pageFloor(sum)
}
