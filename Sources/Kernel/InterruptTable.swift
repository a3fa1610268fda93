/// What serves each interrupt vector. Boot's trap entry calls `dispatch`; drivers register here.
///
/// Handlers run with interrupts off, on the stack of whatever was interrupted, and may not sleep: they wake tasks.
public final class InterruptTable {
  public typealias Handler = () -> Void

  /// The vectors of interrupt lines, in the order of the lines: above the CPU's exceptions and the legacy controllers'.
  public static var lineVectors: Range<UInt8> { 0x30..<0x60 }
  /// The vectors of messages.
  public static var messageVectors: Range<UInt8> { 0x60..<0xe0 }
  public static var timerVector: UInt8 { 0xef }
  public static var spuriousVector: UInt8 { 0xff }

  private var handlers = [Handler?](repeating: nil, count: 256)
  private var nextMessage = InterruptTable.messageVectors.lowerBound
  /// Tells the interrupt controller that an interrupt has been served. Set by the one who starts the controller.
  public var endOfInterrupt: Handler = {}
  /// Interrupts that nobody had registered for, the spurious ones of the local APIC among them.
  public private(set) var count: UInt64 = 0
  public private(set) var unhandledCount: UInt64 = 0

  public init() {}

  public func hasHandler(_ vector: UInt8) -> Bool { handlers[Int(vector)] != nil }

  /// Sets what serves `vector`, in place of what did.
  public func setHandler(_ vector: UInt8, _ handler: @escaping Handler) { handlers[Int(vector)] = handler }

  /// Adds a handler behind those that serve `vector` already, as devices that share an interrupt line do.
  public func addHandler(_ vector: UInt8, _ handler: @escaping Handler) {
    guard let first = handlers[Int(vector)] else { return setHandler(vector, handler) }
    handlers[Int(vector)] = {
      first()
      handler()
    }
  }

  /// Takes a message's vector that no device has yet; nil when all are taken.
  public func allocateMessageVector() -> UInt8? {
    guard Self.messageVectors.contains(nextMessage) else { return nil }
    defer { nextMessage += 1 }
    return nextMessage
  }

  /// Serves an interrupt. The controller is told afterwards, so that a level-triggered line is quiet by then.
  public func dispatch(_ vector: UInt8) {
    count &+= 1
    if let handler = handlers[Int(vector)] {
      handler()
    } else {
      unhandledCount &+= 1
      // Intel SDM volume 3, 11.9: a spurious interrupt must not be acknowledged.
      if vector == Self.spuriousVector { return }
    }
    endOfInterrupt()
  }
}
