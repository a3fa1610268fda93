internal import CShims
public func write(_ b: UInt8) { cshims_putc(b) }
