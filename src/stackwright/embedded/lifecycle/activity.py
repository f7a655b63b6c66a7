"""Whether anybody needs the engine: requests under way, containers up, and how long neither was so."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Activity:
    """Counts requests; tells when the engine may end."""

    def __init__(self, anything_up: Callable[[], bool]) -> None:
        self._anything_up = anything_up
        self._requests = 0
        self._last = time.monotonic()

    @contextmanager
    def request(self) -> Iterator[None]:
        """A request is under way inside."""
        self._requests += 1
        try:
            yield
        finally:
            self._requests -= 1
            self._last = time.monotonic()

    async def until_idle(self, seconds: float) -> None:
        """Return once nothing was asked and nothing ran for `seconds`."""
        while True:
            if self._requests or self._anything_up():
                self._last = time.monotonic()
            remaining = self._last + seconds - time.monotonic()
            if remaining <= 0:
                return
            await asyncio.sleep(min(max(remaining, 0.05), 5.0))
