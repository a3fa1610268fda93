public import Kernel
internal import LinuxABI
internal import Platform

/// Who runs this machine, as far as it matters for time.
enum HypervisorKind {
  case none, kvm, tcg, other

  static var current: HypervisorKind {
    guard CPU.has(.hypervisor) else { return .none }
    let leaf = CPU.cpuid(0x4000_0000)
    return switch (leaf.ebx, leaf.ecx, leaf.edx) {
    case (0x4b4d_564b, 0x564b_4d56, 0x4d): .kvm  // KVMKVMKVM
    case (0x5447_4354, 0x4354_4743, 0x4743_5447): .tcg  // TCGTCGTCGTCG
    default: .other
    }
  }

  /// The rates that leaf 0x40000010 states in kHz.
  static var timingLeaf: (timeStampTicksPerSecond: UInt64, busTicksPerSecond: UInt64)? {
    guard CPU.has(.hypervisor), (0x4000_0010...0x4000_ffff).contains(CPU.cpuid(0x4000_0000).eax) else { return nil }
    let leaf = CPU.cpuid(0x4000_0010)
    guard leaf.eax != 0 else { return nil }
    return (UInt64(leaf.eax) * 1000, UInt64(leaf.ebx) * 1000)
  }
}

/// KVM's paravirtual clock, read once at boot: it states the TSC's frequency and knows the wall clock to the nanosecond.
/// Linux: Documentation/virt/kvm/x86/msr.rst.
public struct KVMClock {
  private static var wallClockMSR: UInt32 { 0x4b56_4d00 }
  private static var systemTimeMSR: UInt32 { 0x4b56_4d01 }

  /// The TSC's frequency.
  public let timeStampTicksPerSecond: UInt64
  /// Nanoseconds since 1970 when the TSC was at `timeStamp`.
  public let wallClock: UInt64
  public let timeStamp: UInt64

  /// Asks the hypervisor; nil when it is not KVM or has no such clock.
  public init?(frames: FrameAllocator) {
    guard HypervisorKind.current == .kvm, CPU.cpuid(0x4000_0001).eax & 1 << 3 != 0 else { return nil }
    let frame: PageFrame
    do throws(Errno) { frame = try frames.allocate(.kernel, zeroed: true) } catch { return nil }
    defer { frames.release(frame) }
    let page = frame.physical
    CPU.writeMSR(Self.wallClockMSR, UInt64(page + 64))
    CPU.writeMSR(Self.systemTimeMSR, UInt64(page | 1))
    // The update comes on the next entry to the guest; writing another MSR makes sure of one.
    CPU.memoryBarrier()
    let system = PVClock(
      version: PhysicalMemory.load(at: page), tscTimeStamp: PhysicalMemory.load(at: page + 8),
      systemTime: PhysicalMemory.load(at: page + 16), multiplier: PhysicalMemory.load(at: page + 24),
      shift: PhysicalMemory.load(at: page + 28))
    let seconds = PhysicalMemory.load(UInt32.self, at: page + 68)
    let nanoseconds = PhysicalMemory.load(UInt32.self, at: page + 72)
    // The page is given back, so the hypervisor must stop writing to it.
    CPU.writeMSR(Self.systemTimeMSR, 0)
    guard let rate = system.ticksPerSecond else { return nil }
    timeStampTicksPerSecond = rate
    timeStamp = CPU.timeStampCounter
    wallClock = UInt64(seconds) &* 1_000_000_000 &+ UInt64(nanoseconds) &+ system.time(at: timeStamp)
  }
}

/// `struct pvclock_vcpu_time_info`: system time is `systemTime` plus the ticks since `tscTimeStamp`, shifted and scaled.
struct PVClock: Equatable {
  var version: UInt32
  var tscTimeStamp: UInt64
  var systemTime: UInt64
  var multiplier: UInt32
  var shift: Int8

  /// The TSC's frequency; nil where the structure was never filled in or makes no sense.
  var ticksPerSecond: UInt64? {
    guard version != 0, version & 1 == 0, multiplier != 0, (-31...31).contains(shift) else { return nil }
    let unshifted = (1_000_000_000 << 32) / UInt64(multiplier)
    return shift < 0 ? unshifted << UInt64(-Int(shift)) : unshifted >> UInt64(shift)
  }

  func time(at timeStamp: UInt64) -> UInt64 {
    var delta = timeStamp &- tscTimeStamp
    delta = shift < 0 ? delta >> UInt64(-Int(shift)) : delta << UInt64(shift)
    let product = delta.multipliedFullWidth(by: UInt64(multiplier))
    return systemTime &+ (product.high << 32 | product.low >> 32)
  }
}
