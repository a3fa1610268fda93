#!/usr/bin/python3
"""Runs programs under Linux and in the guest and compares what comes out.

For each case of a list: one root directory with only what the program needs; the program runs in it natively
(chroot) and in the guest (an initrd of the same directory); output, exit status and the files left behind must be
equal byte for byte. See README.md beside this file for the format of the lists.
"""

import argparse
import concurrent.futures
import difflib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time

sys.dont_write_bytecode = True

import cases
import guest
import newc
import roots
from execution import Outcome, run_either

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.path.join(cases.REPOSITORY, "build", "differential")
NATIVE = os.path.join(HERE, "native.py")
STANDARD_LISTS = (os.path.join(HERE, "cases.toml"), os.path.join(HERE, "shells.toml"),
                  os.path.join(HERE, "../Guest/programs.toml"),
                  os.path.join(HERE, "../Guest/machines.toml"))
NAMESPACE_MARK = "DIFFERENTIAL_NAMESPACE"
MOST_DIFF_LINES = 40


def parse_arguments():
    """Returns the parsed command line."""
    parser = argparse.ArgumentParser(description="Compare programs under Linux and in the guest.")
    parser.add_argument("--list", action="append", help="a case list (default: cases.toml; may be repeated)")
    parser.add_argument("--filter", default="", metavar="RE", help="only the cases whose name matches")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="cases at a time")
    parser.add_argument("--machine", choices=sorted(guest.MACHINES), help="the machine type, over the list's")
    parser.add_argument("--cpu", help="QEMU's CPU model, over the list's")
    parser.add_argument("--memory", type=int, help="guest memory in MiB, over the list's")
    parser.add_argument("--known", default=os.path.join(HERE, "known-differences.toml"),
                        help="the reviewed list of known differences")
    parser.add_argument("--guest", choices=("qemu", "chroot", "none", "install"), default="qemu",
                        help="what stands for the guest: chroot runs the program natively again, which tests the "
                             "runner and the cases; none only runs the oracle; install runs nothing at all")
    parser.add_argument("--share", action="store_true",
                        help="the guest gets its root by 9p, and the files left behind are those of the host's directory")
    parser.add_argument("--install", action="store_true", help="install the Debian packages that the cases name")
    parser.add_argument("--times", default=os.path.join(BUILD, "times.json"), help="where to write times per case")
    parser.add_argument("--system-calls", metavar="FILE",
                        help="write which system calls the cases make natively, and which cases make them (strace)")
    parser.add_argument("--show", action="store_true", help="print what each case printed natively")
    return parser.parse_args()


