// Names are those that assembly and C call.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

internal import Kernel
internal import LinuxABI
internal import Platform
internal import Process
internal import Support
internal import Syscalls

// Every entry point that assembly calls. Interrupts are off in all of them.

// SAFETY: set once by kernel_main before any other entry can happen, and never changed; one CPU.
nonisolated(unsafe) private var machine: Machine?
// SAFETY: as above; the object lives as long as the machine. A place of its own and no counted reference, since every
// system call reads it.
nonisolated(unsafe) private var syscalls: Unmanaged<SyscallTable>?

/// The first Swift code, on the boot stack. `kind` is 0 for PVH and 1 for the Linux boot protocol.
@c public func kernel_main(_ information: UInt, _ kind: UInt) {
  // SAFETY: nothing else runs yet, and what is set here is set once.
  unsafe heap.start(at: Image.earlyHeap.address, count: Image.earlyHeap.count)
  CPU.initialize(faultStackTop: Image.faultStackTop)
  let made = Machine(information, kind == 0 ? .pvh : .linux) { allocator in unsafe heap.attach(allocator) }
  unsafe heap.map(in: made.kernelTable)
  unsafe machine = made
  unsafe syscalls = Unmanaged.passRetained(SyscallTable())
  made.run()
}

/// An exception or interrupt, from the program or from the kernel.
@c public func kernel_trap(_ frame: UnsafeMutableRawPointer) {
  // SAFETY: entry code passes the frame it has just saved.
  let registers = unsafe SavedRegisters(frame)
  let vector = registers.frame.vector
  guard let machine = unsafe machine else { earlyPanic(registers) }
  if vector >= 32 {
    machine.interrupts.dispatch(UInt8(truncatingIfNeeded: vector))
    return
  }
  if registers.frame.isUser {
    Thread.currentThread.handleTrap(registers, faultAddress: CPU.faultAddress)
    return
  }
  // The kernel itself: a copy from or to the program's memory may fault, anything else is a bug.
  if let fixup = CPU.fixup(registers.frame.rip) {
    let address = CPU.faultAddress
    if vector == 14, address < UserAddress.limit {
      let access: KernelFault = registers.frame.error & 2 != 0 ? .write : .read
      if machine.resolve(access, at: address) { return }
    }
    registers.frame.rip = fixup
    return
  }
  machine.panic(registers)
}

@_optimize(speed)
@c public func kernel_syscall(_ frame: UnsafeMutableRawPointer) -> Int {
  // SAFETY: as in kernel_trap; the table stands since kernel_main, and the scheduler holds the thread that runs.
  unsafe syscalls.unsafelyUnwrapped._withUnsafeGuaranteedRef { table in
    Thread.withCurrent { thread in table.dispatch(thread, unsafe SavedRegisters(frame)) }
  }
}

@c public func kernel_syscall_traced(_ frame: UnsafeMutableRawPointer) -> Int {
  // SAFETY: as in kernel_syscall.
  unsafe syscalls.unsafelyUnwrapped.takeUnretainedValue().dispatchTraced(Thread.currentThread, SavedRegisters(frame))
}

/// The way back to the program has something to do.
@c public func kernel_exit_work(_ frame: UnsafeMutableRawPointer) {
  if Thread.withCurrent({ $0.leaveKernel() }) { return }
  Thread.endCurrent()
}
