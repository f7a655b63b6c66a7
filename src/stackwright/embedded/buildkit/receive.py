"""Receives a folder of the client's (the protocol of fsutil: STAT, REQ, DATA, FIN, ERR).

The sender is not trusted. The target folder is empty and nobody else writes to it, every name is made new, and only
below folders that were made here: so no link that was sent is ever followed, and nothing is written twice.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import stat
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from stackwright.embedded.buildkit import messages_pb2 as pb
from stackwright.embedded.errors import BadParameter
from stackwright.embedded.images.archive.limits import Limits

_UNDER_WAY = 64
"""Files asked for and not yet complete."""
_GO_DIR, _GO_LINK, _GO_DEVICE, _GO_PIPE, _GO_SOCKET = 1 << 31, 1 << 27, 1 << 26, 1 << 25, 1 << 24
_GO_SPECIAL = ((1 << 23, stat.S_ISUID), (1 << 22, stat.S_ISGID), (1 << 20, stat.S_ISVTX))


def permissions(mode: int) -> int:
    """The permission bits of a Go ``os.FileMode``."""
    found = mode & 0o777
    for theirs, ours in _GO_SPECIAL:
        if mode & theirs:
            found |= ours
    return found


class Send(Protocol):
    """How packets go to the sender; nothing follows the one with ``end``."""

    async def __call__(self, message: pb.Packet, *, end: bool = False) -> None: ...


@dataclass
class _File:
    path: str
    stat: pb.Stat
    out: int | None = None


@dataclass
class Receiver:
    """One transfer into ``folder``. ``received`` counts bytes of content."""

    folder: Path
    limits: Limits
    received: int = 0
    _folders: dict[str, pb.Stat] = field(default_factory=dict)
    _names: set[str] = field(default_factory=set)
    _files: dict[int, _File] = field(default_factory=dict)
    _regular: set[str] = field(default_factory=set)
    _count: int = 0

    async def run(self, packets: AsyncIterator[pb.Packet], send: Send) -> None:
        """Receive everything. BadParameter when what is sent makes no sense or is too much."""
        wanted: asyncio.Queue[int | None] = asyncio.Queue()
        free = asyncio.Semaphore(_UNDER_WAY)
        complete = asyncio.Event()

        async def ask() -> None:
            while (number := await wanted.get()) is not None:
                await free.acquire()
                await send(pb.Packet(type=pb.Packet.PACKET_REQ, ID=number))
            await complete.wait()
            await send(pb.Packet(type=pb.Packet.PACKET_FIN), end=True)

        asking = asyncio.ensure_future(ask())
        told = False
        try:
            async for packet in packets:
                if asking.done():
                    asking.result()
                match packet.type:
                    case pb.Packet.PACKET_STAT if packet.HasField("stat"):
                        if self._entry(packet.stat):
                            wanted.put_nowait(self._count)
                        self._count += 1
                    case pb.Packet.PACKET_STAT:
                        told = True
                        wanted.put_nowait(None)
                    case pb.Packet.PACKET_DATA:
                        if self._data(packet.ID, packet.data):
                            free.release()
                    case pb.Packet.PACKET_FIN:
                        break
                    case pb.Packet.PACKET_ERR:
                        raise BadParameter(f"error from sender: {packet.data.decode(errors='replace')}")
                if told and not self._files:
                    complete.set()
            await asking
            self._finish()
        except OSError as error:
            raise BadParameter(f"cannot receive the build's files: {error.strerror or error}") from error
        finally:
            asking.cancel()
            for file in self._files.values():
                if file.out is not None:
                    os.close(file.out)

    def _entry(self, sent: pb.Stat) -> bool:
        """Make what was announced; True when its content has to be asked for."""
        path = self._checked(sent.path)
        host = str(self.folder / path)
        self._names.add(path)
        if len(self._names) > self.limits.entries:
            raise BadParameter(f"more than {self.limits.entries} files")
        if sent.mode & _GO_DIR:
            Path(host).mkdir(0o700)
            self._folders[path] = sent
        elif sent.mode & _GO_LINK:
            Path(host).symlink_to(sent.linkname)
            _stamp(host, sent.modTime)
        elif sent.mode & _GO_PIPE:
            os.mkfifo(host, permissions(sent.mode))
            _stamp(host, sent.modTime)
        elif sent.mode & (_GO_DEVICE | _GO_SOCKET):
            raise BadParameter(f"{sent.path}: a device or socket cannot be part of a build's files")
        elif sent.linkname:
            other = sent.linkname.lstrip("/")
            if other not in self._regular:
                raise BadParameter(
                    f"{sent.path}: a hard link to {sent.linkname}, which was not sent before it"
                )
            os.link(self.folder / other, host)
        else:
            descriptor = os.open(host, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
            self._regular.add(path)
            file = _File(path, sent)
            if sent.size:
                os.close(descriptor)
                self._files[self._count] = file
                return True
            file.out = descriptor
            self._close(file)
        return False

    def _checked(self, path: str) -> str:
        parts = path.split("/")
        if len(path) > self.limits.name or "\0" in path or any(part in ("", ".", "..") for part in parts):
            raise BadParameter(f"{path!r}: not a path inside the folder")
        parent = "/".join(parts[:-1])
        if parent and parent not in self._folders:
            raise BadParameter(f"{path!r}: its folder was not sent before it")
        if path in self._names:
            raise BadParameter(f"{path!r}: sent twice")
        return path

    def _data(self, number: int, data: bytes) -> bool:
        """Write a piece; True when the file is complete."""
        file = self._files.get(number)
        if file is None:
            raise BadParameter(f"content for file {number}, which was not asked for")
        if file.out is None:
            file.out = os.open(self.folder / file.path, os.O_WRONLY | os.O_NOFOLLOW)
        if not data:
            self._close(file)
            del self._files[number]
            return True
        self.received += len(data)
        if self.received > self.limits.unpacked:
            raise BadParameter(
                f"the build's files are larger than the {self.limits.unpacked} bytes there is room for"
            )
        view = memoryview(data)
        while view:
            view = view[os.write(file.out, view) :]
        return False

    @staticmethod
    def _close(file: _File) -> None:
        assert file.out is not None, "a file is opened before it is closed"
        os.fchmod(file.out, permissions(file.stat.mode))
        os.utime(file.out, ns=(file.stat.modTime, file.stat.modTime))
        os.close(file.out)
        file.out = None

    def _finish(self) -> None:
        for path, sent in reversed(self._folders.items()):
            host = self.folder / path
            host.chmod(permissions(sent.mode))
            _stamp(str(host), sent.modTime)


def _stamp(host: str, nanoseconds: int) -> None:
    with contextlib.suppress(OSError):
        os.utime(host, ns=(nanoseconds, nanoseconds), follow_symlinks=False)
