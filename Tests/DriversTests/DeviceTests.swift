import Kernel
import LinuxABI
import Platform
import Synchronization
import Testing

@testable import Drivers

/// A serial port at 0x3f8 whose reader is slow, and which loses what a real one would lose.
private final class FakeSerial: FakeBus {
  struct State {
    var scratch: UInt8 = 0
    var lineControl: UInt8 = 0
    var interruptEnable: UInt8 = 0
    var hasFIFO = false
    var isLooped = false
    var transmit = 0
    var polls = 0
    var output: [UInt8] = []
    var overruns = 0
    /// What waits on the line, and what the port holds.
    var line: [UInt8] = []
    var received: [UInt8] = []
  }
  let state: Mutex<State>
  private let isPresent: Bool

  init(isPresent: Bool = true, line: [UInt8] = []) {
    self.isPresent = isPresent
    state = Mutex(State())
    state.withLock {
      $0.line = line
      Self.receive(&$0)
    }
  }

  private static func receive(_ state: inout State) {
    while !state.line.isEmpty, state.received.count < (state.hasFIFO ? 16 : 1) {
      state.received.append(state.line.removeFirst())
    }
  }

  func readPort(_ port: UInt16, width: Int) -> UInt32? {
    guard isPresent, width == 1, (0x3f8..<0x400).contains(port) else { return nil }
    return state.withLock { state in
      switch port - 0x3f8 {
      case 0:
        if state.lineControl & 0x80 != 0 { return 0 }
        let byte = state.received.isEmpty ? 0 : state.received.removeFirst()
        // As QEMU does it: more is taken from the line when the register is read, but not while looped back.
        if !state.isLooped { Self.receive(&state) }
        return UInt32(byte)
      case 1: return UInt32(state.interruptEnable)
      case 3: return UInt32(state.lineControl)
      case 5:
        // A byte leaves with every fourth look, and the FIFO is empty when all have left.
        state.polls += 1
        if state.polls % 4 == 0 { state.transmit = 0 }
        return (state.transmit == 0 ? 0x60 : 0) | (state.received.isEmpty ? 0 : 1)
      case 7: return UInt32(state.scratch)
      default: return 0
      }
    }
  }

  func writePort(_ port: UInt16, _ value: UInt32, width: Int) {
    guard isPresent, width == 1, (0x3f8..<0x400).contains(port) else { return }
    let value = UInt8(value)
    state.withLock { state in
      switch port - 0x3f8 {
      case 0:
        if state.lineControl & 0x80 != 0 { return }
        if state.transmit == 16 {
          state.overruns += 1
        } else {
          state.transmit += 1
          state.output.append(value)
        }
      case 1: if state.lineControl & 0x80 == 0 { state.interruptEnable = value }
      case 2:
        if value & 1 != 0, !state.hasFIFO || value & 2 != 0 { state.received = [] }
        state.hasFIFO = value & 1 != 0
      case 3: state.lineControl = value
      case 4: state.isLooped = value & 0x10 != 0
      case 7: state.scratch = value
      default: break
      }
    }
  }
}

@Suite struct SerialTests {
  @Test func isNotThereWithoutAPort() {
    FakeDevices.$bus.withValue(FakeSerial(isPresent: false)) { #expect(Serial16550() == nil) }
    #expect(Serial16550() == nil)
  }

  @Test func writesWithoutOverrun() throws {
    let fake = FakeSerial()
    let text = (0..<1000).map { UInt8(truncatingIfNeeded: $0) }
    try FakeDevices.$bus.withValue(fake) {
      let serial = try #require(Serial16550())
      serial.write(text.rawBytes)
      let nothing: [UInt8] = []
      serial.write(nothing.rawBytes)
      serial.drain()
    }
    #expect(fake.state.withLock { $0.output } == text)
    #expect(fake.state.withLock { $0.overruns } == 0)
    // `drain` asks until the port is empty, and no longer.
    #expect(fake.state.withLock { $0.polls } < 1000)
  }

  @Test func writesWhatFitsAndTellsWhenThereIsRoom() throws {
    let fake = FakeSerial()
    let text = [UInt8](repeating: 1, count: 40)
    try FakeDevices.$bus.withValue(fake) {
      let serial = try #require(Serial16550())
      var calls = 0
      serial.onOutputReady = { calls += 1 }
      let taken = serial.writeAvailable(text.rawBytes)
      #expect(taken == 16 && fake.state.withLock { $0.interruptEnable } == 2)
      for _ in 0..<8 { serial.handleInterrupt() }
      #expect(calls == 1 && fake.state.withLock { $0.interruptEnable } == 0)
    }
  }

  @Test(arguments: [0, 1, 2, 17, 500]) func losesNoInput(count: Int) throws {
    let line = (0..<count).map { UInt8(truncatingIfNeeded: $0 + 1) }
    let fake = FakeSerial(line: line)
    var input: [UInt8] = []
    try FakeDevices.$bus.withValue(fake) {
      let serial = try #require(Serial16550())
      serial.onInput = { bytes in
        for i in 0..<bytes.byteCount { input.append(bytes.unsafeLoad(fromByteOffset: i, as: UInt8.self)) }
      }
      serial.enableInput()
      for _ in 0..<100 { serial.handleInterrupt() }
    }
    #expect(input == line)
  }
}

/// A virtio device in memory, version 1 or 2 of the registers, at address 0x1000.
private final class FakeVirtioDevice: FakeBus {
  struct State {
    var registers: [UInt: UInt32]
    var writes: [UInt: UInt32] = [:]
    var refusesFeatures = false
  }
  let state: Mutex<State>

