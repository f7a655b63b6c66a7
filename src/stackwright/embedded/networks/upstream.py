"""Asking other nameservers for what the tables do not know, without ever blocking the monitor's loop."""

from __future__ import annotations

import errno
import select
import socket
import struct
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Protocol

from stackwright.embedded.networks import dnsmessage, outside

RESOLV_CONF = "/etc/resolv.conf"
_MAX_SERVERS = 3
_TOTAL_SECONDS = 4.5
"""Less than the five seconds that the C library in the container waits before it asks again."""
_READ, _WRITE = select.EPOLLIN, select.EPOLLOUT

Done = Callable[[bytes | None], None]
"""Called once: with the response, or None when no server gave one."""


class Timer(Protocol):
    def cancel(self) -> None: ...


class Loop(Protocol):
    """The part of `containers.loop.Loop` used by the resolver; `events` are those of select.epoll."""

    def register(self, fd: int, events: int, callback: Callable[[int], None]) -> None: ...

    def unregister(self, fd: int) -> None: ...

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Timer: ...


def nameservers(path: str = RESOLV_CONF) -> list[str]:
    """The host's nameservers; the C library's default, 127.0.0.1, when the file names none."""
    found = []
    with suppress(OSError), open(path, encoding="utf-8", errors="replace") as file:  # noqa: PTH123
        for line in file:
            words = line.split()
            if len(words) > 1 and words[0] == "nameserver":
                found.append(words[1])
    return found[:_MAX_SERVERS] or ["127.0.0.1"]


def parse_server(text: str) -> tuple[int, tuple[str, int]]:
    """ "192.0.2.1", "192.0.2.1:5353", "fd00::1", "[fd00::1]:5353" → address family and (host, port)."""
    if text.startswith("["):
        host, _, rest = text[1:].partition("]")
        return socket.AF_INET6, (host, int(rest.lstrip(":") or 53))
    if text.count(":") == 1:
        host, _, port = text.partition(":")
        return socket.AF_INET, (host, int(port))
    return (socket.AF_INET6 if ":" in text else socket.AF_INET), (text, 53)


class Inquiry:
    """One query sent upstream: server after server until one answers. Used by the two transports below."""

    kind = socket.SOCK_DGRAM

    def __init__(self, loop: Loop, servers: Sequence[str], query: bytes, done: Done) -> None:
        self._loop = loop
        self._query = query
        self._done: Done | None = done
        # a lone server gets a second try: datagrams are lost
        self._servers = (
            list(servers) if len(servers) > 1 or self.kind != socket.SOCK_DGRAM else list(servers) * 2
        )
        self._patience = _TOTAL_SECONDS / max(1, len(self._servers))
        self._socket: socket.socket | None = None
        self._timer: Timer | None = None
        self._last: bytes | None = None

    def begin(self) -> None:
        """Ask the first server; `done` may be called before this returns."""
        self._ask_next()

    def cancel(self) -> None:
        """Forget it; `done` is not called."""
        self._done = None
        self._drop_socket()

    def _ask_next(self) -> None:
        self._drop_socket()
        while self._servers:
            try:
                family, address = parse_server(self._servers.pop(0))
                self._socket = outside.new_socket(family, self.kind)
                self._timer = self._loop.call_later(self._patience, self._ask_next)
                self._connect(self._socket, address)
                return
            except (OSError, ValueError):
                self._drop_socket()
        self._finish(self._last)

    def _connect(self, connection: socket.socket, address: tuple[str, int]) -> None:
        connection.connect(address)
        connection.send(self._query)
        self._loop.register(connection.fileno(), _READ, self._on_event)

    def _on_event(self, _: int) -> None:
        assert self._socket is not None
        try:
            data = self._socket.recv(65535)
        except BlockingIOError:
            return
        except OSError:  # refused: nobody listens there
            self._ask_next()
            return
        if dnsmessage.answers_to(data, self._query):
            self._judge(data)

    def _judge(self, data: bytes) -> None:
        """A server that failed or refused may be contradicted by the next one."""
        if dnsmessage.response_code(data) in (dnsmessage.SERVFAIL, dnsmessage.REFUSED) and self._servers:
            self._last = data
            self._ask_next()
        else:
            self._finish(data)

    def _finish(self, data: bytes | None) -> None:
        self._drop_socket()
        done, self._done = self._done, None
        if done:
            done(data)

    def _drop_socket(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None
        if self._socket:
            self._loop.unregister(self._socket.fileno())
            self._socket.close()
            self._socket = None


class StreamInquiry(Inquiry):
    """The same over TCP, for clients that came by TCP (answers too long for a datagram)."""

    kind = socket.SOCK_STREAM

    def _connect(self, connection: socket.socket, address: tuple[str, int]) -> None:
        self._received = b""
        self._unsent = struct.pack(">H", len(self._query)) + self._query
        number = connection.connect_ex(address)
        if number not in (0, errno.EINPROGRESS):
            raise OSError(number, "connect")
        self._loop.register(connection.fileno(), _WRITE, self._on_event)

    def _on_event(self, _: int) -> None:
        assert self._socket is not None
        try:
            if self._unsent:
                self._unsent = self._unsent[self._socket.send(self._unsent) :]
                if not self._unsent:
                    self._loop.unregister(self._socket.fileno())
                    self._loop.register(self._socket.fileno(), _READ, self._on_event)
                return
            data = self._socket.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            self._ask_next()
            return
        if not data:
            self._ask_next()
            return
        self._received += data
        if len(self._received) >= 2:
            length = int.from_bytes(self._received[:2], "big")
            if len(self._received) >= 2 + length:
                body = self._received[2 : 2 + length]
                if dnsmessage.answers_to(body, self._query):
                    self._judge(body)
                else:
                    self._ask_next()
