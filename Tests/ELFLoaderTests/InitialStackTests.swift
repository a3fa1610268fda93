import LinuxABI
import Testing

@testable import ELFLoader

@Suite struct InitialStackTests {
  private let top: UInt64 = 0x7f7f_ffff_f000
  private let random = [UInt8](100..<116)

  private func contents(_ arguments: [String], _ environment: [String] = [], gap: UInt64 = 0) -> InitialStack.Contents {
    InitialStack.Contents(
      arguments: arguments.map { Array($0.utf8) }, environment: environment.map { Array($0.utf8) },
      executablePath: Array("/bin/prog".utf8), platform: Array("x86_64".utf8),
      auxiliaryVector: [
        AuxiliaryEntry(AuxiliaryVector.AT_PAGESZ, 4096), AuxiliaryEntry(AuxiliaryVector.AT_RANDOM, .randomBytes),
        AuxiliaryEntry(AuxiliaryVector.AT_EXECFN, .executablePath),
        AuxiliaryEntry(AuxiliaryVector.AT_PLATFORM, .platform),
      ], randomBytes: random, gap: gap)
  }

  /// Reads the stack as a C library does.
  private struct Reader {
    let stack: InitialStack

    func word(_ address: UInt64) -> UInt64 {
      let start = Int(address - stack.stackPointer)
      return (0..<8).reduce(0) { $0 | UInt64(stack.bytes[start + $1]) << UInt64(8 * $1) }
    }

    func string(_ address: UInt64) -> String {
      let start = Int(address - stack.stackPointer)
      return String(decoding: stack.bytes[start...].prefix { $0 != 0 }, as: UTF8.self)
    }

    /// The strings of a vector of pointers, and the address behind its end.
    func strings(at address: UInt64) -> ([String], UInt64) {
      var result: [String] = []
      var at = address
      while word(at) != 0 {
        result.append(string(word(at)))
        at += 8
      }
      return (result, at + 8)
    }

    func bytes(_ range: Range<UInt64>) -> [UInt8] {
      Array(stack.bytes[Int(range.lowerBound - stack.stackPointer)..<Int(range.upperBound - stack.stackPointer)])
    }
  }

  @Test(arguments: 0..<20)
  func isReadableAsLinuxLaysItOut(count: Int) throws {
    let arguments = ["prog"] + (0..<count).map { "argument \($0)" }
    let environment = (0..<count / 3).map { "K\($0)=V" }
    let stack = try InitialStack(contents(arguments, environment, gap: UInt64(count * 48)), top: top, limit: 1 << 20)
    let reader = Reader(stack: stack)
    #expect(stack.stackPointer % 16 == 0)
    #expect(UInt64(stack.bytes.count) == top - stack.stackPointer)
    #expect(reader.word(stack.stackPointer) == UInt64(arguments.count))
    let (readArguments, environmentStart) = reader.strings(at: stack.stackPointer + 8)
    let (readEnvironment, vectorStart) = reader.strings(at: environmentStart)
    #expect(readArguments == arguments)
    #expect(readEnvironment == environment)
    #expect(stack.auxiliaryVector == vectorStart..<vectorStart + 5 * 16)

    #expect(reader.word(vectorStart) == AuxiliaryVector.AT_PAGESZ && reader.word(vectorStart + 8) == 4096)
    let randomAddress = reader.word(vectorStart + 24)
    #expect(reader.bytes(randomAddress..<randomAddress + 16) == random)
    let executablePath = reader.word(vectorStart + 40)
    #expect(reader.string(executablePath) == "/bin/prog")
    let platform = reader.word(vectorStart + 56)
    #expect(reader.string(platform) == "x86_64")
    #expect(reader.word(vectorStart + 64) == 0 && reader.word(vectorStart + 72) == 0)

    // From the bottom up: random bytes, platform, gap, arguments, environment, path, eight zero bytes.
    #expect(vectorStart + 80 <= randomAddress && randomAddress + 16 == platform)
    #expect(platform + 7 + UInt64(count * 48) <= stack.argumentStrings.lowerBound)
    #expect(stack.argumentStrings.upperBound == stack.environmentStrings.lowerBound)
    #expect(stack.environmentStrings.upperBound == executablePath)
    #expect(executablePath + 10 + 8 == top)
    #expect(reader.bytes(stack.argumentStrings) == arguments.flatMap { Array($0.utf8) + [0] })
    #expect(reader.bytes(stack.environmentStrings) == environment.flatMap { Array($0.utf8) + [0] })
  }

  @Test func givesAnEmptyArgumentWhenThereIsNone() throws {
    let stack = try InitialStack(contents([]), top: top, limit: 1 << 20)
    let reader = Reader(stack: stack)
    #expect(reader.word(stack.stackPointer) == 1)
    #expect(reader.strings(at: stack.stackPointer + 8).0 == [""])
  }

  @Test func refusesWhatIsTooBig() throws {
    let longest = String(repeating: "x", count: InitialStack.maximumStringSize - 1)
    #expect(throws: Never.self) { try InitialStack(contents([longest]), top: top, limit: 1 << 20) }
    #expect(throws: Errno.E2BIG) { try InitialStack(contents([longest + "x"]), top: top, limit: 1 << 20) }
    #expect(throws: Errno.E2BIG) { try InitialStack(contents([longest]), top: top, limit: 1 << 17) }
    #expect(throws: Errno.E2BIG) {
      try InitialStack(contents([], Array(repeating: "", count: 20000)), top: top, limit: 1 << 17)
    }
    #expect(throws: Errno.E2BIG) { try InitialStack(contents(["x"], gap: .max), top: top, limit: 1 << 20) }
    #expect(throws: Errno.E2BIG) { try InitialStack(contents(["x"]), top: 16, limit: 1 << 20) }
  }

  @Test func endsStringsAtNul() throws {
    let stack = try InitialStack(contents(["a\0b", "c"]), top: top, limit: 1 << 20)
    #expect(Reader(stack: stack).strings(at: stack.stackPointer + 8).0 == ["a", "c"])
  }
}
