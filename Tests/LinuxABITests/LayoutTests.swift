import LinuxABI
import Testing

/// Every structure has the size and the offsets of the kernel's, and no byte that no property owns.
@Suite struct LayoutTests {
  /// Asserts that `cType` has the size of `type`, and its members the offsets of the properties.
  func assertions<T>(_ cType: String, _ type: T.Type, _ members: [String: PartialKeyPath<T>]) -> String {
    var text = "_Static_assert(sizeof(\(cType)) == \(MemoryLayout<T>.size), \"sizeof \(cType)\");\n"
    for (name, path) in members.sorted(by: { $0.key < $1.key }) {
      let offset = MemoryLayout<T>.offset(of: path).map(String.init) ?? "none"
      text += "_Static_assert(offsetof(\(cType), \(name)) == \(offset), \"\(cType).\(name)\");\n"
    }
    return text
  }

  @Test func files() throws {
    let stat = assertions(
      "struct stat", Stat.self,
      [
        "st_dev": \.st_dev, "st_ino": \.st_ino, "st_nlink": \.st_nlink, "st_mode": \.st_mode, "st_uid": \.st_uid,
        "st_gid": \.st_gid, "st_rdev": \.st_rdev, "st_size": \.st_size, "st_blksize": \.st_blksize,
        "st_blocks": \.st_blocks, "st_atime": \.st_atim, "st_mtime": \.st_mtim, "st_ctime": \.st_ctim,
      ])
    let statx = assertions(
      "struct statx", Statx.self,
      [
        "stx_mask": \.stx_mask, "stx_blksize": \.stx_blksize, "stx_attributes": \.stx_attributes,
        "stx_nlink": \.stx_nlink, "stx_uid": \.stx_uid, "stx_gid": \.stx_gid, "stx_mode": \.stx_mode,
        "stx_ino": \.stx_ino, "stx_size": \.stx_size, "stx_blocks": \.stx_blocks,
        "stx_attributes_mask": \.stx_attributes_mask, "stx_atime": \.stx_atime, "stx_btime": \.stx_btime,
        "stx_ctime": \.stx_ctime, "stx_mtime": \.stx_mtime, "stx_rdev_major": \.stx_rdev_major,
        "stx_rdev_minor": \.stx_rdev_minor, "stx_dev_major": \.stx_dev_major, "stx_dev_minor": \.stx_dev_minor,
        "stx_mnt_id": \.stx_mnt_id, "stx_dio_mem_align": \.stx_dio_mem_align,
        "stx_dio_offset_align": \.stx_dio_offset_align,
      ])
    let statfs = assertions(
      "struct statfs", Statfs.self,
      [
        "f_type": \.f_type, "f_bsize": \.f_bsize, "f_blocks": \.f_blocks, "f_bfree": \.f_bfree,
        "f_bavail": \.f_bavail, "f_files": \.f_files, "f_ffree": \.f_ffree, "f_fsid": \.f_fsid,
        "f_namelen": \.f_namelen, "f_frsize": \.f_frsize, "f_flags": \.f_flags,
      ])
    let locks =
      assertions(
        "struct flock", Flock.self,
        [
          "l_type": \.l_type, "l_whence": \.l_whence, "l_start": \.l_start, "l_len": \.l_len, "l_pid": \.l_pid,
        ])
      + assertions("struct f_owner_ex", FOwnerEx.self, ["type": \.type, "pid": \.pid])
      + assertions("struct iovec", IOVec.self, ["iov_base": \.iov_base, "iov_len": \.iov_len])
      + assertions("struct open_how", OpenHow.self, ["flags": \.flags, "mode": \.mode, "resolve": \.resolve])
      + assertions(
        "struct inotify_event", InotifyEvent.self, ["wd": \.wd, "mask": \.mask, "cookie": \.cookie, "len": \.len])
      + assertions("struct statx_timestamp", StatxTimestamp.self, ["tv_sec": \.tv_sec, "tv_nsec": \.tv_nsec])
    try CHeaders.expectValid(.kernel, stat + statx + statfs + locks)
    #expect(MemoryLayout<Stat>.size == 144 && MemoryLayout<Statx>.size == 256 && MemoryLayout<Statfs>.size == 120)

    let offsets = """
      _Static_assert(offsetof(struct dirent64, d_ino) == \(MemoryLayout<Dirent64>.offset(of: \.d_ino)!), "");
      _Static_assert(offsetof(struct dirent64, d_off) == \(MemoryLayout<Dirent64>.offset(of: \.d_off)!), "");
      _Static_assert(offsetof(struct dirent64, d_reclen) == \(MemoryLayout<Dirent64>.offset(of: \.d_reclen)!), "");
      _Static_assert(offsetof(struct dirent64, d_type) == \(MemoryLayout<Dirent64>.offset(of: \.d_type)!), "");
      _Static_assert(offsetof(struct dirent64, d_name) == \(Dirent64.nameOffset), "");
      """
    try CHeaders.expectValid(.libc, offsets)
    #expect(Dirent64.recordLength(nameLength: 1) == 24 && Dirent64.recordLength(nameLength: 5) == 32)
  }

