// Network: the Internet, on lwIP. `NetworkStack` has the interfaces and drives the stack; `InternetSocket` and its
// subclasses are what programs see. lwIP never blocks: it runs within system calls, interrupts of the cards, and its
// timer. Neighbours: Sockets for what all families share, Drivers for the cards; Boot above.
internal import CLwIP
public import Drivers
public import Kernel
public import LinuxABI
public import Sockets
internal import VFSCore

/// The machine's Internet. Made when the first socket is.
public final class NetworkStack {
  let timers: TimerQueue
  let random: RandomSource
  /// Woken when an address or a link changed, and with `isDraining` by everything that comes.
  let changed = WaitQueue()
  private var isDraining = false
  private var cards: [(number: Int32, device: VirtioNetwork)] = []
  private var timer: TimerEntry?
  /// Sockets for datagrams, which errors are looked up in.
  private var datagramSockets: [DatagramSocket] = []
  /// Blocks that could not be closed for want of memory.
  private var toClose: [UInt] = []

  /// What the stack may have of memory before sockets are held back.
  private let limit: UInt64

  /// Starts lwIP with the loopback interface.
  public init(_ timers: TimerQueue, _ random: RandomSource, _ frames: FrameAllocator) {
    self.timers = timers
    self.random = random
    limit = UInt64(frames.totalFrames * pageSize / 10)
    becomeCurrent()
    clwip_start()
    timer = TimerEntry { [self] in
      let blocks = toClose
      toClose = []
      for block in blocks { close(block) }
      run()
    }
    run()
  }

  // MARK: Cards

  /// Adds a card, with an address as a program of the command line gives it, or by DHCP.
  public func add(_ device: VirtioNetwork, _ configuration: NetworkConfiguration?) {
    let number = clwip_interface_add(device.mac, device.mtu)
    guard number != 0 else { return }
    cards.append((number, device))
    device.onPacket = { (physical, count) in Calls.input(number, physical: physical, count) }
    device.onEnd = { [self] in run() }
    device.onLinkChange = { [self] isUp in
      clwip_interface_set_link(number, isUp ? 1 : 0)
      run()
    }
    clwip_interface_set_link(number, device.isLinkUp ? 1 : 0)
    if let configuration {
      clwip_interface_configure(number, configuration.address, configuration.mask, configuration.gateway)
    } else {
      _ = Calls.startDHCP(number)
    }
    run()
  }

  /// Waits until every card with a link has an address, for some seconds at the most.
  public func waitForAddresses() {
    let deadline = timers.now() + 5_000_000_000
    while cards.contains(where: { $0.device.isLinkUp && Calls.describe($0.number)?.address == 0 }) {
      guard changed.sleep(until: deadline) == .woken else { return }
    }
  }

  func transmit(_ number: Int, _ buffer: UInt, _ count: Int) -> Bool {
    for card in cards where Int(card.number) == number {
      return card.device.send(count) { Calls.copy(buffer, count, toPhysical: $0) }
    }
    return false
  }

  /// Whether the stack has its share of memory: a tenth, as Linux's tcp_mem has it.
  @inline(__always)
  var isFull: Bool { clwip_used() > limit }

  // MARK: Running

  /// Takes everything on that an operation has set off: packets to this machine itself, packets to others, the timer.
  func run() {
    if isDraining { changed.wakeAll() }
    clwip_poll()
    for card in cards { card.device.flush() }
    let milliseconds = clwip_run_timers()
    for card in cards { card.device.flush() }
    guard let timer, milliseconds != .max else { return }
    let deadline = timers.now() + UInt64(milliseconds) * 1_000_000
    if timer.isPending {
      if timer.deadline <= deadline { return }
      timers.cancel(timer)
    }
    timers.add(timer, at: deadline)
  }

  /// As `run`, where nothing was begun that has a time limit of its own.
  @inline(__always)
  func pass() {
    clwip_poll()
    for card in cards { card.device.flush() }
  }

  /// Gives a connection's block up, now or when there is memory.
  func close(_ block: UInt) {
    if clwip_tcp_close(block) != 0 { toClose.append(block) }
  }

