// Names are those that C calls.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

public import CLwIP
internal import Kernel
internal import LinuxABI
internal import Platform

// What lwIP calls. Tokens are sockets, which hold their blocks and take the token away before they go.

// SAFETY: set once, before lwIP is started, and never changed; one CPU.
nonisolated(unsafe) private var stack: NetworkStack?

extension NetworkStack {
  /// Lets lwIP find the stack.
  func becomeCurrent() {
    // SAFETY: see `stack`.
    unsafe stack = self
  }
}

extension InternetSocket {
  /// What lwIP knows the socket by.
  var token: UInt {
    // SAFETY: only the address is taken; see above.
    unsafe UInt(bitPattern: Unmanaged.passUnretained(self).toOpaque())
  }
}

private func socket(_ token: UInt) -> InternetSocket? {
  // SAFETY: see above.
  guard let pointer = unsafe UnsafeRawPointer(bitPattern: token) else { return nil }
  return unsafe Unmanaged<InternetSocket>.fromOpaque(pointer).takeUnretainedValue()
}

@c public func network_now() -> UInt32 {
  // SAFETY: see `stack`.
  UInt32(truncatingIfNeeded: (unsafe stack?.timers.now() ?? 0) / 1_000_000)
}

@c public func network_random() -> UInt32 {
  // SAFETY: see `stack`.
  UInt32(truncatingIfNeeded: unsafe stack?.random.next() ?? 0)
}

@c public func network_transmit(_ number: Int32, _ buffer: UInt, _ count: UInt32) -> Int32 {
  // SAFETY: see `stack`.
  unsafe stack?.transmit(Int(number), buffer, Int(count)) == true ? 0 : Errno.EIO.rawValue
}

@c public func network_received(_ token: UInt, _ buffer: UInt) -> Int32 {
  if let socket = socket(token) { return socket.received(buffer).rawValue }
  if buffer != 0 { clwip_buffer_free(buffer) }
  return Reception.taken.rawValue
}

@c public func network_sent(_ token: UInt) { socket(token)?.sent() }

@c public func network_connected(_ token: UInt) { socket(token)?.didConnect() }

@c public func network_failed(_ token: UInt, _ error: Int32) {
  socket(token)?.failed(Errno(rawValue: error) ?? .EIO)
}

@c public func network_accepted(_ token: UInt, _ block: UInt) -> UInt { socket(token)?.connectionCame(block) ?? 0 }

@c public func network_datagram(
  _ token: UInt, _ buffer: UInt, _ from: UnsafePointer<clwip_endpoint>, _ to: UnsafePointer<clwip_endpoint>,
  _ header: UInt32
) {
  // SAFETY: the caller's structures, for the time of the call.
  let datagram = unsafe Datagram(buffer: buffer, from: from.pointee, to: to.pointee, header: header)
  if let socket = socket(token) { socket.received(datagram) } else { clwip_buffer_free(buffer) }
}

@c public func network_unreachable(
  _ local: UnsafePointer<clwip_endpoint>, _ remote: UnsafePointer<clwip_endpoint>, _ protocolNumber: UInt8,
  _ error: Int32
) {
  guard Int32(protocolNumber) == InternetProtocol.IPPROTO_UDP, let error = Errno(rawValue: error) else { return }
  // SAFETY: the caller's structures, for the time of the call; see `stack`.
  unsafe stack?.unreachable(local.pointee, remote.pointee, error)
}

@c public func network_changed(_ number: Int32) {
  // SAFETY: see `stack`.
  unsafe stack?.changed.wakeAll()
}

// MARK: Calls with pointers

extension InternetEndpoint {
  func withPointer<R>(_ body: (UnsafePointer<clwip_endpoint>) -> R) -> R {
    // SAFETY: lwIP reads the structure while the call runs.
    unsafe withUnsafePointer(to: value) { unsafe body($0) }
  }
}

