#!/usr/bin/env python3
"""Kills QEMU with -9 while a guest writes to a share, and looks whether what fsync(2) promised is there.

The program `fsyncer` writes records to files of the share, each with its number and a checksum. After each fsync it says
on the console which records are safe. QEMU is killed at a time of chance; then every record that was said to be safe must
be in its file, whole. A write that was under way may be there or not.

    Tests/Faults/kill9.py [--rounds N] [--seed N]

Ends with `N passed, N failed`.
"""

import argparse
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zlib

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
IMAGE = os.path.join(TOP, "build/elfloader_qemu-x86_64")
PROGRAM = os.path.join(TOP, "build/tests/fsyncer.musl")
# As in fsyncer.c.
FILES = 4
RECORD = 4096 + 100


def check(directory, safe):
    """The faults of what is in the directory: `safe` has the number of records of each file that must be there."""
    faults = []
    for file, count in sorted(safe.items()):
        try:
            with open(os.path.join(directory, f"file{file}"), "rb") as stream:
                content = stream.read()
        except OSError as error:
            faults.append(f"file{file}: {error.strerror}, with {count} records safe")
            continue
        if len(content) < count * RECORD:
            faults.append(f"file{file}: {len(content)} bytes, with {count} records safe")
            continue
        for index in range(count):
            record = content[index * RECORD : (index + 1) * RECORD]
            number = int.from_bytes(record[0:4], "little")
            checksum = int.from_bytes(record[4:8], "little")
            if number != index or checksum != zlib.crc32(record[8:]):
                faults.append(f"file{file}: record {index} of {count} that are safe is not whole")
                break
    return faults


def round_trip(directory, delay):
    """Runs a guest and kills it `delay` seconds after its first promise; returns what it promised."""
    command = [
        "qemu-system-x86_64", "-accel", "tcg", "-M", "microvm,acpi=off,rtc=on", "-cpu", "max", "-m", "64", "-display", "none",
        "-nodefaults", "-no-reboot", "-no-user-config", "-serial", "stdio", "-kernel", IMAGE,
        "-fsdev", f"local,id=fs0,path={directory},security_model=none,multidevs=remap",
        "-device", "virtio-9p-device,fsdev=fs0,mount_tag=fs0",
        "-append", "console.stdout=pipe banner=off -- /fsyncer /data",
    ]
    guest = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    os.set_blocking(guest.stdout.fileno(), False)
    output = b""
    deadline = time.monotonic() + 60
    kill_at = None
    while kill_at is None or time.monotonic() < kill_at:
        piece = guest.stdout.read()
        if piece:
            output += piece
        if kill_at is None and b"safe " in output:
            kill_at = time.monotonic() + delay
        if guest.poll() is not None or time.monotonic() > deadline:
            break
        time.sleep(0.001)
    guest.send_signal(signal.SIGKILL)
    os.set_blocking(guest.stdout.fileno(), True)
    output += guest.stdout.read() or b""
    guest.wait()
    safe = {}
    # The last line may be cut.
    for match in re.finditer(rb"safe (\d+) (\d+)\r?\n", output):
        safe[int(match[1])] = int(match[2])
    return safe, output


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    chance = random.Random(arguments.seed)
    passed = failed = 0
    for number in range(arguments.rounds):
        with tempfile.TemporaryDirectory(prefix="kill9-") as share:
            os.mkdir(os.path.join(share, "data"))
            shutil.copy(PROGRAM, os.path.join(share, "fsyncer"))
            safe, output = round_trip(share, chance.uniform(0.01, 1.0))
            faults = check(os.path.join(share, "data"), safe)
            if not safe:
                faults.append("no promise: " + output.decode(errors="replace")[-300:])
        for fault in faults:
            print(f"round {number}: {fault}")
        if faults:
            failed += 1
        else:
            passed += 1
    print(f"{passed} passed, {failed} failed")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
