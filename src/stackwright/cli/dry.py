"""How `--dry-run` shows what would be done: every line says that it was not."""

from __future__ import annotations

from dataclasses import replace

from stackwright.run.events import Event, Progress, Sink

MARK = "DRY-RUN MODE - "


def announced(sink: Sink) -> Sink:
    """A sink that marks what happens to containers and the like as not having happened."""

    def show(event: Event) -> None:
        sink(replace(event, subject=f"{MARK} {event.subject}") if isinstance(event, Progress) else event)

    return show
