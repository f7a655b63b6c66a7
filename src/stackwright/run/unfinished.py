"""What a command that was killed has left for the engine to finish."""

from __future__ import annotations

import asyncio
import time

from stackwright.plan.labels import project_filter
from stackwright.run.events import Note
from stackwright.run.session import Session, containers

GRACE = 10.0
"""Seconds that Docker Engine gives a container to stop, unless somebody says otherwise."""
_SLACK = 2.0
_PAUSE = 0.05
_SIGNALS = frozenset({"15", "9"})
_UP = frozenset({"running", "stopping"})
"""Podman says which ones are being stopped."""


async def stops(session: Session) -> None:
    """Wait until containers have stopped that a killed command was stopping.

    Docker Engine carries a stop out to its end although its client is gone (Engine API, ContainerStop). Such a container
    is listed as running until then: `up` would keep it, and find it ended a moment later.
    """
    found = [one for one in await containers(session.engine, session.project.name) if one.state in _UP]
    if not found:
        return
    now = time.time()
    filters = {**project_filter(session.project.name), "type": ["container"], "event": ["kill"]}
    running = {one.id for one in found}
    asked = {one.id: now for one in found if one.state == "stopping"}
    async for event in session.engine.events(filters=filters, since=now - GRACE - _SLACK, until=now):
        actor = event.get("Actor") or {}
        signal = str((actor.get("Attributes") or {}).get("signal", ""))
        if actor.get("ID") in running and signal in _SIGNALS:
            asked[actor["ID"]] = float(event.get("time") or now)
    if not asked:
        return
    session.emit(Note("waiting for containers to stop: the command that was stopping them was ended"))
    deadline = max(asked.values()) + GRACE + _SLACK
    while time.time() < deadline:
        now_there = await containers(session.engine, session.project.name)
        if not any(one.id in asked and one.state in _UP for one in now_there):
            return
        await asyncio.sleep(_PAUSE)
