"""Files as a tar stream, made while it is sent: build contexts, copies into containers, watched changes."""

from __future__ import annotations

import asyncio
import io
import tarfile
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from pathlib import Path

PIECE = 1 << 18


@dataclass(frozen=True, slots=True)
class Entry:
    """One file, folder or link: where it is and what it is called in the tar. `content` stands for a file."""

    name: str
    path: Path | None = None
    content: bytes = b""


async def stream(entries: Iterable[Entry], *, owner: tuple[int, int] | None = None) -> AsyncIterator[bytes]:
    """The tar, piece by piece; files are read while it is sent. A file that went away meanwhile is left out.

    `owner`: user and group id that everything belongs to; None for those that the files have here.
    """
    buffer = _Buffer()
    with tarfile.open(fileobj=buffer, mode="w|", format=tarfile.PAX_FORMAT) as tar:
        for entry in entries:
            await asyncio.to_thread(_add, tar, entry, owner)
            if buffer.size > PIECE:
                yield buffer.take()
    yield buffer.take()


class _Buffer(io.RawIOBase):
    """What tarfile has written and nobody has taken yet."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self.size = 0

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        part = bytes(data)  # type: ignore[call-overload]
        self._parts.append(part)
        self.size += len(part)
        return len(part)

    def take(self) -> bytes:
        """Everything since the last call."""
        data, self._parts, self.size = b"".join(self._parts), [], 0
        return data


def _add(tar: tarfile.TarFile, entry: Entry, owner: tuple[int, int] | None) -> None:
    if entry.path is None:
        member = tarfile.TarInfo(entry.name)
        member.size, member.mode = len(entry.content), 0o644
        tar.addfile(member, io.BytesIO(entry.content))
        return
    try:
        member = tar.gettarinfo(entry.path, arcname=entry.name)
        if member is None:  # a socket: tar has no place for it
            return
        if member.islnk():  # every file is sent with its content: the other name may not be part of the tar
            member.type, member.linkname = tarfile.REGTYPE, ""
            member.size = entry.path.stat().st_size
        if owner is not None:
            member.uid, member.gid = owner
            member.uname = member.gname = ""
        if not member.isreg():
            tar.addfile(member)
            return
        with entry.path.open("rb") as file:
            tar.addfile(member, _Exactly(file, member.size))  # type: ignore[arg-type]
    except FileNotFoundError:
        return


class _Exactly:
    """A file that gives as many bytes as its header promised, also while somebody writes to it."""

    def __init__(self, file: io.BufferedReader, size: int) -> None:
        self._file, self._left = file, size

    def read(self, size: int) -> bytes:
        data = self._file.read(min(size, self._left)).ljust(min(size, self._left), b"\0")
        self._left -= len(data)
        return data
