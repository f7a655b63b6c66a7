"""``RUN --mount=type=ssh``: the client's SSH agent, lent to one step through a socket of the step's own.

The agent's own socket is no use in a step: ssh-agent turns away whoever is not its user, and the step's user may
be anybody. So the engine listens on a socket with the owner and mode that the mount asks for, and passes on.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from stackwright.embedded.builder.errors import StepFailed
from stackwright.embedded.kernel.userns import give

_PIECE = 1 << 16


@asynccontextmanager
async def forwarded(
    agent: Path, folder: Path, name: str, owner: tuple[int, int], mode: int
) -> AsyncIterator[Path]:
    """A socket ``folder/name`` whose connections reach ``agent``, as long as the context is open.

    StepFailed when nothing listens at ``agent``.
    """
    try:
        _, probe = await asyncio.open_unix_connection(agent)
    except OSError as error:
        raise StepFailed(f"no SSH agent answers at {agent}: {error.strerror}") from error
    probe.close()
    under_way: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        under_way.add(task)
        try:
            await _pass_on(agent, reader, writer)
        finally:
            under_way.discard(task)

    server = await asyncio.start_unix_server(serve, sock=_listen(folder, name))
    try:
        place = folder / name
        if os.geteuid() == 0:
            give(str(place), *owner)
        place.chmod(mode)
        yield place
    finally:
        server.close()
        for task in tuple(under_way):
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)


def _listen(folder: Path, name: str) -> socket.socket:
    """Bound through a directory descriptor: socket paths end at 108 bytes, ours may not."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    directory = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        sock.bind(f"/proc/self/fd/{directory}/{name}")
    except BaseException:
        sock.close()
        raise
    finally:
        os.close(directory)
    return sock


async def _pass_on(agent: Path, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        from_agent, to_agent = await asyncio.open_unix_connection(agent)
    except OSError:  # the agent has ended meanwhile: the step's ssh says so
        writer.close()
        return
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(_copy(reader, to_agent))
            group.create_task(_copy(from_agent, writer))
    finally:
        writer.close()
        to_agent.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(_PIECE):
            writer.write(data)
            await writer.drain()
        writer.write_eof()
