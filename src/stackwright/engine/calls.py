"""One request and its answer as JSON: what every endpoint's method is made of."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from stackwright.engine.http import Response, Transport
from stackwright.engine.streams import json_lines

JSON = dict[str, Any]


class Calls:
    """The verbs of HTTP on one connection to an engine."""

    def __init__(self, transport: Transport) -> None:
        self.transport = transport

    async def _get(self, path: str, **query: Any) -> Any:
        return await (await self.transport.request("GET", path, query=query)).json()

    async def _post(self, path: str, body: Any = None, **query: Any) -> Any:
        return await (await self.transport.request("POST", path, query=query, json_body=body)).json()

    async def _do(self, path: str, body: Any = None) -> None:
        """POST where the answer says nothing: Podman writes a word there that is no JSON."""
        await (await self.transport.request("POST", path, json_body=body)).read()

    async def _delete(self, path: str, **query: Any) -> Any:
        return await (await self.transport.request("DELETE", path, query=query)).json()

    async def _messages(self, response: Response) -> AsyncIterator[JSON]:
        async with response:
            async for message in json_lines(response.chunks()):
                yield message
