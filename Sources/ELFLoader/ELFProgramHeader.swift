// Names are spelled as in <elf.h>.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

/// One program header of a 64-bit ELF file. See elf(5).
public struct ELFProgramHeader: Equatable, Sendable {
  public var type: UInt32
  public var flags: UInt32
  public var offset: UInt64
  public var virtualAddress: UInt64
  public var fileSize: UInt64
  public var memorySize: UInt64
  public var alignment: UInt64

  public init(
    type: UInt32, flags: UInt32 = 0, offset: UInt64 = 0, virtualAddress: UInt64 = 0, fileSize: UInt64 = 0,
    memorySize: UInt64 = 0, alignment: UInt64 = 0
  ) {
    self.type = type
    self.flags = flags
    self.offset = offset
    self.virtualAddress = virtualAddress
    self.fileSize = fileSize
    self.memorySize = memorySize
    self.alignment = alignment
  }

  public static var PT_LOAD: UInt32 { 1 }
  public static var PT_INTERP: UInt32 { 3 }
  public static var PT_GNU_STACK: UInt32 { 0x6474_e551 }
  public static var PT_GNU_PROPERTY: UInt32 { 0x6474_e553 }

  public static var PF_X: UInt32 { 1 }
  public static var PF_W: UInt32 { 2 }
  public static var PF_R: UInt32 { 4 }
}
