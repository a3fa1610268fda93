public import LinuxABI

/// One entry of the auxiliary vector. See getauxval(3).
public struct AuxiliaryEntry: Equatable, Sendable {
  public enum Value: Equatable, Sendable {
    case number(UInt64)
    /// The address of the sixteen random bytes.
    case randomBytes
    /// The address of the executable's path.
    case executablePath
    /// The address of the platform's name.
    case platform
  }

  /// AT_PHDR and the like, see ``LinuxABI/AuxiliaryVector``.
  public var key: UInt64
  public var value: Value

  public init(_ key: UInt64, _ value: Value) {
    self.key = key
    self.value = value
  }

  public init(_ key: UInt64, _ number: UInt64) {
    self.init(key, .number(number))
  }
}

/// The stack that a program starts with: strings at the top, and below them the vectors that the C library reads.
///
/// From the top down, as Linux lays it out (System V ABI AMD64 3.4.1, fs/exec.c, fs/binfmt_elf.c): eight zero bytes, the
/// path of the executable, the environment, the arguments, a gap, the platform's name, sixteen random bytes, the
/// auxiliary vector, the pointers to the environment and to the arguments, and their count at the stack pointer.
public struct InitialStack: Sendable {
  /// What the stack holds.
  public struct Contents: Sendable {
    public var arguments: [[UInt8]]
    public var environment: [[UInt8]]
    /// What AT_EXECFN names: the path as it was given to execve(2).
    public var executablePath: [UInt8]
    public var platform: [UInt8]
    /// The vector without its end (AT_NULL).
    public var auxiliaryVector: [AuxiliaryEntry]
    /// Sixteen bytes (AT_RANDOM).
    public var randomBytes: [UInt8]
    /// How many bytes to leave unused below the strings, to make the stack pointer harder to guess.
    public var gap: UInt64

    public init(
      arguments: [[UInt8]], environment: [[UInt8]], executablePath: [UInt8], platform: [UInt8],
      auxiliaryVector: [AuxiliaryEntry], randomBytes: [UInt8], gap: UInt64 = 0
    ) {
      self.arguments = arguments
      self.environment = environment
      self.executablePath = executablePath
      self.platform = platform
      self.auxiliaryVector = auxiliaryVector
      self.randomBytes = randomBytes
      self.gap = gap
    }
  }

  /// The longest string with its NUL (MAX_ARG_STRLEN).
  public static var maximumStringSize: Int { 131072 }

  /// The bytes from ``stackPointer`` to the top.
  public let bytes: [UInt8]

  /// The stack pointer at the program's entry, a multiple of 16. The count of arguments stands there.
  public let stackPointer: UInt64

  /// Where the strings of the arguments stand, for /proc/self/cmdline.
  public let argumentStrings: Range<UInt64>

  /// Where the strings of the environment stand, for /proc/self/environ.
  public let environmentStrings: Range<UInt64>

  /// Where the auxiliary vector stands, its end included, for /proc/self/auxv.
  public let auxiliaryVector: Range<UInt64>

  /// Lays out the stack.
  ///
  /// - Parameters:
  ///   - contents: what to put there. Without any argument, there is an empty one, as in Linux since 5.18. A string ends
  ///     at its first NUL.
  ///   - top: the address behind the stack, a multiple of 16.
  ///   - limit: how many bytes it may take; Linux allows a quarter of RLIMIT_STACK, and 6 MiB at most.
  /// - Throws: `E2BIG` when a string or all of it is too long.
  public init(_ contents: Contents, top: UInt64, limit: UInt64) throws(Errno) {
    precondition(top & 15 == 0 && contents.randomBytes.count == 16)
    let arguments = contents.arguments.isEmpty ? [[]] : contents.arguments
    var strings = Strings(limit: limit)
    try strings.append(arguments)
    try strings.append(contents.environment)
    try strings.append([contents.executablePath])

    let words = 1 + arguments.count + 1 + contents.environment.count + 1 + 2 * (contents.auxiliaryVector.count + 1)
    let stringsSize = UInt64(strings.bytes.count) + 8
    let (fixedSize, overflow) =
      (UInt64(words) * 8 + stringsSize + UInt64(contents.platform.count) + 64).addingReportingOverflow(contents.gap)
    guard !overflow, fixedSize <= limit, fixedSize <= top else { throw .E2BIG }

    let stringsStart = top - stringsSize
    let platform = ((stringsStart - contents.gap) & ~15) - UInt64(contents.platform.count + 1)
    let random = platform - 16
    let stackPointer = (random - UInt64(words) * 8) & ~15
    self.stackPointer = stackPointer

    var output = StackOutput(count: Int(top - stackPointer))
    output.append(UInt64(arguments.count))
    let environmentStart = output.appendPointers(strings.sizes[..<arguments.count], from: stringsStart)
    // The path of the executable has no pointer among these, but one in the auxiliary vector.
    let executablePath = output.appendPointers(
      strings.sizes[arguments.count..<strings.sizes.count - 1], from: environmentStart)
    let vectorStart = stackPointer + UInt64(output.position)
    for entry in contents.auxiliaryVector {
      output.append(entry.key)
      switch entry.value {
      case .number(let number): output.append(number)
      case .randomBytes: output.append(random)
      case .executablePath: output.append(executablePath)
      case .platform: output.append(platform)
      }
    }
    output.append(AuxiliaryVector.AT_NULL)
    output.append(0)
    let vectorEnd = stackPointer + UInt64(output.position)
    output.position = Int(random - stackPointer)
    output.append(contents.randomBytes)
    output.append(contents.platform)
    output.position = Int(stringsStart - stackPointer)
    output.append(strings.bytes)

    bytes = output.bytes
    argumentStrings = stringsStart..<environmentStart
    environmentStrings = environmentStart..<executablePath
    auxiliaryVector = vectorStart..<vectorEnd
  }

  /// Strings one after the other, each with its NUL.
  private struct Strings {
    let limit: UInt64
    var bytes: [UInt8] = []
    /// The bytes of each, the NUL included.
    var sizes: [Int] = []

    init(limit: UInt64) { self.limit = limit }

    mutating func append(_ strings: [[UInt8]]) throws(Errno) {
      for string in strings {
        let text = string.prefix { $0 != 0 }
        guard text.count < InitialStack.maximumStringSize, UInt64(bytes.count + text.count) < limit else {
          throw .E2BIG
        }
        bytes += text
        bytes.append(0)
        sizes.append(text.count + 1)
      }
    }
  }
}
