"""How busy an engine is with stops: how many it is asked for at once, and when the silence of one means something."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from msgspec import Struct, field

SHARE = 0.02
"""Seconds that each stop under way may take of the engine before any of them is remarkable."""
PLACES = 3 * (os.cpu_count() or 1)
"""Stops that Docker Engine works on at once: on two processors it takes a fifth longer for forty of them at once."""
PLACE_SECONDS = 0.3
"""After which a stop waits for its service, not for the engine, and keeps no other from beginning."""


class Pace(Struct):
    """The stops of one command."""

    under_way: int = 0
    last_end: float = 0.0
    """When a container stopped last, on the monotonic clock."""
    _places: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(PLACES))

    @asynccontextmanager
    async def stop(self, *, in_turn: bool) -> AsyncIterator[None]:
        """Around one stop; with `in_turn` it begins when one of the engine's places is free."""
        held = in_turn

        def give_back() -> None:
            nonlocal held
            if held:
                held = False
                self._places.release()

        if in_turn:
            await self._places.acquire()
        timer = asyncio.get_running_loop().call_later(PLACE_SECONDS, give_back)
        self.under_way += 1
        try:
            yield
        finally:
            timer.cancel()
            give_back()
            self.end()

    def end(self) -> None:
        """One has stopped, or could not be."""
        self.under_way -= 1
        self.last_end = time.monotonic()

    def silence_missing(self, begun: float, silence: float) -> float:
        """Seconds until nothing has ended for `silence` and a share for each stop under way, counted from `begun` at the earliest.

        >>> pace = Pace(under_way=5, last_end=9.0)
        >>> round(pace.silence_missing(10.0, 1.0) + time.monotonic(), 3)
        11.1
        """
        return max(begun, self.last_end) + silence + SHARE * self.under_way - time.monotonic()
