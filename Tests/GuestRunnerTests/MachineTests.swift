import HostSystem
import Testing
import ToolTesting

/// A kernel of a few instructions: it copies bytes from the serial line to the serial line until 0x10 0x04, then
/// reports `exit=200` and ends the machine.
private let kernelSource = #"""
  	.section .note.pvh, "a", @note
  	.balign 4
  	.long 4, 4, 18
  	.asciz "Xen"
  	.long entry
  	.text
  	.code32
  	.globl entry
  entry:
  1:	mov $0x3fd, %edx
  	in %dx, %al
  	test $1, %al
  	jz 1b
  	mov $0x3f8, %edx
  	in %dx, %al
  	cmp $0x10, %al
  	jne 2f
  4:	mov $0x3fd, %edx
  	in %dx, %al
  	test $1, %al
  	jz 4b
  	mov $0x3f8, %edx
  	in %dx, %al
  	cmp $4, %al
  	je 3f
  2:	out %al, %dx
  	jmp 1b
  3:	mov $message, %esi
  	mov $0x502, %edx
  	mov $9, %ecx
  	rep outsb
  	mov $0x501, %edx
  	mov $0x21, %eax
  	out %ax, %dx
  	hlt
  message: .ascii "exit=200\n"
  """#

private let linkerScript = """
  ENTRY(entry)
  PHDRS { text PT_LOAD; note PT_NOTE; }
  SECTIONS { . = 0x100000; .note : { *(.note.pvh) } :text :note .text : { *(.text) } :text }
  """

private let hasQEMU = findProgram("qemu-system-x86_64") != nil

@Suite("qemu-guest with QEMU", .enabled(if: hasQEMU))
struct MachineTests {
  let directory: TemporaryDirectory
  let tool: String

  init() throws {
    directory = try TemporaryDirectory()
    tool = shellQuoted(try toolPath("qemu-guest"))
    for (name, text) in [("kernel.S", kernelSource), ("kernel.ld", linkerScript)] {
      try writeAll(text.utf8, to: try createFile(directory.path.appending(name.utf8)), named: name)
    }
    let built = try directory.shell("as --32 kernel.S -o kernel.o && ld -m elf_i386 -T kernel.ld kernel.o -o image")
    #expect(built.end == .exited(0), "\(built.errors)")
  }

  @Test("Status, input and output pass through each machine", arguments: ["x86pc", "x86q35", "microvm"])
  func machines(type: String) throws {
    let result = try directory.shell(
      """
      seq 2000 > in; printf '\\020x\\001' >> in
      \(tool) --serial -W -k image -t \(type) -n -r -l -m 32 < in > out; echo $?; cmp in out
      """)
    #expect(result.text == "200\n")
    #expect(result.errors == "")
  }

  @Test("Monitor commands and pinning come before the guest runs")
  func monitor() throws {
    let result = try directory.shell(
      "printf abc | \(tool) --serial -W -k image -t microvm -p 0 -M 'info status' -M 'info name' -G 'my guest'; echo $?"
    )
    #expect(result.text == "abc200\n")
    #expect(result.errors == "(qemu) info status\nVM status: paused (prelaunch)\n(qemu) info name\nmy guest\n")
  }

  @Test("A paused guest waits for its monitor, whose socket goes with it")
  func paused() throws {
    let result = try directory.shell(
      """
      export TMPDIR=$PWD; (printf abc | \(tool) --serial -W -k image -t microvm -P 2> note; echo $?) & 
      while [ ! -s note ]; do sleep 0.05; done
      perl -MIO::Socket::UNIX -e '$s = IO::Socket::UNIX->new($ARGV[0]) or die; print $s "cont\\n"; 1 while <$s>' \
        qemu-guest*/monitor.socket > /dev/null
      wait; ls -d qemu-guest* 2>/dev/null; grep -c 'the guest is paused' note
      """)
    #expect(result.text == "abc200\n1\n")
  }

  @Test("A guest in the background leaves its files")
  func background() throws {
    let result = try directory.shell(
      """
      export TMPDIR=$PWD; \(tool) -x -W -k image -t microvm > info || exit 1
      trap "kill $(sed -n 's/^pid: *//p' info) 2>/dev/null" EXIT
      console=$(sed -n 's/^console: *\\([^ ]*\\) .*/\\1/p' info)
      status=$(sed -n 's/^status: *\\([^ ]*\\) .*/\\1/p' info)
      perl -MIO::Socket::UNIX -e '$s = IO::Socket::UNIX->new($ARGV[0]) or die; print $s "hi\\x10\\x04"; 
        print while sysread $s, $_, 9' "$console"
      cat "$status"
      cat "${console%.socket}.log"
      """)
    #expect(result.end == .exited(0), "\(result.errors)")
    #expect(result.text == "hiexit=200\nhi")
  }

  @Test("A background guest that cannot start says why and leaves nothing")
  func failedBackground() throws {
    let result = try directory.shell(
      "export TMPDIR=$PWD; \(tool) -x -W -k image -- -device no-such-device; echo $?; ls -d qemu-guest* 2>/dev/null")
    #expect(result.text == "125\n")
    #expect(result.errors.contains("no-such-device"))
  }

  @Test(
    "From a terminal, Ctrl-C ends the guest, or reaches it under -C; the terminal is left as it was",
    .enabled(if: findProgram("script") != nil))
  func terminal() throws {
    let result = try directory.shell(
      #"""
      cat > session <<'END'
      trap : INT; stty sane; before=$(stty -g); TOOL -W -k image -t microvm OPTION; echo "status $?"
      [ "$(stty -g)" = "$before" ] && echo same
      END
      for option in '' -C; do
        sed "s|OPTION|$option|; s|TOOL|\#(tool)|" session > run
        (sleep 1; printf 'x\003'; sleep 0.5; printf 'y\020\004'; sleep 0.5) | script -qec 'sh run' /dev/null |
          tr -d '\r' | tail -2
      done
      """#)
    #expect(result.text.contains("status 130\nsame\n"))
    #expect(result.text.contains("status 200\nsame\n"))
  }
}
