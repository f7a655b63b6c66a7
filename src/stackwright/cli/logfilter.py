"""Which log lines are shown: `--grep`, `--level`; and a line as JSON, for programs.

A level is read from JSON lines (also pino's and bunyan's numbers), from `level=…` of logfmt, and from a word such as
ERROR near the begin of a line. A line without one, such as a stack trace, belongs to the line before it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import click

from stackwright.run.logs import Ended, Line

LEVELS = ("trace", "debug", "info", "warn", "error", "fatal")
"""From what nobody reads to what wakes people."""
WORDS = {
    **{name: rank for rank, name in enumerate(LEVELS)},
    "verbose": 0, "finest": 0, "trc": 0, "silly": 0, "dbg": 1, "fine": 1, "information": 2, "notice": 2,
    "log": 2, "inf": 2, "warning": 3, "wrn": 3, "err": 4, "severe": 4, "critical": 5, "crit": 5, "alert": 5,
    "emergency": 5, "emerg": 5, "panic": 5, "ftl": 5,
}  # fmt: skip
KEYS = ("level", "severity", "lvl", "levelname", "loglevel", "log.level", "@level", "@l", "level_name", "l")
"""Where JSON lines keep their level."""
_LOGFMT = re.compile(r'\b(?:level|lvl|severity)="?([A-Za-z]+)', re.IGNORECASE)
_WORD = re.compile(
    r"\b(TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|ERR|FATAL|CRITICAL|CRIT|PANIC|ALERT|EMERG|LOG|SEVERE)\b"
)
_NEAR = 80
"""How far into a line a level word is looked for."""


def level(text: str) -> int | None:
    """The rank of a line's level in `LEVELS`; None when it does not say.

    >>> level('{"level":50,"msg":"x"}'), level("ts=1 level=warn msg=x"), level("at main.js:3")
    (4, 3, None)
    """
    start = text.lstrip()
    if start.startswith("{"):
        try:
            value = json.loads(start)
        except ValueError:
            value = None
        if isinstance(value, dict):
            found = next((value[key] for key in KEYS if key in value), None)
            if found is None and isinstance(value.get("log"), dict):
                found = value["log"].get("level")
            return _rank(found)
    if (match := _LOGFMT.search(text)) is not None:
        return WORDS.get(match[1].lower())
    match = _WORD.search(text[:_NEAR])
    return WORDS[match[1].lower()] if match is not None else None


def _rank(value: object) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, (int, float)):  # pino, bunyan: 10, 20 … 60
        return min(5, max(0, round(value) // 10 - 1)) if value >= 10 else None
    return WORDS.get(str(value).lower()) if value is not None else None


class Filter:
    """Says which lines are shown. Keeps, for each stream of each container, the level of the line before."""

    def __init__(self, grep: str = "", least: str = "") -> None:
        self.pattern = _compiled(grep) if grep else None
        self.least = LEVELS.index(least) if least else None
        self._before: dict[tuple[str, int], int | None] = {}

    @property
    def active(self) -> bool:
        """Whether anything is left out at all."""
        return self.pattern is not None or self.least is not None

    def __call__(self, line: Line) -> bool:
        """Whether the line is shown. Lines must come in their order."""
        if self.least is not None:
            key = (line.container.id, line.stream)
            rank = level(line.text)
            rank = self._before.get(key) if rank is None else rank
            self._before[key] = rank
            if rank is None or rank < self.least:
                return False
        return self.pattern is None or self.pattern.search(line.text) is not None


def _compiled(text: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except re.error as error:
        raise click.UsageError(f'invalid --grep "{text}": {error}') from None


def last_of_each(lines: list[Line], tail: str) -> list[Line]:
    """The last `tail` lines of each container, in the order in which they are."""
    if tail == "all":
        return lines
    left: dict[str, int] = {}
    kept = []
    for line in reversed(lines):
        left[line.container.id] = left.get(line.container.id, int(tail)) - 1
        if left[line.container.id] >= 0:
            kept.append(line)
    return kept[::-1]


def json_view(write: Callable[[str], object]) -> Callable[[Line | Ended], None]:
    """Shows lines as JSON, an object a line."""

    def show(line: Line | Ended) -> None:
        one = line.container
        value: dict[str, object] = {
            "service": one.service,
            "container": one.name,
            "number": one.number,
        }
        if isinstance(line, Ended):
            value = {**value, "event": "exited", "code": line.code}
        else:
            rank = level(line.text)
            value = {
                "time": line.time,
                **value,
                "stream": "stderr" if line.stream == 2 else "stdout",
                **({"level": LEVELS[rank]} if rank is not None else {}),
                "text": line.text,
            }
        write(json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n")

    return show
