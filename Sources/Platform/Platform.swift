// Platform: the hardware seam in Swift, and the only importer of CShims. Kernel, drivers and personality reach the
// machine through the enums here; on the host Tests/Support/Platform has the same declarations over a fake.
//
// - `PhysicalMemory`: words and pages of the direct map.
// - `UserCopy`: copies from and to the program's memory, with a fault table behind them.
// - `CPU`: control registers, per-CPU state, switching between kernel stacks, interrupts.
// - `FloatingPoint`: the program's x87, SSE and AVX state.
// - `Ports`, `DeviceMemory`: input and output.
// - `Image`: where the kernel itself lies.
internal import CShims
public import LinuxABI

/// The kernel's end of the address space, in bytes.
public enum AddressLayout {
  /// The first address that is the kernel's, and the direct map of physical memory: one comparison checks a user address.
  public static var kernelBase: UInt { 0x7f80_0000_0000 }
  /// Kernel stacks, each above an unmapped guard page.
  public static var stackBase: UInt { 0x7fc0_0000_0000 }
  /// Large blocks of the kernel heap whose frames do not lie in a row.
  public static var heapBase: UInt { 0x7fd0_0000_0000 }
  /// Uncached device registers.
  public static var deviceBase: UInt { 0x7fe0_0000_0000 }
  /// Index of the kernel's entry in a top-level page table.
  public static var kernelSlot: Int { 255 }
}

/// The machine's memory by physical address, through the direct map. Unchecked: callers hold the frames they name.
public enum PhysicalMemory {
  /// The kernel's address of a physical one.
  @inline(__always)
  public static func pointer(_ physical: UInt) -> UnsafeMutableRawPointer {
    // SAFETY: the direct map covers all physical memory; no address in it is null.
    unsafe UnsafeMutableRawPointer(bitPattern: AddressLayout.kernelBase &+ physical).unsafelyUnwrapped
  }
  @inline(__always)
  public static func load<T: BitwiseCopyable>(_ type: T.Type = T.self, at physical: UInt) -> T {
    // SAFETY: see `pointer`.
    unsafe pointer(physical).loadUnaligned(as: T.self)
  }
  @inline(__always)
  public static func store<T: BitwiseCopyable>(_ value: T, at physical: UInt) {
    // SAFETY: see `pointer`.
    unsafe pointer(physical).storeBytes(of: value, as: T.self)
  }
  public static func zero(_ physical: UInt, count: Int) {
    // SAFETY: see `pointer`.
    unsafe cshims_zero(pointer(physical), count)
  }
  public static func copy(to destination: UInt, from source: UInt, count: Int) {
    // SAFETY: see `pointer`.
    unsafe cshims_copy(pointer(destination), pointer(source), count)
  }
  /// Writes `count` bytes of a span from `offset` on.
  public static func store(_ bytes: RawSpan, from offset: Int, count: Int, at physical: UInt) {
    precondition(offset >= 0 && count >= 0 && count <= bytes.byteCount - offset)
    // SAFETY: the range lies within the span; see `pointer`.
    unsafe bytes.withUnsafeBytes {
      unsafe pointer(physical).copyMemory(from: $0.baseAddress.unsafelyUnwrapped + offset, byteCount: count)
    }
  }
}

/// Copies between the kernel and the program's memory. A fault ends a copy at the exact byte; callers have checked
/// that the range lies below `AddressLayout.kernelBase`.
public enum UserCopy {
  /// Copies in; returns how many bytes were not copied.
  @inline(__always)
  public static func copyIn(_ destination: UnsafeMutableRawPointer, from user: UInt, count: Int) -> Int {
    // SAFETY: the fault table covers every access to `user`.
    unsafe cshims_copy_user(destination, UnsafeRawPointer(bitPattern: user), count)
  }
  /// Copies out; returns how many bytes were not copied.
  @inline(__always)
  public static func copyOut(_ user: UInt, from source: UnsafeRawPointer, count: Int) -> Int {
    // SAFETY: the fault table covers every access to `user`.
    unsafe cshims_copy_user(UnsafeMutableRawPointer(bitPattern: user), source, count)
  }
  /// Writes zeroes; returns how many bytes were not written.
  public static func zero(_ user: UInt, count: Int) -> Int {
    // SAFETY: the fault table covers every access to `user`.
    unsafe cshims_zero_user(UnsafeMutableRawPointer(bitPattern: user), count)
  }
  /// Copies a string without its NUL; returns its length, `limit` when no NUL is among them, or -1 for a fault.
  public static func copyString(_ destination: UnsafeMutableRawPointer, from user: UInt, limit: Int) -> Int {
    // SAFETY: the fault table covers every access to `user`.
    Int(unsafe cshims_copy_user_string(destination, UnsafeRawPointer(bitPattern: user), limit))
  }
  @inline(__always)
  public static func load32(_ user: UInt) -> UInt32? {
    var value: UInt32 = 0
    // SAFETY: the fault table covers the access.
    return unsafe cshims_load_user32(UInt64(user), &value) ? value : nil
  }
  @inline(__always)
  public static func load64(_ user: UInt) -> UInt64? {
    var value: UInt64 = 0
    // SAFETY: the fault table covers the access.
    return unsafe cshims_load_user64(UInt64(user), &value) ? value : nil
  }
  @inline(__always)
  public static func store32(_ user: UInt, _ value: UInt32) -> Bool { cshims_store_user32(UInt64(user), value) }
  /// Writes a word as it is.
  public static func touch32(_ user: UInt) -> Bool { cshims_touch_user32(UInt64(user)) }
  @inline(__always)
  public static func store64(_ user: UInt, _ value: UInt64) -> Bool { cshims_store_user64(UInt64(user), value) }
}

