"""Root directories for cases: only what a program needs, copied from the machine.

The closure of a program is the program, its interpreter, and the shared libraries that the interpreter would load,
found by reading the ELF files as ldd(1) would, without running anything.
"""

import base64
import glob
import hashlib
import os
import random
import shutil
import stat
import struct

PT_DYNAMIC, PT_INTERP = 2, 3
DT_NEEDED, DT_STRTAB, DT_RPATH, DT_RUNPATH = 1, 5, 15, 29
PT_LOAD = 1

#: Debian's merged /usr: these names are symbolic links, and programs reach their interpreter through them.
LINKS = {name: "usr/" + name for name in ("bin", "sbin", "lib", "lib64")}
DIRECTORIES = {"dev": 0o755, "proc": 0o755, "sys": 0o755, "etc": 0o755, "tmp": 0o1777, "work": 0o755, "usr": 0o755}
FILES = {
    "etc/passwd": b"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n",
    "etc/group": b"root:x:0:\nstaff:x:50:\nnogroup:x:65534:\n",
}

#: Every file of a case gets this modification time unless it says otherwise: 2023-11-14 22:13:20 UTC.
DEFAULT_TIME = 1_700_000_000


def elf_needs(path):
    """Returns (interpreter or None, needed names, run path) of an ELF file, or None if it is not one."""
    with open(path, "rb") as file:
        data = file.read()
    if data[:4] != b"\x7fELF" or data[4] != 2:
        return None
    offset, = struct.unpack_from("<Q", data, 32)
    size, count = struct.unpack_from("<HH", data, 54)
    interpreter, dynamic, loads = None, None, []
    for index in range(count):
        kind, _, start, address, _, length = struct.unpack_from("<IIQQQQ", data, offset + index * size)
        if kind == PT_INTERP:
            interpreter = data[start : start + length].rstrip(b"\0").decode()
        elif kind == PT_DYNAMIC:
            dynamic = (start, length)
        elif kind == PT_LOAD:
            loads.append((address, start, length))
    if dynamic is None:
        return interpreter, [], ""
    entries = [struct.unpack_from("<qQ", data, dynamic[0] + i) for i in range(0, dynamic[1], 16)]
    table = next((value for tag, value in entries if tag == DT_STRTAB), 0)
    base = next((start + table - address for address, start, length in loads if address <= table < address + length), 0)

    def text(value):
        return data[base + value : data.index(b"\0", base + value)].decode()

    run_path = ""
    needed = []
    for tag, value in entries:
        if tag == DT_NEEDED:
            needed.append(text(value))
        elif tag in (DT_RPATH, DT_RUNPATH):
            run_path = text(value)
    return interpreter, needed, run_path


def library_directories():
    """Returns the directories that the dynamic linker searches, from the machine's configuration."""
    found = []
    for name in sorted(glob.glob("/etc/ld.so.conf.d/*.conf")):
        with open(name, encoding="utf-8") as file:
            found += [line.strip() for line in file if line.strip().startswith("/")]
    return found + ["/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib", "/usr/lib", "/lib64", "/usr/lib64"]


class Closure:
    """The set of files that some programs need, each as an absolute path on the machine."""

    def __init__(self, provided=()):
        """Makes an empty closure; libraries named in `provided` come from elsewhere and are not looked for."""
        self.paths = set()
        self._names = set()
        self._provided = set(provided)
        self._search = library_directories()

    def add(self, path):
        """Adds a file, what its symbolic links go through, and what it needs to run. A missing file is left out."""
        path = os.path.normpath(path)
        # Resolve the directory (merged /usr) but keep a link in the last component: programs look at their own name.
        path = os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path))
        if path in self.paths or not os.path.lexists(path):
            return
        self.paths.add(path)
        self._names.add(os.path.basename(path))
        if os.path.islink(path):
            self.add(os.path.join(os.path.dirname(path), os.readlink(path)))
        elif os.path.isfile(path):
            self.add_needs(path)

    def add_needs(self, path):
        """Adds what a file needs, without the file: a script's interpreter, an ELF file's, its libraries."""
        with open(path, "rb") as file:
            first = file.read(256)
        if first.startswith(b"#!") and os.access(path, os.X_OK):
            self.add(first[2:].split(b"\n")[0].split()[0].decode())
            return
        needs = elf_needs(path)
        if needs is None:
            return
        interpreter, needed, run_path = needs
        if interpreter:
            self.add(interpreter)
        search = [entry.replace("$ORIGIN", os.path.dirname(path)) for entry in run_path.split(":") if entry]
        # musl's libc and its interpreter are one file under two names.
        provided = self._provided | ({"libc.so"} if interpreter and "ld-musl" in interpreter else set())
        for name in needed:
            # What was added before counts by its name, as what is loaded does: libjvm.so lies where nothing searches.
            if name in provided or name in self._names:
                continue
            found = next((f"{d}/{name}" for d in search + self._search if os.path.exists(f"{d}/{name}")), None)
            if found is None:
                raise FileNotFoundError(f"{path}: cannot find the shared library {name}")
            self.add(found)

    def add_glob(self, pattern, without=()):
        """Adds what matches `pattern` (`**` for any depth), except what contains one of `without`."""
        found = [path for path in glob.glob(pattern, recursive=True) if not any(part in path for part in without)]
        if not found:
            raise FileNotFoundError(f"no file matches {pattern}")
        for path in found:
            if os.path.isdir(path) and not os.path.islink(path):
                self.paths.add(os.path.realpath(path))
            else:
                self.add(path)


