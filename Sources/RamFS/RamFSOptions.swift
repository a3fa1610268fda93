internal import Kernel
internal import LinuxABI
internal import Support

/// tmpfs's mount options.
struct RamFSOptions {
  static var defaultMode: FileMode { FileMode(rawValue: 0o1777) }
  var pageLimit: Int?
  var inodeLimit: Int?
  var mode = Self.defaultMode
  var uid: UInt32 = 0
  var gid: UInt32 = 0
  /// As /proc/mounts shows them.
  var text: [UInt8] = []

  init(_ options: [UInt8], totalPages: Int) throws(Errno) {
    var shown = TextBuffer()
    for option in options.split(separator: UInt8(ascii: ",")) {
      let parts = option.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
      guard parts.count == 2 else { throw .EINVAL }
      let value = parts[1]
      if parts[0].equals("size") {
        if value.last == UInt8(ascii: "%") {
          guard let percent = Self.number(value.dropLast()), percent <= 100 else { throw .EINVAL }
          pageLimit = totalPages * percent / 100
        } else {
          guard let bytes = Self.number(value) else { throw .EINVAL }
          pageLimit = bytes / pageSize + (bytes % pageSize == 0 ? 0 : 1)
        }
        Self.separate(&shown)
        shown.append("size=")
        shown.append(decimal: (pageLimit ?? 0) * (pageSize / 1024))
        shown.append("k")
        // tmpfs takes 0 as no limit.
        if pageLimit == 0 { pageLimit = .max }
      } else if parts[0].equals("nr_blocks") {
        guard let pages = Self.number(value) else { throw .EINVAL }
        pageLimit = pages == 0 ? .max : pages
      } else if parts[0].equals("nr_inodes") {
        guard let count = Self.number(value) else { throw .EINVAL }
        inodeLimit = count == 0 ? .max : count
        Self.separate(&shown)
        shown.append("nr_inodes=")
        shown.append(decimal: count)
      } else if parts[0].equals("mode") {
        guard let bits = Self.number(value, radix: 8), bits <= 0o7777 else { throw .EINVAL }
        mode = FileMode(rawValue: UInt32(bits))
        if mode != Self.defaultMode {
          Self.separate(&shown)
          shown.append("mode=")
          shown.append(octal: UInt(bits))
        }
      } else if parts[0].equals("uid") {
        guard let id = Self.number(value).flatMap(UInt32.init(exactly:)) else { throw .EINVAL }
        uid = id
      } else if parts[0].equals("gid") {
        guard let id = Self.number(value).flatMap(UInt32.init(exactly:)) else { throw .EINVAL }
        gid = id
      } else {
        throw .EINVAL
      }
    }
    text = shown.bytes
  }

  private static func separate(_ text: inout TextBuffer) { if text.count > 0 { text.append(",") } }

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
