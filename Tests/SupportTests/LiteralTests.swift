import Support
import Testing

@Suite struct Literals {
  @Test func bytes() {
    #expect([UInt8]("abc") == [0x61, 0x62, 0x63] && [UInt8]("") == [] && [UInt8]("é") == [0xc3, 0xa9])
    #expect([UInt8](Array("mode=1".utf8)[..<4]) == [UInt8]("mode"))
    #expect(Array("xmode".utf8)[1...].equals("mode") && !Array("mod".utf8)[...].equals("mode"))
    #expect(!Array("modes".utf8)[...].equals("mode") && Array("".utf8)[...].equals(""))
  }

  @Test func text() {
    var text = TextBuffer()
    text.append("a")
    text.append("")
    text.append("\n\u{e9}")
    text.append(decimal: -12, width: 5)
    text.append(hex: 0x1f, width: 4)
    text.append(address: 0)
    #expect(String(decoding: text.bytes, as: UTF8.self) == "a\né-  12001f0x0")
  }
}
