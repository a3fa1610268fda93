internal import Kernel
internal import LinuxABI
public import VFSCore

extension System {
  /// Makes the first process and loads its program; it runs once the scheduler adopts its thread.
  public func startFirstProcess(
    _ path: [UInt8], arguments: [[UInt8]], environment: [[UInt8]], files: FileDescriptorTable,
    fileSystem: FileSystemContext
  ) throws(ExecutionError) -> Thread {
    let thread: Thread
    do throws(Errno) {
      let process = UserProcess(
        self, pid: nextPID(), memory: emptyMemory, files: files, fileSystem: fileSystem,
        limits: ResourceLimits(stack: UInt64(defaultStackLimit), memory: UInt64(frames.totalFrames * pageSize)))
      thread = Thread(process, tid: process.pid, stackTop: try stacks.allocate(), name: [])
      process.add(thread)
      register(process)
    } catch {
      throw ExecutionError(error, path)
    }
    try thread.process.execute(path, arguments: arguments, environment: environment, on: thread)
    return thread
  }
}
