"""The guests: how each kernel is started, and two ways to run one, to its end or until a line appears.

All of them get the same QEMU options, so that a difference between two guests is the guests' own. QEMU is started
directly: a wrapper's own start-up time would count as the guest's.
"""

import os
import select
import subprocess
import time
from dataclasses import dataclass

MACHINES = {
    "pc": ["-machine", "pc"],
    "microvm": ["-machine", "microvm,pit=on,pic=on,rtc=on,isa-serial=on,acpi=off"],
}
#: Under nested KVMs QEMU may fail to set the register that arch-capabilities announces.
CPUS = {"tcg": "max", "kvm": "host,-arch-capabilities"}
EXIT_PORT = 0x501
#: The most that is kept of what a guest prints.
MOST_OUTPUT = 1 << 20
#: QEMU says this and then holds the guest for ever.
KVM_GAVE_UP = b"KVM internal error"


@dataclass(frozen=True)
class Kernel:
    """A kernel and what its command line has before `--`."""

    name: str
    path: str
    parameters: str
    #: Whether it runs programs. The stub does not.
    takes_initrd: bool = True


def ours(image):
    return Kernel("ours", image, "console.stdout=pipe banner=off")


def linux(image):
    # panic=-1 and -no-reboot: a kernel that gives up ends QEMU.
    return Kernel("linux", image, "console=ttyS0 quiet mitigations=off panic=-1")


def stub(image):
    return Kernel("floor", image, "", takes_initrd=False)


@dataclass(frozen=True)
class Result:
    """What came of a guest."""

    output: bytes
    #: Seconds from QEMU's start until the awaited line was read (or until the end, without one); None: it never came.
    seconds: float | None
    #: Why the guest failed, or an empty string.
    failure: str = ""

    def explanation(self):
        """Returns why the guest failed, with the last lines that it printed."""
        lines = self.output.decode(errors="replace").replace("\r", "").splitlines()
        return "\n".join([self.failure or "it ended", *lines[-6:]])


@dataclass(frozen=True)
class Guest:
    """A kernel on a machine with a program to run."""

    kernel: Kernel
    machine: str
    accelerator: str
    memory: str
    initrd: str | None = None
    #: The program and its arguments, one string.
    program: str = ""
    parameters: str = ""
    #: A folder of the host that the guest gets as the 9P share fs0.
    share: str | None = None

    def command(self):
        """Returns QEMU's command line."""
        line = f"{self.kernel.parameters} {self.parameters} -- {self.program}".strip()
        command = [
            os.environ.get("QEMU", "qemu-system-x86_64"), *MACHINES[self.machine], "-accel", self.accelerator, "-cpu",
            CPUS[self.accelerator], "-m", self.memory, "-nodefaults", "-no-user-config", "-no-reboot", "-vga", "none",
            "-display", "none", "-serial", "stdio", "-device", f"isa-debug-exit,iobase={EXIT_PORT:#x},iosize=2",
            "-kernel", self.kernel.path
        ]
        if self.kernel.takes_initrd:
            command += ["-initrd", self.initrd, "-append", line]
        if self.share:
            command += ["-fsdev", f"local,id=fs0,path={self.share},security_model=none,multidevs=remap",
                        "-device", "virtio-9p-pci,fsdev=fs0,mount_tag=fs0"]
        return command

    def run(self, timeout, line=None):
        """Runs the guest to its end, or until it has printed `line` (bytes, without its end) and then stops it."""
        start = time.monotonic()
        process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT)
        output = bytearray()
        seconds = None
        failure = ""
        has_ended = False
        try:
            while True:
                left = start + timeout - time.monotonic()
                if left <= 0 or not select.select([process.stdout], [], [], left)[0]:
                    failure = f"no end within {timeout:g} s"
                    break
                piece = os.read(process.stdout.fileno(), 65536)
                if not piece:
                    has_ended = True
                    break
                output += piece
                if line is not None and line in output.replace(b"\r", b"").split(b"\n")[:-1]:
                    seconds = time.monotonic() - start
                    break
                if KVM_GAVE_UP in output:
                    failure = "KVM could not run the guest"
                    break
                if len(output) > MOST_OUTPUT:
                    failure = "it prints without end"
                    break
        finally:
            if not has_ended:
                process.kill()
            process.stdout.close()
            status = process.wait()
        if line is None and not failure:
            seconds = time.monotonic() - start
            # isa-debug-exit ends QEMU with value << 1 | 1. QEMU's own errors end it with 1 too, so 1 proves nothing.
            if status != 1:
                failure = f"exit status {status >> 1}" if status > 0 and status & 1 else f"QEMU ended with {status}"
        elif seconds is None and not failure:
            failure = f"it ended without the line {line.decode()!r}"
        return Result(bytes(output), seconds, failure)
