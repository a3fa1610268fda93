"""Lists of reviewed exceptions: what a run may find without failing, each with the reason why."""

import tomllib


class ListError(SystemExit):
    """A list says what nobody understands: its text is what the program ends with, unless somebody catches it."""


def load(path, table, key):
    """Returns (what the file at `path` says, its entries of `table` by their `key`).

    An entry is what a person has looked at: one that gives no reason is an error. Several may have the same key.
    """
    with open(path, "rb") as file:
        document = tomllib.load(file)
    entries = {}
    for entry in document.get(table, []):
        if not entry.get(key):
            raise ListError(f"{path}: a [[{table}]] without `{key}`")
        if not entry.get("reason", "").strip():
            raise ListError(f"{path}: {entry[key]}: a [[{table}]] needs a reason")
        entries.setdefault(entry[key], []).append(entry)
    return document, entries
