internal import HostSystem

/// The control channel to a QEMU that was started with `-S` (QMP, QEMU's docs/interop/qmp-spec).
struct MachineMonitor {
  private let socket: Descriptor
  /// Polls as readable when QEMU has ended.
  private let end: Descriptor
  private var received: [UInt8] = []

  /// QEMU answers at once, unless the host is very busy.
  private static let timeoutMilliseconds: Int64 = 30_000

  /// Takes the greeting.
  init(_ socket: Descriptor, end: Descriptor) throws {
    self.socket = socket
    self.end = end
    _ = try nextMessage()
    _ = try execute("qmp_capabilities")
  }

  /// Runs a command of the human monitor and returns its output.
  mutating func humanCommand(_ line: String) throws -> String {
    try execute("human-monitor-command", "{\"command-line\":\(JSONValue.quoted(line))}").string ?? ""
  }

  /// The host's threads behind the guest's processors, in their order.
  mutating func processorThreads() throws -> [Int32] {
    guard case .array(let processors) = try execute("query-cpus-fast") else { return [] }
    return processors.compactMap { processor in
      if case .integer(let thread)? = processor["thread-id"] { Int32(exactly: thread) } else { nil }
    }
  }

  /// Lets the guest run.
  mutating func resume() throws {
    _ = try execute("cont")
  }

  private mutating func execute(_ command: String, _ arguments: String? = nil) throws -> JSONValue {
    let members = arguments.map { ",\"arguments\":\($0)" } ?? ""
    try writeAll("{\"execute\":\"\(command)\"\(members)}\n".utf8, to: socket, named: "to QEMU's monitor")
    while true {
      let message = try nextMessage()
      if let value = message["return"] { return value }
      if let text = message["error"]?["desc"]?.string { throw ToolError("QEMU: \(command): \(text)") }
    }
  }

  private mutating func nextMessage() throws -> JSONValue {
    let deadline = monotonicMilliseconds() + Self.timeoutMilliseconds
    while true {
      if let end = received.firstIndex(of: UInt8(ascii: "\n")) {
        let line = Array(received[..<end])
        received.removeFirst(end + 1)
        guard let value = JSONValue(line) else { throw ToolError("QEMU's monitor sent what is no JSON") }
        return value
      }
      let left = deadline - monotonicMilliseconds()
      guard left > 0 else { throw ToolError("QEMU's monitor does not answer") }
      let ready = waitFor([Interest(socket, .read), Interest(end, .read)], milliseconds: Int32(left))
      guard ready[0].ready || ready[0].gone else {
        if ready[1].ready { throw ToolError("QEMU ended before the guest ran") }
        continue
      }
      var buffer = [UInt8](repeating: 0, count: 4096)
      let count = try socket.read(into: &buffer, named: "QEMU's monitor")
      guard count > 0 else { throw ToolError("QEMU ended before the guest ran") }
      received += buffer[..<count]
    }
  }
}
