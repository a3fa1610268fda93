//===----------------------------------------------------------------------===//
// GuestRunner: runs a kernel under QEMU as if it were a program of the host.
//
// `GuestOptions` says what is wanted, `QEMUCommand` turns it into QEMU's arguments, `KernelLine` into the kernel's
// command line, `GuestProcess` runs QEMU and `GuestOutcome` reads how the guest's program ended. `InputEncoder`
// carries an input that is no terminal's, `MachineMonitor` speaks QMP.
//
// What the guest is told and tells (a contract with the kernel's console and power-off):
// - `console.stdout=pipe banner=off` on the kernel's command line when the output is no terminal;
// - `console.stdin=pipe` when the input is no terminal: the serial line then carries 0x10 0x10 for the byte 0x10,
//   and 0x10 0x04 for the end of the input;
// - a line `exit=N`, `signal=N`, `panic` or `reset` written to port 0x502, and any write to port 0x501, which ends
//   QEMU. QEMU's own exit status has seven bits to carry, too few for a program's.
//
// Neighbours: `HostSystem` below; the executable `QemuGuest` above.
//===----------------------------------------------------------------------===//
internal import HostSystem

/// The exit status for all that is not the guest program's own end (as with `docker run`).
public let runnerFailureStatus: Int32 = 125

/// Does what `options` ask for.
///
/// - Returns: the exit status: the program's own, 128 + n after a death by signal n, or 125 with a message on
///   standard error.
public func runGuest(_ options: GuestOptions) -> Int32 {
  do {
    try options.validate()
    if options.isDryRun {
      let host = QEMUCommand.Host(
        qemu: try locateQEMU(options), isKVMUsable: isKVMUsable(), isInputTerminal: Descriptor.standardInput.isTerminal,
        isOutputTerminal: Descriptor.standardOutput.isTerminal)
      let command = try QEMUCommand(options, host, .dryRun)
      try printLine(command.arguments.map(shellQuoted).joined(separator: " "))
      return 0
    }
    try options.checkFiles()
    try options.checkMemory()
    return try GuestProcess(options).run()
  } catch {
    printError("qemu-guest: \(error)")
    return runnerFailureStatus
  }
}

/// Finds the QEMU to run.
func locateQEMU(_ options: GuestOptions) throws -> String {
  let name = options.qemu ?? "qemu-system-x86_64"
  guard let path = findProgram(Path(name)) else {
    throw ToolError("\(name) was not found; install QEMU (Debian: qemu-system-x86) or name it with -Q")
  }
  return path.description
}
