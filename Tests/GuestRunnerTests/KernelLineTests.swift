import Testing

@testable import GuestRunner

@Suite("The kernel's command line")
struct KernelLineTests {
  @Test(
    "Parameters go in front, whatever the user wrote",
    arguments: [
      ("/bin/ls -l", "p q -- /bin/ls -l"),
      ("", "p q --"),
      ("  ", "p q --"),
      ("env.vars=[ A=1 ] -- /app", "p q env.vars=[ A=1 ] -- /app"),
      ("-- /app", "p q -- /app"),
      ("x --", "p q x --"),
      // A quoted or escaped word is no separator, nor is a value of a list.
      ("/app '--' x", "p q -- /app '--' x"),
      (#"/app \-- "--""#, #"p q -- /app \-- "--""#),
      ("env.vars=[ -- ] /app", "p q -- env.vars=[ -- ] /app"),
      ("env.vars=[ -- ] -- /app", "p q env.vars=[ -- ] -- /app"),
      ("env.vars=[-- ] -- /app", "p q env.vars=[-- ] -- /app"),
      ("env.vars=[ 'a ]' --] -- /app", "p q env.vars=[ 'a ]' --] -- /app"),
      ("a=[] -- /app", "p q a=[] -- /app"),
      (#"env.vars=[ "x\" -- \\" ] -- /app"#, #"p q env.vars=[ "x\" -- \\" ] -- /app"#),
      ("a='x' --\t/app", "p q a='x' --\t/app"),
      // The kernel rejects this line, so it must see it unchanged.
      ("env.vars=[ A=1 -- /app", "p q env.vars=[ A=1 -- /app"),
      ("/app --x -y- ---", "p q -- /app --x -y- ---"),
      (#"/app \"#, #"p q -- /app \"#),
    ])
  func parameters(user: String, line: String) {
    #expect(KernelLine.make(parameters: ["p", "q"], user: user) == line)
  }

  @Test("Without parameters the user's line stays as it is")
  func noParameters() {
    #expect(KernelLine.make(parameters: [], user: " /app  x ") == " /app  x ")
    #expect(KernelLine.make(parameters: [], user: nil) == nil)
    #expect(KernelLine.make(parameters: ["p"], user: nil) == "p --")
  }
}

@Suite("What the guest says of its end")
struct GuestOutcomeTests {
  @Test(
    "A report is read",
    arguments: [
      ("exit=0\n", GuestOutcome.exited(0)), ("exit=255\n", .exited(255)), ("signal=11\n", .killed(signal: 11)),
      ("panic\n", .panicked), ("panic=heap\n", .panicked), ("exit=3\npanic\n", .panicked), ("reset\n", .reset),
      ("noise\nexit=7\n\n", .exited(7)), ("", .unknown), ("exit=4", .unknown), ("exit=256\n", .unknown),
      ("exit=-1\n", .unknown), ("exit=\n", .unknown), ("signal=0\n", .unknown), ("signal=128\n", .unknown),
      ("exit=1\nexit=2", .exited(1)),
    ])
  func report(text: String, outcome: GuestOutcome) {
    #expect(GuestOutcome(report: Array(text.utf8)) == outcome)
  }
}

@Suite("Small readers and writers")
struct SmallPartsTests {
  @Test("The escape byte is doubled and the end is marked")
  func encoder() {
    var encoder = InputEncoder(.pipe)
    encoder.add([1, 0x10, 2, 0x10, 0x10])
    #expect(Array(encoder.next) == [1, 0x10, 0x10, 2, 0x10, 0x10, 0x10, 0x10])
    encoder.didSend(3)
    encoder.addEnd()
    #expect(Array(encoder.next) == [2, 0x10, 0x10, 0x10, 0x10, 0x10, 0x04])
    encoder.didSend(7)
    #expect(encoder.isEmpty)
    var keys = InputEncoder(.plain)
    keys.add([1, 0x78, 0x10, 3])
    keys.addEnd()
    #expect(Array(keys.next) == [1, 0x78, 0x10, 3] && !keys.isQuitting)
    var escaped = InputEncoder(.terminalWithEscape)
    escaped.add([3, 1, 1, 0x10, 1])
    escaped.add([0x63, 4])
    #expect(Array(escaped.next) == [3, 1, 0x10, 4] && !escaped.isQuitting)
    escaped.add([1, 0x78])
    #expect(Array(escaped.next) == [3, 1, 0x10, 4] && escaped.isQuitting)
  }

  @Test("Lists of processors and forwards")
  func lists() throws {
    #expect(try processorList("2,4-7,0") == [2, 4, 5, 6, 7, 0])
    for text in ["", "a", "3-1", "1,", "-1", "1-2-3", "99999"] {
      #expect(throws: (any Error).self) { try processorList(text) }
    }
    #expect(
      try PortForward.list("80,8443:443,udp:53") == [
        PortForward(transport: "tcp", hostPort: 80, guestPort: 80),
        PortForward(transport: "tcp", hostPort: 8443, guestPort: 443),
        PortForward(transport: "udp", hostPort: 53, guestPort: 53),
      ])
    for text in ["", "x", "0", "70000", "1:2:3", "80,", "udp:", "sctp:1:2"] {
      #expect(throws: (any Error).self) { try PortForward.list(text) }
    }
  }

  @Test("JSON as QEMU writes it")
  func json() {
    let text = #" {"return": [ {"thread-id": -12, "x": null}, true ], "s": "a\"\\\nbé", "f": 1.5, "e": {}, "a": []} "#
    let value = JSONValue(text.utf8)
    #expect(
      value
        == .object([
          "return": .array([.object(["thread-id": .integer(-12), "x": .null]), .boolean(true)]),
          "s": .string("a\"\\\nb\u{e9}"), "f": .string("1.5"), "e": .object([:]), "a": .array([]),
        ]))
    #expect(JSONValue.quoted("a\"b\\c\n\u{1}") == #""a\"b\\c\u000a\u0001""#)
    for bad in ["", "{", "[1", "{\"a\" 1}", "\"x", "\"\\u12", String(repeating: "[", count: 10_000)] {
      #expect(JSONValue(bad.utf8) == nil)
    }
  }
}
