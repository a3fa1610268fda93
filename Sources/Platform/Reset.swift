internal import CShims

extension CPU {
  /// Resets the machine by a fault that the CPU cannot deliver.
  public static func tripleFault() -> Never {
    cshims_triple_fault()
    fatalError()
  }
}
