"""Where the time went: spans of steps, the critical path through them, and whose time it was."""

from __future__ import annotations

import os
import time
from pathlib import Path

from msgspec import Struct, field

BOOT = "ready"
"""Spans of this kind are the services' own time: between start and ready."""


class Span(Struct, frozen=True):
    """One step's time, in seconds of the monotonic clock, without its wait for other steps."""

    id: str
    kind: str
    subject: str
    begin: float
    end: float
    needs: tuple[str, ...] = ()

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.end - self.begin


class Timeline(Struct):
    """The spans of one run."""

    begin: float = field(default_factory=time.monotonic)
    end: float = 0.0
    spans: dict[str, Span] = field(default_factory=dict)

    def add(self, span: Span) -> None:
        """Record a finished step."""
        self.spans[span.id] = span

    def close(self) -> None:
        """The run is over."""
        self.end = time.monotonic()

    @property
    def seconds(self) -> float:
        """The whole run."""
        return (self.end or time.monotonic()) - self.begin

    def critical_path(self) -> list[Span]:
        """The chain of steps that decided when the run ended, first step first.

        From the step that ended last, always back to the need that ended last.
        """
        if not self.spans:
            return []
        path = [max(self.spans.values(), key=lambda span: span.end)]
        while True:
            needs = [self.spans[name] for name in path[0].needs if name in self.spans]
            if not needs:
                return path
            path.insert(0, max(needs, key=lambda span: span.end))

    def share(self) -> Share:
        """Splits the run's time along the critical path."""
        boot = images = 0.0
        for span in self.critical_path():
            if span.kind == BOOT:
                boot += span.seconds
            elif span.kind == "image":
                images += span.seconds
        return Share(self.seconds, boot, images)


def process_start(pid: int) -> float:
    """When the process `pid` began, on the monotonic clock: what a person waits counts from there.

    Good to a clock tick (10 ms); now where the kernel does not say.
    """
    now = time.monotonic()
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        age = time.clock_gettime(time.CLOCK_BOOTTIME) - int(fields[19]) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError):
        return now
    return now - max(0.0, age)


class Share(Struct, frozen=True):
    """Seconds: the whole run, the services' own boot on the critical path, and getting images."""

    total: float
    boot: float
    images: float

    @property
    def ours(self) -> float:
        """What is left: creating, starting, waiting for answers."""
        return max(0.0, self.total - self.boot - self.images)

    @property
    def boot_percent(self) -> float:
        """The services' own boot in percent of the whole."""
        return 100.0 * self.boot / self.total if self.total else 0.0