def enter_namespace(scratch):
    """Gives the runner a mount namespace with a tmpfs for the roots, so that nothing stays mounted after it.

    A tmpfs because what Linux itself makes of an initrd is one: sizes of directories and blocks of files then mean
    the same on both sides.
    """
    if os.geteuid() != 0:
        sys.exit("run.py: chroot needs root")
    if os.environ.get(NAMESPACE_MARK) != str(os.getpid()):
        os.environ[NAMESPACE_MARK] = str(os.getpid())
        os.execvp("unshare", ["unshare", "--mount", "--propagation", "private", sys.executable, *sys.argv])
    os.makedirs(scratch, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755,nr_inodes=0", "none", scratch], check=True)


def install(packages):
    """Installs what is missing of the named Debian packages, in one call."""
    listed = subprocess.run(["dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\\n", *packages],
                            capture_output=True, text=True, check=False).stdout
    present = {line.split()[0] for line in listed.splitlines() if line.endswith(" installed")}
    missing = [package for package in packages if package not in present]
    if missing:
        print("installing " + " ".join(missing), flush=True)
        subprocess.run(["apt-get", "install", "-y", "-q", "--no-install-recommends", *missing], check=True,
                       stdout=subprocess.DEVNULL, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"})


def stdin_of(case):
    """Returns what the program reads from its standard input, a pipe on both sides."""
    return b"" if case.stdin is None else roots.content_of(case.stdin)


class Runner:
    """Runs cases; keeps one base root per set of programs, copied for each case."""

    def __init__(self, options, scratch, known):
        self.options, self.scratch, self.known = options, scratch, known
        self._bases, self._made = {}, 0
        self._lock = threading.Lock()

    def base(self, case):
        """Returns the path of the base root that the case needs, making it if no case did before."""
        key = json.dumps([case.command[0], case.programs, case.uses, case.place], sort_keys=True)
        with self._lock:
            if key not in self._bases:
                self._made += 1
                root = f"{self.scratch}/base{self._made}"
                roots.build(root, self.closure(case))
                for target, source in case.place.items():
                    roots.copy_file(os.path.join(cases.REPOSITORY, source), root + target)
                    os.chmod(root + target, 0o755)
                self._bases[key] = root
            return self._bases[key]

    def closure(self, case):
        """Returns the files of the machine that the case needs."""
        closure = roots.Closure(provided={os.path.basename(target) for target in case.place})
        for program in [case.command[0], *case.programs]:
            if "/" in program and program not in case.place and case.path(program) not in map(case.path, case.files):
                closure.add(program)
        for source in case.place.values():
            closure.add_needs(os.path.join(cases.REPOSITORY, source))
        for name in case.uses:
            for pattern in case.sets[name]["include"]:
                closure.add_glob(pattern, case.sets[name].get("exclude", ()))
        return closure

    def root(self, case, directory):
        """Makes the case's own root directory and returns its path."""
        subprocess.run(["cp", "-a", self.base(case), directory], check=True)
        if case.cwd != "/":
            os.makedirs(directory + case.cwd, exist_ok=True)
        for name, description in case.files.items():
            roots.make_file(directory, case.path(name), description)
        roots.settle_times(directory, case.export)
        return directory

    def native(self, case, scratch, root, trace=None):
        """Runs the case under Linux in `root`."""
        specification = f"{scratch}/native.json"
        with open(specification, "w", encoding="utf-8") as file:
            json.dump({"root": root, "argv": case.command, "env": case.environment, "cwd": case.cwd}, file)
        arguments = [sys.executable, "-I", "-S", NATIVE, specification]
        if trace:
            arguments = ["strace", "-f", "-qq", "-o", trace, *arguments]
        output, status, seconds = run_either(arguments, case, stdin_of(case))
        trouble = f"no end after {case.timeout} s" if status is None else ""
        return Outcome(output, status, newc.read_directory(root, case.export), seconds, trouble)

    def chroot_guest(self, case, scratch, root):
        """Stands for the guest: the same program natively again, its files read through an archive."""
        outcome = self.native(case, scratch, root)
        outcome.tree = newc.read_archive(guest.archive_by_cpio(root, ["." + path for path in case.export]))
        return outcome

    def run(self, case):
        """Runs one case on both sides; returns a result for the report. A case that cannot be set up fails."""
        try:
            return self._run(case)
        except (OSError, subprocess.CalledProcessError) as error:
            return {"case": case.name, "native_seconds": 0, "guest_seconds": 0, "report": {"set-up": [str(error)]}}

    def _run(self, case):
        options = self.options
        case.machine = options.machine or case.machine
        case.cpu = options.cpu or case.cpu
        case.memory = options.memory or case.memory
        if options.share:
            # What the guest mounts over the share stays in its memory.
            case.export = [path for path in case.export if not path.startswith(("/tmp", "/dev"))]
        scratch = f"{self.scratch}/case-{case.name}"
        os.makedirs(scratch)
        try:
            root = self.root(case, f"{scratch}/root")
            trace = f"{scratch}/trace" if options.system_calls else None
            copy = f"{scratch}/copy"
            if options.guest == "chroot" or options.share:
                subprocess.run(["cp", "-a", root, copy], check=True)
            if options.guest == "qemu" and options.share:
                there = guest.run(case, scratch, copy, stdin_of(case), shared=True)
                there.tree = newc.read_directory(copy, case.export)
            elif options.guest == "qemu":
                # Packed and booted first: the native run changes the root.
                there = guest.run(case, scratch, root, stdin_of(case))
            here = self.native(case, scratch, root, trace)
            if options.guest == "chroot":
                there = self.chroot_guest(case, scratch, copy)
            elif options.guest == "none":
                there = here
            result = {"case": case.name, "native_seconds": round(here.seconds, 3),
                      "guest_seconds": round(there.seconds, 3), "report": compare(case, here, there)}
            if options.show:
                result["shown"] = f"[{here.status}] " + here.output.decode(errors="backslashreplace")
            if trace:
                result["calls"] = calls_of(trace)
            return result
        finally:
            shutil.rmtree(scratch, ignore_errors=True)


def lines_of(data):
    """Splits output into printable lines for a diff."""
    return [line.decode("utf-8", "backslashreplace") for line in data.split(b"\n")]


def shortened(lines):
    """Keeps a report readable."""
    lines = [line if len(line) < 240 else line[:240] + "…" for line in lines]
    if len(lines) > MOST_DIFF_LINES:
        lines = lines[:MOST_DIFF_LINES] + [f"… {len(lines) - MOST_DIFF_LINES} more lines"]
    return lines


def compare(case, native, there):
    """Returns field → lines that say how the guest differed; empty when it did not."""
    report = {}
    if native.trouble or there.trouble:
        report["status"] = [f"native: {native.trouble}"] * bool(native.trouble) + [
            f"guest: {there.trouble}"] * bool(there.trouble)
    elif native.status != there.status:
        report["status"] = [f"exit status {native.status} under Linux, {there.status} in the guest"]
    expected, actual = native.output, there.output
    if native.status == there.status and native.status is not None:
        actual = without_report(expected, actual, native.status)
    expected, actual = case.normalised(expected), case.normalised(actual)
    if expected != actual:
        report["stdout"] = shortened(list(difflib.unified_diff(lines_of(expected), lines_of(actual), "linux", "guest",
                                                               lineterm="", n=2)))
    files = compare_trees(native.tree, there.tree)
    if files and not there.trouble:
        report["files"] = shortened(files)
    return report


def without_report(expected, actual, status):
    """Takes the kernel's report on a death by signal off the guest's output.

    The report follows what the program printed and names the signal. Signals that are sent may come without one.
    """
    if not 128 < status <= 192 or not actual.startswith(expected):
        return actual
    report = actual[len(expected):]
    try:
        name = signal.Signals(status - 128).name.encode()
    except ValueError:
        name = b"signal"
    return expected if name in report else actual


def compare_trees(native, there):
    """Returns one line per file that differs."""
    found = []
    for path in sorted(set(native) | set(there)):
        if path not in there:
            found.append(f"{path}: missing in the guest")
        elif path not in native:
            found.append(f"{path}: only in the guest: {there[path].describe()}")
        elif native[path] != there[path]:
            left, right = native[path], there[path]
            if left.describe() != right.describe():
                found.append(f"{path}: {left.describe()} under Linux, {right.describe()} in the guest")
            else:
                at = next(i for i, (a, b) in enumerate(zip(left.content, right.content)) if a != b)
                found.append(f"{path}: contents differ from byte {at}: {left.content[at:at + 16].hex()} under Linux, "
                             f"{right.content[at:at + 16].hex()} in the guest")
    return found


def calls_of(trace):
    """Returns the names of the system calls in an strace log, from the program's own execve on."""
    names, started = set(), False
    with open(trace, encoding="utf-8", errors="replace") as file:
        for line in file:
            match = re.match(r"\d+\s+([a-z_][a-z0-9_]*)\(", line)
            if not match:
                continue
            if match[1] == "chroot":
                started = "chdir"
            elif started == "chdir" and match[1] == "execve":
                started = True
            elif started is True:
                names.add(match[1])
    return sorted(names)


def write_calls(path, results):
    """Writes the system calls, those that few cases make with the names of these."""
    users = {}
    for result in results:
        for name in result.get("calls", ()):
            users.setdefault(name, []).append(result["case"])
    with open(path, "w", encoding="utf-8") as file:
        for name in sorted(users):
            shown = " ".join(users[name]) if len(users[name]) <= 8 else ""
            file.write(f"{name:22} {len(users[name]):4}  {shown}\n")


def judge(result, known):
    """Returns (passed, lines to print), the known differences taken into account."""
    report, entry = result["report"], known.get(result["case"])
    differing = set(report)
    lines = [f"  {field}: {line}" for field, found in report.items() for line in found]
    if entry is None:
        return not differing, lines
    expected = set(entry["fields"])
    if differing == expected:
        return True, [f"  known: {entry['reason']}"]
    extra, gone = differing - expected, expected - differing
    if gone:
        lines.append(f"  {', '.join(sorted(gone))}: listed as a known difference, but equal now: take it off the list")
    return False, lines if extra or gone else []


def main():
    """Runs the cases and prints one line for each; returns the exit status."""
    options = parse_arguments()
    lists = options.list or [os.path.join(HERE, "cases.toml")]
    try:
        chosen = [case for path in lists for case in cases.load(path) if re.search(options.filter, case.name)]
        known = cases.load_known_differences(options.known)
        names = {case.name for path in {*STANDARD_LISTS, *lists} for case in cases.load(path)}
        if set(known) - names:
            raise cases.ListError(f"{options.known}: no such case: {', '.join(sorted(set(known) - names))}")
    except (OSError, cases.ListError) as error:
        sys.exit(f"run.py: {error}")
    scratch = os.path.join(BUILD, "scratch")
    enter_namespace(scratch)
    os.umask(0o022)
    if options.install:
        install(sorted({package for case in chosen for package in case.packages}))
    if options.guest == "install":
        return 0
    if options.guest == "qemu":
        guest.require()
    runner = Runner(options, scratch, known)
    start = time.monotonic()
    passed, failed, results = 0, 0, []
    with concurrent.futures.ThreadPoolExecutor(max(1, options.jobs)) as pool:
        for case, result in zip(chosen, pool.map(runner.run, chosen)):
            ok, lines = judge(result, known)
            passed, failed = passed + ok, failed + (not ok)
            results.append({**result, "passed": ok})
            print(f"{'ok  ' if ok else 'FAIL'} {case.name:32} native {result['native_seconds']:6.2f} s  "
                  f"guest {result['guest_seconds']:6.2f} s", flush=True)
            if options.show:
                print(result.get("shown", ""))
            for line in lines:
                print(line)
    if options.system_calls:
        write_calls(options.system_calls, results)
    os.makedirs(os.path.dirname(options.times), exist_ok=True)
    with open(options.times, "w", encoding="utf-8") as file:
        rows = [{key: row[key] for key in ("case", "native_seconds", "guest_seconds", "passed")} for row in results]
        json.dump(rows, file, indent=1)
    print(f"{passed} passed, {failed} failed ({time.monotonic() - start:.0f} s)")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
