"""Live progress in a terminal: one line per service, image, network and volume, redrawn in place.

A service's line sums up its containers, and names the one that fails. A line never wraps: a wrapped one could not be
drawn over.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import TextIO

from stackwright.cli.progress import Printer
from stackwright.run.events import Event, Held, Note, Output, Progress, Stage, State, Transfer

COLOURS: dict[State, str] = {"working": "34", "done": "32", "warning": "33", "error": "31"}
SIGNS: dict[State, str] = {"done": "✔", "warning": "!", "error": "✘"}
UNFINISHED = "·"
"""What still worked when the last picture was drawn."""
SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
NAME_AT_LEAST = 8
"""Columns of a name that stay when the terminal is narrow."""


class Subject:
    """What is known of one container, image, network or volume."""

    __slots__ = ("detail", "name", "state", "text")

    def __init__(self, name: str) -> None:
        self.name, self.text, self.detail = name, "", ""
        self.state: State = "working"


class Line:
    """One line on the screen: the containers of a service, or a subject alone."""

    def __init__(self, now: float) -> None:
        self.begin, self.end = now, 0.0
        self.members: dict[str, Subject] = {}
        self.reached: dict[str, None] = {}
        """What its members said, in the order in which it was first said: the last is how far the first one is."""
        self.layers: dict[str, Layer] = {}
        self.steps = (0, 0)

    @property
    def state(self) -> State:
        """An error of one is an error of the line; it works as long as one does."""
        states = {one.state for one in self.members.values()}
        worst: tuple[State, ...] = ("error", "working", "warning")
        return next((state for state in worst if state in states), "done")

    def text(self) -> str:
        """How far it is; with a count where its containers are not all equally far."""
        members = list(self.members.values())
        failing = [one for one in members if one.state == "error"]
        if failing:
            return failing[0].text
        counts: dict[str, int] = {}
        for one in members:
            counts[one.text] = counts.get(one.text, 0) + 1
        if len(counts) == 1:
            return members[0].text
        if all(one.state != "working" for one in members):
            return ", ".join(f"{text} {count}" for text, count in counts.items())
        furthest = next(text for text in reversed(self.reached) if text in counts)
        return f"{furthest} {counts[furthest]}/{len(members)}"

    def detail(self, room: int) -> str:
        """What there is to say besides, in `room` columns: who fails, what is waited for, a bar."""
        if self.layers:
            return transferred(list(self.layers.values()), room)
        members = list(self.members.values())
        failing = [one for one in members if one.state == "error"]
        if failing and len(members) > 1:
            names = ", ".join(one.name for one in failing)
            return cut(": ".join(filter(None, (names, failing[0].detail))), room)
        said = next((one.detail for one in (*failing, *members) if one.detail and one.state != "done"), "")
        if not failing and self.state == "done" and len(members) == 1:
            said = members[0].detail
        if self.state == "working" and self.steps[1]:
            return built(*self.steps, said, room)
        return cut(said, room)


class Layer:
    """How far a part of a pull or push is, in bytes."""

    __slots__ = ("moved", "total", "unpacked")

    def __init__(self) -> None:
        self.moved = self.unpacked = self.total = 0

    def follow(self, event: Transfer) -> None:
        """Take in what an engine says of it (Docker Engine's words)."""
        self.total = max(self.total, event.total)
        if event.text == "Extracting":
            self.moved, self.unpacked = self.total, event.current
        elif event.text in ("Download complete", "Verifying Checksum"):
            self.moved = self.total
        elif event.text in ("Pull complete", "Pushed"):
            self.moved = self.unpacked = self.total
        else:
            self.moved = max(self.moved, event.current)


class Live(Printer):
    """Lines redrawn in place; where they are more than the screen has, what still works comes first.

    `service` tells the service of a container by its name, empty for a name that it does not know.
    """

    live = True

    def __init__(self, out: TextIO, *, colour: bool = True, service: Callable[[str], str]) -> None:
        super().__init__(out)
        self.colour = colour
        self.service = service
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
        kind, _, name = event.subject.partition(" ")
        shown = (kind == "Container" and self.service(name)) or event.subject
        line = self.lines.setdefault(shown, Line(now))
        one = line.members.setdefault(event.subject, Subject(name or kind))
        match event:
            case Progress():
                one.text, one.state, one.detail = event.text, event.state, event.detail
                if event.state != "working":
                    line.layers, line.steps = {}, (0, 0)
            case Transfer():
                if event.total or event.part in line.layers:
                    line.layers.setdefault(event.part, Layer()).follow(event)
            case Stage():
                line.steps = (event.current, event.total)
            case Held():
                one.text, one.state, one.detail = "Waiting", "working", event.reason
            case Output():
                one.detail = event.line.strip()
        line.reached.setdefault(one.text)
        line.end = 0.0 if line.state == "working" else line.end or now
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
        size = screen(self.out)
        done = sum(line.state != "working" for line in self.lines.values())
        head = f"[+] Running {done}/{len(self.lines)}"
        shown = list(self.lines.items())
        room = max(1, size.lines - 3)
        if len(shown) > room and not everything:
            shown.sort(key=lambda item: URGENCY[item[1].state])
            head += f" ({len(shown) - room} more)"
            shown = shown[:room]
        # In a narrow terminal long names leave room for bars and reasons.
        widest = max(size.columns // 3, size.columns - 60)
        width = min(max(len(name) for name, _ in shown), max(NAME_AT_LEAST, widest))
        rows = [
            cut(head, size.columns),
            *(self._row(name, line, width, size.columns, still=everything) for name, line in shown),
        ]
        self.out.write("\n".join(rows) + "\n")
        self.out.flush()
        self._drawn = len(rows)

    def _row(self, name: str, line: Line, width: int, columns: int, *, still: bool) -> str:
        state, text = line.state, line.text()
        seconds = (line.end or time.monotonic()) - line.begin
        timer = f"{seconds:.1f}s"
        # Blanks, the sign and the timer are always there; the rest is shared by the name, the text and the detail.
        room = max(0, columns - len(f" ✔     {timer}"))
        width = min(width, max(min(NAME_AT_LEAST, room), room - len(text)))
        text = cut(text, room - width)
        detail = line.detail(room - width - len(text))
        name = cut(name, width, keep_end=True)
        gap = " " * (1 + room - width - len(text) - len(detail))
        colour = COLOURS[state]
        moving = UNFINISHED if still else SPINNER[self._frame % len(SPINNER)]
        sign = self._paint(colour, SIGNS.get(state) or moving)
        middle = f"{self._paint(colour, text)} {self._paint('2', detail)}"
        return f" {sign} {name:<{width}}  {middle}{gap}{self._paint('34', timer)}"

    def _paint(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.colour and text else text


URGENCY: dict[State, int] = {"error": 0, "working": 1, "warning": 2, "done": 3}
"""What is shown first where not everything can be."""


def screen(out: TextIO) -> os.terminal_size:
    """Columns and lines of the terminal, 80 and 24 where there is none."""
    try:
        size = os.get_terminal_size(out.fileno())
    except OSError:
        return os.terminal_size((80, 24))
    return os.terminal_size((size.columns or 80, size.lines or 24))


def transferred(layers: list[Layer], room: int) -> str:
    """How far a pull or push is, as well as `room` columns can say it.

    >>> one = Layer(); one.follow(Transfer("x", "a", "Downloading", 1_500_000, 3_000_000))
    >>> transferred([one], 40), transferred([one], 20), transferred([one], 4)
    ('[██████████░░░░░░░░░░] 1.5MB / 3.0MB', '[█████░░░░░]  50%', ' 50%')
    """
    total = sum(layer.total for layer in layers)
    if not total:
        return ""
    moved, unpacked = sum(layer.moved for layer in layers), sum(layer.unpacked for layer in layers)
    word, current = ("", moved) if moved < total or not unpacked else ("unpacking ", unpacked)
    whole = f"{total / 1e6:.1f}MB"
    size = f"{f'{current / 1e6:.1f}MB':>{len(whole)}} / {whole}"  # as wide at the end as at the beginning
    share = f"{100 * current // total:3}%"
    forms = (f"{word}{bar(current, total, 20)} {size}", f"{word}{bar(current, total)} {share}",
             f"{bar(current, total)} {share}", share)  # fmt: skip
    return next((form for form in forms if len(form) <= room), "")


def built(step: int, steps: int, said: str, room: int) -> str:
    """How far a build is, and what it says, in `room` columns; `step` is the one that runs, from 1.

    >>> built(3, 5, "compiling", 40), built(3, 5, "compiling", 15), built(3, 5, "compiling", 5)
    ('[████░░░░░░] compiling', '[████░░░░░░] c…', '3/5')
    """
    drawn = bar(step - 1, steps)
    return cut(f"{drawn} {said}".rstrip(), room) if len(drawn) <= room else cut(f"{step}/{steps}", room)


def bar(current: int, total: int, width: int = 10) -> str:
    """A bar of so many columns, and its ends."""
    filled = min(width, width * max(0, current) // total) if total > 0 else 0
    return f"[{'█' * filled}{'░' * (width - filled)}]"


def cut(text: str, room: int, *, keep_end: bool = False) -> str:
    """The text in `room` columns, with a sign that something is missing.

    >>> cut("a long name", 6), cut("a long name", 6, keep_end=True), cut("short", 6), cut("gone", 0)
    ('a lon…', '… name', 'short', '')
    """
    if len(text) <= room:
        return text
    if room < 1:
        return ""
    return "…" + text[len(text) - room + 1 :] if keep_end else text[: room - 1] + "…"