/// The processor this code runs on.
public enum CPU {
  /// What `cpuid` says of the machine, as far as the kernel asks.
  public enum Feature { case xsave, fsgsbase, smap, pages1G, tscDeadline, hypervisor, rdrand, x2apic }

  public static func has(_ feature: Feature) -> Bool {
    switch feature {
    case .xsave: cshims_get_features().xsave
    case .fsgsbase: cshims_get_features().fsgsbase
    case .smap: cshims_get_features().smap
    case .pages1G: cshims_get_features().pages_1g
    case .tscDeadline: cshims_get_features().tsc_deadline
    case .hypervisor: cshims_get_features().hypervisor
    case .rdrand: cshims_get_features().rdrand
    case .x2apic: cshims_get_features().x2apic
    }
  }

  /// Sets descriptor tables, control registers and the system call entry. `faultStackTop` serves NMI, double fault
  /// and machine check.
  public static func initialize(faultStackTop: UInt) {
    // SAFETY: the stack is mapped and nobody else's.
    unsafe cshims_cpu_initialize(UnsafeMutableRawPointer(bitPattern: faultStackTop))
  }

  public static func cpuid(_ leaf: UInt32, _ subleaf: UInt32 = 0) -> (
    eax: UInt32, ebx: UInt32, ecx: UInt32, edx: UInt32
  ) {
    var out: (UInt32, UInt32, UInt32, UInt32) = (0, 0, 0, 0)
    // SAFETY: four words, as the shim writes.
    unsafe withUnsafeMutableBytes(of: &out) {
      unsafe cshims_cpuid(leaf, subleaf, $0.baseAddress!.assumingMemoryBound(to: UInt32.self))
    }
    return (out.0, out.1, out.2, out.3)
  }
  public static func readMSR(_ msr: UInt32) -> UInt64 { cshims_read_msr(msr) }
  public static func writeMSR(_ msr: UInt32, _ value: UInt64) { cshims_write_msr(msr, value) }
  @inline(__always)
  public static var timeStampCounter: UInt64 { cshims_read_tsc() }
  public static var faultAddress: UInt { UInt(cshims_read_cr2()) }
  /// A random word from RDRAND, or nil where there is none.
  public static var hardwareRandom: UInt64? {
    guard cshims_get_features().rdrand else { return nil }
    for _ in 0..<16 {
      var value: UInt64 = 0
      // SAFETY: one word out.
      if unsafe cshims_random(&value) { return value }
    }
    return nil
  }

  /// Physical address of the top-level page table in force.
  public static var pageTableRoot: UInt {
    get { UInt(cshims_read_cr3()) }
    set { cshims_write_cr3(UInt64(newValue)) }
  }
  @inline(__always)
  public static func invalidate(_ address: UInt) { cshims_invlpg(UInt64(address)) }
  public static func invalidateAll() { cshims_write_cr3(cshims_read_cr3()) }

  /// Where a fault at this kernel address resumes, when it is one of the user copies.
  public static func fixup(_ rip: UInt64) -> UInt64? {
    let target = cshims_fixup(rip)
    return target == 0 ? nil : target
  }

