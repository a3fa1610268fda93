public import LinuxABI
internal import Support

/// Why a file cannot be loaded as a program.
public enum ELFError: Error, Equatable, Sendable {
  // The file as such.
  case empty
  case notELF
  case truncatedHeader
  case truncatedProgramHeaders

  // The ELF header. Numbers are those of the header's field.
  case unknownClass(UInt8)
  case unknownByteOrder(UInt8)
  case unknownVersion(UInt8)
  case thirtyTwoBit(machine: UInt16)
  case bigEndian(machine: UInt16)
  case wrongMachine(UInt16)
  case notExecutable(type: UInt16)
  case wrongProgramHeaderSize(UInt16)
  case noProgramHeaders
  case tooManyProgramHeaders(UInt16)
  case entryOutOfReach(UInt64)

  // The segments. Numbers are positions in the program header table.
  case noSegments
  case segmentWraps(Int)
  case segmentSizes(Int)
  case segmentOutsideFile(Int)
  case segmentInKernelSpace(Int)
  case segmentTooLow(Int)
  case segmentMisaligned(Int)
  case segmentOutOfOrder(Int)
  case segmentsOverlap(Int)
  case tooLarge

  // The path of the interpreter.
  case interpreterOutsideFile
  case interpreterEmpty
  case interpreterTooLong
  case interpreterUnterminated
}

extension ELFError {
  /// What the file is to the program that execve(2) starts.
  public enum Role: Sendable {
    case program
    /// The dynamic loader that the program names in PT_INTERP.
    case interpreter
  }

  /// The error that execve(2) gives for it on Linux 6 (fs/binfmt_elf.c).
  ///
  /// Linux does not look at some of these, and the program then dies by a signal: segments that overlap, are out of
  /// order, or lie outside of the file. They are format errors here.
  public func errno(for role: Role) -> Errno {
    switch self {
    case .empty, .truncatedHeader: role == .interpreter ? .EIO : .ENOEXEC
    case .segmentWraps, .segmentSizes, .segmentInKernelSpace, .segmentMisaligned, .noSegments, .entryOutOfReach:
      .EINVAL
    case .segmentTooLow: .EPERM
    case .tooLarge: .ENOMEM
    case .interpreterOutsideFile: .EIO
    default: role == .interpreter ? .ELIBBAD : .ENOEXEC
    }
  }

  /// One line without its end: `FILE: ELF executable is for another machine (EM_AARCH64)`.
  public func message(file: [UInt8]) -> [UInt8] {
    var text = TextBuffer()
    text.append(bytes: file)
    text.append(": ")
    describe(in: &text)
    return text.bytes
  }

  private func describe(in text: inout TextBuffer) {
    switch self {
    case .empty: text.append("the file is empty")
    case .notELF: text.append("not an ELF executable")
    case .truncatedHeader: text.append("ELF executable is cut off inside of its header")
    case .truncatedProgramHeaders: text.append("ELF executable is cut off inside of its program headers")
    case .unknownClass(let value): text.append("ELF executable is of an unknown class", value)
    case .unknownByteOrder(let value): text.append("ELF executable is of an unknown byte order", value)
    case .unknownVersion(let value): text.append("ELF executable is of an unknown version", value)
    case .thirtyTwoBit(let machine):
      text.append("ELF executable is a 32-bit program (")
      text.append(bytes: ELFMachine.name(machine))
      text.append(")")
    case .bigEndian(let machine):
      text.append("ELF executable is big-endian (")
      text.append(bytes: ELFMachine.name(machine))
      text.append(")")
    case .wrongMachine(let machine):
      text.append("ELF executable is for another machine (")
      text.append(bytes: ELFMachine.name(machine))
      text.append(")")
    case .notExecutable(let type):
      switch type {
      case 1: text.append("ELF file is a relocatable object (ET_REL), not an executable")
      case 4: text.append("ELF file is a core dump (ET_CORE), not an executable")
      default: text.append("ELF file is no executable: e_type", type)
      }
    case .wrongProgramHeaderSize(let size): text.append("ELF executable has program headers of a wrong size", size)
    case .noProgramHeaders: text.append("ELF executable has no program headers")
    case .tooManyProgramHeaders(let count): text.append("ELF executable has too many program headers", count)
    case .entryOutOfReach(let address):
      text.append("ELF executable's entry point lies in kernel space (")
      text.append(address: UInt(address))
      text.append(")")
    case .noSegments: text.append("ELF executable has no segment to load")
    case .segmentWraps(let index): text.append("ELF executable's segment wraps around", segment: index)
    case .segmentSizes(let index):
      text.append("ELF executable's segment has more bytes in the file than in memory", segment: index)
    case .segmentOutsideFile(let index):
      text.append("ELF executable is cut off: a segment lies outside of the file", segment: index)
    case .segmentInKernelSpace(let index): text.append("ELF executable's segment lies in kernel space", segment: index)
    case .segmentTooLow(let index): text.append("ELF executable's segment lies below 64 KiB", segment: index)
    case .segmentMisaligned(let index):
      text.append("ELF executable's segment has an address that does not match its file offset", segment: index)
    case .segmentOutOfOrder(let index):
      text.append("ELF executable's segments are not in the order of their addresses", segment: index)
    case .segmentsOverlap(let index): text.append("ELF executable's segments overlap", segment: index)
    case .tooLarge: text.append("ELF executable does not fit into the address space")
    case .interpreterOutsideFile:
      text.append("ELF executable is cut off: its interpreter's name lies outside of the file")
    case .interpreterEmpty: text.append("ELF executable's interpreter has no name")
    case .interpreterTooLong: text.append("ELF executable's interpreter has a name longer than 4095 bytes")
    case .interpreterUnterminated: text.append("ELF executable's interpreter has a name without an end")
    }
  }
}

extension TextBuffer {
  fileprivate mutating func append(_ text: StaticString, _ number: some FixedWidthInteger) {
    append(text)
    append(" (")
    append(decimal: UInt(truncatingIfNeeded: number))
    append(")")
  }

  fileprivate mutating func append(_ text: StaticString, segment index: Int) {
    append(text)
    append(" (program header ")
    append(decimal: index)
    append(")")
  }
}
