import Platform
import Testing

@testable import Kernel

/// The frames of large pages: counted as a whole, until somebody needs one of them.
@Suite struct LargePageTests {
  private let frames: FrameAllocator
  private let free: Int

  init() {
    let size = 16 << 20
    let start = FakeMachine.reserve(bytes: size + (1 << 22))
    let first = UInt32(start >> 12)
    let end = first + UInt32(size >> 12)
    frames = FrameAllocator(records: start + UInt(size) &- UInt(first) * 16, frameLimit: end)
    frames.add(first, end)
    free = frames.freeFrames
  }

  @Test func goesBackWithTheLastReference() throws {
    let run = try frames.allocateRun(.user)
    #expect(run.number & 511 == 0 && frames.freeFrames == free - 512 && !frames.isRunShared(run))
    frames.retainRun(run)
    #expect(frames.isRunShared(run))
    frames.releaseRun(run)
    #expect(frames.freeFrames == free - 512 && !frames.isRunShared(run))
    frames.releaseRun(run)
    #expect(frames.freeFrames == free)
    // As one block: it can be had again.
    #expect(try frames.allocateRun(.user).number & 511 == 0)
  }

  @Test func aFrameThatIsHeldStaysWhenTheRunGoes() throws {
    let run = try frames.allocateRun(.user)
    let frame = PageFrame(number: run.number + 7)
    frames.retain(frame)
    #expect(frames.isRunShared(run))
    frames.releaseRun(run)
    #expect(frames.freeFrames == free - 1 && !frames.isShared(frame))
    frames.release(frame)
    #expect(frames.freeFrames == free)
  }

  @Test func eachSideCanTakeItApart() throws {
    let run = try frames.allocateRun(.user)
    let frame = PageFrame(number: run.number + 511)
    frames.retainRun(run)
    // One side needs its frames one by one: they are still the other's too.
    frames.splitRun(run)
    #expect(frames.isShared(frame) && frames.isShared(run) && frames.isRunShared(run))
    frames.release(frame)
    #expect(!frames.isShared(frame))
    frames.splitRun(run)
    #expect(frames.isShared(run) && !frames.isShared(frame))
    for number in run.number..<run.number + 511 { frames.release(PageFrame(number: number)) }
    #expect(frames.freeFrames == free - 512)
    for number in run.number..<run.number + 512 { frames.release(PageFrame(number: number)) }
    #expect(frames.freeFrames == free)
  }
}
