"""An engine that answers from a script."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from stackwright.engine.address import Address
from stackwright.engine.http import Transport


@asynccontextmanager
async def scripted(path: Path, *answers: bytes) -> AsyncIterator[tuple[Transport, list[bytes]]]:
    """A server that gives one answer for each request head, and closes after the last one."""
    heads: list[bytes] = []
    waiting = list(answers)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while waiting:
            try:
                head = await reader.readuntil(b"\r\n\r\n")
            except asyncio.IncompleteReadError:
                break
            heads.append(head)
            writer.write(waiting.pop(0))
            await writer.drain()
        writer.close()

    server = await asyncio.start_unix_server(serve, path)
    transport = Transport(Address.parse(f"unix://{path}"))
    try:
        yield transport, heads
    finally:
        transport.close()
        server.close()
