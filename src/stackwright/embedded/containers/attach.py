"""Streams of a container or exec session as the engine reads and writes them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Literal

from . import messages, wire
from .channel import Channel

Stream = Literal["stdout", "stderr"]

STREAMS: dict[int, Stream] = {wire.STDOUT: "stdout", wire.STDERR: "stderr"}
_PIECE = 32 * 1024


class AttachStream:
    """Both directions of an attached container. Iterate for (stream, bytes) until the end.

    With a terminal everything arrives as "stdout". Closing never ends the container.
    """

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self.closed = False

    def __aiter__(self) -> AsyncIterator[tuple[Stream, bytes]]:
        return self._read()

    async def _read(self) -> AsyncIterator[tuple[Stream, bytes]]:
        while not self.closed and (received := await self._channel.receive()) is not None:
            stream = STREAMS.get(received[0])
            if stream is not None:
                yield stream, received[1]

    async def write(self, data: bytes) -> None:
        """Send to the process's stdin; waits while it does not read. Input after its end is dropped."""
        with suppress(BrokenPipeError, ConnectionResetError):
            for start in range(0, len(data), _PIECE):
                await self._channel.send(wire.frame(wire.STDIN, data[start : start + _PIECE]))

    async def close_stdin(self) -> None:
        """End of input."""
        with suppress(BrokenPipeError, ConnectionResetError):
            await self._channel.send(wire.frame(wire.STDIN_END, b""))

    async def close(self) -> None:
        """Detach; safe to call twice."""
        if not self.closed:
            self.closed = True
            self._channel.close()


async def attach(directory: str, *, stdin: bool, stdout: bool, stderr: bool) -> AttachStream:
    """Attach to the container at `directory`, running or about to. OSError when its monitor does not listen."""
    channel = await Channel.connect(directory)
    try:
        await channel.send(wire.message(messages.ATTACH, stdin=stdin, stdout=stdout, stderr=stderr))
    except BaseException:
        channel.close()
        raise
    return AttachStream(channel)
