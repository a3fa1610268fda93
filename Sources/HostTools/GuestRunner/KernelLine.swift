internal import Support

/// The kernel's command line: parameters of the runner in front of what the user wrote.
///
/// The grammar is the kernel's own: `[parameters] -- program arguments`, and without a `--` all of it is the program
/// and its arguments. The user's text is never changed, so its quotes mean what the user meant.
enum KernelLine {
  /// Puts `parameters` in front of the user's line.
  ///
  /// - Returns: `nil` when there is nothing to say.
  static func make(parameters: [String], user: String?) -> String? {
    let user = user ?? ""
    let isBlank = user.utf8.allSatisfy(CommandLineTokenizer.isBlank)
    if parameters.isEmpty { return isBlank ? nil : user }
    let front = parameters.joined(separator: " ")
    if isBlank { return front + " --" }
    return hasSeparator(user) ? "\(front) \(user)" : "\(front) -- \(user)"
  }

  /// True when the line has a bare `--` that separates parameters from the program.
  ///
  /// A `--` in a list that never ends counts: the kernel rejects such a line, and must see the same line to say so.
  static func hasSeparator(_ line: String) -> Bool {
    if case .programOnly = CommandLineSplit(CommandLineTokenizer.tokens(of: Array(line.utf8)[...])) { return false }
    return true
  }
}
