"""What happens during a run, as values: the printer, the log and the tests read the same ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

State = Literal["working", "done", "warning", "error"]


@dataclass(frozen=True, slots=True)
class Progress:
    """Something changed its state. `subject` is `Container demo-db-1`, `Network demo_default`..."""

    subject: str
    text: str  # Creating, Created, Starting, Started, Waiting, Healthy ...
    state: State = "working"
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Transfer:
    """A part of a pull: `part` is the layer; sizes in bytes, 0 when unknown."""

    subject: str
    part: str
    text: str
    current: int = 0
    total: int = 0


@dataclass(frozen=True, slots=True)
class Output:
    """A line that a build printed."""

    subject: str
    line: str


@dataclass(frozen=True, slots=True)
class Note:
    """A sentence for the user; a warning if `warning`."""

    text: str
    warning: bool = False


Event = Progress | Transfer | Output | Note
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
