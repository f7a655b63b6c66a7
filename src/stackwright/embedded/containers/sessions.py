"""An exec session as the engine holds it."""

from __future__ import annotations

import asyncio
import os
import signal as signals
from collections.abc import AsyncIterator, Callable

from . import messages, wire
from .attach import STREAMS, AttachStream, Stream
from .channel import Channel

_UNREAD = 16
"""Frames of output that wait here for a slow reader before the program is made to wait."""


class ExecSession:
    """A running exec. `stream` is None for a detached one."""

    def __init__(self, channel: Channel, pid: int, pidfd: int, *, attached: bool) -> None:
        self._channel = channel
        self._pidfd = pidfd
        self._ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._output: asyncio.Queue[tuple[Stream, bytes] | None] = asyncio.Queue(_UNREAD)
        self.pid = pid
        self.stream: AttachStream | None = _ExecStream(channel, self._output) if attached else None
        self._task = asyncio.create_task(self._watch(), name=f"exec {pid}")

    async def wait(self) -> int:
        """Exit code; 128 + signal when killed. The output may still be waiting to be read."""
        return await asyncio.shield(self._ended)

    async def signal(self, number: int) -> None:
        """Send to the program. ProcessLookupError if it has ended."""
        if self._pidfd < 0:
            raise ProcessLookupError(f"exec process {self.pid} has ended")
        signals.pidfd_send_signal(self._pidfd, number)

    async def resize(self, rows: int, columns: int) -> None:
        """Set the terminal's size; harmless without one."""
        if not self._ended.done():
            await self._channel.send(wire.message(messages.RESIZE, rows=rows, columns=columns))

    def on_end(self, callback: Callable[[], None]) -> None:
        """Call once it has ended (or watching was stopped)."""
        self._task.add_done_callback(lambda task: callback())

    async def close(self) -> None:
        """Stop watching (the program runs on); used when the engine ends."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _watch(self) -> None:
        code = 137  # the session's process was killed, and its program with it
        try:
            while (received := await self._channel.receive()) is not None:
                kind, payload = received
                if kind in STREAMS:
                    if self.stream is not None and not self.stream.closed:
                        await self._output.put((STREAMS[kind], payload))
                elif kind == wire.MESSAGE:
                    message = wire.parse(payload)
                    if message.op == messages.EXITED:
                        code = message.code
                        break
        finally:
            if not self._ended.done():
                self._ended.set_result(code)
            if self._pidfd >= 0:
                os.close(self._pidfd)
                self._pidfd = -1
            self._channel.close()
        if self.stream is not None and not self.stream.closed:
            await self._output.put(None)


class _ExecStream(AttachStream):
    def __init__(self, channel: Channel, output: asyncio.Queue[tuple[Stream, bytes] | None]) -> None:
        super().__init__(channel)
        self._output = output

    async def _read(self) -> AsyncIterator[tuple[Stream, bytes]]:
        while (item := await self._output.get()) is not None:
            yield item
        self._output.put_nowait(None)  # who iterates again sees the end again

    async def close(self) -> None:
        """Detach: the program's input ends, its further output is dropped."""
        if not self.closed:
            self.closed = True
            await self.close_stdin()
            while not self._output.empty():
                self._output.get_nowait()
            self._output.put_nowait(None)
