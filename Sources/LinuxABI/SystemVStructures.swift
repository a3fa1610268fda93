// Names are spelled as in Linux, so that grep and the man pages work.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

/// Who owns an object of System V IPC, and who may use it: `struct ipc64_perm`, 48 bytes.
@frozen
public struct IPC64Perm: ABIStruct, Sendable {
  public var key: Int32 = 0
  public var uid: UInt32 = 0
  public var gid: UInt32 = 0
  public var cuid: UInt32 = 0
  public var cgid: UInt32 = 0
  public var mode: UInt32 = 0
  public var seq: UInt16 = 0
  private var padding0: UInt16 = 0
  private var padding1: UInt32 = 0
  private var unused0: UInt64 = 0
  private var unused1: UInt64 = 0

  /// All bytes zero.
  public init() {}
}

/// What shmctl(2) says of a segment: `struct shmid64_ds`, 112 bytes. Times are seconds since 1970.
@frozen
public struct Shmid64DS: ABIStruct, Sendable {
  public var shm_perm = IPC64Perm()
  public var shm_segsz: UInt64 = 0
  public var shm_atime: Int64 = 0
  public var shm_dtime: Int64 = 0
  public var shm_ctime: Int64 = 0
  public var shm_cpid: Int32 = 0
  public var shm_lpid: Int32 = 0
  public var shm_nattch: UInt64 = 0
  private var unused0: UInt64 = 0
  private var unused1: UInt64 = 0

  /// All bytes zero.
  public init() {}
}

/// The limits of shared memory: `struct shminfo64`, 72 bytes.
@frozen
public struct Shminfo64: ABIStruct, Sendable {
  public var shmmax: UInt64 = 0
  public var shmmin: UInt64 = 0
  public var shmmni: UInt64 = 0
  public var shmseg: UInt64 = 0
  public var shmall: UInt64 = 0
  private var unused: InlineArray<4, UInt64> = InlineArray(repeating: 0)

  /// All bytes zero.
  public init() {}
}

/// What shared memory uses: `struct shm_info`, 48 bytes. Sizes are in pages.
@frozen
public struct ShmInfo: ABIStruct, Sendable {
  public var used_ids: Int32 = 0
  private var padding: Int32 = 0
  public var shm_tot: UInt64 = 0
  public var shm_rss: UInt64 = 0
  public var shm_swp: UInt64 = 0
  public var swap_attempts: UInt64 = 0
  public var swap_successes: UInt64 = 0

  /// All bytes zero.
  public init() {}
}

/// What semctl(2) says of a set: `struct semid64_ds`, 104 bytes. Times are seconds since 1970.
@frozen
public struct Semid64DS: ABIStruct, Sendable {
  public var sem_perm = IPC64Perm()
  public var sem_otime: Int64 = 0
  private var unused0: UInt64 = 0
  public var sem_ctime: Int64 = 0
  private var unused1: UInt64 = 0
  public var sem_nsems: UInt64 = 0
  private var unused2: UInt64 = 0
  private var unused3: UInt64 = 0

  /// All bytes zero.
  public init() {}
}

/// The limits of semaphores, and what they use: `struct seminfo`, 40 bytes.
@frozen
public struct Seminfo: ABIStruct, Sendable {
  public var semmap: Int32 = 0
  public var semmni: Int32 = 0
  public var semmns: Int32 = 0
  public var semmnu: Int32 = 0
  public var semmsl: Int32 = 0
  public var semopm: Int32 = 0
  public var semume: Int32 = 0
  public var semusz: Int32 = 0
  public var semvmx: Int32 = 0
  public var semaem: Int32 = 0

  /// All bytes zero.
  public init() {}
}

/// One operation of semop(2): `struct sembuf`, 6 bytes.
@frozen
public struct Sembuf: ABIStruct, Sendable {
  public var sem_num: UInt16 = 0
  public var sem_op: Int16 = 0
  public var sem_flg: UInt16 = 0

  public init(sem_num: UInt16 = 0, sem_op: Int16 = 0, sem_flg: UInt16 = 0) {
    self.sem_num = sem_num
    self.sem_op = sem_op
    self.sem_flg = sem_flg
  }
}

/// What msgctl(2) says of a queue: `struct msqid64_ds`, 120 bytes. Times are seconds since 1970.
@frozen
public struct Msqid64DS: ABIStruct, Sendable {
  public var msg_perm = IPC64Perm()
  public var msg_stime: Int64 = 0
  public var msg_rtime: Int64 = 0
  public var msg_ctime: Int64 = 0
  public var msg_cbytes: UInt64 = 0
  public var msg_qnum: UInt64 = 0
  public var msg_qbytes: UInt64 = 0
  public var msg_lspid: Int32 = 0
  public var msg_lrpid: Int32 = 0
  private var unused0: UInt64 = 0
  private var unused1: UInt64 = 0

  /// All bytes zero.
  public init() {}
}

/// The limits of message queues, and what they use: `struct msginfo`, 32 bytes.
@frozen
public struct Msginfo: ABIStruct, Sendable {
  public var msgpool: Int32 = 0
  public var msgmap: Int32 = 0
  public var msgmax: Int32 = 0
  public var msgmnb: Int32 = 0
  public var msgmni: Int32 = 0
  public var msgssz: Int32 = 0
  public var msgtql: Int32 = 0
  public var msgseg: UInt16 = 0
  private var padding: UInt16 = 0

  /// All bytes zero.
  public init() {}
}

/// The attributes of a message queue of POSIX: `struct mq_attr`, 64 bytes.
@frozen
public struct MqAttr: ABIStruct, Sendable {
  public var mq_flags: Int64 = 0
  public var mq_maxmsg: Int64 = 0
  public var mq_msgsize: Int64 = 0
  public var mq_curmsgs: Int64 = 0
  private var reserved: InlineArray<4, Int64> = InlineArray(repeating: 0)

  /// All bytes zero.
  public init() {}
}