  @Test func systemV() throws {
    let text =
      assertions(
        "struct ipc64_perm", IPC64Perm.self,
        [
          "key": \.key, "uid": \.uid, "gid": \.gid, "cuid": \.cuid, "cgid": \.cgid, "mode": \.mode, "seq": \.seq,
        ])
      + assertions(
        "struct shmid64_ds", Shmid64DS.self,
        [
          "shm_perm": \.shm_perm, "shm_segsz": \.shm_segsz, "shm_atime": \.shm_atime, "shm_dtime": \.shm_dtime,
          "shm_ctime": \.shm_ctime, "shm_cpid": \.shm_cpid, "shm_lpid": \.shm_lpid, "shm_nattch": \.shm_nattch,
        ])
      + assertions(
        "struct shminfo64", Shminfo64.self,
        [
          "shmmax": \.shmmax, "shmmin": \.shmmin, "shmmni": \.shmmni, "shmseg": \.shmseg, "shmall": \.shmall,
        ])
      + assertions(
        "struct shm_info", ShmInfo.self,
        ["used_ids": \.used_ids, "shm_tot": \.shm_tot, "shm_rss": \.shm_rss, "shm_swp": \.shm_swp])
      + assertions(
        "struct semid64_ds", Semid64DS.self,
        [
          "sem_perm": \.sem_perm, "sem_otime": \.sem_otime, "sem_ctime": \.sem_ctime, "sem_nsems": \.sem_nsems,
        ])
      + assertions(
        "struct seminfo", Seminfo.self,
        ["semmap": \.semmap, "semmsl": \.semmsl, "semusz": \.semusz, "semaem": \.semaem])
      + assertions(
        "struct sembuf", Sembuf.self, ["sem_num": \.sem_num, "sem_op": \.sem_op, "sem_flg": \.sem_flg])
      + assertions(
        "struct msqid64_ds", Msqid64DS.self,
        [
          "msg_perm": \.msg_perm, "msg_stime": \.msg_stime, "msg_rtime": \.msg_rtime, "msg_ctime": \.msg_ctime,
          "msg_cbytes": \.msg_cbytes, "msg_qnum": \.msg_qnum, "msg_qbytes": \.msg_qbytes, "msg_lspid": \.msg_lspid,
          "msg_lrpid": \.msg_lrpid,
        ])
      + assertions(
        "struct msginfo", Msginfo.self, ["msgpool": \.msgpool, "msgtql": \.msgtql, "msgseg": \.msgseg])
    try CHeaders.expectValid(.kernel, text)
  }

