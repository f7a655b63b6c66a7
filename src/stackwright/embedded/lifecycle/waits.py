"""Who waits for a container to end or to be gone (`POST /containers/{id}/wait`, stop, remove)."""

from __future__ import annotations

import asyncio


class Waiters:
    """Futures by condition: next-exit (any end of a run), not-running, removed."""

    def __init__(self) -> None:
        self._waiting: dict[str, set[asyncio.Future[int]]] = {
            "next-exit": set(),
            "not-running": set(),
            "removed": set(),
        }

    def add(self, condition: str) -> asyncio.Future[int]:
        """A future that gets the exit code; cancel it when nobody waits any more."""
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        waiting = self._waiting[condition]
        waiting.add(future)
        future.add_done_callback(waiting.discard)
        return future

    def tell(self, condition: str, exit_code: int) -> None:
        """Wake those who wait for `condition`."""
        for future in list(self._waiting[condition]):
            if not future.done():
                future.set_result(exit_code)