def copy_file(source, target):
    """Copies one file, link or directory with its mode and times; directories above the target are made."""
    os.makedirs(os.path.dirname(target), exist_ok=True)
    if os.path.isdir(source) and not os.path.islink(source):
        os.makedirs(target, exist_ok=True)
    else:
        shutil.copy2(source, target, follow_symlinks=False)


def build(root, closure):
    """Fills the new directory `root` with the base layout and the files of `closure`."""
    os.makedirs(root)
    for name, mode in DIRECTORIES.items():
        os.mkdir(f"{root}/{name}")
        os.chmod(f"{root}/{name}", mode)
    for name, target in LINKS.items():
        os.makedirs(f"{root}/{target}", exist_ok=True)
        os.symlink(target, f"{root}/{name}")
    for name, content in FILES.items():
        with open(f"{root}/{name}", "wb") as file:
            file.write(content)
        os.utime(f"{root}/{name}", (DEFAULT_TIME, DEFAULT_TIME))
    for path in sorted(closure.paths):
        copy_file(path, root + path)


def content_of(description):
    """Returns the bytes that a file description of a case list stands for."""
    if isinstance(description, str):
        return description.encode()
    if "text" in description:
        return description["text"].encode() * description.get("times", 1)
    if "base64" in description:
        return base64.b64decode(description["base64"])
    if "hex" in description:
        return bytes.fromhex(description["hex"]) * description.get("times", 1)
    if "random" in description:
        return random.Random(description.get("seed", 1)).randbytes(description["random"])
    if "numbers" in description:
        # A fixed permutation, so that there is something to sort.
        numbers = list(range(1, description["numbers"] + 1))
        random.Random(description.get("seed", 1)).shuffle(numbers)
        return "".join(f"{number}\n" for number in numbers).encode()
    if "words" in description:
        generator = random.Random(description.get("seed", 1))
        words = ("alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho sigma tau "
                 "upsilon phi chi psi omega").split()
        lines = (" ".join(generator.choices(words, k=8)) for _ in range(description["words"]))
        return "".join(line + "\n" for line in lines).encode()
    return b""


def make_file(root, path, description):
    """Makes one file of a case in `root`: see README.md for the forms of `description`."""
    target = root + path
    os.makedirs(os.path.dirname(target), exist_ok=True)
    form = description if isinstance(description, dict) else {}
    if "symlink" in form:
        os.symlink(form["symlink"], target)
    elif "hardlink" in form:
        os.link(root + form["hardlink"], target)
        return
    elif form.get("directory"):
        os.makedirs(target, exist_ok=True)
    elif form.get("fifo"):
        os.mkfifo(target)
    elif "copy" in form:
        shutil.copyfile(form["copy"], target)
    else:
        with open(target, "wb") as file:
            file.write(content_of(description))
    if "symlink" not in form:
        os.chmod(target, form.get("mode", 0o755 if form.get("directory") else 0o644))
        os.chown(target, form.get("uid", 0), form.get("gid", 0))
    moment = form.get("mtime", DEFAULT_TIME)
    os.utime(target, (moment, moment), follow_symlinks=False)


def settle_times(root, subtrees):
    """Gives every directory below `subtrees` the default time, as making the files has just changed it."""
    for subtree in subtrees:
        for directory, _, _ in os.walk(root + subtree):
            if not stat.S_ISLNK(os.lstat(directory).st_mode):
                os.utime(directory, (DEFAULT_TIME, DEFAULT_TIME))


def fingerprint(closure):
    """Returns a name for the set of files, which changes when one of them does."""
    digest = hashlib.sha256()
    for path in sorted(closure.paths):
        status = os.lstat(path)
        digest.update(f"{path} {status.st_mtime_ns} {status.st_size}\n".encode())
    return digest.hexdigest()[:16]
