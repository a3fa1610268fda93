internal import Support

/// Turns the words of a command line into values of declared parameters and the program's arguments.
struct CommandLineParser {
  var result: ParsedCommandLine

  private let declarations: [ParameterDeclaration]

  init(declarations: [ParameterDeclaration]) {
    self.declarations = declarations
    result = ParsedCommandLine(declarations: declarations)
  }

  mutating func parse(_ line: [UInt8]) {
    var text = line[...]
    if let end = text.firstIndex(of: 0) { text = text[..<end] }
    let appended = Self.cutAppendedDevices(from: &text)
    parse(CommandLineTokenizer.tokens(of: text))
    parseParameters(appended[...])
  }

  private mutating func parse(_ tokens: [CommandLineToken]) {
    if let open = tokens.last(where: { $0.isUnterminated }) {
      report(.error, open.bytes, "a quote is not closed")
      return
    }
    switch CommandLineSplit(tokens) {
    case .separator(let index):
      parseParameters(tokens[..<index])
      result.programArguments = tokens[(index + 1)...].map { $0.bytes }
    case .programOnly:
      result.programArguments = tokens.map { $0.bytes }
      if let first = tokens.first, declaration(named: Self.splitAtEquals(first).name) != nil {
        report(.warning, first.bytes, "taken as the program's name: kernel parameters need a -- behind them")
      }
    case .openList(let index):
      report(.error, tokens[index].bytes, "the list is not closed with ]")
    }
  }

  // MARK: - Where the program begins

  /// Takes the words `virtio_mmio.device=…` off the end of the line, and returns them in their order.
  ///
  /// This looks at the raw text: the monitor appends its words whatever state the user's quoting is in.
  private static func cutAppendedDevices(from text: inout ArraySlice<UInt8>) -> [CommandLineToken] {
    let prefix = ParameterDeclaration.virtioMMIODevice.name.bytes + [UInt8(ascii: "=")]
    let quoting: [UInt8] = [UInt8(ascii: "'"), UInt8(ascii: "\""), UInt8(ascii: "\\")]
    var devices: [CommandLineToken] = []
    while true {
      var rest = text
      while let last = rest.last, CommandLineTokenizer.isBlank(last) { rest.removeLast() }
      let start = (rest.lastIndex(where: CommandLineTokenizer.isBlank) ?? rest.startIndex - 1) + 1
      let word = rest[start...]
      guard word.starts(with: prefix), !word.contains(where: quoting.contains) else { break }
      devices.append(contentsOf: CommandLineTokenizer.tokens(of: word))
      text = rest[..<start]
    }
    devices.reverse()
    return devices
  }

  // MARK: - Parameters

  /// The name in front of the first `=`, and the index behind it when there is one.
  private static func splitAtEquals(_ token: CommandLineToken) -> (name: ArraySlice<UInt8>, value: Int?) {
    guard let index = token.equals else { return (token.bytes[...], nil) }
    return (token.bytes[..<index], index + 1)
  }

  private func declaration(named name: ArraySlice<UInt8>) -> Int? {
    declarations.firstIndex {
      $0.name.bytes.elementsEqual(name) || ($0.alias.map { $0.bytes.elementsEqual(name) } ?? false)
    }
  }

  private mutating func parseParameters(_ tokens: ArraySlice<CommandLineToken>) {
    var index = tokens.startIndex
    while index < tokens.endIndex {
      let token = tokens[index]
      index += 1
      let (name, valueStart) = Self.splitAtEquals(token)
      let parameter = declaration(named: name)
      if parameter == nil {
        report(.warning, token.bytes, "no such parameter, ignored")
      }
      if let valueStart, token.opensList {
        // The list runs to its end even when nobody declared the parameter: its values are no parameters.
        var values: [[UInt8]] = []
        var isOpen = !Self.appendListValue(token, from: valueStart + 1, to: &values)
        while isOpen, index < tokens.endIndex {
          isOpen = !Self.appendListValue(tokens[index], from: 0, to: &values)
          index += 1
        }
        if isOpen {
          report(.error, token.bytes, "the list is not closed with ]")
        }
        if let parameter { setList(parameter, token, values) }
      } else if let parameter {
        set(parameter, token, valueStart.map { [UInt8](token.bytes[$0...]) })
      }
    }
  }

