import Testing

@testable import Kernel

@Suite struct LoadAverageTests {
  /// The values that Linux's calc_load gives.
  @Test func samples() {
    let clock = Clock(tscBase: 0, ticksPerSecond: 1_000_000_000)
    let load = LoadAverage(TimerQueue(clock: clock)) { 0 }
    #expect((0..<3).map { load.hundredths($0) } == [0, 0, 0])
    load.sample(1)
    #expect((0..<3).map { load.hundredths($0) } == [8, 2, 1])
    for _ in 0..<11 { load.sample(1) }
    #expect(load.hundredths(0) == 63)
    for _ in 0..<2000 { load.sample(3) }
    #expect((0..<3).map { load.hundredths($0) } == [300, 300, 300])
    for _ in 0..<12 { load.sample(0) }
    #expect(load.hundredths(0) == 110)
    for _ in 0..<2000 { load.sample(0) }
    #expect((0..<3).map { load.hundredths($0) } == [0, 0, 0])
  }
}
