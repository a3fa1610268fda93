import HostSystem
import InitrdBuilder
import Testing
import ToolTesting

@Suite("Programs with what they need")
struct ProgramTests {
  let directory: TemporaryDirectory

  init() throws {
    directory = try TemporaryDirectory()
  }

  private func names(_ archive: String = "out.cpio") throws -> [String] {
    try readArchive(directory[archive]).map(\.name)
  }

  @Test("What ldd names is in the archive, and the program runs in it", arguments: ["ls", "/bin/bash", "perl"])
  func asLdd(program: String) throws {
    try pack(InitrdRequest(output: directory["out.cpio"], programs: [program]))
    let result = try directory.shell(
      """
      mkdir out && (cd out && cpio -id --quiet < ../out.cpio)
      program=$(command -v \(program))
      ldd "$program" | sed -n 's/.*=> \\([^ ]*\\) .*/\\1/p; s/^[[:space:]]*\\(\\/[^ ]*\\) .*/\\1/p' | while read -r f; do
        [ -e "out$(readlink -f "$f")" ] || echo "missing $f"
      done
      [ "$(id -u)" != 0 ] || LC_ALL=C chroot out "$program" --version > version || echo failed
      """)
    #expect(result.text == "")
    #expect(result.errors == "")
  }

  @Test("Run paths, $ORIGIN and libraries of libraries, also for a program that moves")
  func runPaths() throws {
    let built = try directory.shell(
      #"""
      mkdir -p app/bin app/lib app/deep
      echo 'int leaf(void){return 7;}' | gcc -shared -fPIC -xc - -o app/deep/libleaf.so.1.2 -Wl,-soname,libleaf.so.1
      ln -s libleaf.so.1.2 app/deep/libleaf.so.1; ln -s libleaf.so.1 app/deep/libleaf.so
      echo 'int leaf(void);int mid(void){return leaf();}' | gcc -shared -fPIC -xc - -o app/lib/libmid.so \
        -Lapp/deep -lleaf '-Wl,-rpath,$ORIGIN/../deep'
      echo 'int mid(void);int main(void){return mid();}' | gcc -xc - -o app/bin/prog -Lapp/lib -lmid \
        '-Wl,-rpath,${ORIGIN}/../lib' -Wl,-rpath-link,app/deep
      echo 'int mid(void);int main(void){return mid();}' | gcc -xc - -o app/bin/old -Lapp/lib -lmid \
        '-Wl,--disable-new-dtags,-rpath,$ORIGIN/../lib' -Wl,-rpath-link,app/deep
      """#)
    #expect(built.end == .exited(0), "\(built.errors)")
    try pack(InitrdRequest(output: directory["out.cpio"], programs: [directory["app/bin/prog"]]))
    let root = String(directory.path.description.dropFirst())
    let present = try names()
    for file in ["app/bin/prog", "app/lib/libmid.so", "app/deep/libleaf.so.1", "app/deep/libleaf.so.1.2"] {
      #expect(present.contains("\(root)/\(file)"))
    }
    try pack(InitrdRequest(output: directory["moved.cpio"], programs: ["\(directory["app/bin/old"]):/opt/bin/prog"]))
    let moved = try names("moved.cpio")
    for file in ["opt/bin/prog", "opt/lib/libmid.so", "opt/deep/libleaf.so.1"] { #expect(moved.contains(file)) }
    #expect(!moved.contains(root))
  }

  @Test("A missing library is named with who needs it")
  func missingLibrary() throws {
    try directory.shell(
      """
      echo 'int gone(void){return 7;}' | gcc -shared -fPIC -xc - -o libgone.so
      echo 'int gone(void);int main(void){return gone();}' | gcc -xc - -o prog -L. -lgone; rm libgone.so
      """)
    let error = #expect(throws: ToolError.self) {
      try pack(InitrdRequest(output: directory["out.cpio"], programs: [directory["prog"]]))
    }
    #expect(error!.description.hasPrefix("libgone.so, which \(directory["prog"]) needs, was not found (looked in "))
    let warnings = try pack(InitrdRequest(output: directory["out.cpio"], files: [directory["prog"]]))
    #expect(warnings.count == 1 && warnings[0].hasPrefix("libgone.so, which "))
  }

  @Test("A missing interpreter is named")
  func missingInterpreter() throws {
    try directory.shell("echo 'int main(void){return 0;}' | gcc -xc - -o prog -Wl,--dynamic-linker,/lib/ld-none.so.9")
    let error = #expect(throws: ToolError.self) {
      try pack(InitrdRequest(output: directory["out.cpio"], programs: [directory["prog"]]))
    }
    #expect(error!.description.hasPrefix("the program interpreter /lib/ld-none.so.9 of \(directory["prog"]) is"))
  }

  @Test("A program of musl finds its libraries as musl does", .enabled(if: findProgram("musl-gcc") != nil))
  func musl() throws {
    let built = try directory.shell(
      #"""
      mkdir lib; echo 'int f(void){return 0;}' | musl-gcc -shared -fPIC -xc - -o lib/libf.so
      echo 'int f(void);int main(void){return f();}' | musl-gcc -xc - -o prog -Llib -lf '-Wl,-rpath,$ORIGIN/lib'
      """#)
    #expect(built.end == .exited(0), "\(built.errors)")
    try pack(InitrdRequest(output: directory["out.cpio"], programs: ["\(directory["prog"]):/app/prog"]))
    let present = try names()
    for file in ["app/prog", "app/lib/libf.so"] { #expect(present.contains(file), "\(file)") }
    // musl reads $ORIGIN from /proc, which is not there.
    let result = try directory.shell(
      """
      mkdir out && (cd out && cpio -id --quiet < ../out.cpio)
      [ "$(id -u)" != 0 ] || LD_LIBRARY_PATH=/app/lib chroot out /app/prog || echo failed
      """)
    #expect(result.text == "" && result.errors == "")
  }

  @Test("A script brings its interpreter, through env as well")
  func scripts() throws {
    try directory.shell(
      """
      echo '#!/bin/sh' > a; echo '#! /usr/bin/env -S FOO=1 perl -w' > b; echo '#!/no/such x' > c; chmod +x a b c
      """
    )
    try pack(
      InitrdRequest(output: directory["out.cpio"], programs: ["\(directory["a"]):/a", "\(directory["b"]):/b"]))
    let present = try names()
    for file in ["a", "b", "bin", "usr/bin/env", "usr/bin/perl", "usr/lib/x86_64-linux-gnu/libc.so.6"] {
      #expect(present.contains(file), "\(file)")
    }
    let error = #expect(throws: ToolError.self) {
      try pack(InitrdRequest(output: directory["out.cpio"], programs: [directory["c"]]))
    }
    #expect(
      error!.description
        == "the interpreter /no/such of the script \(directory["c"]) is missing or not executable")
  }

  @Test("Static programs, of both kinds, stand alone")
  func staticPrograms() throws {
    try directory.shell(
      """
      echo 'int main(void){return 0;}' > m.c
      gcc -static m.c -o fixed; gcc -static-pie m.c -o pie
      """)
    try pack(
      InitrdRequest(
        output: directory["out.cpio"], programs: ["\(directory["fixed"]):/fixed", "\(directory["pie"]):/pie"]))
    #expect(try names() == [".", "fixed", "pie"])
  }

  @Test("Files and directories go where they are told")
  func files() throws {
    try directory.shell(
      "mkdir -p data/sub; echo 1 > data/one; echo 2 > data/sub/two; ln -s one data/link; echo 3 > x:y")
    try pack(
      InitrdRequest(
        output: directory["out.cpio"],
        files: ["\(directory["data"]):/srv/www", "\(directory["data/one"]):/etc/conf/", directory["x:y"]]))
    let root = String(directory.path.description.dropFirst())
    let present = try names()
    for file in ["srv/www/one", "srv/www/sub/two", "srv/www/link", "etc/conf/one", "\(root)/x:y"] {
      #expect(present.contains(file), "\(file)")
    }
  }

  @Test("What is no program is refused with the reason")
  func refusals() throws {
    try directory.shell(
      """
      echo text > text; chmod +x text; echo 'int main(void){return 0;}' | gcc -xc - -o prog; : > plain
      for n in $(seq 1 200); do head -c $n prog > cut$n; chmod +x cut$n; done
      (head -c 18 prog; printf '\\267\\000'; tail -c +21 prog) > arm; chmod +x arm
      """)
    func reason(_ name: String) -> String {
      let error = #expect(throws: ToolError.self) {
        try pack(InitrdRequest(output: directory["out.cpio"], programs: [directory[name]]))
      }
      return error?.description ?? ""
    }
    #expect(reason("text").hasSuffix("/text is neither an ELF program nor a script that starts with #!"))
    #expect(reason("plain").hasSuffix("/plain is not an executable file"))
    #expect(reason("none").hasSuffix("/none: no such program"))
    #expect(reason("arm").hasSuffix("is an ELF file for another machine (e_machine 183)"))
    for length in 1...200 { #expect(reason("cut\(length)").contains("/cut\(length)")) }
  }

  @Test("Hostile ELF files are refused and never trap")
  func hostileFiles() throws {
    try directory.shell("echo 'int main(void){return 0;}' | gcc -xc - -o prog")
    let original = try content(ofFile: directory["prog"])
    var random: UInt64 = 0x9e37_79b9_7f4a_7c15
    func next(_ bound: Int) -> Int {
      random = random &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int(random >> 33) % bound
    }
    let dynamicArea = original.indices.filter { $0 >= 0x2d00 && $0 < 0x3000 }
    for _ in 0..<400 {
      var bytes = original
      for _ in 0..<(1 + next(4)) {
        let places = [next(64), 64 + next(13 * 56), dynamicArea.isEmpty ? 0 : dynamicArea[next(dynamicArea.count)]]
        bytes[places[next(3)]] = [0, 0xff, 0x7f, 0x80, UInt8(next(256))][next(5)]
      }
      let file = try TemporaryFile(in: directory.path, prefix: Array("mutant".utf8))
      try writeAll(bytes, to: file.descriptor, named: "a mutant")
      _ = try? pack(InitrdRequest(output: directory["out.cpio"], files: ["\(file.path):/m"]))
      removeFile(file.path)
    }
  }
}