enum Calls {
  static func isLocal(_ endpoint: InternetEndpoint) -> Bool {
    // SAFETY: see `withPointer`.
    unsafe endpoint.withPointer { unsafe clwip_is_local($0) } != 0
  }
  static func bindTCP(_ block: UInt, _ endpoint: InternetEndpoint) -> Int32 {
    // SAFETY: see `withPointer`.
    unsafe endpoint.withPointer { unsafe clwip_tcp_bind(block, $0) }
  }
  static func connectTCP(_ block: UInt, _ endpoint: InternetEndpoint) -> Int32 {
    // SAFETY: see `withPointer`.
    unsafe endpoint.withPointer { unsafe clwip_tcp_connect(block, $0) }
  }
  static func listen(_ block: UInt, backlog: UInt8) -> (block: UInt, error: Int32) {
    var error: Int32 = 0
    // SAFETY: the variable outlives the call.
    let listener = unsafe clwip_tcp_listen(block, backlog, &error)
    return (listener, error)
  }
  static func namesTCP(_ block: UInt) -> (local: InternetEndpoint, remote: InternetEndpoint) {
    var local = clwip_endpoint()
    var remote = clwip_endpoint()
    // SAFETY: the variables outlive the call.
    unsafe clwip_tcp_names(block, &local, &remote)
    return (InternetEndpoint(local), InternetEndpoint(remote))
  }
  /// Appends bytes to what is to be sent.
  static func write(_ block: UInt, _ bytes: [UInt8], hasMore: Bool) -> Int32 {
    // SAFETY: lwIP copies the array's bytes while the call runs.
    unsafe bytes.withUnsafeBytes {
      unsafe clwip_tcp_write(block, $0.baseAddress, UInt32($0.count), hasMore ? 1 : 0)
    }
  }
  static func bindUDP(_ block: UInt, _ endpoint: InternetEndpoint) -> Int32 {
    // SAFETY: see `withPointer`.
    unsafe endpoint.withPointer { unsafe clwip_udp_bind(block, $0) }
  }
  static func connectUDP(_ block: UInt, _ endpoint: InternetEndpoint) -> Int32 {
    // SAFETY: see `withPointer`.
    unsafe endpoint.withPointer { unsafe clwip_udp_connect(block, $0) }
  }
  static func sendUDP(_ block: UInt, _ buffer: UInt, _ endpoint: InternetEndpoint, interface: Int32) -> Int32 {
    // SAFETY: see `withPointer`.
    unsafe endpoint.withPointer { unsafe clwip_udp_send(block, buffer, $0, interface) }
  }
  static func namesUDP(_ block: UInt) -> (local: InternetEndpoint, remote: InternetEndpoint) {
    var local = clwip_endpoint()
    var remote = clwip_endpoint()
    // SAFETY: the variables outlive the call.
    unsafe clwip_udp_names(block, &local, &remote)
    return (InternetEndpoint(local), InternetEndpoint(remote))
  }
  static func bindRaw(_ block: UInt, _ endpoint: InternetEndpoint) -> Int32 {
    // SAFETY: see `withPointer`.
    unsafe endpoint.withPointer { unsafe clwip_raw_bind(block, $0) }
  }
  static func sendRaw(_ block: UInt, _ buffer: UInt, _ endpoint: InternetEndpoint) -> Int32 {
    // SAFETY: see `withPointer`.
    unsafe endpoint.withPointer { unsafe clwip_raw_send(block, buffer, $0) }
  }
  /// The address that packets to `endpoint` would come from.
  static func source(for endpoint: InternetEndpoint) -> (source: InternetEndpoint, error: Int32) {
    var source = clwip_endpoint()
    // SAFETY: see `withPointer`; the variable outlives the call.
    let error = unsafe endpoint.withPointer { unsafe clwip_source_for($0, &source) }
    return (InternetEndpoint(source), error)
  }
  static func group(_ endpoint: InternetEndpoint, interface: Int32, joins: Bool) -> Int32 {
    // SAFETY: see `withPointer`.
    unsafe endpoint.withPointer { unsafe clwip_group(interface, $0, joins ? 1 : 0) }
  }
  /// The piece of a buffer that holds a byte: its kernel address, and what follows there.
  static func piece(_ buffer: UInt, _ offset: Int) -> (address: UInt, count: Int) {
    var count: UInt32 = 0
    // SAFETY: the variable outlives the call.
    let address = unsafe clwip_buffer_piece(buffer, UInt32(offset), &count)
    return (address, Int(count))
  }
  /// Copies a whole buffer to a physical address.
  static func copy(_ buffer: UInt, _ count: Int, toPhysical physical: UInt) {
    // SAFETY: the caller has room for `count` bytes there.
    _ = unsafe clwip_buffer_copy(buffer, PhysicalMemory.pointer(physical), UInt32(count), 0)
  }
  static func input(_ interface: Int32, physical: UInt, _ count: Int) {
    // SAFETY: a packet of the driver's, for the time of the call.
    unsafe clwip_input(interface, PhysicalMemory.pointer(physical), UInt32(count))
  }
  static func describe(_ interface: Int32) -> clwip_interface? {
    var result = clwip_interface()
    // SAFETY: the variable outlives the call.
    return unsafe clwip_interface_describe(interface, &result) != 0 ? result : nil
  }
  static func address6(_ interface: Int32, _ index: Int32) -> InternetEndpoint? {
    var result = clwip_endpoint()
    // SAFETY: the variable outlives the call.
    return unsafe clwip_interface_address6(interface, index, &result) != 0 ? InternetEndpoint(result) : nil
  }
  static func startDHCP(_ interface: Int32) -> Int32 {
    clwip_interface_use_dhcp(interface, nil)
  }
}
