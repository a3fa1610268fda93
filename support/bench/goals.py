"""The goals: which lines are measured, in which unit, and what each has to reach. Change a goal here and nowhere else.

A goal judges a measurement by what was measured beside it: the Linux guest, or the stub kernel that is the floor of
the boot rows. Each has a text for the table and the JSON file, and says whether more is better (`at_least`).
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Ratio:
    """A bound on ours / linux."""

    bound: float
    at_least: bool = False

    def text(self):
        return f"{'at least' if self.at_least else 'at most'} {self.bound:g} of Linux"

    def met(self, ours, linux, floor):
        if linux is None:
            return None
        return ours >= self.bound * linux if self.at_least else ours <= self.bound * linux


@dataclass(frozen=True)
class Floor:
    """A bound of factor * floor + plus, in the line's unit."""

    factor: float = 1
    plus: float = 0
    at_least = False

    def text(self):
        factor = "" if self.factor == 1 else f"{self.factor:g} x "
        return f"at most {factor}floor" + (f" + {self.plus:g}" if self.plus else "")

    def met(self, ours, linux, floor):
        return None if floor is None else ours <= self.factor * floor + self.plus


@dataclass(frozen=True)
class AtMost:
    """A bound that does not depend on the run."""

    bound: float
    at_least = False

    def text(self):
        return f"at most {self.bound:,g}" if self.bound < 1e6 else f"at most {self.bound:,.0f}"

    def met(self, ours, linux, floor):
        return ours <= self.bound


#: The lines of microbench.c with their units, as it prints them. Its remaining lines (cpu, memcpy) measure the machine.
MICROBENCH = {
    "getppid": ("ns/op", Ratio(0.50)),
    "clock_gettime (libc)": ("ns/op", Ratio(1.00)),
    "sched_yield": ("ns/op", Ratio(0.45)),
    "write 1B /dev/null": ("ns/op", Ratio(0.50)),
    "read 4K /dev/zero": ("ns/op", Ratio(0.40)),
    "stat /": ("ns/op", Ratio(0.25)),
    "file write 64K seq": ("MB/s", Ratio(5, at_least=True)),
    "file read 64K seq": ("MB/s", Ratio(4, at_least=True)),
    "pread 4K": ("ns/op", Ratio(0.30)),
    "fstat": ("ns/op", Ratio(0.12)),
    "file mmap fault": ("ns/page", Ratio(0.085)),
    "open+close": ("ns/op", Ratio(0.35)),
    "create+unlink": ("ns/op", Ratio(0.30)),
    "mmap+munmap 64K": ("ns/op", Ratio(0.20)),
    "anon page fault": ("ns/page", Ratio(0.20)),
    "pthread create+join": ("ns/op", Ratio(0.30)),
    "pipe round trip": ("ns/op", Ratio(0.45)),
    "condvar round trip": ("ns/op", Ratio(0.50)),
    "unix socketpair 1B": ("ns/op", Ratio(0.50)),
    "epoll_wait timeout 0": ("ns/op", Ratio(0.75)),
    "fork+exit+wait": ("ns/op", Ratio(0.25)),
}

#: The lines of processbench.c.
PROCESSBENCH = {
    "vfork+exec static": ("us/op", Ratio(0.50)),
    "posix_spawn dynamic": ("us/op", Ratio(0.50)),
    "fork, 500 MB resident": ("us/op", Ratio(0.50)),
    "process switch": ("ns/op", Ratio(0.50)),
    "signal and return": ("ns/op", Ratio(0.50)),
    "futex wake to wake": ("ns/op", Ratio(0.50)),
    "fault storm, 8 threads": ("ns/page", Ratio(0.50)),
    "tcp connect+close": ("us/op", Ratio(0.50)),
    "tcp round trip": ("ns/op", Ratio(0.50)),
    "tcp stream": ("MB/s", Ratio(1.8, at_least=True)),
    "shell loop of 500 true": ("ms", Ratio(0.50)),
    "make -j2 of a project": ("ms", Ratio(0.50)),
}

#: The lines of sharebench.c, beside a Linux guest that mounts the same share with its default cache, and (second goal)
#: with cache=loose.
SHAREBENCH = {
    "9p stat": ("us/op", Ratio(0.30), None),
    "9p fstat": ("us/op", Ratio(0.02), None),
    "9p open+close": ("us/op", Ratio(0.35), None),
    "9p create+unlink": ("us/op", Ratio(0.50), None),
    "9p pread 4K": ("us/op", Ratio(0.03), None),
    "9p write 64K": ("MB/s", Ratio(2, at_least=True), None),
    "9p read 64K": ("MB/s", Ratio(3, at_least=True), None),
    "9p mmap fault": ("us/page", Ratio(0.02), None),
    "9p find, cold": ("ms", Ratio(0.50), Ratio(0.50)),
    "9p find, warm": ("ms", Ratio(0.50), Ratio(0.50)),
    "9p python3, cold": ("ms", Ratio(0.50), Ratio(0.50)),
    "9p python3, warm": ("ms", Ratio(0.50), Ratio(0.50)),
    "9p random 4K, depth 1": ("us/op", Ratio(0.50), Ratio(0.50)),
    "9p random 4K, depth 16": ("us/op", Ratio(0.50), Ratio(0.50)),
    "9p git status, cold": ("ms", Ratio(0.50), Ratio(0.50)),
    "9p git status, warm": ("ms", Ratio(0.50), Ratio(0.50)),
    "9p tar of 500 MB": ("ms", Ratio(0.50), Ratio(0.50)),
    "9p grep -r over 500 MB": ("ms", Ratio(0.50), Ratio(0.50)),
    "9p sqlite insert": ("ms", Ratio(0.50), Ratio(0.50)),
    "9p sqlite query": ("ms", Ratio(0.50), Ratio(0.50)),
}

#: Lines of sharebench.c that run only when they are asked for are in groups, named by the second word; the rest is "files".
SHAREBENCH_GROUPS = ("find", "python3", "random", "git", "tar", "grep", "sqlite")

#: QEMU's start until the line "hello" is read: (machine, program) to the goal, in milliseconds.
BOOT = {
    ("microvm", "hello-static"): Floor(factor=2),
    ("pc", "hello-static"): Floor(plus=40),
    ("microvm", "hello-dynamic"): Floor(factor=3),
}

#: Bytes of the image and of the image compressed, (without, with) network and disks.
IMAGE_SIZE = (AtMost(450_000), AtMost(900_000))
COMPRESSED_SIZE = (AtMost(180_000), AtMost(350_000))

#: MiB, static hello on pc.
SMALLEST_MEMORY = AtMost(5)
