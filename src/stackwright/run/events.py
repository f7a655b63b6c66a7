"""What happens during a run, as values: the printer, the log and the tests read the same ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from msgspec import Struct

State = Literal["working", "done", "warning", "error"]


class Progress(Struct, frozen=True):
    """Something changed its state. `subject` is `Container demo-db-1`, `Network demo_default`..."""

    subject: str
    text: str  # Creating, Created, Starting, Started, Waiting, Healthy ...
    state: State = "working"
    detail: str = ""


class Transfer(Struct, frozen=True):
    """A part of a pull: `part` is the layer; sizes in bytes, 0 when unknown."""

    subject: str
    part: str
    text: str
    current: int = 0
    total: int = 0


class Stage(Struct, frozen=True):
    """How far a build is: step `current` of `total`, and what it does."""

    subject: str
    current: int
    total: int
    text: str


class Held(Struct, frozen=True):
    """Something is made and waits; `reason` is the planner's, such as `db: healthy`."""

    subject: str
    reason: str


class Output(Struct, frozen=True):
    """A line that a build printed."""

    subject: str
    line: str


class Note(Struct, frozen=True):
    """A sentence for the user; a warning if `warning`."""

    text: str
    warning: bool = False


Event = Progress | Transfer | Stage | Held | Output | Note
Sink = Callable[[Event], None]


def ignore(event: Event) -> None:
    """A sink for who does not want to know."""


def printed(text: str) -> list[str]:
    """The lines of a program's output as a terminal would leave them: overwritten text is gone.

    >>> printed("Reading... 5%\\rReading... done\\n\\nnext\\n")
    ['Reading... done', 'next']
    """
    lines = (line.rstrip("\r").rpartition("\r")[2].rstrip() for line in text.split("\n"))
    return [line for line in lines if line]
