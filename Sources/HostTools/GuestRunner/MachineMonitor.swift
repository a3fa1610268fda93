internal import HostSystem

/// The control channel to a QEMU that was started with `-S` (QMP, QEMU's docs/interop/qmp-spec).
struct MachineMonitor {
  let socket: Descriptor
  /// Polls as readable when QEMU has ended.
  private let end: Descriptor
  private var received: [UInt8] = []
  /// QEMU has said that the guest stands still, and was not asked why.
  private var hasStopped = false

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

  /// Whether something was received that nobody has looked at.
  var hasMessages: Bool { hasStopped || received.contains(UInt8(ascii: "\n")) }

  /// Takes what QEMU says by itself. QEMU does not end when the accelerator cannot go on: the guest stands still from then
  /// on.
  ///
  /// - Parameter isReadable: Whether the socket has something.
  /// - Returns: Whether that has happened. Nil when QEMU has nothing more to say.
  mutating func takeFailure(isReadable: Bool) throws -> Bool? {
    if isReadable { guard try receive() else { return nil } }
    while let message = try takeMessage() { note(message) }
    guard hasStopped else { return false }
    hasStopped = false
    return try execute("query-status")["status"]?.string == "internal-error"
  }

  private mutating func note(_ message: JSONValue) {
    if message["event"]?.string == "STOP" { hasStopped = true }
  }

  private mutating func execute(_ command: String, _ arguments: String? = nil) throws -> JSONValue {
    let members = arguments.map { ",\"arguments\":\($0)" } ?? ""
    try writeAll("{\"execute\":\"\(command)\"\(members)}\n".utf8, to: socket, named: "to QEMU's monitor")
    while true {
      let message = try nextMessage()
      if let value = message["return"] { return value }
      if let text = message["error"]?["desc"]?.string { throw ToolError("QEMU: \(command): \(text)") }
      note(message)
    }
  }

  private mutating func nextMessage() throws -> JSONValue {
    let deadline = monotonicMilliseconds() + Self.timeoutMilliseconds
    while true {
      if let message = try takeMessage() { return message }
      let left = deadline - monotonicMilliseconds()
      guard left > 0 else { throw ToolError("QEMU's monitor does not answer") }
      let ready = waitFor([Interest(socket, .read), Interest(end, .read)], milliseconds: Int32(left))
      guard ready[0].ready || ready[0].gone else {
        if ready[1].ready { throw ToolError("QEMU ended before the guest ran") }
        continue
      }
      guard try receive() else { throw ToolError("QEMU ended before the guest ran") }
    }
  }

  /// The first of the messages that are there.
  private mutating func takeMessage() throws -> JSONValue? {
    guard let end = received.firstIndex(of: UInt8(ascii: "\n")) else { return nil }
    let line = Array(received[..<end])
    received.removeFirst(end + 1)
    guard let value = JSONValue(line) else { throw ToolError("QEMU's monitor sent what is no JSON") }
    return value
  }

  /// Reads what there is; false at the end.
  private mutating func receive() throws -> Bool {
    var buffer = [UInt8](repeating: 0, count: 4096)
    let count = try socket.read(into: &buffer, named: "QEMU's monitor")
    received += buffer[..<count]
    return count > 0
  }
}
