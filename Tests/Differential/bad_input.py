#!/usr/bin/python3
"""Boots the guest with bad input: malformed programs, archives and parameters, and too little memory.

Each case of a list (Tests/Guest/bad-input.toml) must end by itself, with a message that matches and with a status
that is not zero, or with the status that the case names. A case may stand for many boots (`truncate_each`).
"""

import argparse
import concurrent.futures
import os
import re
import struct
import sys
import tempfile
import time
import tomllib
import zlib

sys.dont_write_bytecode = True

import guest
from cases import REPOSITORY
from execution import run_bounded
from newc import MAGIC, TRAILER

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = REPOSITORY

#: Field → (offset, struct format) in the ELF header and in a program header, see elf(5).
HEADER = {
    "ei_class": (4, "B"), "ei_data": (5, "B"), "ei_version": (6, "B"), "ei_osabi": (7, "B"), "e_type": (16, "H"),
    "e_machine": (18, "H"), "e_version": (20, "I"), "e_entry": (24, "Q"), "e_phoff": (32, "Q"), "e_shoff": (40, "Q"),
    "e_flags": (48, "I"), "e_ehsize": (52, "H"), "e_phentsize": (54, "H"), "e_phnum": (56, "H"),
    "e_shentsize": (58, "H"), "e_shnum": (60, "H"), "e_shstrndx": (62, "H"), "magic": (0, "I"),
}
PROGRAM_HEADER = {
    "p_type": (0, "I"), "p_flags": (4, "I"), "p_offset": (8, "Q"), "p_vaddr": (16, "Q"), "p_paddr": (24, "Q"),
    "p_filesz": (32, "Q"), "p_memsz": (40, "Q"), "p_align": (48, "Q"),
}
TYPES = {"LOAD": 1, "DYNAMIC": 2, "INTERP": 3, "PHDR": 6, "TLS": 7, "GNU_STACK": 0x6474E551, "GNU_PROPERTY": 0x6474E553}

#: A file's place in a newc header: 6 bytes of magic, then 13 fields of 8 hexadecimal digits.
ARCHIVE_FIELDS = ("inode", "mode", "uid", "gid", "links", "mtime", "size", "major", "minor", "rmajor", "rminor",
                  "name_size", "check")

#: What no run may print: the kernel itself must not have failed.
FAILURES = re.compile(rb"(?i)kernel panic|fatal error|triple fault")


def entry(name, content=b"", mode=0o100755, **fields):
    """Returns one member of a newc archive. `fields` replace what the header would say."""
    values = {"inode": zlib.crc32(name), "mode": mode, "links": 1, "size": len(content),
              "name_size": len(name) + 1, **fields}
    header = MAGIC + b"".join(b"%08X" % (values.get(field, 0) & 0xFFFFFFFF) for field in ARCHIVE_FIELDS)
    data = header + name + b"\0"
    data += b"\0" * (-len(data) % 4)
    return data + content + b"\0" * (-len(content) % 4)


def patched(data, case):
    """Applies a case's changes to the program's bytes."""
    data = bytearray(data)
    for field, value in case.get("header", {}).items():
        offset, form = HEADER[field]
        struct.pack_into("<" + form, data, offset, value)
    table, = struct.unpack_from("<Q", data, 32)
    count, = struct.unpack_from("<H", data, 56)
    for change in case.get("segment", ()):
        wanted, nth = TYPES[change["type"]], change.get("nth", 0)
        matching = [i for i in range(count) if struct.unpack_from("<I", data, table + 56 * i)[0] == wanted]
        offset = table + 56 * matching[nth]
        for field, value in change.items():
            if field in PROGRAM_HEADER:
                at, form = PROGRAM_HEADER[field]
                old, = struct.unpack_from("<" + form, data, offset + at)
                new = old + int(value) if isinstance(value, str) else value  # "+1" and "-1" are relative
                struct.pack_into("<" + form, data, offset + at, new & (2 ** (8 * struct.calcsize(form)) - 1))
    for change in case.get("replace", ()):
        old, new = change["old"].encode(), change["new"].encode()
        at = data.index(old)
        data[at : at + len(old)] = new.ljust(len(old), b"\0")
    return bytes(data[: case["truncate"]] if "truncate" in case else data)


def program(case):
    """Returns the bytes of /bin/prog."""
    if "text" in case:
        return case["text"].encode()
    with open(os.path.join(TOP, case.get("base", "build/tests/hello.static")), "rb") as file:
        return patched(file.read(), case)


