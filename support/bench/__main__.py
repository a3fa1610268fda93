#!/usr/bin/python3
"""Measures the image beside a Linux guest: the same programs, the same QEMU, runs in turn, medians and ratios.

Prints a table and writes bench.json into the build folder. Ends with status 0 when everything could be measured whose
system calls the kernel has, whether or not the goals are met; with 1 when a guest failed; with 2 when the benchmarks
could not run at all. See docs/benchmarks.md.
"""

import argparse
import os
import re
import sys
from dataclasses import replace

sys.dont_write_bytecode = True

import boot
import goals
import guests
import microbench
import report
from artifacts import REPOSITORY, Artifacts, BenchError
from measurement import Measurement

#: The same for every guest.
MEMORY = "512M"
#: For processbench, which forks a process of 500 MB.
LARGE_MEMORY = "1G"
PROGRAM_TIMEOUT = 600
#: The most runs of what takes a minute.
LONG_RUNS = 3
#: How Linux mounts the share; its init takes this from the environment.
SHARE_OPTIONS = "SHARE=trans=virtio,version=9p2000.L,msize=512000"
#: With how much memory the search for the least starts, in MiB.
MOST_MEMORY = {"ours": 64, "linux": 256}
TITLES = {"hello-static": "static hello", "hello-dynamic": "dynamic hello"}


def parse_arguments():
    """Returns the parsed command line."""
    parser = argparse.ArgumentParser(prog="support/bench", description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=5, metavar="N", help="pairs of runs (default: %(default)s)")
    parser.add_argument("--only", type=re.compile, default=re.compile(""), metavar="RE",
                        help="only the lines in which this regular expression is found")
    parser.add_argument("--accel", choices=sorted(guests.CPUS), default="tcg", help="default: %(default)s")
    parser.add_argument("--program", choices=["static", "dynamic"], default="static",
                        help="which microbench to run (default: %(default)s)")
    parser.add_argument("--share", action="store_true", help="also the lines of a 9P share: some twenty minutes more")
    parser.add_argument("--image", default=os.environ.get("IMAGE", "build/elfloader_qemu-x86_64"),
                        help="the image to measure (default: %(default)s)")
    parser.add_argument("--build", default=os.environ.get("O", "build"), metavar="DIR",
                        help="the build folder (default: %(default)s)")
    arguments = parser.parse_args()
    if arguments.runs < 1:
        parser.error("--runs: at least 1")
    return arguments


