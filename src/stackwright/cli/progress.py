"""Draws progress events: live lines in a terminal (see `live`), plain lines elsewhere, JSON for programs.

Everything goes to stderr; stdout belongs to what was asked for.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from stackwright.run.events import Event, Held, Note, Output, Progress, Stage, Transfer


class Printer:
    """Shows events. `live` ones want `tick` ten times a second."""

    live = False

    def __init__(self, out: TextIO) -> None:
        self.out = out

    def __call__(self, event: Event) -> None:
        """Show one event."""

    def tick(self) -> None:
        """Time has passed."""

    def close(self) -> None:
        """Nothing more comes."""

    def pause(self) -> None:
        """Leave the screen to somebody else (container logs)."""


class Quiet(Printer):
    """Shows warnings only."""

    def __call__(self, event: Event) -> None:
        if isinstance(event, Note) and event.warning:
            self.out.write(f"warning: {event.text}\n")


class Plain(Printer):
    """One line an event, as docker compose prints where there is no terminal."""

    def __call__(self, event: Event) -> None:
        match event:
            case Progress():
                detail = f" ({event.detail})" if event.detail else ""
                self.out.write(f" {event.subject}  {event.text}{detail}\n")
            case Transfer() if not event.current:
                self.out.write(f" {event.part} {event.text}\n")
            case Output():
                self.out.write(f"{event.subject}: {event.line}\n")
            case Note():
                self.out.write(f"{'warning: ' if event.warning else ''}{event.text}\n")
        self.out.flush()


class Json(Printer):
    """One JSON object a line."""

    def __call__(self, event: Event) -> None:
        match event:
            case Progress():
                value = {
                    "id": event.subject,
                    "status": event.text,
                    "state": event.state,
                    "text": event.detail,
                }
            case Transfer():
                value = {
                    "id": event.part,
                    "parent_id": event.subject,
                    "status": event.text,
                    "current": str(event.current),
                    "total": str(event.total),
                }
            case Stage():
                value = {
                    "id": event.subject,
                    "status": event.text,
                    "current": str(event.current),
                    "total": str(event.total),
                }
            case Held():
                value = {"id": event.subject, "status": "Waiting", "text": event.reason}
            case Output():
                value = {"id": event.subject, "output": event.line}
            case Note():
                value = {"level": "warning" if event.warning else "info", "msg": event.text}
        self.out.write(json.dumps({key: item for key, item in value.items() if item}) + "\n")
        self.out.flush()


def colourful(ansi: str, out: TextIO) -> bool:
    """Whether to use ANSI sequences on `out`."""
    if ansi != "auto":
        return ansi == "always"
    return out.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


@contextmanager
def printer(
    mode: str, ansi: str = "auto", service: Callable[[str], str] = lambda container: ""
) -> Iterator[Printer]:
    """The printer for `--progress` (auto, tty, plain, json, quiet); closed at the end.

    `service` tells the service of a container by its name, for lines that sum up its containers.
    """
    out = sys.stderr
    if mode == "auto":
        mode = os.environ.get("COMPOSE_PROGRESS") or ("tty" if colourful(ansi, out) else "plain")
    chosen: Printer
    if mode in ("tty", "auto") and out.isatty():
        from stackwright.cli.live import Live

        chosen = Live(out, service=service, colour=ansi != "never" and not os.environ.get("NO_COLOR"))
    else:
        chosen = {"json": Json, "quiet": Quiet}.get(mode, Plain)(out)
    try:
        yield chosen
    finally:
        chosen.close()
