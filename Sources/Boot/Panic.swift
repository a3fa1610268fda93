internal import Drivers
internal import Kernel
internal import LinuxABI
internal import Platform
internal import Support

/// Why the kernel touched the program's memory.
enum KernelFault {
  case read
  case write
}

extension TextBuffer {
  /// Appends `NAME=0x…`, sixteen digits.
  mutating func append(register name: StaticString, _ value: UInt64) {
    append(name)
    append("=")
    append(hex: UInt(value), width: 16)
  }
}

/// Writes the kernel's last words: what happened, the registers, and the callers by their frame pointers, which
/// support/symbolize turns into names and lines.
func panicReport(_ message: StaticString, _ registers: SavedRegisters) -> TextBuffer {
  let frame = registers.frame
  var text = TextBuffer(reserving: 1024)
  text.append("kernel panic: ")
  text.append(message)
  text.append("\n")
  let names: [(StaticString, UInt64)] = [
    ("rip", frame.rip), ("rsp", frame.rsp), ("rfl", frame.rflags), ("rax", frame.rax), ("rbx", frame.rbx),
    ("rcx", frame.rcx), ("rdx", frame.rdx), ("rsi", frame.rsi), ("rdi", frame.rdi), ("rbp", frame.rbp),
    (" r8", frame.r8), (" r9", frame.r9), ("r10", frame.r10), ("r11", frame.r11), ("r12", frame.r12),
    ("r13", frame.r13), ("r14", frame.r14), ("r15", frame.r15), ("cr2", UInt64(CPU.faultAddress)),
    ("vec", frame.vector), ("err", frame.error),
  ]
  for i in names.indices {
    text.append(register: names[i].0, names[i].1)
    text.append(i % 3 == 2 ? "\n" : " ")
  }
  var address = UInt(frame.rip)
  var link = UInt(frame.rbp)
  let table = PageTable(root: CPU.pageTableRoot)
  for depth in 0..<32 {
    text.append("#")
    text.append(decimal: depth)
    text.append(" ")
    text.append(address: address, width: 12)
    text.append("\n")
    guard link >= AddressLayout.kernelBase, link & 7 == 0, table.lookup(link) != nil, table.lookup(link + 8) != nil
    else { break }
    address = KernelMemory.load(link + 8)
    let next = KernelMemory.load(link)
    if address < AddressLayout.kernelBase || next <= link { break }
    link = next
  }
  return text
}

/// What the vector of an exception means.
func exceptionName(_ vector: UInt64) -> StaticString {
  switch vector {
  case 0: "divide error"
  case 2: "non-maskable interrupt"
  case 6: "a check in the kernel failed (invalid opcode)"
  case 8: "double fault: a kernel stack ran over"
  case 13: "general protection fault"
  case 14: "page fault"
  case 18: "machine check"
  default: "exception"
  }
}

/// A panic before there is a machine: the serial port's plain register has to do.
func earlyPanic(_ registers: SavedRegisters) -> Never {
  Ports.write8(0x3f8, panicReport(exceptionName(registers.frame.vector), registers).bytes.rawBytes)
  Ports.write8(0x502, [UInt8]("panic\n").rawBytes)
  Ports.write16(0x501, 255)
  CPU.halt()
}

/// Ends the boot with one line on the serial port, before there is a console.
func earlyFailure(_ build: (inout TextBuffer) -> Void) -> Never {
  var text = TextBuffer()
  build(&text)
  text.append("\n")
  Ports.write8(0x3f8, text.bytes.rawBytes)
  Ports.write8(0x502, [UInt8]("exit=125\n").rawBytes)
  Ports.write16(0x501, 125)
  CPU.halt()
}
