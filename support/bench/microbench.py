"""Reads what microbench.c prints, and the programs of its kind."""

import re

NAME_WIDTH = 28


def parse(output):
    """Returns {line: (value, unit)} and {line: why it was skipped}."""
    figures, skipped = {}, {}
    for text in output.decode(errors="replace").replace("\r", "").splitlines():
        name, rest = text[:NAME_WIDTH].rstrip(), text[NAME_WIDTH:].strip()
        if found := re.fullmatch(r"(-?\d+\.\d) (\S+)", rest):
            figures[name] = (float(found.group(1)), found.group(2))
        elif rest.startswith("skipped: "):
            skipped[name] = rest.removeprefix("skipped: ")
    return figures, skipped


def is_complete(output, program="microbench"):
    """Tells whether the program came to its end."""
    return f"{program}: done".encode() in output
