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
      result = annotate(line, try resolver!.frames(at: address))
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
func annotate(_ line: ArraySlice<UInt8>, _ frames: [SourceFrame]) -> [UInt8] {
  guard let first = frames.first else { return Array(line) }
  let text = line.prefix { $0 != UInt8(ascii: "\r") && $0 != UInt8(ascii: "\n") }
  let end = line.dropFirst(text.count)
  var result = Array(text)
  result += " \(first)".utf8
  result += end
  let indent = String(repeating: " ", count: text.prefix { $0 == UInt8(ascii: " ") }.count + 3)
  for frame in frames.dropFirst() {
    result += "\(indent)inlined into \(frame)".utf8
    result += end.isEmpty ? ArraySlice([UInt8(ascii: "\n")]) : end
  }
  return result
}

/// A frame of a report's backtrace: `#N 0x…`.
struct ReportLine: Equatable {
  let address: UInt64
  private let isReturnAddress: Bool

  /// The address to look up. That of frame 0 is exact; the others are behind a call, which may be the last
  /// instruction of its line or function.
  var lookupAddress: UInt64 { isReturnAddress ? address &- 1 : address }

  /// Reads `#0 0x7f8000123456 …`; `nil` for any other line.
  init?(_ line: ArraySlice<UInt8>) {
    let words = line.split { $0 <= UInt8(ascii: " ") || $0 == UInt8(ascii: ":") }
      .map { String(decoding: $0, as: UTF8.self) }
    guard let index = words.firstIndex(where: { $0.utf8.first == UInt8(ascii: "#") }), index + 1 < words.count,
      let number = UInt(words[index].dropFirst()), words[index + 1].hasPrefix("0x"),
      let address = UInt64(words[index + 1].dropFirst(2), radix: 16)
    else { return nil }
    self.address = address
    isReturnAddress = number > 0
  }
}

/// A place in the source, one of several for an address when functions were inlined.
struct SourceFrame: Equatable, CustomStringConvertible {
  /// The function's name, demangled.
  let function: String
  /// `FILE:LINE[:COLUMN]`, as far as it is known.
  let place: String?

  init(symbol: String, place: String) {
    function = demangledSwiftName(symbol) ?? symbol
    // Code that no line stands for has line 0, or is in no file at all.
    let file = place.split(separator: ":", maxSplits: 1).first ?? ""
    if file == "??" || file.hasSuffix("<compiler-generated>") {
      self.place = nil
    } else {
      self.place = [":0:0", ":0", ":?"].contains(String(place.dropFirst(file.count))) ? String(file) : place
    }
  }

  var description: String { place.map { "\(function) at \($0)" } ?? function }
}