  @Test func times() throws {
    let text =
      assertions("struct timespec", Timespec.self, ["tv_sec": \.tv_sec, "tv_nsec": \.tv_nsec])
      + assertions("struct timeval", Timeval.self, ["tv_sec": \.tv_sec, "tv_usec": \.tv_usec])
      + assertions("struct itimerspec", Itimerspec.self, ["it_interval": \.it_interval, "it_value": \.it_value])
      + assertions("struct itimerval", Itimerval.self, ["it_interval": \.it_interval, "it_value": \.it_value])
      + assertions(
        "struct timezone", Timezone.self, ["tz_minuteswest": \.tz_minuteswest, "tz_dsttime": \.tz_dsttime])
      + assertions(
        "struct tms", Tms.self,
        [
          "tms_utime": \.tms_utime, "tms_stime": \.tms_stime, "tms_cutime": \.tms_cutime, "tms_cstime": \.tms_cstime,
        ])
      + assertions("struct utimbuf", Utimbuf.self, ["actime": \.actime, "modtime": \.modtime])
      + assertions(
        "struct __kernel_timex", Timex.self,
        [
          "modes": \.modes, "offset": \.offset, "freq": \.freq, "maxerror": \.maxerror, "esterror": \.esterror,
          "status": \.status, "constant": \.constant, "precision": \.precision, "tolerance": \.tolerance,
          "time": \.time, "tick": \.tick, "ppsfreq": \.ppsfreq, "jitter": \.jitter, "shift": \.shift,
          "stabil": \.stabil, "jitcnt": \.jitcnt, "calcnt": \.calcnt, "errcnt": \.errcnt, "stbcnt": \.stbcnt,
          "tai": \.tai,
        ])
    try CHeaders.expectValid(.kernel, text)
  }

  @Test func system() throws {
    let text =
      assertions(
        "struct new_utsname", Utsname.self,
        [
          "sysname": \.sysname, "nodename": \.nodename, "release": \.release, "version": \.version,
          "machine": \.machine, "domainname": \.domainname,
        ])
      + assertions(
        "struct sysinfo", Sysinfo.self,
        [
          "uptime": \.uptime, "loads": \.loads, "totalram": \.totalram, "freeram": \.freeram,
          "sharedram": \.sharedram, "bufferram": \.bufferram, "totalswap": \.totalswap, "freeswap": \.freeswap,
          "procs": \.procs, "totalhigh": \.totalhigh, "freehigh": \.freehigh, "mem_unit": \.mem_unit,
        ])
      + assertions(
        "struct rusage", Rusage.self,
        [
          "ru_utime": \.ru_utime, "ru_stime": \.ru_stime, "ru_maxrss": \.ru_maxrss, "ru_minflt": \.ru_minflt,
          "ru_majflt": \.ru_majflt, "ru_inblock": \.ru_inblock, "ru_oublock": \.ru_oublock, "ru_nvcsw": \.ru_nvcsw,
          "ru_nivcsw": \.ru_nivcsw,
        ])
      + assertions("struct rlimit64", Rlimit.self, ["rlim_cur": \.rlim_cur, "rlim_max": \.rlim_max])
      + assertions(
        "struct sched_attr", SchedAttr.self,
        [
          "size": \.size, "sched_policy": \.sched_policy, "sched_flags": \.sched_flags, "sched_nice": \.sched_nice,
          "sched_priority": \.sched_priority, "sched_runtime": \.sched_runtime,
          "sched_deadline": \.sched_deadline, "sched_period": \.sched_period, "sched_util_min": \.sched_util_min,
          "sched_util_max": \.sched_util_max,
        ])
      + assertions("struct __user_cap_header_struct", UserCapHeader.self, ["version": \.version, "pid": \.pid])
      + assertions(
        "struct __user_cap_data_struct", UserCapData.self,
        ["effective": \.effective, "permitted": \.permitted, "inheritable": \.inheritable])
      + assertions(
        "struct clone_args", CloneArgs.self,
        [
          "flags": \.flags, "pidfd": \.pidfd, "child_tid": \.child_tid, "parent_tid": \.parent_tid,
          "exit_signal": \.exit_signal, "stack": \.stack, "stack_size": \.stack_size, "tls": \.tls,
          "set_tid": \.set_tid, "set_tid_size": \.set_tid_size, "cgroup": \.cgroup,
        ])
      + assertions(
        "struct robust_list_head", RobustListHead.self,
        ["list": \.next, "futex_offset": \.futex_offset, "list_op_pending": \.list_op_pending])
      + assertions(
        "struct futex_waitv", FutexWaitv.self, ["val": \.val, "uaddr": \.uaddr, "flags": \.flags])
      + assertions(
        "struct rseq", RSeq.self,
        ["cpu_id_start": \.cpu_id_start, "cpu_id": \.cpu_id, "rseq_cs": \.rseq_cs, "flags": \.flags])
      + assertions(
        "struct rseq_cs", RSeqCriticalSection.self,
        [
          "version": \.version, "flags": \.flags, "start_ip": \.start_ip,
          "post_commit_offset": \.post_commit_offset, "abort_ip": \.abort_ip,
        ])
    try CHeaders.expectValid(.kernel, text)
    #expect(MemoryLayout<SchedParam>.size == 4)
  }

