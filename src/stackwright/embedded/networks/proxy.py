"""Published ports in userland: listeners in the host's namespace, owned by the container's monitor.

They reserve the port, and carry what the kernel's DNAT rules do not: IPv6 clients of IPv4 containers, hosts
without nf_tables.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol


class Loop(Protocol):
    """The part of `containers.loop.Loop` used here; `events` are those of select.epoll."""

    def register(self, fd: int, events: int, callback: Callable[[int], None]) -> None: ...

    def unregister(self, fd: int) -> None: ...

    def call_later(self, seconds: float, callback: Callable[[], None]) -> object: ...


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


class PortInUse(OSError):
    """`str()` is Docker's text: "Bind for 0.0.0.0:8080 failed: port is already allocated"."""


class PortProxy:
    """All published ports of one container.

    Construct it (binds everything or raises PortInUse and leaves nothing), read `ports`, then `start` it on the
    monitor's loop once the container runs.
    """

    def __init__(self, bindings: Sequence[Binding]) -> None:
        """Bind and listen. host_port 0 takes a free port; host_ip "" or "0.0.0.0" listens on IPv4 and IPv6 alike
        (where the host has IPv6), "::" on IPv6 only."""
        raise NotImplementedError

    @property
    def ports(self) -> list[int]:
        """The host port of each binding, in their order."""
        raise NotImplementedError

    def start(self, loop: Loop) -> None:
        """Begin to accept."""
        raise NotImplementedError

    def close(self) -> None:
        """Close listeners and connections; safe to call twice."""
        raise NotImplementedError
