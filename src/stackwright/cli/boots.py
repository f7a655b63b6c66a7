"""How long each service took to become healthy when it was last started: `up` writes it down, `check` reads it.

One small file for each project folder, below `$XDG_STATE_HOME/stackwright/boots` (`~/.local/state` by default). It is a
memory, not a truth: where it cannot be read or written, nothing is remembered.
"""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stackwright.run.timeline import Timeline

STARTED = 0.002
"""Seconds: a start that took less than this found the container running already."""


def remember(project: Path, timeline: Timeline) -> None:
    """Add the services that `timeline` started; the others keep what was known of them."""
    measured = {
        span.subject: round(span.seconds, 3)
        for span in timeline.spans.values()
        if span.kind == "ready" and _was_started(timeline, span.subject)
    }
    if not measured:
        return
    target = _file(project)
    with suppress(OSError):
        target.parent.mkdir(parents=True, exist_ok=True)
        beside = target.with_suffix(f".{os.getpid()}")
        beside.write_text(json.dumps({**recall(project), **measured}))
        beside.replace(target)


def recall(project: Path) -> dict[str, float]:
    """Seconds from start to healthy by service; empty where nothing is known."""
    try:
        known = json.loads(_file(project).read_text())
        return {str(name): float(seconds) for name, seconds in known.items()}
    except (OSError, ValueError, AttributeError, TypeError):
        return {}


def _was_started(timeline: Timeline, service: str) -> bool:
    return any(
        span.kind == "start" and span.subject == service and span.seconds > STARTED
        for span in timeline.spans.values()
    )


def _file(project: Path) -> Path:
    return memory(project, "boots").with_suffix(".json")


def memory(project: Path, what: str, name: str = "") -> Path:
    """Where something is remembered about a project folder (and a project name), without a suffix."""
    home = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state")
    key = os.fsencode(project.resolve()) + (b"\0" + name.encode() if name else b"")
    return home / "stackwright" / what / hashlib.sha256(key).hexdigest()[:16]