  /// The thread that runs, as the scheduler set it.
  @inline(__always)
  public static var thread: UnsafeMutableRawPointer? {
    // SAFETY: a word of the per-CPU structure, which is always there.
    get { unsafe cshims_thread() }
    set { unsafe cshims_set_thread(newValue) }
  }
  /// Whether the way back to the program has something to do: a signal, a switch, changed registers.
  @inline(__always)
  public static var exitWork: Bool {
    get { cshims_work() != 0 }
    set { cshims_set_work(newValue ? 1 : 0) }
  }
  /// Sets the stack on which an entry from the program starts.
  public static func setKernelStack(top: UInt) { cshims_set_kernel_stack(UInt64(top)) }
  /// Sends system calls through the tracing dispatcher or the plain one.
  public static func setTracing(_ on: Bool) { cshims_set_dispatch(on) }

  /// Leaves this kernel stack, keeping its pointer in `save`, and goes on on another.
  @inline(__always)
  // SAFETY: the scheduler passes stacks that are mapped and whole.
  public static func switchStack(save: UnsafeMutablePointer<UInt64>, load: UInt64) { unsafe cshims_switch(save, load) }
  /// Lays out a new stack whose first switch calls `entry(argument)`.
  public static func prepareStack(
    top: UInt, entry: @convention(c) (UnsafeMutableRawPointer?) -> Void, argument: UnsafeMutableRawPointer?
  ) -> UInt64 {
    // SAFETY: the caller owns the stack below `top`.
    unsafe cshims_prepare_stack(UInt64(top), entry, argument)
  }
  /// Leaves the kernel with the registers at the top of the current thread's stack.
  public static func returnToUser(_ registers: SavedRegisters) -> Never {
    // SAFETY: the frame is the one at the top of this kernel stack, as `SavedRegisters.top` made it.
    unsafe cshims_return_to_user(UnsafeMutableRawPointer(registers.pointer).assumingMemoryBound(to: cshims_frame.self))
  }

  public static var fsBase: UInt64 {
    get { cshims_fs_base() }
    set { cshims_set_fs_base(newValue) }
  }
  /// The program's GS base.
  public static var userGSBase: UInt64 {
    get { cshims_user_gs_base() }
    set { cshims_set_user_gs_base(newValue) }
  }

  /// Sleeps until an interrupt has been served.
  public static func idle() { cshims_idle() }
  /// Lets pending interrupts in, at a point where the kernel's state is whole.
  public static func interruptWindow() { cshims_interrupt_window() }
  public static func halt() -> Never {
    cshims_halt()
    fatalError()
  }
  public static func pause() { cshims_pause() }
  public static func memoryBarrier() { cshims_memory_barrier() }
}

/// The registers of the program, where the entry saved them on the thread's kernel stack.
@safe public struct SavedRegisters: BitwiseCopyable {
  @usableFromInline let pointer: UnsafeMutablePointer<RegisterFrame>

  /// The registers that an entry point was given.
  @inline(__always)
  public init(_ pointer: UnsafeMutableRawPointer) {
    // SAFETY: entry code passes the frame it has just saved, which RegisterFrame mirrors.
    unsafe self.pointer = pointer.assumingMemoryBound(to: RegisterFrame.self)
  }
  /// The place at the top of a kernel stack where every entry from the program saves its registers.
  public init(stackTop: UInt) {
    // SAFETY: the caller owns the stack; it is mapped.
    unsafe self.init(UnsafeMutableRawPointer(bitPattern: stackTop - UInt(MemoryLayout<RegisterFrame>.size))!)
  }
  @inline(__always)
  public var frame: RegisterFrame {
    // SAFETY: the frame lies on the kernel stack of the thread that holds this value.
    get { unsafe pointer.pointee }
    nonmutating set { unsafe pointer.pointee = newValue }
    nonmutating _modify { yield unsafe &pointer.pointee }
  }
}

/// x87, SSE, AVX and whatever else CPUID names, saved as one area.
public enum FloatingPoint {
  /// Bytes of an area; it is aligned to 64.
  public static var areaSize: Int { Int(cshims_get_features().xsave_size) }
  /// XCR0, or 0 where the machine has only FXSAVE.
  public static var stateMask: UInt64 { cshims_get_features().xsave_mask }
  // SAFETY: the caller passes an area of `areaSize` bytes, aligned to 64.
  public static func save(_ area: UnsafeMutableRawPointer) { unsafe cshims_fpu_save(area) }
  public static func restore(_ area: UnsafeRawPointer) { unsafe cshims_fpu_restore(area) }
  /// As `save` and `restore`, for a switch between threads.
  // SAFETY: as `save`.
  public static func switchOut(_ area: UnsafeMutableRawPointer) { unsafe cshims_fpu_switch_out(area) }
  public static func switchIn(_ area: UnsafeRawPointer) { unsafe cshims_fpu_switch_in(area) }
  /// Restores bytes that the program could write; false where the CPU refuses them.
  public static func restoreChecked(_ area: UnsafeRawPointer) -> Bool { unsafe cshims_fpu_restore_checked(area) }
  public static func reset() { cshims_fpu_reset() }
}

