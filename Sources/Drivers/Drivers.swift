// Drivers: the machine's devices as Swift objects. Nothing here knows what the Linux personality makes of them: a driver
// calls closures that Boot connects, and is reached through protocols of Kernel where there is one.
//
// - `InterruptController` with `LocalAPIC` and `IOAPIC`: interrupt lines and messages to vectors, the one-shot timer.
// - `TimeStampCalibration`, `RealTimeClock`: what the clock is set from.
// - `Serial16550`, `PowerControl`: the console and the way out.
// - `PCIBus`, `VirtioTransport`, `SplitVirtqueue`: device discovery and the rings; `VirtioEntropy` is the first user.
//
// Registers are reached through Platform's `Ports` and `DeviceMemory`, so nothing here is unsafe. What a device says is
// input like any other: it is checked, and a lie becomes an error, never a trap.
