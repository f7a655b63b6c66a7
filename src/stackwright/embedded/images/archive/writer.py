"""Writes folders as tar archives: the same folder always gives the same bytes.

That is what lets a layer made by the builder exist as a folder only: its digest is computed once, and the
archive is
written again whenever somebody wants to save or push it. Hence: entries sorted, whole seconds, PAX only
where needed, owners as numbers.
"""

# Plain strings: Path objects are a third of the time on a layer of many small files.
# ruff: noqa: PTH115

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable
from pathlib import Path

from stackwright.embedded.images.archive.errors import BadArchive
from stackwright.embedded.images.archive.unpack import OPAQUE_MARKER, WHITEOUT_PREFIX

BLOCK = 512
_CHUNK = 1 << 20
_END = bytes(2 * BLOCK)
_KEPT_XATTRS = ("user.", "security.capability")
_HIDDEN_XATTRS = ("user.overlay.", "trusted.overlay.")
_OPAQUE = ("trusted.overlay.opaque", "user.overlay.opaque")

Write = Callable[[bytes], object]


def header(
    name: bytes,
    flag: bytes,
    *,
    mode: int = 0o644,
    uid: int = 0,
    gid: int = 0,
    size: int = 0,
    mtime: int = 0,
    linkname: bytes = b"",
    major: int = 0,
    minor: int = 0,
    extra: dict[str, bytes] | None = None,
) -> bytes:
    """One entry's header blocks: ustar, preceded by a PAX header for whatever does not fit in it."""
    pax = dict(extra or {})
    if len(name) > 100 or not name.isascii():
        pax["path"] = name
    if len(linkname) > 100 or not linkname.isascii():
        pax["linkpath"] = linkname
    for key, value, digits in (("uid", uid, 7), ("gid", gid, 7), ("size", size, 11), ("mtime", mtime, 11)):
        if not 0 <= value < 8**digits:
            pax[key] = b"%d" % value
    plain = _ustar(name, flag, mode, uid, gid, size, mtime, linkname, major, minor)
    if not pax:
        return plain
    records = b"".join(_pax_record(key.encode(), pax[key]) for key in sorted(pax))
    pax_name = b"PaxHeaders.0/" + name.rstrip(b"/").rsplit(b"/", 1)[-1][:80]
    return _ustar(pax_name, b"x", 0o644, 0, 0, len(records), 0, b"", 0, 0) + pad(records) + plain


def _ustar(
    name: bytes,
    flag: bytes,
    mode: int,
    uid: int,
    gid: int,
    size: int,
    mtime: int,
    linkname: bytes,
    major: int,
    minor: int,
) -> bytes:
    def octal(value: int, digits: int) -> bytes:
        return b"%0*o" % (digits, value if 0 <= value < 8**digits else 0)

    block = (
        name[:100].ljust(100, b"\0")
        + b"%07o\0" % (mode & 0o7777)
        + octal(uid, 7)
        + b"\0"
        + octal(gid, 7)
        + b"\0"
        + octal(size, 11)
        + b"\0"
        + octal(mtime, 11)
        + b"\0        "
        + flag
        + linkname[:100].ljust(100, b"\0")
        + b"ustar\x0000"
        + bytes(64)
        + octal(major, 7)
        + b"\0"
        + octal(minor, 7)
        + b"\0"
    ).ljust(BLOCK, b"\0")
    return block[:148] + b"%06o\0 " % sum(block) + block[156:]


def pad(data: bytes) -> bytes:
    """``data`` and zeros up to the next whole block."""
    return data + bytes(-len(data) % BLOCK)


def _pax_record(key: bytes, value: bytes) -> bytes:
    body = b" " + key + b"=" + value + b"\n"
    length = len(body) + 1
    while length != len(body) + len(str(length)):
        length = len(body) + len(str(length))
    return b"%d" % length + body


def write_layer(folder: Path | str, write: Write) -> int:
    """Write an overlay folder as a layer archive; returns the bytes of file content in it.

    Whiteout devices become ``.wh.name`` files, opaque folders get a ``.wh..wh..opq``. Sockets are left out.
    """
    try:
        return _LayerWriter(os.fspath(folder), write).run()
    except RecursionError:
        raise BadArchive("folders nested too deeply for a layer") from None


def measure_layer(folder: Path | str) -> int:
    """The bytes :func:`write_layer` would write, without reading any file."""
    length = 0

    def count(data: bytes) -> None:
        nonlocal length
        length += len(data)

    measuring = _Measuring(os.fspath(folder), count)
    measuring.run()
    return length + measuring.skipped


