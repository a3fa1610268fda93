import FileSystemTesting
import Kernel
import LinuxABI
import Testing

@testable import VFSCore

@Suite struct Descriptors {
  let context = makeContext()
  let table = FileDescriptorTable(limit: 100)

  @Test func lowestFreeNumbers() throws {
    let file = try context.open("/")
    for expected in 0..<Int32(100) { #expect(try table.insert(file) == expected) }
    #expect(throws: Errno.EMFILE) { try table.insert(file) }
    try table.close(70)
    try table.close(3)
    try table.close(64)
    #expect(try table.insert(file) == 3)
    #expect(try table.insert(file, from: 65) == 70)
    #expect(throws: Errno.EMFILE) { try table.insert(file, from: 65) }
    #expect(try table.insert(file) == 64)
    #expect(throws: Errno.EINVAL) { try table.insert(file, from: 100) }
    #expect(throws: Errno.EINVAL) { try table.insert(file, from: -1) }
    #expect(throws: Errno.EBADF) { try table.file(at: 100) }
    #expect(throws: Errno.EBADF) { try table.file(at: -1) }
    #expect(throws: Errno.EBADF) { try table.close(.max) }
    #expect(table.count == 100)
  }

  @Test func replacement() throws {
    let a = try context.open("/")
    let b = try context.open("/")
    _ = try table.insert(a, closeOnExec: true)
    #expect(try table.replace(0, with: b, closeOnExec: false) === a)
    #expect(!table.closesOnExec(0))
    #expect(try table.replace(90, with: b, closeOnExec: true) == nil)
    #expect(try table.file(at: 90) === b)
    #expect(throws: Errno.EBADF) { try table.replace(100, with: b, closeOnExec: false) }
    let reserved = try table.reserve(closeOnExec: false)
    #expect(reserved == 1)
    #expect(throws: Errno.EBUSY) { try table.replace(1, with: b, closeOnExec: false) }
    #expect(throws: Errno.EBADF) { try table.file(at: 1) }
    table.abandon(1)
    #expect(try table.insert(b) == 1)
    #expect(table.nextDescriptor(from: 2) == 90)
    #expect(table.nextDescriptor(from: 91) == nil)
  }

  @Test func closingOnExec() throws {
    let file = try context.open("/")
    for index in 0..<70 { _ = try table.insert(file, closeOnExec: index % 3 == 0) }
    try table.setClosesOnExec(1, true)
    let copy = try FileDescriptorTable(copying: table)
    table.closeOnExec()
    #expect(throws: Errno.EBADF) { try table.file(at: 0) }
    #expect(throws: Errno.EBADF) { try table.file(at: 1) }
    #expect(throws: Errno.EBADF) { try table.file(at: 69) }
    #expect(try table.file(at: 2) === file)
    #expect(try copy.file(at: 0) === file)
    copy.closeRange(1, .max, onlyMark: true)
    copy.closeOnExec()
    #expect(copy.count == 0)
    table.closeRange(5, 9, onlyMark: false)
    #expect(table.nextDescriptor(from: 5) == 10)
  }

  @Test func pathOnlyFiles() throws {
    let fd = try table.insert(try context.open("/", .O_PATH))
    #expect(throws: Errno.EBADF) { try table.file(at: fd) }
    #expect(try table.anyFile(at: fd).isPathOnly)
    #expect(try table.base(fd, for: Array("x".utf8)) != nil)
    #expect(try table.base(77, for: Array("/x".utf8)) == nil)
    #expect(try table.base(AT_FDCWD, for: Array("x".utf8)) == nil)
    #expect(throws: Errno.EBADF) { try table.base(77, for: Array("x".utf8)) }
  }

  @Test func theLastReferenceCloses() throws {
    let (read, write) = context.makePipe([])
    let other = try FileDescriptorTable(copying: table)
    let fd = try table.insert(write)
    let copy = try FileDescriptorTable(copying: table)
    _ = other
    func readiness() -> PollEvents { read.readiness }
    try table.close(fd)
    #expect(!readiness().contains(.POLLHUP))
    _ = consume write
    try copy.close(fd)
    #expect(readiness().contains(.POLLHUP))
  }
}

@Suite struct Pipes {
  let context = makeContext()

  @Test func bytesComeOutInOrder() throws {
    let (read, write) = context.makePipe(.O_NONBLOCK)
    #expect(throws: Errno.EAGAIN) { try read.read(1) }
    var expected: [UInt8] = []
    var got: [UInt8] = []
    for round in 0..<300 {
      let bytes = (0..<round * 37 % 5000 + 1).map { UInt8(truncatingIfNeeded: $0 &+ round) }
      if let done = try? write.write(bytes) { expected += bytes[..<done] }
      if round % 3 != 0, let bytes = try? read.read(round * 53 % 7000 + 1) { got += bytes }
    }
    while let bytes = try? read.read(10000) { got += bytes }
    #expect(got == expected)
    #expect(write.readiness.contains(.POLLOUT))
  }

