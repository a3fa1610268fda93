// The fake hardware that the host tests run on. Same declarations as Sources/Platform.
public func write(_ byte: UInt8) {}
