"""The engine's side of a connection to a monitor or exec session: frames over asyncio, with descriptors."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections import deque
from typing import Any

from . import state, wire

_CHUNK = 64 * 1024


class Channel:
    """Frames in order; one reader and any number of writers at a time."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._splitter = wire.Splitter()
        self._frames: deque[tuple[int, bytes]] = deque()
        self._descriptors: deque[int] = deque()
        self._sending = asyncio.Lock()

    @classmethod
    async def connect(cls, directory: str) -> Channel:
        """To the monitor of the container at `directory`. OSError when none listens."""
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.setblocking(False)
        try:
            fd = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                path = (
                    f"/proc/self/fd/{fd}/{state.SOCKET}"  # the real path may be longer than a socket's may be
                )
                await asyncio.get_running_loop().sock_connect(sock, path)
            finally:
                os.close(fd)
        except BaseException:
            sock.close()
            raise
        return cls(sock)

    async def send(self, data: bytes) -> None:
        """Send whole frames. OSError when the peer has gone."""
        async with self._sending:
            if self._sock.fileno() < 0:
                raise BrokenPipeError(errno.EPIPE, "the connection was closed")
            await asyncio.get_running_loop().sock_sendall(self._sock, data)

    async def receive(self) -> tuple[int, bytes] | None:
        """The next frame; None when the peer has gone."""
        while not self._frames:
            try:
                data, descriptors = wire.receive(self._sock, _CHUNK)
            except BlockingIOError:
                await self._readable()
                continue
            except ConnectionResetError:
                return None
            self._descriptors += descriptors
            if not data:
                return None
            self._frames += self._splitter.feed(data)
        return self._frames.popleft()

    async def message(self) -> Any:
        """The next message, frames of streams skipped; None when the peer has gone."""
        while (received := await self.receive()) is not None:
            if received[0] == wire.MESSAGE:
                return wire.parse(received[1])
        return None

    def take_descriptor(self) -> int:
        """The oldest descriptor received and not yet taken; -1 when there is none."""
        return self._descriptors.popleft() if self._descriptors else -1

    def shutdown_writing(self) -> None:
        """No more frames from us."""
        self._sock.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Safe to call twice; descriptors nobody took are closed too."""
        while self._descriptors:
            os.close(self._descriptors.popleft())
        self._sock.close()

    async def _readable(self) -> None:
        loop = asyncio.get_running_loop()
        waiting: asyncio.Future[None] = loop.create_future()
        fd = self._sock.fileno()
        loop.add_reader(fd, _wake, waiting)
        try:
            await waiting
        finally:
            loop.remove_reader(fd)


def _wake(waiting: asyncio.Future[None]) -> None:
    if not waiting.done():
        waiting.set_result(None)
