import Glibc
import LinuxABI
import Testing

/// The names and messages that go into traces and reports.
@Suite struct NameTests {
  func text(_ body: ((UInt8) -> Void) -> Void) -> String {
    var bytes: [UInt8] = []
    body { bytes.append($0) }
    return String(decoding: bytes, as: UTF8.self)
  }

  func names(_ flags: some NamedFlags) -> String { text(flags.writeNames) }

  @Test func messagesAreThoseOfStrerror() throws {
    var count = 0
    for number in Int32(1)...133 {
      guard let errno = Errno(rawValue: number) else {
        #expect(String(cString: unsafe strerror(number)) == "Unknown error \(number)")
        continue
      }
      count += 1
      #expect("\(errno.text)" == String(cString: unsafe strerror(number)))
      #expect("\(errno.name)" == "\(errno)")
    }
    #expect(count == 131)
    #expect("\(Errno.ERESTART_RESTARTBLOCK.name)" == "ERESTART_RESTARTBLOCK")
    #expect(Errno.ERESTARTSYS.isRestart && !Errno.EHWPOISON.isRestart)
    #expect(Errno.name(of: 41) == nil)
  }

  @Test func signalTextsAreThoseOfStrsignal() throws {
    for number in Int32(1)...31 {
      let signal = try #require(Signal(rawValue: number))
      #expect("\(signal.text)" == String(cString: unsafe strsignal(number)))
      #expect(signal.name != nil)
    }
    #expect(Signal(rawValue: 0) == nil && Signal(rawValue: 65) == nil && Signal(rawValue: -1) == nil)
    #expect(Signal(rawValue: 64)?.isRealTime == true)
    #expect(text { Signal.writeName(of: 34, $0) } == "SIGRT_2")
    #expect(text { Signal.writeName(of: 99, $0) } == "99")
  }

  @Test func flagsPrintAsStraceDoes() {
    #expect(names([.O_RDONLY, .O_CLOEXEC] as OpenFlags) == "O_RDONLY|O_CLOEXEC")
    #expect(names([.O_WRONLY, .O_CREAT, .O_TRUNC] as OpenFlags) == "O_WRONLY|O_CREAT|O_TRUNC")
    #expect(names([.O_RDWR, .O_SYNC] as OpenFlags) == "O_RDWR|O_SYNC")
    #expect(names([.O_RDWR, .O_DSYNC] as OpenFlags) == "O_RDWR|O_DSYNC")
    #expect(names([.O_RDWR, .O_TMPFILE] as OpenFlags) == "O_RDWR|O_TMPFILE")
    #expect(names([.O_RDONLY, .O_DIRECTORY] as OpenFlags) == "O_RDONLY|O_DIRECTORY")
    #expect(names(OpenFlags(rawValue: 0x8000_0001)) == "O_WRONLY|0x80000000")
    #expect(names(OpenFlags(rawValue: 3)) == "0x3")
    #expect(names(MemoryProtection.PROT_NONE) == "PROT_NONE")
    #expect(names([.PROT_READ, .PROT_EXEC] as MemoryProtection) == "PROT_READ|PROT_EXEC")
    #expect(names([.MAP_PRIVATE, .MAP_FIXED, .MAP_DENYWRITE] as MappingFlags) == "MAP_PRIVATE|MAP_FIXED|MAP_DENYWRITE")
    #expect(names(MappingFlags.MAP_ANONYMOUS) == "MAP_ANONYMOUS")
    #expect(names(AccessMode.F_OK) == "F_OK")
    #expect(names([.R_OK, .X_OK] as AccessMode) == "R_OK|X_OK")
    #expect(names([] as AtFlags) == "0")
    #expect(names(StatxMask.STATX_ALL) == "STATX_ALL")
    #expect(names(StatxMask.STATX_BASIC_STATS.union(.STATX_MNT_ID)) == "STATX_BASIC_STATS|STATX_MNT_ID")
    #expect(names(CloneFlags(rawValue: 0x0100_0011)) == "CLONE_CHILD_SETTID|SIGCHLD")
    #expect(names(CloneFlags(rawValue: 17)) == "SIGCHLD")
    #expect(names(CloneFlags(rawValue: 0)) == "0")
    #expect(names(PersonaFlags.ADDR_NO_RANDOMIZE) == "PER_LINUX|ADDR_NO_RANDOMIZE")
    #expect(names(UnmountFlags(rawValue: .max)) == "MNT_FORCE|MNT_DETACH|MNT_EXPIRE|UMOUNT_NOFOLLOW|0xfffffff0")
  }

  @Test func everyNameOfAFlagHasItsValue() {
    var seen: [String: UInt32] = [:]
    MappingFlags.forEachName { seen["\($1)"] = $0 }
    #expect(seen["MAP_SHARED_VALIDATE"] == 3)
    #expect(seen["MAP_FIXED_NOREPLACE"] == 0x100000)
    #expect(seen.count == 18)
  }

  @Test func modesPrintAsStraceDoes() {
    #expect(text(FileMode(rawValue: 0o644).writeNames) == "0644")
    #expect(text(FileMode(rawValue: 0).writeNames) == "000")
    #expect(text(FileMode(rawValue: 0o7).writeNames) == "007")
    #expect(text(FileMode(rawValue: 0o4755).writeNames) == "04755")
    #expect(text(FileMode(.S_IFCHR, [.S_IRUSR, .S_IWUSR]).writeNames) == "S_IFCHR|0600")
    #expect(FileMode(rawValue: 0o100644).type == .S_IFREG)
    #expect(FileMode(rawValue: 0o644).type == nil)
    #expect(FileType.S_IFDIR.directoryEntryType == DirectoryEntryType.DT_DIR)
  }

