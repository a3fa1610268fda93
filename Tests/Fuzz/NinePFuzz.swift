import Drivers
import FileSystemTesting
import Kernel
import LinuxABI
import NinePFS
import Platform
import VFSCore

/// A server whose replies are the fuzzer's bytes: most with a right header, so that what is behind it is looked at.
private final class FuzzServer: NinePChannel {
  let tag: [UInt8] = []
  let exchangeLimit = 4
  let segmentLimit = 20
  private var input: ArraySlice<UInt8>

  init(_ input: [UInt8]) { self.input = input[...] }

  var isEmpty: Bool { input.isEmpty }

  func send(_ exchange: NinePExchange) throws(Errno) {
    let type = PhysicalMemory.load(UInt8.self, at: exchange.request + 4)
    var reply: [UInt8]
    if type == 100 {
      reply = [21, 0, 0, 0, 101, 0xff, 0xff, 0, 0, 1, 0, 8, 0] + Array("9P2000.L".utf8)
    } else {
      // A control byte, a length and a body.
      let control = input.popFirst() ?? 0
      let count = Int(input.popFirst() ?? 0) * (control & 1 == 0 ? 1 : 16)
      let body = Array(input.prefix(count))
      input = input.dropFirst(count)
      let size = UInt32(truncatingIfNeeded: 7 + body.count)
      reply = (0..<4).map { UInt8(truncatingIfNeeded: size >> (8 * UInt32($0))) }
      reply += [control & 2 == 0 ? type + 1 : 7, UInt8(exchange.tag), 0] + body
      if control & 4 != 0, !body.isEmpty { reply.replaceSubrange(0..<min(7, body.count), with: body.prefix(7)) }
    }
    var rest = reply[...]
    store(rest.prefix(exchange.replyLimit), at: exchange.reply)
    rest = rest.dropFirst(exchange.replyLimit)
    for segment in exchange.data where segment.isDeviceWritable {
      store(rest.prefix(Int(segment.count)), at: segment.physical)
      rest = rest.dropFirst(Int(segment.count))
    }
    exchange.finish(reply.count - rest.count)
  }

  func didFlush(_ exchange: NinePExchange) { exchange.finish(0) }
  func wait(on queue: WaitQueue) -> Bool { fatalError("every reply is there at once") }

  private func store(_ bytes: ArraySlice<UInt8>, at physical: UInt) {
    for (i, byte) in bytes.enumerated() { PhysicalMemory.store(byte, at: physical + UInt(i)) }
  }
}

// SAFETY: one thread.
nonisolated(unsafe) private let machine = TestMachine(megabytes: 64)

/// Works on a share whose server says whatever the bytes are.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let server = FuzzServer([UInt8](UnsafeBufferPointer(start: start, count: count)))
  guard let share = try? NinePFileSystem(machine.environment, server) else { return 0 }
  defer {
    machine.environment.removeCaching(share)
    share.root.releaseTree()
  }
  let context = FileSystemContext(Namespace(machine.environment, root: share, source: []))
  var round = 0
  while !server.isEmpty, round < 20 {
    round += 1
    _ = try? context.stat("/a/b")
    _ = try? context.statfs(Array("/".utf8))
    if let file = try? context.open("/a", [.O_RDWR, .O_CREAT]) {
      _ = try? file.read(5000)
      _ = try? file.write("text", at: 3000)
      _ = try? file.truncate(to: 100)
      _ = try? file.synchronize(dataOnly: false)
      _ = try? file.closed()
    }
    _ = try? context.open("/", .O_DIRECTORY).names()
    _ = try? context.readlink("/l")
    _ = try? context.mkdir("/d")
    _ = try? context.symlink("x", "/l")
    _ = try? context.link("/a", "/b")
    _ = try? context.rename("/b", "/c")
    _ = try? context.unlink("/c")
    _ = try? context.rmdir("/d")
  }
  return 0
}
