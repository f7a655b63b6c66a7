"""How `--dry-run` shows what would be done: every line says that it was not."""

from __future__ import annotations

import msgspec

from stackwright.run.events import Event, Progress, Sink

MARK = "DRY-RUN MODE - "


def announced(sink: Sink) -> Sink:
    """A sink that marks what happens to containers and the like as not having happened."""

    def show(event: Event) -> None:
        if isinstance(event, Progress):
            event = msgspec.structs.replace(event, subject=f"{MARK} {event.subject}")
        sink(event)

    return show
