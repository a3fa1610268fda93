#!/usr/bin/python3
"""Runs modules of CPython's own test suite under Linux and in the guest and compares what became of each test method.

Both sides have the same root directory: Debian's python3.11 with libpython3.11-testsuite and a few programs that the
tests start. Natively the module runs in a chroot and in an empty network namespace. Every method that passes under
Linux must pass in the guest; exceptions.toml lists the reviewed exceptions. modules.toml says which modules are run.
"""

import argparse
import concurrent.futures
import fnmatch
import json
import os
import re
import sys
import time
import tomllib
import xml.etree.ElementTree

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../Differential"))

import cases
import execution
import guest
import newc
import reviewed
import roots
import run as differential

BUILD = os.path.join(cases.REPOSITORY, "build", "cpython")
MARK = "CPYTHON_NAMESPACE"
REPORT = "/work/report.xml"

#: More accounts than a case's root has, as some tests look for them.
ACCOUNTS = {
    "/etc/passwd": "root:x:0:0:root:/root:/bin/sh\ndaemon:x:1:1:daemon:/usr/sbin:/bin/false\n"
                   "nobody:x:65534:65534:nobody:/:/bin/false\n",
    "/etc/group": "root:x:0:\ndaemon:x:1:\nstaff:x:50:\nnogroup:x:65534:\n",
}


def parse_arguments():
    """Returns the parsed command line."""
    parser = argparse.ArgumentParser(description="Compare CPython's test suite under Linux and in the guest.")
    parser.add_argument("modules", nargs="*", metavar="MODULE[:METHODS]",
                        help="modules to run, METHODS a pattern as -m of `python3 -m test` takes it (default: all)")
    parser.add_argument("--sample", action="store_true", help="only what modules.toml marks as the sample")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="modules at a time")
    parser.add_argument("--install", action="store_true", help="install the Debian packages that are needed")
    parser.add_argument("--keep", action="store_true", help="keep what each side printed in build/cpython")
    return parser.parse_args()


def load():
    """Returns the settings, the modules by name, and the exceptions: method, or a pattern of several, → table."""
    with open(f"{HERE}/modules.toml", "rb") as file:
        settings = tomllib.load(file)
    exceptions = reviewed.load(f"{HERE}/exceptions.toml", "exception", "method")[1]
    return (settings, {module["name"]: module for module in settings["module"]},
            {method: entries[0] for method, entries in exceptions.items()})


def sources(settings, modules):
    """Yields (path in Debian's source, path in the root) of the modules that no package has; fetches the source."""
    wanted = [module["source"] for module in modules if "source" in module]
    if not wanted:
        return
    place = os.path.join(BUILD, "source")
    if not os.path.isdir(place):
        differential.shutil.rmtree(place + ".new", ignore_errors=True)
        differential.subprocess.run([f"{HERE}/../../unikraft-glue/source.sh", settings["source"], place + ".new"], check=True)
        os.rename(place + ".new", place)
    top, = (entry.path for entry in os.scandir(place) if entry.is_dir())
    for path in wanted:
        yield os.path.join(top, path), "/usr/lib/python3.11/" + path.removeprefix("Lib/")


def make_root(settings, modules, directory):
    """Makes the root directory that every module runs in."""
    closure = roots.Closure()
    for program in settings["root"]["programs"]:
        closure.add(program)
    for pattern in settings["root"]["include"]:
        closure.add_glob(pattern)
    roots.build(directory, closure)
    for source, place in sources(settings, modules):
        differential.shutil.copytree(source, directory + place)
    for name, text in ACCOUNTS.items():
        roots.make_file(directory, name, text)
    roots.settle_times(directory, ["/work"])


def case_for(settings, module, methods):
    """Returns the case that runs one module."""
    # A shell is the first process, which takes in orphans; it must not become the interpreter.
    command = ["/bin/sh", "-c", '"$@"; exit $?', "sh", "/usr/bin/python3", "-m", "test", "-v", "--junit-xml", REPORT]
    for method in methods:
        command += ["-m", method]
    for method in module.get("without", []):
        command += ["-i", method]
    return cases.Case(name=module["name"], command=command + [module["name"]], env={"PYTHONDONTWRITEBYTECODE": "1"},
                      memory=module.get("memory", settings["memory"]), timeout=module.get("timeout", settings["timeout"]))


def outcomes(tree):
    """Returns method → "ok", "skip" or "fail" from the report that regrtest left, or None without one."""
    if "work/report.xml" not in tree and REPORT not in tree:
        return None
    report = tree.get(REPORT) or tree["work/report.xml"]
    try:
        document = xml.etree.ElementTree.fromstring(report.content)
    except xml.etree.ElementTree.ParseError:
        return None
    found = {}
    for test in document.iter("testcase"):
        name = test.get("name")
        kinds = {child.tag for child in test}
        outcome = "fail" if kinds & {"failure", "error"} else "skip" if "skipped" in kinds else "ok"
        # A method reports once for each failing subtest too: the worst counts.
        found[name] = max(found.get(name, "ok"), outcome, key=("ok", "skip", "fail").index)
    return found


def excerpt(output, method):
    """Returns what unittest printed about a method's failure or about why it was skipped."""
    text = output.decode("utf-8", "backslashreplace").replace("\r", "")
    short = re.escape(method.rsplit(".", 1)[-1])
    match = re.search(rf"^(?:FAIL|ERROR): {short} \({re.escape(method)}\).*?(?=\n={{60}}|\n-{{60}}\nRan )", text,
                      re.MULTILINE | re.DOTALL)
    if match:
        return ["  | " + line for line in match[0].splitlines()[-12:]]
    match = re.search(rf"^{short} \({re.escape(method)}\).*?skipped (.*)$", text, re.MULTILINE)
    return [f"  | skipped {match[1]}"] if match else []


