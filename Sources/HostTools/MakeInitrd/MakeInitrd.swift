internal import ArgumentParser
internal import HostSystem
internal import InitrdBuilder

/// The command line of `support/mkinitrd`.
@main
struct MakeInitrd: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "mkinitrd",
    abstract: "Builds an initial RAM disk (a newc cpio archive) for a guest.",
    usage: """
      mkinitrd -o OUT.cpio[.gz] DIR
      mkinitrd -o OUT.cpio[.gz] -p PROGRAM [-p PROGRAM ...] [-f FILE ...]
      """,
    discussion: """
      DIR becomes the root of the guest, with its owners, modes, times, links and devices.

      A PROGRAM is added with its interpreter and its shared libraries, found as ldd finds them; a script with the \
      program that its first line names. Files keep their absolute path, and symbolic links on the way are \
      reproduced. SRC:DST puts a file elsewhere in the guest; a DST that ends with a slash is a directory.

      File data begins at multiples of 4096 bytes, so that a guest can map it where it lies. Equal inputs give \
      equal archives; SOURCE_DATE_EPOCH is an upper limit of the times in them. What `cpio -t` and `cpio -i` read is what the guest gets.

      Examples:
        mkinitrd -o ls.cpio -p ls
        mkinitrd -o app.cpio -p ./server:/server -f config.toml:/etc/server/
        mkinitrd -o py.cpio.gz -p python3 -f /usr/lib/python3.11 -f x.py:/x.py
      """)

  @Option(name: .short, help: ArgumentHelp("The archive to write, or - for standard output.", valueName: "out"))
  var output: String

  @Option(
    name: .short, parsing: .unconditionalSingleValue,
    help: ArgumentHelp("A program, as a name in PATH or a path; repeatable.", valueName: "program[:dst]"))
  var program: [String] = []

  @Option(
    name: .short, parsing: .unconditionalSingleValue,
    help: ArgumentHelp("A file or a whole directory; repeatable.", valueName: "src[:dst]"))
  var file: [String] = []

  @Argument(help: ArgumentHelp("The directory that becomes the guest's root.", valueName: "dir"))
  var directory: String?

  func validate() throws {
    guard directory != nil || !program.isEmpty || !file.isEmpty else {
      throw ValidationError("nothing to pack: give a directory, -p PROGRAM or -f FILE")
    }
  }

  func run() {
    do {
      try buildInitrd(
        InitrdRequest(output: output, directory: directory, programs: program, files: file),
        warn: { printError("mkinitrd: warning: \($0)") })
    } catch {
      printError("mkinitrd: \(error)")
      exitProcess(1)
    }
  }
}