  /// Waits until what programs have written has been taken by the other ends, for two seconds at the most.
  public func drain() {
    isDraining = true
    run()
    let end = timers.now() + 2_000_000_000
    while clwip_tcp_has_unsent() != 0 || cards.contains(where: { $0.device.awaitsSending() }) {
      guard changed.sleep(until: end, interruptible: false) == .woken else { return }
    }
  }

  // MARK: Sockets

  /// Makes a socket. See ip(7).
  ///
  /// - Throws: `ESOCKTNOSUPPORT`, `EPROTONOSUPPORT`, `EPERM`.
  public func make(
    _ family: AddressFamily, _ type: Int32, protocolNumber: Int32, isPrivileged: Bool
  ) throws(Errno) -> Socket {
    guard protocolNumber >= 0, protocolNumber < InternetProtocol.count else { throw .EINVAL }
    let echo = family == .AF_INET ? InternetProtocol.IPPROTO_ICMP : InternetProtocol.IPPROTO_ICMPV6
    switch SocketType(rawValue: type) {
    case .SOCK_STREAM:
      guard protocolNumber == 0 || protocolNumber == InternetProtocol.IPPROTO_TCP else { throw .EPROTONOSUPPORT }
      return StreamSocket(self, family)
    case .SOCK_DGRAM:
      guard protocolNumber == 0 || protocolNumber == InternetProtocol.IPPROTO_UDP else {
        // net.ipv4.ping_group_range is empty at first.
        throw protocolNumber == echo ? .EACCES : .EPROTONOSUPPORT
      }
      return DatagramSocket(self, family, .SOCK_DGRAM, protocolNumber: InternetProtocol.IPPROTO_UDP)
    case .SOCK_RAW:
      guard isPrivileged else { throw .EPERM }
      guard protocolNumber != 0 else { throw .EPROTONOSUPPORT }
      return DatagramSocket(self, family, .SOCK_RAW, protocolNumber: protocolNumber)
    default: throw .ESOCKTNOSUPPORT
    }
  }

  /// Makes a socket for questions about interfaces. See netlink(7).
  ///
  /// - Throws: `ESOCKTNOSUPPORT`, `EPROTONOSUPPORT`.
  public func makeNetlink(
    _ namespace: SocketNamespace, _ type: Int32, protocolNumber: Int32
  ) throws(Errno) -> Socket {
    guard let type = SocketType(rawValue: type), type == .SOCK_RAW || type == .SOCK_DGRAM else {
      throw .ESOCKTNOSUPPORT
    }
    // NETLINK_ROUTE
    guard protocolNumber == 0 else { throw .EPROTONOSUPPORT }
    return NetlinkSocket(self, namespace, type)
  }

  /// A request of ioctl(2) about interfaces.
  public func control(_ request: IoctlRequest, _ argument: UInt) throws(Errno) -> Int {
    try InterfaceRequest.control(request, argument)
  }

  /// Numbers of sockets of netlink that are in use.
  private var netlinkNumbers: [UInt32] = []
  func takeNetlinkNumber(_ number: UInt32) -> Bool {
    if netlinkNumbers.contains(number) { return false }
    netlinkNumbers.append(number)
    return true
  }
  /// The caller's process number, or one that no process has.
  func makeNetlinkNumber(_ preferred: UInt32) -> UInt32 {
    if takeNetlinkNumber(preferred) { return preferred }
    var number: UInt32 = 0xffff_f000
    while !takeNetlinkNumber(number) { number -= 1 }
    return number
  }
  func giveNetlinkNumber(_ number: UInt32) { netlinkNumbers.removeAll { $0 == number } }

  func enter(_ socket: DatagramSocket) { datagramSockets.append(socket) }
  func remove(_ socket: DatagramSocket) { datagramSockets.removeAll { $0 === socket } }

  /// Tells the socket that sent a packet from `local` to `remote` that nobody took it.
  func unreachable(_ local: clwip_endpoint, _ remote: clwip_endpoint, _ error: Errno) {
    for socket in datagramSockets
    where socket.isConnected(from: InternetEndpoint(local), to: InternetEndpoint(remote)) {
      socket.fail(error)
    }
  }
}