  /// Takes one word of a list, and returns whether the list ends with it.
  private static func appendListValue(_ token: CommandLineToken, from start: Int, to values: inout [[UInt8]]) -> Bool {
    let closes = token.closesList
    let value = [UInt8](token.bytes[start..<(token.bytes.count - (closes ? 1 : 0))])
    // A bare bracket that stands alone is no value; an empty word that was quoted is one.
    let isBracketOnly = value.isEmpty && (closes || start > 0)
    if !isBracketOnly { values.append(value) }
    return closes
  }

  private mutating func setList(_ parameter: Int, _ token: CommandLineToken, _ values: [[UInt8]]) {
    guard case .list = declarations[parameter].kind else {
      report(.error, token.bytes, "takes one value, not a list")
      return
    }
    let equals = token.equals ?? token.bytes.endIndex
    for value in values {
      append(parameter, value, shownAs: token.bytes[..<equals] + [UInt8(ascii: "=")] + value)
    }
    if values.isEmpty, result.values[parameter] == nil { result.values[parameter] = .list([]) }
  }

  private mutating func set(_ parameter: Int, _ token: CommandLineToken, _ value: [UInt8]?) {
    switch declarations[parameter].kind {
    case .boolean:
      guard let flag = value.map(Self.boolean) ?? true else {
        report(.error, token.bytes, "not a boolean (true, on, yes, 1, false, off, no, 0)")
        return
      }
      result.values[parameter] = .boolean(flag)
    case .integer(let range):
      guard let value else {
        report(.error, token.bytes, "a number is missing (name=number)")
        return
      }
      switch ParameterInteger.parse(value[...]) {
      case .malformed:
        report(.error, token.bytes, "not a number (decimal, 0 for octal, 0x for hexadecimal)")
      case .outOfRange:
        report(.error, token.bytes, "the number is out of range", range)
      case .value(let number):
        guard range.contains(number) else {
          report(.error, token.bytes, "the number is out of range", range)
          return
        }
        result.values[parameter] = .integer(number)
      }
    case .choice(let words):
      guard let index = value.flatMap({ value in words.firstIndex { $0.bytes == value } }) else {
        let reason: StaticString = "must be one of "
        report(.error, token.bytes, reason.bytes + words.alternatives)
        return
      }
      result.values[parameter] = .choice(index)
    case .text(let check):
      guard let value else {
        report(.error, token.bytes, "a value is missing (name=value)")
        return
      }
      if passes(check, value, shownAs: token.bytes) { result.values[parameter] = .text(value) }
    case .list:
      guard let value else {
        report(.error, token.bytes, "a value is missing (name=value or name=[ value ... ])")
        return
      }
      append(parameter, value, shownAs: token.bytes)
    }
  }

  private mutating func append(_ parameter: Int, _ value: [UInt8], shownAs shown: [UInt8]) {
    guard case .list(let check) = declarations[parameter].kind, passes(check, value, shownAs: shown) else { return }
    var values: [[UInt8]] = []
    if case .list(let earlier) = result.values[parameter] { values = earlier }
    values.append(value)
    result.values[parameter] = .list(values)
  }

  private mutating func passes(_ check: ParameterCheck?, _ value: [UInt8], shownAs shown: [UInt8]) -> Bool {
    guard let check else { return true }
    do throws(ParameterFault) {
      try check(value)
      return true
    } catch {
      report(.error, shown, error.reason)
      return false
    }
  }

  private static func boolean(_ value: [UInt8]) -> Bool? {
    let yes: [StaticString] = ["true", "on", "yes", "1"]
    let no: [StaticString] = ["false", "off", "no", "0"]
    if yes.contains(where: { $0.bytes == value }) { return true }
    if no.contains(where: { $0.bytes == value }) { return false }
    return nil
  }

  // MARK: - Remarks

  private mutating func report(_ severity: CommandLineDiagnostic.Severity, _ token: [UInt8], _ reason: StaticString) {
    report(severity, token, reason.bytes)
  }

  private mutating func report(
    _ severity: CommandLineDiagnostic.Severity, _ token: [UInt8], _ reason: StaticString, _ range: ClosedRange<Int64>
  ) {
    let text =
      reason.bytes + (" (" as StaticString).bytes + ParameterInteger.text(range.lowerBound)
      + (" to " as StaticString).bytes + ParameterInteger.text(range.upperBound) + (")" as StaticString).bytes
    report(severity, token, text)
  }

  private mutating func report(_ severity: CommandLineDiagnostic.Severity, _ token: [UInt8], _ reason: [UInt8]) {
    result.diagnostics.append(CommandLineDiagnostic(severity: severity, token: token, reason: reason))
  }
}