def archive(case):
    """Returns the initrd of a case."""
    members = [entry(b"bin", mode=0o040755), entry(b"etc", mode=0o040755)]
    if case.get("directory"):
        members.append(entry(b"bin/prog", mode=0o040755))
    elif not case.get("missing"):
        members.append(entry(b"bin/prog", program(case), 0o100000 | case.get("mode", 0o755)))
    for path, text in case.get("files", {}).items():
        members.append(entry(path.encode(), text.encode() if isinstance(text, str) else bytes(text["zeros"])))
    for path, source in case.get("copies", {}).items():
        with open(source, "rb") as file:
            members.append(entry(path.encode(), file.read()))
    for member in case.get("members", ()):
        fields = {field: value for field, value in member.items() if field in ARCHIVE_FIELDS and field != "mode"}
        members.append(entry(member["name"].encode(), member.get("text", "").encode(),
                             member.get("mode", 0o100644), **fields))
    members.append(entry(TRAILER, mode=0))
    data = bytearray(b"".join(members))
    for change in case.get("archive_bytes", ()):
        data[change["at"] : change["at"] + len(change["text"])] = change["text"].encode()
    if "archive_truncate" in case:
        data = data[: case["archive_truncate"]]
    return bytes(data)


def expanded(case):
    """Yields the single boots that a case stands for, each with a label."""
    for key, single in (("truncate_each", "truncate"), ("archive_truncate_each", "archive_truncate")):
        if key in case:
            first, last, step = case[key]
            for length in range(first, last, step):
                yield f"cut at {length}", {**case, single: length}
            return
    if "each_header" in case:
        field, values = case["each_header"]["field"], case["each_header"]["values"]
        for value in values:
            yield f"{field} = {value:#x}", {**case, "header": {**case.get("header", {}), field: value}}
        return
    if "lines" in case:
        for line in case["lines"]:
            yield line, {**case, "line": line}
        return
    yield "", case


def boot(case, scratch):
    """Boots one case; returns what is wrong with the outcome, or None."""
    with tempfile.TemporaryDirectory(dir=scratch) as directory:
        initrd = f"{directory}/initrd.cpio"
        with open(initrd, "wb") as file:
            file.write(archive(case))
        arguments = [guest.QEMU_GUEST, "-W", "-t", guest.MACHINES[case.get("machine", "microvm")], "-k", guest.KERNEL,
                     "-m", str(case.get("memory", 32)), "-a", case.get("line", "-- /bin/prog")]
        if not case.get("no_initrd"):
            arguments += ["-i", initrd]
        output, status, _ = run_bounded(arguments, case.get("timeout", 20))
    shown = output.decode(errors="backslashreplace").strip()[-600:]
    if status is None:
        return f"no end after {case.get('timeout', 20)} s; it printed: {shown}"
    if FAILURES.search(output):
        return f"the kernel failed: {shown}"
    if "status" in case:
        if status != case["status"]:
            return f"status {status}, not {case['status']}; it printed: {shown}"
    elif status == 0:
        return f"status 0; it printed: {shown}"
    for pattern in case.get("message", ()):
        if not re.search(pattern.encode(), output, re.MULTILINE):
            return f"no message that matches {pattern!r} (status {status}); it printed: {shown}"
    return None


def main():
    """Runs the cases and prints one line for each; returns the exit status."""
    parser = argparse.ArgumentParser(description="Boot the guest with bad input.")
    parser.add_argument("--list", default=os.path.join(TOP, "Tests/Guest/bad-input.toml"))
    parser.add_argument("--filter", default="", metavar="RE")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--dry-run", action="store_true", help="make every input, boot none")
    options = parser.parse_args()
    with open(options.list, "rb") as file:
        document = tomllib.load(file)
    chosen = [{**document.get("defaults", {}), **case} for case in document["case"]
              if re.search(options.filter, case["name"])]
    if not options.dry_run:
        guest.require()
    scratch = os.path.join(TOP, "build/differential")
    os.makedirs(scratch, exist_ok=True)
    passed = failed = 0
    start = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(max(1, options.jobs)) as pool:
        for case in chosen:
            begun = time.monotonic()
            boots = list(expanded(case))
            if options.dry_run:
                found = [None for _, single in boots if archive(single) is not None]
            else:
                found = list(pool.map(lambda item: boot(item[1], scratch), boots))
            wrong = [(label, problem) for (label, _), problem in zip(boots, found) if problem]
            passed, failed = passed + (not wrong), failed + bool(wrong)
            print(f"{'FAIL' if wrong else 'ok  '} {case['name']:40} {len(boots):4} boots "
                  f"{time.monotonic() - begun:6.2f} s", flush=True)
            for label, problem in wrong[:5]:
                print(f"  {label + ': ' if label else ''}{problem}")
            if len(wrong) > 5:
                print(f"  and {len(wrong) - 5} more")
    print(f"{passed} passed, {failed} failed ({time.monotonic() - start:.0f} s)")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
