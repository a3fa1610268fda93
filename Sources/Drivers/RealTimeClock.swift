internal import Platform

/// The battery-backed clock of the PC. Motorola MC146818A data sheet.
public enum RealTimeClock {
  /// Seconds since 1970 in UTC; nil when the machine has no such clock or it shows no valid time.
  public static var secondsSince1970: UInt64? {
    read { register in
      Ports.write8(0x70, register)
      return Ports.read8(0x71)
    }
  }

  /// Reads the clock by a function that gives its registers.
  static func read(_ register: (UInt8) -> UInt8) -> UInt64? {
    let statusB = register(0x0b)
    // Nothing answers on the bus.
    guard statusB != 0xff else { return nil }
    // An update lasts 2 ms at most, and the seconds tell whether one came while the rest was read.
    for _ in 0..<10_000 where register(0x0a) & 0x80 == 0 {
      let seconds = register(0x00)
      let fields = RealTimeClockFields(
        second: seconds, minute: register(0x02), hour: register(0x04), day: register(0x07), month: register(0x08),
        year: register(0x09), century: register(0x32), statusB: statusB)
      if register(0x00) == seconds { return fields.secondsSince1970 }
    }
    return nil
  }
}

/// The clock's registers as they were read.
struct RealTimeClockFields: Equatable {
  var second, minute, hour, day, month, year, century, statusB: UInt8

  /// The time they show; nil when it is none.
  var secondsSince1970: UInt64? {
    let isBinary = statusB & 0x04 != 0
    let is24Hour = statusB & 0x02 != 0
    func number(_ raw: UInt8) -> UInt64? {
      if isBinary { return UInt64(raw) }
      guard raw & 0x0f < 10, raw >> 4 < 10 else { return nil }
      return UInt64(raw >> 4) * 10 + UInt64(raw & 0x0f)
    }
    guard let second = number(second), second < 60, let minute = number(minute), minute < 60,
      var hour = number(is24Hour ? hour : hour & 0x7f), let day = number(day), (1...31).contains(day),
      let month = number(month), (1...12).contains(month), let yearOfCentury = number(year), yearOfCentury < 100
    else { return nil }
    if !is24Hour {
      guard (1...12).contains(hour) else { return nil }
      hour = hour % 12 + (self.hour & 0x80 != 0 ? 12 : 0)
    }
    guard hour < 24 else { return nil }
    // A machine without the century byte has anything there.
    let centuryNumber = number(century).flatMap { (19...24).contains($0) ? $0 : nil } ?? 20
    let year = centuryNumber * 100 + yearOfCentury
    guard year >= 1970 else { return nil }
    return Self.days(year: year, month: month, day: day) * 86400 + hour * 3600 + minute * 60 + second
  }

  /// Days from 1970-01-01 to a date of the Gregorian calendar, by counting years from March on: the leap day is then
  /// a year's last.
  static func days(year: UInt64, month: UInt64, day: UInt64) -> UInt64 {
    let shiftedYear = month > 2 ? year : year - 1
    let shiftedMonth = month > 2 ? month - 3 : month + 9
    let dayOfYear = (153 * shiftedMonth + 2) / 5 + day - 1
    return shiftedYear * 365 + shiftedYear / 4 - shiftedYear / 100 + shiftedYear / 400 + dayOfYear - 719_468
  }
}
