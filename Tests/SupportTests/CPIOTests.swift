import Foundation
import Testing

@testable import Support

private struct Member: Equatable {
  var name: String
  var metadata: CPIOMetadata
  var data: [UInt8]
  var offset: Int
  var archive: Int
}

private func read(_ archive: [UInt8]) throws(CPIOError) -> [Member] {
  var reader = CPIOReader()
  var members: [Member] = []
  while let entry = try reader.next(in: archive.span.bytes) {
    members.append(
      Member(
        name: String(decoding: archive[entry.name], as: UTF8.self), metadata: entry.metadata,
        data: Array(archive[entry.data]), offset: entry.data.lowerBound, archive: entry.archive))
  }
  return members
}

private func fault(in archive: [UInt8]) -> CPIOError? {
  do throws(CPIOError) {
    _ = try read(archive)
    return nil
  } catch {
    return error
  }
}

private let file: UInt32 = 0o100644
private let directory: UInt32 = 0o040755

private func write(
  _ members: [(name: String, mode: UInt32, data: [UInt8])], alignment: Int = 4
) throws(CPIOError) -> [UInt8] {
  var writer = CPIOWriter()
  var bytes: [UInt8] = []
  for (index, member) in members.enumerated() {
    bytes += try writer.header(
      Array(member.name.utf8), CPIOMetadata(inode: UInt32(index + 1), mode: member.mode),
      dataSize: member.data.count, alignment: alignment)
    bytes += member.data
  }
  bytes += writer.trailer()
  #expect(writer.offset == bytes.count)
  return bytes
}

/// Runs a shell command in a new folder, feeds it `input` and returns what it wrote.
private func run(_ command: String, input: [UInt8] = []) throws -> (output: [UInt8], status: Int32) {
  let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
  try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  defer { try? FileManager.default.removeItem(at: folder) }
  try Data(input).write(to: folder.appendingPathComponent("input"))
  let process = Process()
  process.executableURL = URL(fileURLWithPath: "/bin/sh")
  process.arguments = ["-c", "mkdir work && cd work && (\(command)) <../input >../output"]
  process.currentDirectoryURL = folder
  try process.run()
  process.waitUntilExit()
  return ([UInt8](try Data(contentsOf: folder.appendingPathComponent("output"))), process.terminationStatus)
}

@Suite struct CPIOReading {
  @Test(arguments: ["newc", "crc"])
  func readsWhatGNUCpioWrites(format: String) throws {
    let (archive, status) = try run(
      """
      mkdir -p d/e; printf 'hello\\n' >d/a; ln d/a d/b; ln d/a d/c; ln -s ../a d/e/link; : >empty; mknod null c 1 3
      chmod 4755 d/a; touch -d @1000 d/a; find . | sort | cpio -o -H \(format) --quiet
      """)
    #expect(status == 0)
    let members = try read(archive)
    // cpio puts links off until the last of them, in an order of its own.
    #expect(members.map(\.name).sorted() == [".", "d", "d/a", "d/b", "d/c", "d/e", "d/e/link", "empty", "null"])
    let links = members[2...4]
    #expect(members.map(\.archive) == Array(repeating: 0, count: 9))
    #expect(links.allSatisfy { $0.metadata == members[2].metadata })
    #expect(members[2].metadata.mode == 0o104755)
    #expect(members[2].metadata.modificationTime == 1000)
    #expect(members[2].metadata.linkCount == 3)
    #expect(members[2].data == [] && members[3].data == [])
    #expect(members[4].data == Array("hello\n".utf8))
    #expect(members[6].data == Array("../a".utf8))
    #expect(members[7].data == [])
    #expect(members[8].metadata.specialMajor == 1 && members[8].metadata.specialMinor == 3)
  }

  @Test func readsSeveralArchives() throws {
    let first = try write([("a", file, [1])])
    let second = try write([("b", file, [2, 3])])
    let members = try read([0, 0, 0, 0] + first + [UInt8](repeating: 0, count: 8) + second)
    #expect(members.map(\.name) == ["a", "b"])
    #expect(members.map(\.data) == [[1], [2, 3]])
    #expect(members.map(\.archive) == [0, 1])
  }

  @Test func endsAtATrailerWithoutPadding() throws {
    let archive = try write([("a", file, [1])])
    let end = 112 + 4 + 110 + "TRAILER!!!".utf8.count + 1
    #expect(try read(Array(archive[..<end])).count == 1)
  }

  @Test func acceptsNamesWithSlashesAndDots() throws {
    let names = ["/a", "./b", "c//d", "...", "..e", "f..", "g/..h", "."]
    #expect(try read(write(names.map { ($0, file, []) })).map(\.name) == names)
  }

