"""A process of a container as the engine holds it: the channel to who watches it there, its pidfd, and how it ended."""

from __future__ import annotations

import asyncio
import os
import signal as signals
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

from . import messages, wire
from .channel import Channel

Result = TypeVar("Result")


class Watched(Generic[Result]):
    """`Result` is what is told of its end. Whoever derives from it begins to watch with `_begin`."""

    def __init__(self, channel: Channel, pid: int, pidfd: int, *, name: str) -> None:
        self.pid = pid
        self._channel = channel
        self._pidfd = pidfd
        self._name = name
        self._ended: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._task: asyncio.Task[None]

    def _begin(self, watch: Coroutine[Any, Any, None]) -> None:
        self._task = asyncio.create_task(watch, name=f"watch {self._name}")

    async def wait(self) -> Result:
        """Until it ended; may be called by many, at any time, also afterwards."""
        return await asyncio.shield(self._ended)

    async def signal(self, number: int) -> None:
        """Send a signal to it. ProcessLookupError if it has ended."""
        if self._pidfd < 0:
            raise ProcessLookupError(f"{self._name} has ended")
        signals.pidfd_send_signal(self._pidfd, number)

    async def resize(self, rows: int, columns: int) -> None:
        """Set the terminal's size; harmless without one."""
        if not self._ended.done():
            await self._channel.send(wire.message(messages.RESIZE, rows=rows, columns=columns))

    def on_end(self, callback: Callable[[], None]) -> None:
        """Call once it has ended (or watching was stopped)."""
        self._task.add_done_callback(lambda task: callback())

    async def close(self) -> None:
        """Stop watching; the process goes on."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    def _let_go(self) -> None:
        self._channel.close()
        if self._pidfd >= 0:
            os.close(self._pidfd)
            self._pidfd = -1