def digest_layer(folder: Path | str) -> tuple[str, int]:
    """``("sha256:...", bytes of file content)`` of the archive :func:`write_layer` would write: the diff
    id.
    """
    digest = hashlib.sha256()
    size = write_layer(folder, digest.update)
    return f"sha256:{digest.hexdigest()}", size


class _LayerWriter:
    def __init__(self, root: str, write: Write) -> None:
        self._root, self._write = root, write
        self._links: dict[tuple[int, int], bytes] = {}
        self._size = 0

    def run(self) -> int:
        self._folder(self._root, b"")
        self._write(_END)
        return self._size

    def _folder(self, path: str, prefix: bytes) -> None:
        with os.scandir(path) as found:
            entries = sorted(found, key=lambda entry: os.fsencode(entry.name))
        for entry in entries:
            status = entry.stat(follow_symlinks=False)
            name = prefix + os.fsencode(entry.name)
            if not stat.S_ISDIR(status.st_mode):
                self._other(entry.path, name, status)
                continue
            xattrs, opaque = _xattrs(entry.path)
            self._write(_for(name + b"/", b"5", status, extra=xattrs))
            if opaque:
                self._write(header(name + b"/" + OPAQUE_MARKER.encode(), b"0", mode=0o600))
            self._folder(entry.path, name + b"/")

    def _other(self, path: str, name: bytes, status: os.stat_result) -> None:
        mode = status.st_mode
        if stat.S_ISCHR(mode) and status.st_rdev == 0:
            parent, slash, base = name.rpartition(b"/")
            self._write(header(parent + slash + WHITEOUT_PREFIX.encode() + base, b"0", mode=0o600))
            return
        if status.st_nlink > 1:
            first = self._links.setdefault((status.st_dev, status.st_ino), name)
            if first is not name:
                self._write(_for(name, b"1", status, linkname=first))
                return
        if stat.S_ISREG(mode):
            xattrs, _ = _xattrs(path)
            self._write(_for(name, b"0", status, size=status.st_size, extra=xattrs))
            self._content(path, status.st_size)
        elif stat.S_ISLNK(mode):
            self._write(_for(name, b"2", status, linkname=os.fsencode(os.readlink(path))))
        elif stat.S_ISCHR(mode) or stat.S_ISBLK(mode):
            flag = b"3" if stat.S_ISCHR(mode) else b"4"
            major, minor = os.major(status.st_rdev), os.minor(status.st_rdev)
            self._write(_for(name, flag, status, major=major, minor=minor))
        elif stat.S_ISFIFO(mode):
            self._write(_for(name, b"6", status))

    def _content(self, path: str, size: int) -> None:
        self._size += size
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
        try:
            left = size
            while left:
                data = os.read(descriptor, min(left, _CHUNK))
                if not data:  # cut short meanwhile; the archive must stay in step with the header
                    data = bytes(min(left, _CHUNK))
                self._write(data)
                left -= len(data)
        finally:
            os.close(descriptor)
        if size % BLOCK:
            self._write(bytes(-size % BLOCK))


class _Measuring(_LayerWriter):
    skipped = 0

    def _content(self, path: str, size: int) -> None:
        self.skipped += size + -size % BLOCK


def _for(
    name: bytes,
    flag: bytes,
    status: os.stat_result,
    *,
    size: int = 0,
    linkname: bytes = b"",
    major: int = 0,
    minor: int = 0,
    extra: dict[str, bytes] | None = None,
) -> bytes:
    return header(
        name,
        flag,
        mode=status.st_mode,
        uid=status.st_uid,
        gid=status.st_gid,
        size=size,
        mtime=int(status.st_mtime),
        linkname=linkname,
        major=major,
        minor=minor,
        extra=extra,
    )


def _xattrs(path: str) -> tuple[dict[str, bytes] | None, bool]:
    """The attributes that belong to the layer, and whether the folder is opaque."""
    names = os.listxattr(path, follow_symlinks=False)
    if not names:
        return None, False
    opaque = any(os.getxattr(path, key, follow_symlinks=False) == b"y" for key in names if key in _OPAQUE)
    kept = {
        f"SCHILY.xattr.{key}": os.getxattr(path, key, follow_symlinks=False)
        for key in names
        if key.startswith(_KEPT_XATTRS) and not key.startswith(_HIDDEN_XATTRS)
    }
    return kept, opaque
