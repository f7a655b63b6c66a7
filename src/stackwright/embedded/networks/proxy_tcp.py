"""TCP through the monitor: bytes go from socket to socket by way of a pipe inside the kernel (splice(2))."""

from __future__ import annotations

import errno
import fcntl
import os
import select
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

_READ, _WRITE = select.EPOLLIN, select.EPOLLOUT
_SPLICE_FLAGS = 1 | 2  # SPLICE_F_MOVE | SPLICE_F_NONBLOCK
_F_SETPIPE_SZ = 1031
_CHUNK = 1 << 18
_COPY = 1 << 16
_SMALL_TALK = 1 << 17
"""Bytes after which a direction is worth a pipe."""
_ROUNDS = 8
"""Turns of one connection before the others get theirs."""
_ACCEPTS = 64
_EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_PAUSE_SECONDS = 0.05
_RESET = struct.pack("ii", 1, 0)


class Loop(Protocol):
    def register(self, fd: int, events: int, callback: Callable[[int], None]) -> None: ...

    def modify(self, fd: int, events: int) -> None: ...

    def unregister(self, fd: int) -> None: ...

    def call_later(self, seconds: float, callback: Callable[[], None]) -> object: ...


class StreamProxy:
    """Accepts on one listener and connects each client to the target."""

    def __init__(self, loop: Loop, listener: socket.socket, target: tuple[str, int]) -> None:
        """`listener` listens and does not block; `target`: address and port of the container."""
        self._loop = loop
        self._listener = listener
        self._target = target
        self._connections: set[_Connection] = set()
        loop.register(listener.fileno(), _READ, self._on_clients)

    def close(self) -> None:
        """Stop listening, cut the connections; safe to call twice."""
        if self._listener.fileno() >= 0:
            self._loop.unregister(self._listener.fileno())
            self._listener.close()
        for connection in list(self._connections):
            connection.close()

    def forget(self, connection: _Connection) -> None:
        """A connection ended."""
        self._connections.discard(connection)

    def _on_clients(self, _: int) -> None:
        for _ in range(_ACCEPTS):
            try:
                client, _address = self._listener.accept()
                client.setblocking(False)
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in _EXHAUSTED:
                    self._pause()
                    return
                continue  # that client gave up
            try:
                self._connections.add(_Connection(self, self._loop, client, self._target))
            except OSError as error:
                _reset(client)
                if error.errno in _EXHAUSTED:
                    self._pause()
                    return

    def _pause(self) -> None:
        """Let clients wait in the backlog: with no descriptor free, the listener would wake us again and again."""
        self._loop.unregister(self._listener.fileno())
        self._loop.call_later(_PAUSE_SECONDS, self._resume)

    def _resume(self) -> None:
        if self._listener.fileno() >= 0:
            self._loop.register(self._listener.fileno(), _READ, self._on_clients)


