"""The builder, imported with the first build: a tenth of the engine's start that most starts have no use
for."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from stackwright.embedded.lifecycle.services import Services

if TYPE_CHECKING:
    from stackwright.embedded.builder.service import Builder


class Building:
    """Makes the builder when it is first needed."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._builder: Builder | None = None
        self._lock = asyncio.Lock()

    async def builder(self) -> Builder:
        """The builder, ready."""
        async with self._lock:
            if self._builder is None:
                self._builder = await self._make()
            return self._builder

    async def sweep(self) -> None:
        """End and remove what builds of an earlier engine left; nothing is loaded where there is nothing."""
        state = self._services.state_dir
        if any(state.glob("steps/*")) or any(state.glob("builder/work/*")):
            await self.builder()

    async def _make(self) -> Builder:
        from stackwright.embedded.builder.service import Builder
        from stackwright.embedded.lifecycle.steps import StepRunner

        steps = StepRunner(self._services)
        await steps.sweep()
        builder = Builder(self._services.images, steps, self._services.state_dir / "builder")
        await builder.start()
        return builder
