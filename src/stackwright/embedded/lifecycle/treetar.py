"""Files as tar archives, for `docker cp` and export: names and owners as they are, nothing looked up in
passwd.

Not `tarfile`: it asks the name service for owners, which inside a container's root means loading the
container's own libraries into the engine.
"""

from __future__ import annotations

import os
import posixpath
import stat
from collections.abc import Callable, Iterator
from dataclasses import replace

from stackwright.embedded.errors import BadParameter
from stackwright.embedded.images.archive.reader import Entry, TarReader
from stackwright.embedded.images.archive.writer import BLOCK, header

_CHUNK = 1 << 20
_END = bytes(2 * BLOCK)
Write = Callable[[bytes], object]


def write_tree(path: str, name: str, write: Write, *, one_filesystem: bool = False) -> None:
    """Archive `path` (and what is below it) under `name`; `one_filesystem` leaves mounts out, but for their
    empty folders.
    """
    status = os.lstat(path)
    _Writer(write, status.st_dev if one_filesystem else None).add(path, os.fsencode(name), status)
    write(_END)


class _Writer:
    def __init__(self, write: Write, device: int | None) -> None:
        self._write = write
        self._device = device
        self._links: dict[tuple[int, int], bytes] = {}

    def add(self, path: str, name: bytes, status: os.stat_result) -> None:
        mode = status.st_mode
        if stat.S_ISDIR(mode):
            self._folder(path, name, status)
            return
        if status.st_nlink > 1:
            first = self._links.setdefault((status.st_dev, status.st_ino), name)
            if first is not name:
                self._entry(name, b"1", status, linkname=first)
                return
        if stat.S_ISREG(mode):
            self._file(path, name, status)
        elif stat.S_ISLNK(mode):
            self._entry(name, b"2", status, linkname=os.fsencode(os.readlink(path)))  # noqa: PTH115
        elif stat.S_ISCHR(mode):
            self._entry(name, b"3", status)
        elif stat.S_ISBLK(mode):
            self._entry(name, b"4", status)
        elif stat.S_ISFIFO(mode):
            self._entry(name, b"6", status)

    def _folder(self, path: str, name: bytes, status: os.stat_result) -> None:
        if name not in (b"", b"/"):
            self._entry(name.rstrip(b"/") + b"/", b"5", status)
        if self._device is not None and status.st_dev != self._device:
            return
        with os.scandir(path) as found:
            entries = sorted(found, key=lambda entry: entry.name)
        prefix = name.rstrip(b"/") + b"/" if name else b""
        for entry in entries:
            try:
                below = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue  # removed by the container meanwhile
            self.add(entry.path, prefix + os.fsencode(entry.name), below)

    def _file(self, path: str, name: bytes, status: os.stat_result) -> None:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            self._entry(name, b"0", status, size=status.st_size)
            left = status.st_size
            while left:
                # A file cut short meanwhile is filled up: the archive must stay in step with its header.
                data = os.read(descriptor, min(left, _CHUNK)) or bytes(min(left, _CHUNK))
                self._write(data)
                left -= len(data)
        finally:
            os.close(descriptor)
        self._write(bytes(-status.st_size % BLOCK))

    def _entry(
        self, name: bytes, flag: bytes, status: os.stat_result, *, size: int = 0, linkname: bytes = b""
    ) -> None:
        self._write(
            header(
                name,
                flag,
                mode=stat.S_IMODE(status.st_mode),
                uid=status.st_uid,
                gid=status.st_gid,
                size=size,
                mtime=int(status.st_mtime),
                linkname=linkname,
                major=os.major(status.st_rdev),
                minor=os.minor(status.st_rdev),
            )
        )


class Below:
    """A TarReader whose entries are named below a folder: unpacking then resolves links in the whole root.

    `keep_kind`: refuse an entry that would put a file in a folder's place or a folder in a file's
    (BadParameter).
    """

    def __init__(self, reader: TarReader, folder: str, *, keep_kind: bool = False) -> None:
        self._reader = reader
        self._keep_kind = keep_kind
        self._folder = folder.strip("/")

    def __iter__(self) -> Iterator[Entry]:
        for entry in self._reader:
            name = posixpath.normpath(entry.name.lstrip("/"))
            if name == ".":
                continue  # the folder itself keeps its owner and mode
            link = entry.linkname
            if entry.kind == "hardlink":
                link = f"{self._folder}/{link.lstrip('/')}"
            if self._keep_kind:
                _check_kind(f"/{self._folder}/{name}", entry)
            yield replace(entry, name=f"{self._folder}/{name}", linkname=link)

    def chunks(self) -> Iterator[bytes]:
        """Content of the entry last given."""
        return self._reader.chunks()


def _check_kind(path: str, entry: Entry) -> None:
    try:
        is_folder = stat.S_ISDIR(os.lstat(path).st_mode)
    except OSError:
        return
    if is_folder and entry.kind != "dir":
        raise BadParameter(f'cannot overwrite directory "{path}" with non-directory')
    if not is_folder and entry.kind == "dir":
        raise BadParameter(f'cannot overwrite non-directory "{path}" with directory')
