import Testing

@testable import Kernel

private func parse(_ line: String, _ declarations: [ParameterDeclaration] = ParameterDeclaration.kernel)
  -> ParsedCommandLine
{
  CommandLine.parse(Array(line.utf8), declarations: declarations)
}

private func string(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

extension ParsedCommandLine {
  fileprivate var arguments: [String] { programArguments.map(string) }
  fileprivate var variables: [String] { environment.map(string) }
  fileprivate var messages: [String] {
    diagnostics.map { ($0.severity == .error ? "error: " : "warning: ") + string($0.message) }
  }
}

@Suite struct CommandLineWords {
  @Test(arguments: [
    ("", []),
    ("  \t\r\n ", []),
    ("/bin/ls -l /", ["/bin/ls", "-l", "/"]),
    ("/bin/prog 'an argument' b", ["/bin/prog", "an argument", "b"]),
    ("a\tb\nc", ["a", "b", "c"]),
    (#"p "" x"#, ["p", "", "x"]),
    ("p ''", ["p", ""]),
    (#"p "a\"b\\c\d""#, ["p", #"a"b\c\d"#]),
    (#"p 'a\"b'"#, ["p", #"a\"b"#]),
    (#"p a\ b \' \\"#, ["p", "a b", "'", "\\"]),
    (#"p x"y z"'w'"#, ["p", "xy zw"]),
    (#"p trailing\"#, ["p", "trailing\\"]),
    ("-- p a -- b", ["p", "a", "--", "b"]),
    ("-- ", []),
    ("'--' x", ["--", "x"]),
    (#"\-- x"#, ["--", "x"]),
    ("sh -c 'echo [ a ]; x=[ b'", ["sh", "-c", "echo [ a ]; x=[ b"]),
    ("test a=[ b", ["test", "a=[", "b"]),
  ])
  func splits(line: String, arguments: [String]) {
    let parsed = parse(line)
    #expect(parsed.arguments == arguments)
    #expect(parsed.messages == [])
  }

  @Test func endsAtNul() {
    #expect(parse("p a\0b c").arguments == ["p", "a"])
  }

  @Test func keepsBytesThatAreNoText() {
    let parsed = CommandLine.parse([0x70, 0x20, 0xff, 0x80], declarations: [])
    #expect(parsed.programArguments == [[0x70], [0xff, 0x80]])
  }

  @Test(arguments: ["p 'abc", "p \"abc", "-- p \"a\\\"", "env.vars=[ 'A=b ] -- p"])
  func namesAnOpenQuote(line: String) {
    let parsed = parse(line)
    #expect(parsed.hasErrors)
    #expect(parsed.messages.first?.hasSuffix("a quote is not closed") == true)
    #expect(parsed.arguments == [])
  }
}

@Suite struct CommandLineParameters {
  @Test func setsTheEnvironment() {
    let parsed = parse("env.vars=[ K=V 'X=a b' ] -- /bin/prog")
    #expect(parsed.variables == ["K=V", "X=a b"])
    #expect(parsed.arguments == ["/bin/prog"])
    #expect(parsed.messages == [])
  }

  @Test(arguments: [
    ("env.vars=[A=1 B=2] -- p", ["A=1", "B=2"]),
    ("env.vars=[A=1] env.vars=B=2 env.vars=[ C=3 ] -- p", ["A=1", "B=2", "C=3"]),
    ("env.vars=[ A=-- -- B=2 ] -- p", ["A=--", "B=2"]),
    ("env.vars=[ 'A=]' 'B=[' ] -- p", ["A=]", "B=["]),
    (#"env.vars=[ A=x\] B=2 ] -- p"#, ["A=x]", "B=2"]),
    ("env.vars=[] -- p", []),
    ("env.vars=[ ] -- p", []),
    ("env.vars=[ A= ] -- p", ["A="]),
    ("env.vars=[ A=1]  -- p", ["A=1"]),
    ("env.vars=[\n A=1\n B=2\n ]\n--\np", ["A=1", "B=2"]),
  ])
  func readsLists(line: String, variables: [String]) {
    let parsed = parse(line)
    #expect(parsed.variables == variables)
    #expect(parsed.arguments == ["p"])
    // A `--` in a list is a value, and as a variable it lacks its name.
    #expect(parsed.messages.allSatisfy { $0.contains("'env.vars=--': must be NAME=VALUE") })
  }

  @Test(arguments: [
    ("aslr=off -- p", false), ("aslr=no -- p", false), ("aslr=0 -- p", false), ("aslr=false -- p", false),
    ("aslr -- p", true), ("aslr=on -- p", true), ("aslr=yes -- p", true), ("aslr=1 -- p", true),
    ("aslr=true -- p", true), ("aslr=off aslr=on -- p", true), ("aslr=on aslr=off -- p", false),
  ])
  func readsBooleans(line: String, value: Bool) {
    let parsed = parse(line)
    #expect(parsed.boolean(.addressRandomization) == value)
    #expect(parsed.messages == [])
  }

  @Test func knowsWhatIsNotSet() {
    let parsed = parse("-- p")
    #expect(parsed.boolean(.banner) == nil)
    #expect(parsed.logLevel == nil)
    #expect(parsed.standardInput == nil)
    #expect(parsed.fileSystemTable == [])
    #expect(parsed.virtioMMIODevices == [])
  }

  @Test func readsChoices() {
    let parsed = parse("loglevel=debug console.stdin=pipe console.stdout=tty log=warn netdev.ip=10.0.0.2/24 -- p")
    #expect(parsed.logLevel == .warn)
    #expect(parsed.standardInput == .pipe)
    #expect(parsed.standardOutput == .tty)
    #expect(parsed.list(.networkAddress).map(string) == ["10.0.0.2/24"])
    #expect(parsed.messages == [])
  }

  static let number = ParameterDeclaration("test.number", .integer(-8...4096), help: "a number")

  @Test(arguments: [
    ("10", 10), ("0", 0), ("010", 8), ("0x10", 16), ("0XfF", 255), ("-8", -8), ("+7", 7), ("4096", 4096), ("00", 0),
  ])
  func readsIntegers(value: String, number: Int64) {
    let parsed = parse("test.number=\(value) -- p", [Self.number])
    #expect(parsed.integer(Self.number) == number)
    #expect(parsed.messages == [])
  }

  @Test(arguments: ["", "x", "0x", "08", "1.5", "12k", "--3", "-", "1 2"])
  func rejectsWhatIsNoInteger(value: String) {
    let parsed = parse("'test.number=\(value)' -- p", [Self.number])
    #expect(parsed.integer(Self.number) == nil)
    #expect(
      parsed.messages == [
        "error: kernel command line: 'test.number=\(value)': not a number (decimal, 0 for octal, 0x for hexadecimal)"
      ])
  }

  @Test(arguments: ["-9", "4097", "9223372036854775808", "18446744073709551616", "0x1ffffffffffffffffffffffffff"])
  func rejectsIntegersOutOfRange(value: String) {
    let parsed = parse("test.number=\(value) -- p", [Self.number])
    #expect(
      parsed.messages == [
        "error: kernel command line: 'test.number=\(value)': the number is out of range (-8 to 4096)"
      ])
  }

  @Test func readsTheWidestIntegers() {
    let wide = ParameterDeclaration("n", .integer(.min ... .max), help: "")
    #expect(parse("n=-9223372036854775808 --", [wide]).integer(wide) == .min)
    #expect(parse("n=9223372036854775807 --", [wide]).integer(wide) == .max)
    #expect(parse("n=-9223372036854775809 --", [wide]).messages.count == 1)
  }

  @Test func readsText() {
    let root = ParameterDeclaration("vfs.root", .text(nil), help: "")
    #expect(parse("vfs.root=a=b.c vfs.root='x y' -- p", [root]).text(root) == Array("x y".utf8))
  }

  @Test func warnsOfUnknownParameters() {
    let parsed = parse("nosuch.thing=1 other=[ a b ] word aslr=off -- p")
    #expect(
      parsed.messages == [
        "warning: kernel command line: 'nosuch.thing=1': no such parameter, ignored",
        "warning: kernel command line: 'other=[': no such parameter, ignored",
        "warning: kernel command line: 'word': no such parameter, ignored",
      ])
    #expect(!parsed.hasErrors)
    #expect(parsed.boolean(.addressRandomization) == false)
    #expect(parsed.arguments == ["p"])
  }

  @Test func warnsWhenTheSeparatorIsMissing() {
    let parsed = parse("aslr=off /bin/ls")
    #expect(parsed.arguments == ["aslr=off", "/bin/ls"])
    #expect(parsed.boolean(.addressRandomization) == nil)
    #expect(parsed.messages.count == 1 && !parsed.hasErrors)
  }

  @Test(arguments: [
    ("aslr=maybe -- p", "'aslr=maybe': not a boolean (true, on, yes, 1, false, off, no, 0)"),
    ("aslr= -- p", "'aslr=': not a boolean (true, on, yes, 1, false, off, no, 0)"),
    ("aslr=[ on ] -- p", "'aslr=[': takes one value, not a list"),
    ("loglevel=loud -- p", "'loglevel=loud': must be one of error|warn|info|debug"),
    ("loglevel -- p", "'loglevel': must be one of error|warn|info|debug"),
    ("env.vars -- p", "'env.vars': a value is missing (name=value or name=[ value ... ])"),
    ("env.vars=[ A -- p", "'env.vars=[': the list is not closed with ]"),
    ("env.vars=[ =x ] -- p", "'env.vars==x': must be NAME=VALUE"),
    ("vfs.fstab=[ a:b ] -- p", "'vfs.fstab=a:b': must be device:path:fs[:flags[:options]]"),
    ("vfs.fstab=a:b:c -- p", "'vfs.fstab=a:b:c': the path does not begin with /"),
    ("vfs.fstab=a:/: -- p", "'vfs.fstab=a:/:': the file system is missing"),
    (
      "vfs.fstab=a:/:9pfs:zz -- p",
      "'vfs.fstab=a:/:9pfs:zz': the flags are neither a number nor words like ro,nosuid,nodev,noexec,noatime"
    ),
    ("virtio_mmio.device=1K -- p", "'virtio_mmio.device=1K': must be <size>@<base>:<irq>[:<id>]"),
  ])
  func namesTheFault(line: String, message: String) {
    #expect(parse(line).messages == ["error: kernel command line: " + message])
  }

  @Test func listsTheParametersForHelp() {
    let parsed = parse("help -- p")
    #expect(parsed.boolean(.help) == true)
    let help = string(CommandLine.helpText(ParameterDeclaration.kernel))
    for declaration in ParameterDeclaration.kernel {
      #expect(help.contains(string(declaration.name.bytes)))
      #expect(help.contains(string(declaration.help.bytes)))
    }
    #expect(help.contains("loglevel=error|warn|info|debug"))
    #expect(help.contains("(also: log)"))
  }
}

@Suite struct CommandLineFileSystemTable {
  @Test func readsEntries() {
    let parsed = parse(#"vfs.fstab=[ "initrd0:/:extract" "fs1:/mnt:9pfs:ro,nosuid:msize=8192:mkmp" ] -- p"#)
    #expect(parsed.messages == [])
    let table = parsed.fileSystemTable
    #expect(table.count == 2)
    #expect(string(table[0].device) == "initrd0")
    #expect(string(table[0].path) == "/")
    #expect(string(table[0].fileSystem) == "extract")
    #expect(table[0].flags == 0 && table[0].options == [] && !table[0].makesMountPoint)
    #expect(string(table[1].device) == "fs1")
    #expect(string(table[1].path) == "/mnt")
    #expect(table[1].flags == 3)
    #expect(string(table[1].options) == "msize=8192")
    #expect(table[1].makesMountPoint && table[1].condition == .always)
  }

  @Test func acceptsWhatToolsWrite() {
    let parsed = parse(#"vfs.fstab=["fs0:/:9pfs:::" ":/tmp:ramfs:0x1::ifinitrd0,mkmp"] -- p"#)
    #expect(parsed.messages == [])
    #expect(parsed.fileSystemTable.count == 2)
    #expect(parsed.fileSystemTable[1].flags == 1)
    #expect(parsed.fileSystemTable[1].condition == .ifInitrd)
    #expect(parsed.fileSystemTable[1].device == [])
  }
}

@Suite struct CommandLineDevices {
  @Test(arguments: [
    "/bin/ls -l virtio_mmio.device=512@0xfeb02e00:12 virtio_mmio.device=4K@0xd0000000:5:1",
    "aslr=off -- /bin/ls -l virtio_mmio.device=512@0xfeb02e00:12 virtio_mmio.device=4K@0xd0000000:5:1\n",
    "virtio_mmio.device=512@0xfeb02e00:12 -- /bin/ls -l virtio_mmio.device=4K@0xd0000000:5:1",
    "virtio_mmio.device=[ 512@0xfeb02e00:12 4K@0xd0000000:5:1 ] -- /bin/ls -l",
  ])
  func takesThemFromTheEnd(line: String) {
    let parsed = parse(line)
    #expect(parsed.arguments == ["/bin/ls", "-l"])
    #expect(
      parsed.virtioMMIODevices == [
        VirtioMMIODevice(size: 512, base: 0xfeb0_2e00, interrupt: 12),
        VirtioMMIODevice(size: 4096, base: 0xd000_0000, interrupt: 5, identifier: 1),
      ])
    #expect(parsed.messages == [])
  }

  @Test func leavesTheOnesInTheMiddleToTheProgram() {
    let parsed = parse("p virtio_mmio.device=1@2:3 q")
    #expect(parsed.arguments == ["p", "virtio_mmio.device=1@2:3", "q"])
    #expect(parsed.virtioMMIODevices == [])
  }

  @Test func findsThemBehindAnOpenQuote() {
    let parsed = parse("p 'open virtio_mmio.device=512@0xfeb02e00:12")
    #expect(parsed.messages == ["error: kernel command line: 'open ': a quote is not closed"])
    #expect(parsed.virtioMMIODevices.count == 1)
  }

  @Test func findsThemWithoutAProgram() {
    let parsed = parse("virtio_mmio.device=512@0xfeb02e00:12")
    #expect(parsed.arguments == [])
    #expect(parsed.virtioMMIODevices.count == 1)
    #expect(parsed.messages == [])
  }

  @Test func keepsAQuotedOne() {
    #expect(parse("p 'a virtio_mmio.device=1@2:3'").arguments == ["p", "a virtio_mmio.device=1@2:3"])
  }

  @Test(arguments: [
    "", "4K", "@1:2", "0@1:2", "4K@:2", "4K@1", "4K@1:", "4K@1:0", "4K@1:2:", "4K@1:2:3:4", "4K@x:2",
    "4K@0xffffffffffffffff:2", "4K@0xfffffffffffff:2", "99999999999999999999@1:2", "17592186044416G@1:2",
    "4K@1:4294967296", "4K@1:2:2147483648", "4T@1:2", "K@1:2",
  ])
  func rejectsMalformedOnes(value: String) {
    #expect(throws: ParameterFault.self) { try VirtioMMIODevice(parsing: Array(value.utf8)) }
    #expect(parse("-- p virtio_mmio.device=\(value)").hasErrors)
  }
}

/// `netdev.ip=cidr[:gateway[:dns0[:dns1[:hostname[:domain]]]]]`.
struct NetworkConfigurationTests {
  private func parse(_ text: String) throws -> NetworkConfiguration {
    try NetworkConfiguration(parsing: Array(text.utf8))
  }

  @Test func readsAnAddressAlone() throws {
    let parsed = try parse("172.44.0.2/24")
    #expect(parsed.address == 0x0200_2cac)
    #expect(parsed.mask == 0x00ff_ffff)
    #expect(parsed.gateway == 0)
    #expect(parsed.nameServers == [])
    #expect(parsed.hostName == [])
  }

  @Test func readsEverything() throws {
    let parsed = try parse("10.0.0.2/8:10.0.0.1:1.1.1.1:8.8.8.8:host:example.org")
    #expect(parsed.mask == 0x0000_00ff)
    #expect(parsed.gateway == 0x0100_000a)
    #expect(parsed.nameServers == [0x0101_0101, 0x0808_0808])
    #expect(parsed.hostName == Array("host".utf8))
    #expect(parsed.domain == Array("example.org".utf8))
  }

  @Test func takesEmptyFieldsForNone() throws {
    let parsed = try parse("10.0.0.2/0:::8.8.8.8::")
    #expect(parsed.mask == 0)
    #expect(parsed.gateway == 0)
    #expect(parsed.nameServers == [0x0808_0808])
  }

  @Test(arguments: [
    "", "10.0.0.2", "10.0.0.2/", "10.0.0.2/33", "10.0.0/24", "10.0.0.256/24", "10.0.0.2.3/24", "/24", "a.b.c.d/24",
    "10.0.0.2/24:gateway", "10.0.0.2/24:10.0.0.1:x", "10.0.0.2/24/8", "10.0.0.2/24:::::a:b", "10..0.2/24", "-1.0.0.1/8",
  ])
  func rejectsWhatIsNoAddress(value: String) {
    #expect(throws: ParameterFault.self) { try NetworkConfiguration(parsing: Array(value.utf8)) }
  }
}
