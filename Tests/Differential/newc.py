"""Trees of files: what a program left behind, read from a directory or from a newc archive.

Both readers give the same `Entry` for the same file, so that a tree which Linux left on disk and a tree which the
guest exported can be compared. The archive format is cpio's "new ASCII" one (magic 070701), see cpio(5).
"""

import dataclasses
import os
import stat

MAGIC = b"070701"
HEADER_SIZE = 110
TRAILER = b"TRAILER!!!"


class FormatError(Exception):
    """The archive is not a well-formed newc archive."""


@dataclasses.dataclass(frozen=True)
class Entry:
    """One file. Times and inode numbers are left out: they differ by nature."""

    kind: str
    mode: int
    uid: int
    gid: int
    content: bytes = b""  # a regular file's bytes, a symbolic link's target
    device: tuple = ()  # (major, minor) of a device node
    links: tuple = ()  # every path of a hard-link group, when it has more than one

    def describe(self):
        """Returns one line for a report, without the contents."""
        parts = [f"{self.kind} mode={self.mode:04o} owner={self.uid}:{self.gid}"]
        if self.kind == "file":
            parts.append(f"size={len(self.content)}")
        if self.kind == "symlink":
            parts.append(f"target={self.content!r}")
        if self.device:
            parts.append("device=%d:%d" % self.device)
        if self.links:
            parts.append("links=" + ",".join(self.links))
        return " ".join(parts)


KINDS = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "directory",
    stat.S_IFLNK: "symlink",
    stat.S_IFCHR: "character device",
    stat.S_IFBLK: "block device",
    stat.S_IFIFO: "fifo",
    stat.S_IFSOCK: "socket",
}


def _name(raw):
    return os.fsdecode(raw)


def _with_links(found):
    """Turns (path → (entry, identity)) into entries whose `links` name the other paths of the same file."""
    groups = {}
    for path, (entry, identity) in found.items():
        if identity is not None:
            groups.setdefault(identity, []).append(path)
    tree = {}
    for path, (entry, identity) in found.items():
        group = groups.get(identity, [])
        tree[path] = dataclasses.replace(entry, links=tuple(sorted(group))) if len(group) > 1 else entry
    return tree


def read_directory(root, subtrees):
    """Returns path → Entry for each of `subtrees` (absolute inside `root`) and everything below it."""
    found = {}

    def visit(path):
        real = root + path
        status = os.lstat(real)
        kind = KINDS[stat.S_IFMT(status.st_mode)]
        content, device = b"", ()
        if kind == "file":
            with open(real, "rb") as file:
                content = file.read()
        elif kind == "symlink":
            content = os.fsencode(os.readlink(real))
        elif kind.endswith("device"):
            device = (os.major(status.st_rdev), os.minor(status.st_rdev))
        identity = None if kind == "directory" else (status.st_dev, status.st_ino)
        entry = Entry(kind, stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid, content, device)
        found[path] = (entry, identity)
        if kind == "directory":
            for name in os.listdir(real):
                visit(path.rstrip("/") + "/" + name)

    for subtree in subtrees:
        if os.path.lexists(root + subtree):
            visit(subtree)
    return _with_links(found)


def read_archive(data):
    """Returns path → Entry for the newc archive `data`; names are taken as absolute.

    Raises FormatError when the archive is cut or malformed, a missing trailer included: the guest writes the trailer
    last, so without it the export is not whole.
    """
    found = {}
    contents = {}
    offset = 0
    while True:
        if len(data) < offset + HEADER_SIZE:
            raise FormatError(f"the archive ends at {len(data)}, within the header at {offset}")
        if data[offset : offset + 6] != MAGIC:
            raise FormatError(f"no newc magic at {offset}: {data[offset:offset + 6]!r}")
        try:
            fields = [int(data[offset + 6 + 8 * i : offset + 14 + 8 * i], 16) for i in range(13)]
        except ValueError as error:
            raise FormatError(f"a header field at {offset} is not hexadecimal") from error
        inode, mode, uid, gid, _links, _mtime, size, major, minor, rmajor, rminor, name_size, _check = fields
        name_start = offset + HEADER_SIZE
        content_start = (name_start + name_size + 3) & ~3
        if len(data) < content_start + size:
            raise FormatError(f"the archive ends at {len(data)}, within the entry at {offset}")
        name = data[name_start : name_start + name_size].split(b"\0")[0]
        content = data[content_start : content_start + size]
        offset = (content_start + size + 3) & ~3
        if name == TRAILER:
            break
        kind = KINDS.get(stat.S_IFMT(mode))
        if kind is None:
            raise FormatError(f"{name!r}: unknown file type in mode {mode:o}")
        path = "/" + os.path.normpath("/" + _name(name)).strip("/")
        identity = None if kind == "directory" else (major, minor, inode)
        device = (rmajor, rminor) if kind.endswith("device") else ()
        # Of a hard-link group, one member carries the data (GNU cpio: the last, others: the first).
        if content and identity is not None:
            contents[identity] = content
        found[path] = (Entry(kind, stat.S_IMODE(mode), uid, gid, content, device), identity)
    for path, (entry, identity) in found.items():
        if entry.kind == "file" and identity in contents:
            found[path] = (dataclasses.replace(entry, content=contents[identity]), identity)
    return _with_links(found)
