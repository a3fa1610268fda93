#!/usr/bin/python3
"""Runs stressors of stress-ng with --verify in the guest, and reads what they say.

A stressor passes when stress-ng ends with status 0 and says so, nothing failed, and nothing was skipped or cut short
that stressors.toml does not list with its reason. What the list says Linux skips too is run under Linux in the same
root, and must be skipped there.
"""

import argparse
import json
import os
import re
import sys
import time

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../Differential"))

import cases
import execution
import guest
import reviewed
import roots
import run as differential

BUILD = os.path.join(cases.REPOSITORY, "build", "stress")
MARK = "STRESS_NAMESPACE"

#: What stress-ng says of a stressor that did less than it was asked for.
SKIPPED = re.compile(r"skip|prematurely|not (?:implemented|supported|available)|out of memory", re.IGNORECASE)
#: What it says of one that went wrong.
FAILED = re.compile(r"stress-ng: (?:fail|error):|corrupt|terminated on signal|killed process|kernel panic")


def parse_arguments():
    """Returns the parsed command line."""
    parser = argparse.ArgumentParser(description="Run stress-ng's stressors in the guest and check what they say.")
    parser.add_argument("stressors", nargs="*", metavar="STRESSOR", help="stressors to run (default: all)")
    parser.add_argument("--sample", action="store_true", help="only the sample, for as long as it says")
    parser.add_argument("--seconds", type=int, help="seconds for each")
    parser.add_argument("--filter", metavar="RE", help="only the stressors whose name matches")
    parser.add_argument("--install", action="store_true", help="install the Debian packages that are needed")
    parser.add_argument("--show", action="store_true", help="print what each says")
    return parser.parse_args()


def load():
    """Returns the settings and the reviewed skips by stressor."""
    return reviewed.load(f"{HERE}/stressors.toml", "skip", "stressor")


def make_root(directory):
    """Makes the root directory that every stressor runs in."""
    closure = roots.Closure()
    closure.add("/usr/bin/stress-ng")
    closure.add("/usr/bin/setpriv")
    # What glibc loads when a thread ends by pthread_exit; without it the process aborts.
    closure.add_glob("/lib/x86_64-linux-gnu/libgcc_s.so.1")
    roots.build(directory, closure)
    os.makedirs(f"{directory}/work", exist_ok=True)
    os.chmod(f"{directory}/work", 0o1777)
    roots.settle_times(directory, ["/work"])


def case_for(settings, stressor, seconds):
    """Returns the case that runs one stressor."""
    name = stressor["name"]
    user = ["/usr/bin/setpriv", "--reuid", "1000", "--regid", "1000", "--clear-groups"] if "user" in stressor else []
    command = [*user, "/usr/bin/stress-ng", *stressor.get("options", []), f"--{name}", "1", "--timeout", f"{seconds}s",
               "--verify"]
    return cases.Case(name=name, command=command, memory=stressor.get("memory", settings["memory"]),
                      timeout=seconds + settings["patience"], export=[])


def lines_of(output):
    """Returns the lines of what a run printed."""
    return output.decode("utf-8", "backslashreplace").replace("\r", "").splitlines()


def run_native(case, root, scratch):
    """Returns the lines that the stressor prints under Linux."""
    specification = f"{scratch}/{case.name}.json"
    with open(specification, "w", encoding="utf-8") as file:
        json.dump({"root": root, "argv": case.command, "env": case.environment, "cwd": case.cwd}, file)
    output, _, _ = execution.run_bounded([sys.executable, "-I", "-S", differential.NATIVE, specification],
                                         case.timeout)
    return lines_of(output)


def judge(case, output, status, skips):
    """Returns (complaints, reviewed skips that were met) of a run in the guest."""
    if status is None:
        return [f"no end after {case.timeout} s"], []
    lines, complaints, met = lines_of(output), [], []
    if status != 0:
        complaints.append(f"exit status {status}")
    for line in lines:
        is_skip = SKIPPED.search(line) and not re.match(r"system call \S+ is not implemented$", line)
        if not is_skip and not FAILED.search(line):
            continue
        known = next((skip for skip in skips if re.search(skip["pattern"], line)), None)
        if known is None:
            complaints.append(line)
        elif known not in met:
            met.append(known)
    if not any("successful run completed" in line for line in lines):
        complaints.append("no word of a successful run")
    return complaints, met


def main():
    """Runs the stressors and prints one line for each; returns the exit status."""
    options = parse_arguments()
    settings, skips = load()
    scratch = os.path.join(BUILD, "scratch")
    differential.NAMESPACE_MARK = MARK
    differential.enter_namespace(scratch)
    os.umask(0o022)
    if options.install:
        differential.install(settings["packages"])
    guest.require()
    root = f"{scratch}/root"
    make_root(root)
    initrd = guest.pack(root, f"{scratch}/root.cpio", "mkinitrd")
    start, good, bad = time.monotonic(), 0, 0
    for stressor in settings["stressor"]:
        name = stressor["name"]
        if options.stressors and name not in options.stressors or options.sample and "sample" not in stressor:
            continue
        if options.filter and not re.search(options.filter, name):
            continue
        seconds = options.seconds or (stressor["sample"] if options.sample else settings["seconds"])
        case = case_for(settings, stressor, seconds)
        output, status, elapsed = execution.run_bounded(guest.qemu_arguments(case, initrd, None), case.timeout)
        complaints, met = judge(case, output, status, skips.get(name, []))
        for skip in met:
            if skip.get("native") and not any(re.search(skip["pattern"], line)
                                              for line in run_native(case, root, scratch)):
                complaints.append(f"Linux does not skip it: {skip['pattern']}")
        print(f"{'FAIL' if complaints else 'ok  '} {name:16} {elapsed:6.1f} s", flush=True)
        for skip in met:
            print(f"  known: {skip['reason']}", flush=True)
        for line in complaints:
            print(f"  {line}", flush=True)
        if options.show:
            print("\n".join(f"  | {line}" for line in lines_of(output)), flush=True)
        good, bad = good + (not complaints), bad + bool(complaints)
    print(f"{good} passed, {bad} failed ({time.monotonic() - start:.0f} s)")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
