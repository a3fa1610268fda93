import HostSystem
import Testing
import ToolTesting

@testable import Symbolization

@Suite("Reports of a kernel panic")
struct SymbolizationTests {
  @Test(
    "The address of a line",
    arguments: [
      ("#0 0x7f8000123456", 0x7f80_0012_3456), ("  #1 0x7f8000123456 in x", 0x7f80_0012_3455),
      ("[panic] #12: 0x10\r\n", 0xf), ("rip 0x7f8000000010 rsp 0x20", nil),
      ("rip=0x7f8000000010 rsp=0x20", nil),
      ("#1 /lib/libc.so.6+0x12", nil), ("# 0x12", nil), ("#x 0x12", nil), ("0x7f8000123456", nil), ("", nil),
      ("#0", nil), ("#0 0xzz", nil), ("#99999999999999999999999 0x1", nil), ("#1 0x0", .max),
    ] as [(String, UInt64?)])
  func address(line: String, address: UInt64?) {
    #expect(ReportLine(Array(line.utf8)[...])?.lookupAddress == address)
  }

  @Test("Inlined frames get lines of their own")
  func annotation() {
    let frames = [
      SourceFrame(symbol: "$s4main3fooyyF", place: "a.swift:1:2"), SourceFrame(symbol: "bar", place: "??:0"),
    ]
    let text = Array("  #1 0x10\r\n".utf8)
    #expect(
      String(decoding: annotate(text[...], frames), as: UTF8.self)
        == "  #1 0x10 main.foo() -> () at a.swift:1:2\r\n     inlined into bar\r\n")
    #expect(annotate(text[...], []) == text)
  }

  @Test(
    "Places without a line lose it",
    arguments: [
      ("a.swift:1:2", "a.swift:1:2"), ("a.swift:0:0", "a.swift"), ("a.swift:0", "a.swift"),
      ("a.swift:10", "a.swift:10"),
      ("a.swift:?", "a.swift"), ("/<compiler-generated>:0:0", nil), ("??:0:0", nil), ("??:?", nil),
    ] as [(String, String?)])
  func place(text: String, place: String?) {
    #expect(SourceFrame(symbol: "f", place: text).place == place)
  }

  /// A program linked at the kernel's addresses, with a report on two of its functions.
  private func makeImage(_ directory: TemporaryDirectory, physical: String) throws -> (outer: UInt64, text: String) {
    let result = try directory.shell(
      """
      cat > m.swift <<'END'
      public struct Heap {
        var used = 0
        @inline(__always) mutating func take(_ n: Int) { precondition(n > 0); used &+= n }
        @inline(never) public mutating func allocate(_ n: Int) -> Int { take(n); return used }
      }
      END
      cat > m.ld <<'END'
      SECTIONS { . = 0x7f8000000000 + 0x200000; .text : AT(\(physical)) { *(.text*) } /DISCARD/ : { *(.eh_frame) } }
      END
      swiftc -parse-as-library -O -g -c m.swift -o m.o -module-name Memory &&
        ld -T m.ld --unresolved-symbols=ignore-all -e 0 m.o -o image 2> log || cat log
      nm image | sed -n 's/^0*\\([0-9a-f]*\\) T \\$s6Memory4HeapV8allocateyS2iF$/\\1/p'
      """)
    let address = UInt64(result.text.split(separator: "\n").last ?? "", radix: 16)
    return (try #require(address, "\(result.text)\(result.errors)"), result.text)
  }

  @Test("Swift functions get their names and lines", arguments: ["0x200000", "0x7f8000200000"])
  func image(physical: String) throws {
    let directory = try TemporaryDirectory()
    let address = try makeImage(directory, physical: physical).outer
    let frame = "0x" + String(address, radix: 16)
    let tool = shellQuoted(try toolPath("symbolize"))
    let report = "panic: x\n#0 \(frame)\n#1 0x7f80ffffffff\nuser #3 0x1234\nend"
    let result = try directory.shell("printf '\(report)' | \(tool) image")
    #expect(result.end == .exited(0) && result.errors == "")
    let lines = result.text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    #expect(lines[0] == "panic: x")
    #expect(
      lines[1].hasPrefix("#0 \(frame) Memory.Heap.allocate(Swift.Int) -> Swift.Int at m.swift:4")
        || lines[1].hasPrefix("#0 \(frame) Memory.Heap.take(Swift.Int) -> () at m.swift:3"))
    #expect(lines.contains("#1 0x7f80ffffffff"))
    #expect(lines.contains("user #3 0x1234"))
    #expect(lines.last == "end")
  }

  @Test("binutils' addr2line gives the same", .enabled(if: findProgram("addr2line") != nil))
  func fallback() throws {
    let directory = try TemporaryDirectory()
    let address = try makeImage(directory, physical: "0x200000").outer
    let image = directory["image"]
    let binutils = try BinutilsSymbolizer(try #require(findProgram("addr2line")), image)
    for offset in [UInt64(0), 1, 4] {
      let frames = try binutils.frames(at: address + offset)
      #expect(frames.last?.function == "Memory.Heap.allocate(Swift.Int) -> Swift.Int")
      #expect(frames.last?.place?.contains("m.swift:") == true)
      #expect(try binutils.frames(at: 0x10).isEmpty)
    }
  }

  @Test("What is no image is refused")
  func refusals() throws {
    let directory = try TemporaryDirectory()
    let tool = shellQuoted(try toolPath("symbolize"))
    let result = try directory.shell(
      "echo x > text; \(tool) text; echo $?; \(tool) none; echo $?; head -c 64 /bin/sh > cut; \(tool) cut; echo $?")
    #expect(result.text == "1\n1\n1\n")
    #expect(result.errors.contains("text is no 64-bit ELF file"))
    #expect(result.errors.contains("cannot open none: No such file or directory"))
  }
}
