"""A raw stream over a WebSocket (Engine API 1.50, ContainerAttachWebsocket)."""

from __future__ import annotations

from aiohttp import WSMsgType, web

from stackwright.embedded.api.call import Call


class WebSocketPeer:
    """The client's end. Output goes in binary messages, as it is; input may come as text."""

    def __init__(self) -> None:
        self.response = web.WebSocketResponse(autoping=True)

    async def accept(self, call: Call) -> None:
        """The handshake."""
        await self.response.prepare(call.request)

    async def receive(self) -> bytes:
        """See hijack.Peer."""
        while not self.response.closed:
            message = await self.response.receive()
            if message.type == WSMsgType.TEXT:
                return str(message.data).encode()
            if message.type == WSMsgType.BINARY:
                return bytes(message.data)
            break
        return b""

    async def send(self, stream: str, data: bytes) -> None:
        """See hijack.Peer."""
        if not self.response.closed:
            await self.response.send_bytes(data)

    async def close(self) -> None:
        """See hijack.Peer."""
        await self.response.close()
