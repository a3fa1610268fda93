import HostSystem
import Testing
import ToolTesting

/// A stand-in for QEMU: it records its arguments, then does what the script in `FAKE` says, with the status channel
/// as descriptor 9.
private let fakeQEMU = #"""
  #!/bin/sh
  for argument; do printf '%s\n' "$argument"; done > arguments
  for argument; do case $argument in file,id=status,path=*) exec 9> "${argument#file,id=status,path=}" ;; esac; done
  eval "$FAKE"
  """#

@Suite("qemu-guest with a stand-in for QEMU")
struct RunTests {
  let directory: TemporaryDirectory
  let tool: String

  init() throws {
    directory = try TemporaryDirectory()
    tool = shellQuoted(try toolPath("qemu-guest"))
    try writeAll(fakeQEMU.utf8, to: try createFile(directory.path.appending("fake".utf8)), named: "fake")
    try directory.shell("chmod +x fake; : > image")
  }

  /// Runs the tool with a stand-in that does `fake`; `shell` may use `$guest`.
  private func guest(_ fake: String, _ shell: String = "$guest -k image") throws -> CommandResult {
    try directory.shell(
      """
      export FAKE=\(shellQuoted(fake)); guest=\(shellQuoted("\(tool) -W -Q ./fake"))
      alive() { grep -qs '^State:.[^Z]' /proc/$1/status && echo alive; } # A zombie waits for a parent that is not ours.
      \(shell)
      """)
  }

  @Test("Every exit status gets through")
  func statuses() throws {
    let result = try directory.shell(
      """
      for n in $(seq 0 255); do
        FAKE="echo exit=$n >&9; exit 67" \(tool) -W -Q ./fake -k image; [ $? = $n ] || echo "$n"
      done
      """)
    #expect(result.text == "" && result.errors == "")
  }

  @Test(
    "Other ends",
    arguments: [
      ("echo signal=11 >&9; exit 1", 139, ""),
      ("echo signal=9 >&9; exit 0", 137, ""),
      ("echo panic >&9; exit 3", 125, "qemu-guest: the kernel panicked\n"),
      ("echo reset >&9", 125, "qemu-guest: the guest asked for a reset before its program ended\n"),
      ("echo 'fake: no such device' >&2; exit 1", 125, "fake: no such device\nqemu-guest: QEMU failed\n"),
      ("kill -SEGV $$", 125, "qemu-guest: QEMU was killed by SIGSEGV\n"),
      ("exit 67", 125, "qemu-guest: the guest stopped without a status (QEMU's is 67)\n"),
      (
        "exit 0", 125,
        "qemu-guest: the guest stopped without a status: QEMU was told to quit, or the machine was reset\n"
      ),
      ("printf exit=5 >&9; exit 0", 125, nil),
    ] as [(String, Int32, String?)])
  func otherEnds(fake: String, status: Int32, message: String?) throws {
    let result = try guest(fake)
    #expect(result.end == .exited(status))
    if let message { #expect(result.errors == message) }
  }

  @Test(
    "A guest with which KVM cannot go on ends; one that was stopped otherwise may go on", .enabled(if: isKVMUsable()),
    arguments: [
      ("internal-error", 125, "qemu-guest: KVM cannot run this guest; -W emulates the processor instead\n"),
      ("paused", 3, ""),
    ] as [(String, Int32, String)])
  func acceleratorFailure(state: String, status: Int32, message: String) throws {
    // Each answer is to one line: the capabilities, `cont`, and the question for the state.
    let fake = #"""
      say() { printf '%s\n' "$1" >&4; }
      say '{"QMP":{}}'; read line <&4; say '{"return":{}}'; read line <&4; say '{"return":{}}'
      say '{"event":"STOP"}'; read line <&4
      say '{"return":{"running":false,"status":"\#(state)"}}'
      [ \#(state) = paused ] || exec sleep 60
      say '{"event":"RESUME"}'; echo exit=3 >&9
      """#
    let result = try directory.shell("FAKE=\(shellQuoted(fake)) \(tool) -Q ./fake -k image")
    #expect(result.end == .exited(status))
    #expect(result.errors == message)
  }

  @Test("Arguments reach QEMU as they are")
  func quoting() throws {
    let line = #"env.vars=[ 'A=b  c' "D=\"e\"" ] -- /bin/x '$HOME' \* ;"#
    let result = try guest(
      "echo exit=0 >&9", "$guest -k image -a \(shellQuoted(line)) -- -global 'a b'; cat arguments")
    #expect(result.end == .exited(0))
    #expect(
      result.text.contains("\n-append\nconsole.stdin=pipe console.stdout=pipe banner=off console.ports \(line)\n"))
    #expect(result.text.hasSuffix("\n-global\na b\n"))
    let separated = try guest("echo exit=0 >&9", "$guest -k image -a '-x y'; grep -x -e '.*-x y' arguments")
    #expect(separated.text == "console.stdin=pipe console.stdout=pipe banner=off console.ports -- -x y\n")
  }

  @Test("A dry run prints what a shell would run, and runs nothing")
  func dryRun() throws {
    let result = try guest(
      "",
      #"$guest -D -k image -i 'a b' -a "it's" | tee command; eval "set -- $(cat command)"; for x; do echo "<$x>"; done; ls"#
    )
    #expect(result.text.contains("\n<-initrd>\n<a b>\n"))
    #expect(result.text.contains("\n<console.stdin=pipe console.stdout=pipe banner=off -- it's>\n"))
    #expect(result.text.hasSuffix("\ncommand\nfake\nimage\n"))
  }

  @Test("Input and output pass unchanged, and the input's end gets through", arguments: [false, true])
  func input(bySerialPort: Bool) throws {
    // The stand-in reads until the end mark, as QEMU's input never ends before QEMU does.
    let serialReader =
      #"perl -e 'binmode STDIN; binmode STDOUT; $|=1; while (sysread(STDIN, $c, 1)) { if ($c eq "\x10") { sysread(STDIN, $d, 1); last if $d eq "\x04"; $c = $d } print $c }'; echo exit=0 >&9"#
    let result = try guest(
      bySerialPort ? serialReader : "cat <&5; echo exit=0 >&9",
      """
      guest="$guest \(bySerialPort ? "--serial" : "")"
      head -c 300000 /dev/urandom > in; printf '\\020\\004\\020\\020' >> in
      $guest -k image < in > out || echo failed; cmp in out
      $guest -k image < /dev/null > out; wc -c < out
      (printf a; sleep 0.2; printf b) | $guest -k image > out; cat out; echo
      $guest -k image <&- > out; wc -c < out
      """)
    #expect(result.text == "0\nab\n0\n")
    #expect(result.errors == "")
  }

  @Test("A guest that does not read blocks neither its output nor its end")
  func unreadInput() throws {
    let result = try guest(
      "head -c 200000 /dev/zero; echo exit=3 >&9", "yes | $guest -k image | wc -c; yes | $guest -k image > /dev/null")
    #expect(result.text == "200000\n")
    #expect(result.end == .exited(3))
  }

  @Test("A reader that goes away ends the guest, as SIGPIPE would")
  func brokenPipe() throws {
    let result = try guest(
      "trap '' PIPE; echo line; while :; do echo y 2>/dev/null; sleep 0.05; done",
      "(sh -c \"$guest -k image\"; echo $? > status) | head -1; cat status")
    #expect(result.text == "line\n141\n")
  }

  @Test(
    "Signals end QEMU and the tool, and -C holds off an interrupt",
    arguments: [("TERM", "", 143), ("HUP", "", 129), ("INT", "", 130), ("INT", "-C", 0)])
  func signals(signal: String, option: String, status: Int) throws {
    // The stand-in ends by itself after a second.
    let result = try guest(
      "echo $$ > pid; i=0; while [ $i -lt 20 ]; do sleep 0.05; i=$((i + 1)); done; echo exit=0 >&9",
      """
      sh -c "exec $guest -k image \(option)" & 
      while [ ! -s pid ]; do sleep 0.02; done; kill -\(signal) $!; wait $!; echo $?
      alive $(cat pid); :
      """)
    // A shell starts background jobs with SIGINT ignored, but the tool reads signals by itself.
    #expect(result.text == "\(status)\n")
  }

  @Test("QEMU dies with a tool that is killed, also one that ignores SIGTERM when asked to end")
  func killed() throws {
    let result = try guest(
      "echo $$ > pid; while :; do sleep 0.05; done",
      """
      sh -c "exec $guest -k image" & while [ ! -s pid ]; do sleep 0.02; done; kill -KILL $!; wait $! 2>/dev/null
      sleep 0.3; alive $(cat pid); :
      """)
    #expect(result.text == "")
    let stubborn = try guest(
      "trap '' TERM; echo $$ > pid; while :; do sleep 0.05; done",
      """
      rm -f pid; sh -c "exec $guest -k image" & while [ ! -s pid ]; do sleep 0.02; done; kill -TERM $!; wait $!; echo $?
      alive $(cat pid); :
      """)
    #expect(stubborn.text == "143\n")
  }

  @Test("Wrong usage is 125, as a program's own status must not be taken for it")
  func usage() throws {
    let result = try directory.shell(
      """
      \(tool) -k none; echo $?; \(tool) -k . ; echo $?; \(tool) -Z; echo $?; \(tool); echo $?
      \(tool) -k image -Q /no/qemu; echo $?; \(tool) -h > /dev/null; echo $?
      """)
    #expect(result.text == "125\n125\n125\n125\n125\n0\n")
    #expect(result.errors.contains("cannot look at none: No such file or directory"))
    #expect(result.errors.contains("-k . is a directory"))
    #expect(result.errors.contains("/no/qemu was not found"))
  }

  @Test("A kernel and an initrd that do not fit into the memory are told before the boot")
  func tooLittleMemory() throws {
    let result = try directory.shell(
      """
      truncate -s 2M initrd; \(tool) -Q /bin/false -k /bin/true -i initrd -m 2; echo $?
      \(tool) -Q /bin/false -k /bin/true -m 8k; echo $?; \(tool) -Q /bin/false -k initrd -i initrd -m 1; echo $?
      """)
    #expect(result.text == "125\n125\n125\n")
    #expect(result.errors.contains("-m 2: too little memory: /bin/true reaches up to "))
    #expect(result.errors.contains("KiB, and initrd takes 2048 KiB"))
    #expect(result.errors.contains("-m 8k: too little memory"))
    // What is no ELF image is QEMU's to judge.
    #expect(!result.errors.contains("-m 1:"))
  }
}
