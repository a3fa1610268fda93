import Foundation
import Testing

@testable import ELFLoader

/// What the line means: interpreter and argument, or the error, or neither for no script.
private func parse(_ bytes: [UInt8]) -> [String] {
  do throws(ScriptError) {
    guard let line = try ScriptLine(parsing: bytes[...]) else { return [] }
    return ([line.interpreter] + (line.argument.map { [$0] } ?? [])).map { String(decoding: $0, as: UTF8.self) }
  } catch {
    return ["\(error)"]
  }
}

@Suite struct ScriptLines {
  @Test(arguments: [
    ("", []), ("#", []), ("plain text", []), ("!#/bin/sh\n", []), ("\u{7f}ELF", []),
    ("#!/bin/sh\n", ["/bin/sh"]),
    ("#!/bin/sh", ["/bin/sh"]),
    ("#! \t /bin/sh \t \necho", ["/bin/sh"]),
    ("#!/usr/bin/env python3 -u\n", ["/usr/bin/env", "python3 -u"]),
    ("#!/bin/sh -e  \t\n", ["/bin/sh", "-e"]),
    ("#!/bin/sh\t-e x\n", ["/bin/sh", "-e x"]),
    ("#!/bin/sh -e", ["/bin/sh", "-e"]),
    // Without a line end Linux does not see the blanks as trailing.
    ("#!/bin/sh ", ["/bin/sh", ""]),
    ("#!/bin/sh\r\n", ["/bin/sh\r"]),
    ("#!\n", ["noInterpreter"]), ("#!", ["emptyInterpreter"]), ("#!  \t\n", ["noInterpreter"]),
    ("#!  ", ["emptyInterpreter"]), ("#! \0/bin/sh\n", ["emptyInterpreter"]), ("#!\n/bin/sh\n", ["noInterpreter"]),
    ("#!/bin/sh\0-e\n", ["/bin/sh"]),
  ])
  func readsTheLine(text: String, expected: [String]) {
    #expect(parse(Array(text.utf8)) == expected)
  }

  @Test func cutsTheLineAsLinuxDoes() {
    func line(_ length: Int, _ rest: String) -> [UInt8] {
      Array(("#!/" + String(repeating: "x", count: length) + rest).utf8)
    }
    #expect(parse(line(251, "\n")) == ["/" + String(repeating: "x", count: 251)])
    // The path fills the 256 bytes, so it may go on.
    #expect(parse(line(253, "\n")) == ["tooLong"])
    #expect(parse(line(300, " arg\n")) == ["tooLong"])
    // The path is whole; the argument loses what does not fit.
    let cut = parse(line(200, " " + String(repeating: "y", count: 100) + "\n"))
    #expect(cut == ["/" + String(repeating: "x", count: 200), String(repeating: "y", count: 51)])
    #expect(parse(Array("#!".utf8) + [UInt8](repeating: 0x20, count: 300)) == ["noInterpreter"])
  }

  @Test func namesTheFault() {
    let message = ScriptError.noInterpreter.message(file: Array("X".utf8))
    #expect(String(decoding: message, as: UTF8.self) == "X: script names no interpreter behind #!")
    #expect(ScriptError.tooLong.errno == .ENOEXEC)
    #expect(ScriptError.emptyInterpreter.errno == .EACCES)
  }
}
