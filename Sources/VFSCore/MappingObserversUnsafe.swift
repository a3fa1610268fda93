public import Kernel

/// Hears of pages of a cache whose frames mappings may hold.
public protocol MappingObserver: AnyObject {
  /// These pages are about to go, or have other frames now than before: mappings of the cache's frames, or of the zero page
  /// in their place, start afresh. A program's own copies in private mappings go too when the file is cut, and stay, with
  /// `keepsCopies`, when a hole is punched or the content is the same as before. Frames are given back after the call.
  func cache(_ cache: PageCache, droppedPages pages: Range<UInt64>, keepsCopies: Bool)
  /// These pages are about to be written back: shared mappings may not be written any more without a fault.
  func cache(_ cache: PageCache, cleanedPages pages: Range<UInt64>)
  /// The frame of this page is wanted back: mappings of it start afresh.
  func cache(_ cache: PageCache, reclaims frame: PageFrame, of page: UInt64)
}

/// What counts the areas that map it, as Linux counts areas: one that is split is two. A segment of System V shared memory.
public protocol MappingCounter: AnyObject {
  func areaOpened()
  func areaClosed()
  /// By what /proc/PID/maps names its areas: the key that it was made with, and its number.
  var mappedName: (key: UInt32, number: UInt64) { get }
}

/// The address spaces that map pages of one cache. They are not kept alive by it: each takes itself out before it goes.
struct MappingObservers {
  // SAFETY: an address space takes itself out in its deinit, so no entry outlives its observer.
  @safe private struct Entry {
    unowned(unsafe) let observer: any MappingObserver
    var count: Int

    // SAFETY: an observer is removed as often as it was added before its end.
    func isFor(_ other: any MappingObserver) -> Bool { unsafe observer === other }
    var object: any MappingObserver { unsafe observer }
  }
  private var entries: [Entry] = []

  var isEmpty: Bool { entries.isEmpty }

  mutating func add(_ observer: any MappingObserver) {
    for index in entries.indices where entries[index].isFor(observer) {
      entries[index].count += 1
      return
    }
    entries.append(Entry(observer: observer, count: 1))
  }

  mutating func remove(_ observer: any MappingObserver) {
    for index in entries.indices where entries[index].isFor(observer) {
      entries[index].count -= 1
      if entries[index].count == 0 { entries.remove(at: index) }
      return
    }
  }

  /// Calls `body` with each observer.
  func tell(_ body: (any MappingObserver) -> Void) {
    for entry in entries { body(entry.object) }
  }
}