  @Test func pollingAndTerminals() throws {
    let text =
      assertions("struct pollfd", PollFD.self, ["fd": \.fd, "events": \.events, "revents": \.revents])
        + """
        _Static_assert(sizeof(struct epoll_event) == \(MemoryLayout<EpollEvent>.size), "");
        _Static_assert(offsetof(struct epoll_event, data) == 4, "");

        """
      + assertions(
        "struct termios", Termios.self,
        [
          "c_iflag": \.c_iflag, "c_oflag": \.c_oflag, "c_cflag": \.c_cflag, "c_lflag": \.c_lflag,
          "c_line": \.c_line, "c_cc": \.c_cc,
        ])
      + assertions("struct termios2", Termios2.self, ["c_ispeed": \.c_ispeed, "c_ospeed": \.c_ospeed])
      + assertions(
        "struct winsize", Winsize.self,
        ["ws_row": \.ws_row, "ws_col": \.ws_col, "ws_xpixel": \.ws_xpixel, "ws_ypixel": \.ws_ypixel])
    try CHeaders.expectValid(.kernel, text)
    let cc = Termios.initial.c_cc
    // INIT_C_CC of Linux.
    let expected: [UInt8] = [3, 0o34, 0o177, 0o25, 4, 0, 1, 0, 0o21, 0o23, 0o32, 0, 0o22, 0o17, 0o27, 0o26, 0, 0, 0]
    #expect(cc.indices.map { cc[$0] } == expected)
    #expect(Termios.initial.c_cflag.rawValue == 0o277 && Termios.initial.c_lflag.rawValue == 0o105073)
  }