class Bench:
    """One call of the benchmarks."""

    def __init__(self, arguments):
        self.arguments = arguments
        self.artifacts = Artifacts(arguments.build)
        self.kernels = [guests.ours(arguments.image)]
        self.measurements = []
        self.splits = []
        self.has_failed = False

    def progress(self, text):
        """Says on standard error what is under way."""
        print(text, file=sys.stderr, flush=True)

    def wants(self, line):
        return self.arguments.only.search(line) is not None

    def measurement(self, line, unit, goal):
        """Returns a new line of the table."""
        self.measurements.append(Measurement(line, unit, goal))
        return self.measurements[-1]

    def guest(self, kernel, machine, memory, programs):
        initrd = self.artifacts.initrd(programs) if kernel.takes_initrd else None
        return guests.Guest(kernel, machine, self.arguments.accel, memory, initrd)

    def failed(self, measurement, side, reason):
        """Notes why a side has no figure; that is an error of the run."""
        measurement.missing[side] = reason
        self.has_failed = True

    def run_all(self):
        """Measures every line that is wanted."""
        self.kernels.append(guests.linux(self.artifacts.linux()))
        self.measure_microbench()
        self.measure_processes()
        if self.arguments.share:
            self.measure_share()
        self.measure_boot()
        self.measure_memory()
        self.measure_size()

    # MARK: Programs that print figures

    def measure_microbench(self):
        program = f"microbench-{self.arguments.program}"
        self.measure_program("microbench", goals.MICROBENCH, f"/bin/{program} /tmp", ("init", program), MEMORY)

    def measure_processes(self):
        self.measure_program("processbench", goals.PROCESSBENCH, "/bin/processbench",
                             ("init", "processbench", "nop-static", "nop-dynamic"), LARGE_MEMORY, LONG_RUNS)

    def measure_program(self, name, lines, command, programs, memory, most_runs=None):
        """Runs a program that prints figures in both guests, in turn, at most so many times."""
        measurements = {line: self.measurement(line, unit, goal)
                        for line, (unit, goal) in lines.items() if self.wants(line)}
        if not measurements:
            return
        pair = [replace(self.guest(kernel, "pc", memory, programs), program=command) for kernel in self.kernels]
        runs = min(self.arguments.runs, most_runs or self.arguments.runs)
        for number in range(runs):
            for guest in pair:
                self.progress(f"{name}, run {number + 1} of {runs}: {guest.kernel.name}")
                self.take_figures(name, guest, measurements)

    def measure_share(self):
        """Runs sharebench in our guest, in Linux with its default cache, and in Linux with cache=loose."""
        default, loose = {}, {}
        for line, (unit, goal, loose_goal) in goals.SHAREBENCH.items():
            if self.wants(line):
                default[line] = self.measurement(line, unit, goal)
                if loose_goal:
                    loose[line] = self.measurement(f"{line}, loose", unit, loose_goal)
        if not default:
            return
        name = "sharebench"
        words = {line.split()[1].rstrip(",") for line in default}
        groups = sorted({word if word in goals.SHAREBENCH_GROUPS else "files" for word in words})
        kernels = [self.kernels[0], guests.linux(self.artifacts.share_linux())]
        ours, linux = (replace(self.guest(kernel, "pc", MEMORY, ("init", name)), program=" ".join([f"/bin/{name}", *groups]),
                               share=self.artifacts.share()) for kernel in kernels)
        ours = replace(ours, parameters='vfs.fstab=[ "fs0:/share:9pfs:rw" ]')
        runs = min(self.arguments.runs, LONG_RUNS)
        for number in range(runs):
            for title, guest, sides in (
                ("ours", ours, [default, loose]),
                ("linux", replace(linux, parameters=SHARE_OPTIONS), [default]),
                ("linux, cache=loose", replace(linux, parameters=f"{SHARE_OPTIONS},cache=loose"), [loose]),
            ):
                self.progress(f"{name}, run {number + 1} of {runs}: {title}")
                self.take_figures(name, guest, *sides)

    def take_figures(self, name, guest, *tables):
        """Runs a program once and adds its figures to the measurements of each table."""
        result = guest.run(PROGRAM_TIMEOUT)
        for measurements in tables:
            self.note_figures(name, guest.kernel.name, result, measurements)

    def note_figures(self, name, side, result, measurements):
        """Adds the figures that a program has printed to the measurements."""
        figures, skipped = microbench.parse(result.output)
        is_complete = microbench.is_complete(result.output, name) and not result.failure
        for line, measurement in measurements.items():
            if line in figures:
                value, unit = figures[line]
                if unit != measurement.unit:
                    raise BenchError(f"{name} prints {line!r} in {unit}, expected {measurement.unit}")
                getattr(measurement, side).append(value)
            elif line in skipped:
                measurement.missing[side] = skipped[line]
            elif is_complete:
                measurement.missing[side] = f"{name} did not print it"
            else:
                self.failed(measurement, side, f"{name} did not come to its end: {result.explanation()}")
        if not is_complete:
            self.has_failed = True

    # MARK: Boot

    def measure_boot(self):
        for (machine, program), goal in goals.BOOT.items():
            line = f"{TITLES[program]}, {machine}"
            if not self.wants(line):
                continue
            measurement = self.measurement(line, "ms", goal)
            contenders = [boot.starting(self.guest(kernel, machine, MEMORY, (program,)), f"/bin/{program}")
                          for kernel in [*self.kernels, guests.stub(self.artifacts.stub())]]
            for number in range(self.arguments.runs):
                self.progress(f"{line}, run {number + 1} of {self.arguments.runs}")
                for guest in contenders:
                    value, reason = boot.milliseconds(guest)
                    if value is None:
                        self.failed(measurement, guest.kernel.name, reason)
                    else:
                        getattr(measurement, guest.kernel.name).append(value)
            self.splits.append((line, boot.split(contenders[0], self.arguments.runs)))

    def measure_memory(self):
        line = "smallest -m, static hello"
        if not self.wants(line):
            return
        measurement = self.measurement(line, "MiB", goals.SMALLEST_MEMORY)
        for kernel in self.kernels:
            self.progress(f"{line}: {kernel.name}")
            guest = boot.starting(self.guest(kernel, "pc", "64M", ("hello-static",)), "/bin/hello-static")
            value, reason = boot.smallest_memory(guest, MOST_MEMORY[kernel.name])
            if value is None:
                self.failed(measurement, kernel.name, reason)
            else:
                getattr(measurement, kernel.name).append(value)

    # MARK: Size

    def measure_size(self):
        has_network = self.is_configured("CONFIG_LIBLWIP")
        linux = self.kernels[1].path
        for line, path, budgets, other in (
            ("image", self.arguments.image, goals.IMAGE_SIZE, linux),
            # Linux's image is a compressed one.
            ("image, gz", self.arguments.image + ".gz", goals.COMPRESSED_SIZE, None),
        ):
            if not self.wants(line):
                continue
            measurement = self.measurement(line, "bytes", budgets[has_network])
            for side, file in (("ours", path), ("linux", other)):
                if file is None:
                    continue
                try:
                    getattr(measurement, side).append(os.path.getsize(file))
                except OSError as error:
                    self.failed(measurement, side, f"{file}: {error.strerror}")

    def is_configured(self, option):
        """Tells whether .config has an option."""
        try:
            with open(os.path.join(REPOSITORY, ".config"), encoding="utf-8") as file:
                return f"{option}=y\n" in file
        except FileNotFoundError:
            return False


def main():
    arguments = parse_arguments()
    try:
        if not os.path.exists(arguments.image):
            raise BenchError(f"{arguments.image} is missing; build it first")
        bench = Bench(arguments)
        bench.run_all()
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    report.print_table(bench.measurements)
    report.print_splits(bench.splits)
    report.print_missing(bench.measurements)
    path = os.path.join(arguments.build, "bench.json")
    report.write_json(path, bench.measurements)
    print(f"\n{path}")
    return 1 if bench.has_failed else 0


if __name__ == "__main__":
    sys.exit(main())
