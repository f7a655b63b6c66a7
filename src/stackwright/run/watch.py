"""Follows the engine's events for one project, so that waiting is told, not polled.

Events can be lost (an engine restarts, a connection breaks), so whoever waits looks again by
itself from time to time; an event only makes it look at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from stackwright.engine.client import EngineClient
from stackwright.engine.errors import EngineError
from stackwright.plan import labels

_HEALTH = "health_status: "


class Watch:
    """Wakes up whoever waits for a container when something happens to it."""

    def __init__(self) -> None:
        self._conditions: dict[str, asyncio.Event] = {}
        self._verdicts: dict[str, str] = {}

    def heard(self, message: dict[str, Any]) -> None:
        """An event of the engine (Engine API: `SystemEvents`)."""
        container = str(message.get("id") or message.get("Actor", {}).get("ID", ""))
        action = str(message.get("Action") or message.get("status") or "")
        if action.startswith(_HEALTH):
            self._verdicts[container] = action.removeprefix(_HEALTH)
        elif action == "start":
            self._verdicts.pop(container, None)
        if not action.startswith("exec_"):  # our own probes are no news
            self.notify(container)

    def verdict(self, container: str) -> str:
        """What the engine said last about the container's health: healthy, unhealthy, or nothing yet."""
        return self._verdicts.get(container, "")

    def notify(self, container: str) -> None:
        """Something happened to the container."""
        event = self._conditions.pop(container, None)
        if event is not None:
            event.set()

    async def changed(self, container: str, timeout: float) -> bool:
        """Wait for the container's next event, at most `timeout` seconds; False: nothing came."""
        event = self._conditions.setdefault(container, asyncio.Event())
        try:
            async with asyncio.timeout(timeout):
                await event.wait()
        except TimeoutError:
            return False
        return True


@asynccontextmanager
async def watching(engine: EngineClient, project: str) -> AsyncIterator[Watch]:
    """Follow the project's container events for as long as the context lasts."""
    watch = Watch()

    async def follow() -> None:
        filters = {"type": ["container"], **labels.project_filter(project)}
        while True:
            with suppress(EngineError):
                async for message in engine.events(filters=filters):
                    watch.heard(message)
            await asyncio.sleep(0.2)

    task = asyncio.create_task(follow(), name="watch engine events")
    try:
        yield watch
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
