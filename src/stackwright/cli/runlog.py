"""The last runs of `up` of each project: written when one ends, read by `timeline`.

One file of JSON lines for each project folder and name, below `$XDG_STATE_HOME/stackwright/timelines`
(`~/.local/state` by default). A memory, not a truth: where it cannot be read or written, nothing is remembered.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import msgspec
from msgspec import Struct

from stackwright.cli.boots import memory
from stackwright.run.timeline import Span, Timeline

KEPT = 50
"""Runs that are remembered of a project."""


class Run(Struct, frozen=True):
    """One run of `up`. `when` is Unix seconds; times of spans are seconds from its begin."""

    when: float
    seconds: float
    engine: str = ""
    failed: str = ""
    """Why it ended early, in one line; empty when it did not."""
    started: tuple[str, ...] = ()
    """The services of which it started a container."""
    spans: tuple[Span, ...] = ()

    def timeline(self) -> Timeline:
        """As it was measured, beginning at 0."""
        return Timeline(begin=0.0, end=self.seconds, spans={span.id: span for span in self.spans})

    def boots(self) -> dict[str, float]:
        """Seconds from start to ready of the services that it started and waited for."""
        return {
            span.subject: span.seconds
            for span in self.spans
            if span.kind == "ready" and span.subject in self.started
        }


def remember(
    folder: Path,
    project: str,
    timeline: Timeline,
    started: Iterable[str],
    *,
    engine: str,
    failed: str = "",
) -> None:
    """Add a run in which something was started or went wrong; others say nothing about how long things take."""
    spans = tuple(
        msgspec.structs.replace(
            span,
            begin=round(span.begin - timeline.begin, 4),
            end=round(span.end - timeline.begin, 4),
        )
        for span in timeline.spans.values()
    )
    run = Run(
        round(time.time(), 3), round(timeline.seconds, 4), engine, failed, tuple(sorted(started)), spans
    )
    if not failed and not run.started:
        return
    target = _file(folder, project)
    with suppress(OSError):
        target.parent.mkdir(parents=True, exist_ok=True)
        lines = [*_lines(target)[-(KEPT - 1) :], msgspec.json.encode(run).decode()]
        beside = target.with_suffix(f".{os.getpid()}")
        beside.write_text("\n".join(lines) + "\n")
        beside.replace(target)


def recall(folder: Path, project: str) -> list[Run]:
    """The runs that are remembered, newest first."""
    found = []
    for line in reversed(_lines(_file(folder, project))):
        with suppress(msgspec.MsgspecError):
            found.append(msgspec.json.decode(line, type=Run))
    return found


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except (OSError, UnicodeDecodeError):
        return []


def _file(folder: Path, project: str) -> Path:
    return memory(folder, "timelines", project).with_suffix(".jsonl")
