#!/usr/bin/env python3
"""Runs a guest on shares that are full, read-only, or changed on the host meanwhile, and compares what the program meets.

    Tests/Faults/shares.py

Needs the right to mount a tmpfs. Ends with `N passed, N failed`.
"""

import os
import shutil
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
IMAGE = os.path.join(TOP, "build/elfloader_qemu-x86_64")
PROGRAM = os.path.join(TOP, "build/tests/share-faults.musl")
REFUSED = ["open for writing", "create", "mkdir", "unlink", "rename", "chmod", "truncate"]
FULL = """fsync of what fits: ok
close of what fits: ok
fsync of too much: ENOSPC
close after that: ok
close of too much: ENOSPC
unlink: ok
fsync with room again: ok"""
READ_ONLY = "\n".join(["stat: ok", "read: ok"] + [f"{what}: EROFS" for what in REFUSED])
BEFORE = "mount: ok\n/mnt/file: before\n/mnt/gone: here\n/mnt/made: ENOENT\nnow\npread: ok\n"
NEW = "/mnt/file: afterwards\n/mnt/gone: ENOENT\n/mnt/made: made"
#: What each way to cache promises of what somebody else does on the host.
CHANGES = {
    # Everything is seen at once.
    "none": BEFORE + "open: afterwards\n" + NEW,
    # The next open sees what a file has; names that were there are kept, those that were missing are not.
    "close": BEFORE + "open: before\n/mnt/file: afterwards\n/mnt/gone: here\n/mnt/made: made",
    # What was seen stays.
    "loose": BEFORE + "open: before\n/mnt/file: before\n/mnt/gone: here\n/mnt/made: ENOENT",
}


def run(root, share, arguments, options="", change=None):
    """Runs the program to its end; calls `change` when it says "now", and tells it so. Returns what it printed."""
    os.makedirs(os.path.join(root, "mnt"), exist_ok=True)
    os.makedirs(os.path.join(root, "data"), exist_ok=True)
    shutil.copy(PROGRAM, os.path.join(root, "share-faults"))
    fstab = "" if change else 'vfs.fstab=[ "fs1:/data:9pfs:rw" ] '
    command = ["qemu-system-x86_64", "-accel", "tcg", "-cpu", "max", "-m", "64", "-display", "none", "-nodefaults",
               "-no-reboot", "-no-user-config", "-serial", "stdio", "-kernel", IMAGE,
               "-device", "isa-debug-exit,iobase=0x501,iosize=2",
               "-append", f"console.stdout=pipe banner=off {fstab}-- /share-faults {arguments}"]
    for number, (path, more) in enumerate(((root, ""), (share, options))):
        command += ["-fsdev", f"local,id=fs{number},path={path},security_model=none,multidevs=remap{more}",
                    "-device", f"virtio-9p-pci,fsdev=fs{number},mount_tag=fs{number}"]
    lines = []
    with subprocess.Popen(["timeout", "60", *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT) as guest:
        for line in guest.stdout:
            text = line.decode(errors="replace").rstrip("\r\n")
            if text:
                lines.append(text)
            if text == "now":
                change()
                guest.stdin.write(b"go\n")
                guest.stdin.flush()
    return lines


def put(share, name, content):
    with open(os.path.join(share, name), "w", encoding="ascii") as file:
        file.write(content)


def full(root, share):
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", share], check=True)
    try:
        lines = run(root, share, "full")
        for name, content in (("safe", b"s" * (1 << 20)), ("last", b"later")):
            with open(os.path.join(share, name), "rb") as file:
                if file.read() != content:
                    lines.append(f"{name} is not what was made safe")
    finally:
        subprocess.run(["umount", share], check=True)
    return lines, FULL


def read_only(root, share):
    put(share, "file", "content")
    return run(root, share, "read-only", ",readonly=on"), READ_ONLY


def changes(root, share, cache):
    put(share, "file", "before")
    put(share, "gone", "here")

    def change():
        put(share, "file", "afterwards")
        os.unlink(os.path.join(share, "gone"))
        put(share, "made", "made")

    # What the program is told is echoed.
    lines = run(root, share, f"changes cache={cache}", change=change)
    return [line for line in lines if line != "go"], CHANGES[cache]


def main():
    cases = [("full", full), ("read-only", read_only)]
    cases += [(f"cache={cache}", lambda root, share, cache=cache: changes(root, share, cache)) for cache in CHANGES]
    failed = 0
    for name, case in cases:
        with tempfile.TemporaryDirectory(prefix="shares-") as root, tempfile.TemporaryDirectory(prefix="shares-") as share:
            lines, expected = case(root, share)
        expected = expected.split("\n") + ["done"]
        if lines != expected:
            failed += 1
            print(f"{name}: expected\n  " + "\n  ".join(expected) + "\ngot\n  " + "\n  ".join(lines))
    print(f"{len(cases) - failed} passed, {failed} failed")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