  @Test func signals() throws {
    let text =
      assertions(
        "struct sigaction", SigactionKernel.self,
        [
          "sa_handler": \.sa_handler, "sa_flags": \.sa_flags, "sa_restorer": \.sa_restorer, "sa_mask": \.sa_mask,
        ])
      + assertions("stack_t", StackT.self, ["ss_sp": \.ss_sp, "ss_flags": \.ss_flags, "ss_size": \.ss_size])
      + assertions(
        "siginfo_t", SigInfo.self, ["si_signo": \.si_signo, "si_errno": \.si_errno, "si_code": \.si_code])
        + """
        _Static_assert(offsetof(siginfo_t, si_pid) == 16 && offsetof(siginfo_t, si_uid) == 20, "");
        _Static_assert(offsetof(siginfo_t, si_status) == 24 && offsetof(siginfo_t, si_utime) == 32, "");
        _Static_assert(offsetof(siginfo_t, si_stime) == 40 && offsetof(siginfo_t, si_value) == 24, "");
        _Static_assert(offsetof(siginfo_t, si_tid) == 16 && offsetof(siginfo_t, si_overrun) == 20, "");
        _Static_assert(offsetof(siginfo_t, si_addr) == 16 && offsetof(siginfo_t, si_band) == 16, "");
        _Static_assert(offsetof(siginfo_t, si_fd) == 24, "");

        """
      + assertions(
        "struct signalfd_siginfo", SignalFDInfo.self,
        [
          "ssi_signo": \.ssi_signo, "ssi_errno": \.ssi_errno, "ssi_code": \.ssi_code, "ssi_pid": \.ssi_pid,
          "ssi_uid": \.ssi_uid, "ssi_fd": \.ssi_fd, "ssi_tid": \.ssi_tid, "ssi_band": \.ssi_band,
          "ssi_overrun": \.ssi_overrun, "ssi_trapno": \.ssi_trapno, "ssi_status": \.ssi_status,
          "ssi_int": \.ssi_int, "ssi_ptr": \.ssi_ptr, "ssi_utime": \.ssi_utime, "ssi_stime": \.ssi_stime,
          "ssi_addr": \.ssi_addr, "ssi_addr_lsb": \.ssi_addr_lsb, "ssi_syscall": \.ssi_syscall,
          "ssi_call_addr": \.ssi_call_addr, "ssi_arch": \.ssi_arch,
        ])
      + assertions(
        "struct sigevent", SigEvent.self,
        [
          "sigev_value": \.sigev_value, "sigev_signo": \.sigev_signo, "sigev_notify": \.sigev_notify,
          "_sigev_un._tid": \.sigev_notify_thread_id,
        ])
      + assertions(
        "struct sigcontext", SigContext.self,
        [
          "r8": \.r8, "r15": \.r15, "rdi": \.rdi, "rsi": \.rsi, "rbp": \.rbp, "rbx": \.rbx, "rdx": \.rdx,
          "rax": \.rax, "rcx": \.rcx, "rsp": \.rsp, "rip": \.rip, "eflags": \.eflags, "cs": \.cs, "gs": \.gs,
          "fs": \.fs, "ss": \.ss, "err": \.err, "trapno": \.trapno, "oldmask": \.oldmask, "cr2": \.cr2,
          "fpstate": \.fpstate,
        ])
      + assertions(
        "struct ucontext", UContext.self,
        [
          "uc_flags": \.uc_flags, "uc_link": \.uc_link, "uc_stack": \.uc_stack, "uc_mcontext": \.uc_mcontext,
          "uc_sigmask": \.uc_sigmask,
        ])
      + assertions(
        "struct _fpx_sw_bytes", FPXSoftwareBytes.self,
        [
          "magic1": \.magic1, "extended_size": \.extended_size, "xfeatures": \.xfeatures,
          "xstate_size": \.xstate_size,
        ])
        + """
        _Static_assert(offsetof(struct _fpstate_64, sw_reserved) == \(FPXSoftwareBytes.offset), "");
        """
    try CHeaders.expectValid(.kernel, text)
    // `struct rt_sigframe` of arch/x86/include/asm/sigframe.h, which no header for programs has.
    #expect(MemoryLayout<RTSignalFrame>.size == 440)
    #expect(MemoryLayout<RTSignalFrame>.offset(of: \.uc) == 8)
    #expect(MemoryLayout<RTSignalFrame>.offset(of: \.info) == 312)
  }

  /// The properties' sizes add up to the structure's: a byte between them could show the kernel's memory.
  @Test func everyByteBelongsToAProperty() {
    let structures: [any ABIStruct] = [
      Stat(), StatxTimestamp(), Statx(), Statfs(), Dirent64(d_ino: 0, d_off: 0, d_reclen: 0, d_type: 0),
      IOVec(), Flock(), FOwnerEx(), OpenHow(), InotifyEvent(), Timespec(), Timeval(), Itimerspec(), Itimerval(),
      Timezone(), Tms(), Utimbuf(), Timex(), Utsname(), Sysinfo(), Rusage(), Rlimit(), SchedParam(), SchedAttr(),
      UserCapHeader(), UserCapData(), CloneArgs(), RobustListHead(), FutexWaitv(), RSeq(), RSeqCriticalSection(),
      PollFD(),
      EpollEvent(events: [], data: 0), SignalSetArgument(), Termios(), Termios2(), Winsize(), SigactionKernel(),
      StackT(), SigInfo(), SignalFDInfo(), SigEvent(), SigContext(), UContext(), RTSignalFrame(), FPXSoftwareBytes(),
      SignalSet.empty,
    ]
    for structure in structures {
      func size<T>(_ value: T) -> Int { MemoryLayout<T>.size }
      func stride<T>(_ value: T) -> Int { MemoryLayout<T>.stride }
      let parts = Mirror(reflecting: structure).children.map { _openExistential($0.value, do: size) }
      #expect(parts.reduce(0, +) == size(structure), "\(type(of: structure))")
      #expect(size(structure) == stride(structure), "\(type(of: structure))")
    }
  }
}