def compare(name, native, there, exceptions):
    """Returns (lines that say what differs, exceptions that were met)."""
    lines, met = [], []
    here, guests = outcomes(native.tree), outcomes(there.tree)
    if here is None:
        return [f"  no report under Linux: {native.trouble or native.status}"], met
    if guests is None:
        tail = there.output[-1500:].decode("utf-8", "backslashreplace").replace("\r", "").splitlines()
        return [f"  no report in the guest: {there.trouble or there.status}", *("  | " + line for line in tail)], met
    for method in sorted(set(here) | set(guests)):
        left, right = here.get(method, "missing"), guests.get(method, "missing")
        if left == right or right == "ok" or left == "fail":
            continue
        known = next((name for name in exceptions if fnmatch.fnmatchcase(method, name)), None)
        if known:
            met.append(known)
            lines.append(f"  known: {method}: {exceptions[known]['reason']}")
            continue
        lines.append(f"  {method}: {left} under Linux, {right} in the guest")
        lines += excerpt(there.output if right in ("fail", "skip") else native.output, method)
    return lines, met


class Runner:
    """Runs modules; the root and its initrd are made once."""

    def __init__(self, settings, modules, exceptions, options, scratch):
        self.settings, self.exceptions, self.options, self.scratch = settings, exceptions, options, scratch
        self.root = f"{scratch}/root"
        make_root(settings, modules, self.root)
        self.initrd = guest.pack(self.root, f"{scratch}/root.cpio", "mkinitrd")

    def native(self, case, scratch):
        """Runs the module under Linux, with no network but an unconnected loopback."""
        root = f"{scratch}/native"
        # Only what is written differs from the shared root.
        differential.subprocess.run(["cp", "-al", self.root, root], check=True)
        specification = f"{scratch}/native.json"
        with open(specification, "w", encoding="utf-8") as file:
            json.dump({"root": root, "argv": case.command, "env": case.environment, "cwd": case.cwd}, file)
        output, status, seconds = execution.run_bounded(
            ["unshare", "--net", "--pid", "--fork", "--kill-child", sys.executable, "-I", "-S", differential.NATIVE,
             specification], case.timeout)
        trouble = f"no end after {case.timeout} s" if status is None else ""
        return execution.Outcome(output, status, newc.read_directory(root, case.export), seconds, trouble)

    def there(self, case, scratch):
        """Runs the module in the guest."""
        export = f"{scratch}/export.cpio"
        output, status, seconds = execution.run_bounded(guest.qemu_arguments(case, self.initrd, export), case.timeout)
        if status is None:
            return execution.Outcome(output, None, {}, seconds, f"no end after {case.timeout} s")
        try:
            with open(export, "rb") as file:
                tree = newc.read_archive(file.read())
        except (FileNotFoundError, newc.FormatError) as error:
            return execution.Outcome(output, status, {}, seconds, f"status {status}; the exported files: {error}")
        return execution.Outcome(output, status, tree, seconds)

    def run(self, case):
        """Runs one module on both sides and returns what to report."""
        scratch = f"{self.scratch}/{case.name}"
        os.makedirs(scratch)
        there = self.there(case, scratch)
        native = self.native(case, scratch)
        if self.options.keep:
            for side, outcome in (("native", native), ("guest", there)):
                with open(f"{BUILD}/{case.name}.{side}", "wb") as file:
                    file.write(outcome.output)
        lines, met = compare(case.name, native, there, self.exceptions)
        differential.shutil.rmtree(scratch, ignore_errors=True)
        passed = sum(outcome == "ok" for outcome in (outcomes(there.tree) or {}).values())
        return {"case": case, "lines": lines, "met": met, "passed": passed, "native": native.seconds,
                "guest": there.seconds, "bad": any(not line.startswith(("  known:", "  |")) for line in lines)}


def main():
    """Runs the modules and prints one line for each, then what differs; returns the exit status."""
    options = parse_arguments()
    settings, modules, exceptions = load()
    if options.modules:
        chosen = [(modules.get(name.split(":")[0], {"name": name.split(":")[0]}), name.split(":")[1:])
                  for name in options.modules]
    elif options.sample:
        chosen = [(module, module["sample"]) for module in modules.values() if "sample" in module]
    else:
        chosen = [(module, module.get("only", [])) for module in modules.values()]
    scratch = os.path.join(BUILD, "scratch")
    differential.NAMESPACE_MARK = MARK
    differential.enter_namespace(scratch)
    os.umask(0o022)
    if options.install:
        differential.install(settings["packages"])
    guest.require()
    runner = Runner(settings, [module for module, _ in chosen], exceptions, options, scratch)
    start = time.monotonic()
    good, bad, met = 0, 0, set()
    with concurrent.futures.ThreadPoolExecutor(max(1, options.jobs)) as pool:
        for result in pool.map(runner.run, [case_for(settings, module, methods) for module, methods in chosen]):
            good, bad = good + (not result["bad"]), bad + result["bad"]
            met |= set(result["met"])
            print(f"{'FAIL' if result['bad'] else 'ok  '} {result['case'].name:32} native {result['native']:6.1f} s  "
                  f"guest {result['guest']:6.1f} s  {result['passed']} methods", flush=True)
            for line in result["lines"]:
                print(line, flush=True)
    if not options.modules and not options.sample:
        for method in sorted(set(exceptions) - met):
            if not exceptions[method].get("sometimes"):
                print(f"{method}: listed as an exception, but equal now: take it off the list")
                bad += 1
    print(f"{good} passed, {bad} failed ({time.monotonic() - start:.0f} s)")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
