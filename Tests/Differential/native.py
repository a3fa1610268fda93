"""Runs one program in a root directory under Linux: the oracle's side of a case.

Called as `native.py SPECIFICATION`, a JSON object {root, argv, env, cwd}. It makes a mount namespace
of its own, mounts /proc and the few devices that the guest has too, enters the root and becomes the program. Nothing
that it mounts outlives it.
"""

import ctypes
import fcntl
import json
import os
import resource
import signal
import socket
import stat
import struct
import sys

CLONE_NEWNS = 0x00020000
SIOCGIFFLAGS = 0x8913
SIOCSIFFLAGS = 0x8914
MS_BIND, MS_REC, MS_PRIVATE, MS_NOSUID, MS_NOEXEC = 4096, 16384, 1 << 18, 2, 8
DEVICES = ("null", "zero", "full", "random", "urandom", "tty")

libc = ctypes.CDLL(None, use_errno=True)


def _check(result, what):
    if result != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{what}: {os.strerror(error)}")


def _mount(source, target, kind, flags, data=None):
    arguments = [None if text is None else text.encode() for text in (source, target, kind)]
    _check(libc.mount(*arguments, ctypes.c_ulong(flags), data and data.encode()), f"mount {target}")


def _raise_loopback():
    """Brings the loopback interface up: a network namespace of one's own begins without."""
    name, up = b"lo", 1
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as question:
        answer = fcntl.ioctl(question, SIOCGIFFLAGS, struct.pack("16sh22x", name, 0))
        flags = struct.unpack("16sh22x", answer)[1]
        if not flags & up:
            fcntl.ioctl(question, SIOCSIFFLAGS, struct.pack("16sh22x", name, flags | up))


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        specification = json.load(file)
    root = specification["root"]
    _raise_loopback()
    _check(libc.unshare(CLONE_NEWNS), "unshare")
    _mount("none", "/", None, MS_REC | MS_PRIVATE)
    _mount("none", root + "/dev", "tmpfs", MS_NOSUID, "mode=755")
    for name in DEVICES:
        with open(f"{root}/dev/{name}", "wb"):
            pass
        _mount(f"/dev/{name}", f"{root}/dev/{name}", None, MS_BIND)
    os.symlink("/proc/self/fd", root + "/dev/fd")
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        os.symlink(f"/proc/self/fd/{number}", f"{root}/dev/{name}")
    os.mkdir(root + "/dev/shm", 0o1777)
    os.mkdir(root + "/dev/pts", 0o755)
    _mount("devpts", root + "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "gid=5,mode=620,ptmxmode=000")
    os.mknod(root + "/dev/ptmx", stat.S_IFCHR | 0o666, os.makedev(5, 2))
    os.chmod(root + "/dev/ptmx", 0o666)
    _mount("proc", root + "/proc", "proc", 0)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_STACK, (8 << 20, resource.RLIM_INFINITY))
    os.umask(0o022)
    os.chdir(root)
    os.chroot(root)
    os.chdir(specification["cwd"])
    # A program inherits what is ignored: two by Python, others by who started the tests in the background or by nohup.
    for number in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, signal.SIG_DFL)
    os.setpriority(os.PRIO_PROCESS, 0, 0)
    program = specification["argv"][0]
    if "/" not in program:
        search = specification["env"].get("PATH", "").split(":")
        program = next((p for d in search if os.path.exists(p := f"{d}/{program}")), program)
    try:
        os.execve(program, [os.fsencode(a) for a in specification["argv"]], specification["env"])
    except OSError as error:
        # What a shell gives: 127 when there is no such program, 126 when it cannot be executed.
        os.write(2, f"{program}: {error.strerror}\n".encode())
        os._exit(127 if isinstance(error, FileNotFoundError) else 126)


main()
