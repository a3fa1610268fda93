// ProcFS: /proc. Text that is made when it is read, in the very form that Linux gives it.
//
// - `ProcFileSystem`: the tree; names come and go with the processes.
// - `ProcessTable`, `ProcessInformation`, `MachineInformation`: what others tell it. They supply values; all text is
//   written here.
// - `SystemControls`: values by path, which are /proc/sys and, with other values, `SysFileSystem`.
//
// Reference: proc(5); Linux 6.1, fs/proc.
public import Kernel
public import LinuxABI
public import VFSCore

/// The proc file system.
public final class ProcFileSystem: FileSystem {
  let namespace: Namespace
  let processes: any ProcessTable
  let machine: any MachineInformation
  let random: RandomSource
  /// /proc/sys. Other modules add their own entries.
  public let controls: SystemControls
  /// /proc/sysvipc. Other modules make its files.
  public let ipcTables = SystemControls(firstNumber: ProcNumber.ipcTables, creationError: .ENOENT) { [] }

  public init(
    _ namespace: Namespace, processes: any ProcessTable, machine: any MachineInformation, random: RandomSource
  ) {
    self.namespace = namespace
    self.processes = processes
    self.machine = machine
    self.random = random
    controls = SystemControls(firstNumber: ProcNumber.systemControl, creationError: .ENOENT) {
      SystemControls.processEntries(machine, random)
    }
    super.init(
      namespace.environment, typeName: "proc", magic: FilesystemMagic.PROC_SUPER_MAGIC, childPolicy: .transient)
    setRoot(ProcRoot(self))
  }

  override public func statfs() throws(Errno) -> Statfs {
    var result = try super.statfs()
    result.f_bsize = Int64(pageSize)
    return result
  }
}

/// Inode numbers: fixed things below 4096, /proc/sys above that, then 4096 numbers for each process or thread.
enum ProcNumber {
  static var root: UInt64 { 1 }
  static var machineFile: UInt64 { 16 }
  static var systemControl: UInt64 { 4096 }
  static var ipcTables: UInt64 { 1 << 32 }
  static func process(_ id: Int32) -> UInt64 { UInt64(UInt32(bitPattern: id)) << 12 | 1 << 44 }
}