  @Test func capacityAndAtomicity() throws {
    let (read, write) = context.makePipe(.O_NONBLOCK)
    #expect(try write.write([UInt8](repeating: 1, count: 100_000)) == 65536)
    #expect(throws: Errno.EAGAIN) { try write.write([1]) }
    #expect(!write.readiness.contains(.POLLOUT))
    #expect(try read.read(4000).count == 4000)
    // There is room when a frame has become free. A small write goes in whole or not at all; a large one in part.
    #expect(throws: Errno.EAGAIN) { try write.write([UInt8](repeating: 2, count: 100)) }
    #expect(try read.read(96).count == 96)
    #expect(try write.write([UInt8](repeating: 2, count: 4000)) == 4000)
    #expect(throws: Errno.EAGAIN) { try write.write([UInt8](repeating: 2, count: 97)) }
    #expect(try write.write([UInt8](repeating: 2, count: 4096 + 96)) == 96)
    #expect(write.pipeCapacity == 65536)
    #expect(throws: Errno.EBUSY) { try write.setPipeCapacity(4096) }
    #expect(try write.setPipeCapacity(100_000) == 131072)
    #expect(try write.write([UInt8](repeating: 3, count: 100_000)) == 65536)
    #expect(
      try read.read(200_000) == [UInt8](repeating: 1, count: 61440) + [UInt8](repeating: 2, count: 4096)
        + [UInt8](repeating: 3, count: 65536))
    #expect(try write.setPipeCapacity(1) == 4096)
    #expect(try write.setPipeCapacity(0) == 4096)
  }

  @Test func ends() throws {
    var (read, write): (OpenFile?, OpenFile?) = context.makePipe([])
    #expect(throws: Errno.EBADF) { try read?.write([1]) }
    #expect(throws: Errno.EBADF) { try write?.read(1) }
    #expect(throws: Errno.ESPIPE) { try write?.seek(0, .SEEK_CUR) }
    #expect(throws: Errno.ESPIPE) { try write?.write([1], at: 0) }
    try write?.write("last")
    write = nil
    #expect(try read?.read(10) == Array("last".utf8))
    #expect(try read?.read(10) == [])
    #expect(read?.readiness == .POLLHUP)
    (read, write) = context.makePipe([])
    read = nil
    #expect(throws: Errno.EPIPE) { try write?.write([1]) }
    #expect(write?.readiness.contains(.POLLERR) == true)
  }

  @Test func framesAreGivenBack() throws {
    let machine = TestMachine()
    let root = MemoryFileSystem(machine.environment, typeName: "tmpfs")
    let context = FileSystemContext(Namespace(machine.environment, root: root, source: []))
    let free = machine.frames.freeFrames
    do {
      let (read, write) = context.makePipe(.O_NONBLOCK)
      try write.write([UInt8](repeating: 1, count: 50000))
      _ = try read.read(20000)
      #expect(machine.frames.freeFrames < free)
    }
    #expect(machine.frames.freeFrames == free)
  }

  @Test func namedOnes() throws {
    try context.makeNode(
      Array("/fifo".utf8), mode: FileMode(.S_IFIFO, FileMode(rawValue: 0o644)), device: DeviceNumber(encoded: 0))
    #expect(throws: Errno.ENXIO) { try context.open("/fifo", [.O_WRONLY, .O_NONBLOCK]) }
    let reader = try context.open("/fifo", [.O_RDONLY, .O_NONBLOCK])
    #expect(try reader.read(1) == [])
    let writer = try context.open("/fifo", .O_WRONLY)
    try writer.write("x")
    #expect(try reader.read(9) == Array("x".utf8))
    let both = try context.open("/fifo", .O_RDWR)
    try both.write("y")
    #expect(try both.read(9) == Array("y".utf8))
    #expect(String(decoding: context.makePipe([]).read.describe(root: nil), as: UTF8.self).hasPrefix("pipe:["))
    #expect(String(decoding: reader.describe(root: nil), as: UTF8.self) == "/fifo")
  }

  @Test func locks() throws {
    try context.make("/f", "x")
    let a = try context.open("/f", .O_RDWR)
    let b = try context.open("/f", .O_RDWR)
    let table = FileDescriptorTable()
    let other = FileDescriptorTable()
    func lock(_ file: OpenFile, _ table: FileDescriptorTable, _ type: RecordLockType, _ start: Int64, _ count: Int64)
      throws
    {
      var request = Flock()
      request.l_type = type.rawValue
      request.l_start = start
      request.l_len = count
      try file.recordLock(.F_SETLK, &request, table: table, processID: 7)
    }
    try lock(a, table, .F_WRLCK, 0, 100)
    try lock(b, table, .F_WRLCK, 50, 100)
    #expect(throws: Errno.EAGAIN) { try lock(b, other, .F_RDLCK, 149, 1) }
    try lock(b, other, .F_RDLCK, 150, 0)
    try lock(a, table, .F_UNLCK, 20, 10)
    try lock(b, other, .F_WRLCK, 20, 10)
    var request = Flock()
    request.l_type = RecordLockType.F_WRLCK.rawValue
    try b.recordLock(.F_GETLK, &request, table: other, processID: 8)
    #expect(request.l_type == RecordLockType.F_WRLCK.rawValue && request.l_pid == 7)
    #expect(request.l_start == 0 && request.l_len == 20)
    let fd = try table.insert(a)
    try table.close(fd)
    try lock(b, other, .F_WRLCK, 0, 0)

    try a.flock(.LOCK_SH)
    try b.flock([.LOCK_SH, .LOCK_NB])
    #expect(throws: Errno.EAGAIN) { try a.flock([.LOCK_EX, .LOCK_NB]) }
    try b.flock(.LOCK_UN)
    try a.flock([.LOCK_EX, .LOCK_NB])
    #expect(throws: Errno.EINVAL) { try a.flock([]) }
  }
}