  @Test func namesTheFault() throws {
    let good = try write([("dir", directory, []), ("name", file, Array("content".utf8)), ("l", 0o120777, [0x78])])
    // The second member: its header is at 116, its name at 226, its data at 232.
    func changed(_ offset: Int, _ text: String) -> [UInt8] {
      var bytes = good
      bytes.replaceSubrange(offset..<offset + text.utf8.count, with: text.utf8)
      return bytes
    }
    #expect(fault(in: good) == nil)
    #expect(fault(in: []) == CPIOError(.empty, at: 0))
    #expect(fault(in: [0, 0, 0]) == CPIOError(.empty, at: 0))
    #expect(fault(in: Array("hello, world".utf8)) == CPIOError(.badMagic, at: 0))
    #expect(fault(in: Array("070707000".utf8)) == CPIOError(.otherFormat, at: 0))
    #expect(fault(in: [0xc7, 0x71, 0, 0, 0, 0, 0, 0]) == CPIOError(.otherFormat, at: 0))
    #expect(fault(in: [0x1f, 0x8b, 8, 0]) == CPIOError(.badMagic, at: 0))
    #expect(fault(in: Array("0707".utf8)) == CPIOError(.truncatedHeader, at: 0))
    #expect(fault(in: changed(116, "070703")) == CPIOError(.badMagic, at: 116))
    #expect(fault(in: changed(116 + 6, "0000x000")) == CPIOError(.badNumber, at: 116))
    #expect(fault(in: changed(116 + 14, "00000000")) == CPIOError(.unknownFileType, at: 116))
    #expect(fault(in: changed(116 + 54, "FFFFFFFF")) == CPIOError(.truncatedData, at: 116))
    #expect(fault(in: changed(116 + 94, "00000000")) == CPIOError(.nameEmpty, at: 116))
    #expect(fault(in: changed(116 + 94, "00001001")) == CPIOError(.nameTooLong, at: 116))
    #expect(fault(in: changed(116 + 94, "FFFFFFFF")) == CPIOError(.nameTooLong, at: 116))
    #expect(fault(in: changed(116 + 94, "00000F00")) == CPIOError(.truncatedName, at: 116))
    #expect(fault(in: changed(116 + 94, "00000004")) == CPIOError(.nameWithoutNul, at: 116))
    #expect(fault(in: changed(226, "\0")) == CPIOError(.nameEmpty, at: 116))
    #expect(fault(in: changed(226, "a/..")) == CPIOError(.nameWithParent, at: 116))
    #expect(fault(in: changed(226, "../a")) == CPIOError(.nameWithParent, at: 116))
    #expect(fault(in: changed(0, "070702")) == nil)
    #expect(fault(in: changed(116, "070702")) == CPIOError(.badChecksum, at: 116))
    #expect(fault(in: Array(good[..<116])) == CPIOError(.missingTrailer, at: 116))
    #expect(fault(in: good + [0, 0, 0, 1]) == CPIOError(.badMagic, at: good.count + 3))
    #expect(fault(in: good + [0] + good) == CPIOError(.unalignedHeader, at: good.count + 1))
    #expect(fault(in: try write([("l", 0o120777, [])])) == CPIOError(.badSymbolicLink, at: 0))
    #expect(
      fault(in: try write([("l", 0o120777, [UInt8](repeating: 0x78, count: 4096))]))
        == CPIOError(.badSymbolicLink, at: 0))
    #expect(
      String(decoding: CPIOError(.truncatedData, at: 116).message, as: UTF8.self)
        == "a member's data reaches beyond the end of the archive (at byte 116)")
  }

  @Test func rejectsEveryCut() throws {
    let good = try write([("dir", directory, []), ("dir/name", file, Array("content".utf8)), ("l", 0o120777, [0x78])])
    let trailer = "TRAILER!!!\0"
    let end = good.count - good.reversed().firstIndex(of: UInt8(ascii: "!"))! + 1
    #expect(good[(end - trailer.utf8.count)..<end].elementsEqual(trailer.utf8))
    for count in 0..<end {
      #expect(fault(in: Array(good[..<count])) != nil, "cut at \(count)")
    }
    #expect(fault(in: Array(good[..<end])) == nil)
  }
}

@Suite struct CPIOWriting {
  @Test func alignsDataWhereverTheMemberBegins() throws {
    for start in stride(from: 0, to: 4096, by: 4) {
      for length in [1, 2, 60, 255, 1000, 3000, 3976] {
        let name = [UInt8](repeating: UInt8(ascii: "n"), count: length)
        var writer = CPIOWriter(at: start)
        let bytes = try writer.header(name, CPIOMetadata(inode: 7, mode: file), dataSize: 1, alignment: 4096)
        #expect(writer.offset == start + bytes.count + 1)
        #expect((start + bytes.count) % 4096 == 0, "at \(start) with \(length)")
      }
    }
  }

  @Test func writesWhatItReads() throws {
    var generator = SystemRandomNumberGenerator()
    var members: [(name: String, mode: UInt32, data: [UInt8])] = [(".", directory, [])]
    for index in 0..<400 {
      let name = "f\(index)" + String(repeating: "x", count: Int.random(in: 0..<240, using: &generator))
      let size = Int.random(in: 0..<9000, using: &generator)
      members.append((name, file, [UInt8](repeating: UInt8(truncatingIfNeeded: index), count: size)))
    }
    let archive = try write(members, alignment: 4096)
    let entries = try read(archive)
    #expect(entries.allSatisfy { $0.data.isEmpty || $0.offset % 4096 == 0 })
    #expect(entries.filter { $0.name != "." }.map(\.name) == members.dropFirst().map(\.name))
    #expect(entries.filter { $0.name != "." }.map(\.data) == members.dropFirst().map(\.data))

    let listing = try run("cpio -t --quiet", input: archive)
    #expect(listing.status == 0)
    #expect(
      String(decoding: listing.output, as: UTF8.self).split(separator: "\n").map(String.init) == entries.map(\.name))
    let last = try #require(members.last)
    let extracted = try run("cpio -i --quiet && cat \(last.name) && ls | wc -l", input: archive)
    #expect(extracted.status == 0)
    #expect(extracted.output == last.data + Array("400\n".utf8))
  }

  @Test func refusesWhatTheFormatCannotSay() {
    var writer = CPIOWriter()
    let metadata = CPIOMetadata(inode: 1, mode: file)
    #expect(throws: CPIOError(.nameEmpty, at: 0)) { try writer.header([], metadata, dataSize: 0) }
    #expect(throws: CPIOError(.nameTooLong, at: 0)) {
      try writer.header([UInt8](repeating: 0x61, count: 4096), metadata, dataSize: 0)
    }
    #expect(throws: CPIOError(.tooLarge, at: 0)) { try writer.header([0x61], metadata, dataSize: 1 << 32) }
  }
}
