import HostSystem
import InitrdBuilder
import Testing
import ToolTesting

/// Packs `request` and returns the warnings.
@discardableResult
func pack(_ request: InitrdRequest) throws -> [String] {
  var warnings: [String] = []
  try buildInitrd(request) { warnings.append($0) }
  return warnings
}

@Suite("A directory as an archive")
struct DirectoryTests {
  let directory: TemporaryDirectory

  init() throws {
    directory = try TemporaryDirectory()
  }

  @Test("GNU cpio restores every kind of file with its attributes")
  func allKinds() throws {
    try directory.shell(
      #"""
      mkdir -p root/a/b root/empty && cd root
      echo hello > a/file; : > a/nothing; ln a/file a/b/hard; ln a/file z-hard
      ln -s ../a/file a/link; ln -s /nowhere/at/all dangling
      mkfifo fifo; mknod null c 1 3 2>/dev/null || true; mknod big c 300 70000 2>/dev/null || true
      printf 'x%.0s' $(seq 5000) > a/big; printf abc > "$(printf 'odd\nname')"; printf 1 > 'TRAILER!!!'
      chmod 4751 a/file; chmod 1777 empty; chown 12:34 a/big 2>/dev/null || true
      find . -exec touch -h -d '2001-02-03 04:05:06 UTC' {} +
      """#)
    try pack(InitrdRequest(output: directory["out.cpio"], directory: directory["root"]))
    // GNU cpio restores the times of neither links nor directories; the archive has them.
    #expect(try readArchive(directory["out.cpio"]).allSatisfy { $0.fields[5] == 981_173_106 })
    let listing =
      "find . -type f -printf '%P|%m|%U|%G|%s|%T@\\n' -o -printf '%P|%y|%m|%U|%G|%l\\n' | LC_ALL=C sort"
    let result = try directory.shell(
      """
      mkdir out && cd out && cpio -idm --quiet --preserve-modification-time < ../out.cpio || exit 1
      \(listing) > ../restored; cd ../root; \(listing) > ../original
      cd ..; diff original restored && diff -r --no-dereference root out 2>&1 | grep -v -e 'special file' -e 'is a fifo' || true
      [ "$(stat -c %i out/a/file)" = "$(stat -c %i out/z-hard)" ] && [ "$(stat -c %h out/a/b/hard)" = 3 ] || echo links
      [ ! -e root/null ] || stat -c '%t %T' out/null out/big
      """)
    #expect(result.end == .exited(0))
    #expect(result.errors == "")
    #expect(["", "1 3\n12c 11170\n"].contains(result.text), "\(result.text)")
  }

  @Test("Data of non-empty files is page aligned, and nothing else is padded")
  func alignment() throws {
    try directory.shell(
      #"""
      mkdir root; cd root; i=0
      while [ $i -lt 300 ]; do
        d=$(printf 'd%.0s' $(seq $((i % 200 + 1)))); mkdir -p "$d"
        head -c $((i * 37 % 9000)) /dev/zero > "$d/$(printf 'n%.0s' $(seq $((i * 7 % 250 + 1))))"; i=$((i + 1))
      done
      : > empty; ln -s target link
      """#)
    try pack(InitrdRequest(output: directory["out.cpio"], directory: directory["root"]))
    let entries = try readArchive(directory["out.cpio"])
    #expect(entries.contains { $0.isRegular && $0.data.isEmpty })
    for entry in entries {
      #expect(entry.nameSize <= 4096)
      if entry.isRegular && !entry.data.isEmpty {
        #expect(entry.dataOffset % 4096 == 0)
      } else if entry.mode & 0o170000 != 0o040000 {
        #expect(entry.nameSize == entry.name.utf8.count + 1)
      }
    }
    // A directory appears again only where a long name did not fit.
    let files = entries.filter { $0.mode & 0o170000 != 0o040000 }.map(\.name)
    #expect(Set(files).count == files.count)
    let size = try FileStatus(of: Path(directory["out.cpio"])).size
    let pages = entries.reduce(0) { $0 + ($1.isRegular ? ($1.data.count + 4095) / 4096 * 4096 : 0) }
    #expect(size < UInt64(pages + entries.count * 4096))
    #expect(try directory.shell("mkdir out; cd out; cpio -id --quiet < ../out.cpio; diff -r . ../root").text == "")
  }

  @Test("Long names that do not fit before the page still get aligned data")
  func longNames() throws {
    try directory.shell(
      #"""
      mkdir root; cd root; p=; for i in 1 2 3 4 5 6 7; do p=$p/$(printf "$i%.0s" $(seq 240)); done
      mkdir -p ".$p"; for f in a b c d e f g h; do echo $f > ".$p/$f$(printf 'y%.0s' $(seq 200))"; done
      """#)
    try pack(InitrdRequest(output: directory["out.cpio"], directory: directory["root"]))
    for entry in try readArchive(directory["out.cpio"]) where entry.isRegular {
      #expect(entry.dataOffset % 4096 == 0)
      #expect(entry.nameSize <= 4096)
    }
    let check =
      "mkdir out; cd out; cpio -id --quiet < ../out.cpio && diff -r . ../root && cpio -t --quiet < ../out.cpio | wc -l"
    #expect(try directory.shell(check).end == .exited(0))
  }

  @Test("The last of several hard links carries the data")
  func hardLinks() throws {
    try directory.shell("mkdir root; cd root; echo data > b; ln b a; ln b c; echo alone > d; ln d ../outside")
    try pack(InitrdRequest(output: directory["out.cpio"], directory: directory["root"]))
    let files = try readArchive(directory["out.cpio"]).filter(\.isRegular)
    #expect(files.map(\.name) == ["a", "b", "c", "d"])
    #expect(files.map(\.linkCount) == [3, 3, 3, 1])
    #expect(Set(files.prefix(3).map(\.inode)).count == 1)
    #expect(files.map { String(decoding: $0.data, as: UTF8.self) } == ["", "", "data\n", "alone\n"])
  }

  @Test("Equal trees give equal archives, compressed or not")
  func reproducible() throws {
    try directory.shell(
      """
      for r in one two; do mkdir -p $r/x/y; for f in c a b; do echo $f > $r/x/$f; done; ln $r/x/a $r/x/y/l; done
      find one two -exec touch -d '2001-02-03' {} +
      """)
    for (root, suffix) in [("one", "cpio"), ("two", "cpio"), ("one", "cpio.gz"), ("two", "cpio.gz")] {
      try pack(InitrdRequest(output: directory["\(root).\(suffix)"], directory: directory[root]))
    }
    let result = try directory.shell(
      "cmp one.cpio two.cpio && cmp one.cpio.gz two.cpio.gz && gzip -dc one.cpio.gz | cmp - two.cpio; ls -A")
    #expect(result.text == "one\none.cpio\none.cpio.gz\ntwo\ntwo.cpio\ntwo.cpio.gz\n")
  }

  @Test("The archive is not packed into itself, and replaces an old one at once")
  func outputInside() throws {
    try directory.shell("mkdir root; echo x > root/x; echo old > root/out.cpio; ln -s root/out.cpio link")
    try pack(InitrdRequest(output: directory["link"], directory: directory["root"]))
    #expect(
      try directory.shell("cpio -t --quiet < root/out.cpio; stat -c %F link; ls -A root").text
        == ".\nx\nsymbolic link\nout.cpio\nx\n")
  }

  @Test("A failure leaves the old archive and no other file")
  func failure() throws {
    try directory.shell("echo old > out.cpio")
    #expect(throws: SystemError.self) {
      try pack(InitrdRequest(output: directory["out.cpio"], directory: directory["missing"]))
    }
    #expect(try directory.shell("cat out.cpio; ls -A").text == "old\nout.cpio\n")
    let full = #expect(throws: (any Error).self) {
      try pack(InitrdRequest(output: "/dev/full", directory: "/usr/share/perl5"))
    }
    #expect("\(full!)".contains("No space left on device"))
  }
}
