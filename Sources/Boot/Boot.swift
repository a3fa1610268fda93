internal import Platform
@c public func kernel_main(_ information: UInt, _ protocolNumber: UInt) { Ports.write8(0x3f8, 65)
 }
