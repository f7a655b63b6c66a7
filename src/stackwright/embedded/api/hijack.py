"""Taking a connection over for a raw stream, as attach and exec do (Engine API, "Attach to a container").

The client asks with `Connection: Upgrade, Upgrade: tcp` and gets 101; an old one without it gets 200. From
then on both directions are the container's. The transport changes hands from aiohttp's protocol to a
stream of our own, because aiohttp closes a connection whose client has nothing more to send, which here
only means end of input.
"""

from __future__ import annotations

import asyncio
import fcntl
import struct
import termios
from contextlib import suppress
from typing import Protocol

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter

from stackwright.embedded.api.call import Call
from stackwright.embedded.api.detach import DetachKeys
from stackwright.embedded.containers.runtime import AttachStream
from stackwright.embedded.errors import EngineError

RAW = "application/vnd.docker.raw-stream"
MULTIPLEXED = "application/vnd.docker.multiplexed-stream"
_CHUNK = 65536
_LIMIT = 1024 * 1024
_POLL, _POLLS = 0.0005, 100
_STREAMS = {"stdin": 0, "stdout": 1, "stderr": 2}


def frame(stream: str, data: bytes) -> bytes:
    """Docker's 8-byte header (stream, three zeros, length) and the data."""
    return struct.pack(">BxxxL", _STREAMS[stream], len(data)) + data


class _TakenOver(asyncio.StreamReaderProtocol):
    """Gives the bytes to a reader of ours, and tells aiohttp's protocol when the connection is lost."""

    def __init__(self, reader: asyncio.StreamReader, former: asyncio.BaseProtocol) -> None:
        super().__init__(reader)
        self._former = former

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._former.connection_lost(exc)


class Hijacked(web.StreamResponse):
    """What the route returns after the stream: everything was sent already."""

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        return None


class Peer(Protocol):
    """The client's end of a raw stream."""

    async def receive(self) -> bytes:
        """Input; empty at its end."""
        ...

    async def send(self, stream: str, data: bytes) -> None:
        """Output; waits while the client does not read."""
        ...

    async def close(self) -> None:
        """End it."""
        ...


class Connection:
    """A taken-over connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, tty: bool) -> None:
        self._reader = reader
        self._writer = writer
        self._tty = tty

    async def receive(self) -> bytes:
        """Input; empty at its end."""
        return await self._reader.read(_CHUNK)

    async def send(self, stream: str, data: bytes) -> None:
        """Output to the client, framed unless a terminal's; waits while the client does not read."""
        self._writer.write(data if self._tty else frame(stream, data))
        await self._writer.drain()

    async def header_taken(self) -> None:
        """Wait (50 ms at most) until the client has read the answer's header.

        docker-py reads the header through a buffer and the stream past it: what comes in one piece with the
        header is lost to it. Docker is slow enough that nobody noticed.
        """
        sock = self._writer.get_extra_info("socket")
        for _ in range(_POLLS):
            if self._writer.transport.is_closing():
                return
            unread = bytearray(4)
            fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, unread)
            if not any(unread):
                return
            await asyncio.sleep(_POLL)

    async def close(self) -> None:
        """End it."""
        self._writer.close()
        try:
            await self._writer.wait_closed()
        except OSError:
            return


def take_over(call: Call, *, tty: bool) -> Connection:
    """Answer 101 (or 200) and take the transport away from aiohttp. The request's body was read before."""
    request = call.request
    transport = request.transport
    if transport is None:
        raise EngineError("the client went away")
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=_LIMIT, loop=loop)
    protocol = _TakenOver(reader, request.protocol)
    writer = asyncio.StreamWriter(transport, protocol, reader, loop)
    protocol.connection_made(transport)
    content = MULTIPLEXED if not tty and call.version >= (1, 42) else RAW
    if request.headers.get("Upgrade", "").lower() == "tcp":
        head = "HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n"
    else:
        head = "HTTP/1.1 200 OK\r\n"
    writer.write(f"{head}Content-Type: {content}\r\n\r\n".encode())
    # What the client sent right behind its request waits in aiohttp's protocol.
    early, request.protocol._message_tail = request.protocol._message_tail, b""
    if early:
        reader.feed_data(early)
    transport.set_protocol(protocol)
    transport.resume_reading()
    return Connection(reader, writer, tty=tty)


class _Handed(asyncio.Protocol):
    """Gives everything to another protocol, and tells aiohttp's when the connection is lost."""

    def __init__(self, successor: asyncio.Protocol, former: asyncio.BaseProtocol) -> None:
        self._successor, self._former = successor, former
        self.ended = asyncio.Event()

    def data_received(self, data: bytes) -> None:
        self._successor.data_received(data)

    def pause_writing(self) -> None:
        self._successor.pause_writing()

    def resume_writing(self) -> None:
        self._successor.resume_writing()

    def eof_received(self) -> bool | None:
        return self._successor.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self._successor.connection_lost(exc)
        self._former.connection_lost(exc)
        self.ended.set()


def hand_over(call: Call, successor: asyncio.Protocol, protocol: str) -> asyncio.Event:
    """Answer 101 and give the connection to ``successor``, which speaks ``protocol`` (a name for ``Upgrade``).

    The event is set when the connection has ended.
    """
    request = call.request
    transport = request.transport
    if transport is None:
        raise EngineError("the client went away")
    handed = _Handed(successor, request.protocol)
    transport.write(f"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: {protocol}\r\n\r\n".encode())
    early, request.protocol._message_tail = request.protocol._message_tail, b""
    transport.set_protocol(handed)
    successor.connection_made(transport)
    if early:
        successor.data_received(early)
    transport.resume_reading()
    return handed.ended


async def exchange(
    peer: Peer, stream: AttachStream, *, stdin: bool, detach: DetachKeys | None = None
) -> bool:
    """Carry bytes both ways until the container's side ends or the client goes away.

    True when the client typed the keys of `detach`.
    """

    async def to_container() -> bool:
        while data := await peer.receive():
            if stdin:
                data, detached = detach.feed(data) if detach else (data, False)
                try:
                    await stream.write(data)
                except (OSError, EngineError):
                    return False
                if detached:
                    return True
        if stdin:
            await stream.close_stdin()
        return False

    async def to_client() -> None:
        async for name, data in stream:
            await peer.send(name, data)

    inward = asyncio.ensure_future(to_container())
    outward = asyncio.ensure_future(to_client())
    detached = False
    try:
        await asyncio.wait({inward, outward}, return_when=asyncio.FIRST_COMPLETED)
        # The end of the client's input is not the end of its interest in the output.
        if outward.done():
            outward.result()
        elif not (detached := inward.result()):
            await outward
    except (ConnectionError, OSError):
        pass
    finally:
        inward.cancel()
        outward.cancel()
        await asyncio.gather(inward, outward, return_exceptions=True)
        with suppress(OSError):
            await stream.close()
        await peer.close()
    return detached
