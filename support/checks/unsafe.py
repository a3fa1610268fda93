#!/usr/bin/python3
"""unsafe.py FILE...: where unsafe code stands, and whether a `// SAFETY:` line covers it.

A `// SAFETY:` line covers what follows it in its block up to the next blank line; what is indented deeper than the
line, such as the body of a closure, stays covered across blank lines.
"""

import os
import re
import sys

UNSAFE = re.compile(r"\bunsafe\b|Unsafe(Mutable)?(Raw)?(Buffer)?Pointer\b|\bwithUnsafe|\bunsafe[A-Z]|\bUnmanaged\b|\bOpaquePointer\b")
# What needs a reason: a marked expression, and state that the compiler is told not to check.
USE = re.compile(r"(?<!@)\bunsafe\b")
STRING = re.compile(r'"(\\.|[^"\\])*"')


def code_lines(text):
    """Yields (number, line, code): code is the line without comments and string literals."""
    in_comment = False
    in_string = False
    for number, line in enumerate(text.split("\n"), 1):
        code = line
        if in_string:
            in_string = '"""' not in code
            yield number, line, ""
            continue
        if in_comment:
            end = code.find("*/")
            if end < 0:
                yield number, line, ""
                continue
            code = code[end + 2:]
            in_comment = False
        if code.count('"""') == 1:
            in_string = True
            code = code.split('"""')[0]
        code = STRING.sub('""', code)
        code = code.split("//")[0]
        code = re.sub(r"/\*.*?\*/", "", code)
        if "/*" in code:
            in_comment = True
            code = code.split("/*")[0]
        yield number, line, code


def faults_of(path, text):
    """Yields (line number, message)."""
    may_be_unsafe = path.startswith("Sources/Platform/") or os.path.basename(path).endswith("Unsafe.swift")
    cover = None  # indentation of the SAFETY line in force
    after_blank = False
    for number, line, code in code_lines(text):
        if not line.strip():
            after_blank = True
            continue
        indent = len(line) - len(line.lstrip())
        if cover is not None and (indent < cover or (indent == cover and after_blank)):
            cover = None
        after_blank = False
        if line.lstrip().startswith("// SAFETY:"):
            cover = indent
        if not may_be_unsafe:
            if UNSAFE.search(code):
                yield number, "unsafe code outside Platform and …Unsafe.swift: use spans, or move it into such a file"
        elif USE.search(code) and cover is None:
            yield number, "no `// SAFETY:` line above says why this holds"


def main(paths):
    count = 0
    for path in paths:
        if not os.path.exists(path):
            continue
        with open(path, encoding="utf-8") as stream:
            for number, message in faults_of(path, stream.read()):
                print(f"{path}:{number}: {message}")
                count += 1
    return 1 if count else 0


sys.exit(main(sys.argv[1:]))
