"""The Engine API's streams: multiplexed output, hijacked connections, JSON lines.

Multiplexed: a header of 8 bytes (stream number, three zeros, length big-endian), then the data;
see "Stream format" of ContainerAttach in the Engine API reference.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterable, AsyncIterator
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from msgspec import Struct

from stackwright.engine.connection import Connection
from stackwright.engine.errors import EngineGone, ProtocolError
from stackwright.engine.http import CHUNK

STDOUT, STDERR = 1, 2


class Chunk(Struct, frozen=True):
    """A piece of a container's output; `stream` is 1 (stdout) or 2 (stderr)."""

    stream: int
    data: bytes


async def demultiplex(pieces: AsyncIterable[bytes]) -> AsyncIterator[Chunk]:
    """Undo the multiplexing. A frame cut off by the end of the stream is dropped."""
    buffer = bytearray()
    async for piece in pieces:
        buffer += piece
        while len(buffer) >= 8:
            length = int.from_bytes(buffer[4:8], "big")
            if len(buffer) < 8 + length:
                break
            yield Chunk(STDERR if buffer[0] == STDERR else STDOUT, bytes(buffer[8 : 8 + length]))
            del buffer[: 8 + length]


async def raw(pieces: AsyncIterable[bytes]) -> AsyncIterator[Chunk]:
    """Output of a container with a terminal: one stream, no frames."""
    async for piece in pieces:
        yield Chunk(STDOUT, piece)


async def json_lines(pieces: AsyncIterable[bytes]) -> AsyncIterator[dict[str, Any]]:
    """Progress messages and events: one JSON object a line."""
    buffer = b""
    async for piece in pieces:
        *lines, buffer = (buffer + piece).split(b"\n")
        for line in lines:
            if line.strip():
                yield _parse(line)
    if buffer.strip():
        yield _parse(buffer)


def _parse(line: bytes) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except ValueError as error:
        raise ProtocolError(f"the engine's message is not valid JSON: {line[:80]!r}") from error
    if not isinstance(value, dict):
        raise ProtocolError(f"the engine's message is not an object: {line[:80]!r}")
    return value


class Stream:
    """A hijacked connection: iterate it for output, write to it for input."""

    def __init__(self, connection: Connection, *, multiplexed: bool) -> None:
        self._connection = connection
        self._multiplexed = multiplexed

    async def _pieces(self) -> AsyncIterator[bytes]:
        try:
            while data := await self._connection.reader.read(CHUNK):
                yield data
        except (ConnectionError, asyncio.IncompleteReadError) as error:
            raise EngineGone("the engine ended the stream") from error

    def __aiter__(self) -> AsyncIterator[Chunk]:
        pieces = self._pieces()
        return demultiplex(pieces) if self._multiplexed else raw(pieces)

    async def write(self, data: bytes) -> None:
        """Send to the process's standard input. A process that no longer reads is no error."""
        with suppress(ConnectionError):
            self._connection.writer.write(data)
            await self._connection.writer.drain()

    async def close_input(self) -> None:
        """End the process's standard input; output goes on."""
        with suppress(OSError, RuntimeError):
            if self._connection.writer.can_write_eof():
                self._connection.writer.write_eof()

    def close(self) -> None:
        """Let go of the connection."""
        self._connection.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
