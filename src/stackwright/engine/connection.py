"""Connections to an engine: opening one, whatever the kind of its address, and what one is."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress

from stackwright.engine.address import Address
from stackwright.engine.errors import EngineUnavailable

LINE_LIMIT = 1 << 20


class _Reader(asyncio.StreamReader):
    """Lets what arrived before a connection broke be read: an early refusal explains the break."""

    def set_exception(self, exc: Exception) -> None:
        if isinstance(exc, ConnectionError):
            self.feed_eof()
        else:
            super().set_exception(exc)


class Connection:
    """One connection to the engine: the two stream ends, and whether it was used before.

    `release` ends what carries the connection, such as a process of ssh. `why` tells, when the other side
    closed without a word, what the carrier said.
    """

    __slots__ = ("reader", "release", "used", "why", "writer")

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer, self.used = reader, writer, False
        self.release: Callable[[], None] = _nothing
        self.why: Callable[[], Awaitable[EngineUnavailable | None]] = _no_reason

    def close(self) -> None:
        """Let go of it; twice is no error."""
        with suppress(RuntimeError):  # the loop may be closing already
            self.writer.close()
        self.release()


def _nothing() -> None:
    pass


async def _no_reason() -> EngineUnavailable | None:
    return None


async def dial(address: Address) -> Connection:
    """Open a connection. Raises `EngineUnavailable` saying what is wrong and what to do."""
    try:
        if address.scheme == "unix":
            return await wrap(unix=address.path)
        if address.scheme == "ssh":
            from stackwright.engine import ssh

            return await ssh.dial(address)
        if address.tls is not None:
            from stackwright.engine import tls

            return await tls.dial(address, address.tls)
        return await wrap(host=address.host, port=address.port)
    except PermissionError as error:
        raise EngineUnavailable(
            f"no permission to use the engine at {address}",
            hint="run as a user who may use the socket, or choose --engine embedded",
        ) from error
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno and error.errno > 0 else str(error)
        raise EngineUnavailable(f"no engine answers at {address}: {reason}", hint=_hint(address)) from error


def _hint(address: Address) -> str:
    if address.scheme == "unix":
        return "" if os.path.exists(address.path) else "there is no such socket: is the engine running?"  # noqa: PTH110
    return "is the engine running there, and does it listen on that port?"


def knock(address: Address, request: bytes) -> socket.socket | None:
    """A connection that a short request has been sent on, made without an event loop; None where that takes time or fails."""
    if address.scheme != "unix":
        return None
    sock = socket.socket(socket.AF_UNIX)
    try:
        sock.setblocking(False)
        sock.connect(address.path)
        sock.sendall(request)
    except OSError:
        sock.close()
        return None
    return sock


async def wrap(
    *, unix: str = "", sock: socket.socket | None = None, host: str = "", port: int = 0
) -> Connection:
    """A connection over a Unix socket's path, a connected socket, or a host and port."""
    loop = asyncio.get_running_loop()
    reader = _Reader(limit=LINE_LIMIT, loop=loop)
    protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
    if unix:
        transport, _ = await loop.create_unix_connection(lambda: protocol, unix)
        return Connection(reader, asyncio.StreamWriter(transport, protocol, reader, loop))
    if sock is not None:
        across, _ = await loop.create_connection(lambda: protocol, sock=sock)
    else:
        across, _ = await loop.create_connection(lambda: protocol, host, port)
    return Connection(reader, asyncio.StreamWriter(across, protocol, reader, loop))
