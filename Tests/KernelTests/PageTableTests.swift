import LinuxABI
import Platform
import Testing

@testable import Kernel

/// What fork(2) does to page tables.
@Suite struct PageTableTests {
  private let frames: FrameAllocator
  private let kernel: PageTable
  private let parent: PageTable
  private static let page: UInt = 0x40_0000
  private static let shared: UInt = 0x40_0000_0000

  init() throws {
    let size = 8 << 20
    let start = FakeMachine.reserve(bytes: size + (1 << 22))
    let first = UInt32(start >> 12)
    let end = first + UInt32(size >> 12)
    frames = FrameAllocator(records: start + UInt(size) &- UInt(first) * 16, frameLimit: end)
    frames.add(first, end)
    kernel = PageTable(root: try frames.allocate(.kernel, zeroed: true).physical)
    parent = try PageTable(sharingKernelOf: kernel, frames)
  }

  private func map(_ address: UInt, _ flags: PageTableEntry.Flags) throws -> PageFrame {
    let frame = try frames.allocate(.user)
    try parent.map(address, PageTableEntry(frame.physical, flags.union([.present, .user])), frames)
    return frame
  }

  @Test func nothingIsWritableBehindASharedTable() throws {
    let frame = try map(Self.page, .writable)
    let child = try PageTable(sharingKernelOf: kernel, frames)
    try parent.share(with: child, frames)
    for table in [parent, child] {
      let found = try #require(table.lookup(Self.page))
      #expect(found.entry.frame == frame && !found.entry.has(.writable))
    }
    // One table holds one reference, however many share it.
    #expect(!frames.isShared(frame))
  }

  @Test func aTableIsCopiedForTheFirstChange() throws {
    let frame = try map(Self.page, .writable)
    let common = try map(Self.shared, [.writable, .sharedMapping])
    let child = try PageTable(sharingKernelOf: kernel, frames)
    try parent.share(with: child, frames)
    let location = try child.makeEntryLocation(Self.page, frames)
    let entry: PageTableEntry = PhysicalMemory.load(at: location)
    // The page is both sides' now, and to be copied before either writes.
    #expect(entry.frame == frame && !entry.has(.writable) && frames.isShared(frame))
    // The parent has its table alone again, but cannot write yet.
    let own: PageTableEntry = PhysicalMemory.load(at: try parent.makeEntryLocation(Self.page, frames))
    #expect(!own.has(.writable))
    // Pages of shared mappings stay writable.
    _ = try child.makeEntryLocation(Self.shared, frames)
    #expect(try #require(child.lookup(Self.shared)).entry.has(.writable))
    #expect(frames.isShared(common))
  }

  @Test func whoIsLeftAloneHasItsRightsBack() throws {
    _ = try map(Self.page, .writable)
    let child = try PageTable(sharingKernelOf: kernel, frames)
    try parent.share(with: child, frames)
    child.destroy(frames)
    _ = try parent.makeEntryLocation(Self.page, frames)
    // Nobody copied the table meanwhile: no fault of copy-on-write is left to serve.
    #expect(try #require(parent.lookup(Self.page)).entry.has(.writable))
  }

  @Test func everythingIsGivenBack() throws {
    let before = frames.freeFrames
    let table = try PageTable(sharingKernelOf: kernel, frames)
    for index in 0..<600 as Range<UInt> {
      let frame = try frames.allocate(.user)
      try table.map(Self.page + index * 4096, PageTableEntry(frame.physical, [.present, .user, .writable]), frames)
    }
    let child = try PageTable(sharingKernelOf: kernel, frames)
    try table.share(with: child, frames)
    let grandchild = try PageTable(sharingKernelOf: kernel, frames)
    try child.share(with: grandchild, frames)
    _ = try child.makeEntryLocation(Self.page, frames)
    table.destroy(frames)
    _ = try grandchild.makeEntryLocation(Self.page + 599 * 4096, frames)
    grandchild.destroy(frames)
    child.destroy(frames)
    #expect(frames.freeFrames == before)
  }

  @Test func updateChangesOneSideOnly() throws {
    let frame = try map(Self.page, .writable)
    let child = try PageTable(sharingKernelOf: kernel, frames)
    try parent.share(with: child, frames)
    child.update(Self.page, Self.page + 4096, frames) { _, entry, _ in
      frames.release(entry.frame)
      return .empty
    }
    #expect(child.lookup(Self.page) == nil)
    #expect(try #require(parent.lookup(Self.page)).entry.frame == frame)
    #expect(!frames.isShared(frame))
  }
}