class _Direction:
    """One way of a connection. Small talk is copied; a stream that grows goes through a pipe instead.

    A pipe costs four system calls more than a short exchange has in all; a copy costs throughput.
    """

    __slots__ = ("_buffer", "_in_pipe", "_moved", "_pipe", "destination", "ended", "finished", "source")

    def __init__(self, source: socket.socket, destination: socket.socket) -> None:
        self.source = source
        self.destination = destination
        self.ended = False  # the source sent its last byte
        self.finished = False  # the destination has it, and was told so
        self._buffer = b""
        self._moved = 0
        self._pipe: tuple[int, int] | None = None
        self._in_pipe = 0

    @property
    def pending(self) -> bool:
        """Whether bytes wait for room in the destination."""
        return bool(self._buffer or self._in_pipe)

    def pump(self) -> None:
        """Move what can be moved now; OSError when either side broke."""
        with suppress(BlockingIOError):
            for _ in range(_ROUNDS):
                if self.finished:
                    return
                if self._pipe:
                    self._splice(self._pipe)
                else:
                    self._copy()
                if self.ended and not self.pending:
                    self.finished = True
                    self.destination.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Safe to call twice."""
        if self._pipe:
            for descriptor in self._pipe:
                os.close(descriptor)
            self._pipe = None

    def _copy(self) -> None:
        if not self._buffer:
            self._buffer = self.source.recv(_COPY)
            self.ended = not self._buffer
        if self._buffer:
            count = self.destination.send(self._buffer)
            self._buffer = self._buffer[count:]
            self._moved += count
            if self._moved >= _SMALL_TALK and not self._buffer:
                self._open_pipe()

    def _splice(self, pipe: tuple[int, int]) -> None:
        if not self._in_pipe:
            self._in_pipe = os.splice(self.source.fileno(), pipe[1], _CHUNK, flags=_SPLICE_FLAGS)
            self.ended = not self._in_pipe
        if self._in_pipe:
            self._in_pipe -= os.splice(pipe[0], self.destination.fileno(), self._in_pipe, flags=_SPLICE_FLAGS)

    def _open_pipe(self) -> None:
        with suppress(OSError):  # out of descriptors: copying goes on
            self._pipe = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
            fcntl.fcntl(self._pipe[1], _F_SETPIPE_SZ, _CHUNK)  # beyond the user's allowance the default does


class _Connection:
    """A client and its connection to the container; each side closes its half on its own."""

    def __init__(
        self, proxy: StreamProxy, loop: Loop, client: socket.socket, target: tuple[str, int]
    ) -> None:
        self._proxy = proxy
        self._loop = loop
        self._client = client
        family = socket.AF_INET6 if ":" in target[0] else socket.AF_INET
        self._server = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        self._ways: tuple[_Direction, ...] = ()
        self._events: dict[int, int] = {}
        try:
            for side in (client, self._server):
                side.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            number = self._server.connect_ex(target)
            if number not in (0, errno.EINPROGRESS):
                raise OSError(number, os.strerror(number))
            self._watch(self._server, _WRITE)
        except OSError:
            self._server.close()
            raise

    def close(self, *, broken: bool = False) -> None:
        """End both sides, with a reset if one of them `broken`; safe to call twice."""
        for side in (self._client, self._server):
            if side.fileno() >= 0:
                self._watch(side, 0)
                if broken:
                    _reset(side)
                side.close()
        for way in self._ways:
            way.close()
        self._ways = ()
        self._proxy.forget(self)

    def _on_event(self, _: int) -> None:
        try:
            if not self._ways:
                number = self._server.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                if number:
                    raise OSError(number, os.strerror(number))
                self._ways = (
                    _Direction(self._client, self._server),
                    _Direction(self._server, self._client),
                )
            for way in self._ways:
                way.pump()
        except OSError:
            self.close(broken=True)
            return
        if all(way.finished for way in self._ways):
            self.close()
            return
        there, back = self._ways
        self._watch(self._client, _wanted(there, back))
        self._watch(self._server, _wanted(back, there))

    def _watch(self, side: socket.socket, events: int) -> None:
        """Register for `events`; with none, not at all (a hung-up socket would wake us for ever)."""
        descriptor = side.fileno()
        before = self._events.get(descriptor, 0)
        if events == before:
            return
        if not events:
            self._loop.unregister(descriptor)
        elif not before:
            self._loop.register(descriptor, events, self._on_event)
        else:
            self._loop.modify(descriptor, events)
        self._events[descriptor] = events


def _wanted(out: _Direction, into: _Direction) -> int:
    """Events that a socket has to be watched for: data from it if there is room, room in it if there is data."""
    reading = _READ if not out.ended and not out.pending else 0
    writing = _WRITE if into.pending else 0
    return reading | writing


def _reset(side: socket.socket) -> None:
    """Close so that the peer sees an error, not an end."""
    with suppress(OSError):
        side.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    side.close()
