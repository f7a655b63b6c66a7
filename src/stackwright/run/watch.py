"""Follows the engine's events for one project, so that waiting is told, not polled.

Events can be lost (an engine restarts, a connection breaks), so whoever waits looks again by
itself from time to time; an event only makes it look at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from stackwright.engine.client import EngineClient
from stackwright.engine.errors import EngineError
from stackwright.plan import labels


class Watch:
    """Wakes up whoever waits for a container when something happens to it."""

    def __init__(self) -> None:
        self._conditions: dict[str, asyncio.Event] = {}

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
                    watch.notify(str(message.get("id") or message.get("Actor", {}).get("ID", "")))
            await asyncio.sleep(0.2)

    task = asyncio.create_task(follow(), name="watch engine events")
    try:
        yield watch
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
