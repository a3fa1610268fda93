#!/usr/bin/python3
"""layers.py DUMP MAKEFILE_UK...: checks the modules of `swift package dump-package` against the layers of the design."""

import json
import re
import sys

# From the lowest layer up.
LAYERS = [
    {"CShims", "LinuxABI", "Support", "CLibPort"},
    {"Platform", "CLibELF", "CZlib", "CLwIP"},
    {"Kernel"},
    {"Drivers"},
    {"Process", "ELFLoader", "VFSCore", "Sockets", "SystemVIPC", "MessageQueues", "Polling", "Mmap"},
    {"Network", "RamFS", "CpioFS", "NinePFS", "OverlayFS", "DevFS", "ProcFS"},
    {"Syscalls"},
    {"Boot"},
]
# A layer whose modules may import one another.
PEERS = {"Process", "ELFLoader", "VFSCore", "Sockets", "SystemVIPC", "MessageQueues", "Polling", "Mmap"}
# Only this module may import CShims.
CSHIMS_IMPORTER = "Platform"


def faults_of(targets, registered):
    """Yields one line for every fault."""
    rank = {module: number for number, layer in enumerate(LAYERS) for module in layer}
    for target in targets:
        name = target["name"]
        # A target of headers alone has nothing to compile.
        if name not in registered and target["type"] != "system":
            yield f"{name} is not registered in Makefile.uk: add $(eval $(call addmodule,lib…,{name},FOLDER))."
        if name not in rank:
            yield f"{name} has no layer: give it one in support/checks/layers.py."
            continue
        for dependency in target["dependencies"]:
            other = next(iter(dependency.values()))[0]
            if other == "CShims" and name != CSHIMS_IMPORTER:
                yield f"{name} imports CShims: put what it needs into {CSHIMS_IMPORTER}, the only importer."
            if other not in rank or rank[other] < rank[name] or {name, other} <= PEERS:
                continue
            yield (
                f"{name} imports {other}, which is not below it: let {name} declare a protocol or a closure that "
                f"{other} implements or registers, and let Boot connect the two."
            )


def main(dump, makefiles):
    with open(dump, encoding="utf-8") as stream:
        targets = json.load(stream)["targets"]
    registered = set()
    for makefile in makefiles:
        with open(makefile, encoding="utf-8") as stream:
            text = stream.read()
        registered.update(re.findall(r"addmodule,[^,]+,(\w+),", text), re.findall(r"_MODULE\s*:=\s*(\w+)", text))
    faults = list(faults_of(targets, registered))
    for fault in faults:
        print(fault)
    return 1 if faults else 0


sys.exit(main(sys.argv[1], sys.argv[2:]))
