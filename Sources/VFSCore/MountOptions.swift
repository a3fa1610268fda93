internal import Kernel
public import LinuxABI
internal import Support

/// The options of mount(2) that are a file system's own, taken apart by a table of those that there are.
///
/// The table names them, with blanks between: `name` for one without a value, and `name=KIND` for others. The kinds are
/// `%u` and `%o` for a number of 32 bits (`%o` is octal in any case), `%k` for one with a suffix `k`, `m` or `g`, `%p` for
/// such a one or a percentage, `*` for any text, and else words with `|` between, one of which is the value. Numbers are
/// as everywhere in Linux: decimal, octal behind `0`, hexadecimal behind `0x`.
public struct MountOptions {
  /// The place in the table of the one that `next` found.
  public private(set) var place = 0
  /// Its number: for words the place among them, for a percentage the complement, 0 for text.
  public private(set) var number = 0
  /// What stands behind its `=`.
  public private(set) var value: ArraySlice<UInt8> = []

  private let text: [UInt8]
  private let table: [UInt8]
  private var position = 0
  private let environment: FileSystemEnvironment

  public init(_ text: [UInt8], _ table: StaticString, _ environment: FileSystemEnvironment) {
    self.text = text
    self.table = table.bytes
    self.environment = environment
  }

  /// Goes on to the next one. Commas stand between them, or behind a backslash for themselves.
  ///
  /// The environment's `rejectedOption` is this one until the next is asked for: it need not be said again what is wrong.
  ///
  /// - Returns: False behind the last.
  /// - Throws: `EINVAL` for what the table does not have, or not with such a value.
  @inline(never)
  public mutating func next() throws(Errno) -> Bool {
    while position < text.count {
      let start = position
      while position < text.count, text[position] != UInt8(ascii: ",") {
        position += text[position] == UInt8(ascii: "\\") ? 2 : 1
      }
      let end = min(position, text.count)
      position += 1
      if start == end { continue }
      environment.rejectedOption = [UInt8](text[start..<end])
      guard let kind = find(start, end), let found = number(of: kind) else { throw .EINVAL }
      number = found
      return true
    }
    environment.rejectedOption = []
    return false
  }

  /// Finds an option by its name.
  ///
  /// - Returns: Its kind, empty for one without a value; nil when there is none, or not with a value or without one.
  private mutating func find(_ start: Int, _ end: Int) -> ArraySlice<UInt8>? {
    place = 0
    var row = 0
    while row < table.count {
      var at = row
      var from = start
      while at < table.count, from < end, table[at] == text[from], table[at] != UInt8(ascii: "=") {
        at += 1
        from += 1
      }
      var last = at
      while last < table.count, table[last] != UInt8(ascii: " ") { last += 1 }
      // Either both names end here with a `=`, or both without.
      if at == last, from == end {
        value = []
        return []
      }
      if at < last, from < end, table[at] == UInt8(ascii: "="), text[from] == UInt8(ascii: "=") {
        value = text[(from + 1)..<end]
        return table[(at + 1)..<last]
      }
      row = last + 1
      place += 1
    }
    return nil
  }

  /// The number that `value` is as one of `kind`, 0 for text, nil for what is not of the kind.
  private func number(of kind: ArraySlice<UInt8>) -> Int? {
    if kind.isEmpty || kind.first == UInt8(ascii: "*") { return 0 }
    guard kind.first == UInt8(ascii: "%"), let letter = kind.last else {
      return kind.split(separator: UInt8(ascii: "|")).firstIndex { $0 == value }
    }
    let isSize = letter == UInt8(ascii: "k")
    let isShare = letter == UInt8(ascii: "p")
    if isShare, value.last == UInt8(ascii: "%") {
      let share = ParameterInteger.number(value[..<(value.endIndex - 1)], takesUnit: false)
      return share.flatMap { Int(exactly: $0) }.map { ~$0 }
    }
    let isWide = isSize || isShare
    let number = ParameterInteger.number(value, takesUnit: isWide, isOctal: letter == UInt8(ascii: "o"))
    guard let number, number <= (isWide ? UInt64(Int.max) : UInt64(UInt32.max)) else { return nil }
    return Int(number)
  }

  /// Whether the first option is one of the table's.
  public func beginAsTable() -> Bool {
    var copy = self
    let end = text.firstIndex(of: UInt8(ascii: ",")) ?? text.count
    return copy.find(0, end) != nil
  }
}
