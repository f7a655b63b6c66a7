"""The DNS server that every container sees at 127.0.0.11, run by its monitor."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

ADDRESS = "127.0.0.11"


class EventLoop(Protocol):
    """The part of `containers.loop.Loop` used here; `events` are those of select.epoll."""

    def register(self, fd: int, events: int, callback: Callable[[int], None]) -> None: ...

    def unregister(self, fd: int) -> None: ...


def open_sockets() -> tuple[socket.socket, socket.socket]:
    """UDP and TCP sockets of the resolver; call while in the container's network namespace (lo may be down)."""
    raise NotImplementedError


class Resolver:
    """Answers from the tables, forwards the rest."""

    def __init__(
        self,
        loop: EventLoop,
        sockets: tuple[socket.socket, socket.socket],
        tables: Sequence[Path | str],
        upstream: Sequence[str] = (),
    ) -> None:
        """`sockets`: of `open_sockets`, now owned by the resolver. `tables`: JSON files, re-read when they change.

        `upstream`: nameservers ("192.0.2.1", "192.0.2.1:5353", "fd00::1"), asked from the namespace in which this
        runs (the host's); empty: those of the host's /etc/resolv.conf, re-read when it changes.
        """
        raise NotImplementedError

    def close(self) -> None:
        """Unregister and close everything; safe to call twice."""
        raise NotImplementedError
