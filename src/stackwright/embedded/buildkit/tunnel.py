"""A session inside another call: ``Control.Session`` carries the bytes of a connection as messages."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress

from grpclib.exceptions import StreamTerminatedError
from grpclib.server import Stream

from stackwright.embedded.buildkit import messages_pb2 as pb
from stackwright.embedded.buildkit.session import ClientSession, Sessions

_PIECE = 32_768


async def tunnelled(stream: Stream[pb.BytesMessage, pb.BytesMessage], sessions: Sessions) -> None:
    """Serve one call until the client ends it."""
    session = ClientSession(stream.metadata or {})
    ours, theirs = socket.socketpair()
    loop = asyncio.get_running_loop()
    await stream.send_initial_metadata()
    await loop.create_connection(lambda: session.channel.protocol, sock=ours)
    reader, writer = await asyncio.open_connection(sock=theirs)

    async def outward() -> None:
        while data := await reader.read(_PIECE):
            await stream.send_message(pb.BytesMessage(data=data))

    sending = asyncio.ensure_future(outward())
    await sessions.add(session)
    try:
        with suppress(StreamTerminatedError, ConnectionError):
            async for message in stream:
                writer.write(message.data)
                await writer.drain()
    finally:
        sessions.remove(session)
        sending.cancel()
        writer.close()
