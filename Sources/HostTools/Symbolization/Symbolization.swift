//===----------------------------------------------------------------------===//
// Symbolization: turns the addresses of a kernel panic's report into names and lines.
//
// `ReportLine` finds the address of a frame, `KernelImage` says which part of the image it is, and an
// `AddressResolver` (llvm-symbolizer, or addr2line of binutils) looks it up. `annotate` joins them, line by line, so
// that a live console can be piped through.
//
// Neighbours: `HostSystem` below; the executable `Symbolize` above.
//===----------------------------------------------------------------------===//
internal import HostSystem

/// Copies a report from standard input to standard output, and puts names behind the addresses of the kernel.
///
/// - Parameter image: the kernel with its symbols (`.dbg`).
/// - Throws: `ToolError` or `SystemError`, when the image or the symbolizer cannot be used, or the output fails.
public func symbolizeStandardInput(image: String) throws {
  let kernel = try KernelImage(Path(image))
  var resolver: (any AddressResolver)?
  var pending: [UInt8] = []
  var buffer = [UInt8](repeating: 0, count: 1 << 16)
  let input = Descriptor.standardInput
  let output = Descriptor.standardOutput

  func emit(_ line: ArraySlice<UInt8>) throws {
    var result = Array(line)
    if let found = ReportLine(line), let address = kernel.imageAddress(of: found.lookupAddress) {
      if resolver == nil { resolver = try makeResolver(for: image) }
      result = annotate(line, try resolver!.frames(at: address), marksInline: found.isFrame)
    }
    try writeAll(result, to: output, named: "standard output")
  }

  while true {
    let count = try input.read(into: &buffer, named: "standard input")
    if count == 0 { break }
    pending += buffer[..<count]
    // A line is looked at when it is complete; the console's text may come in pieces.
    while let end = pending.firstIndex(of: UInt8(ascii: "\n")) {
      try emit(pending[...end])
      pending.removeFirst(end + 1)
    }
  }
  if !pending.isEmpty { try emit(pending[...]) }
}

/// Puts the frames behind a line's own text, before its end; each further frame, into which the one before was
/// inlined, gets a line of its own.
func annotate(_ line: ArraySlice<UInt8>, _ frames: [SourceFrame], marksInline: Bool) -> [UInt8] {
  guard let first = frames.first else { return Array(line) }
  let text = line.prefix { $0 != UInt8(ascii: "\r") && $0 != UInt8(ascii: "\n") }
  let end = line.dropFirst(text.count)
  var result = Array(text)
  result += " \(first)".utf8
  result += end
  guard marksInline else { return result }
  let indent = String(repeating: " ", count: text.prefix { $0 == UInt8(ascii: " ") }.count + 3)
  for frame in frames.dropFirst() {
    result += "\(indent)inlined into \(frame)".utf8
    result += end.isEmpty ? ArraySlice([UInt8(ascii: "\n")]) : end
  }
  return result
}

/// A line of a report that holds an address of the program counter.
struct ReportLine: Equatable {
  let address: UInt64
  /// `#N`; the address of the innermost frame, 0, is exact, the others return behind a call.
  let isFrame: Bool
  private let isReturnAddress: Bool

  /// The address to look up: a return address may be the first of the next line or function.
  var lookupAddress: UInt64 { isReturnAddress ? address &- 1 : address }

  /// Reads `#0 0x7f8000123456 …` or a register line with `rip`; `nil` for any other line.
  init?(_ line: ArraySlice<UInt8>) {
    let words = line.split { $0 <= UInt8(ascii: " ") || "=:,".utf8.contains($0) }
      .map { String(decoding: $0, as: UTF8.self) }
    if let index = words.firstIndex(where: { $0.utf8.first == UInt8(ascii: "#") }),
      let number = UInt(words[index].dropFirst()), index + 1 < words.count,
      let address = Self.number(words[index + 1])
    {
      self.address = address
      isFrame = true
      isReturnAddress = number > 0
    } else if let index = words.firstIndex(where: { ["rip", "RIP"].contains($0) }), index + 1 < words.count,
      let address = Self.number(words[index + 1])
    {
      self.address = address
      isFrame = false
      isReturnAddress = false
    } else {
      return nil
    }
  }

  private static func number(_ word: String) -> UInt64? {
    word.hasPrefix("0x") ? UInt64(word.dropFirst(2), radix: 16) : nil
  }
}

/// A place in the source, one of several for an address when functions were inlined.
struct SourceFrame: Equatable, CustomStringConvertible {
  /// The function's name, demangled.
  let function: String
  /// `FILE:LINE[:COLUMN]`, if it is known.
  let place: String?

  init(symbol: String, place: String) {
    function = demangledSwiftName(symbol) ?? symbol
    self.place = place.hasPrefix("??") ? nil : place
  }

  var description: String { place.map { "\(function) at \($0)" } ?? function }
}
