"""Tables, JSON lines and simple templates, in the shape in which docker compose prints them."""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import click

_FIELD = re.compile(r"\{\{\s*\.(\w+)\s*\}\}")


def write_table(
    headings: Sequence[str], rows: Sequence[Sequence[str]], *, least: int = 10, gap: int = 3
) -> None:
    """Columns as wide as their widest cell and `gap` blanks, `least` at least; the last one is not padded.

    The widths are docker's: 10 and 3 for what `docker` prints itself, 20 for lists of `docker compose`, 4 and 2 for `top`.
    """
    widths = [max(least, max(map(len, column)) + gap) for column in zip(headings, *rows, strict=True)]
    for row in (headings, *rows):
        cells = [cell.ljust(width) for cell, width in zip(row[:-1], widths[:-1], strict=True)]
        sys.stdout.write(("".join(cells) + row[-1]).rstrip() + "\n")


def write_values(values: Sequence[Mapping[str, Any]], form: str) -> None:
    """`json`: an object a line; otherwise a Go template of fields, `table ` before it for headings."""
    if form == "json":
        for value in values:
            sys.stdout.write(json.dumps(value, separators=(",", ":"), ensure_ascii=False) + "\n")
        return
    template = form.removeprefix("table ").replace("\\t", "\t").replace("\\n", "\n")
    names = _FIELD.findall(template)
    if "{{" in _FIELD.sub("", template) or not names:
        raise click.UsageError(
            f'format "{form}" is not understood: use table, json or fields such as {{{{.Name}}}}'
        )
    rows = []
    for value in values:
        for name in names:
            if name not in value:
                raise click.UsageError(f"format: there is no field {name}; known: {', '.join(sorted(value))}")
        rows.append(_FIELD.sub(lambda found, value=value: str(value[found[1]]), template))  # type: ignore[misc]
    if form.startswith("table "):
        cells = [row.split("\t") for row in rows]
        write_table([name.upper() for name in names], cells) if cells and len(cells[0]) == len(
            names
        ) else None
        return
    sys.stdout.write("".join(row + "\n" for row in rows))


def ago(timestamp: float, now: float | None = None) -> str:
    """How long ago, in Docker's words.

    >>> ago(1000, 1000), ago(1000, 1061), ago(1000, 1000 + 7200), ago(1000, 1000 + 86400 * 3)
    ('Less than a second ago', 'About a minute ago', '2 hours ago', '3 days ago')
    """
    return duration(max(0.0, (time.time() if now is None else now) - timestamp)) + " ago"


def duration(seconds: float) -> str:
    """A duration in Docker's words (moby's units.HumanDuration)."""
    whole = int(seconds)
    hours = round(seconds / 3600)
    for limit, text in (
        (1, "Less than a second"),
        (2, "1 second"),
        (60, f"{whole} seconds"),
        (120, "About a minute"),
        (46 * 60, f"{whole // 60} minutes"),
        (90 * 60, "About an hour"),
        (48 * 3600, f"{hours} hours"),
        (14 * 86400, f"{hours // 24} days"),
        (60 * 86400, f"{hours // 24 // 7} weeks"),
        (730 * 86400, f"{hours // 24 // 30} months"),
    ):
        if whole < limit:
            return text
    return f"{hours // 24 // 365} years"


def size(count: float) -> str:
    """Bytes in Docker's words: 1.98MB."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.3g}{unit}"
        count /= 1000
    return f"{count:.3g}TB"


def quoted(text: str) -> str:
    """In quotes, with those inside marked, as Go's `%q` writes it.

    >>> quoted('say "hi"')
    '"say \\\\"hi\\\\""'
    """
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
    return f'"{escaped}"'


def binary_size(count: float) -> str:
    """Bytes as docker shows memory: 23.54GiB, four digits."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.4g}{unit}"
        count /= 1024
    return f"{count:.4g}TiB"


def shorten(text: str, limit: int) -> str:
    """At most `limit` characters, with an ellipsis where something is left out."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def stamp(timestamp: float) -> str:
    """`2024-01-02 13:23:37 +0000 UTC`, as Go prints it."""
    return datetime.fromtimestamp(timestamp, UTC).strftime("%Y-%m-%d %H:%M:%S +0000 UTC")
