"""Routes of the classic builder (Engine API 1.50, ImageBuild)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from aiohttp import web

from stackwright.embedded.api.call import Call, answer
from stackwright.embedded.api.progress import Emit, stream_progress
from stackwright.embedded.api.routing import Route
from stackwright.embedded.errors import BadParameter, NotImplementedYet
from stackwright.embedded.lifecycle.engine import Engine

HOST_CA_HEADER = "X-Stackwright-Host-CA"
_CA_VARIABLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "PIP_CERT", "CURL_CA_BUNDLE")


class BuildRoutes:
    """Over the builder."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def table(self) -> list[Route]:
        """The routes."""
        return [
            Route("POST", "/build", self.build, follows=True),
            Route("POST", "/build/prune", self.prune),
            Route("POST", "/build/cancel", self.cancel),
        ]

    async def build(self, call: Call) -> web.StreamResponse:
        """POST /build: a tar of the context in, messages out; ends with the client."""
        if call.text("version") == "2":
            raise NotImplementedYet(
                "BuildKit's builds come by way of /grpc, not /build (docker build with buildx)"
            )
        builder = await self._engine.building.builder()
        from stackwright.embedded.builder.query import options_from_query

        try:
            options = options_from_query(
                call.request.query, call.request.headers, host_ca=host_ca(call.request.headers, os.environ)
            )
        except ValueError as error:
            raise BadParameter(str(error)) from error

        async def work(emit: Emit) -> None:
            image_id = await builder.build(call.stream(), options, emit)
            self._engine.services.events.publish("builder", "build", image_id)

        return await stream_progress(call, work)

    async def prune(self, call: Call) -> web.StreamResponse:
        """POST /build/prune."""
        await self._engine.building.builder()  # which knows what there is to forget
        return answer(await self._engine.services.images.prune_build_cache())

    async def cancel(self, call: Call) -> web.StreamResponse:
        """POST /build/cancel: a build ends with its request."""
        return web.Response(status=204)


def host_ca(headers: Mapping[str, str], environment: Mapping[str, str]) -> Path | None:
    """The bundle of certificate authorities that RUN steps shall trust, None for none.

    The client's header names a file or says `off`; without it, one that this host's own variables name is
    used, for then a certificate authority of the company's own is what package downloads will meet.
    """
    asked = headers.get(HOST_CA_HEADER, "")
    if asked == "off":
        return None
    if asked:
        path = Path(asked)
        if not path.is_absolute() or not path.is_file():
            raise BadParameter(f"{HOST_CA_HEADER}: {asked} is not the absolute path of a file")
        return path
    candidates = (environment.get(name, "") for name in _CA_VARIABLES)
    return next((Path(c) for c in candidates if c and os.access(c, os.R_OK) and Path(c).is_file()), None)
