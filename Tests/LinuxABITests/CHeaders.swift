import Foundation
import Testing

/// Checks of constants and layouts against the headers of the machine that runs the tests: static assertions that the
/// C compiler takes or rejects.
enum CHeaders {
  /// A set of headers that one translation unit can include together.
  enum Family: String, CaseIterable {
    /// The headers that the kernel exports.
    case kernel
    /// The headers of glibc, for what the kernel's lack. They do not go together with the kernel's.
    case libc

    var includes: [String] {
      switch self {
      case .kernel:
        """
        linux/types.h linux/time.h asm/errno.h linux/fcntl.h linux/stat.h asm/stat.h asm/statfs.h linux/openat2.h
        linux/close_range.h linux/fs.h linux/falloc.h linux/fadvise.h linux/xattr.h linux/limits.h linux/mount.h
        linux/magic.h linux/mman.h asm/mman.h linux/memfd.h linux/random.h linux/membarrier.h asm/signal.h
        asm/siginfo.h linux/signal.h linux/signalfd.h asm/sigcontext.h asm/ucontext.h linux/sched.h
        linux/sched/types.h linux/wait.h linux/prctl.h asm/prctl.h linux/personality.h linux/resource.h
        asm/resource.h linux/reboot.h linux/capability.h linux/futex.h asm/poll.h linux/eventpoll.h linux/inotify.h
        linux/timex.h linux/times.h linux/utime.h asm/termbits.h asm/termios.h asm/ioctls.h linux/sockios.h
        linux/tty.h linux/rseq.h linux/auxvec.h asm/auxvec.h asm/hwcap2.h linux/utsname.h linux/sysinfo.h linux/uio.h
        linux/ipc.h linux/shm.h linux/sem.h linux/msg.h linux/kcmp.h linux/mqueue.h
        asm/unistd_64.h stddef.h
        """.split(whereSeparator: \.isWhitespace).map(String.init)
      case .libc:
        """
        dirent.h sys/statvfs.h sys/mount.h sys/signalfd.h sys/eventfd.h sys/timerfd.h sys/stat.h sys/resource.h
        sys/socket.h netinet/in.h netinet/tcp.h unistd.h fcntl.h stddef.h
        """.split(whereSeparator: \.isWhitespace).map(String.init)
      }
    }
  }

  /// Expects that `body` compiles behind the headers of `family`; else records what the compiler says.
  static func expectValid(
    _ family: Family, _ body: String, sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let complaints = try complaints(family, body)
    #expect(complaints.isEmpty, "\(complaints)", sourceLocation: sourceLocation)
  }

  private static func complaints(_ family: Family, _ body: String) throws -> String {
    let source = family.includes.map { "#include <\($0)>\n" }.joined() + body
    let file = FileManager.default.temporaryDirectory.appendingPathComponent("LinuxABI-\(UUID().uuidString).c")
    try source.write(to: file, atomically: true, encoding: .utf8)
    defer { try? FileManager.default.removeItem(at: file) }
    let compiler = Process()
    compiler.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    compiler.arguments = ["cc", "-std=gnu11", "-w", "-fsyntax-only", "-D_GNU_SOURCE", file.path]
    let pipe = Pipe()
    compiler.standardError = pipe
    try compiler.run()
    let output = pipe.fileHandleForReading.readDataToEndOfFile()
    compiler.waitUntilExit()
    let text = String(decoding: output, as: UTF8.self)
    return compiler.terminationStatus == 0 ? "" : text
  }
}
