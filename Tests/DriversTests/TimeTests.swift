import Testing

@testable import Drivers

@Suite struct CalibrationTests {
  private func sample(_ timeStamp: UInt64, _ value: UInt64) -> CounterSample {
    CounterSample(timeStamp: timeStamp, value: value, uncertainty: 0)
  }

  @Test func scalesWithoutOverflow() {
    #expect(TimeStampCalibration.scaled(3_000_000, 1_000_000_000, over: 1_000_000) == 3_000_000_000)
    #expect(TimeStampCalibration.scaled(.max, 2, over: 4) == UInt64.max / 2)
    #expect(TimeStampCalibration.scaled(.max, .max, over: 1) == .max)
    #expect(TimeStampCalibration.scaled(1, 1, over: 0) == .max)
  }

  @Test func readsTheCrystalLeaf() {
    #expect(TimeStampCalibration.timeStampRate(denominator: 2, numerator: 216, crystal: 24_000_000) == 2_592_000_000)
    #expect(TimeStampCalibration.timeStampRate(denominator: 0, numerator: 216, crystal: 24_000_000) == nil)
    #expect(TimeStampCalibration.timeStampRate(denominator: 2, numerator: 216, crystal: 0) == nil)
  }

  /// Whatever number of times the counter wrapped, and with the first estimate a thousandth off.
  @Test(arguments: [1_000, 50_000, 65_536, 119_318, 1_193_182, 11_931_820] as [UInt64])
  func refinesAcrossWraps(ticks: UInt64) throws {
    let real: UInt64 = 2_400_000_000
    let elapsed = TimeStampCalibration.scaled(ticks, real, over: 1_193_182)
    for startValue: UInt64 in [0, 17, 40_000, 65_535] {
      for estimate in [real - real / 1000, real, real + real / 1000] {
        let rate = try #require(
          TimeStampCalibration.refined(
            start: sample(1_000, startValue), now: sample(1_000 + elapsed, (startValue &- ticks) & 0xffff),
            estimate: estimate, counterRate: 1_193_182, counterPeriod: 65_536))
        #expect(abs(Int(rate) - Int(real)) < 3_000)
      }
    }
  }

  @Test func refusesWhatContradictsTheEstimate() {
    #expect(
      TimeStampCalibration.refined(
        start: sample(0, 0), now: sample(2_400_000, 0x8000), estimate: 2_400_000_000, counterRate: 1_193_182,
        counterPeriod: 65_536) == nil)
    #expect(
      TimeStampCalibration.refined(
        start: sample(0, 5), now: sample(0, 5), estimate: 2_400_000_000, counterRate: 1_193_182,
        counterPeriod: 65_536) == nil)
  }

  @Test func readsKVMsClock() throws {
    // 2.5 GHz: 0.8 ns per tick, as multiplier 0.8 * 2^32 with the ticks halved twice over by shift -1.
    let clock = PVClock(version: 2, tscTimeStamp: 1_000, systemTime: 5_000, multiplier: 0xcccc_cccc, shift: 0)
    let rate = try #require(clock.ticksPerSecond)
    #expect(abs(Int(rate) - 1_250_000_000) < 10)
    #expect(clock.time(at: 1_000 + 1_250_000_000) / 1_000 == 1_000_004)
    #expect(
      PVClock(version: 2, tscTimeStamp: 0, systemTime: 0, multiplier: 0x8000_0000, shift: 1).ticksPerSecond
        == 1_000_000_000)
    #expect(
      PVClock(version: 2, tscTimeStamp: 0, systemTime: 0, multiplier: 0x8000_0000, shift: -1).ticksPerSecond
        == 4_000_000_000)
    #expect(PVClock(version: 0, tscTimeStamp: 0, systemTime: 0, multiplier: 1, shift: 0).ticksPerSecond == nil)
    #expect(PVClock(version: 2, tscTimeStamp: 0, systemTime: 0, multiplier: 0, shift: 0).ticksPerSecond == nil)
    #expect(PVClock(version: 2, tscTimeStamp: 0, systemTime: 0, multiplier: 1, shift: 100).ticksPerSecond == nil)
  }
}

@Suite struct RealTimeClockTests {
  private func fields(
    _ year: UInt8, _ month: UInt8, _ day: UInt8, _ hour: UInt8, _ minute: UInt8, _ second: UInt8,
    century: UInt8 = 0x20, statusB: UInt8 = 0x02
  ) -> RealTimeClockFields {
    RealTimeClockFields(
      second: second, minute: minute, hour: hour, day: day, month: month, year: year, century: century,
      statusB: statusB)
  }

  @Test func readsDecimalDates() {
    #expect(fields(0x70, 0x01, 0x01, 0, 0, 0, century: 0x19).secondsSince1970 == 0)
    #expect(fields(0x24, 0x02, 0x29, 0x12, 0x34, 0x56).secondsSince1970 == 1_709_210_096)
    #expect(fields(0x24, 0x03, 0x01, 0, 0, 0).secondsSince1970 == 1_709_251_200)
    #expect(fields(0x00, 0x12, 0x31, 0x23, 0x59, 0x59).secondsSince1970 == 978_307_199)
  }

  @Test func readsBinaryAndTwelveHourForms() {
    #expect(fields(24, 2, 29, 12, 34, 56, century: 20, statusB: 0x06).secondsSince1970 == 1_709_210_096)
    #expect(fields(0x24, 0x02, 0x29, 0x92, 0x34, 0x56, statusB: 0).secondsSince1970 == 1_709_210_096)
    #expect(fields(0x24, 0x02, 0x29, 0x12, 0x34, 0x56, statusB: 0).secondsSince1970 == 1_709_210_096 - 12 * 3600)
  }

  @Test func refusesWhatIsNoTime() {
    #expect(fields(0x24, 0x13, 0x01, 0, 0, 0).secondsSince1970 == nil)
    #expect(fields(0x24, 0x00, 0x01, 0, 0, 0).secondsSince1970 == nil)
    #expect(fields(0x24, 0x02, 0x00, 0, 0, 0).secondsSince1970 == nil)
    #expect(fields(0x2f, 0x02, 0x01, 0, 0, 0).secondsSince1970 == nil)
    #expect(fields(0x24, 0x02, 0x01, 0x24, 0, 0).secondsSince1970 == nil)
    #expect(fields(0xff, 0xff, 0xff, 0xff, 0xff, 0xff).secondsSince1970 == nil)
    #expect(fields(0x24, 0x02, 0x01, 0x80, 0, 0, statusB: 0).secondsSince1970 == nil)
  }

  @Test func waitsForTheEndOfAnUpdateAndReadsAgain() {
    var statusReads = 0
    var seconds: [UInt8] = [0x59, 0x00, 0x00, 0x00]
    let time = RealTimeClock.read { register in
      switch register {
      case 0x0a:
        statusReads += 1
        return statusReads < 3 ? 0x80 : 0x26
      case 0x0b: return 0x02
      case 0x00: return seconds.removeFirst()
      case 0x02, 0x04: return 0
      case 0x07, 0x08: return 1
      case 0x09: return 0x24
      default: return 0x20
      }
    }
    #expect(time == 1_704_067_200)
  }

  @Test func givesUpOnAClockThatIsNotThere() {
    #expect(RealTimeClock.read { _ in 0xff } == nil)
    #expect(RealTimeClock.read { $0 == 0x0b ? 2 : 0x80 } == nil)
  }
}