  @Test func numbersHaveNames() {
    #expect(FcntlCommand.name(of: 1030).map { "\($0)" } == "F_DUPFD_CLOEXEC")
    #expect(FcntlCommand.name(of: 18) == nil)
    #expect(FcntlCommand.name(of: .max) == nil)
    #expect(MemoryAdvice.MADV_HWPOISON.name.map { "\($0)" } == "MADV_HWPOISON")
    #expect(ArchPrctlCode.ARCH_SET_FS.name.map { "\($0)" } == "ARCH_SET_FS")
    #expect(ResourceUsageWho.name(of: -2) == nil)
    #expect(ResourceUsageWho.RUSAGE_CHILDREN.name.map { "\($0)" } == "RUSAGE_CHILDREN")
    #expect(PrctlOption.PR_SET_PTRACER.name.map { "\($0)" } == "PR_SET_PTRACER")
    #expect(IoctlRequest.TCGETS.name.map { "\($0)" } == "TCGETS")
    #expect(IoctlRequest.TIOCGPTN.name.map { "\($0)" } == "TIOCGPTN")
    #expect(IoctlRequest.SIOCGIFADDR.name.map { "\($0)" } == "SIOCGIFADDR")
    #expect(text(IoctlRequest(rawValue: 0x1234_5678).writeName) == "0x12345678")
    #expect(
      text { FutexOperation.writeName(ofArgument: 0x189, $0) } == "FUTEX_WAIT_BITSET_PRIVATE|FUTEX_CLOCK_REALTIME")
    #expect(text { FutexOperation.writeName(ofArgument: 0x7f, $0) } == "0x7f")
    #expect(FutexOperation(argument: 0x81) == .FUTEX_WAKE)
    #expect(syscallName(-1) == nil && syscallName(335) == nil && syscallName(.max) == nil)
  }

  @Test func signalSetsPrintAsStraceDoes() {
    #expect(text(SignalSet.empty.writeNames) == "[]")
    #expect(text(SignalSet.unblockable.writeNames) == "[KILL STOP]")
    #expect(text(SignalSet.all.subtracting(.unblockable).writeNames) == "~[KILL STOP]")
    #expect(text(SignalSet.all.writeNames) == "~[]")
    #expect(text(SignalSet(rawValue: 1 << 33 | 1).writeNames) == "[HUP RT_2]")
    #expect(SignalSet.all.first == .SIGHUP && SignalSet.empty.first == nil)
  }

  @Test func unionsPackTheirMembers() {
    let child = SigInfo.child(code: SignalCode.CLD_EXITED, pid: 7, uid: 1000, status: 3, userTicks: 5, systemTicks: 6)
    #expect(child.si_pid == 7 && child.si_uid == 1000 && child.si_status == 3)
    #expect(child.si_utime == 5 && child.si_stime == 6)
    var timer = SigInfo.timer(.SIGALRM, id: 4, overrun: 2, value: .max)
    timer.si_overrun = 9
    #expect(timer.si_timerid == 4 && timer.si_overrun == 9 && timer.si_value == .max)
    #expect(SigInfo.fault(.SIGSEGV, code: SignalCode.SEGV_MAPERR, address: 0x10).si_addr == 0x10)
    #expect(SigInfo.poll(.SIGIO, code: SignalCode.POLL_IN, band: 1, descriptor: 3).si_fd == 3)
    let event = EpollEvent(events: .EPOLLIN, data: 0x1122_3344_5566_7788)
    #expect(event.data == 0x1122_3344_5566_7788)
  }

  @Test func statusesAreThoseOfTheParent() {
    #expect(WaitStatus.exited(0x1ff).rawValue == 0xff00)
    #expect(WaitStatus.signaled(.SIGSEGV, coreDumped: true).rawValue == 0x8b)
    #expect(WaitStatus.stopped(.SIGTSTP).rawValue == 0x147f)
  }

  @Test func deviceNumbersAreThoseOfLinux() {
    // new_encode_dev of Linux.
    let numbers: [(UInt32, UInt32, UInt64)] = [
      (0, 0, 0), (1, 3, 0x103), (5, 1, 0x501), (136, 0, 0x8800), (259, 300, 0x11_032c), (4095, 0xf_ffff, 0xffff_ffff),
    ]
    for (major, minor, encoded) in numbers {
      let number = DeviceNumber(major: major, minor: minor)
      #expect(number.encoded == encoded)
      #expect(DeviceNumber(encoded: encoded) == number)
    }
  }

  @Test func durationsSaturate() {
    #expect(Timespec(tv_sec: 1, tv_nsec: 5).saturatedNanoseconds == 1_000_000_005)
    #expect(Timespec(tv_sec: .max, tv_nsec: 999_999_999).saturatedNanoseconds == .max)
    #expect(Timespec(tv_sec: -1, tv_nsec: 0).saturatedNanoseconds == nil)
    #expect(Timespec(tv_sec: 0, tv_nsec: 1_000_000_000).saturatedNanoseconds == nil)
    #expect(Timeval(tv_sec: .max, tv_usec: 1).saturatedNanoseconds == .max)
    #expect(Timespec(nanoseconds: -1) == Timespec(tv_sec: -1, tv_nsec: 999_999_999))
    #expect(Timespec(nanoseconds: .min).tv_nsec >= 0)
  }

  @Test func textFieldsAreCutAndTerminated() {
    #expect(Utsname.field("Linux")[4] == UInt8(ascii: "x"))
    #expect(Utsname.field("Linux")[5] == 0)
    let long = [UInt8](repeating: 1, count: 100)
    let field = Utsname.field(long.span)
    #expect(field[63] == 1 && field[64] == 0)
  }
}
