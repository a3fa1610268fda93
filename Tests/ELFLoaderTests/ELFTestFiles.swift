import Foundation

@testable import ELFLoader

/// The bytes of a file of this machine.
func file(_ path: String) throws -> [UInt8] { [UInt8](try Data(contentsOf: URL(fileURLWithPath: path))) }

/// Compiles a small C program and returns the executable's bytes.
func compile(_ flags: [String], source: String = "int counter[5000]; int main(void) { return counter[1]; }") throws
  -> [UInt8]
{
  let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
  try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  defer { try? FileManager.default.removeItem(at: folder) }
  let input = folder.appendingPathComponent("a.c")
  let output = folder.appendingPathComponent("a")
  try Data(source.utf8).write(to: input)
  let process = Process()
  process.executableURL = URL(fileURLWithPath: "/usr/bin/gcc")
  process.arguments = ["-O1", "-o", output.path, input.path] + flags
  try process.run()
  process.waitUntilExit()
  return try file(output.path)
}

/// Plans a whole file, as the kernel does: the headers from its first page, the rest where they point.
func plan(_ bytes: [UInt8]) throws(ELFError) -> LoadPlan {
  let start = Array(bytes.prefix(4096))
  let header = try ELFFileHeader(parsing: start.span.bytes, fileSize: UInt64(bytes.count))
  let range = header.programHeaderTable
  let table = Array(bytes[Int(range.lowerBound)..<Int(range.upperBound)])
  return try LoadPlan(header, programHeaders: table.span.bytes)
}

func fault(in bytes: [UInt8]) -> ELFError? {
  do throws(ELFError) {
    _ = try plan(bytes)
    return nil
  } catch {
    return error
  }
}

/// Makes the bytes of a 64-bit ELF file from its headers, filled up to `size`.
struct ELFImage {
  var elfClass: UInt8 = 2
  var byteOrder: UInt8 = 1
  var version: UInt8 = 1
  var type: UInt16 = 3
  var machine: UInt16 = 62
  var entry: UInt64 = 0x1000
  var tableOffset: UInt64 = 64
  var headerSize: UInt16 = 56
  var count: UInt16?
  var programHeaders = [
    ELFProgramHeader(
      type: ELFProgramHeader.PT_LOAD, flags: 5, offset: 0, virtualAddress: 0, fileSize: 0x1800, memorySize: 0x1800,
      alignment: 0x1000)
  ]
  var size = 0x4000

  var bytes: [UInt8] {
    var output: [UInt8] = [0x7f, 0x45, 0x4c, 0x46, elfClass, byteOrder, version] + [UInt8](repeating: 0, count: 9)
    func append(_ value: UInt64, _ count: Int, _ output: inout [UInt8]) {
      let little = (0..<count).map { UInt8(truncatingIfNeeded: value >> UInt64(8 * $0)) }
      output += byteOrder == 2 ? little.reversed() : little
    }
    append(UInt64(type), 2, &output)
    append(UInt64(machine), 2, &output)
    append(1, 4, &output)
    let word = elfClass == 1 ? 4 : 8
    append(entry, word, &output)
    append(tableOffset, word, &output)
    append(0, word, &output)
    append(0, 4, &output)
    append(64, 2, &output)
    append(UInt64(headerSize), 2, &output)
    append(UInt64(count ?? UInt16(programHeaders.count)), 2, &output)
    append(64, 2, &output)
    append(0, 2, &output)
    append(0, 2, &output)
    output += [UInt8](repeating: 0, count: max(0, Int(min(tableOffset, 1 << 20)) - output.count))
    for header in programHeaders {
      append(UInt64(header.type), 4, &output)
      append(UInt64(header.flags), 4, &output)
      for field in [
        header.offset, header.virtualAddress, header.virtualAddress, header.fileSize, header.memorySize,
        header.alignment,
      ] {
        append(field, 8, &output)
      }
    }
    output += [UInt8](repeating: 0, count: max(0, size - output.count))
    return output
  }
}
