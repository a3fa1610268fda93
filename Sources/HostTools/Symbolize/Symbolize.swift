internal import ArgumentParser
internal import HostSystem
internal import Symbolization

/// The command line of `support/symbolize`.
@main
struct Symbolize: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "symbolize",
    abstract: "Puts names and lines to the addresses of a kernel panic.",
    usage: "symbolize IMAGE.dbg < REPORT",
    discussion: """
      Copies standard input to standard output. Behind the address of a backtrace's frame (`#1 0x7f8000123456`) it \
      writes the Swift function, the file and the line, and below it one line more for each function that this one \
      was inlined into. Other lines pass as they are, so a live console can be piped through.

      Needs llvm-symbolizer, which comes with Swift, or addr2line.

      Example:
        support/qemu-guest -k build/elfloader_qemu-x86_64 -i app.cpio -a /app |
          support/symbolize build/elfloader_qemu-x86_64.dbg
      """)

  @Argument(help: ArgumentHelp("The kernel image with its symbols.", valueName: "image.dbg"))
  var image: String

  func run() {
    do {
      try symbolizeStandardInput(image: image)
    } catch {
      printError("symbolize: \(error)")
      exitProcess(1)
    }
  }
}
