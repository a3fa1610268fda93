import FileSystemTesting
import Kernel
import LinuxABI
import Polling
import Process
import Testing
import VFSCore

/// poll, select and epoll without waiting: no scheduler runs here.
@Suite struct PollCallTests {
  private let calls: TestCalls
  private let buffer = UserBuffer(count: 4096)

  init() throws {
    calls = try TestCalls()
    // 0 and 1: the ends of a pipe.
    #expect(calls.call(22, buffer.address) == 0)
  }

  private func poll(_ entries: [(fd: Int32, events: PollEvents)]) throws -> (result: Int, events: [PollEvents]) {
    for (index, entry) in entries.enumerated() {
      var item = PollFD()
      item.fd = entry.fd
      item.events = entry.events
      item.revents = .POLLMSG
      try UserMemory.store(item, at: buffer.address + UInt(index) * 8)
    }
    let result = calls.call(7, buffer.address, entries.count, 0)
    return (
      result,
      try entries.indices.map { try UserMemory.load(PollFD.self, at: buffer.address + UInt($0) * 8).revents }
    )
  }

  private func write(_ count: Int = 1) { calls.call(1, 1, buffer.address, count) }
  private func read(_ count: Int = 4096) { calls.call(0, 0, buffer.address, count) }

  @Test func pollTellsWhatIsReady() throws {
    var (count, events) = try poll([(0, .POLLIN), (1, .POLLOUT), (-1, .POLLIN), (9, .POLLIN)])
    #expect(count == 2)
    #expect(events == [[], .POLLOUT, [], .POLLNVAL])
    write()
    (count, events) = try poll([(0, [.POLLIN, .POLLRDNORM]), (1, .POLLIN)])
    #expect(count == 1)
    #expect(events == [[.POLLIN, .POLLRDNORM], []])
    calls.call(3, 1)
    (count, events) = try poll([(0, [])])
    #expect(count == 1)
    #expect(events == [.POLLHUP])
    #expect(calls.call(7, buffer.address, 2000, 0) == -Errno.EINVAL)
  }

  @Test func selectKeepsTheBitsThatAreReady() throws {
    let timeout = UserBuffer(count: 16)
    let sets = buffer.address + 1024
    func select(_ count: Int, _ read: UInt64, _ write: UInt64) throws -> (Int, UInt64, UInt64) {
      try UserMemory.store(read, at: sets)
      try UserMemory.store(write, at: sets + 8)
      let result = calls.call(23, count, sets, sets + 8, 0, timeout.address)
      return (result, try UserMemory.load(UInt64.self, at: sets), try UserMemory.load(UInt64.self, at: sets + 8))
    }
    #expect(try select(2, 0b11, 0b11) == (1, 0, 0b10))
    write()
    #expect(try select(2, 0b11, 0b11) == (2, 0b01, 0b10))
    #expect(try select(0, 0b11, 0b11).0 == 0)
    #expect(try select(3, 0b100, 0).0 == -Errno.EBADF)
    #expect(calls.call(23, -1, 0, 0, 0, timeout.address) == -Errno.EINVAL)
  }

  // MARK: epoll

  private func control(_ epoll: Int, _ operation: EpollOperation, _ fd: Int, _ events: EpollEvents, data: UInt64 = 0)
    -> Int
  {
    let event = UserBuffer(count: 12)
    try! UserMemory.store(EpollEvent(events: events, data: data), at: event.address)
    return calls.call(233, epoll, operation.rawValue, fd, event.address)
  }
  private func wait(_ epoll: Int, limit: Int = 8) throws -> [(events: EpollEvents, data: UInt64)] {
    let count = calls.call(232, epoll, buffer.address, limit, 0)
    #expect(count >= 0)
    return try (0..<max(count, 0)).map {
      let event = try UserMemory.load(EpollEvent.self, at: buffer.address + UInt($0) * 12)
      return (event.events, event.data)
    }
  }

  @Test func levelTriggeredEventsComeAgain() throws {
    let epoll = calls.call(291, 0)
    #expect(control(epoll, .EPOLL_CTL_ADD, 0, .EPOLLIN, data: 0x1234_5678_9abc_def0) == 0)
    #expect(control(epoll, .EPOLL_CTL_ADD, 0, .EPOLLIN) == -Errno.EEXIST)
    #expect(try wait(epoll).isEmpty)
    write()
    for _ in 0..<2 {
      let events = try wait(epoll)
      #expect(events.count == 1)
      #expect(events.first?.events == .EPOLLIN)
      #expect(events.first?.data == 0x1234_5678_9abc_def0)
    }
    read()
    #expect(try wait(epoll).isEmpty)
    #expect(control(epoll, .EPOLL_CTL_DEL, 0, []) == 0)
    #expect(control(epoll, .EPOLL_CTL_DEL, 0, []) == -Errno.ENOENT)
    write()
    #expect(try wait(epoll).isEmpty)
  }

  @Test func edgeTriggeredEventsComeOnce() throws {
    let epoll = calls.call(291, 0)
    write()
    #expect(control(epoll, .EPOLL_CTL_ADD, 0, [.EPOLLIN, .EPOLLET]) == 0)
    #expect(try wait(epoll).count == 1)
    #expect(try wait(epoll).isEmpty)
    write()
    #expect(try wait(epoll).count == 1)
  }

