import Kernel
@c public func kmain() { let m = Machine(); m.go() }
