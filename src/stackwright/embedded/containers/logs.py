"""Reads what a monitor logged: Docker's json-file format, over rotated files, with follow."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple


class LogLine(NamedTuple):
    """One record. `time_ns` since the epoch; `data` ends with a newline unless the line was a partial one."""

    stream: str
    time_ns: int
    data: bytes


def read_log(
    directory: Path | str,
    *,
    since: int = 0,
    until: int = 0,
    tail: int | None = None,
    follow: bool = False,
) -> AsyncIterator[LogLine]:
    """Lines of the container at `directory`, oldest first.

    `since`/`until` in ns since the epoch (0: open), `tail` the last n of those. With `follow` it ends
    when the container has ended and all was read (exit.json is there), or `until` has passed.
    """
    raise NotImplementedError
