"""What the engine holds of a container only while it lives itself: locks, waiters, the current run."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from stackwright.embedded.containers.runtime import AttachStream, Running
from stackwright.embedded.lifecycle.waits import Waiters


@dataclass(eq=False, slots=True)
class Run:
    """One run of a container, from exec to its end.

    `over` is set when the record says so; `cleaned` when networks and rules are given back as well.
    """

    running: Running
    over: asyncio.Event = field(default_factory=asyncio.Event)
    cleaned: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(frozen=True, slots=True)
class Streams:
    """Which of a container's streams an attached client wants."""

    stdin: bool
    stdout: bool
    stderr: bool


@dataclass(eq=False, slots=True)
class PendingAttach:
    """A client that attached before the start; `stream` is set in time to miss nothing."""

    streams: Streams
    stream: asyncio.Future[AttachStream]


@dataclass(eq=False, slots=True)
class Live:
    """`lock` orders the verbs that change the container's state; `restart` is a pending delayed restart.

    `leaving` is the last run that has ended: its monitor may still be removing the control groups that the next one makes.
    """

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    waiters: Waiters = field(default_factory=Waiters)
    run: Run | None = None
    leaving: Running | None = None
    restart: asyncio.Task[None] | None = None
    pending: list[PendingAttach] = field(default_factory=list)

    def cancel_restart(self) -> None:
        """Forget a delayed restart; safe to call when there is none."""
        if self.restart is not None:
            self.restart.cancel()
            self.restart = None