  @Test func oneShotsAreArmedAgain() throws {
    let epoll = calls.call(291, 0)
    #expect(control(epoll, .EPOLL_CTL_ADD, 0, [.EPOLLIN, .EPOLLONESHOT]) == 0)
    write()
    #expect(try wait(epoll).count == 1)
    write()
    #expect(try wait(epoll).isEmpty)
    #expect(control(epoll, .EPOLL_CTL_MOD, 0, [.EPOLLIN, .EPOLLONESHOT]) == 0)
    #expect(try wait(epoll).count == 1)
  }

  @Test func manyReadyFilesAreHandedOverInTurn() throws {
    let epoll = calls.call(291, 0)
    for _ in 0..<3 {
      let event = calls.call(284, 1)
      #expect(control(epoll, .EPOLL_CTL_ADD, event, .EPOLLIN, data: UInt64(event)) == 0)
    }
    let first = try wait(epoll, limit: 2).map(\.data)
    let second = try wait(epoll, limit: 2).map(\.data)
    #expect(Set(first + second).count == 3)
  }

  @Test func aClosedFileIsForgotten() throws {
    let epoll = calls.call(291, 0)
    #expect(control(epoll, .EPOLL_CTL_ADD, 0, .EPOLLIN) == 0)
    write()
    // Another descriptor keeps the description open: the event still comes.
    let copy = calls.call(32, 0)
    calls.call(3, 0)
    #expect(try wait(epoll).count == 1)
    calls.call(3, copy)
    #expect(try wait(epoll).isEmpty)
    #expect(control(epoll, .EPOLL_CTL_ADD, 1, .EPOLLOUT) == 0)
    // Now the instance goes first.
    calls.call(3, epoll)
    calls.call(3, 1)
  }

  @Test func instancesNestButNotInThemselves() throws {
    let inner = calls.call(291, 0)
    let outer = calls.call(291, 0)
    #expect(control(inner, .EPOLL_CTL_ADD, 0, .EPOLLIN) == 0)
    #expect(control(outer, .EPOLL_CTL_ADD, inner, .EPOLLIN, data: 5) == 0)
    #expect(control(inner, .EPOLL_CTL_ADD, outer, .EPOLLIN) == -Errno.ELOOP)
    #expect(control(inner, .EPOLL_CTL_ADD, inner, .EPOLLIN) == -Errno.EINVAL)
    #expect(try wait(outer).isEmpty)
    write()
    #expect(try wait(outer).map(\.data) == [5])
    read()
    #expect(try wait(outer).isEmpty)
  }

  @Test func whatCannotBeWatchedIsRefused() {
    let epoll = calls.call(291, 0)
    let file = calls.call(2, calls.string("/f"), 0o102, 0o600)
    #expect(control(epoll, .EPOLL_CTL_ADD, file, .EPOLLIN) == -Errno.EPERM)
    #expect(control(0, .EPOLL_CTL_ADD, 1, .EPOLLIN) == -Errno.EINVAL)
    #expect(control(epoll, .EPOLL_CTL_ADD, 77, .EPOLLIN) == -Errno.EBADF)
    #expect(control(epoll, .EPOLL_CTL_ADD, 0, [.EPOLLEXCLUSIVE, .EPOLLONESHOT]) == -Errno.EINVAL)
    #expect(calls.call(232, epoll, buffer.address, 0, 0) == -Errno.EINVAL)
    #expect(calls.call(232, epoll, 1 << 47, 1, 0) == -Errno.EFAULT)
    #expect(calls.call(232, 0, buffer.address, 1, 0) == -Errno.EINVAL)
    #expect(calls.call(213, 0) == -Errno.EINVAL)
  }

  @Test func anEventCounterCounts() throws {
    let event = calls.call(290, 3, EventFDFlags.EFD_NONBLOCK.rawValue)
    let value = UserBuffer(count: 8)
    #expect(calls.call(0, event, value.address, 7) == -Errno.EINVAL)
    #expect(calls.call(0, event, value.address, 8) == 8)
    #expect(try UserMemory.load(UInt64.self, at: value.address) == 3)
    #expect(calls.call(0, event, value.address, 8) == -Errno.EAGAIN)
    try UserMemory.store(UInt64.max, at: value.address)
    #expect(calls.call(1, event, value.address, 8) == -Errno.EINVAL)
    try UserMemory.store(UInt64.max - 1, at: value.address)
    #expect(calls.call(1, event, value.address, 8) == 8)
    try UserMemory.store(UInt64(1), at: value.address)
    #expect(calls.call(1, event, value.address, 8) == -Errno.EAGAIN)
    let semaphore = calls.call(290, 2, EventFDFlags([.EFD_SEMAPHORE, .EFD_NONBLOCK]).rawValue)
    #expect(calls.call(0, semaphore, value.address, 8) == 8)
    #expect(try UserMemory.load(UInt64.self, at: value.address) == 1)
  }
}
