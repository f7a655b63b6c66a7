"""Files in and out of containers: archive, export, changes (Engine API 1.50, ContainerArchive…)."""

from __future__ import annotations

import asyncio
import base64
import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import web

from stackwright.embedded.api.call import Call, answer, begin_stream
from stackwright.embedded.api.routing import Route
from stackwright.embedded.api.times import rfc3339
from stackwright.embedded.errors import BadParameter
from stackwright.embedded.images.view import is_opaque, is_whiteout
from stackwright.embedded.lifecycle.copying import PathStat
from stackwright.embedded.lifecycle.engine import Engine
from stackwright.embedded.lifecycle.files import MARK
from stackwright.embedded.lifecycle.record import Container

STAT_HEADER = "X-Docker-Container-Path-Stat"
MODIFIED, ADDED, DELETED = 0, 1, 2
_MOUNTED = ("/dev", "/proc", "/sys", "/etc/hosts", "/etc/hostname", "/etc/resolv.conf", f"/{MARK}")
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
        rows = await asyncio.to_thread(changed, own, layers)
        return answer(_own_changes(rows) or None)

    def _path(self, call: Call) -> str:
        if not call.text("path"):
            raise BadParameter("bad parameter: 'path' cannot be empty")
        return call.text("path")

    def _get(self, call: Call) -> Container:
        return self._engine.services.containers.get(call.path["id"])


def _own_changes(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Without what the engine makes in every container, and folders that came or changed by nothing else: Docker has it
    in a layer between image and container. Mount points of volumes are listed, there as here."""
    made = {row["Path"] for row in rows if row["Kind"] == ADDED and row["Path"] in _MOUNTED}
    kept: list[dict[str, Any]] = []
    for row in reversed(rows):  # what is in a folder comes before the folder
        path = row["Path"]
        if path in made:
            continue
        below = path + "/"
        held_made = any(one.startswith(below) for one in made)
        held_other = any(one["Path"].startswith(below) for one in kept)
        if row["Kind"] == DELETED or held_other or not held_made:
            kept.append(row)
    return kept[::-1]


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


def changed(own: Sequence[Path], layers: Sequence[Path]) -> list[dict[str, object]]:
    """What the folders of a container (topmost first) add to, change in and hide of its image's layers, by path."""
    kinds: dict[str, int] = {}

    def below(path: Path) -> bool:
        return any(os.path.lexists(layer / path) for layer in layers)

    for upper in reversed(own):
        for folder, folders, files in os.walk(upper):
            for name in sorted(folders + files):
                path = Path(folder) / name
                inside = path.relative_to(upper)
                status = path.lstat()
                if is_whiteout(status):
                    _hide(kinds, str(inside))
                    if below(inside):
                        kinds[str(inside)] = DELETED
                    continue
                if not stat.S_ISDIR(status.st_mode) or is_opaque(str(path)):
                    _hide(kinds, str(inside))
                kinds[str(inside)] = MODIFIED if below(inside) else ADDED
    return [{"Path": f"/{path}", "Kind": kinds[path]} for path in sorted(kinds)]


def _hide(kinds: dict[str, int], path: str) -> None:
    """Forget what lower folders did at a path and below it."""
    for one in [one for one in kinds if one == path or one.startswith(path + "/")]:
        del kinds[one]
