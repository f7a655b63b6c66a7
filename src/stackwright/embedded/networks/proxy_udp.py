"""UDP through the monitor: each client gets a socket of its own towards the container, until it falls silent."""

from __future__ import annotations

import select
import socket
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol

from stackwright.embedded.networks.upstream import Timer

_READ = select.EPOLLIN
_MAX_CLIENTS = 1024
_SILENCE_SECONDS = 90.0
"""As docker-proxy has it."""
_BURST = 64
_LARGEST = 65535
_IP_PKTINFO = 8


class Loop(Protocol):
    def register(self, fd: int, events: int, callback: Callable[[int], None]) -> None: ...

    def unregister(self, fd: int) -> None: ...

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Timer: ...


class DatagramProxy:
    """Relays datagrams between the clients of one listening socket and the target."""

    def __init__(self, loop: Loop, listener: socket.socket, target: tuple[str, int]) -> None:
        """`listener` is bound and does not block; `target`: address and port of the container."""
        self._loop = loop
        self._listener = listener
        self._target = target
        self._clients: dict[Any, _Client] = {}
        self._timer: Timer | None = None
        # answers must leave from the address that the client wrote to, which a wildcard listener learns this way
        if listener.family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
        else:
            listener.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)
        loop.register(listener.fileno(), _READ, self._on_datagrams)

    def close(self) -> None:
        """Safe to call twice."""
        if self._timer:
            self._timer.cancel()
        if self._listener.fileno() >= 0:
            self._loop.unregister(self._listener.fileno())
            self._listener.close()
        for client in self._clients.values():
            client.close()
        self._clients.clear()

    def _on_datagrams(self, _: int) -> None:
        for _ in range(_BURST):
            try:
                data, control, _flags, address = self._listener.recvmsg(_LARGEST, 128)
            except BlockingIOError:
                return
            except OSError:  # a client's refusal of an earlier answer
                continue
            client = self._clients.get(address)
            if client is None:
                if len(self._clients) >= _MAX_CLIENTS:
                    self._forget_oldest()
                try:
                    client = _Client(
                        self._loop, self._listener, address, _reply_control(control), self._target
                    )
                except OSError:
                    continue
                self._clients[address] = client
                if self._timer is None:
                    self._timer = self._loop.call_later(_SILENCE_SECONDS, self._expire)
            client.to_target(data)

    def _forget_oldest(self) -> None:
        oldest = min(self._clients, key=lambda address: self._clients[address].used)
        self._clients.pop(oldest).close()

    def _expire(self) -> None:
        limit = time.monotonic() - _SILENCE_SECONDS
        for address in [a for a, client in self._clients.items() if client.used < limit]:
            self._clients.pop(address).close()
        self._timer = self._loop.call_later(_SILENCE_SECONDS / 3, self._expire) if self._clients else None


class _Client:
    """The socket towards the container for one client."""

    def __init__(
        self, loop: Loop, listener: socket.socket, address: Any, control: list[Any], target: tuple[str, int]
    ) -> None:
        self._loop = loop
        self._listener = listener
        self._address = address
        self._control = control
        self.used = time.monotonic()
        family = socket.AF_INET6 if ":" in target[0] else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        try:
            self._socket.connect(target)
        except OSError:
            self._socket.close()
            raise
        loop.register(self._socket.fileno(), _READ, self._on_answers)

    def to_target(self, data: bytes) -> None:
        self.used = time.monotonic()
        with suppress(OSError):  # refused earlier, or full: datagrams may be lost
            self._socket.send(data)

    def close(self) -> None:
        self._loop.unregister(self._socket.fileno())
        self._socket.close()

    def _on_answers(self, _: int) -> None:
        for _ in range(_BURST):
            try:
                data = self._socket.recv(_LARGEST)
            except OSError:
                return
            self.used = time.monotonic()
            with suppress(OSError):
                self._listener.sendmsg([data], self._control, 0, self._address)


def _reply_control(control: list[tuple[int, int, bytes]]) -> list[tuple[int, int, bytes]]:
    """From the note on a received datagram, the note that makes the answer leave from the same address."""
    for level, kind, data in control:
        if (level, kind) == (socket.IPPROTO_IP, _IP_PKTINFO) and len(data) >= 12:
            return [(level, kind, struct.pack("=i", 0) + data[8:12] + bytes(4))]
        if (level, kind) == (socket.IPPROTO_IPV6, socket.IPV6_PKTINFO) and len(data) >= 20:
            return [(level, kind, data[:16] + bytes(4))]
    return []
