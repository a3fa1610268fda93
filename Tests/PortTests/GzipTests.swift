import CZlib
import Foundation
import Testing

/// Compresses with the machine's own gzip.
private func gzip(_ bytes: [UInt8]) throws -> [UInt8] {
  let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
  try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  defer { try? FileManager.default.removeItem(at: folder) }
  let input = folder.appendingPathComponent("a")
  try Data(bytes).write(to: input)
  let process = Process()
  process.executableURL = URL(fileURLWithPath: "/bin/gzip")
  process.arguments = ["-9", "-n", input.path]
  try process.run()
  process.waitUntilExit()
  return [UInt8](try Data(contentsOf: folder.appendingPathComponent("a.gz")))
}

private func inflate(_ input: [UInt8], room: Int = 1 << 20) -> (result: Int, output: [UInt8]) {
  var output = [UInt8](repeating: 0xee, count: max(room, 1))
  var size = 0
  let result = output.withUnsafeMutableBytes { czlib_inflate_gzip(input, input.count, $0.baseAddress, room, &size) }
  #expect(size <= room)
  return (Int(result), Array(output.prefix(size)))
}

@Suite struct Gzip {
  private let data = (0..<200_000).map { UInt8(truncatingIfNeeded: $0 &* $0 >> 7) }

  @Test func inflatesOneMember() throws {
    let packed = try gzip(data)
    #expect(czlib_is_gzip(packed, packed.count) != 0)
    #expect(czlib_gzip_size_hint(packed, packed.count) == 200_000)
    #expect(inflate(packed) == (0, data))
    #expect(inflate(packed, room: data.count) == (0, data))
  }

  @Test func inflatesSeveralMembersAndNothing() throws {
    let packed = try gzip(data) + gzip([]) + [0, 0, 0] + gzip([1, 2, 3]) + [UInt8](repeating: 0, count: 600)
    #expect(inflate(packed) == (0, data + [1, 2, 3]))
    #expect(inflate(try gzip([]), room: 0) == (0, []))
  }

  @Test func tellsWhatIsWrong() throws {
    let packed = try gzip(data)
    #expect(inflate(packed, room: data.count - 1).result == Int(CZLIB_OUTPUT_FULL.rawValue))
    #expect(inflate(packed, room: 0).result == Int(CZLIB_OUTPUT_FULL.rawValue))
    #expect(inflate(packed + [1]).result == Int(CZLIB_CORRUPT.rawValue))
    #expect(inflate([]).result == Int(CZLIB_TRUNCATED.rawValue))
    #expect(inflate([0x1f]).result == Int(CZLIB_TRUNCATED.rawValue))
    #expect(inflate(Array("070701".utf8)).result == Int(CZLIB_NOT_GZIP.rawValue))
    for offset in [packed.count - 8, packed.count - 4, packed.count / 2] {
      var damaged = packed
      damaged[offset] ^= 0x55
      #expect(inflate(damaged).result == Int(CZLIB_CORRUPT.rawValue))
    }
    for count in stride(from: 2, to: packed.count, by: 101) {
      #expect(inflate(Array(packed.prefix(count))).result == Int(CZLIB_TRUNCATED.rawValue))
    }
  }
}
