"""Routes of BuildKit's clients (Engine API 1.50, Session; ``POST /grpc``, as moby's builder serves it)."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

from aiohttp import web

from stackwright.embedded.api.build import host_ca
from stackwright.embedded.api.call import Call
from stackwright.embedded.api.hijack import Hijacked, hand_over
from stackwright.embedded.api.routing import Route
from stackwright.embedded.errors import BadParameter
from stackwright.embedded.lifecycle.engine import Engine

if TYPE_CHECKING:
    from stackwright.embedded.buildkit.service import BuildKit


class BuildKitRoutes:
    """Over the builder; what speaks gRPC is imported with the first request."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._buildkit: BuildKit | None = None
        self._lock = asyncio.Lock()

    def table(self) -> list[Route]:
        """The routes."""
        return [
            Route("POST", "/grpc", self.grpc, follows=True),
            Route("POST", "/session", self.session, follows=True),
        ]

    async def grpc(self, call: Call) -> web.StreamResponse:
        """POST /grpc: HTTP/2 from here on, with the engine as the server."""
        _wants_h2c(call)
        buildkit = await self._service()
        await hand_over(call, buildkit.control(), "h2c").wait()
        return Hijacked()

    async def session(self, call: Call) -> web.StreamResponse:
        """POST /session: HTTP/2 from here on, with the client as the server."""
        _wants_h2c(call)
        buildkit = await self._service()
        session = buildkit.session(call.request.headers)
        ended = hand_over(call, session.channel.protocol, "h2c")
        await buildkit.sessions.add(session)
        try:
            await ended.wait()
        finally:
            buildkit.sessions.remove(session)
        return Hijacked()

    async def _service(self) -> BuildKit:
        async with self._lock:
            if self._buildkit is None:
                builder = await self._engine.building.builder()
                from stackwright.embedded.buildkit.service import BuildKit

                services = self._engine.services

                def announce(image: str) -> None:
                    services.events.publish("builder", "build", image)

                self._buildkit = BuildKit(builder, services.images, announce, host_ca({}, os.environ))
            return self._buildkit


def _wants_h2c(call: Call) -> None:
    if call.request.headers.get("Upgrade", "").lower() != "h2c":
        raise BadParameter("this route speaks HTTP/2 only: the request needs the header Upgrade: h2c")
