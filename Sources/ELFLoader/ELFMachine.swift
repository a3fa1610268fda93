internal import Support

/// The numbers of `e_machine` that a message names.
enum ELFMachine {
  static let amd64: UInt16 = 62

  /// The name in <elf.h>, or the number.
  static func name(_ machine: UInt16) -> [UInt8] {
    for entry in names where entry.number == machine { return entry.name.bytes }
    var text = TextBuffer()
    text.append("machine ")
    text.append(decimal: UInt(machine))
    return text.bytes
  }

  private static var names: [(number: UInt16, name: StaticString)] {
    [
      (0, "EM_NONE"), (2, "EM_SPARC"), (3, "EM_386"), (4, "EM_68K"), (6, "EM_IAMCU"), (8, "EM_MIPS"),
      (15, "EM_PARISC"), (18, "EM_SPARC32PLUS"), (20, "EM_PPC"), (21, "EM_PPC64"), (22, "EM_S390"), (40, "EM_ARM"),
      (42, "EM_SH"), (43, "EM_SPARCV9"), (50, "EM_IA_64"), (62, "EM_X86_64"), (83, "EM_AVR"), (93, "EM_ARC_COMPACT"),
      (94, "EM_XTENSA"), (164, "EM_QDSP6"), (183, "EM_AARCH64"), (189, "EM_MICROBLAZE"), (195, "EM_ARC_COMPACT2"),
      (243, "EM_RISCV"), (247, "EM_BPF"), (252, "EM_CSKY"), (258, "EM_LOONGARCH"), (0x9026, "EM_ALPHA"),
    ]
  }
}
