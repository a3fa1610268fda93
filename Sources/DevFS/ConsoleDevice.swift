/// The hardware side of a terminal or of a console that is a pipe. What it receives goes to `Terminal.receive` or
/// `PipeInput.receive`, from the interrupt handler.
public protocol ConsoleDevice: AnyObject {
  /// Sends bytes as they are.
  func write(_ bytes: RawSpan)
  /// Asks for input, or that it wait where it is: nothing reads what is there.
  func setInputEnabled(_ enabled: Bool)
}