  init(version: UInt32, features: UInt64, kind: UInt32 = 4) {
    state = Mutex(
      State(registers: [0: 0x7472_6976, 4: version, 8: kind, 0x34: 256, 0x44: 0, 0x40: 0, 0x70: 0, 0x60: 0]))
    low = UInt32(truncatingIfNeeded: features)
    high = UInt32(features >> 32)
  }
  private let low: UInt32
  private let high: UInt32

  func readMemory(_ address: UInt, width: Int) -> UInt64? {
    guard (0x1000..<0x1200).contains(address) else { return nil }
    return state.withLock { state in
      let register = address - 0x1000
      if register == 0x10 { return UInt64(state.writes[0x14] == 1 ? high : low) }
      return UInt64(state.registers[register] ?? 0)
    }
  }
  func writeMemory(_ address: UInt, _ value: UInt64, width: Int) {
    guard (0x1000..<0x1200).contains(address) else { return }
    state.withLock { state in
      let register = address - 0x1000
      state.writes[register] = UInt32(truncatingIfNeeded: value)
      if register == 0x70 {
        state.registers[0x70] = UInt32(truncatingIfNeeded: value) & (state.refusesFeatures ? ~8 : ~0)
      }
      if register == 0x64 { state.registers[0x60]! &= ~UInt32(truncatingIfNeeded: value) }
    }
  }
  func raise(_ bits: UInt32) { state.withLock { $0.registers[0x60]! |= bits } }
}

@Suite struct VirtioMMIOTests {
  private func frames() -> FrameAllocator {
    let physical = FakeMachine.reserve(bytes: 1 << 24)
    let first = UInt32(physical >> 12)
    let limit = first + 4096
    let records = FakeMachine.reserve(bytes: Int(FrameAllocator.recordBytes(frames: UInt(limit))))
    let allocator = FrameAllocator(records: records, frameLimit: limit)
    allocator.add(first, limit)
    return allocator
  }

  @Test func isNotThereWithoutTheMagicOrAKind() {
    let device = FakeVirtioDevice(version: 2, features: 0, kind: 0)
    FakeDevices.$bus.withValue(device) {
      #expect(VirtioMMIOTransport(registers: 0x1000, size: 512) == nil)
      #expect(VirtioMMIOTransport(registers: 0x3000, size: 512) == nil)
    }
    FakeDevices.$bus.withValue(FakeVirtioDevice(version: 3, features: 0)) {
      #expect(VirtioMMIOTransport(registers: 0x1000, size: 512) == nil)
    }
  }

