"""Boot: the time until a program's line is read, where it goes inside our kernel, and the least memory that works."""

import re
import statistics
from dataclasses import replace

LINE = b"hello"
TIMES = re.compile(rb"boot: .*ms")
STAGE = re.compile(r"(\S.*?) (\d+\.\d+) ms(?:, )?")
TIMEOUT = {"ours": 60, "linux": 180, "floor": 60}
#: Seconds after which a guest with little memory is taken to hang.
MEMORY_TIMEOUT = {"ours": 20, "linux": 90}


def starting(guest, program):
    """Returns the guest with `program` as its first process. Linux then needs no init, which would only cost time."""
    return replace(guest, program=program, parameters=f"rdinit={program}" if guest.kernel.name == "linux" else "")


def milliseconds(guest):
    """Returns the time from QEMU's start until the line is read, or why there is none."""
    result = guest.run(TIMEOUT[guest.kernel.name], LINE)
    return (result.seconds * 1000, "") if result.seconds is not None else (None, result.explanation())


def stages(output):
    """Returns {stage: milliseconds} as `boot.times` makes our kernel print it."""
    found = TIMES.search(output)
    text = found.group().decode().removeprefix("boot: ") if found else ""
    return {stage: float(value) for stage, value in STAGE.findall(text)}


def split(guest, runs):
    """Returns {stage: median milliseconds} of our kernel, from its entry to the program's first instruction."""
    samples = {}
    for _ in range(runs):
        result = replace(guest, parameters="boot.times").run(TIMEOUT["ours"], LINE)
        for stage, value in stages(result.output).items():
            samples.setdefault(stage, []).append(value)
    return {stage: statistics.median(values) for stage, values in samples.items()}


def smallest(works, most):
    """Returns the least size from 1 to `most` for which `works` is true; it is for `most`."""
    low, high = 0, most
    while high - low > 1:
        middle = (low + high) // 2
        if works(middle):
            high = middle
        else:
            low = middle
    return high


def smallest_memory(guest, most):
    """Returns the least whole MiB with which the program prints its line, or why it does not even with `most`."""

    def attempt(mebibytes):
        return replace(guest, memory=f"{mebibytes}M").run(MEMORY_TIMEOUT[guest.kernel.name], LINE)

    result = attempt(most)
    if result.seconds is None:
        return None, result.explanation()
    return smallest(lambda mebibytes: attempt(mebibytes).seconds is not None, most), ""
