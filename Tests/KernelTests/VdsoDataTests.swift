import Platform
import Testing

@testable import Kernel

@Suite struct VdsoDataTests {
  @Test func followsTheClock() throws {
    let physical = FakeMachine.reserve(bytes: 1 << 20)
    let first = UInt32(physical >> 12)
    let records = FakeMachine.reserve(bytes: Int(FrameAllocator.recordBytes(frames: UInt(first + 256))))
    let frames = FrameAllocator(records: records, frameLimit: first + 256)
    frames.add(first, first + 256)

    let clock = Clock(tscBase: 1000, ticksPerSecond: 2_000_000_000)
    let data = try VdsoData(following: clock, frames)
    // The offsets are those of struct vdso_data in unikraft-glue/vdso/vdso_data.h.
    func check() {
      let page = data.frame.physical
      #expect(PhysicalMemory.load(UInt32.self, at: page) % 2 == 0)
      #expect(PhysicalMemory.load(UInt32.self, at: page + 4) == 1)
      #expect(PhysicalMemory.load(UInt64.self, at: page + 8) == clock.scale.tscBase)
      #expect(PhysicalMemory.load(UInt64.self, at: page + 16) == clock.scale.nanosecondBase)
      #expect(PhysicalMemory.load(UInt64.self, at: page + 24) == clock.scale.multiplier)
      #expect(PhysicalMemory.load(UInt64.self, at: page + 32) == clock.scale.realtimeOffset)
    }
    check()
    #expect(clock.scale.multiplier == 1 << 31)
    let before = PhysicalMemory.load(UInt32.self, at: data.frame.physical)
    clock.setRealtime(1_700_000_000_000_000_000)
    check()
    clock.recalibrate(ticksPerSecond: 2_000_000_123)
    check()
    #expect(PhysicalMemory.load(UInt32.self, at: data.frame.physical) == before + 4)
  }
}
