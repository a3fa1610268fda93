"""Runs one case in the guest: packs its root into an initrd and boots it with support/qemu-guest.

Three debug channels beside the console keep what the program prints apart from what the kernel says:
`vfs.export` makes the kernel write subtrees as a newc archive to the debug console at EXPORT_PORT when the program
has ended, and `log.target=debugcon` sends the kernel's own messages to the debug console at LOG_PORT.
"""

import os
import signal
import subprocess
import time

import newc
from cases import REPOSITORY

KERNEL = os.path.join(REPOSITORY, "build/elfloader_qemu-x86_64")
QEMU_GUEST = os.path.join(REPOSITORY, "support/qemu-guest")
MKINITRD = os.path.join(REPOSITORY, "support/mkinitrd")

EXPORT_PORT = 0x503
LOG_PORT = 0xE9

#: Characters that need no quotes in the kernel's command line.
PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=./:,%@^~?*")

MACHINES = {"pc": "x86pc", "q35": "x86q35", "microvm": "microvm"}


def quoted(word):
    """Returns `word` as one token of the kernel's command line, see docs on libparam's grammar."""
    if word and all(character in PLAIN for character in word) and word != "--":
        return word
    if "'" not in word:
        return f"'{word}'"
    return '"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"'


def command_line(case, stdin):
    """Returns the kernel's command line for a case."""
    words = ["log.target=debugcon", "console.tty=off", f"vfs.stdin={quoted(stdin)}"]
    if case.export:
        words.append("vfs.export=[ " + " ".join(quoted(path) for path in case.export) + " ]")
    environment = " ".join(quoted(f"{name}={value}") for name, value in case.environment.items())
    words.append(f"env.vars=[ {environment} ]")
    words += case.parameters
    words.append("--")
    words += [quoted(word) for word in case.command]
    return " ".join(words)


class Outcome:
    """What a run left: output bytes, exit status, files, and how long it took."""

    def __init__(self, output, status, tree, seconds, trouble="", log=b""):
        self.output, self.status, self.tree, self.seconds = output, status, tree, seconds
        self.trouble, self.log = trouble, log


def run_bounded(arguments, timeout, stdin=subprocess.DEVNULL):
    """Runs a command in a session of its own; returns (output, status or None on a time-out, seconds)."""
    start = time.monotonic()
    process = subprocess.Popen(arguments, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               start_new_session=True)
    try:
        output, _ = process.communicate(timeout=timeout)
        status = process.returncode
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        output, _ = process.communicate()
        status = None
    if status is not None and status < 0:
        status = 128 - status
    return output, status, time.monotonic() - start


def pack(root, initrd):
    """Makes the initrd of a root directory."""
    subprocess.run([MKINITRD, "-o", initrd, root], check=True, stdout=subprocess.DEVNULL)


def qemu_arguments(case, initrd, line, export, log):
    """Returns the qemu-guest command for a case."""
    arguments = [QEMU_GUEST, "-W", "-t", MACHINES[case.machine], "-k", KERNEL, "-i", initrd, "-m", str(case.memory),
                 "-a", line, "--", "-chardev", f"file,id=log,path={log}",
                 "-device", f"isa-debugcon,iobase={LOG_PORT:#x},chardev=log"]
    if case.export:
        arguments += ["-chardev", f"file,id=export,path={export}",
                      "-device", f"isa-debugcon,iobase={EXPORT_PORT:#x},chardev=export"]
    if case.cpu:
        arguments += ["-cpu", case.cpu]
    return arguments


def run(case, scratch, root, stdin):
    """Boots the guest and returns its Outcome."""
    initrd, export, log = (f"{scratch}/{name}" for name in ("initrd.cpio", "export.cpio", "log"))
    pack(root, initrd)
    arguments = qemu_arguments(case, initrd, command_line(case, stdin), export, log)
    output, status, seconds = run_bounded(arguments, case.timeout)
    messages = _read(log)
    if status is None:
        return Outcome(output, None, {}, seconds, f"no end after {case.timeout} s", messages)
    tree, trouble = {}, ""
    if case.export:
        try:
            tree = newc.read_archive(_read(export))
        except newc.FormatError as error:
            trouble = f"the exported files: {error}"
    return Outcome(output, status, tree, seconds, trouble, messages)


def _read(path):
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return b""
