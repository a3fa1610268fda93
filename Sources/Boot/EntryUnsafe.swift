internal import Kernel
internal import LinuxABI
internal import Platform
internal import Support

// Every entry point that assembly calls.

@c public func kernel_main(_ information: UInt, _ kind: UInt) {
  unsafe heap.start(at: Image.earlyHeap.address, count: Image.earlyHeap.count)
  CPU.initialize(faultStackTop: Image.faultStackTop)
  let log = Log { line in Ports.write8(0x3f8, line.bytes.rawBytes) }
  log.level = .debug
  guard let boot = try? BootInformation(at: information, kind == 0 ? .pvh : .linux) else { CPU.halt() }
  log(.info) { $0.append("memory regions "); $0.append(decimal: boot.memory.count)
     for r in boot.memory { $0.append(" "); $0.append(address: r.start); $0.append("-"); $0.append(address: r.end) }
     $0.append(" cmd "); $0.append(bytes: boot.commandLine) }
  var reserved = [BootInformation.Region(start: Image.start, end: Image.end)]
  if let initrd = boot.initrd { reserved.append(initrd) }
  guard let map = try? MemoryMap(boot, reserved: reserved, attach: { unsafe heap.attach($0) }) else { log(.error, "no memory"); CPU.halt() }
  log(.info) { $0.append("free frames "); $0.append(decimal: map.frames.freeFrames) ; $0.append(" tsc "); $0.append(decimal: UInt(CPU.timeStampCounter - Image.entryTimeStamp))}
  Ports.write16(0x501, 0x21)
  CPU.halt()
}

@c public func kernel_trap(_ frame: UnsafeMutableRawPointer) {
  let registers = unsafe SavedRegisters(frame)
  let log = Log { line in Ports.write8(0x3f8, line.bytes.rawBytes) }
  log(.error) { $0.append("trap "); $0.append(decimal: UInt(registers.frame.vector)); $0.append(" rip "); $0.append(address: UInt(registers.frame.rip)); $0.append(" cr2 "); $0.append(address: CPU.faultAddress) }
  Ports.write16(0x501, 0x22)
  CPU.halt()
}
@c public func kernel_syscall(_ frame: UnsafeMutableRawPointer) -> UInt64 { 0 }
@c public func kernel_syscall_traced(_ frame: UnsafeMutableRawPointer) -> UInt64 { 0 }
@c public func kernel_exit_work(_ frame: UnsafeMutableRawPointer) {}
