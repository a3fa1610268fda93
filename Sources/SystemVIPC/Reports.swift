public import LinuxABI
public import Support

/// A file of /proc/sysvipc.
public enum IPCTableFile: CaseIterable {
  case msg, sem, shm

  public var name: StaticString {
    switch self {
    case .msg: "msg"
    case .sem: "sem"
    case .shm: "shm"
    }
  }
}

extension IPCNamespace {
  /// Writes a file of /proc/sysvipc, without the last line end. See proc(5).
  public func write(_ file: IPCTableFile, into text: inout TextBuffer) {
    var lines = text
    func put(_ value: some BinaryInteger, _ width: Int) {
      lines.append(" ")
      lines.append(decimal: UInt(truncatingIfNeeded: value), width: width)
    }
    func begin(_ object: IPCObject) {
      lines.append("\n")
      lines.append(decimal: Int(object.key), width: 10)
      put(object.id, 10)
      lines.append("  ")
      var digits = TextBuffer()
      digits.append(octal: UInt(object.mode))
      for _ in digits.count..<max(4, digits.count) { lines.append(" ") }
      lines.append(bytes: digits.bytes)
    }
    func owners(_ object: IPCObject) {
      for id in [object.user, object.group, object.creatorUser, object.creatorGroup] { put(id, 5) }
    }
    switch file {
    case .msg:
      lines.append("       key      msqid perms      cbytes       qnum lspid lrpid   uid   gid  cuid  cgid")
      lines.append("      stime      rtime      ctime")
      for object in queues.objects {
        guard let queue = object as? MessageQueue else { continue }
        let status = queue.status
        begin(queue)
        lines.append(" ")
        put(status.msg_cbytes, 10)
        put(status.msg_qnum, 10)
        for pid in [status.msg_lspid, status.msg_lrpid] { put(pid, 5) }
        owners(queue)
        for time in [status.msg_stime, status.msg_rtime, status.msg_ctime] { put(time, 10) }
      }
    case .sem:
      lines.append("       key      semid perms      nsems   uid   gid  cuid  cgid      otime      ctime")
      for object in sets.objects {
        guard let set = object as? SemaphoreSet else { continue }
        let status = set.status
        begin(set)
        put(status.sem_nsems, 10)
        owners(set)
        for time in [status.sem_otime, status.sem_ctime] { put(time, 10) }
      }
    case .shm:
      lines.append("       key      shmid perms                  size  cpid  lpid nattch   uid   gid  cuid  cgid")
      lines.append("      atime      dtime      ctime                   rss                  swap")
      for object in segments.objects {
        guard let segment = object as? SharedSegment else { continue }
        let status = segment.status
        begin(segment)
        put(status.shm_segsz, 21)
        for pid in [status.shm_cpid, status.shm_lpid] { put(pid, 5) }
        lines.append(" ")
        put(status.shm_nattch, 5)
        owners(segment)
        for time in [status.shm_atime, status.shm_dtime, status.shm_ctime] { put(time, 10) }
        put(segment.residentPages << 12, 21)
        put(0, 21)
      }
    }
    text = lines
  }
}

/// A limit under /proc/sys/kernel.
public enum IPCSetting: CaseIterable {
  case shmmax, shmall, shmmni, msgmax, msgmnb, msgmni, sem

  public var path: StaticString {
    switch self {
    case .shmmax: "kernel/shmmax"
    case .shmall: "kernel/shmall"
    case .shmmni: "kernel/shmmni"
    case .msgmax: "kernel/msgmax"
    case .msgmnb: "kernel/msgmnb"
    case .msgmni: "kernel/msgmni"
    case .sem: "kernel/sem"
    }
  }

  /// The highest value of each number that it has.
  private var limits: [UInt] {
    switch self {
    case .shmmax, .shmall: [.max]
    case .shmmni, .msgmni: [UInt(IPCTable.mostObjects)]
    case .msgmax, .msgmnb: [UInt(Int32.max)]
    case .sem: [UInt(Int32.max), UInt(Int32.max), UInt(Int32.max), UInt(IPCTable.mostObjects)]
    }
  }

  /// Numbers with blanks between them, no more than there are limits.
  ///
  /// - Throws: `EINVAL`.
  fileprivate func numbers(_ bytes: [UInt8]) throws(Errno) -> [UInt] {
    var numbers: [UInt] = []
    var digits = 0
    var value: UInt = 0
    for byte in bytes + [UInt8(ascii: "\n")] {
      if byte >= 0x30, byte <= 0x39 {
        let (product, overflow) = value.multipliedReportingOverflow(by: 10)
        let (sum, carry) = product.addingReportingOverflow(UInt(byte - 0x30))
        if overflow || carry { throw .EINVAL }
        value = sum
        digits += 1
        continue
      }
      guard byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") || byte == UInt8(ascii: "\n") || byte == 0 else {
        throw .EINVAL
      }
      guard digits > 0 else { continue }
      guard numbers.count < limits.count else { break }
      guard value <= limits[numbers.count] else { throw .EINVAL }
      numbers.append(value)
      digits = 0
      value = 0
    }
    guard !numbers.isEmpty else { throw .EINVAL }
    return numbers
  }
}

extension IPCNamespace {
  /// Writes a limit as /proc/sys shows it, without a line end.
  public func write(_ setting: IPCSetting, into text: inout TextBuffer) {
    switch setting {
    case .shmmax: text.append(decimal: limits.shmmax)
    case .shmall: text.append(decimal: limits.shmall)
    case .shmmni: text.append(decimal: limits.shmmni)
    case .msgmax: text.append(decimal: limits.msgmax)
    case .msgmnb: text.append(decimal: limits.msgmnb)
    case .msgmni: text.append(decimal: limits.msgmni)
    case .sem:
      for (index, value) in [limits.semmsl, limits.semmns, limits.semopm, limits.semmni].enumerated() {
        if index > 0 { text.append("\t") }
        text.append(decimal: value)
      }
    }
  }

  /// Takes what was written to a limit's file.
  ///
  /// - Throws: `EINVAL`.
  public func change(_ setting: IPCSetting, to bytes: [UInt8]) throws(Errno) {
    let numbers = try setting.numbers(bytes)
    switch setting {
    case .shmmax: limits.shmmax = numbers[0]
    case .shmall: limits.shmall = numbers[0]
    case .shmmni: limits.shmmni = Int(numbers[0])
    case .msgmax: limits.msgmax = Int(numbers[0])
    case .msgmnb: limits.msgmnb = Int(numbers[0])
    case .msgmni: limits.msgmni = Int(numbers[0])
    case .sem:
      for (index, number) in numbers.enumerated() {
        switch index {
        case 0: limits.semmsl = Int(number)
        case 1: limits.semmns = Int(number)
        case 2: limits.semopm = Int(number)
        default: limits.semmni = Int(number)
        }
      }
    }
  }
}