/// The x86 port space.
public enum Ports {
  @inline(__always) public static func write8(_ port: UInt16, _ value: UInt8) { cshims_out8(port, value) }
  @inline(__always) public static func write16(_ port: UInt16, _ value: UInt16) { cshims_out16(port, value) }
  @inline(__always) public static func write32(_ port: UInt16, _ value: UInt32) { cshims_out32(port, value) }
  @inline(__always) public static func read8(_ port: UInt16) -> UInt8 { cshims_in8(port) }
  @inline(__always) public static func read16(_ port: UInt16) -> UInt16 { cshims_in16(port) }
  @inline(__always) public static func read32(_ port: UInt16) -> UInt32 { cshims_in32(port) }
  /// Writes all bytes to one port.
  public static func write8(_ port: UInt16, _ bytes: RawSpan) {
    // SAFETY: the span holds the bytes for the length of the instruction.
    unsafe bytes.withUnsafeBytes { unsafe cshims_out8_string(port, $0.baseAddress, $0.count) }
  }
}

/// Device registers, by the kernel's address of them.
public enum DeviceMemory {
  @inline(__always) public static func read8(_ address: UInt) -> UInt8 { cshims_mmio_read8(UInt64(address)) }
  @inline(__always) public static func read16(_ address: UInt) -> UInt16 { cshims_mmio_read16(UInt64(address)) }
  @inline(__always) public static func read32(_ address: UInt) -> UInt32 { cshims_mmio_read32(UInt64(address)) }
  @inline(__always) public static func read64(_ address: UInt) -> UInt64 { cshims_mmio_read64(UInt64(address)) }
  @inline(__always) public static func write8(_ address: UInt, _ value: UInt8) {
    cshims_mmio_write8(UInt64(address), value)
  }
  @inline(__always) public static func write16(_ address: UInt, _ value: UInt16) {
    cshims_mmio_write16(UInt64(address), value)
  }
  @inline(__always) public static func write32(_ address: UInt, _ value: UInt32) {
    cshims_mmio_write32(UInt64(address), value)
  }
  @inline(__always) public static func write64(_ address: UInt, _ value: UInt64) {
    cshims_mmio_write64(UInt64(address), value)
  }
}

/// Where the kernel's own parts lie, as physical addresses; the linker script aligns each to a page.
public enum Image {
  private static func physical(_ pointer: UnsafeRawPointer) -> UInt {
    UInt(bitPattern: pointer) - AddressLayout.kernelBase
  }
  // SAFETY: addresses of symbols of the linker script.
  public static var start: UInt { unsafe physical(cshims_address_image_start()) }
  public static var textEnd: UInt { unsafe physical(cshims_address_text_end()) }
  public static var readOnlyEnd: UInt { unsafe physical(cshims_address_rodata_end()) }
  public static var end: UInt { unsafe physical(cshims_address_image_end()) }
  /// The top-level page table that the entry code built.
  public static var bootPageTable: UInt { unsafe physical(cshims_address_boot_pml4()) }
  public static var bootStackTop: UInt { UInt(bitPattern: unsafe cshims_address_boot_stack_top()) }
  /// The stack for NMI, double fault and machine check.
  public static var faultStackTop: UInt { UInt(bitPattern: unsafe cshims_address_fault_stack_top()) }
  /// Kernel address and size in bytes of the first heap.
  public static var earlyHeap: (address: UInt, count: Int) {
    (UInt(bitPattern: unsafe cshims_address_early_heap()), Int(CSHIMS_EARLY_HEAP_SIZE))
  }
  /// The vDSO's ELF file, a whole number of pages.
  public static var vdsoStart: UInt { unsafe physical(cshims_address_vdso_start()) }
  public static var vdsoEnd: UInt { unsafe physical(cshims_address_vdso_end()) }
  /// The time stamp counter at the first instruction.
  public static var entryTimeStamp: UInt64 { cshims_get_entry_tsc() }
}

/// Kernel memory by its address, for reports: callers look the address up in the page table first.
public enum KernelMemory {
  public static func load(_ address: UInt) -> UInt {
    // SAFETY: the caller has found the address mapped, and it is a multiple of eight.
    unsafe UnsafePointer<UInt>(bitPattern: address)!.pointee
  }
}
