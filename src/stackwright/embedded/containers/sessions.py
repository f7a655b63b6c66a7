"""An exec session as the engine holds it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from . import messages, wire
from .attach import STREAMS, AttachStream, Stream
from .channel import Channel
from .watched import Watched

_UNREAD = 16
"""Frames of output that wait here for a slow reader before the program is made to wait."""


class ExecSession(Watched[int]):
    """A running exec; it ends with its exit code, 128 + signal when killed. `stream` is None for a detached one,
    and may still hold output when it has ended."""

    def __init__(self, channel: Channel, pid: int, pidfd: int, *, attached: bool) -> None:
        super().__init__(channel, pid, pidfd, name=f"exec process {pid}")
        self._output: asyncio.Queue[tuple[Stream, bytes] | None] = asyncio.Queue(_UNREAD)
        self.stream: AttachStream | None = _ExecStream(channel, self._output) if attached else None
        self._begin(self._watch())

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
            self._let_go()
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
