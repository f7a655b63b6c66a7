"""Files in and out of containers: archive, export, changes (Engine API 1.50, ContainerArchive…)."""

from __future__ import annotations

import asyncio
import base64
import stat

import msgspec
from aiohttp import web

from stackwright.embedded.api.call import Call, answer, begin_stream
from stackwright.embedded.api.routing import Route
from stackwright.embedded.api.times import rfc3339
from stackwright.embedded.errors import BadParameter
from stackwright.embedded.lifecycle.changed import by_the_container
from stackwright.embedded.lifecycle.copying import PathStat
from stackwright.embedded.lifecycle.engine import Engine
from stackwright.embedded.lifecycle.record import Container

STAT_HEADER = "X-Docker-Container-Path-Stat"
_GO_KINDS = (
    (stat.S_ISDIR, 1 << 31),
    (stat.S_ISLNK, 1 << 27),
    (stat.S_ISBLK, 1 << 26),
    (stat.S_ISFIFO, 1 << 25),
    (stat.S_ISSOCK, 1 << 24),
    (stat.S_ISCHR, 1 << 26 | 1 << 21),
)
_GO_BITS = ((stat.S_ISUID, 1 << 23), (stat.S_ISGID, 1 << 22), (stat.S_ISVTX, 1 << 20))


class ArchiveRoutes:
    """`docker cp`, `docker export`, `docker diff`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def table(self) -> list[Route]:
        """The routes."""
        return [
            Route("HEAD", "/containers/{id}/archive", self.head),
            Route("GET", "/containers/{id}/archive", self.get, follows=True),
            Route("PUT", "/containers/{id}/archive", self.put, follows=True),
            Route("GET", "/containers/{id}/export", self.export, follows=True),
            Route("GET", "/containers/{id}/changes", self.changes),
        ]

    async def head(self, call: Call) -> web.StreamResponse:
        """HEAD /containers/{id}/archive?path=."""
        found = await self._engine.copying.stat(self._get(call), self._path(call))
        return web.Response(headers={STAT_HEADER: encode_stat(found)}, content_type="application/json")

    async def get(self, call: Call) -> web.StreamResponse:
        """GET /containers/{id}/archive?path=."""
        container = self._get(call)
        found, pieces = await self._engine.copying.read(container, self._path(call))
        response = await begin_stream(call, "application/x-tar", {STAT_HEADER: encode_stat(found)})
        async for piece in pieces:
            await response.write(piece)
        self._engine.supervisor.tell(container, "archive-path")
        return response

    async def put(self, call: Call) -> web.StreamResponse:
        """PUT /containers/{id}/archive?path=&noOverwriteDirNonDir=&copyUIDGID=."""
        container = self._get(call)
        await self._engine.copying.write(
            container,
            self._path(call),
            call.stream(),
            own=call.flag("copyUIDGID"),
            keep_kind=call.flag("noOverwriteDirNonDir"),
        )
        self._engine.supervisor.tell(container, "extract-to-dir")
        return web.Response(status=200)

    async def export(self, call: Call) -> web.StreamResponse:
        """GET /containers/{id}/export."""
        container = self._get(call)
        pieces = await self._engine.copying.export(container)
        response = await begin_stream(call, "application/octet-stream")
        async for piece in pieces:
            await response.write(piece)
        self._engine.supervisor.tell(container, "export")
        return response

    async def changes(self, call: Call) -> web.StreamResponse:
        """GET /containers/{id}/changes."""
        container = self._get(call)
        own = self._engine.files.own_layers(container)
        layers = self._engine.services.images.lower_dirs(container.image_id)
        return answer(await asyncio.to_thread(by_the_container, own, layers) or None)

    def _path(self, call: Call) -> str:
        if not call.text("path"):
            raise BadParameter("bad parameter: 'path' cannot be empty")
        return call.text("path")

    def _get(self, call: Call) -> Container:
        return self._engine.services.containers.get(call.path["id"])


def encode_stat(found: PathStat) -> str:
    """The header's value: base64 of JSON, with a file mode as Go numbers it."""
    mode = stat.S_IMODE(found.mode) & 0o777
    mode |= sum(bit for test, bit in _GO_KINDS if test(found.mode))
    mode |= sum(bit for flag, bit in _GO_BITS if found.mode & flag)
    document = {
        "name": found.name,
        "size": found.size,
        "mode": mode,
        "mtime": rfc3339(found.mtime_ns),
        "linkTarget": found.link_target,
    }
    return base64.b64encode(msgspec.json.encode(document)).decode()