  @Test func setsUpAModernDevice() throws {
    let device = FakeVirtioDevice(version: 2, features: VirtioFeature.version1 | VirtioFeature.eventIndex | 3)
    try FakeDevices.$bus.withValue(device) {
      let transport = try #require(VirtioMMIOTransport(registers: 0x1000, size: 512))
      #expect(transport.kind == VirtioDeviceKind.entropy && !transport.isLegacy)
      let features = try transport.negotiate(VirtioFeature.eventIndex | 1)
      #expect(features == VirtioFeature.version1 | VirtioFeature.eventIndex | 1)
      var calls = 0
      let queue = try transport.makeQueue(0, size: 64, features: features, frames()) { calls += 1 }
      transport.start()
      #expect(queue.size == 64)
      device.state.withLock { state in
        #expect(state.registers[0x70] == 15)
        #expect(state.writes[0x38] == 64 && state.writes[0x44] == 1)
        #expect(state.writes[0x80] == UInt32(truncatingIfNeeded: queue.descriptorTable))
        #expect(state.writes[0x90] == UInt32(truncatingIfNeeded: queue.availableRing))
        #expect(state.writes[0xa0] == UInt32(truncatingIfNeeded: queue.usedRing))
      }
      transport.handleInterrupt()
      #expect(calls == 0)
      device.raise(1)
      transport.handleInterrupt()
      transport.handleInterrupt()
      #expect(calls == 1)
      var changes = 0
      transport.onConfigurationChange = { changes += 1 }
      device.raise(3)
      transport.handleInterrupt()
      #expect(calls == 2 && changes == 1)
    }
  }

  @Test func setsUpALegacyDevice() throws {
    let device = FakeVirtioDevice(version: 1, features: 0xffff_ffff_ffff_ffff)
    try FakeDevices.$bus.withValue(device) {
      let transport = try #require(VirtioMMIOTransport(registers: 0x1000, size: 512))
      let features = try transport.negotiate(VirtioFeature.indirectDescriptors | VirtioFeature.version1)
      #expect(transport.isLegacy && features == VirtioFeature.indirectDescriptors)
      let queue = try transport.makeQueue(0, size: 64, features: features, indirectLimit: 8, frames()) {}
      device.state.withLock { state in
        #expect(state.writes[0x28] == 4096 && state.writes[0x3c] == 4096)
        #expect(state.writes[0x40] == UInt32(queue.descriptorTable >> 12))
      }
    }
  }

  @Test func refusesDevicesThatDoNotAgree() throws {
    let old = FakeVirtioDevice(version: 2, features: 1)
    FakeDevices.$bus.withValue(old) {
      let transport = VirtioMMIOTransport(registers: 0x1000, size: 512)
      #expect(throws: Errno.ENXIO) { try transport?.negotiate(1) }
      #expect(old.state.withLock { $0.registers[0x70]! } & 128 != 0)
    }
    let stubborn = FakeVirtioDevice(version: 2, features: VirtioFeature.version1)
    stubborn.state.withLock { $0.refusesFeatures = true }
    FakeDevices.$bus.withValue(stubborn) {
      let transport = VirtioMMIOTransport(registers: 0x1000, size: 512)
      #expect(throws: Errno.ENXIO) { try transport?.negotiate(1) }
    }
  }

  @Test func keepsToTheConfigurationsEnd() throws {
    try FakeDevices.$bus.withValue(FakeVirtioDevice(version: 2, features: 0)) {
      let transport = try #require(VirtioMMIOTransport(registers: 0x1000, size: 0x104))
      #expect(transport.configuration32(0) == 0 && transport.configuration8(3) == 0)
      #expect(
        transport.configuration32(1) == 0 && transport.configuration8(4) == 0 && transport.configuration16(-1) == 0)
    }
  }
}

@Suite struct PowerTests {
  @Test func writesTheStatusAsALine() {
    #expect(PowerControl.statusLine(.exit(status: 42)) == Array("exit=42\n".utf8))
    #expect(PowerControl.statusLine(.exit(status: 0)) == Array("exit=0\n".utf8))
    #expect(PowerControl.statusLine(.signal(11)) == Array("signal=11\n".utf8))
    #expect(PowerControl.statusLine(.panic) == Array("panic\n".utf8))
    #expect(PowerControl.Cause.signal(9).status == 137)
  }
}

@Suite struct InterruptTableTests {
  @Test func dispatchesToAllThatShareAVector() {
    let table = InterruptTable()
    var log: [Int] = []
    table.endOfInterrupt = { log.append(0) }
    table.addHandler(0x34) { log.append(1) }
    table.addHandler(0x34) { log.append(2) }
    table.dispatch(0x34)
    #expect(log == [1, 2, 0])
    // Nobody's interrupt is acknowledged, a spurious one is not.
    table.dispatch(0x35)
    table.dispatch(InterruptTable.spuriousVector)
    #expect(log == [1, 2, 0, 0] && table.unhandledCount == 2)
  }

  @Test func runsOutOfMessages() {
    let table = InterruptTable()
    for _ in InterruptTable.messageVectors { #expect(table.allocateMessageVector() != nil) }
    #expect(table.allocateMessageVector() == nil)
  }
}
