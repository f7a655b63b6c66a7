"""Draws progress events: live lines in a terminal, plain lines elsewhere, JSON for programs.

Everything goes to stderr; stdout belongs to what was asked for.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from stackwright.run.events import Event, Held, Note, Output, Progress, Stage, Transfer

COLOURS = {"working": "34", "done": "32", "warning": "33", "error": "31"}
SIGNS = {"done": "✔", "warning": "!", "error": "✘"}
SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"


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


class Line:
    """A subject's line on the screen."""

    __slots__ = ("bar", "begin", "detail", "end", "parts", "state", "text")

    def __init__(self, now: float) -> None:
        self.begin, self.end = now, 0.0
        self.text, self.detail, self.state, self.bar = "", "", "working", ""
        self.parts: dict[str, tuple[int, int]] = {}


class Live(Printer):
    """A line for each subject, redrawn in place; long lists show what still works first."""

    live = True

    def __init__(self, out: TextIO, *, colour: bool = True) -> None:
        super().__init__(out)
        self.colour = colour
        self.lines: dict[str, Line] = {}
        self._drawn = 0
        self._frame = 0
        self._last = 0.0

    def __call__(self, event: Event) -> None:
        now = time.monotonic()
        if isinstance(event, Note):
            self._erase()
            self.out.write(self._paint("33" if event.warning else "2", event.text) + "\n")
            self._draw()
            return
        line = self.lines.setdefault(event.subject, Line(now))
        match event:
            case Progress():
                line.text, line.state, line.detail = event.text, event.state, event.detail
                if event.state == "working":
                    line.end = 0.0
                else:
                    line.end = now
                    line.parts, line.bar = {}, ""
            case Transfer():
                if event.total:
                    line.parts[event.part] = (event.current, event.total)
                line.detail = _transferred(line.parts)
            case Stage():
                line.bar = _bar(event.current - 1, event.total)
            case Held():
                line.text, line.state, line.detail, line.end = "Waiting", "working", event.reason, 0.0
            case Output():
                line.detail = f"{line.bar} {event.line.strip()}".strip()
        if now - self._last > 0.03:
            self._redraw(now)

    def tick(self) -> None:
        self._frame += 1
        self._redraw(time.monotonic())

    def close(self) -> None:
        self._redraw(time.monotonic(), everything=True)
        self._drawn = 0

    def pause(self) -> None:
        self.close()
        self.lines.clear()

    def above(self, write: Callable[[], None]) -> None:
        """Let somebody else write above the live lines."""
        self._erase()
        write()
        if any(line.state == "working" for line in self.lines.values()):
            self._draw()

    def _redraw(self, now: float, *, everything: bool = False) -> None:
        self._last = now
        self._erase()
        self._draw(everything=everything)

    def _erase(self) -> None:
        if self._drawn:
            self.out.write(f"\x1b[{self._drawn}A\x1b[J")
            self._drawn = 0

    def _draw(self, *, everything: bool = False) -> None:
        if not self.lines:
            return
        size = _size(self.out)
        done = sum(line.state != "working" for line in self.lines.values())
        rows = [f"[+] Running {done}/{len(self.lines)}"]
        shown = list(self.lines.items())
        room = size.lines - 3
        if len(shown) > room and not everything:
            shown.sort(key=lambda item: item[1].state != "working")
            hidden = len(shown) - room
            shown = shown[:room]
            rows[0] += f" ({hidden} more)"
        width = max(len(subject) for subject, _ in shown)
        rows += [self._row(subject, line, width, size.columns) for subject, line in shown]
        self.out.write("\n".join(rows) + "\n")
        self.out.flush()
        self._drawn = len(rows)

    def _row(self, subject: str, line: Line, width: int, columns: int) -> str:
        """One line that never wraps: a wrapped one could not be drawn over."""
        seconds = (line.end or time.monotonic()) - line.begin
        sign = SIGNS.get(line.state) or SPINNER[self._frame % len(SPINNER)]
        timer = f"{seconds:.1f}s"
        width = min(width, max(8, columns - len(line.text) - len(timer) - 8))
        name = subject if len(subject) <= width else "…" + subject[-(width - 1) :]
        room = columns - width - len(line.text) - len(timer) - 8
        detail = line.detail[: max(0, room)] if line.detail else ""
        gap = " " * max(1, columns - width - len(line.text) - len(detail) - len(timer) - 7)
        colour = COLOURS[line.state]
        text = f"{self._paint(colour, line.text)} {self._paint('2', detail)}"
        return f" {self._paint(colour, sign)} {name:<{width}}  {text}{gap}{self._paint('34', timer)}"

    def _paint(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.colour and text else text


def _size(out: TextIO) -> os.terminal_size:
    try:
        return os.get_terminal_size(out.fileno())
    except OSError:
        return os.terminal_size((80, 24))


def columns() -> int:
    """The width of what progress is written to."""
    return _size(sys.stderr).columns


def _transferred(parts: dict[str, tuple[int, int]]) -> str:
    current, total = sum(part[0] for part in parts.values()), sum(part[1] for part in parts.values())
    if not total:
        return ""
    return f"{_bar(current, total, 20)} {current / 1e6:.1f}MB / {total / 1e6:.1f}MB"


def _bar(current: int, total: int, width: int = 10) -> str:
    filled = min(width, width * current // total) if total > 0 else 0
    return f"[{'█' * filled}{'░' * (width - filled)}]"


def colourful(ansi: str, out: TextIO) -> bool:
    """Whether to use ANSI sequences on `out`."""
    if ansi != "auto":
        return ansi == "always"
    return out.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


@contextmanager
def printer(mode: str, ansi: str = "auto") -> Iterator[Printer]:
    """The printer for `--progress` (auto, tty, plain, json, quiet); closed at the end."""
    out = sys.stderr
    if mode == "auto":
        mode = os.environ.get("COMPOSE_PROGRESS") or ("tty" if colourful(ansi, out) else "plain")
    chosen: Printer
    if mode in ("tty", "auto") and out.isatty():
        chosen = Live(out, colour=ansi != "never" and not os.environ.get("NO_COLOR"))
    else:
        chosen = {"json": Json, "quiet": Quiet}.get(mode, Plain)(out)
    try:
        yield chosen
    finally:
        chosen.close()
