internal import Platform
internal import Support

/// A 16550 serial port: the console. National Semiconductor PC16550D data sheet.
public final class Serial16550 {
  private enum Register {
    static var data: UInt16 { 0 }
    static var interruptEnable: UInt16 { 1 }
    static var fifoControl: UInt16 { 2 }
    static var lineControl: UInt16 { 3 }
    static var modemControl: UInt16 { 4 }
    static var lineStatus: UInt16 { 5 }
    static var scratch: UInt16 { 7 }
  }
  private enum LineStatus {
    static var dataReady: UInt8 { 0x01 }
    static var transmitFIFOEmpty: UInt8 { 0x20 }
    static var transmitterEmpty: UInt8 { 0x40 }
  }
  private static var fifoLength: Int { 16 }
  private static var inputChunk: Int { 64 }

  /// The first port and the interrupt line of the first serial port of a PC.
  public static var console: UInt16 { 0x3f8 }
  public static var consoleLine: UInt32 { 4 }

  private let port: UInt16
  /// What arrived before `enableInput`.
  private var early: [UInt8] = []
  private var interrupts: UInt8 = 0

  /// Takes the received bytes, some at a time, from the interrupt handler.
  public var onInput: ((RawSpan) -> Void)?
  /// Called from the interrupt handler, once, when there is room again after `writeAvailable` took less than all.
  public var onOutputReady: (() -> Void)?

  /// Sets the port up for 115200 baud, 8N1, with FIFOs; nil when there is none.
  public init?(port: UInt16 = Serial16550.console) {
    self.port = port
    Ports.write8(port + Register.scratch, 0x5a)
    guard Ports.read8(port + Register.scratch) == 0x5a else { return nil }
    Ports.write8(port + Register.interruptEnable, 0)
    Ports.write8(port + Register.lineControl, 0x80)
    Ports.write8(port + Register.data, 1)
    Ports.write8(port + Register.interruptEnable, 0)
    Ports.write8(port + Register.lineControl, 0x03)
    // Turning the FIFOs on discards what was received: the first byte of the program's input, say. QEMU delivers
    // nothing more while the port is looped back, so that none is lost between the last read and the switch.
    Ports.write8(port + Register.modemControl, 0x1b)
    while early.count < Self.inputChunk, Ports.read8(port + Register.lineStatus) & LineStatus.dataReady != 0 {
      early.append(Ports.read8(port))
    }
    // Interrupts come after 14 bytes, or when the line falls silent.
    Ports.write8(port + Register.fifoControl, 0xc7)
    Ports.write8(port + Register.modemControl, 0x0b)
  }

  // MARK: Output

  /// Called before anything is written: what goes another way comes first.
  public var willWrite: (() -> Void)?

  /// Writes all bytes, waiting for the transmitter.
  public func write(_ bytes: RawSpan) {
    willWrite?()
    var offset = 0
    while offset < bytes.byteCount {
      while Ports.read8(port + Register.lineStatus) & LineStatus.transmitFIFOEmpty == 0 { CPU.pause() }
      let end = min(offset + Self.fifoLength, bytes.byteCount)
      Ports.write8(port, bytes.extracting(offset..<end))
      offset = end
    }
  }

  /// Writes what the transmitter takes without waiting and returns how much that was. When it is less than all,
  /// `onOutputReady` is called later.
  public func writeAvailable(_ bytes: RawSpan) -> Int {
    var offset = 0
    while offset < bytes.byteCount {
      guard Ports.read8(port + Register.lineStatus) & LineStatus.transmitFIFOEmpty != 0 else {
        setInterrupts(interrupts | 0x02)
        break
      }
      let end = min(offset + Self.fifoLength, bytes.byteCount)
      Ports.write8(port, bytes.extracting(offset..<end))
      offset = end
    }
    return offset
  }

  /// Waits until the last byte has left, as must be before the machine is switched off. Gives up after a while: whoever
  /// reads the line may have stopped.
  public func drain() {
    var attempts = 1_000_000
    while attempts > 0, Ports.read8(port + Register.lineStatus) & LineStatus.transmitterEmpty == 0 {
      CPU.pause()
      attempts -= 1
    }
  }

  // MARK: Input

  /// Starts delivering input: `onInput` is set and `handleInterrupt` connected to the port's line.
  public func enableInput() {
    if !early.isEmpty {
      let bytes = early
      early = []
      onInput?(bytes.rawBytes)
      // QEMU looks for more input when the data register is read, and the reads of `init` came at a time when it
      // would not look. An empty FIFO reads as zero.
      let byte = Ports.read8(port)
      if byte != 0 { onInput?([byte].rawBytes) }
    }
    setInterrupts(interrupts | 0x01)
  }

  /// Takes input, or leaves it with the port and so with whoever sends it.
  public func setInputEnabled(_ enabled: Bool) { setInterrupts(enabled ? interrupts | 0x01 : interrupts & ~0x01) }

  private func setInterrupts(_ mask: UInt8) {
    guard mask != interrupts else { return }
    interrupts = mask
    Ports.write8(port + Register.interruptEnable, mask)
  }

  /// Serves the port's interrupt.
  public func handleInterrupt() {
    receive()
    if interrupts & 0x02 != 0,
      Ports.read8(port + Register.lineStatus) & LineStatus.transmitFIFOEmpty != 0
    {
      setInterrupts(interrupts & ~0x02)
      onOutputReady?()
    }
  }

  private func receive() {
    var bytes: [UInt8] = []
    // Bounded, so that a line that never falls silent cannot keep the kernel here: the interrupt stands and comes again.
    while bytes.count < Self.inputChunk, Ports.read8(port + Register.lineStatus) & LineStatus.dataReady != 0 {
      if bytes.isEmpty { bytes.reserveCapacity(Self.inputChunk) }
      bytes.append(Ports.read8(port))
    }
    if !bytes.isEmpty { onInput?(bytes.rawBytes) }
  }
}
