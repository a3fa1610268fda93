internal import Kernel
internal import LinuxABI
internal import Support

/// tmpfs's mount options: those that were given.
struct RamFSOptions {
  /// Without a limit: `.max`.
  var pageLimit: Int?
  var inodeLimit: Int?
  var mode: FileMode?
  var uid: UInt32?
  var gid: UInt32?

  init(_ options: [UInt8], totalPages: Int) throws(Errno) {
    for option in options.split(separator: UInt8(ascii: ",")) {
      let parts = option.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
      guard parts.count == 2 else { throw .EINVAL }
      let key = parts[0]
      let value = parts[1]
      let isPercentage = key.equals("size") && value.last == UInt8(ascii: "%")
      guard let number = Self.number(isPercentage ? value.dropLast() : value, radix: key.equals("mode") ? 8 : 10) else {
        throw .EINVAL
      }
      // tmpfs takes 0 as no limit.
      if isPercentage {
        guard number <= 100 else { throw .EINVAL }
        pageLimit = number == 0 ? .max : totalPages * number / 100
      } else if key.equals("size") {
        pageLimit = number == 0 ? .max : number / pageSize + (number % pageSize == 0 ? 0 : 1)
      } else if key.equals("nr_blocks") {
        pageLimit = number == 0 ? .max : number
      } else if key.equals("nr_inodes") {
        inodeLimit = number == 0 ? .max : number
      } else {
        guard let bits = UInt32(exactly: number) else { throw .EINVAL }
        if key.equals("mode"), bits <= 0o7777 {
          mode = FileMode(rawValue: bits)
        } else if key.equals("uid") {
          uid = bits
        } else if key.equals("gid") {
          gid = bits
        } else {
          throw .EINVAL
        }
      }
    }
  }

  /// A number with an optional `k`, `m` or `g`; nil for anything else and for what is too large.
  private static func number(_ text: ArraySlice<UInt8>, radix: Int = 10) -> Int? {
    var value = 0
    guard !text.isEmpty else { return nil }
    for index in text.indices {
      let byte = text[index]
      if byte >= 0x30, byte < 0x30 + UInt8(radix) {
        let (product, overflow) = value.multipliedReportingOverflow(by: radix)
        let (sum, carry) = product.addingReportingOverflow(Int(byte - 0x30))
        if overflow || carry { return nil }
        value = sum
        continue
      }
      guard index == text.endIndex - 1, index > text.startIndex else { return nil }
      let shift: Int
      switch byte | 0x20 {
      case UInt8(ascii: "k"): shift = 10
      case UInt8(ascii: "m"): shift = 20
      case UInt8(ascii: "g"): shift = 30
      default: return nil
      }
      let (product, overflow) = value.multipliedReportingOverflow(by: 1 << shift)
      return overflow ? nil : product
    }
    return value
  }
}
