"""The case lists: TOML files read into `Case` values. README.md describes the format."""

import dataclasses
import os
import re
import tomllib

import reviewed

REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/",
    "LC_ALL": "C",
    "TZ": "UTC",
}


INITRDS = ("mkinitrd", "mkinitrd.gz", "cpio", "cpio.gz")

ListError = reviewed.ListError


@dataclasses.dataclass
class Case:
    """One program, what it is given, and what of the outcome is compared."""

    name: str
    command: list
    packages: list = dataclasses.field(default_factory=list)
    uses: list = dataclasses.field(default_factory=list)
    #: Further programs of the machine that the command runs.
    programs: list = dataclasses.field(default_factory=list)
    #: Path in the root → file of this repository (below build/ or not).
    place: dict = dataclasses.field(default_factory=dict)
    stdin: object = None
    files: dict = dataclasses.field(default_factory=dict)
    env: dict = dataclasses.field(default_factory=dict)
    clear_env: bool = False
    cwd: str = "/work"
    export: list = dataclasses.field(default_factory=lambda: ["/work"])
    memory: int = 64
    timeout: float = 60
    machine: str = "microvm"
    cpu: str = ""
    #: How the initrd is made: one of INITRDS.
    initrd: str = "mkinitrd"
    #: (pattern to wait for, text to type[, seconds between]): the program then runs on a terminal.
    terminal: list = None
    parameters: list = dataclasses.field(default_factory=list)
    normalise: list = dataclasses.field(default_factory=list)
    #: Named groups of further files, from the list's `[sets]`.
    sets: dict = dataclasses.field(default_factory=dict)

    @property
    def environment(self):
        """The program's environment on both sides. The guest takes its working directory from PWD."""
        base = {} if self.clear_env else dict(ENVIRONMENT)
        return {**base, **self.env, **({"PWD": self.cwd} if self.cwd != "/" else {})}

    def path(self, name):
        """Returns `name` as an absolute path in the root; relative names start at the working directory."""
        return os.path.normpath(os.path.join(self.cwd, name))

    def normalised(self, output):
        """Applies the case's substitutions to what the program printed."""
        for rule in self.normalise:
            if rule == "sort-lines":
                output = b"".join(sorted(output.splitlines(keepends=True)))
            else:
                pattern, replacement = rule["pattern"].encode(), rule["with"].encode()
                output = re.sub(pattern, replacement, output, flags=re.MULTILINE)
        return output


FIELDS = {field.name for field in dataclasses.fields(Case)} - {"sets"}


def _case(table, defaults, sets, where):
    unknown = set(table) - FIELDS
    if unknown:
        raise ListError(f"{where}: unknown key {', '.join(sorted(unknown))}")
    merged = {**defaults, **table}
    for key in ("name", "command"):
        if key not in merged:
            raise ListError(f"{where}: no {key}")
    case = Case(**merged, sets=sets)
    if case.initrd not in INITRDS:
        raise ListError(f"{where}: initrd is one of {', '.join(INITRDS)}")
    if case.terminal is not None and case.stdin is not None:
        raise ListError(f"{where}: on a terminal the input is typed: no stdin")
    for name in case.uses:
        if name not in sets:
            raise ListError(f"{where}: no set named {name}")
    return case


def load(path):
    """Returns the cases of one list file, in its order."""
    with open(path, "rb") as file:
        document = tomllib.load(file)
    unknown = set(document) - {"defaults", "sets", "case"}
    if unknown:
        raise ListError(f"{path}: unknown table {', '.join(sorted(unknown))}")
    defaults, sets = document.get("defaults", {}), document.get("sets", {})
    found, names = [], set()
    for index, table in enumerate(document.get("case", [])):
        case = _case(table, defaults, sets, f"{path}: case {table.get('name', index)}")
        if case.name in names:
            raise ListError(f"{path}: two cases are named {case.name}")
        names.add(case.name)
        found.append(case)
    return found


def load_known_differences(path):
    """Returns case name → {"fields": […], "reason": …}."""
    known = {}
    for name, entries in reviewed.load(path, "difference", "case")[1].items():
        for entry in entries:
            unknown = set(entry["fields"]) - {"stdout", "status", "files"}
            if unknown:
                raise ListError(f"{path}: {name}: unknown field {', '.join(unknown)}")
            known[name] = entry
    return known
