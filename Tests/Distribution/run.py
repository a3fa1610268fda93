#!/usr/bin/python3
"""Runs programs of a whole Debian system under Linux and in the guest, and compares what they print and how they end.

The system is made by debootstrap in build/distribution/root, and the packages of programs.toml are installed in it. The
guest has it as its root by 9p and cannot change it (`qemu-guest -E`).
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../Differential"))

import cases
import execution

BUILD = os.path.join(cases.REPOSITORY, "build", "distribution")
ROOT = os.path.join(BUILD, "root")
IMAGE = os.path.join(cases.REPOSITORY, "build", "elfloader_qemu-x86_64")
QEMU_GUEST = os.path.join(cases.REPOSITORY, "support", "qemu-guest")
NATIVE = os.path.join(HERE, "../Differential/native.py")
ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root",
               "LC_ALL": "C.UTF-8", "TERM": "dumb", "TZ": "UTC"}
# What the guest has of itself.
NATIVE_MOUNTS = "mount -t tmpfs none /tmp && mount -t tmpfs none /run || exit 125\n"


def parse_arguments():
    """Returns the parsed command line."""
    parser = argparse.ArgumentParser(description="Compare programs of a Debian system under Linux and in the guest.")
    parser.add_argument("--filter", metavar="RE", help="only the programs whose name matches")
    parser.add_argument("--install", action="store_true", help="make the system, and install what it lacks")
    parser.add_argument("--show", action="store_true", help="print what each program printed under Linux")
    return parser.parse_args()


def install(packages):
    """Makes the Debian system and installs the packages that it lacks."""
    if not shutil.which("debootstrap"):
        subprocess.run(["apt-get", "install", "-y", "-q", "--no-install-recommends", "debootstrap"], check=True)
    done = os.path.join(ROOT, "var/lib/elfloader-base")
    if not os.path.exists(done):
        shutil.rmtree(ROOT, ignore_errors=True)
        os.makedirs(ROOT)
        subprocess.run(["debootstrap", "--variant=minbase", "bookworm", ROOT], check=True, stdout=subprocess.DEVNULL)
        # How this machine reaches its archive, and no service started by a package.
        shutil.copytree("/etc/apt/apt.conf.d", f"{ROOT}/etc/apt/apt.conf.d", dirs_exist_ok=True)
        with open(f"{ROOT}/usr/sbin/policy-rc.d", "w", encoding="ascii") as file:
            file.write("#!/bin/sh\nexit 101\n")
            os.fchmod(file.fileno(), 0o755)
        with open(done, "w", encoding="ascii"):
            pass
    listed = subprocess.run(["chroot", ROOT, "dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\\n"], check=True,
                            capture_output=True, text=True).stdout.splitlines()
    missing = [package for package in packages if f"{package} installed" not in listed]
    if not missing:
        return
    shutil.copy("/etc/resolv.conf", f"{ROOT}/etc/resolv.conf")
    script = ("mount -t proc proc /proc && mount -t devpts devpts /dev/pts && apt-get update -q && "
              "DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends " + " ".join(missing))
    command = ["unshare", "--mount", "chroot", ROOT, "/bin/sh", "-c", script]
    result = subprocess.run(command, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if result.returncode != 0:
        sys.exit(result.stdout.decode(errors="replace")[-4000:])


def run_native(name, timeout):
    """Runs a script under Linux; returns (output, status, seconds)."""
    specification = os.path.join(BUILD, f"{name}.json")
    with open(specification, "w", encoding="utf-8") as file:
        json.dump({"root": ROOT, "argv": ["/bin/sh", f"/root/{name}.native"], "env": ENVIRONMENT, "cwd": "/"}, file)
    return execution.run_bounded(["unshare", "--pid", "--fork", "--kill-child", sys.executable, NATIVE, specification],
                                 timeout)


def run_guest(name, memory, timeout):
    """Runs a script in the guest; returns (output, status, seconds)."""
    variables = " ".join(f"'{key}={value}'" for key, value in ENVIRONMENT.items())
    line = f"loglevel=error log.target=debugcon env.vars=[ {variables} ] -- /bin/sh /root/{name}.sh"
    return execution.run_bounded([QEMU_GUEST, "-W", "-k", IMAGE, "-m", str(memory), "-E", ROOT, "-a", line], timeout)


def compare(program, defaults, show):
    """Runs one program on both sides, prints a line, and returns whether they are equal."""
    name = program["name"]
    for suffix, text in (("sh", ""), ("native", NATIVE_MOUNTS)):
        with open(f"{ROOT}/root/{name}.{suffix}", "w", encoding="utf-8") as file:
            file.write(text + "cd /tmp\n" + program["script"])
    timeout = program.get("timeout", defaults["timeout"])
    output, status, seconds = run_native(name, timeout)
    guest_output, guest_status, guest_seconds = run_guest(name, program.get("memory", defaults["memory"]), timeout)
    # A console of QEMU's ends lines as terminals do.
    texts = [text.replace(b"\r\n", b"\n").decode(errors="replace") for text in (output, guest_output)]
    is_equal = status is not None and status == guest_status and texts[0] == texts[1]
    print(f"{'ok  ' if is_equal else 'FAIL'} {name:20} native {seconds:6.2f} s  guest {guest_seconds:6.2f} s", flush=True)
    if show:
        print(texts[0])
    if not is_equal:
        print(f"  status: {status} under Linux, {guest_status} in the guest")
        for side, text in zip(("linux", "guest"), texts):
            print("\n".join(f"  {side}: {line}" for line in text.splitlines()[:40]))
    return is_equal


def main():
    """Runs all programs; the exit status is 1 when one differs."""
    options = parse_arguments()
    with open(f"{HERE}/programs.toml", "rb") as file:
        settings = tomllib.load(file)
    programs = [program for program in settings["program"]
                if not options.filter or re.search(options.filter, program["name"])]
    if options.install:
        install(sorted({package for program in programs for package in program["packages"]}))
    if not os.path.isdir(ROOT):
        sys.exit(f"{ROOT} does not exist: run with --install first")
    results = [compare(program, settings["defaults"], options.show) for program in programs]
    print(f"{results.count(True)} passed, {results.count(False)} failed")
    sys.exit(0 if results and all(results) else 1)


main()
