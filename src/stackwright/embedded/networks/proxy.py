"""Published ports in userland: listeners in the host's namespace, owned by the container's monitor.

They reserve the port, and carry what the kernel's DNAT rules do not: IPv6 clients of IPv4 containers, hosts without
nf_tables, and clients for whom a DNAT rule was not yet (or is no longer) there.
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Protocol

from stackwright.embedded.networks import outside
from stackwright.embedded.networks.proxy_tcp import StreamProxy
from stackwright.embedded.networks.proxy_udp import DatagramProxy
from stackwright.embedded.networks.upstream import Timer

_BACKLOG = 1024
_TRIES = 20
_NO_IPV6 = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)


class Loop(Protocol):
    """The part of `containers.loop.Loop` used here; `events` are those of select.epoll."""

    def register(self, fd: int, events: int, callback: Callable[[int], None]) -> None: ...

    def modify(self, fd: int, events: int) -> None: ...

    def unregister(self, fd: int) -> None: ...

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Timer: ...


class Binding(Protocol):
    """`containers.spec.PortBinding` and `types.PublishedPort` both fit."""

    @property
    def proto(self) -> str: ...
    @property
    def host_ip(self) -> str: ...
    @property
    def host_port(self) -> int: ...
    @property
    def container_ip(self) -> str: ...
    @property
    def container_port(self) -> int: ...


class PortInUse(OSError):  # noqa: N818 - named for what the client is told
    """`strerror` is Docker's text: "Bind for 0.0.0.0:8080 failed: port is already allocated"."""


class PortProxy:
    """All published ports of one container.

    Construct it (binds everything or raises and leaves nothing), read `ports`, then `start` it on the monitor's
    loop once the container's address is known.
    """

    def __init__(self, bindings: Sequence[Binding]) -> None:
        """Bind and listen. host_port 0 takes a free port; host_ip "" listens on IPv4 and, where the host has it,
        IPv6; any other host_ip on that address alone. PortInUse, or OSError for an address that is not the host's.
        """
        self._bindings = bindings
        self._listeners: list[list[socket.socket]] = []
        self._running: list[StreamProxy | DatagramProxy] = []
        self.ports: list[int] = []
        """The host port of each binding, in their order."""
        try:
            for binding in bindings:
                listeners = _listen(binding)
                self._listeners.append(listeners)
                self.ports.append(listeners[0].getsockname()[1])
                if outside.is_elsewhere() and not binding.host_ip:
                    listeners += _listen_inside(binding, self.ports[-1])
        except OSError:
            self.close()
            raise

    def start(self, loop: Loop, bindings: Sequence[Binding] | None = None) -> None:
        """Begin to accept. `bindings`: the same again, with the container's addresses filled in."""
        for binding, listeners in zip(bindings or self._bindings, self._listeners, strict=True):
            kind = DatagramProxy if binding.proto == "udp" else StreamProxy
            target = (binding.container_ip, binding.container_port)
            for listener in listeners:
                self._running.append(kind(loop, listener, target))

    def close(self) -> None:
        """Close listeners and connections; safe to call twice."""
        for proxy in self._running:
            proxy.close()
        self._running.clear()
        for listeners in self._listeners:
            for listener in listeners:
                listener.close()
        self._listeners.clear()


def _listen(binding: Binding) -> list[socket.socket]:
    """The listening sockets of one binding, all on the same port."""
    if binding.host_ip:
        return [_listener(binding, binding.host_ip, binding.host_port)]
    for attempt in range(_TRIES):
        first = _listener(binding, "0.0.0.0", binding.host_port)
        port = first.getsockname()[1]
        try:
            return [first, _listener(binding, "::", port)]
        except PortInUse:
            # the kernel's free IPv4 port may be taken on IPv6: try another one
            first.close()
            if binding.host_port or attempt == _TRIES - 1:
                raise
        except OSError as error:
            if error.errno in _NO_IPV6:
                return [first]
            first.close()
            raise
    raise AssertionError("the last attempt raises")


def _listen_inside(binding: Binding, port: int) -> list[socket.socket]:
    """The same port in the network of an ordinary user's bridges, for containers that reach it by their gateway."""
    found = []
    for host in ("0.0.0.0", "::"):
        with suppress(OSError):  # a container in the network of the "host" holds it: theirs
            found.append(_listener(binding, host, port, _socket_here))
    return found


def _socket_here(family: int, kind: int) -> socket.socket:
    return socket.socket(family, kind | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)


def _listener(
    binding: Binding,
    host: str,
    port: int,
    make: Callable[[int, int], socket.socket] = outside.new_socket,
) -> socket.socket:
    if binding.proto not in ("tcp", "udp"):
        raise OSError(errno.EPROTONOSUPPORT, f"{binding.proto} ports cannot be published by this engine")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    kind = socket.SOCK_DGRAM if binding.proto == "udp" else socket.SOCK_STREAM
    listener = make(family, kind)
    try:
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if kind == socket.SOCK_STREAM:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        if kind == socket.SOCK_STREAM:
            listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        shown = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        if error.errno == errno.EADDRINUSE:
            raise PortInUse(error.errno, f"Bind for {shown} failed: port is already allocated") from None
        reason = os.strerror(error.errno or 0).lower() + outside.refused_port(error.errno or 0, port)
        raise OSError(error.errno, f"listen {binding.proto} {shown}: bind: {reason}") from None
    return listener
