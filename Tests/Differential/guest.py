"""Runs one case in the guest: packs its root into an initrd and boots it with support/qemu-guest.

The files that a program leaves come out through a debug console: the kernel parameter `vfs.export` makes the kernel
write subtrees as a newc archive to EXPORT_PORT when the program has ended.
"""

import gzip
import os
import subprocess
import sys

import newc
from cases import REPOSITORY
from execution import Outcome, run_either

KERNEL = os.path.join(REPOSITORY, "build/elfloader_qemu-x86_64")
QEMU_GUEST = os.path.join(REPOSITORY, "support/qemu-guest")
MKINITRD = os.path.join(REPOSITORY, "support/mkinitrd")

EXPORT_PORT = 0x503

#: Characters that need no quotes in the kernel's command line.
PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=./:,%@^~?*")

MACHINES = {"pc": "x86pc", "q35": "x86q35", "microvm": "microvm"}


def require():
    """Ends the run when what it needs has not been built."""
    for needed in (KERNEL, QEMU_GUEST, MKINITRD):
        if not os.path.exists(needed):
            sys.exit(f"{os.path.relpath(needed, REPOSITORY)} is missing; build it first")


def quoted(word):
    """Returns `word` as one token of the kernel's command line, see docs on libparam's grammar."""
    if word and all(character in PLAIN for character in word) and word != "--":
        return word
    if "'" not in word:
        return f"'{word}'"
    return '"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"'


def command_line(case, shared=False):
    """Returns the kernel's command line for a case; qemu-guest adds that the streams are pipes."""
    words = (["banner=off"] if case.terminal is not None else []) + case.parameters
    if case.export and not shared:
        words.append("vfs.export=[ " + " ".join(quoted(path) for path in case.export) + " ]")
    environment = " ".join(quoted(f"{name}={value}") for name, value in case.environment.items())
    words.append(f"env.vars=[ {environment} ]")
    words.append("--")
    words += [quoted(word) for word in case.command]
    return " ".join(words)


def archive_by_cpio(root, subtrees):
    """Returns the archive that GNU cpio makes of the subtrees, which are relative to `root`."""
    names = subprocess.run(["find", *subtrees, "-print0"], cwd=root, check=False, capture_output=True).stdout
    return subprocess.run(["cpio", "-0", "-o", "-H", "newc", "--quiet"], cwd=root, input=names, check=True,
                          capture_output=True).stdout


def pack(root, initrd, form):
    """Makes the initrd of a root directory, in one of the forms that a case may ask for."""
    if form.startswith("mkinitrd"):
        target = initrd + ".gz" if form.endswith(".gz") else initrd
        subprocess.run([MKINITRD, "-o", target, root], check=True, stdout=subprocess.DEVNULL)
        return target
    archive = archive_by_cpio(root, ["."])
    with open(initrd, "wb") as file:
        file.write(gzip.compress(archive, 1) if form.endswith(".gz") else archive)
    return initrd


def qemu_arguments(case, root, export, shared=False):
    """Returns the qemu-guest command for a case, whose root is an initrd or a directory to share."""
    arguments = [QEMU_GUEST, "-W", *(["-C"] if case.terminal is not None else []), "-t", MACHINES[case.machine],
                 "-k", KERNEL, "-e" if shared else "-i", root, "-m", str(case.memory),
                 "-a", command_line(case, shared), "--"]
    if case.export and not shared:
        arguments += ["-chardev", f"file,id=export,path={export}",
                      "-device", f"isa-debugcon,iobase={EXPORT_PORT:#x},chardev=export"]
    if case.cpu:
        arguments += ["-cpu", case.cpu]
    return arguments


def run(case, scratch, root, stdin, shared=False):
    """Boots the guest with `stdin` as its input and returns its Outcome.

    Of a shared root the Outcome has no files: the caller finds them where they were.
    """
    export = f"{scratch}/export.cpio"
    place = root if shared else pack(root, f"{scratch}/initrd.cpio", case.initrd)
    output, status, seconds = run_either(qemu_arguments(case, place, export, shared), case, stdin)
    if status is None:
        return Outcome(output, None, {}, seconds, f"no end after {case.timeout} s")
    tree, trouble = {}, ""
    if case.export and not shared:
        try:
            tree = newc.read_archive(_read(export))
        except newc.FormatError as error:
            trouble = f"the exported files: {error}"
    return Outcome(output, status, tree, seconds, trouble)


def _read(path):
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return b""
